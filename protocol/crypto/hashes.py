"""SHA-256 and HMAC for every backend: both interpreters have SHA-256 in C."""

import hashlib


def sha256(data: bytes) -> bytes:
    """FIPS 180-4: 32 bytes."""
    return hashlib.sha256(data).digest()


_INNER = int.from_bytes(b"\x36" * 64, "big")
_OUTER = int.from_bytes(b"\x5c" * 64, "big")


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """RFC 2104 with SHA-256: 32 bytes. MicroPython has no hmac module."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    # as integers, for the sake of one XOR instead of 64
    padded = int.from_bytes(key + bytes(64 - len(key)), "big")
    inner = hashlib.sha256((padded ^ _INNER).to_bytes(64, "big"))
    inner.update(data)
    outer = hashlib.sha256((padded ^ _OUTER).to_bytes(64, "big"))
    outer.update(inner.digest())
    return outer.digest()


def same(a: "bytes | bytearray", b: "bytes | bytearray") -> bool:
    """Whether two byte strings are equal, in a time that tells only their lengths."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
