"""Hub -> here -> world: the disk of a simulated hub, whose power may fail, which may fill, fail to read, or be old.

The hub's SQLite and blob files are real; a cut may come before, in and after every COMMIT and every file operation of
the blob store. What it leaves is modelled on what POSIX and SQLite promise. Bytes of a file are there once its fsync
returned; a name is there, changed or gone, once the fsync of its directory returned; before that all of it may be there
or none. A rename is one change, and renames keep their order, as every file system with a journal has it. A commit with
synchronous=FULL is there once COMMIT returned; in the middle of it (TORN) the write-ahead log ends anywhere, which
SQLite finds by its checksums.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath
from typing import Any

from hub_daemon import blobs, keys
from hub_daemon.store import OperationalError, Store
from sim.box.flash import BEFORE, TORN, PowerCut

DATABASE = "hub.sqlite3"
LOG = DATABASE + "-wal"  # SQLite's write-ahead log
_INDEX = DATABASE + "-shm"  # of that log; no power cut leaves it, SQLite makes it again
_AT_THE_DISK = (blobs, keys)  # the modules that change files with `os`


class Disk:
    """One hub's data directory, filled with `files` (names relative to `directory`), all of them durable.

    `operations` counts; the power goes at number `cut_at` (from 0), at `moment`; then `dead` is set, every further
    change raises PowerCut, and `survivors` are the files that are found. `keep_unsynced` is for whoever asks for them
    after that cut. While `full` is set, new files and bytes are refused with ENOSPC and a COMMIT of changes as SQLite
    does it. `syncs` counts the waits for the disk; each of them should take `slow_sync_ms` of virtual time, which is
    for the world to let pass. `on_commit` is called after each COMMIT that is durable, inside of the store's lock.
    """

    def __init__(self, directory: Path, files: dict[str, bytes]) -> None:
        self.directory: Path = _path_of(self)(directory)
        self.cut_at: int | None = None
        self.moment = BEFORE
        self.keep_unsynced = True
        self.full = False
        self.slow_sync_ms = 0
        self.syncs = 0
        self.on_commit: Callable[[], None] | None = None
        self.operations = 0
        self.dead = False
        self._prefix = len(os.fspath(directory)) + 1
        self._os = _Os(self)
        self._torn_log: bytes | None = None
        self._read_errors: dict[str, int] = {}
        self._files: dict[str, _File] = {}  # by the name that it has now
        self._names: dict[str, dict[str, _File]] = {}  # what is durable: folder -> name -> file
        self._renamed: list[tuple[str, str, _File]] = []  # and not durable yet
        fill(directory, files)
        for name, data in files.items():
            if not name.startswith(DATABASE):
                self._files[name] = _File(self, name, len(data))
                self._names.setdefault(_folder(name), {})[name] = self._files[name]

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """While this lasts, the blob store's file operations are those of this disk."""
        before = [vars(module)["os"] for module in _AT_THE_DISK]
        for module in _AT_THE_DISK:
            vars(module)["os"] = self._os
        try:
            yield
        finally:
            for module, theirs in zip(_AT_THE_DISK, before):
                vars(module)["os"] = theirs

    def open_store(self) -> Store:
        return _Store(self)

    def remove(self) -> None:
        """Delete the directory."""
        shutil.rmtree(os.fspath(self.directory))

    # faults

    def before(self) -> str:
        """An operation begins: the moment at which the power goes in it, "" for none; raises PowerCut for BEFORE."""
        if self.dead:
            raise PowerCut()
        here = self.operations == self.cut_at
        self.operations += 1
        if not here:
            return ""
        if self.moment == BEFORE:
            self.die()
        return self.moment

    def die(self) -> None:
        self.dead = True
        raise PowerCut()

    def counted(self, act: Callable[[], Any], torn: Callable[[], Any] | None = None, grows: bool = False) -> Any:
        """Do an operation on a file, or `torn` where the power goes in the middle of it."""
        moment = self.before()
        if grows and self.full:
            if moment:
                self.die()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        result = torn() if moment == TORN and torn is not None else act()
        if moment:
            self.die()
        return result

    def read_error(self, path: Path | None, times: int = 1) -> None:
        """The next `times` (0: no more) reads of this file of the blob store, None for any, raise OSError EIO."""
        self._read_errors["" if path is None else self.name(path)] = times

    @property
    def read_errors_left(self) -> int:
        """How many reads will still fail."""
        return sum(self._read_errors.values())

    def check_read(self, path: Path) -> None:
        """A file is about to be read; raises OSError EIO where that was asked for."""
        for name in (self.name(path), "") if self._read_errors else ():
            if self._read_errors.get(name, 0) > 0:
                self._read_errors[name] -= 1
                raise OSError(errno.EIO, os.strerror(errno.EIO), os.fspath(path))

    # what is durable

    def name(self, path: Any) -> str:
        """Relative to the directory; "" for itself."""
        return str(os.fspath(path))[self._prefix :]

    def file(self, path: Any) -> _File:
        """What is known of the file that has this path now."""
        name = self.name(path)
        found = self._files.get(name)
        if found is None:
            found = self._files[name] = _File(self, name, 0)
        return found

    def note_new(self, path: Any) -> None:
        """A file was made: nothing of it is durable."""
        name = self.name(path)
        self._files[name] = _File(self, name, 0)

    def note_gone(self, path: Any) -> None:
        """The file of this path is about to vanish; its name on the disk may outlive it."""
        found = self._files.pop(self.name(path), None)
        if found is not None:
            found.keep()

    def note_rename(self, source: Any, target: Any) -> None:
        moved = self.file(source)
        del self._files[moved.name]
        self._renamed.append((moved.name, self.name(target), moved))
        moved.name = self.name(target)
        self._files[moved.name] = moved

    def note_names(self, directory: Path) -> None:
        """Every name in this directory is durable as it is now, and with it every rename so far that touched it."""
        folder = self.name(directory)
        done = 0
        for place, (source, target, _) in enumerate(self._renamed, 1):
            if folder in (_folder(source), _folder(target)):
                done = place
        for source, target, moved in self._renamed[:done]:
            self._names.get(_folder(source), {}).pop(source, None)
            self._names.setdefault(_folder(target), {})[target] = moved
        del self._renamed[:done]
        with os.scandir(directory) as entries:
            found = [self.file(entry.path) for entry in entries if entry.is_file()]
        self._names[folder] = {one.name: one for one in found if not one.name.startswith(DATABASE)}

    def tear_log(self, before: bytes) -> None:
        """The commit that changed the log, which was `before`, is half in it."""
        after = _read(self.directory / LOG)
        first = _alike(before, after)
        last = len(after)
        if len(before) == last:  # written over older frames
            last -= _alike(before[::-1], after[::-1])
        half = first + (last - first) // 2 if first < last else last
        self._torn_log = after[:half] + before[half:]

    def survivors(self, keep_unsynced: bool) -> dict[str, bytes]:
        """The files as they are found when the power is back."""
        if keep_unsynced:
            found = self.snapshot()
        else:
            found = {}
            for name in (DATABASE, LOG):
                if (self.directory / name).exists():
                    found[name] = _read(self.directory / name)
            for folder in self._names.values():
                for name, file in folder.items():
                    found[name] = file.durable()
        if self._torn_log is not None:
            found[LOG] = self._torn_log
        return found

    def snapshot(self) -> dict[str, bytes]:
        """A copy of every file, for between two transactions: a new Disk with them is this one as it was then."""
        found = {}
        for folder, _, names in os.walk(os.fspath(self.directory)):
            for name in names:
                if name != _INDEX:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        found[self.name(path)] = file.read()
        return found


class _File:
    """What is durable of one file: its first `size` bytes, without what was done to them since (`undo`)."""

    def __init__(self, disk: Disk, name: str, size: int) -> None:
        self._disk = disk
        self.name = name  # that it has now
        self._size = size
        self._undo: list[tuple[int, bytes]] = []
        self._kept: bytes | None = None  # all of it, when the file itself is gone

    def change(self, offset: int, end: int) -> None:
        """The bytes from `offset` to `end` are about to be overwritten or cut off."""
        if offset < min(end, self._size):
            self._undo.append((offset, self._read(offset, min(end, self._size))))

    def synced(self, size: int) -> None:
        self._size = size
        self._undo.clear()

    def keep(self) -> None:
        self._kept = self.durable()

    def durable(self) -> bytes:
        if self._kept is not None:
            return self._kept
        if not self._undo:
            return self._read(0, self._size)
        data = bytearray(self._read(0, self._size))
        data.extend(bytes(self._size - len(data)))
        for offset, was in reversed(self._undo):
            data[offset : offset + len(was)] = was
        return bytes(data)

    def _read(self, offset: int, end: int) -> bytes:
        if offset == end:
            return b""
        with open(os.fspath(self._disk.directory / self.name), "rb") as file:
            file.seek(offset)
            return file.read(end - offset)


def fill(directory: Path, files: dict[str, bytes]) -> None:
    """Write `files` (names relative to `directory`)."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _read(path: Path) -> bytes:
    """A file as the disk has it: no read of the hub's, and no error of one."""
    with open(os.fspath(path), "rb") as file:
        return file.read()


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _path_of(disk: Disk) -> type[PosixPath]:
    """Paths on this disk: every path that is made from one is one, so the hub reads and unlinks through them."""

    class DiskPath(PosixPath):
        def open(self, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if "r" in mode:
                disk.check_read(self)
            return super().open(mode, *rest, **more)

        def unlink(self, missing_ok: bool = False) -> None:
            def act() -> None:
                disk.note_gone(self)
                os.unlink(self)

            if missing_ok and not self.exists():
                return
            disk.counted(act)

    return DiskPath


class _Os:
    """The module `os` as the blob store sees it; what changes the disk is counted and may be cut."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._paths: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        disk = self._disk
        new = bool(flags & os.O_CREAT) and not os.path.exists(path)

        def act() -> int:
            if not new and flags & os.O_TRUNC:
                disk.file(path).change(0, os.stat(path).st_size)
            made = os.open(path, flags, mode)
            if new:
                disk.note_new(path)
            return made

        descriptor: int = disk.counted(act, grows=new) if new or flags & os.O_TRUNC else act()
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        def put(piece: Any) -> int:
            at = os.lseek(descriptor, 0, os.SEEK_CUR)
            self._disk.file(self._paths[descriptor]).change(at, at + len(piece))
            return os.write(descriptor, piece)

        written: int = self._disk.counted(lambda: put(data), lambda: put(bytes(data)[: len(data) // 2]), grows=True)
        return written

    def ftruncate(self, descriptor: int, size: int) -> None:
        def act() -> None:
            self._disk.file(self._paths[descriptor]).change(size, before)
            os.ftruncate(descriptor, size)

        before = os.fstat(descriptor).st_size
        if before != size:
            self._disk.counted(act, grows=size > before)

    def fdatasync(self, descriptor: int) -> None:
        self.fsync(descriptor)

    def fsync(self, descriptor: int) -> None:
        def act() -> None:
            status = os.fstat(descriptor)
            self._disk.syncs += 1
            if stat.S_ISDIR(status.st_mode):
                self._disk.note_names(self._paths[descriptor])
            else:
                self._disk.file(self._paths[descriptor]).synced(status.st_size)

        self._disk.counted(act)

    def replace(self, source: Any, target: Any) -> None:
        def act() -> None:
            self._disk.note_gone(target)
            os.replace(source, target)
            self._disk.note_rename(source, target)

        self._disk.counted(act)


class _Store(Store):
    """The hub's store on a Disk: each COMMIT is an operation."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.directory / DATABASE)

    def _connect(self) -> Any:
        return _Connection(super()._connect(), self._disk)


class _Connection:
    """A connection of SQLite whose COMMIT may lose its power or find the disk full."""

    def __init__(self, connection: Any, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk
        self._changes: int | None = None  # so many were made before this transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT":
            return self._commit()
        if sql == "BEGIN IMMEDIATE" and (self._disk.full or self._disk.dead):
            if self._disk.dead:
                raise PowerCut()
            self._changes = self._connection.total_changes
        return self._connection.execute(sql, *values)

    def _commit(self) -> Any:
        disk, connection = self._disk, self._connection
        moment = disk.before()
        changes, self._changes = self._changes, None
        if disk.full and changes != connection.total_changes:
            connection.execute("ROLLBACK")
            if moment:
                disk.die()
            raise OperationalError("database or disk is full")
        if moment == TORN:
            log = disk.directory / LOG
            before = _read(log) if log.exists() else b""
            connection.execute("PRAGMA wal_autocheckpoint=0")  # it comes only after the log is durable
            connection.execute("COMMIT")
            disk.tear_log(before)
            disk.die()
        done = connection.execute("COMMIT")
        disk.syncs += 1
        if disk.on_commit is not None:
            disk.on_commit()
        if moment:
            disk.die()
        return done
