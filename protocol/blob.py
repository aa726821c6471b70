"""Blobs: large bodies named by their digest, pulled by the receiver chunk by chunk, resumed for nothing.

    leaf     = SHA-256(0x00 || LEAF_BYTES of it)      RFC 6962 section 2.1, so a leaf is never a node
    tree     = SHA-256(0x01 || left || right)         split at the largest power of two below the count
    root     = SHA-256(0x02 || size u64 BE || tree)   so that the size is as fixed as the bytes
    manifest = the leaves, one after the other

What travels is a chunk, half a leaf. With the manifest checked against the root, each pair of chunks is checked when
it is whole, and no bad byte ever counts. Chunks come in order, so the length of the file that receives them
is the whole state of the transfer.

On the wire a chunk is not CBOR, which would copy it: mark 4 | index u16 BE | bytes. The mark is the start of the root:
it tells the chunks of two transfers apart, and proves nothing; the leaf does. Index 0xFFFF is the manifest. A want
is a small CBOR record and names the whole root.
"""

import hashlib

from protocol import crypto
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import (
    BLOB_BYTES_MAX,
    LEAF_BYTES,
    MANIFEST_BYTES_MAX,
    WANT_CHUNKS_MAX,
    WANT_WAIT_MS,
)
from protocol.limits import CHUNK_BYTES as CHUNK_BYTES  # part of this module's interface
from protocol.records.schema import DIGEST, Record, RecordRefused, Uint, Unfit, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MANIFEST_INDEX = 0xFFFF  # more than any chunk's
MARK_BYTES = 4
HEADER_BYTES = MARK_BYTES + 2
LEAF_CHUNKS = LEAF_BYTES // CHUNK_BYTES
_BLOCK_BYTES = 1024  # of leaves
_AD = b"perch/blob/1"
TAG_BYTES = 16
PLAIN_BYTES = CHUNK_BYTES - TAG_BYTES  # what one sealed chunk holds


class WantRefused(RecordRefused):
    """A want is out of shape."""


class ManifestRefused(Refusal):
    """The leaves are not those of this root."""


class ChunkRefused(Refusal):
    """A chunk was not taken. The transfer goes on as if it had never come."""


class ChunkForeign(ChunkRefused):
    """A chunk of another blob, or no chunk at all."""


class ChunkUnwanted(ChunkRefused):
    """A chunk whose index was not asked for, or that comes before its turn."""


class ChunkRepeated(ChunkRefused):
    """A chunk that we have."""


class ChunkSize(ChunkRefused):
    """A chunk of another length than its place in the blob has."""


class ChunkDigest(ChunkRefused):
    """Chunks whose bytes are not those of their leaf: none of them is taken, and they are asked for again."""


class Want(Record):
    """Ask for `count` chunks from `first`; the manifest is first=MANIFEST_INDEX, count=1."""

    root: bytes
    size: int
    first: int
    count: int
    FIELDS = (
        ("root", DIGEST),
        ("size", Uint(BLOB_BYTES_MAX, 1)),
        ("first", Uint(MANIFEST_INDEX)),
        ("count", Uint(WANT_CHUNKS_MAX, 1)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = WantRefused

    def rules(self) -> None:
        if self.first == MANIFEST_INDEX:
            if self.count != 1:
                raise Unfit("count", "one manifest")
        elif self.first + self.count > chunk_count(self.size):
            raise Unfit("first", "beyond the blob")


def chunk_count(size: int) -> int:
    return (size + CHUNK_BYTES - 1) // CHUNK_BYTES


def chunk_length(size: int, index: int) -> int:
    """How many bytes chunk `index` of a blob of `size` bytes has."""
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)


def leaf_count(size: int) -> int:
    return (size + LEAF_BYTES - 1) // LEAF_BYTES


def leaf(pieces: "Iterable[bytes | memoryview]") -> bytes:
    """The digest of the bytes that one leaf covers."""
    hasher = hashlib.sha256(b"\x00")
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def _tree(leaves: bytes, first: int, count: int) -> bytes:
    if count == 1:
        return leaves[32 * first : 32 * first + 32]
    split = 1
    while split * 2 < count:
        split *= 2
    left = _tree(leaves, first, split)
    return hashlib.sha256(b"\x01" + left + _tree(leaves, first + split, count - split)).digest()


def root_of(size: int, leaves: bytes) -> bytes:
    """The root of a blob of `size` bytes with these concatenated leaves."""
    if not 1 <= size <= BLOB_BYTES_MAX or len(leaves) != 32 * leaf_count(size):
        raise Misuse("the leaves do not cover the blob")
    tree = _tree(leaves, 0, leaf_count(size))
    return hashlib.sha256(b"\x02" + size.to_bytes(8, "big") + tree).digest()


class Manifest:
    """The leaves of a blob, known to be those of its root. `leaves` is what travels."""

    __slots__ = ("root", "size", "leaves", "count")

    def __init__(self, root: bytes, size: int, leaves: "bytes | memoryview") -> None:
        """Raises ManifestRefused when these are not the leaves of this root and size."""
        if not 1 <= size <= BLOB_BYTES_MAX:
            raise ManifestRefused(f"a blob of {size} bytes, not within 1..{BLOB_BYTES_MAX}")
        if len(leaves) != 32 * leaf_count(size):
            raise ManifestRefused(f"{len(leaves)} bytes of leaves where {leaf_count(size)} are due")
        self.leaves = bytes(leaves)
        if root_of(size, self.leaves) != root:
            raise ManifestRefused("the leaves are not those of the root")
        self.root = root
        self.size = size
        self.count = leaf_count(size)

    def check(self, index: int, pieces: "Iterable[bytes | memoryview]") -> None:
        """Raise ChunkDigest unless `pieces`, one after the other, are all that leaf `index` covers."""
        self.check_digest(index, leaf(pieces))

    def check_digest(self, index: int, digest: bytes) -> None:
        """Raise ChunkDigest unless leaf `index` has this digest."""
        if digest != self.leaves[32 * index : 32 * index + 32]:
            raise ChunkDigest(f"not the bytes of leaf {index}")


class Builder:
    """Makes the manifest of a blob while it is written: `feed` any pieces, then `finish`.

    Pieces are hashed as they come; nothing of them is held. `leaves` are kept in small blocks, for a heap
    that has no room for a whole manifest: joined, they are what travels. A reader that only wants to know
    the `root` keeps none.
    """

    def __init__(self, keep_leaves: bool = True) -> None:
        self.size = 0
        self.leaves: list[bytes] = []
        self._keep = keep_leaves
        self._block = bytearray()
        self._peaks: list[tuple[int, bytes]] = []  # (leaves, root) of the whole subtrees, largest first
        self._hasher = hashlib.sha256(b"\x00")
        self._filled = 0  # bytes of the leaf in progress

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Raises Misuse when the blob grows beyond BLOB_BYTES_MAX: the writer must stop before."""
        if self.size + len(data) > BLOB_BYTES_MAX:
            raise Misuse(f"a blob of more than {BLOB_BYTES_MAX} bytes")
        self.size += len(data)
        view = memoryview(data)
        at = 0
        while at < len(view):
            take = min(LEAF_BYTES - self._filled, len(view) - at)
            self._hasher.update(view[at : at + take])
            self._filled += take
            at += take
            if self._filled == LEAF_BYTES:
                self._end_leaf()

    def _end_leaf(self) -> None:
        digest = self._hasher.digest()
        self._hasher = hashlib.sha256(b"\x00")
        self._filled = 0
        if self._keep:
            self._block.extend(digest)
            if len(self._block) == _BLOCK_BYTES:
                self._end_block()
        count = 1
        while self._peaks and self._peaks[-1][0] == count:
            digest = hashlib.sha256(b"\x01" + self._peaks.pop()[1] + digest).digest()
            count *= 2
        self._peaks.append((count, digest))

    def _end_block(self) -> None:
        self.leaves.append(bytes(self._block))
        self._block = bytearray()

    def root(self) -> bytes:
        """The root of everything fed; nothing more is fed after it. Misuse for an empty blob: nothing to name."""
        if self.size == 0:
            raise Misuse("an empty blob")
        if self._filled:
            self._end_leaf()
        if self._block:
            self._end_block()
        tree = b""
        for _, peak in reversed(self._peaks):
            tree = hashlib.sha256(b"\x01" + peak + tree).digest() if tree else peak
        return hashlib.sha256(b"\x02" + self.size.to_bytes(8, "big") + tree).digest()

    def finish(self) -> Manifest:
        """The whole manifest. Raises Misuse for an empty blob."""
        root = self.root()
        return Manifest(root, self.size, b"".join(self.leaves))


def pack_chunk(root: bytes, index: int, data: bytes) -> bytes:
    """The payload of a chunk, or of the manifest with MANIFEST_INDEX."""
    return b"".join((root[:MARK_BYTES], index.to_bytes(2, "big"), data))


def parse_chunk(payload: "bytes | memoryview") -> "tuple[bytes, int, memoryview]":
    """-> (mark, index, a view of its bytes), nothing verified; raises ChunkForeign for what cannot be a chunk."""
    if not HEADER_BYTES < len(payload) <= HEADER_BYTES + max(CHUNK_BYTES, MANIFEST_BYTES_MAX):
        raise ChunkForeign(f"{len(payload)} bytes are no chunk")
    index = payload[MARK_BYTES] << 8 | payload[MARK_BYTES + 1]
    if index != MANIFEST_INDEX and len(payload) > HEADER_BYTES + CHUNK_BYTES:
        raise ChunkSize(f"chunk {index} of {len(payload) - HEADER_BYTES} bytes")
    return bytes(payload[:MARK_BYTES]), index, memoryview(payload)[HEADER_BYTES:]


def answer(want: Want, leaves: bytes, read: "Callable[[int, int], bytes]") -> "list[Callable[[], bytes]]":
    """The payloads that answer a want, each made when it is called: a slow wire holds one at a time.

    `leaves` is the manifest of the stored blob, `read(offset, n)` its bytes. Raises WantRefused when the
    want has another size than the blob.
    """
    if len(leaves) != 32 * leaf_count(want.size):
        raise WantRefused("size", f"{want.size} is not the blob's")
    if want.first == MANIFEST_INDEX:
        return [lambda: pack_chunk(want.root, MANIFEST_INDEX, leaves)]

    def chunk(index: int) -> "Callable[[], bytes]":
        length = chunk_length(want.size, index)
        return lambda: pack_chunk(want.root, index, read(index * CHUNK_BYTES, length))

    return [chunk(index) for index in range(want.first, want.first + want.count)]


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def seal_chunk(key: bytes, index: int, plain: bytes) -> bytes:
    """Ciphertext chunk `index` of a video: at most PLAIN_BYTES of plain text; a key seals one blob only."""
    if len(plain) > PLAIN_BYTES:
        raise Misuse(f"{len(plain)} bytes do not fit a sealed chunk")
    return crypto.default().seal(key, _nonce(index), _AD, plain)


def seal_chunk_in_place(key: bytes, index: int, buffer: bytearray, length: int) -> None:
    """buffer[:length] becomes ciphertext chunk `index`, its tag behind it: for a heap with no room for two."""
    crypto.default().seal_in_place(key, _nonce(index), _AD, buffer, length)


def open_chunk(key: bytes, index: int, sealed: bytes) -> bytes:
    """Raises CryptoError unless this is chunk `index` under `key`."""
    return crypto.default().open(key, _nonce(index), _AD, sealed)


def open_chunk_in_place(key: bytes, index: int, buffer: bytearray, length: int) -> None:
    """buffer[:length], sealed chunk `index`, becomes its plain text, TAG_BYTES shorter. Raises CryptoError."""
    crypto.default().open_in_place(key, _nonce(index), _AD, buffer, length)


class Fetch:
    """The receiver's side of one transfer, sans-IO. Times are integer milliseconds.

    `want(now)` gives the next request or None; `receive(payload, now)` takes what came, raising a named
    refusal (counted in `counters`) that costs nothing but itself, or its leaf; `next_event()` gives
    ("manifest", leaves) once, ("chunk", index, view of bytes) in order, verified, each to be made durable and then told
    by `stored(index)`, and ("done",) after the last one. At most WANT_CHUNKS_MAX chunks are asked for beyond what
    is durable. The first half of a leaf is held until the second has come; with `early` it is handed out at once, as
    ("half", index, view of bytes), to be written where it belongs and to count only with the other half.
    """

    def __init__(
        self, root: bytes, size: int, stored: int = 0, leaves: "bytes | None" = None, early: bool = False,
        half: bytes = b"",
    ) -> None:  # fmt: skip
        """Resume with `stored` durable chunks, those of whole leaves; `leaves` where they were kept.

        `half`: the chunk after them, where it was handed out `early` and is still there; it need not come again.
        Raises ManifestRefused for leaves that are not the root's.
        """
        if not 1 <= size <= BLOB_BYTES_MAX:
            raise ManifestRefused(f"a blob of {size} bytes, not within 1..{BLOB_BYTES_MAX}")
        self.root = root
        self.size = size
        self.count = chunk_count(size)
        if not 0 <= stored <= self.count or (stored < self.count and stored % LEAF_CHUNKS):
            raise Misuse(f"{stored} chunks stored of {self.count}")
        self.manifest = None if leaves is None else Manifest(root, size, leaves)
        self.counters: "dict[str, int]" = {"taken": 0, "asked": 0}
        self._stored = stored  # durable
        self._taken = stored  # verified and handed out
        self._asked = stored + (1 if half else 0)  # asked for
        self._manifest_asked = False
        self._early = early
        self._begun = 1 if half else 0  # chunks of the leaf after those taken: hashed, and ...
        self._hasher = hashlib.sha256(b"\x00" + half)
        self._held: "list[memoryview]" = []  # ... held, if not `early`
        self._events: "list[tuple[Any, ...]]" = []
        self._deadline: "int | None" = None
        if stored == self.count:
            self._events.append(("done",))

    @property
    def done(self) -> bool:
        return self._stored == self.count

    def want(self, now: int) -> "Want | None":
        """What to ask for now, if anything. Asks again for what did not come within WANT_WAIT_MS."""
        if self.done:
            return None
        if self._deadline is not None and now >= self._deadline:
            self._asked = self._taken + self._begun
            self._deadline = None
            self._manifest_asked = False
        if self.manifest is None and not self._manifest_asked:
            # the first chunks are asked for in the same breath: the wire keeps order, and need not idle in between
            self._manifest_asked = True
            return self._ask(MANIFEST_INDEX, 1, now)
        outstanding = self._asked - self._stored
        # asking in halves of the window keeps the sender busy while the storage catches up
        if self._asked == self.count or outstanding > WANT_CHUNKS_MAX // 2:
            return None
        first = self._asked
        end = min(first + WANT_CHUNKS_MAX - outstanding, self.count)
        if end < self.count:
            end -= end % LEAF_CHUNKS  # half a leaf could be neither checked nor stored
        count = end - first
        self._asked = end
        return self._ask(first, count, now)

    def _ask(self, first: int, count: int, now: int) -> Want:
        self._deadline = now + WANT_WAIT_MS
        self.counters["asked"] += 1
        return Want(root=self.root, size=self.size, first=first, count=count)

    def next_deadline(self) -> "int | None":
        """When `want` should be asked again even if nothing comes."""
        return self._deadline

    def receive(self, payload: "bytes | memoryview", now: int) -> None:
        """Take one chunk payload. Raises a ChunkRefused or ManifestRefused, which costs nothing else."""
        try:
            self._receive(payload)
        except Refusal as refusal:
            name = type(refusal).__name__
            self.counters[name] = self.counters.get(name, 0) + 1
            raise
        # only what is taken proves that the sender is at it: hostile chunks must not keep us waiting
        self._deadline = now + WANT_WAIT_MS if self._asked > self._taken else None

    def _receive(self, payload: "bytes | memoryview") -> None:
        mark, index, data = parse_chunk(payload)
        if mark != self.root[:MARK_BYTES]:
            raise ChunkForeign("a chunk of another blob")
        if index == MANIFEST_INDEX:
            if self.manifest is not None:
                raise ChunkRepeated("the manifest again")
            self.manifest = Manifest(self.root, self.size, data)
            self._events.append(("manifest", self.manifest.leaves))
            return
        if self.manifest is None:
            raise ChunkUnwanted(f"chunk {index} before the manifest")
        following = self._taken + self._begun
        if index < following:
            raise ChunkRepeated(f"chunk {index} again")
        if index >= self._asked:
            raise ChunkUnwanted(f"chunk {index} was not asked for")
        if index > following:
            raise ChunkUnwanted(f"chunk {index} before chunk {following}")
        if len(data) != chunk_length(self.size, index):
            raise ChunkSize(f"chunk {index} of {len(data)} bytes, not {chunk_length(self.size, index)}")
        if not self._begun:
            self._hasher = hashlib.sha256(b"\x00")
            self._held = []
        self._hasher.update(data)
        self._begun += 1
        if self._begun == LEAF_CHUNKS or index + 1 == self.count:
            self._take_leaf(self.manifest, data)
        elif self._early:
            self._events.append(("half", index, data))
        else:
            self._held.append(data)

    def _take_leaf(self, manifest: Manifest, last: memoryview) -> None:
        begun = self._begun
        self._begun = 0
        manifest.check_digest(self._taken // LEAF_CHUNKS, self._hasher.digest())
        self._taken += begun
        self.counters["taken"] += begun
        self._held.append(last)
        index = self._taken - len(self._held)
        for data in self._held:
            self._events.append(("chunk", index, data))
            index += 1
        self._held = []

    @property
    def taken_all(self) -> bool:
        """Everything that was asked for has come: the sender waits for the next want."""
        return self._taken == self._asked

    def stored(self, index: int) -> None:
        """Chunk `index` is durable. Chunks are stored in the order in which they were handed out."""
        if index != self._stored or index >= self._taken:
            raise Misuse(f"chunk {index} stored where {self._stored} is next of {self._taken}")
        self._stored += 1
        if self.done:
            self._deadline = None
            self._events.append(("done",))

    def next_event(self) -> "tuple[Any, ...] | None":
        return self._events.pop(0) if self._events else None
