"""Blobs as files: ciphertext that devices send, renditions that devices fetch; named by root, each checked.

DATA/blobs/ab/<root> holds the bytes, <root>.leaves the manifest; both appear by rename, complete or not at all.
DATA/blobs/parts/ holds what is arriving: a part's length is the whole state of its transfer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hub_daemon.keys import fsync_directory
from protocol.blob import LEAF_CHUNKS, Builder, Manifest, ManifestRefused, chunk_count
from protocol.errors import Misuse, Refusal
from protocol.limits import CHUNK_BYTES, LEAF_BYTES


class BlobMissing(Refusal):
    """A blob is not here, or its file is not what its name says."""


class Part:
    """A blob that is arriving. Every chunk is on the disk before `stored_chunks` counts it."""

    def __init__(self, path: Path, root: bytes, size: int) -> None:
        self.path = path
        self.root = root
        self.size = size
        self._leaves_path = path.with_name(path.name + ".leaves")
        self.leaves = self._read_leaves()
        # without the leaves nothing that is here can be verified: start again
        whole = self._whole_chunks() if self.leaves is not None else 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.stored_chunks = whole
        self.unsynced = 0
        os.ftruncate(self._file, min(whole * CHUNK_BYTES, size))
        os.lseek(self._file, 0, os.SEEK_END)

    def _read_leaves(self) -> bytes | None:
        if not self._leaves_path.exists():
            return None
        leaves = self._leaves_path.read_bytes()
        try:
            Manifest(self.root, self.size, leaves)
        except ManifestRefused:
            return None
        return leaves

    def _whole_chunks(self) -> int:
        """Chunks of leaves that are whole and the manifest's own: a torn or damaged tail is fetched again."""
        if not self.path.exists() or self.leaves is None:
            return 0
        manifest = Manifest(self.root, self.size, self.leaves)
        data = self.path.read_bytes()
        for index in range(manifest.count):
            start = index * LEAF_BYTES
            try:
                manifest.check(index, [data[start : min(start + LEAF_BYTES, self.size)]])
            except Refusal:
                return index * LEAF_CHUNKS
        return chunk_count(self.size)

    def put_leaves(self, leaves: bytes) -> None:
        """Keep the verified manifest, durably."""
        _write_file(self._leaves_path, leaves)
        self.leaves = leaves

    def append(self, chunk: "bytes | memoryview") -> None:
        """The next chunk, verified by the caller; on the disk, and counted, after the next `sync`."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._file, view) :]
        self.unsynced += 1

    def sync(self) -> None:
        """Everything appended is on the disk when this returns."""
        if self.unsynced:
            os.fdatasync(self._file)
            self.stored_chunks += self.unsynced
            self.unsynced = 0

    @property
    def complete(self) -> bool:
        return self.stored_chunks == chunk_count(self.size)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class BlobStore:
    """All blobs of one hub, in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._parts = directory / "parts"
        self._parts.mkdir(parents=True, exist_ok=True)
        os.chmod(directory, 0o700)

    def path(self, root: bytes) -> Path:
        """Where the bytes of `root` are, or would be."""
        name = root.hex()
        return self.directory / name[:2] / name

    def has(self, root: bytes) -> bool:
        return self.path(root).exists()

    def size(self, root: bytes) -> int:
        """In bytes; raises BlobMissing."""
        try:
            return self.path(root).stat().st_size
        except FileNotFoundError:
            raise BlobMissing(f"blob {root.hex()[:16]} is not here") from None

    def add(self, data: bytes) -> bytes:
        """Keep `data` (1 byte to BLOB_BYTES_MAX) durably; returns its root. The same data again changes nothing."""
        builder = Builder()
        builder.feed(data)
        manifest = builder.finish()
        if not self.has(manifest.root):
            part = self.open_part(manifest.root, len(data))
            try:
                if part.leaves is None:
                    part.put_leaves(manifest.leaves)
                for index in range(part.stored_chunks, chunk_count(len(data))):
                    part.append(data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])
                self.commit(part)
            finally:
                part.close()
        return manifest.root

    def open_part(self, root: bytes, size: int) -> Part:
        """Start or resume an arriving blob."""
        path, final = self._parts / root.hex(), self.path(root)
        if not self.has(root) and (moved := final.with_name(final.name + ".leaves")).exists():
            os.replace(moved, path.with_name(path.name + ".leaves"))  # a cut in the middle of `commit`
        return Part(path, root, size)

    def commit(self, part: Part) -> None:
        """A complete part becomes a blob: durable when this returns."""
        part.sync()
        if not part.complete or part.leaves is None:
            raise Misuse("an incomplete part is no blob")
        part.close()
        final = self.path(part.root)
        if not final.parent.exists():
            final.parent.mkdir(exist_ok=True)
            fsync_directory(self.directory)
        # the manifest first: a blob that is seen always has its leaves
        os.replace(part.path.with_name(part.path.name + ".leaves"), final.with_name(final.name + ".leaves"))
        os.replace(part.path, final)
        fsync_directory(final.parent)
        fsync_directory(self._parts)

    def leaves(self, root: bytes) -> bytes:
        """The manifest; raises BlobMissing."""
        path = self.path(root)
        try:
            return path.with_name(path.name + ".leaves").read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"blob {root.hex()[:16]} has no manifest here") from None

    def read(self, root: bytes) -> bytes:
        """All bytes, verified against `root`; raises BlobMissing when the file is not what its name says."""
        try:
            data = self.path(root).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"blob {root.hex()[:16]} is not here") from None
        builder = Builder()
        try:
            builder.feed(data)
            found = builder.finish().root
        except Misuse:
            found = b""
        if found != root:
            raise BlobMissing(f"blob {root.hex()[:16]} is damaged on the disk")
        return data

    def reader(self, root: bytes) -> Callable[[int, int], bytes]:
        """`read(offset, n)` for serving chunks; what is damaged is refused by whoever verifies the chunk."""
        path = self.path(root)

        def read(offset: int, count: int) -> bytes:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(count)

        return read

    def remove(self, root: bytes) -> None:
        """Forget a blob (retention); nothing happens when it is not here."""
        path = self.path(root)
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".leaves").unlink(missing_ok=True)


def _write_file(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".new")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    fsync_directory(path.parent)
