"""Seeded damage of a wire, for the pty wire: flipped bits, single or in bursts, lost and inserted bytes."""

import math
import random

NEVER = 1 << 62


class Damage:
    """Seeded damage of one direction, by the number of the bit or byte that crosses, not by the chunk.

    `ber`: flips a bit (with `burst_bits` of 2 or more: bursts a bit); `lose` and `insert`: rates a byte. The gaps
    between two events are geometric, so that they are independent, as noise is.
    """

    def __init__(self, seed: int, ber: float, burst_bits: int, lose: float, insert: float) -> None:
        self._random = random.Random(seed)
        self._ber = ber
        self._burst_bits = burst_bits
        self._lose = lose
        self._insert = insert
        self._flip_in = self._gap(ber)
        self._lose_in = self._gap(lose)
        self._insert_in = self._gap(insert)
        self.flipped = 0
        self.lost = 0
        self.inserted = 0

    def _gap(self, rate: float) -> int:
        if rate <= 0:
            return NEVER
        return 1 + int(math.log(1 - self._random.random()) / math.log1p(-rate))

    def apply(self, data: bytes) -> bytes:
        bits = 8 * len(data)
        if self._flip_in > bits and self._lose_in > len(data) and self._insert_in > len(data):
            self._flip_in -= bits
            self._lose_in -= len(data)
            self._insert_in -= len(data)
            return data
        out = bytearray()
        for byte in data:
            while self._flip_in <= 8:
                byte ^= 1 << (self._flip_in - 1)
                self.flipped += 1
                self._flip_in += self._gap(self._ber) if self._burst_bits < 2 else self._next_of_burst()
            self._flip_in -= 8
            self._lose_in -= 1
            self._insert_in -= 1
            if self._insert_in == 0:
                out.append(self._random.getrandbits(8))
                self.inserted += 1
                self._insert_in = self._gap(self._insert)
            if self._lose_in == 0:
                self.lost += 1
                self._lose_in = self._gap(self._lose)
            else:
                out.append(byte)
        return bytes(out)

    def _next_of_burst(self) -> int:
        """The next flip: in the same burst, two bits on on average, or the first one of the next burst.

        A burst has burst_bits / 2 flips and spans burst_bits on average; `ber` is then the rate of bursts.
        """
        if self._random.random() >= 1 - 2 / self._burst_bits:
            return self._gap(self._ber)
        step = 1
        while self._random.getrandbits(1):
            step += 1
        return step
