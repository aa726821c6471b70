"""Time and memory per byte of input, for everything that reads what somebody else made.

Time is counted in instructions of Python (tests/kits/cost.py), so that it is the same on every machine. Each case is
the worst of its kind that we know; its bound stands beside it and must hold at n, 2n, 4n and 8n bytes alike: what grew
faster than its input would break it. Memory is what is held at the worst moment.
"""

from collections.abc import Callable

import pytest

from protocol import blob, cbor, cose, frame, mqtt
from protocol.errors import Refusal
from protocol.limits import CBOR_DEPTH_MAX, CHUNK_BYTES, LINK_DATA_BYTES_MAX, PACKET_BYTES_MAX, RECORD_BYTES_MAX
from protocol.records import signing, text, topics
from protocol.records.schema import ListOf, Record
from protocol.session import Session
from tests.fuzz.record_targets import good, kinds, minimal
from tests.fuzz.secret_targets import session_ends
from tests.kits import records as made
from tests.kits.cost import growth, peak, steps
from tests.kits.record_samples import samples

SIZES = (512, 1024, 2048, 4096)
FRAME_BYTES_MAX = LINK_DATA_BYTES_MAX + 6
FIXED_STEPS = 400  # what a call may cost whatever its input is: the bound a byte is for long inputs
HELD_BYTES = 5000  # what one call holds whatever its input is ...
READER_BYTES = 30_000  # ... and a reader of the longest frames: one of them, and a table of flips


def refused(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """The call with its own refusal caught: a refusal must not cost more than what is taken."""

    def function(data: bytes) -> None:
        try:
            read(data)
        except Refusal:
            pass

    return function


def repeated(unit: bytes) -> list[bytes]:
    return [unit * max(1, size // len(unit)) for size in SIZES]


def held(read: Callable[[bytes], object], data: bytes, always: int = HELD_BYTES) -> float:
    return max(0, peak(lambda: read(data)) - always) / len(data)


def bounded(
    read: Callable[[bytes], object], inputs: list[bytes], steps_a_byte: float, held_a_byte: float,
    always: int = HELD_BYTES,
) -> None:  # fmt: skip
    """Assert both bounds for each of the inputs, which grow."""
    read(inputs[0])  # what is made once is made now
    for data, cost in zip(inputs, growth(read, inputs)):
        assert cost <= steps_a_byte + FIXED_STEPS / len(data), (len(data), cost)
        assert held(read, data, always) <= held_a_byte, (len(data), held(read, data, always))


# frames


def whole(data: bytes) -> None:
    frame.Reader(FRAME_BYTES_MAX).read(data)


def by_bytes(data: bytes) -> None:
    one = frame.Reader(FRAME_BYTES_MAX)
    for at in range(len(data)):
        one.read(data[at : at + 1])


def flipped(bits: tuple[int, ...]) -> bytes:
    wire = bytearray(frame.encode(bytes(range(256)) * 16))
    for bit in bits:
        wire[bit >> 3] ^= 1 << (bit & 7)
    return bytes(wire)


FRAMES = {
    "zeros": (repeated(b"\0"), 16),
    "no zero at all": (repeated(b"\x01"), 1),
    "empty frames": (repeated(frame.encode(b"")), 40),
    "the longest frames": ([frame.encode(bytes(range(256)) * 16) * n for n in (1, 2, 4)], 2),
    "one flip in each": ([flipped((9000,)) * n for n in (1, 2, 4)], 5),
    "two flips in each": ([flipped((9000, 20000)) * n for n in (1, 2, 4)], 8),
    "short segments that look repairable": (repeated(b"\x01\x80\x80\x80\x80\x80\0"), 450),
    "segments of 32 bytes that look repairable": (repeated(b"\x01" * 27 + b"\x80" * 5 + b"\0"), 400),
    "segments that end in a flipped zero": (repeated(b"\x02\x01\x80\x80\x80\x80\x80\x01\0"), 450),
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_a_wire_says_costs_so_much_a_byte_to_read(name: str) -> None:
    inputs, most = FRAMES[name]
    bounded(whole, inputs, most, 20, READER_BYTES)


def test_bytes_that_come_one_by_one_cost_no_more_the_longer_it_goes_on() -> None:
    bounded(by_bytes, repeated(b"\x01"), 110, 20, READER_BYTES)
    bounded(by_bytes, repeated(b"\x01" * 63 + b"\0"), 150, 20, READER_BYTES)


def test_a_reader_holds_no_more_than_a_frame_and_what_is_left_of_the_one_before() -> None:
    one = frame.Reader(FRAME_BYTES_MAX)
    noise = (b"\x01" * 4000 + b"\0") * 50 + b"\x01" * 200_000

    def feed() -> None:
        for at in range(0, len(noise), 256):
            one.read(noise[at : at + 256])

    assert peak(feed) < 16 * FRAME_BYTES_MAX


# CBOR


def array(unit: bytes) -> list[bytes]:
    """An array of as many of these as fit."""
    return [b"\x99" + (size // len(unit)).to_bytes(2, "big") + unit * (size // len(unit)) for size in SIZES]


def mapping(key_bytes: int) -> list[bytes]:
    out = []
    for size in SIZES:
        count = size // (key_bytes + 2)
        keys = [bytes([0x40 + key_bytes]) + (1000 + index).to_bytes(key_bytes, "big") for index in range(count)]
        out.append(b"\xb9" + count.to_bytes(2, "big") + b"".join(key + b"\0" for key in keys))
    return out


NESTED = b"\x81" * (CBOR_DEPTH_MAX - 2)
CBORS = {
    "small numbers": (array(b"\0"), 80, 12),
    "empty maps": (array(b"\xa0"), 160, 80),
    "simple values": (array(b"\xe0"), 90, 100),
    "lists in lists": (array(NESTED + b"\0"), 150, 100),
    "lists that claim more than there is": (repeated(NESTED + b"\x9a\x00\x0f\xff\xff"), 400, 100),
    "halves": (array(b"\xf9\x3c\x00"), 120, 20),
    "texts": (array(b"\x61a"), 90, 60),
    "tags": (array(b"\xc0\0"), 120, 60),
    "large integers": (array(b"\xc2\x49\x01" + bytes(8)), 30, 20),
    "a map": (mapping(4), 60, 60),
    "one long text": ([b"\x7a" + size.to_bytes(4, "big") + b"\xc3\xa9" * (size // 2) for size in SIZES], 2, 12),
}


@pytest.mark.parametrize("name", CBORS)
def test_what_cbor_costs_a_byte(name: str) -> None:
    inputs, most, memory = CBORS[name]
    bounded(refused(cbor.loads), inputs, most, memory)


# COSE, MQTT, texts, chunks


def headers(size: int) -> bytes:
    count = size // 3
    labels = b"".join(b"\x19" + (1000 + index).to_bytes(2, "big") + b"\0" for index in range(count))
    return b"\xd2\x84\x43\xa1\x01\x27" + b"\xb9" + count.to_bytes(2, "big") + labels + b"\x41x\x58\x40" + bytes(64)


def subscriptions(count: int) -> bytes:
    body = b"\0\1" + b"\0\1a\0" * count
    return bytes([0x82, 0x80 | len(body) & 0x7F, len(body) >> 7]) + body


def all_packets(data: bytes) -> None:
    buffer = bytearray(data)
    while mqtt.parse(buffer) is not None:
        pass


OTHERS: dict[str, tuple[Callable[[bytes], object], list[bytes], int, int]] = {
    "COSE with many headers": (
        refused(lambda data: cose.verify1(made.keys("mia").public, data)), [headers(size) for size in SIZES], 120, 60),
    "a key id among many headers": (refused(cose.key_id), [headers(size) for size in SIZES], 120, 60),
    "the shortest packets": (refused(all_packets), repeated(b"\xc0\0"), 100, 30),
    "a topic of one letter": (refused(all_packets), repeated(b"\x30\x03\0\x01a"), 150, 30),
    "a topic of all levels": (refused(all_packets), repeated(b"\x30\x42\0\x40" + b"/" * 64), 30, 30),
    "many filters": (refused(all_packets), [subscriptions(size // 4) for size in SIZES], 40, 30),
    "a filter of all levels": (refused(all_packets), repeated(b"\x82\x45\0\1\0\x40" + b"+/" * 32 + b"\0"), 60, 40),
    "text of many scripts": (refused(text.check_bytes), repeated("aéא𐍈".encode()), 200, 20),
    "emoji held together": (refused(text.check_bytes), repeated("\U0001f469\u200d".encode()), 150, 20),
    "topics": (refused(lambda data: topics.parse(data.decode("latin-1"))), repeated(b"wing/"), 5, 100),
    "chunks": (refused(blob.parse_chunk), repeated(b"\xff"), 1, 3),
    "signatures": (
        refused(signing.unpack_signed), [b"\x82\x40\x99" + (n // 2).to_bytes(2, "big") + b"\x41x" * (n // 2)
                                         for n in SIZES], 80, 40),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_readers_of_one_thing_cost_a_byte(name: str) -> None:
    read, inputs, most, memory = OTHERS[name]
    bounded(read, inputs, most, memory)


def test_packets_that_do_not_come_whole_are_not_looked_at_again_and_again() -> None:
    def drip(data: bytes) -> None:
        buffer = bytearray()
        for at in range(len(data)):
            buffer += data[at : at + 1]
            assert mqtt.parse(buffer) is None

    length = PACKET_BYTES_MAX - 1
    head = bytes([0x30, 0x80 | length & 0x7F, 0x80 | length >> 7 & 0x7F, length >> 14])
    bounded(drip, [head + bytes(size) for size in SIZES], 230, 20)


def test_a_transfer_refuses_a_flood_of_wrong_chunks_for_what_its_bytes_cost() -> None:
    body = bytes(8 * CHUNK_BYTES)
    builder = blob.Builder()
    builder.feed(body)
    manifest = builder.finish()

    def fetch(data: bytes) -> None:
        one = blob.Fetch(manifest.root, manifest.size)
        one.want(0)
        for at in range(0, len(data), 64):
            try:
                one.receive(blob.pack_chunk(manifest.root, at // 64 % 8, data[at : at + 64]), at)
            except Refusal:
                pass
            while one.next_event() is not None:
                pass

    bounded(fetch, repeated(b"x"), 12, 30)


# every record kind


def hostile(kind: type[Record]) -> list[bytes]:
    """For every list of the kind: a good record but for that list, which is as long as the input may be."""
    out = [minimal(kind)]
    whole = next((cbor.loads(each) for each in good().get(kind.__name__, [])), None)
    for number, (_, shape) in enumerate(kind.FIELDS):
        if whole is None or not isinstance(shape, ListOf):
            continue
        key = number + 1 if isinstance(whole, dict) else number
        entries = whole[key]
        for entry in (0, b"x" * 32, "a", entries[0] if entries else []):
            values = dict(whole) if isinstance(whole, dict) else list(whole)
            values[key] = [entry] * min(4000, RECORD_BYTES_MAX // (2 * len(cbor.dumps(entry))))
            out.append(cbor.dumps(values))
    return out


RECORD_STEPS = 330  # a byte: rows of small numbers are the dearest
RECORD_HELD = 80


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_what_every_record_kind_costs_a_byte_good_or_hostile(kind: type[Record]) -> None:
    read = refused(kind.decode)
    for data in [*good().get(kind.__name__, []), *hostile(kind)]:
        read(data)
        assert growth(read, [data])[0] <= RECORD_STEPS + 1500 / len(data), data[:40]
        assert held(read, data) <= RECORD_HELD


def full() -> list[tuple[type[Record], list[bytes]]]:
    """Records of growing size, up to what their bounds allow."""
    digests = sorted(made.digest(index.to_bytes(2, "big")) for index in range(200))
    names = [f"learner-{number:03}" for number in range(200)]
    by_name = {type(each).__name__: each for each in samples()}
    statement, listed = by_name["Statement"], by_name["DeliveryList"]
    out = []
    for kind, record, name, values in (
        (type(listed), made.delivery_list(), "items", [type(listed.items[0])(item=each, statement=each)  # type: ignore[attr-defined]
                                                       for each in digests]),
        (type(statement), made.statement(), "audience", [
            type(statement.audience)(group=None, membership_version=1, learners=names[:count])  # type: ignore[attr-defined]
            for count in (25, 50, 100, 200)]),
    ):  # fmt: skip
        inputs = []
        for share in (8, 4, 2, 1):
            value = values[: len(values) // share] if name == "items" else values[{8: 0, 4: 1, 2: 2, 1: 3}[share]]
            setattr(record, name, value)
            inputs.append(record.encode())
        out.append((kind, inputs))
    return out


@pytest.mark.parametrize("kind, inputs", full(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_record_as_full_as_it_may_be_costs_no_more_a_byte_than_a_small_one(
    kind: type[Record], inputs: list[bytes]
) -> None:
    costs = growth(refused(kind.decode), inputs)
    assert max(costs) <= RECORD_STEPS and costs[-1] <= costs[0] * 1.1
    assert all(held(kind.decode, data) <= RECORD_HELD for data in inputs)


# the session


def up() -> tuple[Session, Session]:
    device, hub = session_ends("IK")
    for _ in range(3):
        hub.receive(device.to_send())
        device.receive(hub.to_send())
    assert device.up and hub.up
    return device, hub


def tiny_records(size: int) -> bytes:
    """What an authenticated peer can say in the smallest records."""
    device, _ = up()
    out = bytearray()
    while len(out) < size:
        device.write(b"x")
        out += device.to_send()
    return bytes(out)


def in_pieces(hub: Session, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        hub.receive(data[at : at + size])


@pytest.mark.parametrize("size, most", [(4096, 60), (1, 200)])
def test_the_smallest_records_of_a_peer_cost_what_their_bytes_cost(size: int, most: int) -> None:
    # the sealing is C's here; what Python does a byte is small, whole or byte by byte
    for data in [tiny_records(length) for length in SIZES]:
        hub = up()[1]
        idle = peak(lambda hub=hub: hub.receive(b""))  # type: ignore[misc]
        assert steps(lambda hub=hub, data=data: in_pieces(hub, data, size)) / len(data) <= most  # type: ignore[misc]
        hub = up()[1]
        held_now = peak(lambda hub=hub, data=data: in_pieces(hub, data, size)) - idle  # type: ignore[misc]
        assert hub.up and not hub.closed and held_now <= HELD_BYTES + 30 * len(data)


@pytest.mark.parametrize("start", [b"\x02", b"\x01", b"", b"\xff"])
def test_noise_at_a_session_ends_it_once_and_the_rest_of_it_costs_nothing(start: bytes) -> None:
    for unit in (b"\0", b"\xff", b"\0\x10" + bytes(16), b"\x01\x00" + bytes(256)):
        costs = []
        for data in [start + each for each in repeated(unit)]:
            hub = session_ends("IK")[1]
            assert peak(lambda hub=hub, data=data: in_pieces(hub, data, 64)) <= 2 * HELD_BYTES  # type: ignore[misc]
            hub = session_ends("IK")[1]
            costs.append(steps(lambda hub=hub, data=data: in_pieces(hub, data, 64)) / len(data))  # type: ignore[misc]
            assert hub.closed and not hub.up
        assert costs[-1] <= max(costs[0], 30)
