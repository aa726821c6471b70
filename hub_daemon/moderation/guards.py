"""Queue and alerts -> here -> store: who may act, whether the item is still as it was seen, and the move itself."""

from __future__ import annotations

from collections.abc import Callable

from hub_daemon.limits import LEASE_MS_MAX
from hub_daemon.moderation import transitions
from hub_daemon.moderation.errors import Conflict, NotAllowed, UnknownItem, ago
from hub_daemon.moderation.statements import Signer
from hub_daemon.store import Row, Store, Tx, queue
from protocol.errors import Misuse
from protocol.records.roster import Roster

DONE_WORDS = {
    "approve": "approved",
    "return": "returned",
    "reject": "rejected",
    "recall": "recalled",
}


class Guards:
    """What every act of the engine passes. `roster()` gives the roster in force, `clock()` unix milliseconds;
    `on_change(item)` is called after the commit of anything that may change a delivery list.
    """

    def __init__(
        self,
        store: Store,
        roster: Callable[[], Roster],
        blobs: object,
        clock: Callable[[], int],
        on_change: Callable[[bytes], object],
    ) -> None:
        self.store = store
        self.roster = roster
        self.blobs = blobs
        self.clock = clock
        self.on_change = on_change

    def roles(self, person: str) -> tuple[str, ...]:
        """The roles the roster in force gives this person."""
        for member in self.roster().staff:
            if member.person == person:
                return tuple(member.roles)
        return ()

    def _must(self, person: str, role: str, signer: Signer | None = None) -> None:
        if role not in self.roles(person):
            raise NotAllowed(f"this needs the role {role} in the roster in force")
        if signer is not None:
            if signer.person != person:
                raise Misuse("a decision signed by another person's key")
            if not any(m.person == person and m.public == signer.public for m in self.roster().staff):
                raise NotAllowed("your key is not in the roster in force: ask an administrator")

    def _row(self, tx: Tx, item: bytes) -> Row:
        row = queue.item(tx, item)
        if row is None:
            raise UnknownItem("there is no such item")
        return row

    def _seen(self, tx: Tx, item: bytes, version: int, person: str, now: int) -> Row:
        """The row, if it is still as `person` saw it and held it; the UPDATE says so once more."""
        row = self._row(tx, item)
        held = row["lease_owner"] == person and row["lease_until_ms"] > now
        if row["version"] != version or not held:
            raise self._conflict(tx, row, now)
        return row

    def _step(self, event: str, row: Row, now: int, target: str | None = None) -> transitions.Transition:
        step = transitions.find(event, row["state"], target)
        if step is None:
            raise Conflict(
                bytes(row["id"]), row["state"], "", "", 0, row["changed_ms"], now,
                f"The item is {row['state'].replace('_', ' ')} now; it cannot be {event}ed.",
            )
        return step

    def _move(self, tx: Tx, step: transitions.Transition, row: Row, version: int, person: str, now: int) -> None:
        if not queue.move(tx, step, bytes(row["id"]), version, person, now, now + LEASE_MS_MAX):
            raise self._conflict(tx, self._row(tx, bytes(row["id"])), now)

    def _conflict(self, tx: Tx, row: Row, now: int) -> Conflict:
        item = bytes(row["id"])
        decisions = [d for d in queue.decisions_of(tx, item) if d["dropped_ms"] is None]
        if row["state"] not in transitions.OPEN and decisions:
            last = decisions[-1]
            words = (
                f"Decided {ago(now - last['at_ms'])} ago by another moderator: {DONE_WORDS[last['action']]}"
                + (f", ground {last['reason']}" if last["reason"] else "")
                + ". Nothing of yours was lost."
            )
            return Conflict(
                item, row["state"], last["person"], last["action"], last["reason"], last["at_ms"], now, words
            )
        if row["state"] == transitions.ESCALATED:
            words = "Held: a person may be in danger. It is not decided until the alert is closed."
        elif row["lease_owner"] is not None and row["lease_until_ms"] > now:
            words = "The item was dealt to another moderator after your time with it ended."
        else:
            words = "Your time with this item ended, or it changed since you saw it. It is back in the queue."
        words += " Nothing of yours was lost."
        return Conflict(item, row["state"], row["lease_owner"] or "", "", 0, row["changed_ms"], now, words)
