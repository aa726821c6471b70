"""The simulated hub's disk: what a cut leaves, what a full or failing one says, and that it costs nothing at rest."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_daemon import blobs, keys
from hub_daemon.blobs import BlobStore
from hub_daemon.limits import STORE_CHECK_BYTES_MAX
from hub_daemon.store import OperationalError, Store, StoreRefused
from protocol.blob import Builder
from protocol.limits import CHUNK_BYTES
from sim.box.disk import DATABASE, LOG, Disk
from sim.box.flash import AFTER, BEFORE, MOMENTS, TORN, PowerCut
from tests.kits.yank import MEMORY

DATA = bytes(range(251)) * 80  # 20 080 bytes: five chunks


def put(store: Store, name: str, value: bytes = b"1") -> None:
    with store.write() as tx:
        tx.execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", (name, value))


def names(store: Store) -> list[str]:
    with store.read() as tx:
        return [row["key"] for row in tx.execute("SELECT key FROM settings WHERE key LIKE 'x%' ORDER BY key")]


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory: what a cut leaves is the disk's to say, not the kernel's."""
    folder = Path(tempfile.mkdtemp(prefix="perch-disk-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def fast() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@contextlib.contextmanager
def opened(disk: Disk) -> Iterator[Store]:
    store = disk.open_store()
    try:
        yield store
    finally:
        disk.dead = False
        store.close()


def made(folder: Path) -> dict[str, bytes]:
    """The files of a hub that has just made its database."""
    disk = Disk(folder / "made", {})
    with opened(disk):
        pass
    files = disk.snapshot()
    disk.remove()
    return files


def checkpoint(disk: Disk) -> None:
    """The log is all in the database: the next commit begins it anew, over what is there."""
    connection = sqlite3.connect(disk.directory / DATABASE)
    assert connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0
    connection.close()


@pytest.mark.parametrize("checkpointed", [False, True], ids=["log grows", "log starts again"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_commit_is_there_or_not_as_its_moment_says_and_the_ones_before_stay(
    fast: Path, moment: str, checkpointed: bool
) -> None:
    disk = Disk(fast / "a", made(fast))
    told: list[int] = []
    with opened(disk) as store:
        disk.on_commit = lambda: told.append(disk.operations)
        put(store, "x1", bytes(50_000))
        if checkpointed:
            with store._lock:
                store._writer.execute("PRAGMA wal_checkpoint(FULL)")
        disk.cut_at, disk.moment = disk.operations, moment
        with pytest.raises(PowerCut):
            put(store, "x2", b"2" * 9000)
        with pytest.raises(PowerCut):
            put(store, "x3")
        left = disk.survivors(False)
    assert len(told) == (2 if moment == AFTER else 1)
    if moment == TORN:
        assert left[LOG] != disk.snapshot().get(LOG)
    with opened(Disk(fast / "b", left)) as store:
        assert names(store) == (["x1", "x2"] if moment == AFTER else ["x1"])
        store.check()


def test_a_torn_commit_after_which_the_log_would_be_emptied_leaves_the_old_pages_as_they_were(fast: Path) -> None:
    disk = Disk(fast / "a", made(fast))
    with opened(disk) as store:
        put(store, "x1", b"1" * 900_000)
        checkpoint(disk)
        disk.cut_at, disk.moment = disk.operations, TORN
        with pytest.raises(PowerCut):
            put(store, "x1", b"9" * 5_000_000)  # past the thousand pages at which SQLite empties its log
        left = disk.survivors(True)
    with opened(Disk(fast / "b", left)) as store, store.read() as tx:
        assert tx.execute("SELECT value FROM settings WHERE key = 'x1'").fetchone()[0] == b"1" * 900_000


class Chunks:
    """A blob that arrives as the exchange puts it: leaves, chunks, a sync after each second one, commit."""

    def __init__(self) -> None:
        builder = Builder()
        builder.feed(DATA)
        self.manifest = builder.finish()
        self.durable = 0

    def arrive(self, disk: Disk) -> None:
        store = BlobStore(disk.directory / "blobs")
        part = store.open_part(self.manifest.root, len(DATA))
        try:
            if part.leaves is None:
                part.put_leaves(self.manifest.leaves)
            for index in range(part.stored_chunks, -(-len(DATA) // CHUNK_BYTES)):
                part.append(DATA[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])
                if index % 2:
                    part.sync()
                    self.durable = part.stored_chunks
            store.commit(part)
        finally:
            part.close()


def test_a_blob_survives_a_cut_at_any_operation_as_far_as_it_was_synced_and_arrives_on(fast: Path) -> None:
    whole = Disk(fast / "whole", {})
    with whole.mounted():
        Chunks().arrive(whole)
    assert whole.operations > 15 and whole.syncs >= 6
    tried = 0
    for cut_at in range(whole.operations):
        for moment in MOMENTS:
            for keep in (True, False):
                chunks = Chunks()
                disk = Disk(fast / f"a{tried}", {})
                disk.cut_at, disk.moment = cut_at, moment
                with disk.mounted(), pytest.raises(PowerCut):
                    chunks.arrive(disk)
                left = disk.survivors(keep)
                again = Disk(fast / f"b{tried}", left)
                store = BlobStore(again.directory / "blobs")
                with again.mounted():
                    if not store.has(chunks.manifest.root):
                        part = store.open_part(chunks.manifest.root, len(DATA))
                        assert part.stored_chunks >= chunks.durable // 2 * 2, (cut_at, moment, keep)
                        part.close()
                        chunks.arrive(again)
                assert store.read(chunks.manifest.root) == DATA
                disk.remove()
                again.remove()
                tried += 1


SIZES = st.integers(0, 40)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SIZES, SIZES),
        st.tuples(st.just("cut"), SIZES, st.just(0)),
        st.tuples(st.just("again"), SIZES, st.just(0)),
        st.tuples(st.just("sync"), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["names", "move", "unlink"]), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(ACTS)
def test_bytes_are_durable_at_the_sync_of_the_file_and_names_at_that_of_the_folder(acts: list) -> None:  # type: ignore[type-arg]
    """Against copies made at each sync: one file that is overwritten, cut short, begun again, renamed and unlinked."""
    with in_memory() as folder:
        _one_file(Disk(folder / "d", {"blobs/a": b"begin" * 5}), acts)


def _one_file(disk: Disk, acts: list[tuple[str, int, int]]) -> None:
    base = disk.directory / "blobs"
    path, bytes_of = base / "a", {1: b"begin" * 5}  # of each file that ever was, at its last sync
    file, last, certain, turn = 1, 1, {"blobs/a": 1}, 0
    with disk.mounted():
        for what, one, other in acts:
            turn += 1
            if what == "names":
                _sync(base)
                certain = {disk.name(path): file} if path.exists() else {}
                continue
            if what == "move" and path.exists():
                target = base / ("b" if path.name == "a" else "a")
                blobs.os.replace(path, target)
                path = target
                continue
            if what == "unlink":
                path.unlink(missing_ok=True)
                continue
            if what not in ("write", "cut", "again", "sync"):
                continue
            if not path.exists():
                last += 1
                file, bytes_of[last] = last, b""
            flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if what == "again" else 0)
            descriptor = blobs.os.open(path, flags, 0o600)
            size = os.fstat(descriptor).st_size
            if what == "write":
                blobs.os.lseek(descriptor, min(one, size), os.SEEK_SET)
                blobs.os.write(descriptor, bytes([turn]) * other)
            elif what == "cut":
                blobs.os.ftruncate(descriptor, min(one, size))
            elif what == "again":
                blobs.os.write(descriptor, bytes([turn]) * one)
            else:
                blobs.os.fsync(descriptor)
                bytes_of[file] = path.read_bytes()
            blobs.os.close(descriptor)
    assert disk.survivors(False) == {name: bytes_of[one] for name, one in certain.items()}
    assert disk.survivors(True) == ({disk.name(path): path.read_bytes()} if path.exists() else {})


@pytest.mark.parametrize("synced", ["blobs/parts", "blobs/ab"])
def test_a_rename_is_one_change_whichever_of_its_folders_is_synced(fast: Path, synced: str) -> None:
    disk = Disk(fast / "a", {"blobs/parts/p": b"whole", "blobs/ab/x": b"older", "blobs/ab/y": b"y"})
    with disk.mounted():
        blobs.os.replace(disk.directory / "blobs/parts/p", disk.directory / "blobs/ab/x")
        assert disk.survivors(False) == {"blobs/parts/p": b"whole", "blobs/ab/x": b"older", "blobs/ab/y": b"y"}
        _sync(disk.directory / synced)
    assert disk.survivors(False) == disk.survivors(True) == {"blobs/ab/x": b"whole", "blobs/ab/y": b"y"}


def _sync(directory: Path) -> None:
    descriptor = blobs.os.open(directory, os.O_RDONLY)
    blobs.os.fsync(descriptor)
    blobs.os.close(descriptor)


def test_a_full_disk_refuses_what_grows_and_rolls_back_what_was_to_be_committed(fast: Path) -> None:
    disk = Disk(fast / "a", made(fast))
    store_of_blobs = BlobStore(disk.directory / "blobs")
    with opened(disk) as store, disk.mounted():
        root = store_of_blobs.add(DATA)
        put(store, "x1")
        disk.full = True
        with pytest.raises(OperationalError, match="database or disk is full"):
            put(store, "x2")
        with store.write() as tx:
            tx.execute("SELECT 1")  # nothing changed, nothing to write
        with pytest.raises(OSError) as refused:
            store_of_blobs.add(b"other")
        assert refused.value.errno == errno.ENOSPC
        assert store_of_blobs.read(root) == DATA and names(store) == ["x1"]
        store_of_blobs.remove(root)
        disk.full = False
        put(store, "x3")
        store_of_blobs.add(b"other")
        assert names(store) == ["x1", "x3"]


def test_a_read_error_comes_as_often_as_it_was_asked_for_and_only_for_that_file(fast: Path) -> None:
    disk = Disk(fast / "a", {})
    store = BlobStore(disk.directory / "blobs")
    with disk.mounted():
        root, other = store.add(DATA), store.add(b"other")
        disk.read_error(store.path(root), 2)
        for read in (lambda: store.read(root), lambda: store.reader(root)(0, 10)):
            assert store.read(other) == b"other"
            with pytest.raises(OSError) as refused:
                read()
            assert refused.value.errno == errno.EIO
        assert store.read(root) == DATA
        disk.read_error(None)
        with pytest.raises(OSError):
            store.leaves(other)
        assert store.read(other) == b"other"


def test_an_old_copy_is_the_hub_as_it_was_then(fast: Path) -> None:
    disk = Disk(fast / "a", made(fast))
    with opened(disk) as store, disk.mounted():
        root = BlobStore(disk.directory / "blobs").add(DATA)
        put(store, "x1")
        old = disk.snapshot()
        put(store, "x2")
        BlobStore(disk.directory / "blobs").add(b"later")
    again = Disk(fast / "b", old)
    with opened(again) as store:
        assert names(store) == ["x1"]
        assert BlobStore(again.directory / "blobs").read(root) == DATA
    assert again.survivors(False) == again.survivors(True)
    again.remove()
    assert not (fast / "b").exists()


def test_only_the_disk_that_is_mounted_is_written_to_and_the_modules_are_as_they_were_after(fast: Path) -> None:
    one, other = Disk(fast / "a", {}), Disk(fast / "b", {})
    before = blobs.os, keys.os
    with one.mounted():
        BlobStore(one.directory / "blobs").add(b"one")
        with other.mounted():
            BlobStore(other.directory / "blobs").add(b"other")
        counted = one.operations
        BlobStore(one.directory / "blobs").add(b"once more")
        assert one.operations > counted > 0 and other.operations == counted
    assert (blobs.os, keys.os) == before
    with pytest.raises(PowerCut):
        other.cut_at, other.moment = other.operations, BEFORE
        with other.mounted():
            BlobStore(other.directory / "blobs").add(b"more")
    assert (blobs.os, keys.os) == before


def test_a_commit_looks_at_no_file_of_the_disk_unless_it_is_to_be_torn(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(fast / "a", made(fast))
    with opened(disk) as store:
        before = disk.operations, disk.syncs
        with monkeypatch.context() as patched:
            for name in ("stat", "exists", "read_bytes", "open"):
                patched.setattr(type(disk.directory), name, None)
            for turn in range(5):
                put(store, f"x{turn}")
        assert (disk.operations, disk.syncs) == (before[0] + 5, before[1] + 5)


def test_a_store_of_many_megabytes_is_opened_without_reading_it(fast: Path) -> None:
    disk = Disk(fast / "a", made(fast))
    with opened(disk) as store, store.write() as tx:
        tx.execute("CREATE TABLE filler (data BLOB)")
        tx.execute("INSERT INTO filler VALUES (zeroblob(?))", (STORE_CHECK_BYTES_MAX + 2**20,))
    assert (disk.directory / DATABASE).stat().st_size > STORE_CHECK_BYTES_MAX

    def read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = read()
    with opened(disk):
        assert read() - before < 2**21


def test_a_database_cut_in_its_middle_is_refused_by_the_store(fast: Path) -> None:
    files = made(fast)
    files[DATABASE] = files[DATABASE][: len(files[DATABASE]) // 2]
    files.pop(LOG, None)
    with pytest.raises(StoreRefused):
        Disk(fast / "a", files).open_store()
