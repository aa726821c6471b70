"""Link: what one frame's payload says. The first byte names the kind; integers are big-endian.

    HELLO  0 | "perch" | version min, max | flags | own name 10 | peer's name 10 | window u32 | data max u16 | greeting
    DATA   1 or 2 (2 asks for an ack at once) | offset u24 | serial u16 | bytes
    ACK    3 | offset u24 | newest serial u16 | damage u16 | credit u32 | (gap u24, length u24) ...
    PING   4 | serial u16                      a serial without data: shows what was lost before it
    CLAIM  5 | offset u24 | size u16 | check u16 ...      of a damaged frame: a check for each 64 bytes from offset
    REFER  6 | offset u24 | serial u16 | (skip u16, size u16, crc u32) ...      the answer: these bytes of it are right

A name is the boot id (8 bytes) and the count of connections that this end has begun since (u16); the pair
of both names is the connection. `offset` counts the bytes of the stream modulo 2^24. An ack says: every byte
before `offset` is here, `credit` bytes from it on may be sent, `newest` is the serial of the last frame that
arrived, the ranges are what is here beyond the first hole, and `damage` counts damaged segments modulo 2^16.

A damaged frame is not lost whole. Its receiver claims what it decoded, right or wrong, block by block (the lower
half of each block's CRC-32); the sender, who has the true bytes, sends again what differs, and refers to the rest
with a CRC-32 a run. A REFER is DATA without the bytes: it has a serial, is lost, acked and sent again as DATA is.
"""

import struct

from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Refusal
from protocol.limits import LINK_CLAIM_BLOCK_BYTES, LINK_DATA_BYTES_MAX, LINK_GREETING_BYTES_MAX, LINK_RANGES_MAX

if TYPE_CHECKING:
    Ranges = list[tuple[int, int]]
    Runs = list[tuple[int, int, int]]

HELLO = const(0)
DATA = const(1)
DATA_ASK = const(2)
ACK = const(3)
PING = const(4)
CLAIM = const(5)
REFER = const(6)

VERSION_MIN = const(1)
VERSION_MAX = const(1)
HEADER_BYTES = const(6)  # of a DATA frame
HELLO_BYTES = const(35)  # without its greeting
NAME_BYTES = const(10)
FLAG_UP = const(1)  # this end takes the connection for established
OFFSETS = const(1 << 24)

_MAGIC = b"perch"
_HELLO = ">B5sBBB10s10sIH"
_ACK = ">IHHI"
_RANGE_BYTES = const(6)
_CLAIM = ">IH"
_RUN = ">HHI"
RUN_BYTES = const(8)
NOBODY = bytes(NAME_BYTES)


class LinkRefusal(Refusal):
    """A valid frame of impossible content: no line noise makes one, so the peer did."""


class Hello:
    """One end's introduction; `names` it heard from the other end is NOBODY before it heard any."""

    def __init__(
        self, name: bytes, peer: bytes, up: bool, window: int, data_max: int,
        version_min: int = VERSION_MIN, version_max: int = VERSION_MAX, greeting: bytes = b"",
    ) -> None:
        self.name = name
        self.peer = peer
        self.up = up
        self.window = window
        self.data_max = data_max
        self.version_min = version_min
        self.version_max = version_max
        self.greeting = greeting

    def encode(self) -> bytes:
        return struct.pack(
            _HELLO, HELLO, _MAGIC, self.version_min, self.version_max, FLAG_UP if self.up else 0,
            self.name, self.peer, self.window, self.data_max,
        ) + self.greeting  # fmt: skip


def parse_hello(payload: bytes) -> Hello:
    """Raises LinkRefusal on anything but one whole HELLO."""
    size = struct.calcsize(_HELLO)
    if len(payload) < size or payload[1:6] != _MAGIC:
        raise LinkRefusal("HELLO of another protocol or cut short")
    fields = struct.unpack(_HELLO, payload[:size])
    _, _, version_min, version_max, flags, name, peer, window, data_max = fields
    if window < 256 or data_max < 64:
        raise LinkRefusal("HELLO promises no usable window")
    if len(payload) - size > LINK_GREETING_BYTES_MAX:
        raise LinkRefusal("HELLO with too long a greeting")
    return Hello(name, peer, flags & FLAG_UP != 0, window, data_max, version_min, version_max, payload[size:])


def data_frame(offset: int, serial: int, data: bytes, ask: bool) -> bytes:
    kind = DATA_ASK if ask else DATA
    return struct.pack(">IH", kind << 24 | offset % OFFSETS, serial & 0xFFFF) + data


def parse_data(payload: bytes) -> "tuple[int, int]":
    """(offset modulo 2^24, serial) of a DATA frame; its bytes are payload[HEADER_BYTES:]."""
    if len(payload) <= HEADER_BYTES:
        raise LinkRefusal("DATA without data")
    first, serial = struct.unpack(">IH", payload[:HEADER_BYTES])
    return first & 0xFFFFFF, serial


def ping_frame(serial: int) -> bytes:
    return struct.pack(">BH", PING, serial & 0xFFFF)


def parse_ping(payload: bytes) -> int:
    if len(payload) != 3:
        raise LinkRefusal("PING of a wrong size")
    return payload[1] << 8 | payload[2]


def ack_frame(offset: int, newest: int, damage: int, credit: int, ranges: "Ranges") -> bytes:
    """`ranges`: absolute (start, end) beyond offset, ascending, none empty."""
    parts = [struct.pack(_ACK, ACK << 24 | offset % OFFSETS, newest & 0xFFFF, damage & 0xFFFF, credit)]
    at = offset
    for start, end in ranges:
        parts.append((start - at).to_bytes(3, "big") + (end - start).to_bytes(3, "big"))
        at = end
    return b"".join(parts)



def claim_frame(offset: int, size: int, checks: "list[int]") -> bytes:
    parts = [struct.pack(_CLAIM, CLAIM << 24 | offset % OFFSETS, size)]
    for check in checks:
        parts.append(check.to_bytes(2, "big"))
    return b"".join(parts)


def parse_claim(payload: bytes) -> "tuple[int, int, list[int]]":
    """(offset modulo 2^24, size, checks); raises LinkRefusal where their count is not that of the size."""
    if len(payload) < HEADER_BYTES:
        raise LinkRefusal("CLAIM cut short")
    first, size = struct.unpack(_CLAIM, payload[:HEADER_BYTES])
    count = (size + LINK_CLAIM_BLOCK_BYTES - 1) // LINK_CLAIM_BLOCK_BYTES
    if size == 0 or len(payload) != HEADER_BYTES + 2 * count:
        raise LinkRefusal("CLAIM of a wrong size")
    checks = [payload[at] << 8 | payload[at + 1] for at in range(HEADER_BYTES, len(payload), 2)]
    return first & 0xFFFFFF, size, checks


def refer_frame(offset: int, serial: int, runs: "Runs") -> bytes:
    """`runs`: absolute (start, end, crc) from `offset` on, ascending."""
    parts = [struct.pack(">IH", REFER << 24 | offset % OFFSETS, serial & 0xFFFF)]
    for start, end, crc in runs:
        parts.append(struct.pack(_RUN, start - offset, end - start, crc))
    return b"".join(parts)


def parse_refer(payload: bytes) -> "tuple[int, int, Runs]":
    """(offset modulo 2^24, serial, runs relative to the offset); raises LinkRefusal where no frame holds them."""
    if len(payload) <= HEADER_BYTES or (len(payload) - HEADER_BYTES) % RUN_BYTES:
        raise LinkRefusal("REFER of a wrong size")
    first, serial = struct.unpack(">IH", payload[:HEADER_BYTES])
    runs = []
    end = 0
    for at in range(HEADER_BYTES, len(payload), RUN_BYTES):
        skip, size, crc = struct.unpack(_RUN, payload[at : at + RUN_BYTES])
        if skip < end or size == 0 or skip + size > LINK_DATA_BYTES_MAX:
            raise LinkRefusal("REFER with runs that are in no frame")  # each is read to be checked: once at most
        end = skip + size
        runs.append((skip, end, crc))
    return first & 0xFFFFFF, serial, runs


class Ack:
    """A parsed ACK; `ranges` are relative to `offset`, ascending, none empty, none touching."""

    def __init__(self, offset: int, newest: int, damage: int, credit: int, ranges: "Ranges") -> None:
        self.offset = offset
        self.newest = newest
        self.damage = damage
        self.credit = credit
        self.ranges = ranges


def parse_ack(payload: bytes) -> Ack:
    """Raises LinkRefusal where sizes are wrong or ranges are empty, touching or descending."""
    size = struct.calcsize(_ACK)
    rest = len(payload) - size
    if rest < 0 or rest % _RANGE_BYTES or rest > _RANGE_BYTES * LINK_RANGES_MAX:
        raise LinkRefusal("ACK of a wrong size")
    first, newest, damage, credit = struct.unpack(_ACK, payload[:size])
    ranges = []
    at = 0
    for index in range(size, len(payload), _RANGE_BYTES):
        gap = int.from_bytes(payload[index : index + 3], "big")
        length = int.from_bytes(payload[index + 3 : index + 6], "big")
        if gap == 0 or length == 0:
            raise LinkRefusal("ACK with an empty range")
        ranges.append((at + gap, at + gap + length))
        at += gap + length
    return Ack(first & 0xFFFFFF, newest, damage, credit, ranges)
