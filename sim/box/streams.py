"""Seed -> here -> plan and world: every random number has a name, so that one more actor changes nobody else's days.

Runs on both interpreters: a device of its own process draws the same entropy as one in the same process.
"""

import hashlib

from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def stream(seed: str, actor: str, purpose: str) -> "random.Random":
    """The numbers of one actor for one purpose; CPython only (MicroPython's generator is another one)."""
    from random import Random

    return Random(f"{seed}/{actor}/{purpose}")


def entropy(seed: str, actor: str) -> "Callable[[int], bytes]":
    """What an actor takes for its keys: a function of a count of bytes, from SHA-256 over a counter."""
    start = hashlib.sha256(f"{seed}/{actor}/entropy".encode()).digest()
    blocks = [0]

    def draw(count: int) -> bytes:
        out = b""
        while len(out) < count:
            out += hashlib.sha256(start + blocks[0].to_bytes(8, "big")).digest()
            blocks[0] += 1
        return out[:count]

    return draw
