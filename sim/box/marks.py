"""World -> here -> campaign: which faults, attacks, transitions, refusals and more were really met, counted in a run.

Everything is seen from outside: the trace, the hub's rows, counters, and, for the time of a run, each making of a
Refusal and each loss of power. Production code has no hook for it. `marks.toml` has what cannot be read from a table,
and every mark that a campaign is not expected to reach, with its reason.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from hub_daemon.moderation import transitions
from hub_daemon.store import items, journal, log
from protocol.errors import Refusal
from protocol.records.journal import JournalEntry
from sim.box.catalogue import ATTACKS, CATALOGUE
from sim.box.checked import Counting
from sim.box.disk import Disk
from sim.box.docks import Docking
from sim.box.flash import OPS, Flash
from sim.box.invariants import INVARIANTS
from sim.box.trace import Entry
from sim.box.world import World

CATALOGUE_FILE = Path(__file__).with_name("marks.toml")
LISTED = ("refusal", "session", "link", "journal", "log", "cut")  # the families that stand in marks.toml
DISK_OPS = ("open", "write", "ftruncate", "fsync", "replace", "unlink", "commit")

# which event of the table of transitions a row of the hub's log tells
EVENT_OF = {
    "pending": "normalise", "refused": "refuse", "dealt": "deal", "passed back": "release", "approve": "approve",
    "approval dropped": "void", "return": "return", "reject": "reject", "alert raised": "safeguard",
    "back in the queue": "resume", "received": "deliver", "recall": "recall",
}  # fmt: skip
JOURNAL_ENTRIES_MAX = 100_000  # of one device


def row_name(row: transitions.Transition) -> str:
    return f"transition.{row.event} {row.source}-{row.target}"


def refusal_name(kind: type[Refusal]) -> str:
    """Two rooms may have a refusal of one name."""
    return f"refusal.{kind.__module__.partition('.')[0]}.{kind.__name__}"


def catalogue() -> dict[str, str]:
    """Every mark there is -> "" where a campaign must reach it, else the reason why it need not."""
    raw = tomllib.loads(CATALOGUE_FILE.read_text(encoding="utf-8"))
    found = [f"fault.{name}" for name in CATALOGUE] + [f"attack.{name}" for name in ATTACKS]
    found += [row_name(row) for row in transitions.TABLE] + [f"checked.{one.id}" for one in INVARIANTS]
    found += [f"{family}.{name}" for family in LISTED for name in raw[family]]
    reasons: Mapping[str, str] = raw["unexpected"]
    return {name: reasons.get(name, "") for name in [*found, *(one for one in reasons if one not in found)]}


def unreached(counts: Mapping[str, int]) -> list[str]:
    """The marks that a campaign with these counts should have reached and did not."""
    return [name for name, reason in catalogue().items() if not reason and not counts.get(name)]


class Marks:
    """Counts of one run. As a context, it also counts refusals and cuts while it lasts; one at a time."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._states: dict[bytes, str] = {}  # of each item, as last seen

    def counts(self) -> dict[str, int]:
        return dict(sorted(self.found.items()))

    # what has no place in a world

    def __enter__(self) -> Marks:
        found = self.found

        def made(refusal: Refusal, *words: object) -> None:
            Exception.__init__(refusal, *words)
            found[refusal_name(type(refusal))] += 1

        self._checked = Counting(found)
        self._checked.begin()
        self._before = (Flash._die, Disk.die)
        vars_of: Any = (Refusal, Flash, Disk)
        vars_of[0].__init__ = made
        vars_of[1]._die = self._cut("flash", OPS, Flash._die)
        vars_of[2].die = self._cut("disk", DISK_OPS, Disk.die)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        vars_of: Any = (Refusal, Flash, Disk)
        del vars_of[0].__init__  # its own is that of Exception
        vars_of[1]._die, vars_of[2].die = self._before
        self._checked.end()

    def _cut(self, storage: str, kinds: tuple[str, ...], die: Any) -> Any:
        """`die` that notes first in which operation the power goes: the nearest caller that is one."""

        def noting(this: object) -> None:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code.co_name.lstrip("_") not in kinds:
                frame = frame.f_back
            if frame is not None:
                self.found[f"cut.{storage} {frame.f_code.co_name.lstrip('_')}"] += 1
            die(this)

        return noting

    # what a world shows

    def watch(self, world: World) -> None:
        """Listen from the first instant of a world on."""
        self._world = world
        world.trace.listeners.append(self._entry)
        world.on_row.append(self._row)
        world.on_lift.append(self._lift)

    def _entry(self, entry: Entry) -> None:
        if entry.kind == "fault":
            self.found[f"fault.{entry.fields['name']}"] += 1
        elif entry.kind == "attack":
            self.found[f"attack.{entry.fields['kind']}"] += 1
        elif entry.kind == "up":
            self._session(entry.who)

    def _session(self, bay: str) -> None:
        core = self._world.hub.bays[bay].core
        if core is not None and core.stack.session is not None:
            self.found[f"session.{core.stack.session.pattern}"] += 1

    def _row(self, entry: log.Entry) -> None:
        self.found[f"log.{entry.action}"] += 1
        if entry.action == "enrolment asked":
            self.found["session.XX"] += 1
        if entry.item is None:
            return
        with self._world.hub.store.read() as tx:
            item = items.get(tx, entry.item)
        if item is None:
            return
        before = self._states.get(entry.item, transitions.INGESTED)
        row = transitions.find(EVENT_OF.get(entry.action, ""), before, item.state)
        if row is not None:
            self.found[row_name(row)] += 1
        if entry.action in EVENT_OF or entry.action == "custody":
            self._states[entry.item] = item.state

    def _lift(self, docking: Docking) -> None:
        """The counters of both ends; those of a link that began anew in this docking are lost."""
        assert docking.bay is not None
        ends = [docking.bay.core, getattr(docking.box.core, "dock", None)]
        for end in ends:
            if end is not None:
                for name, count in end.stack.link.counters.items():
                    self.found[f"link.{name}"] += bool(count)

    def end(self, world: World) -> None:
        """What stands in the hub at the end: the journals that it was given."""
        with world.hub.store.read() as tx:
            for device in world.by_id:
                for body in journal.entries(tx, device, 0, JOURNAL_ENTRIES_MAX):
                    self.found[f"journal.{JournalEntry.decode(body).action}"] += 1
