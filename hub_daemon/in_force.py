"""Queue -> here -> delivery: which statements are in force, by the learner that may read them.

A delivery list asks for one learner's items; going through every item of the wing for each list would cost more with
each message ever written. So this keeps, in memory, what the store has: it follows the decisions of this process one by
one, and reads everything again after another process committed anything. It decides nothing: the gate does.
"""

from __future__ import annotations

from typing import NamedTuple

from hub_daemon.store import Store, Tx, items, queue
from protocol.errors import Refusal
from protocol.records.statement import Statement


class Entry(NamedTuple):
    """An item (32 bytes) under the digest of its statement in force; `place` grows with each decision."""

    place: int
    item: bytes
    statement: bytes


class InForce:
    """`readings` counts how often everything was read: whatever was verified before the last time may be edited."""

    def __init__(self, store: Store) -> None:
        self.readings = 0
        self._store = store
        self._version = -1
        self._decided = 0  # the newest decision that is taken up
        self._readers: dict[bytes, tuple[str, ...]] = {}
        self._of: dict[str, dict[bytes, Entry]] = {}

    def of(self, tx: Tx, learner: str) -> list[Entry]:
        """What `learner` may be allowed, newest decision first. `tx` is the writing transaction."""
        self._follow(tx)
        return sorted(self._of.get(learner, {}).values(), reverse=True)

    def _follow(self, tx: Tx) -> None:
        version = self._store.data_version()
        if version != self._version:
            self.readings += 1
            self._version = version
            self._decided = 0
            self._readers.clear()
            self._of.clear()
        for place, item in queue.decided_since(tx, self._decided):
            self._decided = place
            self._put(tx, place, item)

    def _put(self, tx: Tx, place: int, item: bytes) -> None:
        for reader in self._readers.pop(item, ()):
            del self._of[reader][item]
        found = items.get(tx, item)
        if found is None or found.statement is None or found.state not in items.DELIVERED_STATES:
            return
        signed = items.statement(tx, found.statement)
        if signed is None:
            return
        try:
            readers = tuple(Statement.decode(signed.body).audience.learners)
        except Refusal:
            readers = ()  # edited: whoever it was for, nobody is sent it
        self._readers[item] = readers
        for reader in readers:
            self._of.setdefault(reader, {})[item] = Entry(place, item, found.statement)
