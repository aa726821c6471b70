"""The small records of a docking: what the device has, what the hub says of the visit, the hub's time."""

from protocol.limits import CODE_CHARS_MAX, OUTBOX_ENVELOPES_MAX, SOFTWARE_CHARS_MAX
from protocol.records.schema import (
    COUNT,
    DEVICE_ID,
    TIME_S,
    Record,
    RecordRefused,
    Uint,
    Words,
    names,
)


class HelloRefused(RecordRefused):
    """A hello, a status or a time is out of shape."""


class Hello(Record):
    """Up, first: which list and roster the device holds (0: none), the next journal entry, what waits."""

    device: bytes
    list_version: int
    roster_version: int
    journal_next: int
    outbox: int
    software: str
    FIELDS = (
        ("device", DEVICE_ID),
        ("list_version", COUNT),
        ("roster_version", COUNT),
        ("journal_next", COUNT),
        ("outbox", Uint(OUTBOX_ENVELOPES_MAX)),
        ("software", Words(SOFTWARE_CHARS_MAX)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = HelloRefused


class Status(Record):
    """Down: how far the visit is, in numbers for the learner. `phase` is a word, "settled" at the end."""

    phase: str
    sent: int
    waiting: int
    new: int
    time_s: int
    FIELDS = (
        ("phase", Words(CODE_CHARS_MAX, 1)),
        ("sent", COUNT),
        ("waiting", COUNT),
        ("new", COUNT),
        ("time_s", TIME_S),
    )
    __slots__ = names(FIELDS)
    REFUSAL = HelloRefused


class Time(Record):
    """Down: the hub's time, for the learner to read. It decides nothing."""

    time_s: int
    FIELDS = (("time_s", TIME_S),)
    __slots__ = names(FIELDS)
    REFUSAL = HelloRefused
