"""The hub's crypto backend: libsodium through PyNaCl, with the strictness of the other backends added."""

from nacl import bindings
from nacl.exceptions import CryptoError as NaclError
from nacl.utils import random as nacl_random

from protocol.crypto import CryptoError
from protocol.crypto.hashes import hmac_sha256, sha256

name = "nacl"

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


def random(count: int) -> bytes:
    return nacl_random(count)


def x25519(scalar: bytes, point: bytes) -> bytes:
    if len(scalar) != 32 or len(point) != 32:
        raise CryptoError("X25519 takes 32 and 32 bytes")
    try:
        shared = bindings.crypto_scalarmult(bytes(scalar), bytes(point))
    except (NaclError, RuntimeError):
        raise CryptoError("X25519 gave the all-zero result")
    if not any(shared):
        raise CryptoError("X25519 gave the all-zero result")
    return shared


def seal(key: bytes, nonce: bytes, ad: bytes, plaintext: bytes) -> bytes:
    if len(key) != 32 or len(nonce) != 12:
        raise CryptoError("the cipher takes a key of 32 and a nonce of 12 bytes")
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(plaintext), bytes(ad), bytes(nonce), bytes(key))


def seal_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if len(buffer) < length + 16:
        raise CryptoError("the cipher takes room for a tag of 16 bytes")
    buffer[: length + 16] = seal(key, nonce, ad, bytes(buffer[:length]))


def open(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes:
    if len(key) != 32 or len(nonce) != 12 or len(sealed) < 16:
        raise CryptoError("the cipher takes a key of 32, a nonce of 12 and a tag of 16 bytes")
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(bytes(sealed), bytes(ad), bytes(nonce), bytes(key))
    except NaclError:
        raise CryptoError("the tag does not match")


def open_in_place(key: bytes, nonce: bytes, ad: bytes, buffer: bytearray, length: int) -> None:
    if length > len(buffer):
        raise CryptoError("the buffer is shorter than what it holds")
    buffer[: max(0, length - 16)] = open(key, nonce, ad, bytes(buffer[:length]))


def public_key(seed: bytes) -> bytes:
    if len(seed) != 32:
        raise CryptoError("an Ed25519 seed has 32 bytes")
    return bindings.crypto_sign_seed_keypair(bytes(seed))[0]


KNOWN_SECRETS_MAX = 256
_secrets: dict[bytes, bytes] = {}  # what libsodium signs with, by seed: the same key signs again and again


def sign(seed: bytes, message: bytes) -> bytes:
    if len(seed) != 32:
        raise CryptoError("an Ed25519 seed has 32 bytes")
    seed = bytes(seed)
    secret = _secrets.get(seed)
    if secret is None:
        if len(_secrets) >= KNOWN_SECRETS_MAX:
            _secrets.clear()
        secret = _secrets[seed] = bindings.crypto_sign_seed_keypair(seed)[1]
    return bindings.crypto_sign(bytes(message), secret)[:64]


def is_public_key(public: bytes) -> bool:
    return len(public) == 32 and bool(bindings.crypto_core_ed25519_is_valid_point(bytes(public)))


KNOWN_KEYS_MAX = 4096
_known_keys: set[bytes] = set()  # valid ones: the keys of a wing are few, public, and come again with every signature


def _is_known_key(public: bytes) -> bool:
    if public in _known_keys:
        return True
    if not is_public_key(public):
        return False
    if len(_known_keys) >= KNOWN_KEYS_MAX:
        _known_keys.clear()
    _known_keys.add(public)
    return True


KNOWN_GOOD_MAX = 4096
_known_good: set[bytes] = set()  # digests of key, signature and message: a roster is looked at with every docking


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    # libsodium 1.0.19 and later multiplies by the cofactor, so R is looked at too: with A and R both
    # in the main subgroup that equation is the one of RFC 8032 without the cofactor, as in `pure`.
    if len(signature) != 64 or not _is_known_key(bytes(public)):
        return False
    signed = bytes(signature) + bytes(message)
    known = sha256(bytes(public) + signed)
    if known in _known_good:
        return True
    if not is_public_key(signed[:32]):
        return False
    try:
        bindings.crypto_sign_open(signed, bytes(public))
    except NaclError:
        return False
    if len(_known_good) >= KNOWN_GOOD_MAX:
        _known_good.clear()
    _known_good.add(known)
    return True
