"""At the edge of the device: its wires on MicroPython's unix port.

`fd:N` is a file descriptor that the parent made raw and non-blocking. A path is made raw with
stty, with reads that return what is there (MicroPython has neither termios nor O_NONBLOCK).
`tcp:HOST:PORT` is the same stack over Ethernet; finding the hub by name is `perch device`'s.
"""

import asyncio
import os

from firmware.limits import SERIAL_BAUD
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


_given: "dict[str, Any]" = {}  # the streams of fd:N, for as long as the process runs


class StreamPort:
    """A wire as asyncio's own stream over anything that polls."""

    def __init__(self, stream: "Any", owned: bool = True) -> None:
        self._stream = stream
        self._owned = owned  # a descriptor that the parent gave cannot be opened again
        self._reader: "Any" = asyncio.StreamReader(stream)
        self._writer: "Any" = self._reader if hasattr(self._reader, "drain") else asyncio.StreamWriter(stream, {})  # type: ignore[call-arg,arg-type]

    async def read(self, count: int) -> bytes:
        data: bytes = await self._reader.read(count)
        return data

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        if self._owned:
            self._stream.close()


async def open_port(name: str) -> StreamPort:
    """The wire called `name`; OSError when it cannot be opened."""
    if name.startswith("fd:"):
        if name not in _given:
            _given[name] = open(int(name[3:]), "r+b")
        return StreamPort(_given[name], owned=False)
    if name.startswith("tcp:"):
        return StreamPort(_connect(name[4:]))
    if "'" in name:
        raise OSError("a port's path may not hold a quote")
    speed = " " + str(SERIAL_BAUD) if name.startswith("/dev/tty") else ""
    if os.system("stty -F '" + name + "' raw -echo min 0 time 0" + speed) != 0:
        raise OSError("stty could not set up " + name)
    return StreamPort(open(name, "r+b"))


def _connect(place: str) -> "Any":
    import socket

    cut = place.rfind(":")
    if cut <= 0:
        raise OSError("tcp: needs HOST:PORT here")
    address = socket.getaddrinfo(place[:cut], int(place[cut + 1 :]))[0][-1]
    wire = socket.socket()
    wire.connect(address)
    wire.setblocking(False)
    return wire
