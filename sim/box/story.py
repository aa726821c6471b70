"""Plan and trace -> here -> summary, report, explain: what happened, told by visit, by message, by fault and by person.

Everything comes from the plan and the trace, so that a run's directory tells the same as the run did. Times are ms of
the world.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocol.errors import Refusal
from sim.box.kernel import DAY_MS
from sim.box.plan import Plan
from sim.box.trace import Entry, Scalar

VERDICTS = ("approve", "return", "reject")
WHOLE_WING = ("hub", "broker", "wing")  # a fault there touches every docking
SEATED_MS_MIN = 1  # a docking that was over at once is still to be seen


class TraceRefused(Refusal):
    """The file is not the trace of a run; the words say where."""


@dataclass
class Visit:
    """One visit to the docks: `seated_ms` and `bay` where a dock was free before the learner gave up."""

    id: str
    device: str
    arrived_ms: int
    over_ms: int
    seated_ms: int | None = None
    settled_ms: int | None = None
    bay: str = ""
    why: str = ""
    counts: Mapping[str, Scalar] = field(default_factory=dict)  # up_bytes, down_bytes, resent, repaired, damaged
    faults: list[str] = field(default_factory=list)

    @property
    def waited_ms(self) -> int:
        return (self.over_ms if self.seated_ms is None else self.seated_ms) - self.arrived_ms


@dataclass
class Way:
    """One message: when it got where. `decided_ms` is of the last signature that the decision needed."""

    id: str
    device: str
    group: str
    parent: str
    video: bool
    saved_ms: int
    custody_ms: int | None = None
    decided_ms: int | None = None
    decision: str = ""
    received: dict[str, int] = field(default_factory=dict)  # device -> when
    read: dict[str, int] = field(default_factory=dict)

    @property
    def delivered_ms(self) -> int | None:
        """When it was first on somebody else's device."""
        return min((at for who, at in self.received.items() if who != self.device), default=None)

    @property
    def seen_ms(self) -> int | None:
        """When somebody else first opened it."""
        return min((at for who, at in self.read.items() if who != self.device), default=None)


@dataclass(frozen=True)
class Span:
    """A fault, a shift, or somebody busy with an item."""

    name: str
    who: str
    begin_ms: int
    end_ms: int
    about: str = ""


@dataclass
class Story:
    plan: Plan
    visits: list[Visit]
    ways: dict[str, Way]
    queue: list[tuple[int, int]]  # (when, how many wait for a decision from then on)
    faults: list[Span]
    attacks: list[Span]
    shifts: list[Span]
    work: list[Span]  # from an item that was dealt to what was decided
    end_ms: int

    @property
    def since_ms(self) -> int:
        """The end of the warm-up."""
        return self.plan.warmup_days * DAY_MS

    @property
    def until_ms(self) -> int:
        """The end of the days that were planned."""
        return self.plan.days * DAY_MS


def tell(plan: Plan, entries: Iterable[Entry]) -> Story:
    """The story of a whole trace."""
    return _Reader(plan).read(entries)


def load(lines: Iterable[str]) -> list[Entry]:
    """The entries of a trace.jsonl; raises TraceRefused."""
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            at_ms, kind, who, fields = json.loads(line)
            entries.append(Entry(int(at_ms), str(kind), str(who), dict(fields)))
        except (ValueError, TypeError):
            raise TraceRefused(f"line {number} is not an entry of a trace") from None
    return entries


def is_final(entry: Entry) -> bool:
    """Whether this row of the log decides an item: an approval that needs two people does with the second."""
    if entry.kind not in VERDICTS:
        return False
    have, _, need = str(entry.fields.get("detail", "")).rpartition("signature ")[2].partition(" of ")
    return entry.kind != "approve" or have == need


class _Reader:
    def __init__(self, plan: Plan) -> None:
        events = {event.id: event for event in plan.events}
        self._events = events
        self._video = {event.id for event in plan.events if event.do == "record"}
        shifts = [
            Span("shift", event.who, event.at_ms, int(event.args["until_ms"]), event.id)
            for event in plan.events if event.do == "shift"
        ]  # fmt: skip
        attacks = [
            Span(str(event.args.get("kind", event.do)), event.who, event.at_ms, event.at_ms, event.id)
            for event in plan.events if event.do == "attack"
        ]  # fmt: skip
        self._story = Story(plan, [], {}, [(0, 0)], [], attacks, shifts, [], 0)
        self._visits: dict[str, Visit] = {}
        self._seated: dict[str, Visit] = {}  # by bay
        self._waiting: dict[str, None] = {}
        self._on: dict[tuple[str, str, str], tuple[int, str]] = {}  # faults that are on: since when, and what it is
        self._dealt: dict[str, tuple[int, str]] = {}  # person -> since when they are busy with which item
        self._kinds = {
            "saved": self._saved, "seat": self._seat, "settled": self._settled, "lift": self._over,
            "give_up": self._over, "wire": self._wire, "fault": self._fault, "fault_over": self._fault_over,
            "dealt": self._deal,
        }  # fmt: skip

    def read(self, entries: Iterable[Entry]) -> Story:
        story = self._story
        for entry in entries:
            story.end_ms = max(story.end_ms, entry.at_ms)
            if entry.kind in self._kinds:
                self._kinds[entry.kind](entry)
            self._message(entry)
        story.visits = list(self._visits.values())
        for visit in story.visits:
            if visit.over_ms < 0:
                visit.over_ms = story.end_ms
        for (name, who, _), (since, about) in self._on.items():
            story.faults.append(Span(name, who, since, story.end_ms, about))
        story.faults.sort(key=lambda span: span.begin_ms)
        return story

    # messages

    def _saved(self, entry: Entry) -> None:
        name = str(entry.fields["item"])
        self._story.ways[name] = Way(
            name, entry.who, str(entry.fields.get("group", "")), str(entry.fields.get("parent", "")),
            name in self._video, entry.at_ms,
        )  # fmt: skip

    def _message(self, entry: Entry) -> None:
        name = str(entry.fields.get("item", ""))
        if not name:
            return
        if entry.kind in ("pending", "back_in_the_queue"):
            self._waiting[name] = None
            self._count(entry.at_ms)
        elif is_final(entry) or entry.kind == "recall":
            if self._waiting.pop(name, "") is None:
                self._count(entry.at_ms)
        if entry.kind in VERDICTS:
            self._decided(entry)
        way = self._story.ways.get(name)
        if way is None:
            return
        if entry.kind == "custody" and way.custody_ms is None:
            way.custody_ms = entry.at_ms
        elif is_final(entry):
            way.decision = entry.kind
            way.decided_ms = entry.at_ms if way.decided_ms is None else way.decided_ms
        elif entry.kind == "recall":
            way.decision = entry.kind
        elif entry.kind == "received":
            way.received.setdefault(entry.who, entry.at_ms)
        elif entry.kind == "read_by":
            way.read.setdefault(entry.who, entry.at_ms)

    def _count(self, at_ms: int) -> None:
        self._story.queue.append((at_ms, len(self._waiting)))

    def _deal(self, entry: Entry) -> None:
        self._dealt[entry.who] = (entry.at_ms, str(entry.fields.get("item", "")))

    def _decided(self, entry: Entry) -> None:
        since, item = self._dealt.pop(entry.who, (entry.at_ms, ""))
        if item == entry.fields.get("item"):
            self._story.work.append(Span(entry.kind, entry.who, since, entry.at_ms, item))

    # dockings

    def _seat(self, entry: Entry) -> None:
        id = str(entry.fields["docking"])
        waited = int(entry.fields.get("waited_ms") or 0)
        visit = Visit(id, entry.who, entry.at_ms - waited, -1, entry.at_ms, bay=str(entry.fields["bay"]))
        self._visits[id] = self._seated[visit.bay] = visit

    def _settled(self, entry: Entry) -> None:
        if (visit := self._visits.get(str(entry.fields["docking"]))) is not None:
            visit.settled_ms = entry.at_ms

    def _over(self, entry: Entry) -> None:
        id = str(entry.fields["docking"])
        if entry.kind == "give_up":
            event = self._events.get(id)
            arrived = entry.at_ms if event is None else event.at_ms
            self._visits[id] = Visit(id, entry.who, arrived, entry.at_ms, why="gave up waiting")
        elif (visit := self._visits.get(id)) is not None:
            self._seated.pop(visit.bay, None)
            visit.over_ms = max(entry.at_ms, (visit.seated_ms or 0) + SEATED_MS_MIN)
            visit.why = str(entry.fields["why"])

    def _wire(self, entry: Entry) -> None:
        if (visit := self._visits.get(str(entry.fields["docking"]))) is not None:
            visit.counts = {name: value for name, value in entry.fields.items() if name != "docking"}

    # what goes wrong

    def _fault(self, entry: Entry) -> None:
        name, event = str(entry.fields.get("name", "")), str(entry.fields.get("event", ""))
        self._on[name, entry.who, event] = (entry.at_ms, event)
        for visit in self._seated.values():
            if entry.who in (visit.id, visit.device, visit.bay, *WHOLE_WING):
                visit.faults.append(name)

    def _fault_over(self, entry: Entry) -> None:
        name, event = str(entry.fields.get("name", "")), str(entry.fields.get("event", ""))
        since, about = self._on.pop((name, entry.who, event), (entry.at_ms, event))
        self._story.faults.append(Span(name, entry.who, since, entry.at_ms, about))
