"""Lane -> here -> lane: what happens to bytes on a bad wire, as plain functions of bytes and places."""

from __future__ import annotations

from random import Random

_INSERTED = b"\x00\x7e\xff\x55"


class Places:
    """Places along a stream of bits or bytes, one in `one_in` of them on average, drawn from `draw`."""

    def __init__(self, draw: Random, one_in: int) -> None:
        self._draw = draw
        self._one_in = one_in
        self._next = self._gap()

    def _gap(self) -> int:
        return int(self._draw.expovariate(1 / self._one_in))

    def within(self, count: int) -> list[int]:
        """Those among the next `count`, relative to the first of them."""
        found = []
        while self._next < count:
            found.append(self._next)
            self._next += 1 + self._gap()
        self._next -= count
        return found


def flipped(data: bytes, bits: list[int]) -> bytes:
    out = bytearray(data)
    for bit in bits:
        out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def dropped(data: bytes, places: list[int]) -> bytes:
    gone = set(places)
    return bytes(byte for at, byte in enumerate(data) if at not in gone)


def inserted(data: bytes, places: list[int]) -> bytes:
    """A byte from nowhere before each of these places."""
    out = bytearray(data)
    for count, at in enumerate(places):
        out.insert(at + count, _INSERTED[(at + count) % len(_INSERTED)])
    return bytes(out)


def garbled(data: bytes) -> bytes:
    """As many bytes, none of them right."""
    return bytes(byte ^ (0x5A + at) % 255 + 1 for at, byte in enumerate(data))


def sampled_slower(data: bytes) -> bytes:
    """What an end makes of it that listens at half the speed: half as many bytes, of every second bit."""
    out = bytearray()
    for at in range(0, len(data) - 1, 2):
        value = 0
        for place, bit in enumerate(range(1, 16, 2)):
            value |= (data[at + bit // 8] >> bit % 8 & 1) << place
        out.append(value)
    return bytes(out)
