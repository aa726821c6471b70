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
        self._due_ms: int | None = None
        self._last_ms: int | None = None

    def look(self, counters: dict[str, int], now_ms: int, closing: bool = False) -> list[Refusal]:
        """What was dropped since it was last said, if it is time to say it or the wire is `closing`."""
        fresh = {name: counters[name] - told for name, told in self._told.items()}
        if not any(fresh.values()):
            return []
        if self._due_ms is None:
            self._due_ms = now_ms + WIRE_NOTE_FIRST_S * 1000
            if self._last_ms is not None:
                self._due_ms = max(self._due_ms, self._last_ms + WIRE_NOTE_S * 1000)
        if now_ms < self._due_ms and not closing:
            return []
        self._due_ms, self._last_ms = None, now_ms
        self._told = {name: counters[name] for name in self._told}
        said: list[Refusal] = []
        if fresh["damaged"]:
            said.append(FrameDamaged(f"{fresh['damaged']} frames failed their checksum"))
        if fresh["refused"]:
            said.append(FrameRefused(f"{fresh['refused']} frames are nothing that a peer says just then"))
        return said
