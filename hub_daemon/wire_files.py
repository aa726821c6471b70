"""perch wire: one file over an authenticated stream, resumed from what the receiver has on disk.

The sender offers {1: SHA-256, 2: size, 3: name}; the receiver answers HAVE {1: bytes it has, 2: SHA-256 of those};
DATA follows from there; the receiver ends with DONE {1: verified, 2: its figures}. A broken connection starts with the
offer again. What is on disk is named by content (`<sha256>.part`), so that its length is the whole state.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from hub_daemon.wire_check import Check
from hub_daemon.wire_messages import (
    DATA,
    DONE,
    FILL,
    HAVE,
    LAST,
    OFFER,
    PIECE_BYTES,
    PLAN,
    READY,
    VERIFIED,
    Clock,
    Exchange,
    WireRefused,
    fields,
    figures_of,
)
from protocol import cbor
from protocol.stack import Stack

FILE_BYTES_MAX = 1 << 40
NAME_CHARS_MAX = 120
SYNC_BYTES = 256 * 1024  # written to disk for good this often: what a power cut can cost


class Sending(Exchange):
    """The sender's half: `done` once the receiver has verified the file."""

    def __init__(
        self, path: Path, stack: Stack, own: Callable[[], dict[str, int]], baud: int, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(stack, own, baud, clock)
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        self.digest = digest_of(self._file, self.size)
        self.name = path.name
        self.at = 0
        self.done = False
        self.failed = ""
        self.resumed_from: list[int] = []
        self._sending = False

    def begin(self) -> None:
        self._sending = False
        offer = {1: self.digest, 2: self.size, 3: self.name[-NAME_CHARS_MAX:]}
        self.messages.send(OFFER, cbor.dumps(offer))

    def take(self, kind: int, content: bytes) -> None:
        if kind == HAVE and not self._sending:
            self._start(fields(content, {1: int, 2: bytes}))
        elif kind == DONE:
            self._finish(fields(content, {1: bool, 2: dict}))
        else:
            raise WireRefused("a message out of turn")

    def _start(self, have: dict[int, Any]) -> None:
        """Go on behind what the receiver has, if that is the beginning of this file."""
        offset = have[1]
        if not 0 <= offset <= self.size or digest_of(self._file, offset) != have[2]:
            offset = 0
        self.messages.send(HAVE, cbor.dumps({1: offset}))
        self.resumed_from.append(offset)
        self.at = offset
        self._file.seek(offset)
        self._sending = True

    def _finish(self, done: dict[int, Any]) -> None:
        self.peer = figures_of(done[2])
        self._sending = False
        if done[1]:
            self.done = True
        else:
            self.begin()  # what was on the receiver's disk was not this file: once more, from the start

    def push(self) -> None:
        """Hand the stack as much as it takes."""
        while self.messages.flush() and self._sending and self.at < self.size:
            piece = self._file.read(PIECE_BYTES)
            if not piece:
                self.failed = f"{self.name} became shorter while it was being sent"
                self._sending = False
                return
            self.at += len(piece)
            self.messages.send(DATA, piece)

    def close(self) -> None:
        self._file.close()


class Receiving(Exchange):
    """The receiver's half: files named by content until they are whole and verified.

    A receiver answers a check as well: `check` is the one that is under way, or the last one of this connection.
    """

    def __init__(
        self, folder: Path, stack: Stack, own: Callable[[], dict[str, int]], baud: int, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(stack, own, baud, clock)
        self._folder = folder
        self._baud = baud
        self.check: Check | None = None
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

    @property
    def busy(self) -> bool:
        """A file is under way."""
        return self._part is not None

    def begin(self) -> None:
        self._close_part()
        self.check = None  # the other end says anew what it wants, and it may be a file this time

    def take(self, kind: int, content: bytes) -> None:
        if kind == OFFER:
            self._offered(fields(content, {1: bytes, 2: int, 3: str}))
        elif kind == HAVE and self._part is not None:
            self._start(fields(content, {1: int})[1])
        elif kind == DATA and self._part is not None:
            self._write(content)
        elif kind == PLAN and (self.check is None or self.check.done):
            self.check = Check(self, self._baud)
            self.check.say_plan()
            self.check.take(kind, content)
        elif self.check is not None and kind in (PLAN, READY, FILL, LAST, VERIFIED):
            self.check.take(kind, content)
        else:
            raise WireRefused("a message out of turn")

    def _offered(self, offer: dict[int, Any]) -> None:
        if len(offer[1]) != 32 or not 0 <= offer[2] <= FILE_BYTES_MAX:
            raise WireRefused("an impossible offer")
        self._close_part()
        self.digest, self.size, self.name = offer[1], offer[2], safe_name(offer[3])
        self._part_path = self._folder / f"{self.digest.hex()}.part"
        self._part = self._part_path.open("r+b" if self._part_path.exists() else "w+b")
        self.at = min(os.fstat(self._part.fileno()).st_size, self.size)
        have = {1: self.at, 2: digest_of(self._part, self.at)}
        self.messages.send(HAVE, cbor.dumps(have))

    def _start(self, offset: int) -> None:
        assert self._part is not None
        if offset not in (0, self.at):
            raise WireRefused("a start that was not offered")
        self._part.seek(offset)
        self._part.truncate()
        self.at = self.first_at = offset
        self._check_whole()

    def _write(self, piece: bytes) -> None:
        assert self._part is not None
        if self.at + len(piece) > self.size:
            raise WireRefused("more bytes than were offered")
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
        self.messages.send(DONE, cbor.dumps({1: verified, 2: self.own()}))

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

    def push(self) -> None:
        if self.check is not None:
            self.check.push()

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
