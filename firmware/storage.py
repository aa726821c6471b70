"""Under everything the device keeps: what a place to keep things must promise, and one in memory.

The whole device is written against these nine functions. Each either happened or did not when
the power goes, and what it returned from is there afterwards:

    write, remove, blob_commit   before or after, never between; durable when they return
    blob_write                   may be lost or torn by a cut until blob_sync or blob_commit returned;
                                 never harms the bytes before its offset that were synced
    everything else              only reads

A card that is full or broken raises OSError; then the call did not happen.

Ports implement it on files (firmware/ports/posix.py); tests cut the power at every call.
Names are `folder/name` in lower-case letters, digits, `-` and `.`; folders are those of FOLDERS.
"""

import binascii

from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Random = Callable[[int], bytes]
    Clock = Callable[[], int]

FOLDERS = ("keys", "own", "inbox", "blob", "part", "leaves", "journal", "draft", "receipt", "state")


class CardFull(Refusal):
    """The card takes nothing more: this was not saved, and what was there before is still there."""


class Storage:
    """The interface. Sizes and offsets are bytes; a name that is not there reads as None or size 0."""

    def read(self, name: str) -> "bytes | None":
        """The whole of one small file, or None."""
        raise NotImplementedError

    def write(self, name: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
        """Put the whole of one small file in place of what was there: atomic and durable.

        A list is its pieces in order, for a heap that has no room for the whole.
        """
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Forget a file of either kind; nothing happens when it is not there."""
        raise NotImplementedError

    def names(self, prefix: str) -> "list[str]":
        """The names that begin with `prefix` (a folder and a slash, or more), sorted."""
        raise NotImplementedError

    def blob_size(self, name: str) -> int:
        """Bytes of a file of either kind; 0 when it is not there."""
        raise NotImplementedError

    def blob_write(self, name: str, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Put bytes at `offset` (at most the present size); not durable before blob_sync."""
        raise NotImplementedError

    def blob_sync(self, name: str) -> None:
        """Everything written to this large file so far is durable when this returns."""
        raise NotImplementedError

    def blob_read(self, name: str, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` of a file of either kind; fewer only at the end."""
        raise NotImplementedError

    def blob_commit(self, part: str, final: str) -> None:
        """Sync a large file and give it its final name: atomic and durable; replaces what was there."""
        raise NotImplementedError


class Damaged(Refusal):
    """A small file is not what was written there: a worn card, or somebody's hand. Its name is the message."""


_CRC_BYTES = 4


def put(storage: Storage, name: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
    """As storage.write, with a CRC-32 behind the bytes."""
    pieces = [data] if isinstance(data, bytes) else list(data)
    crc = 0
    for piece in pieces:
        crc = binascii.crc32(piece, crc)
    pieces.append(crc.to_bytes(_CRC_BYTES, "big"))
    storage.write(name, pieces)


def take(storage: Storage, name: str, damaged: "list[str] | None" = None) -> "bytes | None":
    """The bytes that `put` wrote, or None when there is no such file.

    When they are others: None as well, and the name in `damaged`; without such a list Damaged.
    """
    size = storage.blob_size(name) - _CRC_BYTES
    if size < 0 and storage.read(name) is None:
        return None
    data = storage.blob_read(name, 0, max(0, size))  # not the whole and then a part of it: that takes twice the heap
    if size >= 0 and binascii.crc32(data) == int.from_bytes(storage.blob_read(name, size, _CRC_BYTES), "big"):
        return data
    if damaged is None:
        raise Damaged(name)
    if name not in damaged:
        damaged.append(name)
    return None


NAME_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789-."


def check_name(name: str) -> None:
    """Misuse unless `name` is `folder/name` of the allowed characters: no path ever leaves the folder."""
    cut = name.find("/")
    if cut < 0 or name[:cut] not in FOLDERS or not 1 <= len(name) - cut - 1 <= 80:
        raise Misuse("not a storage name: " + repr(name))
    for byte in name[cut + 1 :].encode():
        if byte not in NAME_BYTES:
            raise Misuse("not a storage name: " + repr(name))


class MemoryStorage(Storage):
    """Keeps everything in two dictionaries: for a simulated wing and as the reference in tests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytearray] = {}

    def read(self, name: str) -> "bytes | None":
        return self.files.get(name)

    def write(self, name: str, data: "bytes | Sequence[bytes | bytearray]") -> None:
        check_name(name)
        self.files[name] = bytes(data) if isinstance(data, bytes) else b"".join(data)

    def remove(self, name: str) -> None:
        if name in self.files:
            del self.files[name]
        if name in self.blobs:
            del self.blobs[name]

    def names(self, prefix: str) -> "list[str]":
        found = [name for name in self.files if name.startswith(prefix)]
        found.extend([name for name in self.blobs if name.startswith(prefix)])
        return sorted(found)

    def blob_size(self, name: str) -> int:
        blob = self.blobs.get(name, self.files.get(name))
        return 0 if blob is None else len(blob)

    def blob_write(self, name: str, offset: int, data: "bytes | bytearray | memoryview") -> None:
        check_name(name)
        blob = self.blobs.get(name)
        if blob is None:
            blob = self.blobs[name] = bytearray()
        if offset > len(blob):
            raise Misuse("a hole in " + name)
        blob[offset : offset + len(data)] = bytes(data)

    def blob_sync(self, name: str) -> None:
        pass

    def blob_read(self, name: str, offset: int, count: int) -> bytes:
        blob = self.blobs.get(name, self.files.get(name))
        return b"" if blob is None else bytes(blob[offset : offset + count])

    def blob_commit(self, part: str, final: str) -> None:
        check_name(final)
        if part not in self.blobs:
            raise Misuse("nothing to commit at " + part)
        self.blobs[final] = self.blobs.pop(part)
