"""Link: the receiving half; puts the pieces of the stream in order and knows what to ack."""

from protocol.compat import TYPE_CHECKING
from protocol.limits import (
    LINK_ACK_BYTES,
    LINK_CLAIM_BLOCK_BYTES,
    LINK_CLAIMS_MAX,
    LINK_RANGES_MAX,
    LINK_WINDOW_BYTES_MAX,
)
from protocol.link.packets import (
    HEADER_BYTES,
    OFFSETS,
    LinkRefusal,
    ack_frame,
    claim_frame,
    parse_refer,
)
from protocol.link.ring import Ring

if TYPE_CHECKING:
    Span = tuple[int, int]


class Receiver:
    """`taken` <= `contiguous` <= limit = taken + window; `ranges` are the pieces beyond the first hole.

    What was decoded of a damaged frame waits in the holes of the ring, unnoted: `claims` are to be said, and a
    REFER whose CRC is that of the ring makes the bytes count.
    """

    def __init__(self, window: int) -> None:
        self._ring = Ring(window)
        self.ack_every = min(LINK_ACK_BYTES, window // 4)
        self.reset()

    def reset(self) -> None:
        self.taken = 0  # given to the layer above
        self.contiguous = 0  # received without a hole
        self.ranges: "list[Span]" = []
        self.newest = -1  # serial of the last frame that arrived; the wire keeps their order
        self.unacked = 0  # bytes that arrived since the last ack
        self.ack_now = False
        self.claims: "list[Span]" = []
        self._told_limit = self._ring.size

    def serial(self, serial: int) -> None:
        """A frame with this serial arrived; a jump means that frames before it were lost."""
        if serial != (self.newest + 1) & 0xFFFF:
            self.ack_now = True
        self.newest = serial

    def data(self, offset24: int, payload: bytes, asked: bool) -> int:
        """Take a DATA frame; returns its new bytes (0: all known). Raises LinkRefusal beyond the credit."""
        offset = self._whole(offset24)
        size = len(payload) - HEADER_BYTES
        end = offset + size
        if end > self.taken + self._ring.size or offset < self.contiguous - LINK_WINDOW_BYTES_MAX:
            raise LinkRefusal("DATA beyond the credit, or from long ago")
        if asked:
            self.ack_now = True
        if end <= self.contiguous:
            self.ack_now = True  # the sender does not know yet: tell it
            return 0
        skip = self.contiguous - offset if offset < self.contiguous else 0
        fresh = self._note(offset + skip, end)
        if fresh:
            self._ring.put(offset + skip, memoryview(payload)[HEADER_BYTES + skip :])
            self.unacked += fresh
            if self.unacked >= self.ack_every:
                self.ack_now = True
        else:
            self.ack_now = True
        return fresh

    def _whole(self, offset24: int) -> int:
        """Offsets travel as 24 bits: the right one is the nearest to what is expected."""
        return self.contiguous + ((offset24 - self.contiguous + OFFSETS // 2) % OFFSETS) - OFFSETS // 2

    def remains(self, offset24: int, payload: bytes) -> bool:
        """What was decoded of a damaged DATA frame, wrong bytes among right ones: into the holes, to be claimed.

        Returns whether it is of the part of the stream that is awaited: noise hardly ever is.
        """
        start = self._whole(offset24)
        end = min(start + len(payload) - HEADER_BYTES, self.taken + self._ring.size)
        if start < self.contiguous or end <= start:
            return False
        if len(self.claims) >= LINK_CLAIMS_MAX:
            return True
        view = memoryview(payload)[HEADER_BYTES:]
        at = start
        for first, last in self.ranges + [(end, end)]:
            if at < min(first, end):
                self._ring.put(at, view[at - start : min(first, end) - start])
            at = max(at, last)
        self.claims.append((start, end))
        return True

    def claim(self) -> bytes:
        """The next CLAIM frame's payload; empty when there is none to say."""
        while self.claims:
            start, end = self.claims.pop(0)
            if start < self.contiguous:
                continue  # the bytes have come another way
            checks = []
            for at in range(start, end, LINK_CLAIM_BLOCK_BYTES):
                checks.append(self._ring.crc(at, min(LINK_CLAIM_BLOCK_BYTES, end - at)) & 0xFFFF)
            return claim_frame(start, end - start, checks)
        return b""

    def refer(self, payload: bytes) -> None:
        """Take a REFER frame: the bytes that it names count if they are those that are here."""
        offset24, serial, runs = parse_refer(payload)
        self.serial(serial)
        offset = self._whole(offset24)
        for first, last, crc in runs:
            start, end = offset + first, offset + last
            if start < self.contiguous or end > self.taken + self._ring.size or end <= start:
                continue
            if self._ring.crc(start, end - start) == crc:
                self.unacked += self._note(start, end)
        self.ack_now = True

    def _note(self, start: int, end: int) -> int:
        """Enter [start, end) among the ranges; returns how many bytes are new (0 too where no room is)."""
        if not self.ranges and start == self.contiguous:
            self.contiguous = end
            return end - start
        merged = []
        known = 0
        low, high = start, end
        for first, last in self.ranges:
            if last < low or first > high:
                merged.append((first, last))
            else:
                known += max(0, min(last, end) - max(first, start))
                low = min(low, first)
                high = max(high, last)
        if low == self.contiguous:
            self.contiguous = high
        else:
            merged.append((low, high))
            merged.sort()
            if len(merged) > LINK_RANGES_MAX:
                return 0  # more holes than are kept apart: the frame comes again
        self.ranges = merged
        return end - start - known

    def take(self, size_max: int) -> bytes:
        """The next bytes in order; empty when there are none."""
        size = min(size_max, self.contiguous - self.taken)
        if size <= 0:
            return b""
        data = self._ring.get(self.taken, size)
        self.taken += size
        limit = self.taken + self._ring.size
        if limit - self._told_limit >= self._ring.size // 4:
            # the sender may be waiting for room; told once a quarter of the window, not for every byte
            self.ack_now = True
        return data

    def ack(self, damage: int) -> bytes:
        """The ACK frame's payload for what is here now."""
        self._told_limit = self.taken + self._ring.size
        self.unacked = 0
        self.ack_now = False
        credit = self._told_limit - self.contiguous
        return ack_frame(self.contiguous, self.newest, damage, credit, self.ranges)
