"""Everything that happens -> here -> digest, report, explanation: the one account of a run.

An entry is (when, what, who, fields). The digest is SHA-256 over all of them as canonical JSON, so that two runs are
the same when, and only when, their digests are. The semantic digest leaves out when things happened and what only the
wire saw: it is the same where devices run in another process or at another speed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

Scalar = int | float | str | bool | None

# what a learner, a member of staff or headquarters could tell from what happened, each in its actor's own order
SEMANTIC = (
    "saved", "seat", "settled", "lift", "give_up", "arrived", "shown", "returned", "removed", "custody", "approve",
    "return", "reject", "recall", "delivered", "read",
)  # fmt: skip


class Entry(NamedTuple):
    """`kind` is one word; `who` a learner, "hub", a bay or a member of staff; fields are plain values."""

    at_ms: int
    kind: str
    who: str
    fields: Mapping[str, Scalar]

    def line(self) -> str:
        return json.dumps([self.at_ms, self.kind, self.who, self.fields], sort_keys=True, separators=(",", ":"))


class Trace:
    """`entries` is everything so far; `listeners` are told of each entry as it comes."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.entries: list[Entry] = []
        self.listeners: list[Callable[[Entry], None]] = []
        self._clock = clock
        self._hash = hashlib.sha256()

    def add(self, kind: str, who: str, /, **fields: Scalar) -> None:
        entry = Entry(self._clock(), kind, who, fields)
        self.entries.append(entry)
        self._hash.update(entry.line().encode() + b"\n")
        for listener in self.listeners:
            listener(entry)

    def digest(self) -> str:
        """Hex of SHA-256 over every entry so far."""
        return self._hash.hexdigest()

    def semantic_digest(self) -> str:
        """Hex of SHA-256 over what each actor saw, in that actor's order, without times."""
        seen: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.kind in SEMANTIC:
                line = json.dumps([entry.kind, entry.fields], sort_keys=True, separators=(",", ":"))
                seen.setdefault(entry.who, []).append(line)
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()

    def lines(self) -> list[str]:
        return [entry.line() for entry in self.entries]
