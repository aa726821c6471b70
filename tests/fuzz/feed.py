"""Fuzzing: a target's bytes taken as choices; the empty feed gives zeros, so that any bytes are a whole story."""

from collections.abc import Iterator


class Feed:
    """Bytes taken from the front. `left` says how many there are; what is beyond the end reads as nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or what there is."""
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def byte(self) -> int:
        part = self.take(1)
        return part[0] if part else 0

    def u16(self) -> int:
        return self.byte() << 8 | self.byte()

    def piece(self) -> bytes:
        """A length (one byte; from 128 on, two) and so many bytes."""
        size = self.byte()
        if size >= 0x80:
            size = (size & 0x7F) << 8 | self.byte()
        return self.take(size)

    def rest(self) -> bytes:
        return self.take(self.left)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """`data` in pieces of chosen sizes: whole, byte by byte, or as further choices say."""
        size = self.byte()
        if not size:
            yield data
            return
        for at in range(0, len(data), size):
            yield data[at : at + size]


def piece(data: bytes) -> bytes:
    """What `Feed.piece` takes back: for seeds."""
    if len(data) < 0x80:
        return bytes([len(data)]) + data
    return bytes([0x80 | len(data) >> 8, len(data) & 0xFF]) + data
