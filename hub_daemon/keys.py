"""The hub's own keys: X25519 for sessions and sealed envelopes, Ed25519 to release delivery lists.

Made at the first start, kept in DATA/keys with mode 0600, never sent anywhere. A stolen hub has these and still can
show nobody anything: showing needs the signatures of staff.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from protocol import crypto
from protocol.errors import Refusal

KEY_BYTES = 32
BASE_POINT = (9).to_bytes(32, "little")  # RFC 7748 section 4.1: u = 9


class KeysRefused(Refusal):
    """The key file has the wrong length or can be read by others; the words say which and what to do."""


@dataclass(frozen=True, repr=False)
class HubKeys:
    """`x25519` and `ed25519` are private (32 bytes each); the two `_public` ones stand in the roster."""

    x25519: bytes
    x25519_public: bytes
    ed25519: bytes
    ed25519_public: bytes

    def __repr__(self) -> str:
        return f"HubKeys({self.x25519_public.hex()[:16]}, {self.ed25519_public.hex()[:16]})"


def from_seeds(x25519: bytes, ed25519: bytes) -> HubKeys:
    """Keys of two 32-byte secrets (tests and simulations give their own)."""
    best = crypto.default()
    return HubKeys(x25519, best.x25519(x25519, BASE_POINT), ed25519, best.public_key(ed25519))


def load_or_make(directory: Path) -> HubKeys:
    """The keys in `directory`; made there when it has none. Raises KeysRefused on a file that is not ours alone."""
    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    path = directory / "hub.key"  # both in one file: a power cut at the first start leaves both or neither
    if not path.exists():
        write_secret(path, os.urandom(2 * KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise KeysRefused(f"{path} can be read by others: chmod 600 {path}")
    data = path.read_bytes()
    if len(data) != 2 * KEY_BYTES:
        raise KeysRefused(f"{path} has {len(data)} bytes, not {2 * KEY_BYTES}: put back its backup")
    return from_seeds(data[:KEY_BYTES], data[KEY_BYTES:])


def write_secret(path: Path, data: bytes) -> None:
    """Write `data` to `path` with mode 0600, atomically and durably."""
    part = path.with_name(path.name + ".new")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(part, path)
    fsync_directory(path.parent)


def fsync_directory(directory: Path) -> None:
    """Make a rename in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
