"""Frames: what goes in comes out, one flipped bit is repaired, and no prefix makes the reader deaf."""

import binascii
import sys

from protocol import frame
from protocol.errors import Misuse
from protocol.limits import FRAME_PAYLOAD_BYTES_MAX
from sim.memory_wire import Lcg

MICRO = sys.implementation.name == "micropython"
SIZES = (0, 1, 2, 5, 252, 253, 254, 255, 256, 507, 508, 509, 1000)


def payloads():
    random = Lcg(1)
    for size in SIZES:
        yield random.bytes(size)
        yield bytes(size)
        yield b"\x01" * size
        yield (b"\x00\xff" * size)[:size]


def test_every_payload_comes_back_between_two_zeros():
    for payload in payloads():
        wire = frame.encode(payload)
        assert wire[0] == 0 and wire[-1] == 0 and wire.find(b"\0", 1) == len(wire) - 1
        assert len(wire) <= 2 + frame.encoded_bytes_max(len(payload))
        assert frame.Reader().feed(wire) == [payload]


def test_frames_in_one_piece_or_byte_by_byte_give_the_same_payloads():
    wire = b"".join([frame.encode(payload) for payload in payloads()])
    assert frame.Reader().feed(wire) == list(payloads())
    reader = frame.Reader()
    got = []
    for at in range(len(wire)):
        got += reader.feed(wire[at : at + 1])
    assert got == list(payloads())


def test_the_stuffing_is_that_of_the_published_examples():
    # Cheshire and Baker; the examples of the usual tables
    for plain, stuffed in (
        ("00", "0101"),
        ("0000", "010101"),
        ("00110000", "0102110101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
    ):
        data = bytes.fromhex(plain)
        out = bytearray(20)
        end = frame.stuff(data, out, 0)
        assert bytes(out[:end]) == bytes.fromhex(stuffed)
        assert frame.unstuff(bytes.fromhex(stuffed), len(stuffed) // 2) == data
    full = bytes(range(1, 255))
    out = bytearray(300)
    assert bytes(out[: frame.stuff(full, out, 0)]) == b"\xff" + full
    out = bytearray(300)
    assert bytes(out[: frame.stuff(full + b"\xff", out, 0)]) == b"\xff" + full + b"\x02\xff"


def test_the_check_is_crc32_over_the_encoded_bytes():
    wire = frame.encode(b"123456789")
    body = wire[1 : -1 - frame.CHECK_BYTES]
    check = 0
    for byte in wire[-1 - frame.CHECK_BYTES : -1]:
        assert byte & 0x80
        check = check << 7 | byte & 0x7F
    assert check == binascii.crc32(body) & 0xFFFFFFFF


def test_every_single_flipped_bit_is_repaired_wherever_it_is():
    payload = Lcg(3).bytes(30) + bytes(3) + b"\x01\x02\x04\x80"
    wire = frame.encode(payload)
    for bit in range(8 * len(wire)):
        spoiled = bytearray(wire)
        spoiled[bit >> 3] ^= 1 << (bit & 7)
        got = frame.Reader().read(b"\0" + bytes(spoiled) + b"\0")
        outer = bit < 8 or bit >= 8 * (len(wire) - 1)
        assert got == [(payload, True)] or (outer and got == [(payload, False)]), bit


def test_a_repaired_frame_is_marked_and_feed_gives_clean_ones_only():
    spoiled = bytearray(frame.encode(b"hello"))
    spoiled[3] ^= 4
    assert frame.Reader().read(bytes(spoiled)) == [(b"hello", True)]
    reader = frame.Reader()
    assert reader.feed(bytes(spoiled)) == [] and reader.damaged == 1


def test_two_flipped_bits_are_never_taken_for_a_frame():
    wire = frame.encode(b"\x05\x00\x07hello world")
    bits = 8 * len(wire)
    step = 5 if MICRO else 1
    for first in range(8, bits - 8):
        for second in range(first + 1, bits - 8, step):
            spoiled = bytearray(wire)
            spoiled[first >> 3] ^= 1 << (first & 7)
            spoiled[second >> 3] ^= 1 << (second & 7)
            if bytes(spoiled).find(b"\0", 1) < len(spoiled) - 1:
                continue  # then it is two shorter segments, another case
            assert frame.Reader().read(bytes(spoiled)) == [], (first, second)


def test_flips_far_from_the_end_of_a_long_frame_are_repaired():
    payload = Lcg(4).bytes(1024 if MICRO else 4096)
    wire = frame.encode(payload)
    for at in (1, 2, 100, 255, 256, 257, 700, len(wire) - 7, len(wire) - 2):
        spoiled = bytearray(wire)
        spoiled[at] ^= 0x20 if spoiled[at] != 0x20 else 0x40
        assert frame.Reader().read(bytes(spoiled)) == [(payload, True)], at


def test_no_deaf_state_after_any_prefix_of_a_small_alphabet():
    """Exhaustive: every string up to this length, in a reader so small that its buffer overflows too."""
    clean = frame.encode(b"\x07")[1:]  # without its leading zero: the one zero comes from outside
    # a body, its own digits, a code that is too long, and a zero
    alphabet = (0, 2, 0x87, 0xFF)
    length = 5 if MICRO else 8
    count = 0
    prefix = bytearray(length)
    choice = [0] * length
    for total in range(4**length):
        rest = total
        for index in range(length):
            choice[index] = rest & 3
            prefix[index] = alphabet[rest & 3]
            rest >>= 2
        for repair in (True, False):
            reader = frame.Reader(1)
            reader.read(bytes(prefix), repair)
            got = reader.read(b"\0" + clean, repair)
            assert got and got[-1] == (b"\x07", False), (bytes(prefix), got)
            count += 1
    assert count == 2 * 4**length


def test_no_deaf_state_after_noise():
    random = Lcg(9)
    reader = frame.Reader(64)
    for _ in range(200 if MICRO else 3000):
        noise = random.bytes(random.below(200))
        reader.read(noise)
        got = reader.read(b"\0" + frame.encode(b"here")[1:])
        assert got[-1] == (b"here", False)


def test_a_segment_without_end_costs_no_more_than_the_longest_frame():
    reader = frame.Reader(100)
    for _ in range(200):
        assert reader.feed(b"\x55" * 999) == []
    assert len(reader._held) <= frame.encoded_bytes_max(100)
    assert reader.feed(b"\0" + frame.encode(b"after")) == [b"after"]
    assert reader.damaged == 1


def test_a_payload_beyond_the_bound_is_our_own_mistake():
    try:
        frame.encode(bytes(FRAME_PAYLOAD_BYTES_MAX + 1))
    except Misuse:
        return
    raise AssertionError("taken")


def test_a_frame_longer_than_the_reader_takes_is_left_out_and_the_next_one_is_taken():
    reader = frame.Reader(50)
    assert reader.feed(frame.encode(bytes(200)) + frame.encode(b"next")) == [b"next"]
