"""Devices -> here -> oracle: every change of every device's storage, read from its bytes, as it is made.

Nothing is asked of the device's own code. After a power cut the storage that it left is looked through as a whole.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cbor2

from sim.box.devices import DeviceBox
from sim.box.flash import Flash
from sim.box.ledger import Message
from sim.box.oracle import Wrong

if TYPE_CHECKING:
    from sim.box.safety_hub import Fail, HubWatch
    from sim.box.world import World

OUTBOX_MAX, OWN_MAX, DRAFTS_MAX, LIST_ITEMS_MAX = 64, 400, 64, 200
SEGMENT_ENTRIES = 64
LEAF_BYTES = 8192
SEALED, TEXT, BLOB, STATE, REFUSAL = 1, 6, 7, 9, 10  # keys of an own entry
# what must have happened at the hub before a device may say so of its own message
NEEDS = {
    2: {"pending", "claimed", "awaiting_second", "escalated"},
    3: {"approved", "delivered"},
    4: {"delivered"},
    5: {"returned", "refused"},
    6: {"rejected", "recalled"},
}


@dataclass
class Kept:
    """What is known of one device's storage. `hashes` are of its journal's entries, `durable` of them synced."""

    box: DeviceBox
    flash: Flash
    id: bytes
    came: set[bytes] = field(default_factory=set)  # items whose bundle was ever on its disk
    listed: dict[bytes, bytes] = field(default_factory=dict)
    list_version: int = 0
    waiting: dict[bytes, bytes | None] = field(default_factory=dict)  # own items with their envelope -> recording
    saved: list[Message] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    durable: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # how far each segment is synced ...
    tails: dict[str, int] = field(default_factory=dict)  # ... and written
    wipes: int = 0  # how often it was made as from the factory before this
    rotten: bool = False  # its card lost bytes: what is stored there is not judged any more

    @property
    def learner(self) -> str:
        return self.box.learner


class DeviceWatch:
    """`change` is told of every change, `saved` of everything that a learner saved."""

    def __init__(self, world: World, hub: HubWatch, fail: Fail) -> None:
        self.world = world
        self.hub = hub
        self.oracle = hub.oracle
        self.kept: dict[str, Kept] = {}
        self._fail = fail

    def of(self, box: DeviceBox) -> Kept:
        """What is known of this device, looked through anew where its power was gone."""
        kept = self.kept.get(box.name)
        if kept is None:
            kept = self.kept[box.name] = Kept(box, box.flash, box.id)
        elif kept.flash is not box.flash:
            if box.wipes != kept.wipes:
                kept = self.kept[box.name] = Kept(box, box.flash, box.id, wipes=box.wipes)
            else:
                kept.flash = box.flash
                self._after_cut(kept)
        return kept

    def change(self, box: DeviceBox, change: tuple[Any, ...]) -> None:
        """One change of this device's storage."""
        kept = self.of(box)
        op, name, offset, data = change
        if kept.rotten:
            if name == "state/list" and op == "write":
                kept.listed = self.oracle.listed(kept.id, data[:-4])  # what it shows is judged all the same
            return
        if box.wipes != kept.wipes:
            return  # everything on it goes
        folder, _, rest = name.partition("/")
        about = f"{box.name}: {name[:16]}"
        if folder == "inbox" and op == "write":
            self.judged(about, self._bundle, kept, rest, data)
        elif name == "state/list" and op == "write":
            self.judged(about, self._list, kept, data)
        elif folder == "own":
            self.judged(about, self._own, kept, bytes.fromhex(rest), data if op == "write" else None)
        elif folder == "journal":
            self.judged(about, self._journal, kept, op, name, offset, data)
        elif op == "blob_commit":
            self.judged(about, self._medium, kept, data.decode())
        elif folder == "draft" and op == "write":
            self.judged(about, self._drafts, kept)
        elif folder == "blob" and op == "remove":
            self.judged(about, self._gone, kept, bytes.fromhex(rest))

    def judged(self, about: str, check: Callable[..., None], *args: object) -> None:
        try:
            check(*args)
        except Wrong as wrong:
            self._fail(wrong.invariant, f"{about}: {wrong.words}")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            self._fail("S2", f"{about}: not of the form that it must have ({type(error).__name__}: {error})")

    # what comes from others

    def _bundle(self, kept: Kept, name: str, data: bytes) -> None:
        digest, _, bundle = cbor2.loads(data[:-4])
        said = self.oracle.may_keep(kept.learner, bundle)
        if said.item.hex() != name:
            raise Wrong("S4", f"{self._name(said.item)} lies under the name of another item")
        if kept.listed.get(said.item) != said.digest or digest != said.digest:
            raise Wrong("S1", f"{self._name(said.item)} is kept, and is not so on the list that the device has")
        kept.came.add(said.item)

    def _list(self, kept: Kept, data: bytes) -> None:
        listed = self.oracle.listed(kept.id, data[:-4])
        version = cbor2.loads(cbor2.loads(data[:-4])[0])[3]
        if version < kept.list_version:
            raise Wrong("S1", f"list {version} took the place of list {kept.list_version}: a recall is undone")
        if len(listed) > LIST_ITEMS_MAX:
            raise Wrong("S12", f"a list of {len(listed)} items")
        kept.listed, kept.list_version = listed, version

    def _medium(self, kept: Kept, name: str) -> None:
        """A large file is complete: it is what its name says, and this learner's to have."""
        if not name.startswith("blob/") or name not in kept.flash.blobs:
            return
        root = bytes.fromhex(name[5:])
        if blob_root(bytes(kept.flash.blobs[name])) != root:
            raise Wrong("S2", "a medium with other bytes than were signed")
        said = self.hub.roots.get(root)
        if said is not None and kept.learner not in (said.author, *said.learners):
            raise Wrong("S3", f"a medium of {self._name(said.item)}, which is not for {kept.learner}")

    # what the learner made

    def saved(self, message: Message) -> None:
        """The learner has just been told that this is saved."""
        kept = self.of(self.world.devices[message.device])
        kept.saved.append(message)
        if not kept.rotten:
            self.judged(f"{kept.box.name}: {message.id}", self._held, kept, message)

    def _held(self, kept: Kept, message: Message) -> None:
        """What was saved is here whole, or at the hub."""
        stored = kept.flash.files.get("own/" + message.item.hex())
        entry = {} if stored is None else cbor2.loads(stored[:-4])
        sealed = entry.get(SEALED)
        if not self.hub.answered(message.item) and (sealed is None or hashlib.sha256(sealed).digest() != message.item):
            raise Wrong("S6", "saved, and neither on the device nor at the hub")
        if entry.get(TEXT) != message.text:
            raise Wrong("S6", "saved, and the author's own copy is not there")
        if sealed is not None and message.kind == "video":
            root, size = entry[BLOB][:2]
            if len(kept.flash.blobs.get("blob/" + root.hex(), b"")) != size:
                raise Wrong("S6", "saved, and its recording is not there")

    def _own(self, kept: Kept, item: bytes, data: bytes | None) -> None:
        entry = {} if data is None else cbor2.loads(data[:-4])
        message = self.world.ledger.by_item.get(item)
        if SEALED in entry:
            kept.waiting[item] = None if entry[BLOB] is None else entry[BLOB][0]
            if hashlib.sha256(entry[SEALED]).digest() != item:
                raise Wrong("S6", f"{self._name(item)} is kept with another envelope")
        else:
            kept.waiting.pop(item, None)
            if message is not None and not self.hub.answered(item):
                raise Wrong("S6", f"the envelope of {self._name(item)} is gone, and the hub has it not")
        if message is not None and entry.get(TEXT) != message.text:
            raise Wrong("S6", f"the author's copy of {self._name(item)} is gone or changed")
        if len(kept.waiting) > OUTBOX_MAX or len(kept.saved) > OWN_MAX:
            raise Wrong("S12", f"{len(kept.waiting)} envelopes wait of {len(kept.saved)} own")
        if data is not None:
            self.honest(item, int(entry[STATE]), entry[REFUSAL])

    def honest(self, item: bytes, state: int, refusal: str | None) -> None:
        """The device may say this of its own item."""
        if self.hub.lenient or state == 0:
            return
        ever = self.hub.ever.get(item, set())
        so = item in self.hub.custody if state == 1 else bool(NEEDS[state] & ever)
        if not so and not (state == 5 and self.hub.answered(item) and item not in self.hub.custody):
            raise Wrong("S13", f"{self._name(item)} is in state {state} here, and was {sorted(ever)} at the hub")

    def _drafts(self, kept: Kept) -> None:
        count = len(kept.flash.names("draft/"))
        if count > DRAFTS_MAX:
            raise Wrong("S12", f"{count} drafts")

    def _gone(self, kept: Kept, root: bytes) -> None:
        for item, recording in kept.waiting.items():
            if recording == root and not self.hub.answered(item):
                raise Wrong("S6", f"the recording of {self._name(item)} is gone, and the hub has it not")

    def received(self, device: str, item: bytes) -> None:
        """The hub has this device's receipt for a bundle."""
        box = self.world.by_id.get(bytes.fromhex(device))
        if box is None or self.world.devices.get(box.name) is not box:
            return  # an attacker's
        if not self.of(box).rotten and item not in self.of(box).came:
            self._fail("S5", f"{box.name} gave a receipt for {self._name(item)}, which was never on its disk")

    # the journal

    def _journal(self, kept: Kept, op: str, name: str, offset: int, data: bytes) -> None:
        if op == "blob_write":
            if offset < kept.ends.get(name, 0):
                raise Wrong("S8", f"journal entries are written over at {offset}")
            kept.tails[name] = offset + len(data)
            self._entry(kept, data)
        elif op == "blob_sync":
            kept.durable = len(kept.hashes)
            kept.ends[name] = kept.tails.get(name, 0)
        elif op == "remove":
            kept.ends.pop(name, None)
            first = int(name[8:])
            last = min(first + SEGMENT_ENTRIES, kept.durable)
            if last > first and self.world.hub.on and not self.hub.lenient and last > self._handed_over(kept):
                raise Wrong("S8", f"journal entries {first} to {last - 1} are removed, and the hub has them not")

    def _handed_over(self, kept: Kept) -> int:
        with self.world.hub.store.read() as tx:
            row = tx.execute("SELECT journal_next FROM devices WHERE device = ?", (kept.id,)).fetchone()
        return 0 if row is None else int(row[0])

    def _entry(self, kept: Kept, record: bytes) -> None:
        body = record[6:]
        if len(record) < 6 or len(body) != int.from_bytes(record[:2], "big"):
            return  # half of it, and the power went
        seq, prev = cbor2.loads(body)[:2]
        if not kept.durable <= seq <= len(kept.hashes):
            raise Wrong("S8", f"journal entry {seq} comes where {len(kept.hashes)} must")
        if prev != (kept.hashes[seq - 1] if seq else bytes(32)):
            raise Wrong("S8", f"journal entry {seq} does not name the one before")
        del kept.hashes[seq:]
        kept.hashes.append(hashlib.sha256(body).digest())

    def _scan_journal(self, kept: Kept) -> int:
        """Look through the storage's journal: what was synced is there, what is behind it is taken as it is.

        Returns how many entries there are, counted from the first that ever was.
        """
        count = 0
        for name in sorted(kept.flash.names("journal/")):
            at = 0
            for body in records(bytes(kept.flash.blobs[name])):
                seq, digest = cbor2.loads(body)[0], hashlib.sha256(body).digest()
                if seq < kept.durable and kept.hashes[seq] != digest:
                    raise Wrong("S8", f"journal entry {seq} is another one than before")
                if seq >= kept.durable:
                    kept.hashes[seq:] = [digest]
                at += 6 + len(body)
                count = seq + 1
            kept.ends[name] = at
        return count

    def begin(self, box: DeviceBox) -> None:
        """A device that has been there before anybody watched: what it has now is what it has to keep."""
        kept = self.of(box)
        self._scan_journal(kept)
        kept.durable = len(kept.hashes)

    def went_off(self, box: DeviceBox) -> None:
        """The power went; this is what it left."""
        self.of(box)

    def _after_cut(self, kept: Kept) -> None:
        """Power was gone: what was synced and saved is there."""
        if not kept.rotten:
            kept.ends, kept.waiting = {}, {}
            self.judged(kept.box.name, self._synced, kept)
            for name in kept.flash.names("own/"):
                entry = cbor2.loads(kept.flash.files[name][:-4])
                if SEALED in entry:
                    kept.waiting[bytes.fromhex(name[4:])] = None if entry[BLOB] is None else entry[BLOB][0]
            self.all_held(kept)

    def _synced(self, kept: Kept) -> None:
        count = self._scan_journal(kept)
        if count < kept.durable:
            raise Wrong("S8", f"{kept.durable} journal entries were synced, {count} are there")
        del kept.hashes[count:]

    def all_held(self, kept: Kept) -> None:
        for message in kept.saved:
            self.judged(f"{kept.box.name}: {message.id}", self._held, kept, message)

    # the end

    def settled(self) -> None:
        """Everything saved is held, and the hub's journals are the devices' own, signed by them."""
        for box in self.world.devices.values():
            kept = self.of(box)
            if not kept.rotten and not self.hub.lenient:
                self.all_held(kept)
                self.judged(box.name, self._journal_at_hub, kept)

    def _journal_at_hub(self, kept: Kept) -> None:
        with self.world.hub.store.read() as tx:
            sql = "SELECT seq, entry FROM journal WHERE device = ? ORDER BY seq"
            rows = [(row[0], hashlib.sha256(row[1]).digest()) for row in tx.execute(sql, (kept.id,))]
            sql = "SELECT seq, sign1 FROM journal_heads WHERE device = ? ORDER BY seq DESC LIMIT 1"
            head = tx.execute(sql, (kept.id,)).fetchone()
        if rows != list(enumerate(kept.hashes[: len(rows)])):
            raise Wrong("S8", "the hub's journal is not what the device wrote")
        sign1 = b"" if head is None else bytes(head[1])
        if rows and not self.oracle.signed_by(kept.id, b"perch/journal/1", rows[-1][1], sign1):
            raise Wrong("S9", "the device did not sign the journal that the hub has")

    def _name(self, item: bytes) -> str:
        return self.world.ledger.name(item)


def records(data: bytes) -> Iterator[bytes]:
    """The entries of a segment (length u16, CRC-32, entry), up to the first that is not whole."""
    at = 0
    while at + 6 <= len(data):
        body = data[at + 6 : at + 6 + int.from_bytes(data[at : at + 2], "big")]
        if not body or binascii.crc32(body) != int.from_bytes(data[at + 2 : at + 6], "big"):
            return
        yield body
        at += 6 + len(body)


def blob_root(data: bytes) -> bytes:
    """The name of a large body: RFC 6962's tree over its leaves, then its size."""
    nodes = [hashlib.sha256(b"\0" + data[at : at + LEAF_BYTES]).digest() for at in range(0, len(data), LEAF_BYTES)]
    while len(nodes) > 1:  # pairs from the left; a last one alone goes up as it is
        pairs = [nodes[at : at + 2] for at in range(0, len(nodes), 2)]
        nodes = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) > 1 else pair[0] for pair in pairs]
    return hashlib.sha256(b"\2" + len(data).to_bytes(8, "big") + b"".join(nodes)).digest()
