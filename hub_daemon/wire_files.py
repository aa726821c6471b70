"""perch wire: one file over an authenticated stream, resumed from what the receiver has on disk.

Over the session's stream, each way, messages of `kind u8 | length u32 | content`; content is deterministic CBOR except
for DATA. The sender offers {1: SHA-256, 2: size, 3: name}; the receiver answers {1: bytes it has, 2: SHA-256 of those};
DATA follows from there; the receiver ends with {1: verified, 2: its figures}. A broken connection starts with the offer
again. What is on disk is named by content (`<sha256>.part`), so that its length is the whole state.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from protocol import cbor
from protocol.errors import Refusal
from protocol.stack import Stack

OFFER, HAVE, DATA, DONE = 1, 2, 3, 4
HEAD_BYTES = 5
PIECE_BYTES = 32 * 1024
MESSAGE_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 1 << 40
NAME_CHARS_MAX = 120
SYNC_BYTES = 256 * 1024  # written to disk for good this often: what a power cut can cost


class WireFileRefused(Refusal):
    """The other end sent something that is not this exchange."""


class Messages:
    """Messages over a stack's stream, both ways; what does not fit into the stack yet waits here."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._in = bytearray()
        self._out = bytearray()

    def reset(self) -> None:
        """A new connection: what was half sent or half received is void."""
        self._in.clear()
        self._out.clear()

    def send(self, kind: int, content: bytes) -> None:
        self._out += bytes([kind]) + len(content).to_bytes(4, "big") + content

    def flush(self) -> bool:
        """Push into the stack; True when nothing waits here."""
        while self._out:
            taken = self._stack.write(bytes(self._out[:8192]))
            if not taken:
                return False
            del self._out[:taken]
        return True

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        self._in += data
        found = []
        while len(self._in) >= HEAD_BYTES:
            length = int.from_bytes(self._in[1:5], "big")
            if length > MESSAGE_BYTES_MAX:
                raise WireFileRefused("a message of impossible length")
            if len(self._in) < HEAD_BYTES + length:
                break
            found.append((self._in[0], bytes(self._in[HEAD_BYTES : HEAD_BYTES + length])))
            del self._in[: HEAD_BYTES + length]
        return found


def fields(content: bytes, shape: dict[int, type]) -> dict[int, Any]:
    """A CBOR map with exactly these keys and types; WireFileRefused for anything else."""
    value = cbor.loads(content)
    if not isinstance(value, dict) or set(value) != set(shape):
        raise WireFileRefused("a message without its fields")
    for key, kind in shape.items():
        if type(value[key]) is not kind:
            raise WireFileRefused("a field of another type")
    return value


class Sending:
    """The sender's half: `done` once the receiver has verified the file."""

    def __init__(self, path: Path, stack: Stack) -> None:
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        self.digest = digest_of(self._file, self.size)
        self.name = path.name
        self.at = 0
        self.done = False
        self.failed = ""
        self.resumed_from: list[int] = []
        self.peer_figures: dict[str, int] = {}
        self._messages = Messages(stack)
        self._sending = False

    def connected(self) -> None:
        self._messages.reset()
        self._sending = False
        offer = {1: self.digest, 2: self.size, 3: self.name[-NAME_CHARS_MAX:]}
        self._messages.send(OFFER, cbor.dumps(offer))

    def receive(self, data: bytes) -> None:
        for kind, content in self._messages.receive(data):
            if kind == HAVE and not self._sending:
                self._start(fields(content, {1: int, 2: bytes}))
            elif kind == DONE:
                self._finish(fields(content, {1: bool, 2: dict}))
            else:
                raise WireFileRefused("a message out of turn")

    def _start(self, have: dict[int, Any]) -> None:
        """Go on behind what the receiver has, if that is the beginning of this file."""
        offset = have[1]
        if not 0 <= offset <= self.size or digest_of(self._file, offset) != have[2]:
            offset = 0
        self._messages.send(HAVE, cbor.dumps({1: offset}))
        self.resumed_from.append(offset)
        self.at = offset
        self._file.seek(offset)
        self._sending = True

    def _finish(self, done: dict[int, Any]) -> None:
        self.peer_figures = {
            str(name): value for name, value in done[2].items() if type(value) is int and type(name) is str
        }
        self._sending = False
        if done[1]:
            self.done = True
        else:
            self.connected()  # what was on the receiver's disk was not this file: once more, from the start

    def pump(self) -> None:
        """Hand the stack as much as it takes."""
        while self._messages.flush() and self._sending and self.at < self.size:
            piece = self._file.read(PIECE_BYTES)
            if not piece:
                self.failed = f"{self.name} became shorter while it was being sent"
                self._sending = False
                return
            self.at += len(piece)
            self._messages.send(DATA, piece)

    def close(self) -> None:
        self._file.close()


class Receiving:
    """The receiver's half: files named by content until they are whole and verified."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self._folder = folder
        self._stack = stack
        self._messages = Messages(stack)
        self._part: BinaryIO | None = None
        self._part_path = folder
        self._unsynced = 0
        self.digest = b""
        self.name = ""
        self.size = 0
        self.at = 0
        self.first_at = 0
        self.saved: Path | None = None  # the last file that was completed
        self.files = 0

    def connected(self) -> None:
        self._messages.reset()
        self._close_part()

    def receive(self, data: bytes) -> None:
        for kind, content in self._messages.receive(data):
            if kind == OFFER:
                self._offered(fields(content, {1: bytes, 2: int, 3: str}))
            elif kind == HAVE and self._part is not None:
                self._start(fields(content, {1: int})[1])
            elif kind == DATA and self._part is not None:
                self._write(content)
            else:
                raise WireFileRefused("a message out of turn")

    def _offered(self, offer: dict[int, Any]) -> None:
        if len(offer[1]) != 32 or not 0 <= offer[2] <= FILE_BYTES_MAX:
            raise WireFileRefused("an impossible offer")
        self._close_part()
        self.digest, self.size, self.name = offer[1], offer[2], safe_name(offer[3])
        self._part_path = self._folder / f"{self.digest.hex()}.part"
        self._part = self._part_path.open("r+b" if self._part_path.exists() else "w+b")
        self.at = min(os.fstat(self._part.fileno()).st_size, self.size)
        have = {1: self.at, 2: digest_of(self._part, self.at)}
        self._messages.send(HAVE, cbor.dumps(have))

    def _start(self, offset: int) -> None:
        assert self._part is not None
        if offset not in (0, self.at):
            raise WireFileRefused("a start that was not offered")
        self._part.seek(offset)
        self._part.truncate()
        self.at = self.first_at = offset
        self._check_whole()

    def _write(self, piece: bytes) -> None:
        assert self._part is not None
        if self.at + len(piece) > self.size:
            raise WireFileRefused("more bytes than were offered")
        self._part.write(piece)
        self.at += len(piece)
        self._unsynced += len(piece)
        if self._unsynced >= SYNC_BYTES:
            self._sync()
        self._check_whole()

    def _sync(self) -> None:
        assert self._part is not None
        self._part.flush()
        os.fdatasync(self._part.fileno())
        self._unsynced = 0

    def _check_whole(self) -> None:
        if self.at < self.size or self._part is None:
            return
        self._sync()
        verified = digest_of(self._part, self.size) == self.digest
        if verified:
            self._close_part()
            self.saved = self._keep()
            self.files += 1
        else:
            self._part.truncate(0)
            self._close_part()
        figures = {name: value for name, value in self._stack.link.counters.items() if value >= 0}
        self._messages.send(DONE, cbor.dumps({1: verified, 2: figures}))

    def _keep(self) -> Path:
        """The whole file under its own name; another file of that name is left alone."""
        target = self._folder / self.name
        if target.exists() and not same_content(target, self.size, self.digest):
            target = self._folder / f"{self.digest.hex()[:8]}-{self.name}"
        self._part_path.replace(target)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return target

    def pump(self) -> None:
        """Hand the stack what waits."""
        self._messages.flush()

    def _close_part(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def close(self) -> None:
        self._close_part()


def digest_of(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first `size` bytes; leaves the file positioned behind them."""
    file.flush()
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (piece := file.read(min(size, 1 << 20))):
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


def same_content(path: Path, size: int, digest: bytes) -> bool:
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size == size and digest_of(file, size) == digest


def safe_name(name: str) -> str:
    """A file name and nothing else: no folders, no hidden files, no control characters."""
    name = re.sub(r"[^\w .()+-]", "_", name.replace("\\", "/").rpartition("/")[2])
    name = name.strip(" .")[-NAME_CHARS_MAX:]
    return name if name and not name.endswith(".part") else f"{name or 'file'}.received"
