"""Queue -> here -> signatures: what a decision says, as the bytes that staff sign.

A statement is built from what the hub holds at that moment: renditions, group, roster. A second signer's
statement is built again and must be the very same bytes as the first one's; so nobody's signature is ever
lent to another text, another picture or another audience.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Protocol

from hub_daemon.limits import APPEAL_DAYS, APPROVAL_DAYS
from hub_daemon.moderation.errors import NobodyToReach, WordsRefused
from hub_daemon.store.items import Item, Rendition, SignedStatement
from protocol import cbor
from protocol.limits import WORDS_BYTES_MAX
from protocol.records import gate, signing, text
from protocol.records import statement as record
from protocol.records.bundle import Bundle
from protocol.records.delivery_list import DeliveryList, Listed
from protocol.records.roster import Roster
from protocol.records.statement import Audience, Statement

APPROVE, RETURN, REJECT, RECALL = record.APPROVE, record.RETURN, record.REJECT, record.RECALL
ROLES = (record.STILL, record.TEXT, record.VIDEO)  # what learners get; a contact sheet never leaves the hub
DAY_S = 86400
HUB_DEVICE = bytes(8)  # the device of the list the gate is asked with before there is a list


class Signer(Protocol):
    """A member of staff who has given their pass phrase."""

    @property
    def person(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign(self, kind: str, body: bytes) -> bytes:
        """COSE_Sign1 over SHA-256(body) as protocol.records.signing makes it."""
        ...


def decode(body: bytes) -> Statement:
    return Statement.decode(body)


def digest(body: bytes) -> bytes:
    return signing.digest(body)


def readers(roster: Roster, item: Item) -> tuple[int, list[str]]:
    """(membership version, learners an approval of this item would reach), without the author.

    The author has the message already; on their own device it is the outbox that shows it.
    """
    group = roster.group(item.group_id) if item.group_id is not None else None
    if group is None:
        return 0, []
    return group.version, sorted(member for member in group.members if member != item.author_learner)


def seen(membership: int, audience: Sequence[str], strangers: Sequence[str]) -> str:
    """What a page shows of an item's readers, as one word: its form says it back, and another one is not approved."""
    return hashlib.sha256(cbor.dumps([membership, list(audience), list(strangers)])).hexdigest()


def signers_needed(renditions: Sequence[Rendition], strangers: Sequence[str]) -> int:
    """Two people for anything but text, and the first time two learners reach each other (R9)."""
    if any(entry.role in ROLES and entry.role != record.TEXT for entry in renditions):
        return 2
    return 2 if strangers else 1


def text_bytes(renditions: Sequence[Rendition]) -> bytes | None:
    """The canonical text, or None when the item has none."""
    for entry in renditions:
        if entry.role == record.TEXT:
            return entry.body or None
    return None


def text_of(renditions: Sequence[Rendition]) -> str:
    return (text_bytes(renditions) or b"").decode("utf-8", "replace")


def approval(
    item: Item,
    version: int,
    renditions: Sequence[Rendition],
    roster: Roster,
    strangers: Sequence[str],
    now_s: int,
    signers_min: int = 1,
) -> bytes:
    """The body of an approval of `item` at `version`; NobodyToReach when its group has no other member."""
    membership, audience = readers(roster, item)
    if not audience:
        raise NobodyToReach("The group of this message has no other member now, so an approval would reach nobody")
    shown = [
        record.Rendition(role=entry.role, digest=entry.digest, length=entry.length, media_type=entry.media_type)
        for entry in sorted(renditions, key=lambda entry: entry.role)
        if entry.role in ROLES and entry.length > 0
    ]
    return Statement(
        wing=roster.wing,
        item=item.id,
        item_version=version,
        action=APPROVE,
        renditions=shown,
        audience=Audience(group=item.group_id, membership_version=membership, learners=audience),
        author=item.author_learner,
        parent=item.parent,
        signers_needed=max(signers_min, signers_needed(renditions, strangers)),
        expires_s=now_s + APPROVAL_DAYS * DAY_S,
        reason=0,
        words="",
        roster_version=roster.version,
        decided_s=now_s,
    ).encode()


def again(
    first: bytes, item: Item, renditions: Sequence[Rendition], roster: Roster, strangers: Sequence[str]
) -> bytes | None:
    """The approval as it would be built now at the first one's version and time; equal bytes or it is void.

    Two people are still two when another item has made its readers acquainted in between. None when it
    cannot be built any more (the group is empty).
    """
    statement = decode(first)
    try:
        version, needed = statement.item_version, statement.signers_needed
        return approval(item, version, renditions, roster, strangers, statement.decided_s, needed)
    except NobodyToReach:
        return None


def answer(
    item: Item, version: int, action: int, reason: int, words: str, roster: Roster, now_s: int
) -> bytes:
    """The body of a return or a rejection (to the author alone) or of a recall (to whom it reached)."""
    audience = Audience(group=None, membership_version=0, learners=[item.author_learner])
    if action == RECALL:
        membership, learners = readers(roster, item)
        audience = Audience(group=item.group_id, membership_version=membership, learners=learners)
    return Statement(
        wing=roster.wing,
        item=item.id,
        item_version=version,
        action=action,
        renditions=[],
        audience=audience,
        author=item.author_learner,
        parent=item.parent,
        signers_needed=1,
        expires_s=now_s + APPROVAL_DAYS * DAY_S,
        reason=reason,
        words=words,
        roster_version=roster.version,
        decided_s=now_s,
    ).encode()


def appeal_until(now_s: int) -> str:
    """The last day to ask another person, as the learner reads it."""
    day = datetime.datetime.fromtimestamp(now_s + APPEAL_DAYS * DAY_S, datetime.UTC)
    return day.strftime("%-d/%-m/%Y")


def fitting(words: str) -> str:
    """`words` if a statement can carry them and a device may show them; WordsRefused says what to change."""
    words = words.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    size = len(words.encode("utf-8", "surrogatepass"))
    if size > WORDS_BYTES_MAX:
        raise WordsRefused(f"The words are too long by {size - WORDS_BYTES_MAX} letters; shorten what you wrote")
    try:
        return text.check(words)
    except text.TextRefused as refusal:
        raise WordsRefused(f"The words hold a character that cannot be shown ({refusal}); take it out") from None


def gate_check(signed: SignedStatement, text_rendition: bytes | None, roster: Roster, now_s: int) -> None:
    """Ask the very gate that a device asks, for every learner of the audience, before anything is listed."""
    statement = decode(signed.body)
    bundle = Bundle(
        statement=signed.body, signatures=[sign1 for _, sign1 in signed.signatures], text=text_rendition
    )
    listed = DeliveryList(
        wing=roster.wing,
        device=HUB_DEVICE,
        version=1,
        issued_s=now_s,
        roster_version=roster.version,
        items=[Listed(item=signed.item, statement=signed.digest)],
        own=[],
    )
    for learner in statement.audience.learners[:1]:
        gate.check(bundle, roster, listed, learner, roster.wing)
