"""Session: bytes that wait, kept as they came; no buffer to grow, so a small heap is not torn into holes."""

from protocol.compat import const

_SMALL_BYTES = const(128)  # shorter pieces are joined as they come: a flood of single bytes stays one object


class Pieces:
    """A queue of bytes: `add` at the end, `take` from the front; `size` bytes are in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        """Append; `data` is kept, not copied, unless it is small."""
        if not data:
            return
        self.size += len(data)
        if self._parts and len(self._parts[-1]) + len(data) <= _SMALL_BYTES:
            self._parts[-1] += data
        else:
            self._parts.append(data)

    def take(self, size: int) -> bytes:
        """The first `size` bytes, or all there are."""
        size = min(size, self.size)
        self.size -= size
        out = []
        while size:
            first = self._parts[0]
            if len(first) <= size:
                self._parts.pop(0)
            else:
                self._parts[0] = first[size:]
                first = first[:size]
            size -= len(first)
            out.append(first)
        return out[0] if len(out) == 1 else b"".join(out)
