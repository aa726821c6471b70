"""Link: a fixed buffer that holds the window of a byte stream; no allocation but the slices handed out."""

import binascii

from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    Bytes = bytes | bytearray | memoryview


class Ring:
    """Bytes of a stream by their offset; the caller keeps within `size` bytes of the oldest one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bytes = bytearray(size)
        self._view = memoryview(self._bytes)

    def put(self, offset: int, data: "Bytes") -> None:
        """Store data (at most `size` bytes) at this offset of the stream."""
        at = offset % self.size
        room = self.size - at
        size = len(data)
        if size <= room:
            self._view[at : at + size] = data
        else:
            view = memoryview(data)
            self._view[at:] = view[:room]
            self._view[: size - room] = view[room:]

    def crc(self, offset: int, size: int) -> int:
        """CRC-32 of `size` bytes of the stream from this offset."""
        at = offset % self.size
        room = self.size - at
        if size <= room:
            return binascii.crc32(self._view[at : at + size])
        return binascii.crc32(self._view[: size - room], binascii.crc32(self._view[at:]))

    def get(self, offset: int, size: int) -> bytes:
        """`size` bytes of the stream from this offset."""
        at = offset % self.size
        room = self.size - at
        if size <= room:
            return bytes(self._view[at : at + size])
        return bytes(self._view[at:]) + bytes(self._view[: size - room])
