"""Queue -> here -> exchange: which approved items one device may hold now, as its signed delivery list.

Every bundle goes through the same gate as on the device before it is listed, so that an edited database, a lapsed key
or an expired approval costs the item its place on the list and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from hub_daemon.in_force import Entry, InForce
from hub_daemon.keys import HubKeys
from hub_daemon.limits import GATE_CACHE_ENTRIES_MAX, LIST_FRESH_S
from hub_daemon.store import Store, Tx, items, lists, log
from protocol.errors import Refusal
from protocol.limits import CODE_CHARS_MAX, LIST_ITEMS_MAX, OUTBOX_ENVELOPES_MAX, OWN_ITEMS_MAX
from protocol.records import delivery_list as records
from protocol.records import gate, signing
from protocol.records.bundle import Bundle
from protocol.records.delivery_list import DeliveryList, Listed, Own
from protocol.records.roster import Device, Roster
from protocol.records.statement import STILL, TEXT, VIDEO, Statement

# states of items as the author's device is told: a technical refusal can be changed and sent again, as what staff
# sent back; a recall ends the wait like a rejection
OWN_STATES = {
    "ingested": records.HANDED_OVER,
    "pending": records.BEING_READ,
    "claimed": records.BEING_READ,
    "awaiting_second": records.BEING_READ,
    "escalated": records.BEING_READ,
    "approved": records.APPROVED,
    "delivered": records.DELIVERED,
    "returned": records.RETURNED,
    "rejected": records.REJECTED,
    "refused": records.RETURNED,
    "recalled": records.REJECTED,
}

Withheld = Callable[[bytes, bytes, Refusal], None]  # (device, item, why)


@dataclass
class Issued:
    """A delivery list as it was sent. `blobs` are the media roots of its items with their sizes.

    `refused` are own items that the media worker refused, newest first, with the refusal's name.
    """

    list: DeliveryList
    signed: bytes
    blobs: dict[bytes, int] = field(default_factory=dict)
    refused: tuple[tuple[bytes, str], ...] = ()


@dataclass(frozen=True)
class Passed:
    """A bundle that the gate let through, until `until_s`: then a signer's key or the approval itself lapses."""

    until_s: int
    blobs: tuple[tuple[bytes, int], ...]


class Delivery:
    """Makes lists and bundles. `withheld` is told of every item that the gate kept off a list."""

    def __init__(self, store: Store, keys: HubKeys, wing: str, withheld: Withheld) -> None:
        self.keys = keys
        self.wing = wing
        self.withheld = withheld
        self._in_force = InForce(store)
        self._passed: dict[tuple[bytes, bytes], Passed | Refusal] = {}  # by item and statement
        self._passed_for = (0, 0)  # under which roster, and since which reading of the store

    def bundle(self, tx: Tx, item: items.Item) -> Bundle | None:
        """The bundle of an item as the store has it; None when it has no statement in force."""
        signed = None if item.statement is None else items.statement(tx, item.statement)
        if signed is None:
            return None
        text = items.text(tx, item.id) if Statement.decode(signed.body).rendition(TEXT) else None
        return Bundle(statement=signed.body, signatures=[sign1 for _, sign1 in signed.signatures], text=text)

    def issue(self, tx: Tx, device: Device, roster: Roster, now_s: int, held: Issued | None = None) -> Issued:
        """The newest list of `device`: the one before when nothing changed and it is fresh, else the next version.

        Writes the new version to the store in this transaction, before anybody can see it. `held` is the one that was
        issued before in this docking.
        """
        state = lists.device_state(tx, device.id)
        listed, blobs = self._allowed(tx, device, roster, now_s)
        mine = items.of_device(tx, device.id, OWN_ITEMS_MAX)
        own = [Own(item=item.id, state=OWN_STATES[item.state]) for item in sorted(mine, key=lambda one: one.id)]
        named = [(one.id, one.refusal[:CODE_CHARS_MAX]) for one in mine if one.state == "refused" and one.refusal]
        refused = tuple(named[:OUTBOX_ENVELOPES_MAX])  # all that one visit can have handed over
        content = _digest(roster, listed, own)
        fresh = state.list_issued_s <= now_s < state.list_issued_s + LIST_FRESH_S
        if state.list_signed is not None and state.list_content == content and fresh:
            if held is not None and held.signed == state.list_signed:
                return Issued(held.list, held.signed, blobs, refused)
            before = self._before(tx, state, state.list_signed, now_s)
            if before is not None:
                return Issued(before, state.list_signed, blobs, refused)
        made = DeliveryList(
            wing=self.wing,
            device=device.id,
            version=state.list_version + 1,
            issued_s=now_s,
            roster_version=roster.version,
            items=listed,
            own=own,
        )
        signed = made.sign(self.keys.ed25519, self.keys.ed25519_public)
        lists.put_list(tx, device.id, made.version, signed, now_s, content)
        return Issued(made, signed, blobs, refused)

    def _before(self, tx: Tx, state: lists.DeviceState, signed: bytes, now_s: int) -> DeliveryList | None:
        """The stored list; None when it is not the one that was stored: logged, and the next one takes its place."""
        why = "not the version before"
        try:
            before = records.accept(None, signed, self.keys.ed25519_public, state.device, self.wing)
            if before.version == state.list_version:
                return before
        except Refusal as refusal:
            why = f"{refusal.name}: {refusal}"
        words = f"list {state.list_version} of device {state.device.hex()}: {why}"
        log.append(tx, now_s * 1000, "hub", "list damaged", None, words)
        return None

    def _allowed(
        self, tx: Tx, device: Device, roster: Roster, now_s: int
    ) -> tuple[list[Listed], dict[bytes, int]]:
        """The newest items whose bundles pass the gate for this device's learner, and their media."""
        listed: list[Listed] = []
        blobs: dict[bytes, int] = {}
        for entry in self._in_force.of(tx, device.learner):
            if len(listed) == LIST_ITEMS_MAX:
                break
            passed = self._passes(tx, entry, device.learner, roster, now_s)
            if isinstance(passed, Refusal):
                self.withheld(device.id, entry.item, passed)
                continue
            listed.append(Listed(item=entry.item, statement=entry.statement))
            blobs.update(passed.blobs)
        return sorted(listed, key=lambda one: one.item), blobs

    def _passes(self, tx: Tx, entry: Entry, learner: str, roster: Roster, now_s: int) -> Passed | Refusal:
        """What the gate says of an item for `learner`, who is in its audience; the same for everybody who is."""
        standing = (roster.version, self._in_force.readings)
        if self._passed_for != standing or len(self._passed) >= GATE_CACHE_ENTRIES_MAX:
            self._passed.clear()
            self._passed_for = standing
        key = (entry.item, entry.statement)
        known = self._passed.get(key)
        if known is None or (isinstance(known, Passed) and known.until_s <= now_s):
            try:
                known = self._check(tx, entry, learner, roster, now_s)
            except Refusal as refusal:
                known = refusal
            self._passed[key] = known
        return known

    def _check(self, tx: Tx, entry: Entry, learner: str, roster: Roster, now_s: int) -> Passed:
        """Ask the gate, with a list that names this item alone; raises its refusal."""
        item = items.get(tx, entry.item)
        bundle = None if item is None else self.bundle(tx, item)
        if bundle is None:
            raise gate.NotOnList(f"item {entry.item.hex()} has no statement")
        trial = DeliveryList(
            wing=self.wing,
            device=bytes(8),
            version=1,
            issued_s=now_s,
            roster_version=roster.version,
            items=[Listed(item=entry.item, statement=entry.statement)],
            own=[],
        )
        statement = gate.check(bundle, roster, trial, learner, self.wing)
        ends = [statement.expires_s]
        for sign1 in bundle.signatures:
            staff = roster.staff_by_key(signing.signer(sign1))
            if staff is not None and staff.expires_s > now_s:
                ends.append(staff.expires_s)
        media = [one for one in statement.renditions if one.role in (VIDEO, STILL)]
        return Passed(min(ends), tuple((one.digest, one.length) for one in media))


def _digest(roster: Roster, listed: list[Listed], own: list[Own]) -> bytes:
    """SHA-256 over all that makes a list another one."""
    parts = [roster.version.to_bytes(8, "big"), len(listed).to_bytes(4, "big")]
    for one in listed:
        parts += (one.item, one.statement)
    for mine in own:
        parts += (mine.item, bytes([mine.state]))
    return hashlib.sha256(b"".join(parts)).digest()
