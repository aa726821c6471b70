"""The viper loops with a board's 32-bit ints: the MicroPython of the other tests has 64-bit ones."""

import hashlib
import random

import pytest

from protocol.crypto import ed25519, pure, sha512
from protocol.crypto.sha512_table import ROUNDS, START
from tests.kits import viper32

FOLDER = viper32.Path(pure.__file__).parent
P = ed25519.P

chacha = viper32.load(FOLDER / "viper_chacha.py")
poly = viper32.load(FOLDER / "viper_poly.py")
curve = viper32.load(FOLDER / "viper_x25519.py")
hashing = viper32.load(FOLDER / "viper_sha512.py")


def test_the_words_wrap_and_shift_as_a_board_does() -> None:
    word = viper32.Word(0x7FFFFFFF) + 1
    assert word < 0 and word >> 31 == -1
    assert viper32.Word(word, True) > 0 and viper32.Word(word, True) >> 31 == 1


def test_chacha20_keeps_within_32_bits() -> None:
    for counter in (0, 1, 0xFFFFFFFF):
        key = bytearray(b"expand 32-byte k" + b"\xff" * 32 + counter.to_bytes(4, "little") + b"\xfe" * 12)
        out = bytearray(64)
        chacha.chacha_block(out, key)
        assert bytes(out) == pure._chacha_block(b"\xff" * 32, counter, b"\xfe" * 12)
        assert key[48:52] == (counter + 1 & 0xFFFFFFFF).to_bytes(4, "little")


@pytest.mark.parametrize("fill", [0xFF, 0x00, 0x7F, None])
def test_poly1305_keeps_within_32_bits(fill: "int | None") -> None:
    source = random.Random(5)
    data = source.randbytes(64) if fill is None else bytes([fill]) * 64
    r = int.from_bytes(b"\xff" * 16, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    sums = bytearray(b"\xff" * 196)
    poly.poly_begin(sums, b"\xff" * 16)
    total = 0
    for i in range(0, 64, 16):
        poly.poly_blocks(sums, data, i, 1)
        total = (total + int.from_bytes(data[i : i + 16], "little") + (1 << 128)) * r % ((1 << 130) - 5)
        found = sum(int.from_bytes(sums[4 * k : 4 * k + 4], "little") << 13 * k for k in range(10))
        assert found % ((1 << 130) - 5) == total


@pytest.mark.parametrize("pad", [0, 1, (1 << 128) - 1])
def test_the_tag_of_any_sum_is_the_sum_modulo_the_prime_and_the_pad(pad: int) -> None:
    prime = (1 << 130) - 5
    source = random.Random(9)
    sums = [0, 1, prime - 1, prime, prime + 1, prime + 4, (1 << 128) - 1, 1 << 128, source.getrandbits(130)]
    for total in sums:
        for more in (0, 320):  # a sum's second limb may be that much too large
            out, state = bytearray(16), bytearray(196)
            words = [total >> 13 * i & 0x1FFF for i in range(10)]
            words[1] += more
            state[:40] = _limbs(words)
            poly.poly_tag(out, state, pad.to_bytes(16, "little"))
            expected = ((total + (more << 13)) % prime + pad) % (1 << 128)
            assert int.from_bytes(out, "little") == expected, (total, more)


def _limbs(values: "list[int]") -> bytearray:
    return bytearray(b"".join((value & 0xFFFFFFFF).to_bytes(4, "little") for value in values))


def _value(element: bytearray) -> int:
    return sum(int.from_bytes(element[4 * i : 4 * i + 4], "little", signed=True) << 13 * i for i in range(20))


def _elements() -> "list[list[int]]":
    """Sums and differences of reduced elements at their extremes, and some between."""
    source = random.Random(6)
    extremes = [[8192] * 20, [-8192] * 20, [8192, -8192] * 10, [8190] * 20, [0] * 20, [1] + [0] * 19]
    return extremes + [[source.randint(-8192, 8192) for _ in range(20)] for _ in range(4)]


def test_a_product_of_the_largest_elements_keeps_within_32_bits_and_comes_out_reduced() -> None:
    out, work = bytearray(80), bytearray(280)
    for a in _elements():
        for b in _elements():
            curve.multiply(out, _limbs(a), _limbs(b), work)
            product = _value(_limbs(a)) * _value(_limbs(b))
            assert _value(out) % P == product % P
            # a sum of two such is at most what _elements() has at its extremes
            for i in range(20):
                limb = int.from_bytes(out[4 * i : 4 * i + 4], "little", signed=True)
                assert -4130 <= limb <= 4130, (i, limb)


def test_the_small_product_keeps_within_32_bits() -> None:
    out, work = bytearray(80), bytearray(280)
    for b in _elements():
        a = [limb // 2 for limb in b]
        curve.multiply_small_add(out, _limbs(a), _limbs(b), work)
        assert _value(out) % P == (_value(_limbs(a)) + 121665 * _value(_limbs(b))) % P


def test_packing_gives_the_least_value_modulo_p_and_unpacking_takes_it_again() -> None:
    source = random.Random(7)
    reduced = [[4130] * 20, [-4130] * 20, [0] * 20, [-1] + [0] * 19]
    reduced += [[source.randint(-4130, 4130) for _ in range(20)] for _ in range(20)]
    near = [P - 1, P, P + 1, 2 * P - 1, 2 * P, 1, 18, 19, (1 << 255) - 1, 31 * P, 32 * P - 1]
    spread = [[value >> 13 * i & 0x1FFF for i in range(20)] for value in near]
    for limbs in reduced + [_signed(one) for one in spread]:
        value = _value(_limbs(limbs))
        out = bytearray(32)
        curve.pack(out, _limbs(limbs))
        assert int.from_bytes(out, "little") == value % P, limbs
        again = bytearray(80)
        curve.unpack(again, bytes(out) + b"\0\0")
        assert _value(again) == value % P
    full = bytearray(80)
    curve.unpack(full, b"\xff" * 32 + b"\0\0")
    assert _value(full) == (1 << 255) - 1


def _signed(limbs: "list[int]") -> "list[int]":
    """The same value in limbs of -4096..4095, as reduced elements have them; the last takes the rest."""
    out, carry = [], 0
    for limb in limbs[:-1]:
        limb += carry
        carry = (limb + 4096) >> 13
        out.append(limb - (carry << 13))
    return [*out, limbs[-1] + carry]


def test_swap_exchanges_negative_limbs_too() -> None:
    a, b = _limbs([-1, 5] * 10), _limbs([7, -4096] * 10)
    before = bytes(a), bytes(b)
    curve.swap(a, b, 0)
    assert (bytes(a), bytes(b)) == before
    curve.swap(a, b, 1)
    assert (bytes(b), bytes(a)) == before


@pytest.mark.parametrize("data", [b"", b"\xff" * 111, bytes(range(111))])
def test_sha512_keeps_within_32_bits(data: bytes) -> None:
    block = data + sha512.padding(len(data))
    rounds, state, schedule = bytearray(640), bytearray(64), bytearray(128)
    hashing.big_endian(rounds, 0, ROUNDS, 0, 160)
    hashing.big_endian(state, 0, START, 0, 16)
    hashing.big_endian(schedule, 0, block, 0, 32)
    working = bytearray(state)
    for at in range(0, 160, 32):
        if at:
            hashing.schedule(schedule)
        hashing.rounds(working, schedule, rounds, at)
    hashing.accumulate(state, working)
    digest = bytearray(64)
    hashing.to_bytes(digest, state)
    assert bytes(digest) == hashlib.sha512(data).digest()
