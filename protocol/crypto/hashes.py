"""SHA-256 and HMAC for every backend: both interpreters have SHA-256 in C."""

import hashlib


def sha256(data: bytes) -> bytes:
    """FIPS 180-4: 32 bytes."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """RFC 2104 with SHA-256: 32 bytes. MicroPython has no hmac module."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    inner = bytearray(64)
    outer = bytearray(64)
    for i in range(64):
        byte = key[i] if i < len(key) else 0
        inner[i] = byte ^ 0x36
        outer[i] = byte ^ 0x5C
    digest = hashlib.sha256(inner)
    digest.update(data)
    last = hashlib.sha256(outer)
    last.update(digest.digest())
    return last.digest()


def same(a: bytes, b: bytes) -> bool:
    """Whether two byte strings are equal, in a time that tells only their lengths."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
