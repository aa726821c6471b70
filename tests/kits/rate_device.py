"""Runs inside MicroPython: the device's end of a link and a session whose rate is measured (sim/bench_device.py).

`main([wire, "down" or "up", bytes])`: takes so many bytes and answers with their SHA-256, or sends as many and waits
until they are acked. The link is a device's own.
"""

import gc
import hashlib

import edge

from protocol import crypto, noise
from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack

READ_BYTES = 2048
BLOCK = bytes(range(256)) * 4
KEY = bytes(range(1, 33))
HUB_KEY = bytes(range(101, 133))


class End:
    def __init__(self, wire: int, down: bool, size: int) -> None:
        self.wire = wire
        self.down = down
        self.left = size
        self.hasher = hashlib.sha256()
        self.answered = False
        hub = noise.public_of(HUB_KEY)
        link = Link.for_device(crypto.default().random(8))
        self.stack = Stack(link, lambda: Session(True, KEY, crypto.default().random, "IK", hub))

    def run(self) -> None:
        stack = self.stack
        while not self.done():
            now = edge.now()
            stack.tick(now)
            if not self.down:
                self.send()
            data = stack.to_send(now)
            if data:
                edge.write(self.wire, data)
            due = stack.next_deadline()
            data = edge.read(self.wire, READ_BYTES, 0 if data or due is None else max(0, min(due - now, 100)))
            if data:
                stack.receive(data, edge.now())
            event = stack.next_event()
            while event is not None:
                self.event(event)
                event = stack.next_event()

    def done(self) -> bool:
        return self.stack.up and not self.stack.unacked() and (self.answered or not (self.down or self.left))

    def send(self) -> None:
        while self.left:
            taken = self.stack.write(BLOCK if self.left >= len(BLOCK) else BLOCK[: self.left])
            if not taken:
                return
            self.left -= taken

    def event(self, event: tuple) -> None:
        if event[0] == "down":
            raise AssertionError(event[1])
        if event[0] != "data" or not self.down:
            return
        self.hasher.update(event[1])
        self.left -= len(event[1])
        if not self.left:
            self.stack.write(self.hasher.digest())
            self.answered = True


def main(argv: "list[str]") -> int:
    gc.threshold(16384)  # type: ignore[attr-defined]
    End(int(argv[0]), argv[1] == "down", int(argv[2])).run()
    return 0
