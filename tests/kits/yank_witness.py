"""The witness of a yank: looks at the bytes of both ends from outside; believes nothing that the code says of itself.

The hub is read with plain SQL from a copy of its files as the disk would have them after a power cut now; the device
from its storage, by file names and CBOR. Every `assert` here is one promise.
"""

from __future__ import annotations

import binascii
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from protocol import blob, cbor
from protocol.limits import CHUNK_BYTES
from protocol.records.receipt import COMMITTED, Custody, Receipt
from protocol.records.signing import unpack_signed
from tests.kits.faulty_disk import DATABASE, LOG, FaultyDisk
from tests.kits.faulty_storage import FaultyStorage
from tests.kits.yank_scene import Saved, Scene

MANIFEST = blob.MANIFEST_INDEX


class Witness:
    """`heard` and `said` see every message at the hub's end; `cut`, `look` and `complete` see what both ends keep."""

    def __init__(self, scene: Scene, directory: Path) -> None:
        self.scene = scene
        self.chunks = 0  # chunk messages seen, both ways
        self.acks = 0  # custody said, and receipts heard
        self.kinds: set[str] = set()  # of the messages seen, with their direction
        self.directory = directory
        self._roots = [*scene.media, *(one.blob_root for one in scene.saved if one.blob_root is not None)]
        self._cuts = 0
        self._durable: set[tuple[str, bytes, int]] = set()  # chunks that their receiver had at the last cut
        directory.mkdir(parents=True)

    # what goes over the wire

    def heard(self, kind: str, payload: bytes, storage: FaultyStorage) -> None:
        """A message up arrived."""
        self.kinds.add("up " + kind)
        if kind == "chunk":
            self._chunk("up", payload)
        elif kind == "receipt":
            self._receipt(payload, storage)

    def said(self, kind: str, payload: bytes, disk: FaultyDisk) -> None:
        """The hub is about to say this."""
        self.kinds.add("down " + kind)
        if kind == "chunk":
            self._chunk("down", payload)
        elif kind == "receipt":
            self._custody(payload, disk)

    def _chunk(self, direction: str, payload: bytes) -> None:
        self.chunks += 1
        mark, index, _ = blob.parse_chunk(payload)
        (root,) = [one for one in self._roots if one.startswith(mark)]
        assert (direction, root, index) not in self._durable, f"chunk {index} {direction}, sent again though durable"

    def _receipt(self, payload: bytes, storage: FaultyStorage) -> None:
        """The device says that it committed a bundle, or removed one."""
        self.acks += 1
        receipt = Receipt.decode(unpack_signed(payload)[0])
        kept = storage.survivors(False).files.get("inbox/" + receipt.item.hex())
        if receipt.state == COMMITTED:
            assert kept is not None, "a receipt for what is not durable"
            assert bytes(cbor.loads(kept[:-4])[0]) == receipt.statement, "a receipt for another statement"
        else:
            assert kept is None, "a receipt of removal for what is still there"

    def _custody(self, payload: bytes, disk: FaultyDisk) -> None:
        custody = Custody.decode(payload)
        self.acks += 1
        with _Hub(self, disk) as hub:
            if custody.item is not None:
                assert custody.refusal is None, custody.refusal
                saved = [one for one in self.scene.saved if one.item == custody.item]
                assert not saved or hub.holds(saved[0]), "custody said for what is not on the disk"
            else:
                assert custody.journal is not None and custody.refusal is None, custody.refusal
                assert len(hub.journal()) > custody.journal, "custody said for a journal that is not on the disk"

    # both ends

    def cut(self, storage: FaultyStorage, disk: FaultyDisk) -> None:
        """A cut happens, and this is what both ends have now. Remember which chunks are durable at their receivers."""
        self._durable = set()
        self._cuts += 1
        for name, data in disk.survivors(False).items():
            self._note("up", name.removesuffix(".leaves"), data, name.endswith(".leaves"))
        left = storage.survivors(False)
        for name, data in left.blobs.items():
            if name.startswith(("part/", "blob/")):
                self._note("down", name, bytes(data), False)
        for name in left.files:
            if name.startswith("leaves/"):
                self._note("down", name, b"", True)

    def _note(self, direction: str, path: str, data: bytes, leaves: bool) -> None:
        if not path.startswith(("blobs/", "part/", "blob/", "leaves/")):
            return
        name = path.rpartition("/")[2]
        if len(name) != 64:
            return  # not yet under its name
        root = bytes.fromhex(name)
        if leaves:
            self._durable.add((direction, root, MANIFEST))
            return
        whole = self._original(root)
        for index in range(-(-len(whole) // CHUNK_BYTES)):
            start = index * CHUNK_BYTES
            if data[start : start + CHUNK_BYTES] != whole[start : start + CHUNK_BYTES]:
                if index % blob.LEAF_CHUNKS and self._cuts > 1:
                    # half a leaf that an earlier cut left by chance, and that its receiver never counted
                    self._durable.discard((direction, root, index - 1))
                return
            self._durable.add((direction, root, index))

    def _original(self, root: bytes) -> bytes:
        for one in self.scene.saved:
            if one.blob_root == root and one.blob is not None:
                return one.blob
        return self.scene.media.get(root, b"")

    def look(self, device: Any, storage: FaultyStorage, disk: FaultyDisk) -> None:
        """At any moment: nothing saved is lost, nothing shown is wrong, no journal entry is missing."""
        left = storage.survivors(False)
        with _Hub(self, disk) as hub:
            for one in self.scene.saved:
                assert self._on_device(one, left) or hub.holds(one), "saved, and now lost on both sides"
            ours = journal_of(left)
            theirs = hub.journal()
            assert theirs == ours[: len(theirs)], "the hub's journal is not what the device wrote"
        self._shown(device)

    def _on_device(self, one: Saved, left: FaultyStorage) -> bool:
        stored = left.files.get("own/" + one.item.hex())
        if stored is None or one.sealed not in list(cbor.loads(stored[:-4]).values()):
            return False
        return one.blob_root is None or bytes(left.blobs.get("blob/" + one.blob_root.hex(), b"")) == one.blob

    def _shown(self, device: Any) -> dict[bytes, int]:
        """What the learner's page would show now, by item; everything in it is as it was approved."""
        seen: dict[bytes, int] = {}
        for thread in device.threads("reading"):
            for row in device.thread(thread["id"]):
                item = row["item"]
                seen[item] = seen.get(item, 0) + 1
                assert seen[item] == 1, "shown twice"
                if not row["mine"] and item != self.scene.recalled:
                    assert item in self.scene.shown and row["text"] == self.scene.shown[item][0], "wrong text shown"
        return seen

    def complete(self, device: Any, storage: FaultyStorage, disk: FaultyDisk) -> None:
        """The visit is over: everything arrived once, whole, and nothing else did."""
        left = storage.survivors(False)
        with _Hub(self, disk) as hub:
            for one in self.scene.saved:
                assert hub.holds(one), "not in the hub"
                assert hub.count("SELECT COUNT(*) FROM items WHERE id = ?", one.item) == 1
                taken = "SELECT COUNT(*) FROM log WHERE action = 'custody' AND item = ?"
                assert hub.count(taken, one.item) == 1, "taken into custody twice"
            mine = "SELECT COUNT(*) FROM envelopes WHERE device = ?"
            assert hub.count(mine, self.scene.device) == len(self.scene.saved), "an envelope that nobody saved"
            assert hub.count("SELECT COUNT(*) FROM arriving") == 0
            assert hub.count("SELECT COUNT(*) FROM log WHERE action IN ('refused', 'withheld')") == 0
            assert hub.journal() == journal_of(left), "journal entries are missing or there twice"
            receipts = {bytes(row[0]): row[1] for row in hub.rows(
                "SELECT item, state FROM receipts WHERE device = ?", self.scene.device)}  # fmt: skip
        assert receipts == {**dict.fromkeys(self.scene.shown, COMMITTED), self.scene.recalled: 2}
        assert not [name for name in disk.survivors(True) if name.startswith("blobs/parts/")]
        assert {name for name in left.files if name.startswith("inbox/")} == {
            "inbox/" + item.hex() for item in self.scene.shown
        }
        for root, data in self.scene.media.items():
            assert bytes(left.blobs["blob/" + root.hex()]) == data, "a medium with wrong bytes"
        assert not left.names("part/") + left.names("receipt/")
        shown = self._shown(device)
        assert set(shown) == {*self.scene.shown, *(one.item for one in self.scene.saved)}
        for _, root in self.scene.shown.values():
            if root is not None:
                _, size, read = device.media(root)
                assert read(0, size) == self.scene.media[root]


class _Hub:
    """The hub's files as the disk has them for sure, opened with SQLite and nothing else."""

    def __init__(self, witness: Witness, disk: FaultyDisk) -> None:
        self._files = disk.survivors(False)
        self._device = witness.scene.device
        directory = witness.directory
        for name in (DATABASE, LOG):
            (directory / name).write_bytes(self._files.get(name, b""))
        self._database = sqlite3.connect(directory / DATABASE, isolation_level=None)

    def __enter__(self) -> _Hub:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._database.close()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self._database.execute(sql, values).fetchall()

    def count(self, sql: str, *values: Any) -> int:
        return int(self.rows(sql, *values)[0][0])

    def holds(self, one: Saved) -> bool:
        """Envelope, item and blob of what the device saved, byte for byte."""
        found = self.rows("SELECT sealed, blob_root FROM envelopes WHERE item = ?", one.item)
        if [(bytes(row[0]), row[1]) for row in found] != [(one.sealed, one.blob_root)]:
            return False
        if one.blob_root is None:
            return True
        name = one.blob_root.hex()
        return self._files.get(f"blobs/{name[:2]}/{name}") == one.blob

    def journal(self) -> list[bytes]:
        """Every entry of the device, contiguous from the first; each chained to the one before."""
        head, entries = bytes(32), []
        rows = self.rows("SELECT seq, entry FROM journal WHERE device = ? ORDER BY seq", self._device)
        for place, (seq, entry) in enumerate(rows):
            assert seq == place, "a gap in the journal"
            assert head in entry
            head = hashlib.sha256(entry).digest()
            entries.append(bytes(entry))
        return entries


def journal_of(left: FaultyStorage) -> list[bytes]:
    """The entries in the device's storage: length u16, CRC-32, entry; up to the first that is not whole."""
    found = []
    for name in sorted(left.names("journal/")):
        data, at = bytes(left.blobs[name]), 0
        while at + 6 <= len(data):
            size = int.from_bytes(data[at : at + 2], "big")
            entry = data[at + 6 : at + 6 + size]
            if len(entry) < size or size == 0 or binascii.crc32(entry) != int.from_bytes(data[at + 2 : at + 6], "big"):
                break
            found.append(entry)
            at += 6 + size
    return found
