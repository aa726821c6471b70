"""The reference crypto backend: plain Python that reads like the RFCs, on either interpreter.

It is slow and its time depends on its values; nothing in Perch runs on it but the tests of the others.
"""

from protocol.crypto import CryptoError, ed25519
from protocol.crypto.hashes import hmac_sha256, same, sha256
from protocol.crypto.sha512 import sha512

name = "pure"

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


def x25519(scalar: bytes, point: bytes) -> bytes:
    if len(scalar) != 32 or len(point) != 32:
        raise CryptoError("X25519 takes 32 and 32 bytes")
    k = int.from_bytes(scalar, "little") & ((1 << 254) - 8) | (1 << 254)
    u = _ladder(k, int.from_bytes(point, "little") & ((1 << 255) - 1))
    if u == 0:
        raise CryptoError("X25519 gave the all-zero result")
    return u.to_bytes(32, "little")


def _ladder(k: int, u: int) -> int:
    """RFC 7748 section 5."""
    p = ed25519.P
    x2, z2, x3, z3 = 1, 0, u, 1
    swap = 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap != bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a = x2 + z2
        b = x2 - z2
        aa = a * a % p
        bb = b * b % p
        e = aa - bb
        da = (x3 - z3) * a % p
        cb = (x3 + z3) * b % p
        x3 = (da + cb) * (da + cb) % p
        z3 = u * ((da - cb) * (da - cb) % p) % p
        x2 = aa * bb % p
        z2 = e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return x2 * pow(z2, p - 2, p) % p


def _quarter(x: "list[int]", a: int, b: int, c: int, d: int) -> None:
    """RFC 8439 section 2.1."""
    mask = 0xFFFFFFFF
    x[a] = (x[a] + x[b]) & mask
    v = x[d] ^ x[a]
    x[d] = (v << 16 | v >> 16) & mask
    x[c] = (x[c] + x[d]) & mask
    v = x[b] ^ x[c]
    x[b] = (v << 12 | v >> 20) & mask
    x[a] = (x[a] + x[b]) & mask
    v = x[d] ^ x[a]
    x[d] = (v << 8 | v >> 24) & mask
    x[c] = (x[c] + x[d]) & mask
    v = x[b] ^ x[c]
    x[b] = (v << 7 | v >> 25) & mask


def _chacha_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    """RFC 8439 section 2.3: 64 bytes of key stream."""
    words = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
    start = [int.from_bytes(words[i : i + 4], "little") for i in range(0, 64, 4)]
    x = start[:]
    for _ in range(10):
        for i in range(4):
            _quarter(x, i, i + 4, i + 8, i + 12)
        for i in range(4):
            _quarter(x, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12)
    return b"".join([((a + b) & 0xFFFFFFFF).to_bytes(4, "little") for a, b in zip(x, start)])


def _chacha(key: bytes, nonce: bytes, data: bytes) -> bytes:
    result = bytearray(data)
    for offset in range(0, len(data), 64):
        stream = _chacha_block(key, 1 + offset // 64, nonce)
        for i in range(min(64, len(data) - offset)):
            result[offset + i] ^= stream[i]
    return bytes(result)


def _tag(key: bytes, nonce: bytes, ad: bytes, ciphertext: bytes) -> bytes:
    """RFC 8439 sections 2.5 and 2.8: Poly1305 over both, padded to 16, and their lengths."""
    one_time = _chacha_block(key, 0, nonce)
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    lengths = len(ad).to_bytes(8, "little") + len(ciphertext).to_bytes(8, "little")
    total = 0
    for part in (ad, ciphertext, lengths):
        for i in range(0, len(part), 16):
            # a short block is padded with zeros, so its 2^128 bit stands where that of a full one does
            block = int.from_bytes(part[i : i + 16], "little") | 1 << 128
            total = (total + block) * r % ((1 << 130) - 5)
    total = (total + int.from_bytes(one_time[16:32], "little")) & ((1 << 128) - 1)
    return total.to_bytes(16, "little")


def seal(key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> bytes:
    if len(key) != 32 or len(nonce) != 12:
        raise CryptoError("the cipher takes a key of 32 and a nonce of 12 bytes")
    ciphertext = _chacha(key, nonce, plaintext)
    return ciphertext + _tag(key, nonce, ad, ciphertext)


def seal_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if len(buffer) < length + 16:
        raise CryptoError("the cipher takes room for a tag of 16 bytes")
    buffer[: length + 16] = seal(key, nonce, ad, bytes(buffer[:length]))


def open(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes:
    if len(key) != 32 or len(nonce) != 12 or len(sealed) < 16:
        raise CryptoError("the cipher takes a key of 32, a nonce of 12 and a tag of 16 bytes")
    ciphertext = bytes(sealed[:-16])
    if not same(_tag(key, nonce, ad, ciphertext), sealed[-16:]):
        raise CryptoError("the tag does not match")
    return _chacha(key, nonce, ciphertext)


def open_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if length > len(buffer):
        raise CryptoError("the buffer is shorter than what it holds")
    buffer[: max(0, length - 16)] = open(key, nonce, ad, bytes(buffer[:length]))


def public_key(seed: bytes) -> bytes:
    return ed25519.public_key(seed, sha512)


def sign(seed: bytes, message: bytes) -> bytes:
    return ed25519.sign(seed, message, sha512)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    return ed25519.verify(public, message, signature, sha512)
