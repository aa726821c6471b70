"""Wire -> link -> session -> here: one bay, from its port to the broker or to an enrolment.

XX opens an enrolment conversation, if staff opened a window for this bay; IK or IKpsk2 opens a docking, if the key is
that of a device of the wing, and carries its MQTT through the filter. Whatever goes wrong ends this docking, with a
name, and the bay waits for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

from hub_daemon import refusals
from hub_daemon.broker import Account
from hub_daemon.enrolment import Enrolment
from hub_daemon.filter import BayFilter
from hub_daemon.limits import DOCK_BROKER_WAIT_S, DOCK_BUFFER_BYTES_MAX, ENROL_POLL_MS, TCP_IDLE_S_MAX
from hub_daemon.wing import Wing
from hub_daemon.wire_notes import HOSTILE_ENDS, WireNotes
from hub_daemon.wire_port import WireClosed, WirePort
from protocol.enrol import EnrolHub
from protocol.errors import Refusal
from protocol.limits import CODE_CHARS_MAX
from protocol.link import Link
from protocol.records.roster import Device
from protocol.session import RESUME, Session
from protocol.stack import Stack


class Hub(Protocol):
    """What a bay needs of the daemon."""

    wing: Wing
    enrolment: Enrolment

    def report(self, what: str, words: str) -> None: ...
    def clock(self) -> int: ...
    def find_ticket(self, device: Device) -> bytes | None:
        """What this device may come back with."""
        ...

    async def dock(self, bay: Bay, device: Device, ticket: bytes, resumed: bool) -> None:
        """Make this bay the device's only docking and keep its next ticket; raises a Refusal."""
        ...

    async def lift(self, bay: Bay, device: Device) -> None: ...
    async def open_broker(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection for one device; raises OSError."""
        ...

    @property
    def bay_account(self) -> Account: ...


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Bay:
    """One dock. `state` is "waiting", "enrolling" or "docked"; `device` is who is docked, in hex."""

    def __init__(self, name: str, hub: Hub, enrol_name: str = "") -> None:
        self.name = name
        self.enrol_name = enrol_name or name  # what staff open an enrolment window on
        self.hub = hub
        self.state = "waiting"
        self.device: Device | None = None
        self.port_open = False
        self.last_refusal = ""
        self.counters: dict[str, int] = {}
        self._wake: asyncio.Event | None = None
        self._close_reason = ""
        self._closer: Callable[[], None] | None = None

    def close_docking(self, reason: str) -> None:
        """End the docking that is on (from the event loop's thread): another bay has the device, or it was refused."""
        self._close_reason = reason
        if self._wake is not None:
            self._wake.set()

    async def run(self, descriptor: int, idle_s_max: int = 0) -> None:
        """Serve the wire at `descriptor` until it closes; raises WireClosed then.

        With `idle_s_max`, a wire on which no session stands for so long is closed (TCP).
        """
        visit = Visit(self, idle_s_max)
        self._wake = visit.wake
        port = WirePort(descriptor, visit.wake)
        self.port_open = True
        try:
            await visit.serve(port)
        finally:
            port.close()
            self.port_open = False
            self._wake = None
            with contextlib.suppress(Exception):
                await visit.end("the port closed")
            self.state, self.device = "waiting", None

    def take_close_reason(self) -> str:
        reason, self._close_reason = self._close_reason, ""
        return reason


class Visit:
    """The state of one open port: its stack, and the docking or enrolment on it."""

    def __init__(self, bay: Bay, idle_s_max: int) -> None:
        self.bay = bay
        self.hub = bay.hub
        self.wake = asyncio.Event()
        self.enrol: EnrolHub | None = None
        self.enrolment = 0
        self.enrol_digits = ""
        self.filter: BayFilter | None = None
        self.device: Device | None = None
        self._enrol_poll_at = 0
        self._down = bytearray()
        self._room = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._broker_end = ""
        self._idle_ms_max = idle_s_max * 1000
        self._last_up = monotonic_ms()
        self._wire = WireNotes()
        self.stack = Stack(Link(os.urandom(8)), self._make_session)

    # the stack's two questions

    def _make_session(self) -> Session:
        self._offer = EnrolHub(os.urandom)
        return Session(
            False,
            (self.hub.wing.keys.x25519, self.hub.wing.keys.x25519_public),
            os.urandom,
            payload=self._offer.commitment,
            accept=self._accept,
            find_ticket=self._find_ticket,
        )

    def _accept(self, pattern: str, static: bytes, payload: bytes) -> bool:
        """Whether the key may open a session here: a device of the wing, or any key while a window is open."""
        try:
            self.hub.wing.load()
            if pattern == "XX":
                if self.hub.enrolment.window_of(self.bay.enrol_name) is None:
                    raise refusals.DeviceUnknown("no enrolment window is open on this bay")
                return True
            device = self.hub.wing.device_by_static(static)
            if device is None:
                raise refusals.DeviceUnknown(f"key {static.hex()[:16]}")
            if device.revoked or device.expires_s * 1000 <= self.hub.clock():
                raise refusals.DeviceRevoked(device.id.hex())
        except Refusal as refusal:
            self._note(refusal)
            return False
        return True

    def _find_ticket(self, static: bytes) -> bytes | None:
        device = self.hub.wing.device_by_static(static)
        return None if device is None else self.hub.find_ticket(device)

    def _note(self, refusal: Refusal) -> None:
        self.bay.last_refusal = refusal.name
        self.hub.report("refused", f"{self.bay.name}: {refusal.name}: {refusal}")

    def _note_wire(self, now: int, closing: bool = False) -> None:
        """Say what the link dropped; it is no refusal of a device, since every wire is damaged now and then."""
        for refusal in self._wire.look(self.stack.link.counters, now, closing):
            self.hub.report("wire", f"{self.bay.name}: {refusal.name}: {refusal}")

    # the loop

    async def serve(self, port: WirePort) -> None:
        while True:
            now = monotonic_ms()
            if data := port.take():
                self.stack.receive(data, now)
            self.stack.tick(now)
            self._note_wire(now)
            await self._events()
            await self._close_if_asked()
            if self.enrol is not None:
                self._enrol_step(now)
            self._push_down()
            while port.idle and (data := self.stack.to_send(monotonic_ms())):
                port.write(data)
            if port.closed:
                raise WireClosed(port.closed)
            if self.stack.up:
                self._last_up = now
            elif self._idle_ms_max and now - self._last_up > self._idle_ms_max:
                raise WireClosed("nobody came up")
            await self._sleep(now)

    async def _sleep(self, now: int) -> None:
        deadline = self.stack.next_deadline()
        waits = [1000] if deadline is None else [max(0, deadline - now), 1000]
        if self.enrol is not None:
            waits.append(ENROL_POLL_MS)
        try:
            await asyncio.wait_for(self.wake.wait(), max(0.001, min(waits) / 1000))
        except TimeoutError:
            return
        self.wake.clear()

    async def _close_if_asked(self) -> None:
        reason = self.bay.take_close_reason() or self._broker_end
        if not reason or not (self.device is not None or self.enrol is not None):
            self._broker_end = ""
            return
        self._broker_end = ""
        await self._close(reason)

    async def _close(self, reason: str) -> None:
        """End this docking visibly: the session goes, the device sees the link come anew."""
        self.stack.close(reason[:CODE_CHARS_MAX], monotonic_ms())
        await self.end(reason)

    async def _events(self) -> None:
        while (event := self.stack.next_event()) is not None:
            try:
                if event[0] == "up":
                    await self._up(*event[1:])
                elif event[0] == "data":
                    await self._data(event[1])  # type: ignore[arg-type]
                else:
                    if event[1] in HOSTILE_ENDS:
                        self._note(refusals.SessionRefused(str(event[1])))
                    await self.end(str(event[1]))
            except Refusal as refusal:
                self._note(refusal)
                await self._close(refusal.name)
            except OSError as error:
                self.hub.report("bay", f"{self.bay.name}: {type(error).__name__}: {error}"[:200])
                await self._close("the broker is not there")

    async def _up(self, pattern: str, static: bytes, payload: bytes, handshake_hash: bytes) -> None:
        await self.end("a new session")
        if pattern == "XX":
            window = self.hub.enrolment.window_of(self.bay.enrol_name)
            if window is None:
                raise refusals.DeviceUnknown("the enrolment window was shut")
            self.enrol, self.enrolment = self._offer, window.id
            self.bay.state = "enrolling"
            self.enrol.start(handshake_hash, payload, static)
            self._enrol_events()
            return
        device = self.hub.wing.device_by_static(static)
        if device is None:
            raise refusals.DeviceUnknown(f"key {static.hex()[:16]}")
        self.bay.take_close_reason()
        ticket = self.stack.session.ticket if self.stack.session is not None else b""
        await self.hub.dock(self.bay, device, ticket, pattern == RESUME)
        self.device = self.bay.device = device
        self.bay.state = "docked"
        self.filter = BayFilter(self.hub.wing.wing, device.id, self.hub.bay_account)
        reader, self._writer = await asyncio.wait_for(self.hub.open_broker(), DOCK_BROKER_WAIT_S)
        self._reader = asyncio.create_task(self._from_broker(reader, self.filter), name=f"{self.bay.name} down")

    async def _data(self, data: bytes) -> None:
        if self.enrol is not None:
            self.enrol.receive(data)
            self._enrol_events()
        elif self.filter is not None and self._writer is not None:
            passed = self.filter.from_device(data, monotonic_ms())
            if passed:
                self._writer.write(passed)
                await self._writer.drain()

    # docking: down

    async def _from_broker(self, reader: asyncio.StreamReader, passing: BayFilter) -> None:
        """Broker -> filter -> what waits for the session; stops reading while the device does not keep up."""
        try:
            while data := await reader.read(16384):
                self._down += passing.from_broker(data)
                self.wake.set()
                while len(self._down) > DOCK_BUFFER_BYTES_MAX:
                    self._room.clear()
                    await self._room.wait()
            self._broker_end = "the broker closed"
        except Refusal as refusal:
            self._note(refusal)
            self._broker_end = refusal.name
        except OSError as error:
            self._broker_end = f"the broker is gone: {error}"
        self.wake.set()

    def _push_down(self) -> None:
        while self._down:
            taken = self.stack.write(bytes(self._down[:4096]))
            if not taken:
                return
            del self._down[:taken]
            self._room.set()

    # enrolment

    def _enrol_events(self) -> None:
        assert self.enrol is not None
        while (event := self.enrol.next_event()) is not None:
            if event[0] == "digits":
                self.enrol_digits = event[1]
            elif event[0] == "request":
                self.hub.enrolment.offer(self.enrolment, self.enrol_digits, event[1])
            elif event[0] == "done":
                self.hub.enrolment.done(self.enrolment)
        self._enrol_flush()

    def _enrol_step(self, now: int) -> None:
        """Ask the store what staff decided, now and then."""
        assert self.enrol is not None
        self._enrol_flush()
        if now < self._enrol_poll_at or self.enrol.closed:
            return
        self._enrol_poll_at = now + ENROL_POLL_MS
        outcome = self.hub.enrolment.outcome(self.enrolment)
        if outcome.refusal is not None:
            self.enrol.refuse(outcome.refusal)
        elif outcome.certificate is not None and self.enrol.request is not None and not self._granted:
            self._granted = True
            self.enrol.grant(outcome.certificate, list(outcome.rosters))
        self._enrol_flush()

    _granted = False

    def _enrol_flush(self) -> None:
        if self.enrol is None:
            return
        self._down += self.enrol.to_send()
        self._push_down()

    # the end of whatever was on

    async def end(self, reason: str) -> None:
        """Take the docking or the enrolment apart; nothing happens when there is none."""
        if self.device is not None:
            self._note_wire(monotonic_ms(), closing=True)
        if self.enrol is not None:
            enrol, self.enrol = self.enrol, None
            self._granted = False
            self.hub.enrolment.lost(self.enrolment)
            self.hub.report("enrolment", f"{self.bay.name}: ended: {reason}" if not enrol.closed else
                            f"{self.bay.name}: over")  # fmt: skip
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._down.clear()
        self._room.set()
        self.filter = None
        if self.device is not None:
            device, self.device = self.device, None
            self.bay.device = None
            self.bay.counters = dict(self.stack.link.counters)
            await self.hub.lift(self.bay, device)
            self.hub.report("lifted", f"{self.bay.name}: {device.id.hex()} {device.learner}: {reason}"[:200])
        self.bay.state = "waiting"


__all__ = ["TCP_IDLE_S_MAX", "Bay", "Hub", "Visit", "monotonic_ms"]
