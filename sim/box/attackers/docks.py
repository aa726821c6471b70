"""Attack -> here -> device: docks that speak as the hub: without its key, and with it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from protocol import noise
from protocol.records import receipt, statement
from protocol.records.bundle import Bundle
from protocol.records.delivery_list import DeliveryList, Listed
from protocol.records.hello import Status, Time
from protocol.records.signing import digest as sha256
from protocol.records.signing import unpack_signed
from protocol.records.statement import Audience, Rendition, Statement
from sim.box.attackers.false_dock import AtFalseDock, FalseDock, Words
from sim.box.attackers.speaker import Keys
from sim.box.devices import DeviceBox
from sim.box.kernel import START_S
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

LISTS_KEPT = 24  # of each device
DAY_S = 86_400


class HubImpostor(AtFalseDock):
    """A dock with a key of its own, that would take whatever it is given."""

    def dock(self) -> FalseDock:
        private = self.entropy(32)
        return FalseDock((private, noise.public_of(private)), self.entropy)


class StolenHub(AtFalseDock):
    """A dock that has the hub's own keys: the session comes up, and `words` are said after the device's hello."""

    def dock(self) -> FalseDock:
        keys = self.world.provision.keys
        return FalseDock((keys.x25519, keys.x25519_public), self.entropy, self._answer)

    def _answer(self, kind: str, payload: bytes) -> Words:
        if kind == "hello":
            now_s = START_S + self.world.kernel.now // 1000
            status = Status(phase="receiving", sent=0, waiting=0, new=0, time_s=now_s)
            return [("time", Time(time_s=now_s).encode()), *self.words(), ("hello", status.encode())]
        if kind == "envelope":
            answer = receipt.Custody(item=sha256(payload), journal=None, refusal="EnvelopeRefused")
            return [("receipt", answer.encode())]
        return []

    def words(self) -> Words:
        raise NotImplementedError


class ListRollback(StolenHub):
    """Says lists and rosters that were honestly signed once, and have been replaced."""

    def fits(self, box: DeviceBox) -> bool:
        return super().fits(box) and len({_version(one) for one in _older(self.world, box.id)}) > 1

    def words(self) -> Words:
        lists = _older(self.world, self.honest.id)
        place = max(0, len(lists) - 1 - self.whole("back"))
        old = self.stored("SELECT signed FROM rosters ORDER BY version LIMIT 1")
        held = self.core.device.inbox.list
        newest = 0 if held is None else held.version
        before = [one for one in lists[: place + 1] if _version(one) < newest] or lists[:1]
        return [*(("roster", bytes(row[0])) for row in old), ("list", before[-1])]


class UnapprovedBundle(StolenHub):
    """Says a newer list, signed with the hub's key, and bundles that nobody has approved so."""

    def fits(self, box: DeviceBox) -> bool:
        return super().fits(box) and bool(_older(self.world, box.id))

    def words(self) -> Words:
        keys, held = self.world.provision.keys, self.core.device.inbox.list
        if held is None:
            return []
        bundles = self._bundles()
        statements = [Statement.decode(bundle.statement) for bundle in bundles]
        listed = {row.item: row.statement for row in held.items}
        listed.update({said.item: said.digest() for said in statements})
        made = DeliveryList(
            wing=held.wing, device=held.device, version=held.version + 1, issued_s=held.issued_s,
            roster_version=held.roster_version, own=held.own,
            items=[Listed(item=item, statement=listed[item]) for item in sorted(listed)],
        )  # fmt: skip
        unlisted, _ = self._bundle("not on the list", [self._stranger()])
        return [
            ("list", made.sign(keys.ed25519, keys.ed25519_public)),
            *[("bundle", bundle.encode()) for bundle in (*bundles, unlisted)],
        ]

    def _bundles(self) -> list[Bundle]:
        """Without a right signature, with one too few, with the signatures of something else, with other words."""
        moderator = self.world.provision.signers[self.world.plan.wing.moderators[0]]
        nobody, _ = self._bundle("signed by a stranger", [self._stranger()])
        one, said = self._bundle("signed by one of two", [], needed=2)
        one = Bundle(statement=one.statement, signatures=[moderator.sign("decision", one.statement)], text=one.text)
        lent, _ = self._bundle("with a signature of something else", [moderator.sign("decision", one.statement)])
        other, _ = self._bundle("what was signed", [])
        other = Bundle(statement=other.statement, signatures=[moderator.sign("decision", other.statement)],
                       text=b"what was not signed")  # fmt: skip
        foreign, _ = self._bundle("for somebody else", [self._stranger()], reader="nobody")
        return [nobody, one, lent, other, foreign]

    def _stranger(self) -> bytes:
        keys = Keys(self.entropy(32), self.entropy(32))
        return statement.sign(self._statement("a stranger's", 1, ""), keys.seed, keys.ed25519)

    def _bundle(self, words: str, sign1s: list[bytes], needed: int = 1, reader: str = "") -> tuple[Bundle, Statement]:
        said = self._statement(words, needed, reader)
        return Bundle(statement=said.encode(), signatures=sign1s or [bytes(64)], text=words.encode()), said

    def _statement(self, words: str, needed: int, reader: str) -> Statement:
        held, roster = self.core.device.inbox.list, self.core.device.identity.roster
        assert held is not None and roster is not None
        learner = reader or self.honest.learner
        group = next((one for one in roster.groups if self.honest.learner in one.members), None)
        text = words.encode()
        return Statement(
            wing=held.wing, item=self.entropy(32), item_version=3, action=statement.APPROVE,
            renditions=[Rendition(role=statement.TEXT, digest=sha256(text), length=len(text), media_type="text/plain")],
            audience=Audience(group=None if group is None else group.id,
                              membership_version=0 if group is None else group.version, learners=[learner]),
            author="nobody", parent=None, signers_needed=needed, expires_s=held.issued_s + DAY_S, reason=0, words="",
            roster_version=roster.version, decided_s=held.issued_s,
        )  # fmt: skip


def _version(signed: bytes) -> int:
    body, _ = unpack_signed(signed)
    return DeliveryList.decode(body).version


def _older(world: World, device: bytes) -> list[bytes]:
    """The lists that the hub has said to this device, oldest first."""
    return list((world.said_lists or {}).get(device, ()))


def keep_lists(world: World, event: Event) -> None:
    """From the first instant on, keep what an attacker may have kept: every list that goes to a device."""
    if event.args["kind"] not in ("malice.list_rollback", "malice.unapproved_bundle") or world.said_lists is not None:
        return
    kept: dict[bytes, deque[bytes]] = {}
    world.said_lists = kept
    before = world.hub.on_say

    def said(topic: str, payload: bytes) -> None:
        before(topic, payload)
        parts = topic.split("/")
        if parts[5] == "list":
            kept.setdefault(bytes.fromhex(parts[3]), deque(maxlen=LISTS_KEPT)).append(payload)

    world.hub.on_say = said
