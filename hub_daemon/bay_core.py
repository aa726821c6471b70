"""Wire -> link -> session -> here -> filter -> broker: one open port of a dock, and the docking or enrolment on it.

XX opens an enrolment conversation, if staff opened a window for this bay; IK or IKpsk2 opens a docking, if the key is
that of a device of the wing, and carries its MQTT through the filter. Whatever goes wrong ends this docking, with a
name, and the bay waits for the next one. Sans-IO: sockets, clocks and awaiting are those of hub_daemon/bay.py, or of
whoever else drives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from hub_daemon import refusals
from hub_daemon.broker import Account
from hub_daemon.enrolment import Enrolment
from hub_daemon.filter import BayFilter
from hub_daemon.limits import DEVICE_SILENT_MS_MAX, DOCK_BUFFER_BYTES_MAX, ENROL_POLL_MS
from hub_daemon.wing import Wing
from hub_daemon.wire_notes import HOSTILE_ENDS, WireNotes
from protocol.enrol import EnrolHub
from protocol.errors import Refusal
from protocol.limits import CODE_CHARS_MAX
from protocol.link import Link
from protocol.records.roster import Device
from protocol.session import RESUME, Session
from protocol.stack import Stack

DockEvent = tuple[Literal["dock"], Device, bytes, bool]
LiftEvent = tuple[Literal["lift"], Device, str]

WAITING, ENROLLING, DOCKED = "waiting", "enrolling", "docked"
_PIECE_BYTES = 4096  # of what waits for the session, at a time


class BayRooms(Protocol):
    """What a bay asks of the hub; all of it is quick and synchronous."""

    wing: Wing
    enrolment: Enrolment

    def clock(self) -> int:
        """Unix milliseconds."""
        ...

    def find_ticket(self, device: Device) -> bytes | None:
        """What this device may come back with."""
        ...

    def report(self, what: str, words: str) -> None: ...


class BayCore:
    """One open port: its stack, and the docking or enrolment on it. `now` is monotonic milliseconds of the wire.

    The wire: `receive`, `tick`, `next_deadline`, `to_send`. The broker: `open_docking`, `to_broker`, `from_broker`,
    `down_room`, `broker_ended`. After each call take `to_broker()`, then `next_event()`, until both are empty: what is
    for the broker belongs to the docking whose "lift" has not been taken yet. Events:

        ("dock", device, ticket, resumed)  make this bay the device's only docking, open a connection to the broker for
                                           it, then call `open_docking`; or `refuse` or `close`. Until then what the
                                           device says waits in the link, which holds the device back.
        ("lift", device, reason)           the docking is over: the broker's connection is to be dropped. One for each
                                           "dock" that was taken, and before the next "dock".

    `state` is "waiting", "enrolling" or "docked", `device` who is docked, `last_refusal` a name, `counters` those of
    the link when the last docking ended.
    """

    def __init__(
        self, name: str, rooms: BayRooms, random: Callable[[int], bytes], enrol_name: str = "", now: int = 0
    ) -> None:
        self.name = name
        self.rooms = rooms
        self.enrol_name = enrol_name or name  # what staff open an enrolment window on
        self.state = WAITING
        self.device: Device | None = None
        self.last_refusal = ""
        self.counters: dict[str, int] = {}
        self._random = random
        self._events: list[DockEvent | LiftEvent] = []
        self._opening = False  # the docking has no connection to the broker yet
        self._filter: BayFilter | None = None
        self._passed = bytearray()  # by the filter, for the broker
        self._down = bytearray()  # what waits for the session
        self._offer: EnrolHub | None = None  # of the newest session, should it be XX
        self._enrol: EnrolHub | None = None
        self._enrolment = 0
        self._enrol_poll_at = 0
        self._granted = False
        self._wire = WireNotes()
        self.stack = Stack(Link(random(8), dead_ms=DEVICE_SILENT_MS_MAX), self._make_session)
        self.stack.tick(now)

    # the wire

    def receive(self, data: bytes, now: int) -> None:
        """Bytes as they came from the wire."""
        self.stack.receive(data, now)
        self._note_wire(now)
        self._follow(now)

    def tick(self, now: int) -> None:
        """Let time pass; call at next_deadline() at the latest."""
        self.stack.tick(now)
        self._note_wire(now)
        self._follow(now)
        if self._enrol is not None and not self._enrol.closed and now >= self._enrol_poll_at:
            self._enrol_poll_at = now + ENROL_POLL_MS
            try:
                self._enrol_poll(self._enrol)
            except Refusal as refusal:
                self.refuse(refusal, now)

    def next_deadline(self) -> int | None:
        """When tick() is due."""
        due = [self.stack.next_deadline(), self._wire.next_due_ms()]
        if self._enrol is not None and not self._enrol.closed:
            due.append(self._enrol_poll_at)
        return min((at for at in due if at is not None), default=None)

    def to_send(self, now: int) -> bytes:
        """Wire bytes that are due, about one burst; call again once they are on their way."""
        while self._down and (taken := self.stack.write(bytes(self._down[:_PIECE_BYTES]))):
            del self._down[:taken]
        return self.stack.to_send(now)

    def next_event(self) -> DockEvent | LiftEvent | None:
        """The next event, in order."""
        return self._events.pop(0) if self._events else None

    # the broker

    def open_docking(self, account: Account, now: int) -> None:
        """A connection to the broker, with this account, stands for the last "dock". Nothing when that is over."""
        if not self._opening or self._events or self.device is None:
            return
        self._opening = False
        self._passed.clear()
        self._filter = BayFilter(self.rooms.wing.wing, self.device.id, account)
        self._follow(now)

    def to_broker(self) -> bytes:
        """What the filter passed since the last time."""
        passed = bytes(self._passed)
        self._passed.clear()
        return passed

    def from_broker(self, data: bytes, now: int) -> None:
        """Bytes of the broker's connection, on their way down. Nothing when the docking is over."""
        if self._filter is None:
            return
        try:
            self._down += self._filter.from_broker(data)
        except Refusal as refusal:
            self.refuse(refusal, now)

    def down_room(self) -> int:
        """How many bytes may still come from the broker; at 0 it is not to be read: the device does not keep up."""
        return max(0, DOCK_BUFFER_BYTES_MAX - len(self._down))

    def broker_ended(self, reason: str, now: int) -> None:
        """The connection that `open_docking` was told of is gone."""
        if self._filter is not None:
            self.close(reason, now)

    # the end of whatever is on

    def close(self, reason: str, now: int) -> None:
        """End the docking or enrolment visibly: the session goes, the device sees the link come anew."""
        if self.device is not None or self._enrol is not None:
            self._close(reason, now)
            self._follow(now)

    def refuse(self, refusal: Refusal, now: int) -> None:
        """As `close`, because of something that is said and shown by its name."""
        self._note(refusal)
        self.close(refusal.name, now)

    def end(self, reason: str, now: int) -> None:
        """The port closed; take what is left of `to_broker` and `next_event`, and call nothing else any more."""
        self._end(reason, now)

    def _close(self, reason: str, now: int) -> None:
        self.stack.close(reason[:CODE_CHARS_MAX], now)
        self._end(reason, now)

    def _end(self, reason: str, now: int) -> None:
        """Take the docking or the enrolment apart; nothing happens when there is none."""
        self.state = WAITING
        self._filter = None
        self._opening = False
        self._down.clear()
        if self.device is not None:
            self._note_wire(now, closing=True)
            self.counters = dict(self.stack.link.counters)
            device, self.device = self.device, None
            if self._events and self._events[-1][0] == "dock":
                self._events.pop()  # nobody has heard of it
            else:
                self._events.append(("lift", device, reason))
        if self._enrol is not None:
            enrol, self._enrol = self._enrol, None
            self.rooms.enrolment.lost(self._enrolment)
            self.rooms.report("enrolment", f"{self.name}: " + ("over" if enrol.closed else f"ended: {reason}"))

    # the stack's two questions

    def _make_session(self) -> Session:
        keys = self.rooms.wing.keys
        self._offer = EnrolHub(self._random)
        return Session(
            False,
            (keys.x25519, keys.x25519_public),
            self._random,
            payload=self._offer.commitment,
            accept=self._accept,
            find_ticket=self._find_ticket,
        )

    def _accept(self, pattern: str, static: bytes, payload: bytes) -> bool:
        """Whether the key may open a session here: a device of the wing, or any key while a window is open."""
        try:
            self.rooms.wing.load()
            if pattern == "XX":
                if self.rooms.enrolment.window_of(self.enrol_name) is None:
                    raise refusals.DeviceUnknown("no enrolment window is open on this bay")
                return True
            device = self._device_of(static)
            if device.revoked or device.expires_s * 1000 <= self.rooms.clock():
                raise refusals.DeviceRevoked(device.id.hex())
        except Refusal as refusal:
            self._note(refusal)
            return False
        return True

    def _find_ticket(self, static: bytes) -> bytes | None:
        device = self.rooms.wing.device_by_static(static)
        return None if device is None else self.rooms.find_ticket(device)

    def _device_of(self, static: bytes) -> Device:
        device = self.rooms.wing.device_by_static(static)
        if device is None:
            raise refusals.DeviceUnknown(f"key {static.hex()[:16]}")
        return device

    # what the session tells

    def _follow(self, now: int) -> None:
        """Take the stack's events; while a docking opens they wait there, and the link grants no more credit."""
        while not self._opening and (event := self.stack.next_event()) is not None:
            try:
                if event[0] == "up":
                    self._up(*event[1:], now=now)  # type: ignore[misc]
                elif event[0] == "data":
                    self._data(event[1], now)  # type: ignore[arg-type]
                else:
                    if event[1] in HOSTILE_ENDS:
                        self._note(refusals.SessionRefused(str(event[1])))
                    self._end(str(event[1]), now)
            except Refusal as refusal:
                self._note(refusal)
                self._close(refusal.name, now)

    def _up(self, pattern: str, static: bytes, payload: bytes, handshake_hash: bytes, now: int) -> None:
        self._end("a new session", now)
        if pattern == "XX":
            window = self.rooms.enrolment.window_of(self.enrol_name)
            if window is None:
                raise refusals.DeviceUnknown("the enrolment window was shut")
            assert self._offer is not None
            self._enrol, self._enrolment, self._granted = self._offer, window.id, False
            self._enrol_poll_at = now
            self.state = ENROLLING
            self._enrol.start(handshake_hash, payload, static)
            self._enrol_events(self._enrol)
            return
        device = self._device_of(static)
        ticket = self.stack.session.ticket if self.stack.session is not None else b""
        self.device, self.state, self._opening = device, DOCKED, True
        self._events.append(("dock", device, ticket, pattern == RESUME))

    def _data(self, data: bytes, now: int) -> None:
        if self._enrol is not None:
            self._enrol.receive(data)
            self._enrol_events(self._enrol)
        elif self._filter is not None:
            self._passed += self._filter.from_device(data, now)

    # enrolment

    def _enrol_events(self, enrol: EnrolHub) -> None:
        while (event := enrol.next_event()) is not None:
            if event[0] == "request":
                assert enrol.digits is not None
                self.rooms.enrolment.offer(self._enrolment, enrol.digits, event[1])
            elif event[0] == "done":
                self.rooms.enrolment.done(self._enrolment)
        self._down += enrol.to_send()

    def _enrol_poll(self, enrol: EnrolHub) -> None:
        """Ask the store what staff decided."""
        outcome = self.rooms.enrolment.outcome(self._enrolment)
        if outcome.refusal is not None:
            enrol.refuse(outcome.refusal)
        elif outcome.certificate is not None and enrol.request is not None and not self._granted:
            self._granted = True
            enrol.grant(outcome.certificate, list(outcome.rosters))
        self._down += enrol.to_send()

    # what staff and the log see

    def _note(self, refusal: Refusal) -> None:
        self.last_refusal = refusal.name
        self.rooms.report("refused", f"{self.name}: {refusal.name}: {refusal}")

    def _note_wire(self, now: int, closing: bool = False) -> None:
        """Say what the link dropped; it is no refusal of a device, since every wire is damaged now and then."""
        for refusal in self._wire.look(self.stack.link.counters, now, closing):
            self.rooms.report("wire", f"{self.name}: {refusal.name}: {refusal}")
