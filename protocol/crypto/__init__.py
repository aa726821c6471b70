"""The one door to cryptography: four primitives, three backends that give the same bytes.

`nacl` is libsodium, on CPython; `viper` is machine code made by MicroPython's compiler, on a board;
`pure` is plain Python on either, the reference that the other two are compared with.
Anything refused by one is refused by all: see `Backend`.
"""

import sys

from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal

if TYPE_CHECKING:
    from typing import Protocol

    class Backend(Protocol):
        """What every backend module offers. Keys, points and seeds are 32 bytes, nonces 12, tags 16.

        A wrong length raises CryptoError, except in `verify`, which answers False and never raises.
        """

        name: str

        def x25519(self, scalar: bytes, point: bytes) -> bytes:
            """RFC 7748 section 5; an all-zero result (section 6.1) raises CryptoError."""

        def seal(self, key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> bytes:
            """RFC 8439 section 2.8: ciphertext, then the 16-byte tag."""

        def seal_in_place(self, key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
            """buffer[:length] becomes ciphertext, and the 16 bytes after it the tag; nothing else is allocated."""

        def open(self, key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes:
            """The inverse of `seal`; anything that does not match raises CryptoError."""

        def open_in_place(self, key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
            """buffer[:length], ciphertext and tag, becomes the plaintext of 16 bytes less; CryptoError leaves it."""

        def sign(self, seed: bytes, message: bytes) -> bytes:
            """RFC 8032 section 5.1.6: 64 bytes."""

        def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
            """RFC 8032 section 5.1.7, strict: canonical encodings only, S < L, and both points of the
            signature's equation in the main subgroup, so one signature fits one key only."""

        def public_key(self, seed: bytes) -> bytes:
            """The Ed25519 public key of a seed."""

        def is_public_key(self, public: bytes) -> bool:
            """Whether `verify` would ever accept this Ed25519 key; asked before a key is trusted."""

        def sha256(self, data: bytes) -> bytes: ...

        def hmac_sha256(self, key: bytes, data: bytes) -> bytes:
            """RFC 2104 over SHA-256."""

        def random(self, count: int) -> bytes:
            """Bytes from the operating system's or the board's generator."""


class CryptoError(Refusal):
    """A key, point, tag or length that the primitives refuse."""


def backend(name: str) -> "Backend":
    """The backend "nacl", "pure" or "viper". A name this interpreter cannot run raises Misuse."""
    try:
        if name == "nacl":
            from protocol.crypto import nacl

            return nacl
        if name == "viper":
            from protocol.crypto import viper

            return viper
        if name == "pure":
            from protocol.crypto import pure

            return pure
    except (ImportError, SyntaxError, NameError):
        raise Misuse("this interpreter cannot run the crypto backend " + name)
    raise Misuse("there is no crypto backend called " + name)


def default() -> "Backend":
    """The best backend of this interpreter; MicroPython makes no machine code for 64-bit ARM."""
    if sys.implementation.name != "micropython":
        return backend("nacl")
    try:
        return backend("viper")
    except Misuse:
        return backend("pure")
