"""Frame: the first layer over the wire; bytes between two zeros, with a check that can name one flipped bit.

On the wire a frame is ``00 | COBS(payload) | check | 00``. COBS (Cheshire and Baker, 1999) removes the
zeros, so that a zero ends whatever came before it, always: no state exists that a lost byte could invert.
The check is the CRC-32 of IEEE 802.3 over the *encoded* bytes, seven bits a byte with the top bit set: it is
zero-free and linear, so one flipped bit anywhere (body or check) leaves a syndrome that says which one.

Repair. CRC-32 keeps a Hamming distance of 4 up to 11 KB: one flip is never taken for another one, and two
flips are never taken for one. Three and more can be (about 8 in a million damaged 4 KiB frames), so a
repaired frame is only ever handed out together with the mark that it was repaired. ``Reader.feed`` hands out
clean frames only; ``Reader.read`` is for the link, which takes repaired *data* frames and no others, under
the session's tag. A wrong repair that also carries a plausible header then costs one session, never a byte.

What cannot be repaired is not thrown away either: ``Reader.remains`` has what could be decoded of it, wrong
bytes among right ones, for a link that can find out which of them are right.
"""

import binascii

from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Misuse
from protocol.limits import FRAME_PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    Frames = list[tuple[bytes, bool]]

CHECK_BYTES = const(5)  # 32 bits, seven a byte
_RUN = const(254)  # the longest zero-free run of one COBS code byte
_CRC_START = 0xFFFFFFFF
_POLYNOMIAL = 0xEDB88320  # CRC-32, reflected
_STRIDE_BITS = const(256)  # syndromes kept of every 256th bit; the ones between are stepped to
_STRIDE = bytes(_STRIDE_BITS // 8)
_REMAINS_BYTES_MIN = const(48)  # less of a damaged frame is not worth asking about
_REMAINS_MAX = const(8)  # kept between two looks at them


def encoded_bytes_max(payload_bytes: int) -> int:
    """Most bytes between the two zeros for a payload of this many bytes."""
    return payload_bytes + payload_bytes // _RUN + 1 + CHECK_BYTES


def stuff(data: bytes, out: bytearray, at: int) -> int:
    """COBS: the bytes without a zero among them, into `out` from `at`; returns where they end."""
    view = memoryview(data)
    start = 0
    size = len(data)
    while True:
        stop = data.find(b"\0", start)
        if stop < 0:
            stop = size
        while stop - start >= _RUN:
            out[at] = 255
            out[at + 1 : at + 255] = view[start : start + _RUN]
            at += 255
            start += _RUN
            if start == size:
                return at  # a run that ends exactly at the end needs no further code
        code = stop - start + 1
        out[at] = code
        if code > 1:
            out[at + 1 : at + code] = view[start:stop]
        at += code
        if stop == size:
            return at
        start = stop + 1


def unstuff(data: bytes, end: int, as_far_as_possible: bool = False) -> "bytes | None":
    """Undo `stuff` for data[:end]; None, or the bytes up to there, where the code bytes do not fit together."""
    view = memoryview(data)
    out = bytearray(end)
    at = 0
    filled = 0
    while at < end:
        code = data[at]
        stop = at + code
        if stop > end and as_far_as_possible:
            stop = end
            code = stop - at
        if code == 0 or stop > end:
            return None
        if code > 1:
            out[filled : filled + code - 1] = view[at + 1 : stop]
        filled += code - 1
        at = stop
        if code != 255 and at < end:
            filled += 1  # the buffer is zero already
    return bytes(memoryview(out)[:filled])


def _digits(crc: int) -> bytes:
    """The check's five bytes: seven bits each, highest first, never zero."""
    return bytes(
        (
            0x80 | (crc >> 28),
            0x80 | (crc >> 21) & 0x7F,
            0x80 | (crc >> 14) & 0x7F,
            0x80 | (crc >> 7) & 0x7F,
            0x80 | crc & 0x7F,
        )
    )


def encode(payload: bytes) -> bytes:
    """The wire bytes of one frame, a zero on both sides. Raises Misuse above FRAME_PAYLOAD_BYTES_MAX."""
    if len(payload) > FRAME_PAYLOAD_BYTES_MAX:
        raise Misuse(f"frame payload of {len(payload)} bytes")
    wire = bytearray(2 + encoded_bytes_max(len(payload)))
    end = stuff(bytes(payload), wire, 1)
    check = _digits(binascii.crc32(memoryview(wire)[1:end]))
    wire[end : end + CHECK_BYTES] = check
    return bytes(memoryview(wire)[: end + CHECK_BYTES + 1])


def _milestones(size: int) -> "dict[int, int]":
    """Syndrome of a flip -> its distance in bits from the body's end, of every 256th bit of `size` bytes."""
    syndrome = _POLYNOMIAL
    found = {syndrome: 0}
    for distance in range(_STRIDE_BITS, 8 * size + _STRIDE_BITS, _STRIDE_BITS):
        syndrome = binascii.crc32(_STRIDE, syndrome ^ _CRC_START) ^ _CRC_START
        found[syndrome] = distance
    return found


def _one_bit(value: int) -> bool:
    return value != 0 and value & (value - 1) == 0


class Reader:
    """Bytes from the wire to payloads; bounded, and never deaf.

    From any state, whatever bytes came before, the first clean frame after one zero is taken.
    `payload_bytes_max` bounds what is held: the longest frame, once. Counters: `taken`, `repaired`,
    `damaged` (segments that were neither). `remains`: what was decoded of damaged segments, newest last; whoever
    uses them empties the list.
    """

    def __init__(self, payload_bytes_max: int = FRAME_PAYLOAD_BYTES_MAX) -> None:
        self._max = encoded_bytes_max(payload_bytes_max)
        self._held = bytearray(self._max)
        self._milestones = _milestones(self._max)
        self._fill = 0
        self._skipping = False  # the segment is longer than any frame: nothing of it is kept up to its zero
        self._bad = b""  # the damaged segment just before this one, with one zero between them
        self.taken = 0
        self.repaired = 0
        self.damaged = 0
        self.remains: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the undamaged frames that these bytes complete."""
        return [payload for payload, _ in self.read(data, False)]

    def read(self, data: bytes, repair: bool = True) -> "Frames":
        """(payload, was it repaired) of the frames that these bytes complete."""
        out: "Frames" = []
        parts = bytes(data).split(b"\0")
        last = parts.pop()
        for part in parts:
            if self._fill or self._skipping:
                self._hold(part)
                part = bytes(memoryview(self._held)[: self._fill])
                self._fill = 0
                if self._skipping:
                    self._skipping = False
                    self._lose(b"")
                    continue
            if part:
                self._segment(part, repair, out)
            else:
                self._bad = b""  # two zeros in a row are a true border between frames
        if last:
            self._hold(last)
        return out

    def _hold(self, data: bytes) -> None:
        end = self._fill + len(data)
        if self._skipping or end > self._max:
            self._skipping = True
            self._fill = 0
            return
        self._held[self._fill : end] = data
        self._fill = end

    def _lose(self, segment: bytes) -> None:
        self.damaged += 1
        self._bad = segment

    def _segment(self, segment: bytes, repair: bool, out: "Frames") -> None:
        if len(segment) > self._max:
            self._lose(b"")
            return
        payload = self._clean(segment)
        if payload is not None:
            self._bad = b""
            self.taken += 1
            out.append((payload, False))
            return
        if repair:
            payload = self._repair(segment)
            if payload is not None:
                self._bad = b""
                self.repaired += 1
                out.append((payload, True))
                return
            self._keep_remains(segment)
        self._lose(segment)

    def _keep_remains(self, segment: bytes) -> None:
        if len(segment) < _REMAINS_BYTES_MIN or len(self.remains) >= _REMAINS_MAX:
            return
        end = len(segment)
        if min(segment[end - CHECK_BYTES :]) >= 0x80:
            end -= CHECK_BYTES  # it has its end, and the check there
        remains = unstuff(segment, end, True)
        if remains:
            self.remains.append(remains)

    def _clean(self, segment: bytes) -> "bytes | None":
        end = len(segment) - CHECK_BYTES
        if end < 1 or _digits(binascii.crc32(memoryview(segment)[:end])) != segment[end:]:
            return None
        return unstuff(segment, end)

    def _repair(self, segment: bytes) -> "bytes | None":
        payload = self._unflip(segment, -1)
        if payload is None and _one_bit(segment[0]):
            payload = self._clean(segment[1:])  # the zero before the frame was hit
        if payload is None and _one_bit(segment[-1]):
            payload = self._clean(segment[:-1])  # the zero after it was hit
        if payload is None and len(self._bad) + len(segment) < self._max:
            # a byte of the frame became zero: it cut the frame in two, or is its first or last byte
            payload = self._unflip(self._bad + b"\0" + segment, len(self._bad))
            if payload is None:
                payload = self._unflip(segment + b"\0", len(segment))
        return payload

    def _unflip(self, segment: bytes, where: int) -> "bytes | None":
        """Undo the one flip that explains the syndrome; `where` is the byte it must lie in, -1: any."""
        end = len(segment) - CHECK_BYTES
        if end < 1:
            return None
        crc = binascii.crc32(memoryview(segment)[:end])
        wanted = int.from_bytes(_digits(crc), "big")
        difference = wanted ^ int.from_bytes(segment[end:], "big")
        if _one_bit(difference):
            if where >= end or where < 0:
                return unstuff(segment, end)  # the flip is in the check itself
            return None
        if difference & 0xF080808080:
            return None  # more than one flip: the marks of the check are not all there
        syndrome = 0
        for byte in segment[end:]:
            syndrome = syndrome << 7 | byte & 0x7F
        distance = self._distance(syndrome ^ crc, 8 * end)
        at = end - 1 - (distance >> 3)
        if distance < 0 or (where >= 0 and at != where):
            return None
        mended = bytearray(segment)
        mended[at] ^= 1 << (7 - (distance & 7))
        return unstuff(bytes(mended), end)

    def _distance(self, syndrome: int, bits: int) -> int:
        """How many bits from the end of a body the one flip lies that leaves this syndrome; -1: none does.

        Every 256th syndrome is in a table; any other one is stepped back to the one before it: no more steps
        than the body has bits, so that a flood of short damaged segments costs no more than its bytes.
        """
        for steps in range(min(_STRIDE_BITS, bits)):
            found = self._milestones.get(syndrome)
            if found is not None:
                distance = found + steps
                return distance if distance < bits else -1
            syndrome = (syndrome ^ _POLYNOMIAL) << 1 | 1 if syndrome >> 31 else syndrome << 1
        return -1
