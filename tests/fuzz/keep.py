"""Fuzzing: which inputs are worth keeping, and how small they can be.

An input's worth is the set of edges (line to line, in the code under test) that it alone runs among those kept. The
richest inputs are taken first; what is kept is cut down as long as it still runs its edges.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.registry import Function

ROOT = Path(__file__).resolve().parents[2]
ROOMS = tuple(str(ROOT / room) + "/" for room in ("protocol", "hub_daemon"))
CUTS_MAX = 300  # tries to make one input smaller

Edge = tuple[CodeType, int, int]


def edges(function: Function, data: bytes) -> frozenset[Edge]:
    """The edges of our own code that this input runs, until the end or the first exception."""
    found: set[Edge] = set()

    def enter(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(ROOMS):
            return None
        last = 0

        def line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                found.add((frame.f_code, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        function(data)
    finally:
        sys.settrace(before)
    return frozenset(found)


def smaller(data: bytes, good: Callable[[bytes], bool], tries: int = CUTS_MAX) -> bytes:
    """`data` with as much left out as `good` allows, and what is left as plain as it can be."""
    size = len(data) // 2
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            tries -= 1
            shorter = data[:at] + data[at + size :]
            if good(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def keep(function: Function, kept: Iterable[bytes], fresh: Iterable[bytes], most: int, bytes_max: int) -> list[bytes]:
    """What is kept already, then what runs edges that are new, the richest first, cut down: at most `most` inputs.

    Of at most `bytes_max` bytes each.
    """
    out = sorted(set(kept), key=len)
    known: set[Edge] = set()
    for data in out:
        known |= edges(function, data)
    ran = {data: edges(function, data) for data in sorted(set(fresh), key=len) if len(data) <= 2 * bytes_max}
    while len(out) < most and ran:
        best = max(ran, key=lambda data: (len(ran[data] - known), -len(data)))
        new = ran.pop(best) - known
        if not new:
            break
        less = smaller(best, lambda part, new=new: new <= edges(function, part))  # type: ignore[misc]
        if len(less) <= bytes_max:
            out.append(less)
            known |= edges(function, less)
    return out
