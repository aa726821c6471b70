"""The rate of link and session between a hub in CPython and a device in MicroPython with a heap of 256 KiB, at 3 Mbaud.

The clock runs from the moment the hub's session is up to the answer of the other end: to the SHA-256 of everything that
went down, or to the last byte of what came up. The wire is a pty with a bit clock, in a process of its own.
"""

import hashlib
import importlib
import os
import select
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from firmware import build
from protocol import crypto
from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack
from sim.pty_wire import PtyWire

KITS = Path(__file__).resolve().parent.parent / "tests" / "kits"
BAUD = 3_000_000
HEAP_KIB = 256
LEAST = 0.9
WAIT_S = 120
READ_BYTES = 65536
BLOCK = bytes(range(256)) * 4
HUB_KEY = bytes(range(101, 133))  # as in tests/kits/rate_device.py


def rows(quick: bool) -> list[dict[str, Any]]:
    size, runs = (1 << 18, 1) if quick else (1 << 20, 3)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        build_device(Path(folder))
        for direction in ("down", "up"):
            share = statistics.median(share_of(Path(folder), direction, size) for _ in range(runs))
            found.append({"what": "CPython hub, MicroPython", "direction": direction, "baud": BAUD, "bytes": size,
                          "runs": runs, "share": round(share, 4), "limit": LEAST, "holds": share >= LEAST})  # fmt: skip
    return found


def build_device(folder: Path) -> None:
    """The device's program and its ROM image."""
    edge = build.compile_all({"edge.py": (KITS / "edge.py").read_text(encoding="utf-8")}, "x64")
    files = {"device.mpy": build.build_flat(KITS / "rate_device.py", "x64"), **edge}
    build.write_program(folder, files, "device", "x64")


def share_of(program: Path, direction: str, size: int) -> float:
    """Share of the line rate of one run, the device started anew; raises TimeoutError or RuntimeError."""
    interpreter = importlib.import_module("tests.kits.micropython").interpreter()
    with PtyWire(BAUD, process=True) as wire:
        port = wire.b_fd
        device = subprocess.Popen(
            [interpreter, "-X", f"heapsize={HEAP_KIB}k", str(program / "run.py"), str(port), direction, str(size)],
            env={**os.environ, "MICROPYPATH": str(program)}, pass_fds=(port,),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            seconds = Hub(wire.a_fd, direction == "down", size).run(lambda: device.poll() is None)
        except DeviceEnded:
            raise RuntimeError("the device ended: " + device.communicate()[0][-500:]) from None
        finally:
            device.kill()
            device.wait()
    return size / seconds / (BAUD / 10)


class DeviceEnded(Exception):
    """Before the run was over."""


class Hub:
    """The hub's end: `run` gives the seconds from the session to the end of the transfer."""

    def __init__(self, port: int, down: bool, size: int) -> None:
        self._port = port
        self._down = down
        self._size = size
        self._left = size
        self._hasher = hashlib.sha256()
        self._began = self._ended = 0.0
        random = crypto.default().random
        self._stack = Stack(Link(os.urandom(8)), lambda: Session(False, HUB_KEY, random, accept=lambda *_: True))

    def run(self, going: Any) -> float:
        start = time.monotonic()
        waiting = b""
        while not self._ended:
            clock = time.monotonic()
            now = int((clock - start) * 1000)
            if now > WAIT_S * 1000:
                raise TimeoutError("not done in time")
            self._stack.tick(now)
            self._write()
            waiting = waiting or self._stack.to_send(now)
            due = self._stack.next_deadline()
            wait_s = 0.1 if due is None else min(0.1, max(0, due - now) / 1000)
            readable, writable, _ = select.select([self._port], [self._port] if waiting else [], [], wait_s)
            if writable:
                waiting = waiting[os.write(self._port, waiting) :]
            if readable:
                self._stack.receive(os.read(self._port, READ_BYTES), int((time.monotonic() - start) * 1000))
                self._events()
            elif not writable and not going():
                raise DeviceEnded
        return self._ended - self._began

    def _write(self) -> None:
        while self._down and self._began and self._left:
            taken = self._stack.write(BLOCK[: self._left])
            if not taken:
                return
            self._hasher.update(BLOCK[:taken])
            self._left -= taken

    def _events(self) -> None:
        event = self._stack.next_event()
        while event is not None:
            if event[0] == "up":
                self._began = time.monotonic()
            elif event[0] == "down":
                raise RuntimeError(f"the session ended: {event[1]!r}")
            else:
                self._take(event[-1])
            event = self._stack.next_event()

    def _take(self, data: Any) -> None:
        if self._down:
            if data != self._hasher.digest() or self._left:
                raise RuntimeError("the device got other bytes")
            self._ended = time.monotonic()
            return
        self._hasher.update(data)
        self._left -= len(data)
        if not self._left:
            self._ended = time.monotonic()
            if self._hasher.digest() != hashlib.sha256(BLOCK * (self._size // len(BLOCK))).digest():
                raise RuntimeError("other bytes came than the device sent")
