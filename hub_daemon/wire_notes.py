"""Beside a bay: what the link dropped by itself, as a line of the log now and then.

The link drops a damaged frame without a word, because a wire is never clean; a wire that is bad, or somebody who plays
with it, must still be seen. The names are those of hub_daemon.refusals; the counts are since the line before.
"""

from __future__ import annotations

from hub_daemon.limits import WIRE_NOTE_FIRST_S, WIRE_NOTE_S
from hub_daemon.refusals import FrameDamaged, FrameRefused
from protocol.errors import Refusal

# Why a session ended that no honest peer gives cause for (protocol.session, protocol.link); the others are a device
# that went, came anew or fell silent, or ends of our own.
HOSTILE_ENDS = frozenset(
    {
        "unknown handshake pattern",
        "handshake refused",
        "payload in the clear",
        "peer's keys are refused",
        "record of an impossible length",
        "record does not belong to this session",
        "peer breaks the protocol",
    }
)


class WireNotes:
    """`look(counters, now_ms)` gives the refusals that are due to be said; call it as often as you like."""

    def __init__(self) -> None:
        self._told = {"damaged": 0, "refused": 0}
        self._due_ms: dict[str, int] = {}
        self._last_ms: dict[str, int] = {}

    def look(self, counters: dict[str, int], now_ms: int, closing: bool = False) -> list[Refusal]:
        """What was dropped since it was last said, if it is time to say it or the docking is `closing`."""
        said: list[Refusal] = []
        if damaged := self._fresh("damaged", counters, now_ms, closing):
            said.append(FrameDamaged(f"{damaged} frames failed their checksum"))
        if refused := self._fresh("refused", counters, now_ms, closing):
            said.append(FrameRefused(f"{refused} frames are nothing that a peer says just then"))
        return said

    def next_due_ms(self) -> int | None:
        """When `look` will have something to say; None while nothing waits."""
        return min(self._due_ms.values(), default=None)

    def _fresh(self, name: str, counters: dict[str, int], now_ms: int, closing: bool) -> int:
        fresh = counters[name] - self._told[name]
        if not fresh:
            return 0
        due_ms = now_ms + WIRE_NOTE_FIRST_S * 1000
        if name in self._last_ms:
            due_ms = max(due_ms, self._last_ms[name] + WIRE_NOTE_S * 1000)
        if now_ms < self._due_ms.setdefault(name, due_ms) and not closing:
            return 0
        del self._due_ms[name]
        self._last_ms[name], self._told[name] = now_ms, counters[name]
        return fresh
