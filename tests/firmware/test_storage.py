"""The storage on files: every call of the operating system may be the last one before the power goes."""

import builtins
import os
import resource

import pytest

from firmware.ports import posix
from firmware.ports.posix import PosixStorage
from firmware.storage import MemoryStorage
from protocol.errors import Misuse
from tests.kits.faulty_storage import PowerCut


class CuttingFile:
    """A file whose writes may be torn: half of the bytes arrive, then the power goes."""

    def __init__(self, file, power):
        self._file, self._power = file, power

    def write(self, data):
        if self._power.strikes():
            self._file.write(bytes(data)[: len(data) // 2])
            self._file.flush()
            raise PowerCut()
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


class Power:
    """Counts the calls that change something and cuts before number `cut_at`."""

    def __init__(self, cut_at):
        self.cut_at = cut_at
        self.calls = 0

    def strikes(self):
        self.calls += 1
        return self.calls - 1 == self.cut_at

    def wrap(self, call):
        def wrapped(*args, **kwargs):
            if self.strikes():
                raise PowerCut()
            return call(*args, **kwargs)

        return wrapped


@pytest.fixture
def power(monkeypatch):
    def switch_on(cut_at):
        power = Power(cut_at)
        for name in ("rename", "remove", "fsync"):
            monkeypatch.setattr(posix.os, name, power.wrap(getattr(os, name)))
        real_open, real_fdopen = builtins.open, os.fdopen
        monkeypatch.setattr(
            posix, "open", lambda path, mode: CuttingFile(real_open(path, mode), power), raising=False
        )
        monkeypatch.setattr(posix.os, "fdopen", lambda fd, mode: CuttingFile(real_fdopen(fd, mode), power))
        return power

    yield switch_on
    monkeypatch.undo()


def write_over(storage):
    storage.write("state/x", b"after" * 100)


def write_new(storage):
    storage.write("state/y", b"after" * 100)


def commit(storage):
    storage.blob_write("part/p", 0, b"a" * 5000)
    storage.blob_write("part/p", 5000, b"b" * 5000)
    storage.blob_commit("part/p", "blob/p")


def remove(storage):
    storage.remove("state/x")


WHOLE = b"a" * 5000 + b"b" * 5000


@pytest.mark.parametrize(
    ("act", "read", "before", "after"),
    [
        (write_over, lambda s: s.read("state/x"), b"before", b"after" * 100),
        (write_new, lambda s: s.read("state/y"), None, b"after" * 100),
        (commit, lambda s: s.blob_read("blob/p", 0, 20000), b"", WHOLE),
        (remove, lambda s: s.read("state/x"), b"before", None),
    ],
    ids=["write over", "write new", "commit", "remove"],
)
def test_a_cut_at_any_call_leaves_before_or_after(tmp_path, power, monkeypatch, act, read, before, after):
    cut_at = 0
    seen = []
    while True:
        folder = tmp_path / str(cut_at)
        storage = PosixStorage(str(folder))
        storage.write("state/x", b"before")
        switch = power(cut_at)
        try:
            act(storage)
        except PowerCut:
            finished = False
        else:
            finished = switch.calls <= cut_at
        monkeypatch.undo()
        found = PosixStorage(str(folder))
        assert read(found) in (before, after), cut_at
        seen.append(read(found))
        assert not [name for name in os.listdir(folder / "state") if name.endswith("~")]
        if finished:
            break
        cut_at += 1
    assert before in seen and seen[-1] == after and cut_at >= 2


def test_a_write_that_returned_was_synced_with_its_folder(tmp_path, monkeypatch):
    storage = PosixStorage(str(tmp_path / "s"))
    order = []
    real_rename = os.rename
    kinds = {True: "folder", False: "file"}
    monkeypatch.setattr(posix.os, "fsync", lambda fd: order.append(kinds[os.path.isdir(f"/proc/self/fd/{fd}")]))
    monkeypatch.setattr(posix.os, "rename", lambda a, b: (order.append("rename"), real_rename(a, b)))
    storage.write("state/x", b"1")
    assert order == ["file", "rename", "folder"]


@pytest.mark.parametrize("make", [MemoryStorage, None], ids=["memory", "files"])
def test_every_storage_keeps_what_the_interface_says(tmp_path, make):
    storage = make() if make else PosixStorage(str(tmp_path / "s"))
    assert storage.read("state/a") is None and storage.blob_size("blob/a") == 0
    assert storage.blob_read("blob/a", 0, 9) == b""
    storage.write("state/a", b"one")
    storage.write("state/a", b"two")
    storage.write("state/b", b"")
    storage.write("keys/a", b"k")
    assert storage.read("state/a") == b"two" and storage.read("state/b") == b""
    assert storage.names("state/") == ["state/a", "state/b"] and storage.names("state/b") == ["state/b"]
    assert storage.blob_size("state/a") == 3 and storage.blob_read("state/a", 1, 9) == b"wo"
    storage.blob_write("part/p", 0, b"abcdef")
    storage.blob_write("part/p", 3, memoryview(b"XYZ123"))
    storage.blob_sync("part/p")
    assert storage.blob_read("part/p", 2, 3) == b"cXY"
    storage.blob_commit("part/p", "blob/p")
    assert storage.blob_size("part/p") == 0 and storage.blob_size("blob/p") == 9
    storage.remove("blob/p")
    storage.remove("blob/p")
    assert storage.names("blob/") == []
    for wrong in (
        lambda: storage.write("../x", b""),
        lambda: storage.write("state/../x", b""),
        lambda: storage.write("state/A", b""),
        lambda: storage.write("other/x", b""),
        lambda: storage.blob_write("part/hole", 5, b"x"),
        lambda: storage.blob_commit("part/none", "blob/none"),
    ):
        with pytest.raises(Misuse):
            wrong()


def test_what_is_kept_can_be_read_by_its_owner_only(tmp_path):
    storage = PosixStorage(str(tmp_path / "s"))
    storage.write("keys/device", b"secret")
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "s" / "keys" / "device").stat().st_mode & 0o777 == 0o600


def test_a_write_that_finds_no_room_leaves_the_file_before_it_and_nothing_beside_it(tmp_path):
    storage = PosixStorage(str(tmp_path))
    storage.write("state/x", b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(OSError):
            storage.write("state/x", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert storage.read("state/x") == b"before" and [one.name for one in (tmp_path / "state").iterdir()] == ["x"]
