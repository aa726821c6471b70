"""Queue -> here -> exchange: which approved items one device may hold now, as its signed delivery list.

Every bundle goes through the same gate as on the device before it is listed, so that an edited database, a lapsed key
or an expired approval costs the item its place on the list and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from hub_daemon.keys import HubKeys
from hub_daemon.limits import GATE_CACHE_ENTRIES_MAX, LIST_FRESH_S
from hub_daemon.store import Tx, items, lists, log
from protocol import cbor
from protocol.errors import Refusal
from protocol.limits import CODE_CHARS_MAX, LIST_ITEMS_MAX, OUTBOX_ENVELOPES_MAX, OWN_ITEMS_MAX
from protocol.records import delivery_list as records
from protocol.records import gate
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


class Delivery:
    """Makes lists and bundles. `withheld` is told of every item that the gate kept off a list."""

    def __init__(self, keys: HubKeys, wing: str, withheld: Withheld) -> None:
        self.keys = keys
        self.wing = wing
        self.withheld = withheld
        self._passed: dict[bytes, Statement] = {}  # by everything that the gate looked at
        self._decoded: dict[bytes, Statement] = {}

    def bundle(self, tx: Tx, item: items.Item) -> Bundle | None:
        """The bundle of an item as the store has it; None when it has no statement in force."""
        stored = self._stored(tx, item)
        if stored is None:
            return None
        statement, body, signatures, text = stored
        return Bundle(statement=body, signatures=signatures, text=text if statement.rendition(TEXT) else None)

    def _stored(self, tx: Tx, item: items.Item) -> tuple[Statement, bytes, list[bytes], bytes | None] | None:
        """Statement, its bytes, the signatures and the text of an item, nothing verified."""
        signed = None if item.statement is None else items.statement(tx, item.statement)
        if signed is None:
            return None
        digest = hashlib.sha256(signed.body).digest()
        statement = self._decoded.get(digest)
        if statement is None:
            if len(self._decoded) >= GATE_CACHE_ENTRIES_MAX:
                self._decoded.clear()
            statement = self._decoded[digest] = Statement.decode(signed.body)
        return statement, signed.body, [sign1 for _, sign1 in signed.signatures], items.text(tx, item.id)

    def issue(self, tx: Tx, device: Device, roster: Roster, now_s: int) -> Issued:
        """The newest list of `device`: the one before when nothing changed and it is fresh, else the next version.

        Writes the new version to the store in this transaction, before anybody can see it.
        """
        state = lists.device_state(tx, device.id)
        listed, blobs = self._allowed(tx, device, roster, state.list_version + 1, now_s)
        mine = items.of_device(tx, device.id, OWN_ITEMS_MAX)
        own = [Own(item=item.id, state=OWN_STATES[item.state]) for item in sorted(mine, key=lambda one: one.id)]
        named = [(one.id, one.refusal[:CODE_CHARS_MAX]) for one in mine if one.state == "refused" and one.refusal]
        refused = tuple(named[:OUTBOX_ENVELOPES_MAX])  # all that one visit can have handed over
        content = hashlib.sha256(
            cbor.dumps(
                [
                    roster.version,
                    [[one.item, one.statement] for one in listed],
                    [[one.item, one.state] for one in own],
                ]
            )
        ).digest()
        fresh = state.list_issued_s <= now_s < state.list_issued_s + LIST_FRESH_S
        if state.list_signed is not None and state.list_content == content and fresh:
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
        self, tx: Tx, device: Device, roster: Roster, version: int, now_s: int
    ) -> tuple[list[Listed], dict[bytes, int]]:
        """The newest items whose bundles pass the gate for this device's learner, and their media."""
        listed: list[Listed] = []
        blobs: dict[bytes, int] = {}
        for item in items.with_statement(tx):
            if len(listed) == LIST_ITEMS_MAX:
                break
            try:
                statement = self._passes(tx, item, device, roster, version, now_s)
            except Refusal as refusal:
                self.withheld(device.id, item.id, refusal)
                continue
            if statement is None or item.statement is None:
                continue
            listed.append(Listed(item=item.id, statement=item.statement))
            for rendition in statement.renditions:
                if rendition.role in (VIDEO, STILL):
                    blobs[rendition.digest] = rendition.length
        return sorted(listed, key=lambda one: one.item), blobs

    def _passes(
        self, tx: Tx, item: items.Item, device: Device, roster: Roster, version: int, now_s: int
    ) -> Statement | None:
        """The statement when this device may hold the item, None when it is not for it; raises the gate's refusal."""
        stored = self._stored(tx, item)
        if stored is None or item.statement is None:
            return None
        statement, body, signatures, text = stored
        if device.learner not in statement.audience.learners:
            return None
        parts = [item.id, item.statement, device.id, roster.version.to_bytes(8, "big"), body, *signatures]
        key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in (*parts, text or b""))).digest()
        known = self._passed.get(key)
        if known is not None and known.expires_s > now_s:
            return known
        bundle = Bundle(statement=body, signatures=signatures, text=text if statement.rendition(TEXT) else None)
        trial = DeliveryList(
            wing=self.wing,
            device=device.id,
            version=version,
            issued_s=now_s,
            roster_version=roster.version,
            items=[Listed(item=item.id, statement=item.statement)],
            own=[],
        )
        passed = gate.check(bundle, roster, trial, device.learner, self.wing)
        if len(self._passed) >= GATE_CACHE_ENTRIES_MAX:
            self._passed.clear()
        self._passed[key] = passed
        return passed

    def forget(self) -> None:
        """Every bundle is verified again at the next list (once an hour: keys of staff expire)."""
        self._passed.clear()
