"""The edge of a bay: a serial port or a TCP connection as a non-blocking file descriptor under asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator

import serial

from hub_daemon.limits import PORT_HELD_BYTES_MAX, PORT_READ_BYTES_MAX


class WireClosed(Exception):
    """The port is gone: unplugged, hung up, or closed by the other end."""


class WirePort:
    """Bytes in by `take`, bytes out by `write`; `wake` is set when something happened.

    At most PORT_HELD_BYTES_MAX wait for `take`; then the port itself is made to wait. `idle` is true when
    everything written has left: the next bytes should be taken from the link only then.
    """

    def __init__(self, descriptor: int, wake: asyncio.Event) -> None:
        self._descriptor = descriptor
        self._wake = wake
        self._held = bytearray()
        self._reading = True
        self._out = memoryview(b"")
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self.closed = ""
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._readable)

    @property
    def idle(self) -> bool:
        return not self._out

    def write(self, data: bytes) -> None:
        """Only when `idle`."""
        self._out = memoryview(data)
        self._writable()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, PORT_READ_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(errno.errorcode.get(error.errno or 0, "error"))
            return
        if not data:
            self._fail("closed")
            return
        self._held += data
        if len(self._held) >= PORT_HELD_BYTES_MAX:
            self._reading = False
            self._loop.remove_reader(self._descriptor)
        self._wake.set()

    def take(self) -> bytes:
        """What came since the last time."""
        data = bytes(self._held)
        self._held.clear()
        if not self._reading and not self.closed:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._readable)
        return data

    def _writable(self) -> None:
        try:
            while self._out:
                self._out = self._out[os.write(self._descriptor, self._out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(errno.errorcode.get(error.errno or 0, "error"))
            return
        if self._out and not self._writing:
            self._writing = True
            self._loop.add_writer(self._descriptor, self._writable)
        elif not self._out and self._writing:
            self._writing = False
            self._loop.remove_writer(self._descriptor)
            self._wake.set()

    def _fail(self, why: str) -> None:
        self.closed = self.closed or why
        self._detach()
        self._wake.set()

    def _detach(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._writing = False

    def close(self) -> None:
        self._detach()
        self.closed = self.closed or "closed"


@contextlib.contextmanager
def open_serial(path: str, baud: int) -> Iterator[int]:
    """A raw serial port, locked for us; gives its descriptor. Raises OSError when it cannot be opened."""
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
    except serial.SerialException as error:
        raise OSError(error.errno or errno.EIO, str(error)) from error
    try:
        yield port.fileno()
    finally:
        with contextlib.suppress(OSError):
            port.close()


def tcp_listener(host: str, port: int) -> socket.socket:
    """A listening socket for Ethernet docking."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
