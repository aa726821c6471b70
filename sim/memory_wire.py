"""A damaged wire in memory with virtual time: for tests of both interpreters and for the wing simulator.

One `MemoryWire` is one cable: two directions, each a FIFO with its own seeded damage. `Pair` drives two
sans-IO ends over it until both are quiet or a time is reached. No clock, no thread.
"""

from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class End(Protocol):
        def receive(self, data: bytes, now: int) -> None: ...
        def tick(self, now: int) -> None: ...
        def next_deadline(self) -> "int | None": ...
        def to_send(self, now: int) -> bytes: ...


class Lcg:
    """Seeded random numbers that are the same on both interpreters (PCG's 64-bit LCG, upper bits)."""

    def __init__(self, seed: int) -> None:
        self._state = (seed * 2862933555777941757 + 3037000493) & 0xFFFFFFFFFFFFFFFF
        self.below(2)

    def below(self, n: int) -> int:
        """Uniform enough in 0 .. n-1, n < 2^31."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return ((self._state >> 33) * n) >> 31

    def bytes(self, n: int) -> bytes:
        """n bytes."""
        out = bytearray(n)
        for index in range(n):
            out[index] = self.below(256)
        return bytes(out)

    def gap(self, one_in: int) -> int:
        """Distance to the next event that happens once in `one_in` on average; 0: never."""
        if one_in <= 0:
            return 1 << 60
        # the sum of two uniform halves has the right mean; the exact law does not matter to a test
        return 1 + self.below(one_in) + self.below(one_in)


class _Direction:
    def __init__(self, seed: int, flip_one_in_bits: int, lose_one_in_bytes: int, delay_ms: int, piece: int,
                 byte_us: int) -> None:
        self._random = Lcg(seed)
        self._flip_every = flip_one_in_bits
        self._lose_every = lose_one_in_bytes
        self._delay_ms = delay_ms
        self.piece = piece
        self._byte_us = byte_us
        self._next_flip = self._random.gap(flip_one_in_bits)
        self._next_loss = self._random.gap(lose_one_in_bytes)
        self._free_us = 0
        self.queue: "list[tuple[int, bytes]]" = []
        self.carried = 0
        self.flipped = 0
        self.lost = 0
        self.cut_at = -1  # byte of this direction before which the wire is cut

    def send(self, data: bytes, now: int, seated: bool) -> None:
        if 0 <= self.cut_at < self.carried + len(data):
            data = data[: max(0, self.cut_at - self.carried)]
        self.carried += len(data)
        if not seated or not data:
            return
        damaged = self._damage(data)
        start_us = max(now * 1000, self._free_us)
        start_us += len(data) * self._byte_us
        self.queue.append((start_us // 1000 + self._delay_ms, damaged))
        self._free_us = start_us

    def _damage(self, data: bytes) -> bytes:
        bits = 8 * len(data)
        if self._next_flip <= bits:
            spoiled = bytearray(data)
            while self._next_flip <= bits:
                at = self._next_flip - 1
                spoiled[at >> 3] ^= 1 << (at & 7)
                self.flipped += 1
                self._next_flip += self._random.gap(self._flip_every)
            data = bytes(spoiled)
        self._next_flip -= bits
        size = len(data)
        kept = []
        start = 0
        while self._next_loss <= size:
            kept.append(data[start : self._next_loss - 1])
            start = self._next_loss
            self.lost += 1
            self._next_loss += self._random.gap(self._lose_every)
        self._next_loss -= size
        return b"".join(kept) + data[start:] if kept else data

    def arrivals(self, now: int) -> list[bytes]:
        count = 0
        while count < len(self.queue) and self.queue[count][0] <= now:
            count += 1
        out = [data for _, data in self.queue[:count]]
        self.queue = self.queue[count:]
        return out


class MemoryWire:
    """Both directions of one cable. `flip_one_in_bits=100000` is a bit error rate of 1e-5; 0 means never.

    `piece_bytes` cuts what arrives into pieces (1: byte by byte); `byte_us` is the time of one byte
    (0: no time); `cut(direction, byte)` cuts exactly before that byte, `lift` and `seat` pull and plug.
    """

    def __init__(self, seed: int = 1, flip_one_in_bits: int = 0, lose_one_in_bytes: int = 0,
                 delay_ms: int = 0, piece_bytes: int = 0, byte_us: int = 0) -> None:
        self.seated = True
        settings = (flip_one_in_bits, lose_one_in_bytes, delay_ms, piece_bytes, byte_us)
        self.there = _Direction(seed, *settings)
        self.back = _Direction(seed + 7919, *settings)

    def lift(self) -> None:
        """Pull the wire: what is on it is gone."""
        self.seated = False
        self.there.queue = []
        self.back.queue = []

    def seat(self) -> None:
        self.seated = True

    def next_arrival(self) -> "int | None":
        times = [d.queue[0][0] for d in (self.there, self.back) if d.queue]
        return min(times) if times else None


class Pair:
    """Two ends on one wire: `run` moves bytes and virtual time."""

    def __init__(self, a: "End", b: "End", wire: MemoryWire, now: int = 0) -> None:
        self.a = a
        self.b = b
        self.wire = wire
        self.now = now

    def step(self) -> bool:
        """Everything that happens at this instant, once; whether anything happened."""
        moved = False
        there, back = self.wire.there, self.wire.back
        for end, out, inward in ((self.a, there, back), (self.b, back, there)):
            for data in inward.arrivals(self.now):
                piece = inward.piece or len(data)
                for at in range(0, len(data), piece):
                    end.receive(data[at : at + piece], self.now)
                moved = True
            # a port takes as much as its wire has room for: one burst in flight beyond the clock
            if not out.queue or out.queue[-1][0] - self.now < 5:
                data = end.to_send(self.now)
                if data:
                    out.send(data, self.now, self.wire.seated)
                    moved = True
        return moved

    def run(self, until_ms: int, on_idle: "object" = None) -> None:
        """Run to this time, or until on_idle() (called after every instant) says True."""
        while self.now <= until_ms:
            busy = self.step()
            if on_idle is not None and on_idle():  # type: ignore[operator]
                return
            if busy:
                continue
            times = [self.wire.next_arrival(), self.a.next_deadline(), self.b.next_deadline()]
            ahead = [t for t in times if t is not None and t > self.now]
            self.now = min(min(ahead) if ahead else self.now + 1, self.now + 5)
            self.a.tick(self.now)
            self.b.tick(self.now)
