"""A device's journal: every action in one hash chain, whose head the device signs at each docking."""

from protocol.errors import Refusal
from protocol.limits import (
    CODE_CHARS_MAX,
    JOURNAL_BATCH_ENTRIES_MAX,
    JOURNAL_DETAIL_BYTES_MAX,
    SIGN1_BYTES_MAX,
)
from protocol.records import signing
from protocol.records.schema import (
    COUNT,
    DIGEST,
    TIME_S,
    ListOf,
    Octets,
    Record,
    RecordRefused,
    Row,
    RowOf,
    Words,
    names,
)

FIRST_PREV = bytes(32)


class JournalRefused(RecordRefused):
    """A journal entry or batch is out of shape."""


class JournalBroken(Refusal):
    """Entries do not follow from each other or from those before: some are missing or changed."""


class JournalEntry(Row):
    """One action. seq counts from 0; prev is the hash of the entry before, zeros before the first."""

    seq: int
    prev: bytes
    clock_s: int
    action: str
    detail: str
    FIELDS = (
        ("seq", COUNT),
        ("prev", DIGEST),
        ("clock_s", TIME_S),
        ("action", Words(CODE_CHARS_MAX, 1)),
        ("detail", Words(JOURNAL_DETAIL_BYTES_MAX)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = JournalRefused

    def hash(self) -> bytes:
        return signing.digest(self.encode())


class JournalBatch(Record):
    """Consecutive entries and the device's signature over the hash of the last one."""

    entries: "list[JournalEntry]"
    signature: bytes
    FIELDS = (
        ("entries", ListOf(RowOf(JournalEntry), JOURNAL_BATCH_ENTRIES_MAX, 1)),
        ("signature", Octets(1, SIGN1_BYTES_MAX)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = JournalRefused

    def head(self) -> bytes:
        return self.entries[-1].hash()


def pack_batch(entries: "list[JournalEntry]", seed: bytes, public: bytes) -> bytes:
    """The encoded batch of consecutive entries, signed over its head."""
    signature = signing.sign(signing.JOURNAL, seed, public, entries[-1].hash())
    return JournalBatch(entries=entries, signature=signature).encode()


def check(batch: JournalBatch, seq: int, prev: bytes, ed25519: bytes) -> bytes:
    """Hold a batch to what the hub has: its first entry is number `seq` and follows the hash `prev`.

    Returns the head's hash, for the next batch. Raises JournalBroken or SignatureRefused.
    """
    for entry in batch.entries:
        if entry.seq != seq:
            raise JournalBroken(f"entry {entry.seq} where {seq} must be")
        if entry.prev != prev:
            raise JournalBroken(f"entry {seq} does not follow from the one before")
        prev = entry.hash()
        seq += 1
    signing.check(signing.JOURNAL, ed25519, prev, batch.signature)
    return prev
