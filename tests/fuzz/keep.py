"""Fuzzing: which inputs are worth keeping, and how small they can be.

An input's worth is the set of edges (line to line, in the code under test) that it alone runs among those kept. The
smallest inputs are asked first; what is kept is cut down as long as it still runs its edges.
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
    """At most `most` inputs of at most `bytes_max` bytes: what is kept already, then what runs edges that are new."""
    out: list[bytes] = []
    known: set[Edge] = set()
    for data in sorted(set(kept), key=len):
        ran = edges(function, data)
        out.append(data)
        known |= ran
    for data in sorted(set(fresh), key=len):
        if len(out) >= most or len(data) > 8 * bytes_max:
            break
        new = edges(function, data) - known
        if not new:
            continue
        data = smaller(data, lambda less, new=new: new <= edges(function, less))  # type: ignore[misc]
        if len(data) <= bytes_max:
            out.append(data)
            known |= new
    return out
