"""Port and broker socket -> here -> bay_core: the asyncio edge of one bay.

Everything that a bay decides is decided in hub_daemon/bay_core.py. Here bytes go in and out, and what takes its time
is awaited: the exchange, the broker, the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import Protocol

from hub_daemon.bay_core import WAITING, BayCore, BayRooms
from hub_daemon.broker import Account
from hub_daemon.limits import BAY_SLEEP_MS_MAX, BROKER_READ_BYTES_MAX, DOCK_BROKER_WAIT_S
from hub_daemon.wire_port import WireClosed, WirePort
from protocol.errors import Refusal
from protocol.records.roster import Device


class Hub(BayRooms, Protocol):
    """What a bay needs of the daemon."""

    async def dock(self, bay: Bay, device: Device, ticket: bytes, resumed: bool) -> None:
        """Make this bay the device's only docking and keep its next ticket; raises a Refusal or OSError."""
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
    """One dock. `state` is "waiting", "enrolling" or "docked"; `device` is who is docked.

    What the staff page reads is the core's; the core of the last port stays until the next one is opened.
    """

    def __init__(self, name: str, hub: Hub, enrol_name: str = "") -> None:
        self.name = name
        self.enrol_name = enrol_name or name
        self.hub = hub
        self.port_open = False
        self._core: BayCore | None = None
        self._wake = asyncio.Event()
        self._room = asyncio.Event()  # the device keeps up: the broker is read on
        self._close_reason = ""
        self._known = False  # the hub knows of the docking
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def state(self) -> str:
        return WAITING if self._core is None else self._core.state

    @property
    def device(self) -> Device | None:
        return None if self._core is None else self._core.device

    @property
    def last_refusal(self) -> str:
        return "" if self._core is None else self._core.last_refusal

    @property
    def counters(self) -> dict[str, int]:
        return {} if self._core is None else self._core.counters

    def close_docking(self, reason: str) -> None:
        """End the docking that is on (from the event loop's thread): another bay has the device, or it was refused."""
        self._close_reason = reason
        self._wake.set()

    async def run(self, descriptor: int, idle_s_max: int = 0) -> None:
        """Serve the wire at `descriptor` until it closes; raises WireClosed then.

        With `idle_s_max`, a wire on which no session stands for so long is closed (TCP).
        """
        core = BayCore(self.name, self.hub, os.urandom, self.enrol_name, monotonic_ms())
        core.last_refusal, core.counters = self.last_refusal, self.counters
        self._core = core
        port = WirePort(descriptor, self._wake)
        self.port_open = True
        try:
            await self._serve(core, port, idle_s_max * 1000)
        finally:
            port.close()
            self.port_open = False
            with contextlib.suppress(Exception):
                core.end("the port closed", monotonic_ms())
            with contextlib.suppress(Exception):
                await self._settle(core)

    async def _serve(self, core: BayCore, port: WirePort, idle_ms_max: int) -> None:
        last_up = monotonic_ms()
        while True:
            if data := port.take():
                core.receive(data, monotonic_ms())
            core.tick(monotonic_ms())
            await self._settle(core)
            if self._close_reason:
                core.close(self._close_reason, monotonic_ms())
                self._close_reason = ""
                await self._settle(core)
            while port.idle and (data := core.to_send(monotonic_ms())):
                port.write(data)
            if core.down_room():
                self._room.set()
            if port.closed:
                raise WireClosed(port.closed)
            now = monotonic_ms()
            if core.stack.up:
                last_up = now
            elif idle_ms_max and now - last_up > idle_ms_max:
                raise WireClosed("nobody came up")
            await self._sleep(core, now)

    async def _sleep(self, core: BayCore, now: int) -> None:
        deadline = core.next_deadline()
        wait_ms = BAY_SLEEP_MS_MAX if deadline is None else min(BAY_SLEEP_MS_MAX, deadline - now)
        try:
            await asyncio.wait_for(self._wake.wait(), max(1, wait_ms) / 1000)
        except TimeoutError:
            return
        self._wake.clear()

    # what the core asks for

    async def _settle(self, core: BayCore) -> None:
        """Do everything that the core asks for, in its order."""
        while True:
            await self._pass_up(core)
            event = core.next_event()
            if event is None:
                return
            if event[0] == "dock":
                await self._dock(core, event[1], event[2], event[3])
            else:
                await self._lift(event[1], event[2])

    async def _dock(self, core: BayCore, device: Device, ticket: bytes, resumed: bool) -> None:
        self._close_reason = ""  # it was for the docking before
        try:
            await self.hub.dock(self, device, ticket, resumed)
            self._known = True
            reader, self._writer = await asyncio.wait_for(self.hub.open_broker(), DOCK_BROKER_WAIT_S)
        except Refusal as refusal:
            core.refuse(refusal, monotonic_ms())
        except OSError as error:
            self._report(error)
            core.close("the broker is not there", monotonic_ms())
        else:
            self._room.set()
            self._reader = asyncio.create_task(self._read_broker(core, reader), name=f"{self.name} down")
            core.open_docking(self.hub.bay_account, monotonic_ms())

    async def _lift(self, device: Device, reason: str) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        known, self._known = self._known, False
        await self.hub.lift(self, device)
        self._close_reason = ""  # whatever was asked for until here is done
        if known:
            self.hub.report("lifted", f"{self.name}: {device.id.hex()} {device.learner}: {reason}"[:200])

    def _report(self, error: OSError) -> None:
        self.hub.report("bay", f"{self.name}: {type(error).__name__}: {error}"[:200])

    # the broker

    async def _pass_up(self, core: BayCore) -> None:
        passed = core.to_broker()
        if not passed or self._writer is None:
            return
        try:
            self._writer.write(passed)
            await self._writer.drain()
        except OSError as error:
            self._report(error)
            core.broker_ended("the broker is not there", monotonic_ms())

    async def _read_broker(self, core: BayCore, reader: asyncio.StreamReader) -> None:
        """Broker -> core, until the docking ends; stops reading while the device does not keep up."""
        try:
            while data := await reader.read(BROKER_READ_BYTES_MAX):
                core.from_broker(data, monotonic_ms())
                self._wake.set()
                while not core.down_room():
                    self._room.clear()
                    await self._room.wait()
            reason = "the broker closed"
        except OSError as error:
            reason = f"the broker is gone: {error}"
        core.broker_ended(reason, monotonic_ms())
        self._wake.set()


__all__ = ["Bay", "Hub", "monotonic_ms"]
