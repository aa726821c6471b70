"""In a docking: the outbox on its way up. One envelope at a time, its blob as the hub asks for it."""

from firmware import limits, outbox
from protocol import blob
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse
from protocol.limits import CHUNK_BYTES
from protocol.records import topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware.device import Device

    Publish = Callable[[str, bytes], bool]


class Sending:
    """What waits is sent in the order it was made; custody, not sending, is what ends its waiting."""

    def __init__(self, device: "Device", publish: "Publish") -> None:
        self._device = device
        self._publish = publish
        self.deadline: "int | None" = None
        self.taken = 0  # envelopes that the hub took in this docking
        self.done_bytes = 0
        self._sizes: dict[bytes, int] = {}  # item -> bytes of its envelope and blob
        self._blob_done: dict[bytes, int] = {}  # item -> bytes of its blob that were counted
        self._current: "bytes | None" = None
        self._tries: dict[bytes, int] = {}
        self._answers: "list[tuple[bytes, int, int]]" = []  # (root, size, chunk index)
        self._asked = (b"", -1)  # root and newest chunk that the hub asked for ...
        self._again = 0  # ... and how often it has asked for nothing newer since
        self._at = -1  # bytes of the first answer that have gone, -1 before its packet was begun

    def begin(self) -> None:
        """Count what waits now; once more when something was saved while docked."""
        self._tries = {}
        for own in self.sendable():
            if own.item not in self._sizes:
                size = len(self._device.outbox.sealed(own.item) or b"")
                self._sizes[own.item] = size + (0 if own.blob is None else own.blob[1])

    def total_bytes(self) -> int:
        return sum(self._sizes.values())

    def step(self, now: int) -> bool:
        """Send the next envelope, or wait for the hub; False when nothing is left for this docking."""
        if self._current is not None:
            if self.deadline is not None and now < self.deadline:
                return True
            self._current = None  # no custody in time: another try later, others first
        for own in self._next():
            sealed = self._device.outbox.sealed(own.item)
            if sealed is None:
                continue
            if self._publish("envelope", sealed):
                self._tries[own.item] = self._tries.get(own.item, 0) + 1
                self._current = own.item
                self.deadline = now + limits.CUSTODY_WAIT_MS
            return True
        self.deadline = None
        return False

    def sendable(self) -> "list[outbox.Own]":
        """What waits, without replies to own threads that are not decided: the hub could not place them yet.

        One to a thread that came back goes up: the hub refuses it, and so the learner has it back.
        """
        kept = self._device.outbox
        found = []
        for own in kept.unsent():
            root = None if own.parent is None else kept.own.get(own.parent)
            if root is None or root.state >= outbox.APPROVED:
                found.append(own)
        return found

    def handled(self) -> None:
        """The hub says that it waits for nothing more: what it did not take stays for another docking."""
        if self._current is not None:
            self._tries[self._current] = limits.CUSTODY_TRIES
            self._current = None

    def _next(self) -> "list[outbox.Own]":
        waiting = [own for own in self.sendable() if self._tries.get(own.item, 0) < limits.CUSTODY_TRIES]
        waiting.sort(key=lambda own: (self._tries.get(own.item, 0), own.counter))
        return waiting

    def want(self, want: blob.Want, now: int) -> None:
        """The hub asks for chunks of an own blob, or for its manifest; what is not ours is ignored."""
        own = self._device.outbox.sending_root(want.root)
        if own is None or not own.waiting or own.blob is None or own.blob[1] != want.size:
            return
        first = -1 if want.first == blob.MANIFEST_INDEX else want.first
        if self._asked[0] != want.root or first > self._asked[1]:
            self._asked, self._again = (want.root, first), 0
        self._again += 1
        if self._again > limits.WANTS_AGAIN_MAX:
            self._again = 0
            from firmware import mending  # seldom in a device's life: no heap for it otherwise

            if not mending.is_whole(self._device.storage, want.root, want.size):
                self._device.custody(own.item, "BlobDamaged", 0)
                self.custody(own.item, "BlobDamaged")
                return
        if want.first != blob.MANIFEST_INDEX:
            self._count(own.item, min(want.size, want.first * CHUNK_BYTES))
        for index in range(want.first, want.first + want.count):
            entry = (want.root, want.size, index)
            if len(self._answers) < limits.ANSWERS_MAX and entry not in self._answers:
                self._answers.append(entry)
        if own.item == self._current:
            self.deadline = now + limits.CUSTODY_WAIT_MS

    def answer(self, now: int, room: int) -> bytes:
        """The next bytes, at most `room`, of a chunk that the hub asked for; b"" when it asked for none.

        The packet is made while it goes: an MQTT PUBLISH whose payload is read from storage piece by
        piece, so that a chunk never stands in the heap as a whole, let alone three times.
        """
        if not self._answers:
            return b""
        root, size, index = self._answers[0]
        if index == blob.MANIFEST_INDEX:
            name, offset, length = "leaves/" + outbox.name_of(root), 0, 32 * blob.leaf_count(size)
        else:
            name, offset = "blob/" + outbox.name_of(root), index * CHUNK_BYTES
            length = blob.chunk_length(size, index)
        if self._at < 0:
            if self._device.storage.blob_size(name) < offset + length:
                self._answers.pop(0)  # not here any more: the hub asks again, or the envelope waits
                return b""
            self._at = 0
            head = blob.pack_chunk(root, index, b"")
            return publish_head(topics.own(topics.UP, "chunk"), len(head) + length) + head
        size = min(room, length - self._at, limits.PIECE_BYTES)
        piece = self._device.storage.blob_read(name, offset + self._at, size)
        if not piece:
            raise Misuse("half a chunk of " + name)  # its file went away: the docking ends, the next one repeats it
        self._at += len(piece)
        if self._at == length:
            self._at = -1
            self._answers.pop(0)
            self._answered(root, 0 if index == blob.MANIFEST_INDEX else offset + length, now)
        return piece

    @property
    def answering(self) -> bool:
        """Whether a packet has been begun: nothing else may go between its bytes."""
        return self._at >= 0

    def _answered(self, root: bytes, blob_bytes: int, now: int) -> None:
        own = self._device.outbox.sending_root(root)
        if own is not None:
            self._count(own.item, blob_bytes)
            if own.item == self._current:
                self.deadline = now + limits.CUSTODY_WAIT_MS

    def _count(self, item: bytes, blob_bytes: int) -> None:
        """Progress only: what the hub has or was given of an item's blob."""
        if item in self._sizes:
            before = self._blob_done.get(item, 0)
            if blob_bytes > before:
                self._blob_done[item] = blob_bytes
                self.done_bytes += blob_bytes - before

    def custody(self, item: bytes, refusal: "str | None") -> None:
        """The hub has an envelope, or refuses it: the next one's turn."""
        if item in self._sizes and self._blob_done.get(item) != self._sizes[item]:
            self._count(item, self._sizes[item])
            if refusal is None:
                self.taken += 1
        if item == self._current:
            self._current = None


def publish_head(topic: str, payload_bytes: int) -> bytes:
    """A PUBLISH at QoS 0 up to its payload (MQTT 3.1.1 sections 2.2 and 3.3)."""
    name = topic.encode()
    left = 2 + len(name) + payload_bytes
    out = bytearray(b"\x30")
    while left > 127:
        out.append(0x80 | (left & 0x7F))
        left >>= 7
    out.append(left)
    return bytes(out) + len(name).to_bytes(2, "big") + name
