"""A firmware Dock whose calls take time, as on a board: half a second for a signature, and it hears nothing meanwhile.

Virtual time: what came while the device is in a call waits for it. `costs_ms` names functions of the crypto backend
and what each call of the device costs; the hub's cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from protocol import crypto

STEP_MS = 5
READ_BYTES = 1024
BURSTS_A_STEP = 4


class Meter:
    """Counts what calls of the backend would have taken."""

    def __init__(self, costs_ms: dict[str, int]) -> None:
        self.costs_ms = costs_ms
        self.spent_ms = 0

    @contextmanager
    def applied(self) -> Iterator[Meter]:
        backend = crypto.default()
        with pytest.MonkeyPatch.context() as patch:
            for name, cost_ms in self.costs_ms.items():
                patch.setattr(backend, name, self._charged(getattr(backend, name), cost_ms))
            yield self

    def _charged(self, call: Callable[..., Any], cost_ms: int) -> Callable[..., Any]:
        def charged(*arguments: Any) -> Any:
            self.spent_ms += cost_ms
            return call(*arguments)

        return charged


class Slow:
    """The device's end: as a dock, but while a call lasts nothing is heard, and what it gives comes when it is over."""

    def __init__(self, dock: Any, meter: Meter) -> None:
        self.dock = dock
        self.longest_ms = 0  # that it was away at a time
        self._meter = meter
        self._coming = bytearray()
        self._going = b""
        self._free_at = 0

    def receive(self, data: bytes, now: int) -> None:
        self._coming += data

    def turn(self, now: int) -> bytes:
        """What the runner does when it is free: read, tick, send. Returns what goes onto the wire at this moment."""
        if now < self._free_at:
            return b""
        sent, self._going = self._going, b""
        piece = bytes(self._coming[:READ_BYTES])
        del self._coming[:READ_BYTES]
        self._meter.spent_ms = 0
        if piece:
            self.dock.receive(piece, now)
        self.dock.tick(now + self._meter.spent_ms)
        self._going = self.dock.to_send(now + self._meter.spent_ms)
        self._free_at = now + self._meter.spent_ms
        self.longest_ms = max(self.longest_ms, self._meter.spent_ms)
        return sent


def run(slow: Slow, hub: Any, until: Callable[[], bool], now: int, limit_ms: int) -> int:
    """Both ends on a perfect wire until `until()`; returns the time. AssertionError when it is not reached."""
    end = now + limit_ms
    while now < end:
        up = slow.turn(now)
        if up:
            hub.receive(up, now)
        hub.tick(now)
        for _ in range(BURSTS_A_STEP):
            slow.receive(hub.to_send(now), now)
        if until():
            return now
        now += STEP_MS
    raise AssertionError(f"not reached in {limit_ms} ms; the last docking ended by {slow.dock.refused!r}")
