"""The journal of a device whose heap is torn: it is read entry by entry. Runs on both interpreters."""

from firmware import limits
from firmware.journal import Journal
from firmware.storage import MemoryStorage

READ_BYTES_MAX = 200


class Watched(MemoryStorage):
    """Remembers the largest piece that was ever asked for."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def blob_read(self, name, offset, count):
        self.most = max(self.most, count)
        return super().blob_read(name, offset, count)


def filled(count):
    storage = Watched()
    journal = Journal(storage)
    for number in range(count):
        journal.append(number, "open", "x" * (number % 40))
    return storage, journal


def test_a_long_journal_is_read_back_without_ever_holding_a_segment():
    count = 2 * limits.JOURNAL_SEGMENT_ENTRIES_MAX + 5
    storage, journal = filled(count)
    again = Journal(storage)
    assert (again.next_seq, again.head) == (journal.next_seq, journal.head)
    assert [entry.seq for entry in again.entries(0, count)] == list(range(count))
    assert storage.most <= READ_BYTES_MAX


def test_a_damaged_length_ends_a_segment_and_asks_for_nothing_large():
    storage, journal = filled(3)
    (name,) = storage.names("journal/")
    whole = bytes(storage.blobs[name])
    storage.blobs[name] = bytearray(whole + b"\xff\xff\x00\x00\x00\x00torn")
    assert Journal(storage).next_seq == 3
    assert storage.most <= READ_BYTES_MAX
    storage.blobs[name] = bytearray(whole[:-1])
    assert Journal(storage).next_seq == 2
