"""The hub's disk with a power that can fail: before and after every commit and every file operation of the blob store.

What a cut leaves is modelled on what POSIX and SQLite promise. Bytes of a file are there once its fsync returned; a
name is there, or changed, once the fsync of its directory returned; before that all of it may be there or none
(`keep_unsynced`). A rename is one change, as every file system with a journal keeps it. A commit with synchronous=FULL
is there once COMMIT returned; in the middle of it (TORN) the write-ahead log ends anywhere, which SQLite finds by its
checksums.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub_daemon import blobs, keys
from hub_daemon.store import Store
from tests.kits.faulty_storage import AFTER, BEFORE, TORN, PowerCut

DATABASE = "hub.sqlite3"
LOG = DATABASE + "-wal"  # SQLite's write-ahead log


class FaultyDisk:
    """One hub's data directory, filled with `files`; `operations` counts, and the power goes at number `cut_at`."""

    def __init__(self, directory: Path, files: dict[str, bytes]) -> None:
        self.directory = directory
        self.cut_at: int | None = None
        self.moment = BEFORE
        self.operations = 0
        self.dead = False
        self._torn_log: bytes | None = None
        self._os = _Os(self)
        fill(directory, files)
        self._names: dict[str, int] = {}  # durable entries -> inode
        self._bytes: dict[int, bytes] = {}  # durable bytes of an inode
        self._renamed: list[tuple[Path, Path]] = []
        for name in files:
            inode = (directory / name).stat().st_ino
            self._names[name], self._bytes[inode] = inode, files[name]

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """While this lasts, the blob store's file operations are those of this disk."""
        before = blobs.os, keys.os
        blobs.os = keys.os = self._os  # type: ignore[assignment]
        try:
            yield
        finally:
            blobs.os, keys.os = before

    def open_store(self) -> Store:
        return _Store(self)

    # the power

    def check(self) -> None:
        if self.dead:
            raise PowerCut()

    def before(self) -> str:
        """An operation begins: the moment at which the power goes in it, "" for none; raises PowerCut for BEFORE."""
        self.check()
        here = self.operations == self.cut_at
        self.operations += 1
        if not here:
            return ""
        if self.moment == BEFORE:
            self.dead = True
            raise PowerCut()
        return self.moment

    def die(self) -> None:
        self.dead = True
        raise PowerCut()

    # what is durable

    def note_bytes(self, path: Path) -> None:
        """Everything written to this file is on the disk."""
        self._bytes[path.stat().st_ino] = path.read_bytes()

    def note_names(self, directory: Path) -> None:
        """Every name in this directory is on the disk as it is now, and what was renamed is nowhere else."""
        for source, target in self._renamed:
            if directory in (source.parent, target.parent):
                self._names.pop(source.relative_to(self.directory).as_posix(), None)
        self._renamed = [pair for pair in self._renamed if directory not in (pair[0].parent, pair[1].parent)]
        folder = directory.relative_to(self.directory).as_posix() + "/"
        gone = [name for name in self._names if name.startswith(folder) and "/" not in name[len(folder) :]]
        for name in gone:
            del self._names[name]
        for path in directory.iterdir():
            if path.is_file():
                self._names[folder + path.name] = path.stat().st_ino

    def note_rename(self, source: Path, target: Path) -> None:
        self._renamed.append((source, target))

    def forget(self, inode: int) -> None:
        """A new file: whatever an older one of this inode had is not its."""
        self._bytes.pop(inode, None)

    def tear_log(self, size_before: int) -> None:
        """The commit under way is half in the write-ahead log."""
        log = (self.directory / LOG).read_bytes()
        half = size_before + (len(log) - size_before) // 2
        self._torn_log = log[:half]

    def survivors(self, keep_unsynced: bool) -> dict[str, bytes]:
        """The files as they are found when the power is back."""
        found = {}
        for name in (DATABASE, LOG):
            path = self.directory / name
            if path.exists():
                found[name] = path.read_bytes()
        if self._torn_log is not None:
            found[LOG] = self._torn_log
        if not keep_unsynced:
            for name, inode in self._names.items():
                if not name.startswith(DATABASE):
                    found[name] = self._bytes.get(inode, b"")
            return found
        for path in (self.directory / "blobs").rglob("*"):
            if path.is_file():
                found[path.relative_to(self.directory).as_posix()] = path.read_bytes()
        return found


def fill(directory: Path, files: dict[str, bytes]) -> None:
    """Write `files` (names relative to `directory`)."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class _Os:
    """The module `os` as the blob store sees it; what changes the disk is counted and may be cut."""

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        self._paths: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _counted(self, act: Any, torn: Any = None) -> Any:
        moment = self._disk.before()
        if moment == TORN and torn is not None:
            torn()
            self._disk.die()
        result = act()
        if moment:
            self._disk.die()
        return result

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        new = bool(flags & os.O_CREAT) and not Path(path).exists()

        def act() -> int:
            descriptor = os.open(path, flags, mode)
            if new:
                self._disk.forget(os.fstat(descriptor).st_ino)
            return descriptor

        descriptor: int = self._counted(act) if new or flags & os.O_TRUNC else act()
        self._paths[descriptor] = Path(path)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        written: int = self._counted(
            lambda: os.write(descriptor, data), lambda: os.write(descriptor, bytes(data)[: len(data) // 2])
        )
        return written

    def ftruncate(self, descriptor: int, size: int) -> None:
        if os.fstat(descriptor).st_size != size:
            self._counted(lambda: os.ftruncate(descriptor, size))

    def fdatasync(self, descriptor: int) -> None:
        self.fsync(descriptor)

    def fsync(self, descriptor: int) -> None:
        path = self._paths[descriptor]

        def act() -> None:
            if path.is_dir():
                self._disk.note_names(path)
            else:
                self._disk.note_bytes(path)

        self._counted(act)

    def replace(self, source: Any, target: Any) -> None:
        def act() -> None:
            os.replace(source, target)
            self._disk.note_rename(Path(source), Path(target))

        self._counted(act)


class _Store(Store):
    """The hub's store on a FaultyDisk: each COMMIT is an operation."""

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__(disk.directory / DATABASE)

    def _connect(self) -> sqlite3.Connection:
        return _Connection(super()._connect(), self._disk)  # type: ignore[return-value]


class _Connection:
    """An sqlite3.Connection whose COMMIT may lose its power."""

    def __init__(self, connection: sqlite3.Connection, disk: FaultyDisk) -> None:
        self._connection = connection
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return self._connection.execute(sql, *values)
        moment = self._disk.before()
        log = self._disk.directory / LOG
        size = log.stat().st_size if log.exists() else 0
        cursor = self._connection.execute(sql)
        if moment == TORN:
            self._disk.tear_log(size)
        if moment:
            self._disk.die()
        return cursor


__all__ = ["AFTER", "BEFORE", "TORN", "FaultyDisk", "PowerCut", "fill"]
