"""The board's crypto backend: the inner loops in viper machine code, the rest in plain Python.

X25519 and the cipher have no branch or index that depends on a secret. Ed25519 is over Python's integers
(see `ed25519.py`). The cipher's work space is made once, so a record costs no more heap than its own bytes; that of
a key agreement and of a hash is made for each, since they are rare and a small heap has better use for it.
"""

from protocol.crypto import CryptoError, ed25519, viper_chacha, viper_poly, viper_sha512, viper_x25519
from protocol.crypto.hashes import hmac_sha256, same, sha256
from protocol.crypto.sha512 import padding
from protocol.crypto.sha512_table import ROUNDS, START

name = "viper"

__all__ = [
    "hmac_sha256",
    "is_public_key",
    "name",
    "open",
    "open_in_place",
    "public_key",
    "random",
    "seal",
    "seal_in_place",
    "sha256",
    "sign",
    "verify",
    "x25519",
]

is_public_key = ed25519.is_public_key


def random(count: int) -> bytes:
    import os

    return os.urandom(count)


# X25519: field elements of 20 words; `work` holds the columns and the padded factor of `multiply`
def x25519(scalar: bytes, point: bytes) -> bytes:
    if len(scalar) != 32 or len(point) != 32:
        raise CryptoError("X25519 takes 32 and 32 bytes")
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    x1, x2, z2, x3, z3, a, b, c, d = [bytearray(80) for _ in range(9)]
    work = bytearray(4 * 70)
    viper_x25519.unpack(x1, bytes(point) + b"\0\0")
    x2[0] = z3[0] = 1
    x3[:] = x1
    viper_x25519.ladder(k, x1, x2, z2, x3, z3, a, b, c, d, work)
    _invert(a, z2, b, c, d, work)
    viper_x25519.multiply(x2, x2, a, work)
    viper_x25519.pack(k, x2)
    some = 0
    for byte in k:
        some |= byte
    if some == 0:
        raise CryptoError("X25519 gave the all-zero result")
    return bytes(k)


def _squares(out: bytearray, a: bytearray, count: int, work: bytearray) -> None:
    viper_x25519.multiply(out, a, a, work)
    for _ in range(count - 1):
        viper_x25519.multiply(out, out, out, work)


def _invert(out: bytearray, z: bytearray, a: bytearray, b: bytearray, c: bytearray, w: bytearray) -> None:
    """out = z^(p-2), by the usual chain of 254 squarings and 11 products; zero gives zero."""
    multiply = viper_x25519.multiply
    _squares(a, z, 1, w)  # 2
    _squares(b, a, 2, w)  # 8
    multiply(b, b, z, w)  # 9
    multiply(a, a, b, w)  # 11
    _squares(c, a, 1, w)  # 22
    multiply(b, b, c, w)  # 2^5 - 1
    _squares(c, b, 5, w)
    multiply(b, c, b, w)  # 2^10 - 1
    _squares(c, b, 10, w)
    multiply(c, c, b, w)  # 2^20 - 1
    _squares(out, c, 20, w)
    multiply(c, out, c, w)  # 2^40 - 1
    _squares(c, c, 10, w)
    multiply(b, c, b, w)  # 2^50 - 1
    _squares(c, b, 50, w)
    multiply(c, c, b, w)  # 2^100 - 1
    _squares(out, c, 100, w)
    multiply(c, out, c, w)  # 2^200 - 1
    _squares(c, c, 50, w)
    multiply(b, c, b, w)  # 2^250 - 1
    _squares(b, b, 5, w)
    multiply(out, b, a, w)  # 2^255 - 21


# the cipher: the key's words and one block of key stream; the sum, factor and work space of Poly1305
_words = bytearray(64)
_stream = bytearray(64)
_sums = bytearray(196)
_block = bytearray(16)


def _begin(key: bytes, nonce: bytes) -> None:
    """Sets the words of the cipher and takes the one-time key (RFC 8439 section 2.6) from block 0."""
    _words[0:16] = b"expand 32-byte k"
    _words[16:48] = key
    _words[48:52] = b"\0\0\0\0"
    _words[52:64] = nonce
    viper_chacha.chacha_block(_stream, _words)
    viper_poly.poly_begin(_sums, _stream)


def _cipher(data: bytearray, length: int) -> None:
    """data[:length] ^= key stream from the next block on."""
    for start in range(0, length, 64):
        viper_chacha.chacha_block(_stream, _words)
        count = length - start
        viper_poly.xor(data, start, _stream, count if count < 64 else 64)


def _absorb(data: "bytes | bytearray", length: int) -> None:
    whole = length >> 4
    viper_poly.poly_blocks(_sums, data, 0, whole)
    rest = length & 15
    if rest:
        # padded with zeros to a full block (RFC 8439 section 2.8)
        _block[:] = bytes(16)
        _block[:rest] = data[length - rest : length]
        viper_poly.poly_blocks(_sums, _block, 0, 1)


def _tag(pad: bytes, ad: bytes, data: "bytes | bytearray", length: int) -> bytes:
    _absorb(ad, len(ad))
    _absorb(data, length)
    _block[:] = len(ad).to_bytes(8, "little") + length.to_bytes(8, "little")
    viper_poly.poly_blocks(_sums, _block, 0, 1)
    viper_poly.poly_tag(_block, _sums, pad)
    return bytes(_block)


def seal(key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> bytes:
    length = len(plaintext)
    sealed = bytearray(length + 16)
    sealed[:length] = plaintext
    seal_in_place(key, nonce, ad, sealed, length)
    return bytes(sealed)


def seal_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if len(key) != 32 or len(nonce) != 12 or len(buffer) < length + 16:
        raise CryptoError("the cipher takes a key of 32, a nonce of 12 and room for a tag of 16 bytes")
    _begin(key, nonce)
    pad = bytes(_stream[16:32])
    _cipher(buffer, length)
    buffer[length : length + 16] = _tag(pad, ad, buffer, length)


def open(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes:
    buffer = bytearray(sealed)
    open_in_place(key, nonce, ad, buffer, len(sealed))
    return bytes(memoryview(buffer)[: len(sealed) - 16])


def open_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if len(key) != 32 or len(nonce) != 12 or not 16 <= length <= len(buffer):
        raise CryptoError("the cipher takes a key of 32, a nonce of 12 and a tag of 16 bytes")
    _begin(key, nonce)
    pad = bytes(_stream[16:32])
    length -= 16
    if not same(_tag(pad, ad, buffer, length), buffer[length : length + 16]):
        raise CryptoError("the tag does not match")
    _cipher(buffer, length)


def sha512(data: bytes) -> bytes:
    """FIPS 180-4: 64 bytes."""
    # the constants as words of this machine, the state, the schedule, the working words
    constants = bytearray(640)
    state = bytearray(64)
    space = bytearray(128), bytearray(64)
    viper_sha512.big_endian(constants, 0, ROUNDS, 0, 160)
    viper_sha512.big_endian(state, 0, START, 0, 16)
    whole = len(data) & ~127
    for start in range(0, whole, 128):
        _sha512_block(state, data, start, constants, space)
    last = bytes(data[whole:]) + padding(len(data))
    for start in range(0, len(last), 128):
        _sha512_block(state, last, start, constants, space)
    digest = bytearray(64)
    viper_sha512.to_bytes(digest, state)
    return bytes(digest)


def _sha512_block(
    state: bytearray, data: bytes, start: int, constants: bytearray, space: "tuple[bytearray, bytearray]"
) -> None:
    schedule, working = space
    viper_sha512.big_endian(schedule, 0, data, start, 32)
    working[:] = state
    for at in range(0, 160, 32):
        if at:
            viper_sha512.schedule(schedule)
        viper_sha512.rounds(working, schedule, constants, at)
    viper_sha512.accumulate(state, working)


def public_key(seed: bytes) -> bytes:
    return ed25519.public_key(seed, sha512)


def sign(seed: bytes, message: bytes) -> bytes:
    return ed25519.sign(seed, message, sha512)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    return ed25519.verify(public, message, signature, sha512)
