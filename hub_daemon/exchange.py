"""Broker -> here -> store, and back: the whole conversation of a docking, pure but for the store.

A message is judged, committed, and only then answered. Whatever is wrong with one gets a name, a row in the log and
costs that message alone. Identity is the device that the bay authenticated; what a payload claims is only compared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub_daemon import custody, refusals, serving
from hub_daemon.blobs import BlobStore
from hub_daemon.delivery import Delivery, Issued
from hub_daemon.docking import RECEIVING, SENDING, SETTLED, Docking, Message
from hub_daemon.keys import HubKeys
from hub_daemon.limits import (
    LIST_CLAIM_MAX,
    REFUSALS_LOGGED_MAX,
    REFUSALS_PER_DOCKING_MAX,
    SYNC_CHUNKS,
    VAIN_WANTS_MAX,
)
from hub_daemon.store import Store, Tx, envelopes, journal, lists, log, rosters, tickets
from hub_daemon.wing import Wing
from protocol import blob as blob_records
from protocol import cbor
from protocol.blob import LEAF_CHUNKS, Fetch, Want
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES, CODE_CHARS_MAX, SEALED_BYTES_MAX
from protocol.records import envelope as envelope_records
from protocol.records import journal as journal_records
from protocol.records.hello import Hello, Status, Time
from protocol.records.journal import JournalBatch, JournalBroken
from protocol.records.receipt import Custody
from protocol.records.want import BundleWant


class Exchange:
    """The hub's side of every docking of one wing.

    `on_message`, `docked`, `lifted`, `refresh` and `tick` may be called from any thread; each returns what must be
    published, in order. Everything returned is already durable.
    """

    def __init__(
        self,
        store: Store,
        keys: HubKeys,
        blob_store: BlobStore,
        wing: Wing,
        per_day_max: int = 100,
        on_close: Callable[[bytes, str], None] | None = None,
    ) -> None:
        self.store = store
        self.keys = keys
        self.blobs = blob_store
        self.wing = wing
        self.per_day_max = per_day_max
        self.on_close = on_close
        self.counters: dict[str, int] = {"messages": 0, "custody": 0, "repeated": 0, "refused": 0}
        self.dockings: dict[bytes, Docking] = {}
        self._delivery = Delivery(store, keys, wing.wing, self._withheld)
        self._stray: set[bytes] = set()
        self._withheld_told: set[tuple[bytes, bytes, str]] = set()
        self._held_to = 0  # the roster version whose register every docking was last held to
        self._now_ms = 0
        self._lock = threading.RLock()
        self._handlers = {
            "hello": self._hello,
            "journal": self._journal,
            "envelope": self._envelope,
            "chunk": self._chunk,
            "want": self._want,
            "receipt": self._receipt,
        }

    # the bay

    def docked(self, device_id: bytes, now_ms: int, ticket: bytes = b"") -> None:
        """A bay authenticated this device, which may come back with `ticket`. Raises DeviceUnknown or DeviceRevoked."""
        with self._lock:
            self.wing.load()
            device = self.wing.register.device(device_id)
            if device is None:
                raise refusals.DeviceUnknown(device_id.hex())
            if device.revoked or device.expires_s * 1000 <= now_ms:
                raise refusals.DeviceRevoked(device_id.hex())
            self.lifted(device_id)
            self._stray.discard(device_id)
            self.dockings[device_id] = Docking(device)
            with self.store.write() as tx:
                lists.note_docked(tx, device_id, now_ms)
                if ticket:
                    tickets.put(tx, device_id, ticket, now_ms)
                log.append(tx, now_ms, f"device:{device_id.hex()}", "docked", None, device.learner)

    def lifted(self, device_id: bytes) -> None:
        """The docking ended, however it did."""
        with self._lock:
            docking = self.dockings.pop(device_id, None)
            if docking is not None and docking.part is not None:
                docking.part.close()

    def progress(self, device_id: bytes) -> tuple[str, int, int]:
        """(phase, bytes done, bytes in all) of what is arriving, for the staff page."""
        with self._lock:
            docking = self.dockings.get(device_id)
            return ("", 0, 0) if docking is None else (docking.phase, *docking.progress)

    # the broker

    def on_message(self, device_id: bytes, kind: str, payload: bytes, now_ms: int) -> list[Message]:
        """Take one message of a device. Never raises for anything that a device can send."""
        with self._lock:
            self.counters["messages"] += 1
            docking = self.dockings.get(device_id)
            if docking is None:
                # a yank leaves messages in the pipe; the first of them is worth a row
                if device_id not in self._stray:
                    self._stray.add(device_id)
                    self._refuse(None, device_id, kind, refusals.NotDocked(kind), payload, now_ms)
                return []
            handler = self._handlers.get(kind)
            try:
                if handler is None:
                    raise refusals.KindUnknown(kind[:40])
                return handler(docking, payload, now_ms)
            except Refusal as refusal:
                self._refuse(docking, device_id, kind, refusal, payload, now_ms)
                return self._answer_refusal(docking, kind, payload, refusal, now_ms)

    def _refuse(
        self, docking: Docking | None, device: bytes, kind: str, refusal: Refusal, payload: bytes, now_ms: int
    ) -> None:
        self.counters["refused"] += 1
        count = 1
        if docking is not None:
            docking.refused += 1
            count = docking.refused
        if count <= REFUSALS_LOGGED_MAX:
            last = " (no more of this docking are logged)" if count == REFUSALS_LOGGED_MAX else ""
            words = f"{kind} of {len(payload)} bytes: {refusal.name}: {refusal}{last}"
            item = envelope_records.item_id(payload) if kind == "envelope" else None
            with self.store.write() as tx:
                log.append(tx, now_ms, f"device:{device.hex()}", "refused", item, words)
        if docking is not None and count >= REFUSALS_PER_DOCKING_MAX and not docking.close:
            docking.close = refusals.TooManyRefusals.__name__
            if self.on_close is not None:
                self.on_close(device, docking.close)

    def _answer_refusal(
        self, docking: Docking, kind: str, payload: bytes, refusal: Refusal, now_ms: int
    ) -> list[Message]:
        """The device is told by name, except where waiting is all that it should do."""
        device = docking.device.id
        name = refusal.name[:CODE_CHARS_MAX]
        if kind == "envelope":
            item = envelope_records.item_id(payload)
            if isinstance(refusal, (refusals.TooManyToday, refusals.TooManyArriving)):
                docking.deferred.add(item)
                return self._status(docking, now_ms)
            docking.handled.add(item)
            answer = Custody(item=item, journal=None, refusal=name)
            return [(device, "receipt", answer.encode()), *self._status(docking, now_ms)]
        if kind == "journal":
            with self.store.read() as tx:
                position = journal.position(tx, device)[0]
            answer = Custody(item=None, journal=max(0, position - 1), refusal=name)
            return [(device, "receipt", answer.encode())]
        return []

    # hello: roster and list first, so that recalls win

    def _hello(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        hello = Hello.decode(payload)
        device = docking.device.id
        if hello.device != device:
            raise refusals.HelloForeign(f"device {hello.device.hex()}")
        if hello.list_version > LIST_CLAIM_MAX:
            raise refusals.ListAhead(f"list {hello.list_version}")
        self.wing.load()
        docking.hello = hello
        docking.roster_version = hello.roster_version
        docking.handled.clear()
        docking.deferred.clear()
        docking.told.clear()
        docking.sent = docking.new = 0
        out: list[Message] = [(device, "time", Time(time_s=now_ms // 1000).encode())]
        with self.store.write() as tx:
            state = lists.device_state(tx, device)
            if hello.list_version > state.list_version:
                # the hub was put back from an older copy: go on above what the device has seen
                lists.raise_list_version(tx, device, hello.list_version)
                words = f"device has list {hello.list_version}, hub {state.list_version}"
                log.append(tx, now_ms, f"device:{device.hex()}", "list behind", None, words)
            out += self._rosters(tx, docking)
            docking.issued = self._issue(tx, docking, now_ms)
        out.append((device, "list", docking.issued.signed))
        out += self._refused_later(docking)
        out += self._next_fetch(docking, now_ms)
        return out + self._status(docking, now_ms)

    def _rosters(self, tx: Tx, docking: Docking) -> list[Message]:
        """The versions that the device missed, in order."""
        missed = rosters.since(tx, docking.roster_version)
        if missed:  # what was sent counts, not what is in force here: a newer one may have come since it was loaded
            docking.roster_version = missed[-1].version
        return [(docking.device.id, "roster", one.signed) for one in missed]

    def _issue(self, tx: Tx, docking: Docking, now_ms: int) -> Issued:
        self._now_ms = now_ms
        return self._delivery.issue(tx, docking.device, self.wing.roster, now_ms // 1000, docking.issued)

    def _withheld(self, device: bytes, item: bytes, refusal: Refusal) -> None:
        """The gate kept an item off a list; said once per item and reason, inside the list's transaction."""
        key = (device, item, refusal.name)
        if key in self._withheld_told:
            return
        self._withheld_told.add(key)
        self.counters["withheld"] = self.counters.get("withheld", 0) + 1
        words = f"from device {device.hex()}: {refusal.name}: {refusal}"
        with self.store.write() as tx:
            log.append(tx, self._now_ms, "hub", "withheld", item, words)

    # journal

    def _journal(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        batch = JournalBatch.decode(payload)
        device = docking.device.id
        last = batch.entries[-1].seq
        with self.store.write() as tx:
            seq, prev = journal.position(tx, device)
            fresh = []
            for entry in batch.entries:
                if entry.seq >= seq:
                    fresh.append(entry)
                elif journal.hash_at(tx, device, entry.seq) != entry.hash():
                    raise JournalBroken(f"entry {entry.seq} is not the one handed over before")
            if fresh:
                rest = JournalBatch(entries=fresh, signature=batch.signature)
                journal_records.check(rest, seq, prev, docking.device.ed25519)
                kept = [(entry.seq, entry.encode(), entry.hash()) for entry in fresh]
                journal.append(tx, device, kept, batch.signature, now_ms)
        answer = Custody(item=None, journal=last, refusal=None)
        return [(device, "receipt", answer.encode())]

    # envelopes and their blobs

    def _envelope(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        if len(payload) > SEALED_BYTES_MAX:
            raise envelope_records.EnvelopeRefused("sealed", f"{len(payload)} bytes")
        item = envelope_records.item_id(payload)
        device = docking.device
        with self.store.write() as tx:
            if custody.already_taken(tx, item, device.id):
                self.counters["repeated"] += 1
                return self._committed(docking, item, now_ms)
            judged = self._judge(tx, docking, payload, now_ms)
            blob = judged.content.blob
            if blob is None:
                custody.take(tx, judged, now_ms)
            else:
                custody.note_arriving(tx, judged, now_ms)
        if blob is None:
            self.counters["custody"] += 1
            return self._committed(docking, item, now_ms)
        return self._next_fetch(docking, now_ms) + self._status(docking, now_ms)

    def _judge(self, tx: Tx, docking: Docking, sealed: bytes, now_ms: int) -> custody.Judged:
        return custody.judge(tx, sealed, docking.device, self.wing.roster, self.keys, self.per_day_max, now_ms)

    def _committed(self, docking: Docking, item: bytes, now_ms: int) -> list[Message]:
        if item not in docking.handled:
            docking.handled.add(item)
            docking.sent += 1
        answer = Custody(item=item, journal=None, refusal=None)
        return [(docking.device.id, "receipt", answer.encode()), *self._status(docking, now_ms)]

    def _next_fetch(self, docking: Docking, now_ms: int) -> list[Message]:
        """Ask for the blob of the first envelope that waits for one, if none is being fetched."""
        out: list[Message] = []
        while docking.fetch is None:
            with self.store.read() as tx:
                waiting = envelopes.arriving_of(tx, docking.device.id)
            if not waiting:
                return out
            first = waiting[0]
            if self.blobs.has(first.blob_root) and self.blobs.size(first.blob_root) == first.blob_size:
                out += self._take_arriving(docking, first, now_ms)
                continue
            try:
                part = self.blobs.open_part(first.blob_root, first.blob_size)
                fetch = Fetch(first.blob_root, first.blob_size, part.stored_chunks, part.leaves)
            except Refusal as refusal:
                out += self._drop_arriving(docking, first, refusal, now_ms)
                continue
            docking.part, docking.fetch, docking.fetching = part, fetch, first.item
            out += self._drain(docking, now_ms)
        return out

    def _chunk(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        if docking.fetch is None:
            raise blob_records.ChunkForeign("no blob is being fetched")
        try:
            docking.fetch.receive(payload, now_ms)
        except blob_records.ChunkRepeated:
            self.counters["repeated"] += 1
        return self._drain(docking, now_ms)

    def _drain(self, docking: Docking, now_ms: int) -> list[Message]:
        """Make what the fetch verified durable, ask for more, and take the envelope when its blob is whole."""
        fetch, part = docking.fetch, docking.part
        assert fetch is not None and part is not None
        while (event := fetch.next_event()) is not None:
            if event[0] == "manifest":
                part.put_leaves(event[1])
            elif event[0] == "chunk":
                part.append(event[2])
                docking.vain = 0
                whole = (event[1] + 1) % LEAF_CHUNKS == 0 or event[1] + 1 == fetch.count  # half a leaf is nothing yet
                if whole and (part.unsynced >= SYNC_CHUNKS or fetch.taken_all):
                    first = part.stored_chunks
                    part.sync()
                    for index in range(first, part.stored_chunks):
                        fetch.stored(index)
            elif event[0] == "done":
                self.blobs.commit(part)
                done, docking.fetch, docking.part = docking.fetching, None, None
                return self._finish(docking, done, now_ms)
        done_bytes = min(part.stored_chunks * CHUNK_BYTES, part.size)
        docking.progress = (done_bytes, part.size)
        out: list[Message] = []
        self._wants(docking, now_ms, out)
        return out

    def _give_up(self, docking: Docking, now_ms: int) -> list[Message]:
        """What a device cannot give must not keep back what is behind it; its next docking may offer it anew."""
        item = docking.fetching
        if docking.part is not None:
            docking.part.close()
        docking.fetch, docking.part, docking.vain, docking.progress = None, None, 0, (0, 0)
        docking.deferred.add(item)
        with self.store.write() as tx:
            envelopes.remove_arriving(tx, item)
            log.append(tx, now_ms, f"device:{docking.device.id.hex()}", "blob missing", item, "asked for in vain")
        return self._next_fetch(docking, now_ms) + self._status(docking, now_ms)

    def _finish(self, docking: Docking, item: bytes, now_ms: int) -> list[Message]:
        docking.progress = (0, 0)
        with self.store.read() as tx:
            waiting = [one for one in envelopes.arriving_of(tx, docking.device.id) if one.item == item]
        out: list[Message] = []
        for one in waiting:
            out += self._take_arriving(docking, one, now_ms)
        return out + self._next_fetch(docking, now_ms)

    def _take_arriving(self, docking: Docking, one: envelopes.Arriving, now_ms: int) -> list[Message]:
        """The blob is whole: judge again (the roster may have changed meanwhile), then custody."""
        try:
            with self.store.write() as tx:
                judged = self._judge(tx, docking, one.sealed, now_ms)
                custody.take(tx, judged, now_ms)
        except Refusal as refusal:
            return self._drop_arriving(docking, one, refusal, now_ms)
        self.counters["custody"] += 1
        return self._committed(docking, one.item, now_ms)

    def _drop_arriving(self, docking: Docking, one: envelopes.Arriving, refusal: Refusal, now_ms: int) -> list[Message]:
        with self.store.write() as tx:
            envelopes.remove_arriving(tx, one.item)
        self._refuse(docking, docking.device.id, "envelope", refusal, one.sealed, now_ms)
        return self._answer_refusal(docking, "envelope", one.sealed, refusal, now_ms)

    # bundles and their blobs

    def _want(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        value = cbor.loads(payload)
        if isinstance(value, dict) and len(value) == 1:
            return self._bundles(docking, BundleWant.decode(payload), now_ms)
        return serving.chunks(docking, Want.decode(payload), self.blobs)

    def _bundles(self, docking: Docking, want: BundleWant, now_ms: int) -> list[Message]:
        out: list[Message] = []
        for wanted in want.items:
            try:
                with self.store.read() as tx:
                    out.append(serving.bundle(tx, docking, wanted, self._delivery))
            except Refusal as refusal:
                self._refuse(docking, docking.device.id, "want", refusal, wanted, now_ms)
        return out

    def _receipt(self, docking: Docking, payload: bytes, now_ms: int) -> list[Message]:
        with self.store.write() as tx:
            kept = serving.take_receipt(tx, docking, payload, now_ms)
        if docking.receipts is not None and kept.receipt is not None:
            docking.receipts[kept.receipt.item] = kept.receipt
        if kept.fresh:
            docking.new += 1
        out = self._status(docking, now_ms)
        return out + self.refresh(now_ms) if kept.delivered else out

    # what everybody is told

    def _refused_later(self, docking: Docking) -> list[Message]:
        """What the media worker refused after custody, by name: once in each visit, since nothing says
        that the device has it; the device takes it once."""
        out: list[Message] = []
        for item, name in () if docking.issued is None else docking.issued.refused:
            if item not in docking.told:
                docking.told.add(item)
                answer = Custody(item=item, journal=None, refusal=name)
                out.append((docking.device.id, "receipt", answer.encode()))
        return out

    def _status(self, docking: Docking, now_ms: int) -> list[Message]:
        """How far the visit is: "sending", then "receiving", then "settled" (nothing is left to do)."""
        if docking.hello is None:
            return []
        waiting = max(0, docking.hello.outbox - len(docking.handled))
        if docking.fetch is not None or waiting > len(docking.deferred):
            docking.phase = SENDING
        else:
            with self.store.read() as tx:
                docking.phase = RECEIVING if serving.is_missing(tx, docking) else SETTLED
        status = Status(phase=docking.phase, sent=docking.sent, waiting=waiting, new=docking.new, time_s=now_ms // 1000)
        return [(docking.device.id, "hello", status.encode())]

    def refresh(self, now_ms: int) -> list[Message]:
        """New rosters and lists for docked devices whose list changed; call when anything was decided."""
        with self._lock:
            self.wing.load()
            if self.wing.known and self.wing.roster.version != self._held_to:  # whoever loaded it first
                self._hold_to_register(now_ms)
                self._held_to = self.wing.roster.version
            return self._for_each("list", self._news, now_ms)

    def _news(self, docking: Docking, now_ms: int, out: list[Message]) -> None:
        if docking.hello is None or docking.issued is None or docking.close:
            return
        with self.store.write() as tx:
            out += self._rosters(tx, docking)
            issued = self._issue(tx, docking, now_ms)
        if issued.list.version != docking.issued.list.version:
            docking.issued = issued
            out.append((docking.device.id, "list", issued.signed))
            out += self._refused_later(docking)
            out += self._status(docking, now_ms)

    def _for_each(self, kind: str, due: Callable[[Docking, int, list[Message]], None], now_ms: int) -> list[Message]:
        """What is due to every docked device. Where that of one cannot be made, the others still get theirs."""
        out: list[Message] = []
        for docking in list(self.dockings.values()):
            try:
                due(docking, now_ms, out)
            except Exception as error:  # an edited row, a fault of ours: it is this docking's alone
                failed = refusals.NotMade(f"{type(error).__name__}: {error}")
                self._refuse(docking, docking.device.id, kind, failed, b"", now_ms)
        return out

    def _hold_to_register(self, now_ms: int) -> None:
        """A new register: whoever is revoked in it leaves now, and comes back with nothing."""
        with self.store.write() as tx:
            rows = self.wing.register.devices
            tickets.keep_only(tx, [row.id for row in rows if not row.revoked and row.expires_s * 1000 > now_ms])
        for docking in list(self.dockings.values()):
            device = self.wing.register.device(docking.device.id)
            if device is not None and not device.revoked and device.expires_s * 1000 > now_ms:
                docking.device = device
                continue
            docking.close = refusals.DeviceRevoked.__name__
            if self.on_close is not None:
                self.on_close(docking.device.id, docking.close)

    def tick(self, now_ms: int) -> list[Message]:
        """Ask again for chunks that did not come."""
        with self._lock:
            return self._for_each("want", self._wants_again, now_ms)

    def _wants_again(self, docking: Docking, now_ms: int, out: list[Message]) -> None:
        before = len(out)
        self._wants(docking, now_ms, out)
        if len(out) > before:
            docking.vain += 1
        if docking.vain > VAIN_WANTS_MAX and docking.fetch is not None:
            out += self._give_up(docking, now_ms)

    def _wants(self, docking: Docking, now_ms: int, out: list[Message]) -> None:
        while docking.fetch is not None and (want := docking.fetch.want(now_ms)) is not None:
            out.append((docking.device.id, "want", want.encode()))
