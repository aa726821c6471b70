"""In a docking: the delivery list on its way down. Bundles first, then their blobs, each pulled by this device."""

from firmware import inbox as inboxes
from firmware import limits, outbox
from protocol import blob
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES, LEAF_BYTES
from protocol.records.statement import Statement
from protocol.records.want import BundleWant

if TYPE_CHECKING:
    from firmware.device import Device
    from firmware.sending import Publish


class Fetching:
    """Asks for what the list names and is not here; every chunk is durable before it is counted."""

    def __init__(self, device: "Device", publish: "Publish") -> None:
        self._device = device
        self._publish = publish
        self.new = 0  # bundles taken in this docking
        self._asked: dict[bytes, int] = {}  # item -> when it was asked for
        self._tries: dict[bytes, int] = {}
        self._refused: "set[bytes]" = set()  # statement digests that did not pass, not asked for again
        self._fetch: "blob.Fetch | None" = None
        self._fetched_bytes = 0  # of blobs that were finished in this docking
        self._failed: "set[bytes]" = set()  # roots that the hub did not send; the next docking tries again
        self._stored = 0
        self._vain = 0  # wants since the last chunk that came

    # -- numbers ----------------------------------------------------------------------------

    def done_bytes(self) -> int:
        if self._fetch is None:
            return self._fetched_bytes
        return self._fetched_bytes + min(self._fetch.size, self._stored * CHUNK_BYTES)

    def total_bytes(self) -> int:
        return self._fetched_bytes + sum([size for _, size in self._device.inbox.blobs_missing()])

    def next_deadline(self) -> "int | None":
        due = None if self._fetch is None else self._fetch.next_deadline()
        for asked in self._asked.values():
            if due is None or asked + limits.BUNDLE_WAIT_MS < due:
                due = asked + limits.BUNDLE_WAIT_MS
        return due

    # -- the way ----------------------------------------------------------------------------

    def list_changed(self) -> None:
        """A newer list: what it recalled is no longer wanted, and a transfer of it ends."""
        self._asked = {}
        self._tries = {}
        if self._fetch is not None and self._fetch.root not in self._device.inbox.roots():
            self._fetch = None

    def has_work(self) -> bool:
        return bool(self._wanted()) or self._next_blob() is not None

    def step(self, now: int) -> bool:
        """Ask for what is next; False when everything that the list names is here, or was refused."""
        for item in list(self._asked):
            if now >= self._asked[item] + limits.BUNDLE_WAIT_MS:
                del self._asked[item]
        wanted = self._wanted()
        ask = [item for item in wanted if item not in self._asked][: limits.BUNDLES_WANTED_MAX - len(self._asked)]
        if ask and self._publish("want", BundleWant(items=sorted(ask)).encode()):
            for item in ask:
                self._asked[item] = now
                self._tries[item] = self._tries.get(item, 0) + 1
        if wanted:
            return True
        return self._step_blob(now)

    def _wanted(self) -> "list[bytes]":
        """Missing items that were not refused and not asked for too often, or that are on their way."""
        listed = self._device.inbox.listed()
        return [
            item
            for item in self._device.inbox.missing()
            if listed[item] not in self._refused
            and (item in self._asked or self._tries.get(item, 0) < limits.CUSTODY_TRIES)
        ]

    def bundle(self, data: bytes) -> None:
        """A bundle came, asked for or not: keep it if it passes the gate."""
        listed = self._device.inbox.listed()
        item = _item_of(data)
        fresh = item is not None and item in self._device.inbox.missing()
        try:
            taken = self._device.receive_bundle(data)
            if fresh:
                self.new += 1
            self._asked.pop(taken, None)
        except Refusal:
            if item is not None and item in listed:
                self._refused.add(listed[item])
                self._asked.pop(item, None)
            raise

    # -- blobs ------------------------------------------------------------------------------

    def _next_blob(self) -> "tuple[bytes, int] | None":
        for root, size in self._device.inbox.blobs_missing():
            if root not in self._failed:
                return root, size
        return None

    def _step_blob(self, now: int) -> bool:
        if self._fetch is None:
            following = self._next_blob()
            if following is None:
                return False
            self._open(following[0], following[1])
        self._events()
        if self._fetch is not None:
            want = self._fetch.want(now)
            if want is not None and self._publish("want", want.encode()):
                if want.first == blob.MANIFEST_INDEX or self._fetch.manifest is not None:
                    self._vain += 1  # the chunks that are asked for along with a manifest come with it or not at all
                if self._vain > limits.VAIN_WANTS_MAX:
                    self._failed.add(self._fetch.root)
                    self._device.log("refused", "blob " + outbox.name_of(self._fetch.root))
                    self._fetch = None
        return True

    def _open(self, root: bytes, size: int) -> None:
        """Resume from the leaves that are durable; the last of them is checked, since a cut may have torn it."""
        name = outbox.name_of(root)
        storage = self._device.storage
        leaves = storage.read(inboxes.LEAVES + name)
        have = storage.blob_size(inboxes.PART + name)
        stored = 0
        half = b""
        manifest = None
        if leaves is not None:
            try:
                manifest = blob.Manifest(root, size, leaves)
            except Refusal:
                leaves = None
        if manifest is not None:
            whole = manifest.count if have >= size else have // LEAF_BYTES
            while whole and not self._whole(manifest, whole - 1, inboxes.PART + name):
                whole -= 1
            stored = min(whole * blob.LEAF_CHUNKS, blob.chunk_count(size))
            if whole == have // LEAF_BYTES and have % LEAF_BYTES >= CHUNK_BYTES and have < size:
                half = storage.blob_read(inboxes.PART + name, whole * LEAF_BYTES, CHUNK_BYTES)
        self._stored = stored
        self._vain = 0
        self._fetch = blob.Fetch(root, size, stored, leaves, True, half)

    def _whole(self, manifest: blob.Manifest, index: int, name: str) -> bool:
        read = self._device.storage.blob_read
        start, end = index * LEAF_BYTES, min((index + 1) * LEAF_BYTES, manifest.size)
        piece = limits.PIECE_BYTES
        try:
            manifest.check(index, (read(name, at, min(piece, end - at)) for at in range(start, end, piece)))
        except Refusal:
            return False
        return True

    def chunk(self, payload: "bytes | memoryview", now: int) -> None:
        """A chunk, or the manifest, came; anything that was not asked for is refused by name."""
        if self._fetch is None:
            raise blob.ChunkForeign("no transfer")
        fetch = self._fetch
        taken = fetch.counters["taken"]
        try:
            fetch.receive(payload, now)
            if fetch.counters["taken"] > taken:
                self._vain = 0
        finally:
            self._events()

    def _events(self) -> None:
        fetch = self._fetch
        while fetch is not None:
            event = fetch.next_event()
            if event is None:
                return
            name = outbox.name_of(fetch.root)
            storage = self._device.storage
            if event[0] == "manifest":
                storage.write(inboxes.LEAVES + name, event[1])
            elif event[0] == "half":  # it stands there unverified, and counts only with the other half
                storage.blob_write(inboxes.PART + name, event[1] * CHUNK_BYTES, event[2])
            elif event[0] == "chunk":
                storage.blob_write(inboxes.PART + name, event[1] * CHUNK_BYTES, event[2])
                storage.blob_sync(inboxes.PART + name)
                for index in range(self._stored, event[1] + 1):
                    fetch.stored(index)
                self._stored = event[1] + 1
            elif event[0] == "done":
                storage.blob_commit(inboxes.PART + name, inboxes.BLOB + name)
                storage.remove(inboxes.LEAVES + name)
                self._fetched_bytes += fetch.size
                self._fetch = fetch = None


def _item_of(data: bytes) -> "bytes | None":
    """Which item a bundle claims to be, for the bookkeeping of wants only."""
    from protocol.records.bundle import Bundle

    try:
        return Statement.decode(Bundle.decode(data).statement).item
    except Refusal:
        return None
