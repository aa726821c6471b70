"""Between the camera and the outbox: a recording sealed piece by piece, and its author's own view of it.

Each PLAIN_BYTES of the recording become one sealed chunk (protocol/blob.py) under a key of this
recording alone, so that it never stands in the clear in storage and never in memory as a whole.
"""

from firmware import outbox
from firmware.inbox import BlobDiffers
from protocol import blob
from protocol.blob import PLAIN_BYTES, TAG_BYTES
from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Misuse, Refusal
from protocol.limits import BLOB_BYTES_MAX, CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware.device import Device

READ_BYTES = const(1024)


class RecordingTooLong(Refusal):
    """The recording would pass BLOB_BYTES_MAX; what was recorded so far can still be saved."""


class RecordingEmpty(Refusal):
    """There is nothing in the recording to save."""


class Recording:
    """One recording in progress: nothing of it is kept unless `save` returns."""

    part = "part/recording"

    def __init__(self, device: "Device", group: str, parent: "bytes | None", text: str, media_type: str) -> None:
        self._device = device
        self._group = group
        self._parent = parent
        self._text = text
        self._media_type = media_type
        self._key = device.random(32)
        self._buffer = bytearray(CHUNK_BYTES)
        self._filled = 0
        self._chunks = 0
        self._builder = blob.Builder()
        self.size = 0  # bytes of ciphertext written
        self._open = True
        self.files = [self.part]  # that nothing else names as long as this is not saved
        device.storage.remove(self.part)

    def append(self, data: "bytes | bytearray | memoryview") -> None:
        """Take the next bytes of the recording. RecordingTooLong: these bytes were not taken.

        CardFull, or what memory raises, discards the recording: nobody knows how much was taken.
        """
        if not self._open:
            raise Misuse("the recording is closed")
        view = memoryview(data)
        chunks = self._chunks + (self._filled + len(view) + PLAIN_BYTES - 1) // PLAIN_BYTES
        if chunks * CHUNK_BYTES > BLOB_BYTES_MAX:
            raise RecordingTooLong(f"more than {BLOB_BYTES_MAX} bytes")
        at = 0
        while at < len(view):
            take = min(len(view) - at, PLAIN_BYTES - self._filled)
            self._buffer[self._filled : self._filled + take] = view[at : at + take]
            self._filled += take
            at += take
            if self._filled == PLAIN_BYTES:
                self._seal()

    def _seal(self) -> None:
        try:
            blob.seal_chunk_in_place(self._key, self._chunks, self._buffer, self._filled)
            sealed = memoryview(self._buffer)[: self._filled + TAG_BYTES]
            self._device.storage.blob_write(self.part, self.size, sealed)
            self._builder.feed(sealed)
        except Exception as error:  # a full card or heap: sealed once more, the buffer would be in the clear again
            self.discard()
            if isinstance(error, OSError):
                raise self._device.card_full(error)
            raise
        self.size += len(sealed)
        self._chunks += 1
        self._filled = 0

    def save(self) -> bytes:
        """Make it an envelope that waits for the dock; durable when this returns its item id.

        CardFull: not saved; unless that discarded it, the same call can be made again when there is room.
        """
        if not self._open:
            raise Misuse("the recording is closed")
        device = self._device
        if self._filled:
            self._seal()
        if not self.size:
            raise RecordingEmpty("nothing was recorded")
        device.outbox.check_room()
        root = self._builder.root()
        name = outbox.name_of(root)
        self.files = [self.part, "leaves/" + name, "blob/" + name]
        sealed_blob = [root, self.size, self._media_type, self._key]
        try:
            device.storage.write("leaves/" + name, self._builder.leaves)
            if device.storage.blob_size(self.part):
                device.storage.blob_commit(self.part, "blob/" + name)
            item = device.outbox.save("video", self._group, self._parent, self._text, sealed_blob,
                                      device.clock_s(), device.random)
        except OSError as error:
            raise device.card_full(error)
        self._close()
        device.log("record", outbox.name_of(item))
        device.outbox_changed = True
        return item

    def discard(self) -> None:
        """Forget the recording; nothing of it stays."""
        if self._open:
            self._close()
            for name in self.files:
                self._device.storage.remove(name)

    def _close(self) -> None:
        self._open = False
        self._buffer = bytearray()
        self._builder = blob.Builder()  # the page holds on to a saved recording, in case its answer was lost
        if self._device.recording is self:
            self._device.recording = None


def own_media(device: "Device", own: "outbox.Own") -> "tuple[str, int, Callable[[int, int], bytes]]":
    """(media type, size, read(offset, n)) of an own recording, opened chunk by chunk."""
    root, sealed_size, media_type, key = own.blob  # type: ignore[misc]
    if device.storage.blob_size("blob/" + outbox.name_of(root)) != sealed_size:
        raise BlobDiffers(outbox.name_of(root))
    return media_type, plain_size(sealed_size), _Opened(device, root, key).read


def plain_size(sealed_size: int) -> int:
    """Bytes of the recording inside `sealed_size` bytes of ciphertext."""
    return sealed_size - TAG_BYTES * blob.chunk_count(sealed_size)


class _Opened:
    """Reads the recording inside a sealed blob; keeps the last chunk, since a player reads on."""

    def __init__(self, device: "Device", root: bytes, key: bytes) -> None:
        self._device = device
        self._name = "blob/" + outbox.name_of(root)
        self._key = key
        self._index = -1
        self._length = 0
        self._buffer = bytearray(CHUNK_BYTES)

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes; fewer only at the end."""
        out = b""
        while count > 0:
            self._load(offset // PLAIN_BYTES)
            start = offset % PLAIN_BYTES
            piece = bytes(memoryview(self._buffer)[start : min(start + count, self._length)])
            if not piece:
                break
            out = out + piece if out else piece
            offset += len(piece)
            count -= len(piece)
        return out

    def _load(self, index: int) -> None:
        """The plain chunk into the buffer; in pieces and in place, since a small heap has no room for two."""
        if index == self._index:
            return
        self._index = -1
        length = 0
        while length < CHUNK_BYTES:
            size = min(READ_BYTES, CHUNK_BYTES - length)
            piece = self._device.storage.blob_read(self._name, index * CHUNK_BYTES + length, size)
            if not piece:
                break
            self._buffer[length : length + len(piece)] = piece
            length += len(piece)
        if length:
            blob.open_chunk_in_place(self._key, index, self._buffer, length)
        self._length = max(0, length - TAG_BYTES)
        self._index = index
