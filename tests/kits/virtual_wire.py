"""Two ends on the simulated wire of sim/wire_line.py, in virtual time: rates and yanks without a clock, on any machine.

Each end's port is what a program has of a serial port: the driver's FIFO takes what there is room for, the rest waits.
With `queue_bytes` so much more waits in the kernel, as on a pty: an end is then that far ahead of its wire.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from protocol.link import Link
from sim.wire_damage import Damage
from sim.wire_line import Line


class VirtualWire:
    """`a` and `b` are Links or Stacks. Time is in ms and begins at 0; `run` moves it, a millisecond at a time."""

    def __init__(self, a: Any, b: Any, baud: int = 3_000_000, ber: float = 0.0, seed: int = 1,
                 latency_ms: float = 0.0, queue_bytes: int = 0) -> None:  # fmt: skip
        self.ends = (a, b)
        self._queue_bytes = queue_bytes
        self.now = 0
        self.lines = [
            Line(baud, latency_ms / 1000, Damage(seed + 1_000_003 * way, ber, 1, 0.0, 0.0)) for way in (0, 1)
        ]
        self._unsent = [b"", b""]
        self._gone = [False, False]  # this end's port has vanished

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Whether done() became true; it is called after every millisecond."""
        while self.now < until_ms:
            self.now += 1
            for which in (0, 1):
                self._move(which)
            if done():
                return True
        return False

    def _move(self, which: int) -> None:
        end, out, back, now = self.ends[which], self.lines[which], self.lines[1 - which], self.now
        while back.arrived and back.arrived[0][0] <= now / 1000:
            end.receive(back.arrived.popleft()[1], now)
        end.tick(now)
        while not self._gone[which] and len(self._unsent[which]) < self._queue_bytes:
            more = end.to_send(now)
            if not more:
                break
            self._unsent[which] += more
        while not self._gone[which] and out.room():
            if not self._unsent[which]:
                self._unsent[which] = end.to_send(now)
                if not self._unsent[which]:
                    out.seen_dry()
                    break
            room = out.room()
            out.put(self._unsent[which][:room], now / 1000)
            self._unsent[which] = self._unsent[which][room:]
        out.advance(now / 1000)

    def lift(self) -> None:
        """The wire is pulled, and no port notices."""
        for line in self.lines:
            line.up = False

    def seat(self) -> None:
        for line in self.lines:
            line.up = True

    def hang_up(self, which: int) -> None:
        """One end's port vanishes, with what its driver held; what had arrived has been read."""
        self._gone[which] = True
        self._unsent[which] = b""
        self.lines[which].lose_unsent()
        self.lines[1 - which].lose_arrived()
        self.lines[1 - which].there = False

    def come_back(self, which: int) -> None:
        self._gone[which] = False
        self.lines[1 - which].there = True
        self.ends[which].nudge(self.now)


def links(a: Link | None = None, b: Link | None = None) -> tuple[Link, Link]:
    return a or Link(b"end-a---"), b or Link(b"end-b---")


class Transfer:
    """`size` random bytes from one end to the other, compared as they come."""

    def __init__(self, source: Any, target: Any, size: int) -> None:
        self._source = source
        self._target = target
        self._block = os.urandom(1 << 16) * 2
        self.size = size
        self.sent = 0
        self.got = 0
        self.events: list[Any] = []

    def step(self) -> bool:
        """Hand on what there is; whether everything has come."""
        while self.sent < self.size and self._source.up:
            at = self.sent % (1 << 16)
            taken = self._source.write(self._block[at : at + min(4096, self.size - self.sent)])
            if not taken:
                break
            self.sent += taken
        for end in (self._source, self._target):
            while (event := end.next_event()) is not None:
                if event[0] != "data":
                    self.events.append(event[0])
                    continue
                data = event[1]
                at = self.got % (1 << 16)
                assert data == self._block[at : at + len(data)]
                self.got += len(data)
        return self.got == self.size
