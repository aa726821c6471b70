"""The runner of a device: one port, one page, one clock, around the state machines; the same on both interpreters.

    --data DIR             where everything is kept
    --port fd:N | PATH | tcp:HOST:PORT | none
    --page HOST:PORT | none
    --language en

MicroPython starts it through run.py (firmware/build.py); `perch device` (firmware/ports/linux.py)
starts it under CPython with ports of its own.
"""

import asyncio
import gc
import sys
import time

from firmware import limits
from firmware.device import Device
from firmware.dock import Dock
from firmware.ports.posix import PosixStorage
from protocol import crypto
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    class Port(Protocol):
        """A wire: `read` gives some bytes, or none when nothing is there any more; `write` takes all."""

        async def read(self, count: int) -> bytes: ...
        async def write(self, data: bytes) -> None: ...
        def close(self) -> None: ...

    OpenPort = Callable[[str], Awaitable[Port]]

EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0  # some boards count from 2000
HEAP_THRESHOLD_BYTES = 6 * 1024  # collect early: garbage that piles up leaves what lives long scattered over the heap
REOPEN_S = 1


def clock_s() -> int:
    """Unix seconds of this device; they decide nothing."""
    return int(time.time()) + EPOCH_S


class Milliseconds:
    """A time that only grows, from whatever this interpreter has."""

    def __init__(self) -> None:
        self._ticks: "Any" = getattr(time, "ticks_ms", None)
        self._last = self._ticks() if self._ticks else 0
        self._now = 0

    def __call__(self) -> int:
        if not self._ticks:
            return time.monotonic_ns() // 1_000_000
        ticks = self._ticks()
        self._now += time.ticks_diff(ticks, self._last)  # type: ignore[attr-defined]
        self._last = ticks
        return self._now


class Runner:
    """Moves bytes between one port and the dock, and wakes the dock when one of its deadlines comes."""

    def __init__(self, device: Device, open_port: "OpenPort", port_name: str) -> None:
        self.device = device
        self._open_port = open_port
        self._port_name = port_name
        self._now = Milliseconds()
        self._wake = asyncio.Event()
        self.dock = Dock(device, device.random)

    async def run(self) -> None:
        """For ever: open the port, use it, and open it again when it goes away."""
        while True:
            try:
                port = await self._open_port(self._port_name)
            except OSError as error:
                print("port " + self._port_name + ": " + str(error) + "; trying again")
                await asyncio.sleep(REOPEN_S)
                continue
            reader = asyncio.create_task(self._read(port))
            try:
                await self._pump(port)
            except OSError as error:
                print("port " + self._port_name + ": " + str(error) + "; opening it again")
            except Exception as error:  # a full card, a fault of ours: the docking ends visibly, the device goes on
                self._report(error)
            finally:
                reader.cancel()
                port.close()
            self.dock.restart()
            gc.collect()
            await asyncio.sleep(REOPEN_S)

    async def _read(self, port: "Port") -> None:
        while True:
            try:
                data = await port.read(limits.READ_BYTES_MAX)
            except OSError:
                data = b""
            if not data:
                break
            try:
                self.dock.receive(data, self._now())
            except Exception as error:
                self._report(error)
                break
            self._wake.set()
        self._gone = True
        self._wake.set()

    def _report(self, error: Exception) -> None:
        print("docking ended by " + type(error).__name__ + ": " + str(error))
        if hasattr(sys, "print_exception"):
            sys.print_exception(error)

    async def _pump(self, port: "Port") -> None:
        self._gone = False
        while not self._gone:
            now = self._now()
            self.dock.tick(now)
            out = self.dock.to_send(now)
            if out:
                await port.write(out)
                await asyncio.sleep(0)  # the page and the reader have their turn between two bursts
                continue
            deadline = self.dock.next_deadline()
            wait_ms = limits.TICK_MS_MAX
            if deadline is not None:
                wait_ms = max(0, min(wait_ms, deadline - now))
            await self._sleep(wait_ms)
        raise OSError("the wire was closed")

    async def _sleep(self, wait_ms: int) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), wait_ms / 1000)
        except asyncio.TimeoutError:
            pass
        self._wake.clear()


def parse(argv: "list[str]") -> "dict[str, str]":
    """The arguments as a dict; ValueError says which one is wrong and what to do."""
    given = {"data": "", "port": "none", "page": "none", "language": "en"}
    rest = list(argv)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--") or name[2:] not in given:
            raise ValueError("unknown argument " + name + "; known are --data --port --page --language")
        if not rest:
            raise ValueError(name + " needs a value")
        given[name[2:]] = rest.pop(0)
    if not given["data"]:
        raise ValueError("--data DIR is needed: the folder where the device keeps everything")
    return given


async def serve(device: Device, page: str) -> None:
    """The learner's page on HOST:PORT, for ever."""
    from firmware.page.app import make_app
    from firmware.page.line import one_at_a_time

    cut = page.rfind(":")
    app = one_at_a_time(make_app(device))
    print("page on http://" + page)
    await app.start_server(host=page[:cut] or "127.0.0.1", port=int(page[cut + 1 :]))


async def run(given: "dict[str, str]", open_port: "OpenPort") -> None:
    """Everything at once; returns only when the page or the port cannot work at all."""
    device = Device(PosixStorage(given["data"]), crypto.default().random, clock_s, given["language"])
    tasks = []
    if given["port"] != "none":
        tasks.append(asyncio.create_task(Runner(device, open_port, given["port"]).run()))
    if given["page"] != "none":
        tasks.append(asyncio.create_task(serve(device, given["page"])))
    print("device " + device.status()["device"] + " " + device.status()["state"])
    await asyncio.gather(*tasks)


def main(argv: "list[str]", open_port: "OpenPort | None" = None) -> int:
    """Exit code 0 after an interrupt, 1 when the device cannot start, 2 for wrong arguments."""
    try:
        given = parse(argv)
    except ValueError as error:
        print("device: " + str(error))
        return 2
    if hasattr(gc, "threshold"):
        gc.threshold(HEAP_THRESHOLD_BYTES)
    if open_port is None:
        from firmware.ports import micropython_unix

        open_port = micropython_unix.open_port
    try:
        asyncio.run(run(given, open_port))
    except KeyboardInterrupt:
        return 0
    except (OSError, Refusal) as error:
        print("device: cannot go on with " + given["data"] + ": " + type(error).__name__ + ": " + str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
