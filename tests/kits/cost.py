"""What a call costs, the same on every machine: instructions of Python's own code, and bytes at the worst moment."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(function: Callable[[], object]) -> int:
    """Bytecode instructions that the call runs, in every function it calls. What C does in one of them is one."""
    count = 0

    def each(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        nonlocal count
        if event == "opcode":
            count += 1
        else:
            frame.f_trace_lines = False
            frame.f_trace_opcodes = True
        return each

    before = sys.gettrace()
    sys.settrace(each)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def peak(function: Callable[[], object]) -> int:
    """Bytes that the call holds at the worst moment beyond what was held before."""
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        function()
        return tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()


def growth(function: Callable[[bytes], object], inputs: list[bytes]) -> list[float]:
    """Steps a byte of each input; the call on a first, empty input is left out of all of them."""
    idle = steps(lambda: function(b""))
    return [(steps(lambda data=data: function(data)) - idle) / len(data) for data in inputs]  # type: ignore[misc]
