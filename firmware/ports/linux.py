"""At the edge of the device: `perch device`, the same core on a Linux slate under CPython.

Ports: a serial device by path (pyserial), `fd:N`, `tcp:HOST:PORT`, or `tcp:` alone, which asks
zeroconf for a hub that announces `_perch._tcp.local.`. Finding a hub says nothing about it: the
session accepts only the hub whose key enrolment pinned.
"""

import argparse
import asyncio
import errno
import os
import socket
import sys
from typing import Any

from firmware.limits import SERIAL_BAUD

SERVICE = "_perch._tcp.local."
FIND_S = 5.0


class FdPort:
    """A wire behind a non-blocking file descriptor, which it owns unless told otherwise."""

    def __init__(self, fd: int, keep: Any = None, close: bool = True) -> None:
        self._fd = fd
        self._keep = keep  # the object that owns the descriptor
        self._close = close
        self._loop = asyncio.get_running_loop()

    async def _ready(self, add: Any, remove: Any) -> None:
        ready = self._loop.create_future()
        add(self._fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            remove(self._fd)

    async def read(self, count: int) -> bytes:
        while True:
            try:
                return os.read(self._fd, count)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError as error:
                if error.errno == errno.EIO:  # the other end of a pty is gone
                    return b""
                raise

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)

    def close(self) -> None:
        if self._keep is not None:
            self._keep.close()
        elif self._close:
            os.close(self._fd)


async def open_port(name: str) -> FdPort:
    """The wire called `name`; OSError says what is wrong with it."""
    if name.startswith("fd:"):
        fd = int(name[3:])
        os.set_blocking(fd, False)
        return FdPort(fd, close=False)
    if name.startswith("tcp:"):
        host, port = await asyncio.to_thread(find_hub) if name == "tcp:" else _split(name[4:])
        wire = await asyncio.to_thread(socket.create_connection, (host, port), FIND_S)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setblocking(False)
        return FdPort(wire.fileno(), keep=wire)
    return _serial(name)


def _serial(path: str) -> FdPort:
    import serial

    try:
        line = serial.Serial(path, SERIAL_BAUD, timeout=0, write_timeout=0, exclusive=True)
    except serial.SerialException as error:
        raise OSError(str(error)) from error
    os.set_blocking(line.fileno(), False)
    return FdPort(line.fileno(), keep=line)


def _split(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        raise OSError("tcp: needs HOST:PORT, or nothing to find a hub by itself")
    return host.strip("[]"), int(port)


def find_hub(wait_s: float = FIND_S, interfaces: "list[str] | None" = None) -> tuple[str, int]:
    """(host, port) of the first hub that zeroconf names; OSError when none answers within `wait_s`."""
    import threading

    from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

    found: list[tuple[str, int]] = []
    answered = threading.Event()

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            info = zc.get_service_info(type_, name, timeout=int(wait_s * 1000))
            if info is None or info.port is None:
                return
            for address in info.parsed_addresses():
                found.append((address, info.port))
            if found:
                answered.set()

        def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

    zeroconf = Zeroconf() if interfaces is None else Zeroconf(interfaces=interfaces)
    try:
        browser = ServiceBrowser(zeroconf, SERVICE, Listener())
        answered.wait(wait_s)
        browser.cancel()
    finally:
        zeroconf.close()
    if not found:
        raise OSError("no hub answered to " + SERVICE + " within " + str(int(wait_s)) + " s")
    return found[0]


def main(argv: "list[str] | None" = None) -> int:
    """The command `perch device`."""
    parser = argparse.ArgumentParser(prog="perch device", description="The device's software on a Linux slate.")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder where the device keeps everything")
    ports = "PATH of a serial port, fd:N, tcp:HOST:PORT, or tcp: to find a hub"
    parser.add_argument("--port", default="none", help=ports)
    parser.add_argument("--page", default="none", metavar="HOST:PORT", help="where the learner's page is served")
    parser.add_argument("--language", default="en", help="en or cy")
    given = parser.parse_args(argv)
    from firmware import main as runner

    arguments: list[str] = []
    for name in ("data", "port", "page", "language"):
        arguments += ["--" + name, getattr(given, name)]
    return runner.main(arguments, open_port)


if __name__ == "__main__":
    sys.exit(main())
