"""What the unix port of MicroPython gives small_device.py: a clock, one wire and one file, by their descriptors."""

import select
import time

_files: dict = {}


def _of(fd: int) -> tuple:
    if fd not in _files:
        file = open(fd, "r+b", 0) if hasattr(time, "monotonic") else open(fd, "r+b")
        poll = select.poll()
        poll.register(file, select.POLLIN)
        _files[fd] = (file, poll)
    return _files[fd]


def now() -> int:
    """Milliseconds that only grow."""
    return time.ticks_ms()


def read(fd: int, count: int, wait_ms: int) -> bytes:
    """Some bytes of the wire, at most `count`; none when none came within wait_ms."""
    file, poll = _of(fd)
    return (file.read(count) or b"") if poll.poll(wait_ms) else b""


def write(fd: int, data: bytes) -> None:
    """All of them; the wire's descriptor does not block, and its buffer may be full."""
    file, _ = _of(fd)
    view = memoryview(data)
    while len(view):
        view = view[file.write(view) or 0 :]


def put(fd: int, offset: int, data: bytes) -> None:
    file, _ = _of(fd)
    file.seek(offset)
    file.write(data)


def get(fd: int, offset: int, count: int) -> bytes:
    file, _ = _of(fd)
    file.seek(offset)
    return file.read(count)
