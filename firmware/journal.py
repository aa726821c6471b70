"""Beside everything the learner does: the append-only, hash-chained history of it, for headquarters and for them.

Entries go into segment files of JOURNAL_SEGMENT_ENTRIES_MAX entries, each appended as
length (u16) | CRC-32 (u32) | entry and synced before the call returns. A power cut leaves a
torn tail that fails its CRC; the next entry is written over it. Nothing is dropped before the
hub's custody, and some segments are kept after it for the learner to read. `state/journal` has the
number and the hash that the hub's journal ends with, so that a damaged file never forks from it.
"""

import binascii

from firmware import limits
from firmware.storage import Storage, put, take
from protocol import cbor
from protocol.compat import TYPE_CHECKING
from protocol.records.journal import FIRST_PREV, JournalEntry, pack_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.identity import Identity

FOLDER = "journal/"
CUSTODY = "state/journal"
_HEADER_BYTES = 6
_PEEK_BYTES = 160  # a header and nearly every entry


def _segment_name(first: int) -> str:
    digits = str(first)
    return FOLDER + "0" * (10 - len(digits)) + digits


def _records(storage: Storage, name: str) -> "Iterator[tuple[bytes, int]]":
    """Each whole record of a segment and where the next one belongs; a small heap never holds a segment.

    A damaged record costs itself: the next whole one is looked for behind it.
    """
    at = 0
    lost = 0
    size = storage.blob_size(name)
    while at + _HEADER_BYTES <= size and lost < limits.JOURNAL_LOST_BYTES_MAX:
        head = storage.blob_read(name, at, _PEEK_BYTES)
        length = int.from_bytes(head[:2], "big")
        end = at + _HEADER_BYTES + length
        record = head[_HEADER_BYTES : _HEADER_BYTES + length] if 0 < length and end <= size else b""
        if record and len(record) < length:
            record = storage.blob_read(name, at + _HEADER_BYTES, length)
        if record and binascii.crc32(record) == int.from_bytes(head[2:6], "big"):
            at, lost = end, 0
            yield record, at
        else:
            at += 1
            lost += 1


class Journal:
    """Sequence numbers begin at 0; `next_seq` and `head` (the last entry's hash) are always current."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.next_seq = 0
        self.head = FIRST_PREV
        self._first = 0  # first sequence number of the newest segment
        self._offset = 0
        self.damaged: list[str] = []  # files that are not what was written there
        # without it all of the journal is handed over again, and the hub knows it
        custody = cbor.loads(take(storage, CUSTODY, self.damaged) or b"\x82\x00\x40")
        self.custody_next: int = custody[0]
        segments = storage.names(FOLDER)
        while segments:
            name = segments.pop()
            newest = b""
            for record, self._offset in _records(storage, name):
                newest = record
            if newest:
                last = JournalEntry.decode(newest)
                self._first = int(name[len(FOLDER) :])
                self.next_seq, self.head = last.seq + 1, last.hash()
                break
            storage.remove(name)  # made, and cut before its first entry was durable
        if self.next_seq < self.custody_next:
            self._first, self._offset = self.custody_next, 0
            self.next_seq, self.head = custody

    def append(self, clock_s: int, action: str, detail: str = "") -> int:
        """Record one action, durably; returns its sequence number. Details are ids and names, never content."""
        if self.next_seq - self._first >= limits.JOURNAL_SEGMENT_ENTRIES_MAX:
            self._first, self._offset = self.next_seq, 0
        entry = JournalEntry(seq=self.next_seq, prev=self.head, clock_s=clock_s, action=action, detail=detail)
        body = entry.encode()
        record = len(body).to_bytes(2, "big") + binascii.crc32(body).to_bytes(4, "big") + body
        name = _segment_name(self._first)
        self._storage.blob_write(name, self._offset, record)
        self._storage.blob_sync(name)
        self._offset += len(record)
        self.head = entry.hash()
        self.next_seq += 1
        return entry.seq

    def entries(self, first: int, count: int) -> "list[JournalEntry]":
        """Up to `count` entries from sequence number `first` on, as far as they are still kept."""
        found: list[JournalEntry] = []
        segments = self._storage.names(FOLDER)
        for index, name in enumerate(segments):
            after = int(segments[index + 1][len(FOLDER) :]) if index + 1 < len(segments) else self.next_seq
            if after <= first:
                continue
            skip = first - int(name[len(FOLDER) :])
            end = 0
            for record, at in _records(self._storage, name):
                if at - end != _HEADER_BYTES + len(record):
                    skip = 0  # something is damaged before it: only the entry itself says which one it is
                end = at
                if skip > 0:
                    skip -= 1
                    continue
                entry = JournalEntry.decode(record)
                if first <= entry.seq < self.next_seq:
                    found.append(entry)
                    if len(found) == count:
                        return found
        return found

    def waiting(self) -> int:
        """Entries that the hub has not committed yet."""
        return self.next_seq - self.custody_next

    def batch(self, identity: "Identity") -> "tuple[bytes, int] | None":
        """(the next entries for the hub, signed over the last one's hash; its number); None when it has all."""
        entries = self.entries(self.custody_next, limits.JOURNAL_BATCH_ENTRIES)
        if not entries:
            return None
        return pack_batch(entries, identity.seed, identity.ed25519), entries[-1].seq

    def rewind(self, seq: int) -> None:
        """The hub says that it ends with `seq`, before what we thought it has: hand over again from there."""
        if seq < self.custody_next:
            self.custody_next = seq

    def custody(self, seq: int) -> None:
        """The hub has committed everything up to and with `seq`; old segments beyond the kept ones go."""
        if seq < self.custody_next or seq >= self.next_seq:
            return
        newest = self.entries(seq, 1)
        self.custody_next = seq + 1
        try:
            if newest and newest[0].seq == seq:
                put(self._storage, CUSTODY, cbor.dumps([seq + 1, newest[0].hash()]))
        except OSError:
            pass  # a full card: handed over again after a start, and the hub knows them
        segments = self._storage.names(FOLDER)
        while len(segments) > limits.JOURNAL_SEGMENTS_KEPT:
            if int(segments[1][len(FOLDER) :]) > self.custody_next:
                break
            self._storage.remove(segments.pop(0))
