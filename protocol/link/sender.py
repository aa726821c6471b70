"""Link: the sending half; knows what is in flight, finds losses from serials, and chooses the frame size."""

from protocol.compat import TYPE_CHECKING, const
from protocol.limits import (
    LINK_CLAIM_BLOCK_BYTES,
    LINK_CLAIM_FLIGHTS_MAX,
    LINK_FLIGHT_FRAMES_MAX,
    LINK_TAIL_MS_MAX,
    LINK_TAIL_MS_MIN,
    LINK_TAIL_START_MS,
    LINK_WINDOW_BYTES_MAX,
)
from protocol.link.packets import OFFSETS, RUN_BYTES, Ack, LinkRefusal, data_frame, ping_frame, refer_frame
from protocol.link.ring import Ring

if TYPE_CHECKING:
    from protocol.link.ring import Bytes

    Flight = tuple[int, int, int, int]
    Span = tuple[int, int]

# (bytes between two damaged segments at least, bytes of a frame): what carried most in virtual time at bit error
# rates of 1e-5, 3e-5, 1e-4 and 2e-4, single flips being repaired and two of them costing 128 bytes
_SIZES = ((8000, 4096), (2500, 2048), (1000, 512), (0, 256))
_MEMORY_BYTES = const(262144)  # the rate of damage is that of the last such span; then old events count half
_START_BYTES = const(8192)  # one damaged frame at the very start is not yet a bad cable


class Sender:
    """`acked` <= `fresh` <= `written`, with written - acked bounded by the ring; `lost` is sent again first.

    A frame's serial grows by one with every transmission. The wire keeps order, so whatever is older than
    the newest serial that the receiver has seen, and not in its ack, is lost: known at once, without a timer.
    """

    def __init__(self, size: int, data_max: int) -> None:
        self._ring = Ring(size)
        self._data_max = data_max
        self._damage_seen = 0
        self._damage_events = 0
        self._damage_bytes = _START_BYTES
        self.resent = 0
        self.referred = 0  # bytes that a damaged frame brought all the same
        self.reset(data_max, 0)

    def reset(self, data_max: int, credit: int) -> None:
        self.acked = 0
        self.fresh = 0  # the next byte that was never sent
        self.written = 0
        self.limit = min(credit, LINK_WINDOW_BYTES_MAX)
        self.serial = 0  # of the next frame
        self.flight: "list[Flight]" = []  # (serial, start, end, sent ms), oldest first
        self.lost: "list[Span]" = []
        self.known: "list[list[Span]]" = []  # runs of a damaged frame that arrived: to be referred to
        self.data_bytes_max = min(self._data_max, data_max)
        self._damage_seen = 0
        self.round_trip_ms = -1
        self.tail_ms = LINK_TAIL_START_MS
        self.probing = False  # the tail was repeated and nothing came back yet
        self.frame_bytes = self._choose()

    def write(self, data: "Bytes") -> int:
        size = min(len(data), self._ring.size - (self.written - self.acked))
        if size > 0:
            self._ring.put(self.written, data if size == len(data) else memoryview(data)[:size])
            self.written += size
        return size

    def room(self) -> int:
        """Bytes that `write` would take."""
        return self._ring.size - (self.written - self.acked)

    # frames out

    def frame(self, now: int) -> bytes:
        """The next DATA frame's payload, lost bytes first; empty when nothing may be sent."""
        if len(self.flight) >= LINK_FLIGHT_FRAMES_MAX:
            return b""
        if self.known:
            return self._refer(self.known.pop(0), now)
        again = len(self.lost) > 0
        if again:
            start, stop = self.lost[0]
            end = min(stop, start + self.frame_bytes)
            if end == stop:
                self.lost.pop(0)
            else:
                self.lost[0] = (end, stop)
            self.resent += 1
        else:
            start = self.fresh
            end = min(self.written, start + self.frame_bytes)
            if end > self.limit:
                # no crumbs: while bytes are in flight more credit is on its way
                if self.flight and self.limit - start < self.frame_bytes:
                    return b""
                end = self.limit
            if end <= start:
                return b""
            self.fresh = end
        return self._launch(start, end, now, not self.more())

    def more(self) -> bool:
        """Whether another frame could follow at once."""
        return len(self.known) > 0 or len(self.lost) > 0 or self.fresh < min(self.written, self.limit)

    def tail(self, now: int) -> bytes:
        """A last frame's bytes once more, before anybody asks; else, and the next times, a PING."""
        again = not self.probing and self.written - self.acked <= self.frame_bytes
        for _, start, end, _ in self.flight:
            if again and end > self.acked:
                start = max(start, self.acked)
                self.resent += 1
                return self._launch(start, min(end, start + self.frame_bytes), now, True)
        return self.ping(now)

    def ping(self, now: int) -> bytes:
        """A serial without data: its ack shows what was lost before it."""
        serial = self.serial
        self.serial += 1
        if len(self.flight) < LINK_FLIGHT_FRAMES_MAX:
            self.flight.append((serial, 0, 0, now))
        return ping_frame(serial)

    def _launch(self, start: int, end: int, now: int, ask: bool) -> bytes:
        serial = self.serial
        self.serial += 1
        self.flight.append((serial, start, end, now))
        return data_frame(start, serial, self._ring.get(start, end - start), ask)

    def _refer(self, runs: "list[Span]", now: int) -> bytes:
        serial = self.serial
        self.serial += 1
        named = []
        for start, end in runs:
            self.flight.append((serial, start, end, now))
            self.referred += end - start
            named.append((start, end, self._ring.crc(start, end - start)))
        return refer_frame(runs[0][0], serial, named)

    # claims and acks in

    def claim(self, offset24: int, size: int, checks: "list[int]") -> None:
        """The receiver decoded `size` bytes of a damaged frame: queue what is wrong, refer to what is right.

        Where the frame is none of those in flight, the claim is the noise it was made from, and nothing happens.
        """
        start = self.acked + (offset24 - self.acked) % OFFSETS
        index = 0
        oldest = min(len(self.flight), LINK_CLAIM_FLIGHTS_MAX)
        while index < oldest and (self.flight[index][1] != start or self.flight[index][2] <= start):
            index += 1
        if index == oldest:
            return
        stop = self.flight[index][2]
        end = min(start + size, stop)
        runs: "list[Span]" = []
        at = start
        for check in checks:
            after = min(at + LINK_CLAIM_BLOCK_BYTES, start + size)
            if after > end:
                break
            if self._ring.crc(at, after - at) & 0xFFFF == check:
                if runs and runs[-1][1] == at:
                    runs[-1] = (runs[-1][0], after)
                elif len(runs) < self.data_bytes_max // RUN_BYTES:
                    runs.append((at, after))
            at = after
        if runs:
            self.flight.pop(index)
            self.known.append(runs)
            self._lose(start, stop, 0, runs)

    def ack(self, ack: Ack, now: int) -> bool:
        """Enter an ack; returns whether it moved anything. Raises LinkRefusal where it acks the future."""
        behind = (self.serial - 1 - ack.newest) & 0xFFFF
        if behind > 0x7FFF:
            raise LinkRefusal("ACK of a frame that was never sent")
        newest = self.serial - 1 - behind
        offset = self.acked + (ack.offset - self.acked) % OFFSETS
        if offset > self.fresh or (ack.ranges and offset + ack.ranges[-1][1] > self.fresh):
            raise LinkRefusal("ACK of bytes that were never sent")
        moved = offset > self.acked
        sent = offset - self.acked
        self.acked = offset
        limit = offset + min(ack.credit, LINK_WINDOW_BYTES_MAX)
        if limit != self.limit:
            moved = moved or limit > self.limit
            self.limit = limit
        self._measure_damage(ack.damage, sent)
        landed = self._land(newest, offset, ack.ranges, now)
        if self.lost and self.lost[0][0] < offset:
            self._forget_acked(offset)
        return moved or landed

    def _land(self, newest: int, offset: int, ranges: "list[Span]", now: int) -> bool:
        """Every flight up to `newest` has landed or is lost."""
        count = 0
        self.probing = False
        for serial, start, end, sent_ms in self.flight:
            if serial > newest:
                break
            count += 1
            if serial == newest:
                self._measure_round_trip(now - sent_ms)
            if end > offset:
                self._lose(max(start, offset), end, offset, ranges)
        if count:
            self.flight = self.flight[count:]
        return count > 0

    def _lose(self, start: int, end: int, offset: int, ranges: "list[Span]") -> None:
        """Queue what of [start, end) is in none of the ranges to be sent again."""
        for first, last in ranges:
            if offset + last <= start:
                continue
            if offset + first >= end:
                break
            if offset + first > start:
                self._queue(start, offset + first)
            start = offset + last
        if start < end:
            self._queue(start, end)

    def _queue(self, start: int, end: int) -> None:
        at = len(self.lost)
        while at and self.lost[at - 1][0] > start:
            at -= 1
        if at and self.lost[at - 1][1] >= start:
            at -= 1
            start = self.lost[at][0]
            end = max(end, self.lost[at][1])
            self.lost[at] = (start, end)
        else:
            self.lost.insert(at, (start, end))
        while at + 1 < len(self.lost) and self.lost[at + 1][0] <= end:
            end = max(end, self.lost[at + 1][1])
            self.lost[at] = (start, end)
            self.lost.pop(at + 1)

    def _forget_acked(self, offset: int) -> None:
        self.lost = [(max(start, offset), end) for start, end in self.lost if end > offset]

    # what the wire is like

    def _measure_round_trip(self, sample_ms: int) -> None:
        if self.round_trip_ms < 0:
            self.round_trip_ms = sample_ms
        else:
            self.round_trip_ms += (sample_ms - self.round_trip_ms) // 4
        self.tail_ms = max(LINK_TAIL_MS_MIN, 2 * self.round_trip_ms + 4)

    def _measure_damage(self, damage: int, sent: int) -> None:
        events = (damage - self._damage_seen) & 0xFFFF
        self._damage_seen = damage
        if events == 0 and self.frame_bytes == self.data_bytes_max:
            self._damage_bytes = min(self._damage_bytes + sent, _MEMORY_BYTES)
            return
        self._damage_events += events
        self._damage_bytes += sent
        if self._damage_bytes > _MEMORY_BYTES or self._damage_events > 1000:
            self._damage_bytes //= 2
            self._damage_events //= 2
        self.frame_bytes = self._choose()

    def _choose(self) -> int:
        apart = self._damage_bytes // max(1, self._damage_events)
        if self._damage_events:
            for least, size in _SIZES:
                if apart >= least:
                    return min(size, self.data_bytes_max)
        return self.data_bytes_max

    def backoff(self) -> None:
        """No answer to the last probe: wait longer for the next one."""
        self.probing = True
        self.tail_ms = min(2 * self.tail_ms, max(LINK_TAIL_MS_MAX, 2 * self.round_trip_ms))
