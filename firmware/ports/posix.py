"""At the edge of the device: its storage as files of a folder, on CPython and on MicroPython's unix port.

Atomic: a small file is written beside its place and renamed over it (POSIX rename). Durable:
CPython syncs the file and then its folder; MicroPython's flush of a file is fsync(2) on the unix
port, and it has no way to sync a folder, so there a rename may be late by the journal of the
file system, which keeps order: before or after, never between.
"""

import os

from firmware.storage import FOLDERS, Storage, check_name
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NEW = ".new~"  # no name of the device may hold a tilde, so what ends so is always a leftover
_CPYTHON = hasattr(os, "fsync")


class PosixStorage(Storage):
    """Files under `base`, which is made when missing, readable by its owner only."""

    def __init__(self, base: str) -> None:
        while len(base) > 1 and base.endswith("/"):
            base = base[:-1]
        self._base = base
        _make(base)
        _make_private(base)
        for folder in FOLDERS:
            _make(base + "/" + folder)
            for entry in os.listdir(base + "/" + folder):
                if entry.endswith(NEW):
                    os.remove(base + "/" + folder + "/" + entry)

    def read(self, name: str) -> "bytes | None":
        try:
            file = open(self._base + "/" + name, "rb")
        except OSError:
            return None
        try:
            return file.read(self.blob_size(name))  # MicroPython grows its buffer in steps for a plain read()
        finally:
            file.close()

    def write(self, name: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
        check_name(name)
        path = self._base + "/" + name
        try:
            _put(path + NEW, data)
        except OSError:
            self.remove(name + NEW)  # on a full card its bytes are wanted
            raise
        os.rename(path + NEW, path)
        self._sync_folder(name)

    def remove(self, name: str) -> None:
        try:
            os.remove(self._base + "/" + name)
        except OSError:
            return
        self._sync_folder(name)

    def names(self, prefix: str) -> "list[str]":
        folder = prefix[: prefix.find("/")]
        found = []
        for entry in os.listdir(self._base + "/" + folder):
            name = folder + "/" + entry
            if name.startswith(prefix) and not entry.endswith(NEW):
                found.append(name)
        return sorted(found)

    def blob_size(self, name: str) -> int:
        try:
            return int(os.stat(self._base + "/" + name)[6])
        except OSError:
            return 0

    def blob_write(self, name: str, offset: int, data: "bytes | bytearray | memoryview") -> None:
        check_name(name)
        path = self._base + "/" + name
        size = self.blob_size(name)
        if offset > size:
            raise Misuse("a hole in " + name)
        file = _open_private(path) if size == 0 else open(path, "r+b")
        try:
            if offset:
                file.seek(offset)
            _write_all(file, data)
        finally:
            file.close()

    def blob_sync(self, name: str) -> None:
        try:
            file = open(self._base + "/" + name, "r+b")
        except OSError:
            raise Misuse("nothing to sync at " + name)
        try:
            _sync(file)
        finally:
            file.close()

    def blob_read(self, name: str, offset: int, count: int) -> bytes:
        try:
            file = open(self._base + "/" + name, "rb")
        except OSError:
            return b""
        try:
            file.seek(offset)
            return file.read(count)
        finally:
            file.close()

    def blob_commit(self, part: str, final: str) -> None:
        check_name(final)
        self.blob_sync(part)
        os.rename(self._base + "/" + part, self._base + "/" + final)
        self._sync_folder(final)
        self._sync_folder(part)

    def _sync_folder(self, name: str) -> None:
        if not _CPYTHON:
            return
        fd = os.open(self._base + "/" + name[: name.find("/")], os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _make(path: str) -> None:
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise


def _make_private(path: str) -> None:
    if _CPYTHON:
        os.chmod(path, 0o700)
    elif hasattr(os, "system") and "'" not in path:
        os.system("chmod 700 '" + path + "'")  # the unix port has no chmod of its own


def _open_private(path: str) -> "Any":
    if not _CPYTHON:
        return open(path, "wb")
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")


def _put(path: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
    file = _open_private(path)
    try:
        for piece in [data] if isinstance(data, bytes) else data:
            _write_all(file, piece)
        _sync(file)
    finally:
        file.close()


def _write_all(file: "Any", data: "bytes | bytearray | memoryview") -> None:
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += file.write(view[done:])


def _sync(file: "Any") -> None:
    file.flush()
    if _CPYTHON:
        os.fsync(file.fileno())
