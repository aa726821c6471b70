"""Staff page -> here -> store: deals items and carries out decisions, each by one conditional UPDATE.

Every act is one transaction: the item moves by one row of `transitions.TABLE` if and only if it still has
the version, the state and the lease that the member of staff saw; its log row, decision and signature are in
the same transaction. Whoever comes second gets `Conflict` and nothing of theirs is done or lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon.limits import (
    LEASE_MS_MAX,
    OVERDUE_MS,
    READING_AGAIN_MS,
    THREAD_ABOVE_MAX,
    WHY_CHARS_MAX,
)
from hub_daemon.moderation import reasons, statements, transitions
from hub_daemon.moderation.alerts import Alerts
from hub_daemon.moderation.errors import NotAllowed, ReadersChanged, SamePerson, UnknownItem, Voided, WordsRefused
from hub_daemon.moderation.statements import Signer
from hub_daemon.store import Row, Tx, items, log, queue
from hub_daemon.store.items import Item, Rendition
from protocol.errors import Misuse
from protocol.records.roster import Roster

READERS = ("governor", "safer-custody")  # may read what was not dealt to them, with a reason, logged


@dataclass(frozen=True)
class Message:
    """An earlier message of the thread, as its readers have it."""

    author: str
    text: str
    kind: str
    at_ms: int


@dataclass(frozen=True)
class View:
    """An item as one person may see it. `content` is False where the bytes stay shut for them."""

    item: Item
    text: str
    renditions: tuple[Rendition, ...]
    marks: tuple[tuple[str, str], ...]
    thread: tuple[Message, ...]
    readers: tuple[str, ...]
    membership_version: int
    strangers: tuple[str, ...]
    signers_needed: int
    signed_by: tuple[str, ...]
    lease_until_ms: int
    held: bool
    content: bool
    events: tuple[str, ...]

    @property
    def seen(self) -> str:
        """Who this view says it goes to; `approve` asks for it."""
        return statements.seen(self.membership_version, self.readers, self.strangers)

    def rendition(self, role: str) -> Rendition | None:
        for entry in self.renditions:
            if entry.role == role:
                return entry
        return None


class Moderation(Alerts):
    """The engine: dealing, reading, deciding; alerts and guards are its bases."""

    # dealing

    def deal(self, person: str, skip: bytes = b"") -> bytes | None:
        """The item this person holds already, or the next one for them, now held; None when nothing waits.

        `skip`: an item not to be given, although held (its decision is about to be sent).
        """
        self._must(person, "moderator")
        now = self.clock()
        with self.store.write() as tx:
            for row in queue.held_by(tx, person, now):
                if bytes(row["id"]) != skip and row["state"] in transitions.OPEN:
                    return bytes(row["id"])
            found = queue.next_for(tx, person, now, now - OVERDUE_MS, skip)
            if found is None:
                return None
            step = transitions.find("deal", found["state"])
            if step is None:
                raise Misuse(f"the queue offered an item in state {found['state']}")
            item = bytes(found["id"])
            if step.lease == transitions.ENDED:
                log.append(tx, now, "hub", "lease ended", item, f"held by {found['lease_owner']}")
            self._move(tx, step, found, found["version"], person, now)
            log.append(tx, now, person, "dealt", item, f"version {found['version'] + 1}")
            return item

    def renew(self, person: str, item: bytes) -> bool:
        """The holder is still at it. False when the lease is no longer theirs."""
        now = self.clock()
        with self.store.write() as tx:
            return queue.renew(tx, item, person, now, now + LEASE_MS_MAX)

    def release(self, person: str, item: bytes, version: int) -> None:
        """Pass the item back undecided; this person is dealt it last."""
        now = self.clock()
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            self._move(tx, self._step("release", row, now), row, version, person, now)
            queue.add_skip(tx, item, person, now)
            log.append(tx, now, person, "passed back", item)

    # reading

    def view(self, person: str, item: bytes, why: str = "") -> View:
        """What `person` may see of an item. Content only for its holder, or for a reader's role with a reason;
        the reading is committed to the log before this returns.
        """
        now = self.clock()
        roster = self.roster()
        with self.store.write() as tx:
            row = self._row(tx, item)
            held = row["lease_owner"] == person and row["lease_until_ms"] > now
            content = held or self._may_read(person, why)
            if content:
                self._note_reading(tx, row, person, "item", "dealt" if held else why, now)
                if held:
                    queue.renew(tx, item, person, now, now + LEASE_MS_MAX)
                    row = self._row(tx, item)
            return self._view(tx, row, roster, held, content)

    def open_media(self, person: str, item: bytes, role: str, why: str = "") -> Rendition:
        """The rendition whose bytes may now be shown to `person`; logged first. Refused as in `view`."""
        now = self.clock()
        with self.store.write() as tx:
            row = self._row(tx, item)
            held = row["lease_owner"] == person and row["lease_until_ms"] > now
            if not held and not self._may_read(person, why):
                raise NotAllowed("this item is not dealt to you, so its content stays shut")
            for entry in items.renditions(tx, item):
                if entry.role == role and entry.body is None:
                    if now - queue.last_reading_ms(tx, item, person, role) > READING_AGAIN_MS:
                        self._note_reading(tx, row, person, role, "dealt" if held else why, now)
                    return entry
        raise UnknownItem(f"the item has no {role}")

    def _may_read(self, person: str, why: str) -> bool:
        if not why.strip():
            return False
        return any(role in READERS for role in self.roles(person))

    def _note_reading(self, tx: Tx, row: Row, person: str, what: str, why: str, now: int) -> None:
        item = bytes(row["id"])
        why = why.strip()[:WHY_CHARS_MAX]
        queue.add_reading(tx, item, row["version"], person, what, why, now)
        log.append(tx, now, person, "read", item, f"{what}: {why}")

    def _view(self, tx: Tx, row: Row, roster: Roster, held: bool, content: bool) -> View:
        item = items.get(tx, bytes(row["id"]))
        assert item is not None
        version, audience = statements.readers(roster, item)
        new_to = queue.strangers(tx, item.author_learner, audience)
        found = tuple(items.renditions(tx, item.id))
        signed_by: tuple[str, ...] = ()
        needed = statements.signers_needed(found, new_to)
        if row["open_statement"] is not None:
            first = items.statement(tx, bytes(row["open_statement"]))
            if first is not None:
                signed_by = tuple(person for person, _ in first.signatures)
                needed = statements.decode(first.body).signers_needed
        thread: list[Message] = []
        if content and item.parent is not None:
            for above in queue.thread(tx, item.parent, item.received_ms, THREAD_ABOVE_MAX):
                body = bytes(above["body"] or b"").decode("utf-8", "replace")
                thread.append(Message(above["author_learner"], body, above["kind"], above["received_ms"]))
        return View(
            item=item,
            text=statements.text_of(found) if content else "",
            renditions=found if content else (),
            marks=tuple(items.marks(tx, item.id)) if content else (),
            thread=tuple(thread),
            readers=tuple(audience),
            membership_version=version,
            strangers=tuple(new_to),
            signers_needed=needed,
            signed_by=signed_by,
            lease_until_ms=row["lease_until_ms"] if held else 0,
            held=held,
            content=content,
            events=tuple(transitions.events_of(item.state)),
        )

    # deciding

    def approve(self, person: str, item: bytes, version: int, signer: Signer, seen: str) -> str:
        """Sign that this item may go to its audience. Returns the new state: "approved" or "awaiting_second".

        `seen` is that of the View that `person` decided on. Raises Conflict when the item moved on, ReadersChanged
        when it would go to others than were seen, Voided when a first approval no longer fits (it is dropped and
        the item stays with this person), NobodyToReach when the group has no other member.
        """
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        voided = ""
        state = ""
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            entry = items.get(tx, item)
            assert entry is not None
            renditions = items.renditions(tx, item)
            membership, audience = statements.readers(roster, entry)
            new_to = queue.strangers(tx, entry.author_learner, audience)
            if row["state"] == transitions.AWAITING_SECOND:
                first = items.statement(tx, bytes(row["open_statement"]))
                assert first is not None
                if person in [name for name, _ in first.signatures]:
                    raise SamePerson("you have signed this item already; the second signature is another person's")
                body = first.body
                if statements.again(first.body, entry, renditions, roster, new_to) != body:
                    voided = self._void(tx, row, first.digest, person, now)
            elif seen != statements.seen(membership, audience, new_to):
                words = "Who gets this message changed since you saw it. Nothing was decided. Look again."
                raise ReadersChanged(item, row["state"], "", "", 0, now, now, words)
            else:
                body = statements.approval(entry, version, renditions, roster, new_to, now // 1000)
            if not voided:
                state = self._sign_approval(tx, row, entry, body, person, signer, roster, now)
        if voided:
            raise Voided(item, transitions.CLAIMED, "", "", 0, now, now, voided)
        self.on_change(item)
        return state

    def _sign_approval(
        self, tx: Tx, row: Row, entry: Item, body: bytes, person: str, signer: Signer, roster: Roster, now: int
    ) -> str:
        version = row["version"]
        statement = statements.decode(body)
        digest = statements.digest(body)
        items.put_statement(tx, digest, entry.id, statement.item_version, statements.APPROVE, body, now)
        items.add_signature(tx, digest, person, signer.sign("decision", body), now)
        queue.add_decision(tx, entry.id, version, person, "approve", reasons.NONE, "", digest, now)
        signed = items.statement(tx, digest)
        assert signed is not None
        enough = len({name for name, _ in signed.signatures}) >= statement.signers_needed
        target = transitions.APPROVED if enough else transitions.AWAITING_SECOND
        self._move(tx, self._step("approve", row, now, target), row, version, person, now)
        if enough:
            text = statements.text_bytes(items.renditions(tx, entry.id))
            statements.gate_check(signed, text, roster, now // 1000)
            queue.set_in_force(tx, entry.id, digest)
            queue.add_contacts(tx, entry.author_learner, list(statement.audience.learners), entry.id, now)
        else:
            queue.set_open(tx, entry.id, digest)
        count = f"{len(signed.signatures)} of {statement.signers_needed}"
        log.append(tx, now, person, "approve", entry.id, f"statement {digest.hex()} signature {count}")
        return target

    def _void(self, tx: Tx, row: Row, digest: bytes, person: str, now: int) -> str:
        item = bytes(row["id"])
        why = "the group or the roster changed after the first approval"
        self._move(tx, self._step("void", row, now), row, row["version"], person, now)
        queue.set_open(tx, item, None)
        queue.drop_decisions(tx, item, digest, why, now)
        log.append(tx, now, "hub", "approval dropped", item, f"statement {digest.hex()}: {why}")
        return f"The first approval was dropped because {why}. Look again: your approval now counts as the first."

    def return_(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Send the item back to its author with a coded ground and words."""
        self._answer("return", statements.RETURN, person, item, version, signer, reason, words, language)

    def reject(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Refuse the item for good, with a coded ground, words, and how to appeal."""
        self._answer("reject", statements.REJECT, person, item, version, signer, reason, words, language)

    def _answer(
        self, event: str, action: int, person: str, item: bytes, version: int, signer: Signer, reason: int,
        words: str, language: str,
    ) -> None:
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        full = self.words(event, reason, words, language)
        with self.store.write() as tx:
            row = self._seen(tx, item, version, person, now)
            if row["open_statement"] is not None:
                signed = items.statement(tx, bytes(row["open_statement"]))
                if signed is not None and person in [name for name, _ in signed.signatures]:
                    raise SamePerson("you approved this item; another person decides now")
            entry = items.get(tx, item)
            assert entry is not None
            body = statements.answer(entry, version, action, reason, full, roster, now // 1000)
            digest = statements.digest(body)
            self._move(tx, self._step(event, row, now), row, version, person, now)
            items.put_statement(tx, digest, item, version, action, body, now)
            items.add_signature(tx, digest, person, signer.sign("decision", body), now)
            queue.add_decision(tx, item, version, person, event, reason, full, digest, now)
            stored = items.statement(tx, digest)
            assert stored is not None
            statements.gate_check(stored, None, roster, now // 1000)
            queue.set_in_force(tx, item, digest)
            log.append(tx, now, person, event, item, f"ground {reason} statement {digest.hex()}")
        self.on_change(item)

    def recall(
        self, person: str, item: bytes, version: int, signer: Signer, reason: int, words: str, language: str = "en"
    ) -> None:
        """Take an approved item back: it leaves every delivery list. One person may (the safe direction)."""
        now = self.clock()
        roster = self.roster()
        self._must(person, "moderator", signer)
        full = self.words("recall", reason, words, language)
        with self.store.write() as tx:
            row = self._row(tx, item)
            if row["version"] != version:
                raise self._conflict(tx, row, now)
            entry = items.get(tx, item)
            assert entry is not None
            body = statements.answer(entry, version, statements.RECALL, reason, full, roster, now // 1000)
            digest = statements.digest(body)
            self._move(tx, self._step("recall", row, now), row, version, person, now)
            items.put_statement(tx, digest, item, version, statements.RECALL, body, now)
            items.add_signature(tx, digest, person, signer.sign("decision", body), now)
            queue.add_decision(tx, item, version, person, "recall", reason, full, digest, now)
            items.set_statement(tx, item, None)
            log.append(tx, now, person, "recall", item, f"ground {reason} statement {digest.hex()}")
        self.on_change(item)

    def words(self, use: str, reason: int, own: str, language: str = "en") -> str:
        """What the learner will read, exactly; refused when a ground is unknown or the words do not fit."""
        reasons.reason(reason, use)
        if reason == reasons.OTHER and not own.strip():
            raise WordsRefused("Ground 9 needs words: write what the learner should change")
        until = statements.appeal_until(self.clock() // 1000) if use != "recall" else ""
        return statements.fitting(reasons.words_for_learner(reason, own, until, language))
