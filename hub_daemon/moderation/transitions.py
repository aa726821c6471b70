"""Staff page -> here -> store: which state an item may go to, by which event, done by whom. Data only.

`queue.py` carries these out, each with one conditional UPDATE; `docs/staff.md` shows the table that
`markdown()` and `mermaid()` draw from it, and a test keeps the two equal. Nothing else decides a state.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.errors import Misuse

INGESTED = "ingested"
REFUSED = "refused"
PENDING = "pending"
CLAIMED = "claimed"
AWAITING_SECOND = "awaiting_second"
ESCALATED = "escalated"
APPROVED = "approved"
DELIVERED = "delivered"
RETURNED = "returned"
REJECTED = "rejected"
RECALLED = "recalled"

STATES = (
    INGESTED, REFUSED, PENDING, CLAIMED, AWAITING_SECOND, ESCALATED,
    APPROVED, DELIVERED, RETURNED, REJECTED, RECALLED,
)

# what the lease on the item must be for the transition
FREE = "free"  # nobody's, or ended
OWN = "own"  # this person's, and not ended
ENDED = "ended"  # somebody's, and ended
ANY = "any"  # does not matter: the event is in the safe direction

# what becomes of the lease
TAKE = "take"
KEEP = "keep"
DROP = "drop"

HUB = "hub"
MODERATOR = "moderator"
SAFER_CUSTODY = "safer-custody"
ANY_STAFF = "staff"


class Transition(NamedTuple):
    """One row of the table."""

    event: str
    source: str
    target: str
    lease: str  # FREE, OWN, ENDED or ANY
    then: str  # TAKE, KEEP or DROP
    who: str
    when: str  # the guard that the caller has checked, in words


TABLE = (
    Transition("normalise", INGESTED, PENDING, ANY, DROP, HUB, "renditions are made"),
    Transition("refuse", INGESTED, REFUSED, ANY, DROP, HUB, "the worker refused the bytes"),
    Transition("deal", PENDING, CLAIMED, FREE, TAKE, MODERATOR, "highest priority, then oldest"),
    Transition("deal", CLAIMED, CLAIMED, ENDED, TAKE, MODERATOR, "the earlier lease ran out"),
    Transition("deal", AWAITING_SECOND, AWAITING_SECOND, FREE, TAKE, MODERATOR, "has not signed it"),
    Transition("release", CLAIMED, PENDING, OWN, DROP, MODERATOR, ""),
    Transition("release", AWAITING_SECOND, AWAITING_SECOND, OWN, DROP, MODERATOR, ""),
    Transition("approve", CLAIMED, APPROVED, OWN, DROP, MODERATOR, "one signature is enough"),
    Transition("approve", CLAIMED, AWAITING_SECOND, OWN, DROP, MODERATOR, "two people are needed"),
    Transition("approve", AWAITING_SECOND, APPROVED, OWN, DROP, MODERATOR, "another person, the same bytes"),
    Transition("void", AWAITING_SECOND, CLAIMED, OWN, KEEP, HUB, "audience or roster changed meanwhile"),
    Transition("return", CLAIMED, RETURNED, OWN, DROP, MODERATOR, "reason and words"),
    Transition("return", AWAITING_SECOND, RETURNED, OWN, DROP, MODERATOR, "reason and words; has not signed it"),
    Transition("reject", CLAIMED, REJECTED, OWN, DROP, MODERATOR, "reason and words"),
    Transition("reject", AWAITING_SECOND, REJECTED, OWN, DROP, MODERATOR, "reason and words; has not signed it"),
    Transition("safeguard", PENDING, ESCALATED, ANY, DROP, ANY_STAFF, "one key, no confirmation"),
    Transition("safeguard", CLAIMED, ESCALATED, ANY, DROP, ANY_STAFF, "one key, no confirmation"),
    Transition("safeguard", AWAITING_SECOND, ESCALATED, ANY, DROP, ANY_STAFF, "one key, no confirmation"),
    Transition("resume", ESCALATED, PENDING, ANY, DROP, ANY_STAFF, "alert closed: who was told, and a second person"),
    Transition("deliver", APPROVED, DELIVERED, ANY, DROP, HUB, "a device's signed receipt"),
    Transition("recall", APPROVED, RECALLED, ANY, DROP, MODERATOR, "reason and words"),
    Transition("recall", DELIVERED, RECALLED, ANY, DROP, MODERATOR, "reason and words"),
)

OPEN = (PENDING, CLAIMED, AWAITING_SECOND)  # still to be decided
DECIDED = (APPROVED, DELIVERED, RETURNED, REJECTED, RECALLED)


def find(event: str, source: str, target: str | None = None) -> Transition | None:
    """The row for `event` out of `source` (and into `target` where there are two), or None."""
    for row in TABLE:
        if row.event == event and row.source == source and target in (None, row.target):
            return row
    return None


def events_of(source: str) -> list[str]:
    """What may happen to an item in this state: the page offers these and no others."""
    seen: list[str] = []
    for row in TABLE:
        if row.source == source and row.event not in seen:
            seen.append(row.event)
    return seen


def check() -> None:
    """The table names only known states and is unambiguous; run by a test, cheap enough to run at start."""
    keys = [(row.event, row.source, row.target) for row in TABLE]
    if len(set(keys)) != len(keys):
        raise Misuse("two rows of the transition table are the same")
    for row in TABLE:
        if row.source not in STATES or row.target not in STATES:
            raise Misuse(f"unknown state in {row}")
        if row.lease not in (FREE, OWN, ENDED, ANY) or row.then not in (TAKE, KEEP, DROP):
            raise Misuse(f"unknown lease rule in {row}")


def markdown() -> str:
    """The table as it stands in docs/staff.md."""
    lines = ["| event | from | to | lease | who | when |", "|---|---|---|---|---|---|"]
    for row in TABLE:
        lines.append(f"| {row.event} | {row.source} | {row.target} | {row.lease} | {row.who} | {row.when or '-'} |")
    return "\n".join(lines)


def mermaid() -> str:
    """The same as a drawing."""
    lines = ["stateDiagram-v2"]
    for row in TABLE:
        lines.append(f"    {row.source} --> {row.target}: {row.event}")
    return "\n".join(lines)
