"""The crypto backends against each other, PyNaCl and the standard library, on values nobody chose."""

import hashlib
import hmac
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings
from nacl.signing import SigningKey

from protocol import crypto
from protocol.crypto import ed25519, ed25519_table, nacl, pure, sha512, sha512_table
from tests.kits import micropython

KEY = st.binary(min_size=32, max_size=32)
NONCE = st.binary(min_size=12, max_size=12)
P, L = ed25519.P, ed25519.L


@settings(max_examples=60, deadline=None)
@given(KEY, KEY)
def test_x25519_is_that_of_libsodium(scalar: bytes, point: bytes) -> None:
    results = []
    for backend in (pure, nacl):
        try:
            results.append(backend.x25519(scalar, point))
        except crypto.CryptoError:
            results.append(b"refused")
    assert results[0] == results[1]
    if results[0] != b"refused":
        assert results[0] == bindings.crypto_scalarmult(scalar, point)


@settings(max_examples=40, deadline=None)
@given(KEY, NONCE, st.binary(max_size=80), st.binary(max_size=300))
def test_the_cipher_is_that_of_libsodium(key: bytes, nonce: bytes, ad: bytes, text: bytes) -> None:
    sealed = pure.seal(key, nonce, ad, text)
    assert sealed == nacl.seal(key, nonce, ad, text)
    assert nacl.open(key, nonce, ad, sealed) == pure.open(key, nonce, ad, sealed) == text


@settings(max_examples=30, deadline=None)
@given(KEY, st.binary(max_size=300))
def test_ed25519_is_that_of_libsodium(seed: bytes, message: bytes) -> None:
    key = SigningKey(seed)
    signature = key.sign(message).signature
    assert pure.sign(seed, message) == nacl.sign(seed, message) == signature
    assert pure.public_key(seed) == nacl.public_key(seed) == bytes(key.verify_key)
    assert pure.verify(bytes(key.verify_key), message, signature)
    assert nacl.verify(bytes(key.verify_key), message, signature)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=70), st.binary(max_size=10), st.binary(max_size=130))
def test_hostile_signatures_only_ever_answer_false(public: bytes, message: bytes, signature: bytes) -> None:
    assert pure.verify(public, message, signature) is False
    assert nacl.verify(public, message, signature) is False


@settings(max_examples=150, deadline=None)
@given(KEY)
def test_the_backends_agree_on_what_a_public_key_is(public: bytes) -> None:
    assert pure.is_public_key(public) == nacl.is_public_key(public)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=14), st.binary(max_size=20), st.binary(max_size=60))
def test_hostile_sealed_messages_only_ever_raise_the_named_error(
    key: bytes, nonce: bytes, ad: bytes, sealed: bytes
) -> None:
    for backend in (pure, nacl):
        try:
            backend.open(key, nonce, ad, sealed)
        except crypto.CryptoError:
            continue
        raise AssertionError("a forgery")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=200))
def test_hashes_are_those_of_the_standard_library(data: bytes, key: bytes) -> None:
    assert sha512.sha512(data) == hashlib.sha512(data).digest()
    assert pure.hmac_sha256(key, data) == hmac.new(key, data, "sha256").digest()
    assert pure.sha256(data) == hashlib.sha256(data).digest()


def test_the_tables_of_ed25519_are_multiples_of_the_base_point() -> None:
    d = -121665 * pow(121666, -1, P) % P

    def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
        k = d * p[0] * q[0] * p[1] * q[1] % P
        x = (p[0] * q[1] + q[0] * p[1]) * pow(1 + k, -1, P) % P
        return x, (p[1] * q[1] + p[0] * q[0]) * pow(1 - k, -1, P) % P

    def multiply(n: int) -> tuple[int, int]:
        total, step = (0, 1), base
        while n:
            if n & 1:
                total = add(total, step)
            step = add(step, step)
            n >>= 1
        return total

    # RFC 8032 section 5.1
    base = (
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
    )

    def entry(p: tuple[int, int]) -> bytes:
        values = (p[1] + p[0], p[1] - p[0], 2 * d * p[0] * p[1])
        return b"".join((value % P).to_bytes(32, "little") for value in values)

    comb = [multiply(sum((i >> j & 1) << 64 * j for j in range(4))) for i in range(1, 16)]
    assert ed25519_table.BASE_COMB == b"".join(entry(p) for p in comb)
    assert ed25519_table.BASE_ODD == b"".join(entry(multiply(2 * i + 1)) for i in range(8))
    assert multiply(L) == (0, 1)


def test_the_table_of_sha512_holds_the_roots_of_the_primes() -> None:
    primes = [n for n in range(2, 410) if all(n % k for k in range(2, n))][:80]

    def root(value: int, power: int) -> int:
        low, high = 0, 1 << 80
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**power <= value else (low, middle - 1)
        return low & (1 << 64) - 1

    cubes = [root(p << 192, 3).to_bytes(8, "big") for p in primes]
    squares = [root(p << 128, 2).to_bytes(8, "big") for p in primes[:8]]
    assert sha512_table.ROUNDS == b"".join(cubes)
    assert sha512_table.START == b"".join(squares)


def test_a_commitment_of_small_order_is_refused_by_all() -> None:
    # R = neutral point and S = h * a satisfy the equation; libsodium refuses such an R, and so must we
    seed = bytes(32)
    public = pure.public_key(seed)
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    neutral = b"\x01" + bytes(31)
    challenge = int.from_bytes(hashlib.sha512(neutral + public + b"m").digest(), "little")
    signature = neutral + (challenge * scalar % L).to_bytes(32, "little")
    assert not pure.verify(public, b"m", signature)
    assert not nacl.verify(public, b"m", signature)


def test_a_commitment_with_a_part_of_small_order_is_refused_by_all() -> None:
    # a signer who adds the point of order 2 to R makes signatures that only a cofactored verifier takes
    seed = b"\x07" * 32
    public = pure.public_key(seed)
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    r = 12345
    x, y, z, _ = ed25519._multiply_base(r)
    inverse = pow(z, -1, P)
    x, y = -x * inverse % P, -y * inverse % P
    mixed = (y | (x & 1) << 255).to_bytes(32, "little")
    challenge = int.from_bytes(hashlib.sha512(mixed + public + b"m").digest(), "little")
    signature = mixed + ((r + challenge * scalar) % L).to_bytes(32, "little")
    assert not pure.verify(public, b"m", signature)
    assert not nacl.verify(public, b"m", signature)


def test_viper_gives_what_libsodium_gives_on_random_values(tmp_path: Path) -> None:
    source = random.Random(11)
    lines = [f"import sys; sys.path.insert(0, {str(micropython.ROOT)!r})", "from protocol.crypto import viper"]
    for size in [0, 1, 15, 16, 17, 63, 64, 65, 255, 1024] + [source.randrange(400) for _ in range(40)]:
        key, nonce, ad, text = (source.randbytes(n) for n in (32, 12, source.randrange(40), size))
        sealed = nacl.seal(key, nonce, ad, text)
        point = source.randbytes(31) + bytes([source.choice([0, 127, 128, 255])])
        lines.append(f"assert viper.seal({key}, {nonce}, {ad}, {text}) == {sealed}")
        lines.append(f"assert viper.open({key}, {nonce}, {ad}, {sealed}) == {text}")
        lines.append(f"assert viper.x25519({key}, {point}) == {nacl.x25519(key, point)}")
    script = tmp_path / "same.py"
    script.write_text("\n".join([*lines, "print('same')"]))
    done = micropython.run([str(script)], heap="4m")
    assert done.stdout == "same\n", done.stdout[-2000:]
