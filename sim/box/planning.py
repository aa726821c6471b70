"""Scenario and seed -> here -> plan: the days of learners and staff, the attackers' visits, and what goes wrong.

Everything that does not depend on what happens is drawn here, each actor's day from streams of its own: another
learner, dock or kind of fault leaves the rest as it was, so that two variants of a scenario meet the same days.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from random import Random

from protocol.limits import BLOB_BYTES_MAX, TEXT_BYTES_MAX
from sim.box import names
from sim.box.catalogue import ATTACKS, CATALOGUE, PICK_MAX, VERBS, ArgSpec
from sim.box.plan import Event, Plan, Value, WingPlan
from sim.box.planning_faults import draw_args, faults
from sim.box.scenario import Scenario
from sim.box.scenario_reading import ExactEvent
from sim.box.streams import stream
from sim.box.values import DAY_MS, HOUR_MS, MINUTE_MS, Days, Window

FIRST_WEEKDAY = 4  # day 0 is a Friday; Monday is 0
CELL = Window(7 * HOUR_MS, 22 * HOUR_MS + 30 * MINUTE_MS)  # when learners write and read
READ_WITHIN_MS = 2 * HOUR_MS  # what is new is opened so soon after a docking, if at all
LATE_MS_MAX = 10 * MINUTE_MS  # how late a member of staff sits down
VISITS_PER_DAY = 2  # of each attacker

Span = tuple[int, int]
Found = tuple[int, str, dict[str, Value]]  # at_ms, what, args


def make_plan(scenario: Scenario, seed: str) -> Plan:
    """Every event of the run that `seed` makes of the scenario."""
    days, wing = scenario.scenario.days, _wing(scenario)
    events: list[Event] = []
    lives = {learner: _life(scenario, wing, learner) for learner in (*wing.learners, *wing.arriving)}
    for learner, life in lives.items():
        for day in range(days):
            events += _LearnerDay(scenario, seed, learner, life, day).events()
    for number, moderator in enumerate(wing.moderators):
        for day in range(days):
            if not any(day in span and span.who in ("", moderator) for span in scenario.staff.absent):
                events += _staff_day(scenario, seed, number, day)
    for attacker, kind in wing.attackers.items():
        for day in range(days):
            events += _attacks(scenario, seed, attacker, kind, day)
    events += _exact(scenario, seed, lives)
    drawn = faults(scenario, seed, wing, events)
    events += [event for event in drawn if event.who not in lives or lives[event.who].here(event.at_ms)]
    return Plan(
        scenario=scenario.name,
        seed=seed,
        days=days,
        warmup_days=scenario.scenario.warmup_days,
        settle_ms=scenario.scenario.settle_min * MINUTE_MS,
        promise=scenario.scenario.promise,
        wing=wing,
        events=tuple(sorted(_seated(events), key=lambda event: (event.at_ms, event.id))),
    )


def _wing(scenario: Scenario) -> WingPlan:
    wing, staff = scenario.wing, scenario.staff
    learners = tuple(names.learner(number) for number in range(wing.learners))
    come = {event.who for event in scenario.events if event.name == "enrol"}
    return WingPlan(
        name=scenario.name.replace("_", "-"),
        learners=learners,
        arriving=tuple(sorted(come - set(learners))),
        groups=_groups(scenario, learners),
        attackers={names.attacker(number): kind for number, kind in enumerate(scenario.attacker_kinds)},
        docks=wing.docks,
        moderators=tuple(names.moderator(number) for number in range(wing.moderators)),
        administrators=tuple(names.administrator(number) for number in range(wing.administrators)),
        baud=wing.baud,
        envelopes_per_day_max=wing.envelopes_per_day_max,
        hand_ms=round(scenario.dock.hand_s * 1000),
        approve_p=staff.approve_p,
        return_p=staff.return_p,
        decision_s=str(staff.decision_s),
    )


def _groups(scenario: Scenario, learners: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Both ways leave everybody's group as it was when a learner is added."""
    size, found = scenario.wing.group_size, {}
    for group in range(scenario.groups):
        dealt = learners[group :: scenario.groups] if size is None else learners[group * size : (group + 1) * size]
        found[names.group(group)] = dealt
    return found


class _Life:
    """When a learner is on the wing with a device, and the learner's groups as time goes on."""

    def __init__(self, present: list[Span], groups: list[tuple[int, tuple[str, ...]]]) -> None:
        self._present = present
        self._groups = groups

    def here(self, at_ms: int) -> bool:
        return any(start <= at_ms < end for start, end in self._present)

    def groups_at(self, at_ms: int) -> tuple[str, ...]:
        return [groups for since, groups in self._groups if since <= at_ms][-1]


def _life(scenario: Scenario, wing: WingPlan, learner: str) -> _Life:
    end = scenario.scenario.days * DAY_MS
    present: list[Span] = [(0, end)] if learner in wing.learners else []
    groups = [(0, tuple(group for group, members in wing.groups.items() if learner in members))]
    for event in scenario.events:
        now = groups[-1][1]
        if event.name == "roster" and event.args.get("learner") == learner:
            group = str(event.args["group"])
            rest = tuple(one for one in now if one != group)
            groups.append((event.at_ms, rest if event.args["what"] == "leave" else (*rest, group)))
        elif event.who != learner:
            continue
        elif event.name in ("revoke", "transfer"):
            present = [(start, min(stop, event.at_ms)) for start, stop in present if start < event.at_ms]
        elif event.name in ("enrol", "replace") and not (present and present[-1][1] == end):
            present.append((event.at_ms, end))
    return _Life(present, groups)


class _LearnerDay:
    """One day of one learner: dockings in the windows, and between them posts, videos, drafts and reading."""

    def __init__(self, scenario: Scenario, seed: str, learner: str, life: _Life, day: int) -> None:
        self._scenario = scenario
        self._seed = seed
        self._learner = learner
        self._life = life
        self._day = day
        self._midnight = day * DAY_MS
        self._busy: list[Span] = []

    def events(self) -> list[Event]:
        docks = self._docks()
        made = [*docks, *self._messages(), *self._drafts(), *self._reads(docks)]
        return [event for event in made if self._life.here(event.at_ms)]

    def _stream(self, purpose: str) -> Random:
        return stream(self._seed, self._learner, f"{purpose}/{self._day}")

    def _event(self, do: str, number: int, at_ms: int, **args: Value) -> Event:
        return Event(f"{self._learner}.d{self._day:02d}.{do}{number}", at_ms, do, self._learner, args)

    def _docks(self) -> list[Event]:
        """At most one docking in each window, never on a day of lockdown."""
        if _on(self._day, self._scenario.timetable.lockdown):
            return []
        random, dock, found = self._stream("dock"), self._scenario.dock, []
        for window in _windows(self._scenario, self._day):
            goes, place = random.random() < window.p, random.random()
            patience, reaction = dock.patience_s.draw(random), dock.reaction_s.draw(random)
            if not goes:
                continue
            at_ms = self._midnight + window.start_ms + int(place * (window.end_ms - window.start_ms))
            found.append((at_ms, round(min(patience, 86_400.0), 1), round(min(reaction, 86_400.0), 1)))
        events = []
        for number, (at_ms, patience, reaction) in enumerate(sorted(found), 1):
            away_s = patience + reaction + dock.stay_s_max
            self._busy.append((at_ms, at_ms + round(away_s * 1000)))
            events.append(
                self._event("dock", number, at_ms, patience_s=patience, reaction_s=reaction, stay_s_max=dock.stay_s_max)
            )
        return events

    def _cell_time(self, share: float) -> int:
        """A moment of the day in the cell, by a share from 0 to 1 of all of them."""
        free, start = [], self._midnight + CELL.start_ms
        for begin, end in (*self._busy, (self._midnight + CELL.end_ms, 0)):
            if begin > start:
                free.append((start, begin))
            start = max(start, end)
        left = int(share * sum(end - begin for begin, end in free))
        for begin, end in free:
            if left < end - begin:
                return begin + left
            left -= end - begin
        return self._midnight + CELL.start_ms

    def _messages(self) -> list[Event]:
        random, traffic, found = self._stream("post"), self._scenario.traffic, list[Found]()
        for _ in range(poisson(random, traffic.posts_per_day)):
            at_ms, is_video = self._cell_time(random.random()), random.random() < traffic.video_p
            post_bytes = traffic.post_bytes.draw_whole(random, 1, TEXT_BYTES_MAX)
            words = traffic.words_bytes.draw_whole(random, 1, TEXT_BYTES_MAX)
            video_bytes = round(traffic.video_kb.draw(random) * 1024)
            reply, pick, chooses = random.random() < traffic.reply_p, random.randrange(PICK_MAX), random.random()
            groups = self._life.groups_at(at_ms)
            if not groups:
                continue
            args: dict[str, Value] = {"group": groups[int(chooses * len(groups))], "reply": reply, "pick": pick}
            if is_video:
                args |= {"bytes": min(max(video_bytes, 1024), BLOB_BYTES_MAX), "words": words}
            else:
                args |= {"bytes": post_bytes}
            found.append((at_ms, "record" if is_video else "write", args))
        return self._numbered(found)

    def _drafts(self) -> list[Event]:
        random, traffic, found = self._stream("draft"), self._scenario.traffic, list[Found]()
        for _ in range(poisson(random, traffic.drafts_per_day)):
            at_ms = self._cell_time(random.random())
            found.append((at_ms, "draft", {"bytes": traffic.post_bytes.draw_whole(random, 1, TEXT_BYTES_MAX)}))
        return self._numbered(found)

    def _reads(self, docks: list[Event]) -> list[Event]:
        """After a docking, in the cell, before the next one."""
        random, found = self._stream("read"), list[Found]()
        ends = [*(dock.at_ms for dock in docks[1:]), self._midnight + CELL.end_ms]
        for (_, back), end in zip(self._busy, ends):
            reads, share = random.random() < self._scenario.traffic.read_p, random.random()
            start = back + MINUTE_MS
            end = min(end, start + READ_WITHIN_MS)
            if reads and start < end:
                found.append((start + int(share * (end - start)), "read", {}))
        return self._numbered(found)

    def _numbered(self, found: list[Found]) -> list[Event]:
        counts: dict[str, int] = {}
        events = []
        for at_ms, do, args in sorted(found, key=lambda one: one[:2]):
            counts[do] = counts.get(do, 0) + 1
            events.append(self._event(do, counts[do], at_ms, **args))
        return events


def _staff_day(scenario: Scenario, seed: str, number: int, day: int) -> list[Event]:
    person, staff = names.moderator(number), scenario.staff
    random, events = stream(seed, person, f"shift/{day}"), []
    weekend = staff.hours if staff.weekend_hours is None else staff.weekend_hours
    for count, hours in enumerate(weekend if is_weekend(day) else staff.hours, 1):
        late, recalls, moment, pick = random.random(), random.random(), random.random(), random.randrange(PICK_MAX)
        start, end = day * DAY_MS + hours.start_ms, day * DAY_MS + hours.end_ms
        start += int(late * min(LATE_MS_MAX, (end - start) // 2))
        events.append(Event(f"{person}.d{day:02d}.shift{count}", start, "shift", person, {"until_ms": end}))
        if recalls < staff.recall_p:
            at_ms = start + int(moment * (end - start))
            events.append(Event(f"{person}.d{day:02d}.recall{count}", at_ms, "recall", person, {"pick": pick}))
    return events


def _attacks(scenario: Scenario, seed: str, attacker: str, kind: str, day: int) -> list[Event]:
    """An attacker's attempts of one day: at the docks in the windows, or at a desk in the hours of staff."""
    spec, random = ATTACKS[kind], stream(seed, attacker, f"attack/{day}")
    at_dock = spec.by in ("device", "wire")
    if at_dock and _on(day, scenario.timetable.lockdown):
        return []
    windows = _windows(scenario, day) if at_dock else scenario.staff.hours
    times = []
    for _ in range(VISITS_PER_DAY if windows else 0):
        window = windows[random.randrange(len(windows))]
        times.append(day * DAY_MS + window.start_ms + int(random.random() * (window.end_ms - window.start_ms)))
    return [
        Event(
            f"{attacker}.d{day:02d}.{'dock' if at_dock else 'act'}{number}", at_ms, "attack", attacker,
            {"kind": kind, **draw_args(spec.args, random)},
        )
        for number, at_ms in enumerate(sorted(times), 1)
    ]  # fmt: skip


def _exact(scenario: Scenario, seed: str, lives: Mapping[str, _Life]) -> list[Event]:
    """The file's own events, with what they leave open filled in."""
    found = []
    for number, event in enumerate(scenario.events):
        name = f"e{number:02d}.{event.name}"
        args = _filled(scenario, event, stream(seed, name, "args"), lives)
        do = "attack" if event.name in ATTACKS else event.name
        if do == "attack":
            args = {"kind": event.name, **args}
        elif event.name == "shift":
            args = {"until_ms": event.at_ms + int(args["ms"])}
        target = CATALOGUE[event.name].target if event.name in CATALOGUE else "wing" if event.name == "roster" else ""
        who = event.who or (target if target in ("hub", "broker", "wing") else "")
        found.append(Event(name, event.at_ms, do, who, args))
    return found


def _filled(scenario: Scenario, event: ExactEvent, random: Random, lives: Mapping[str, _Life]) -> dict[str, Value]:
    """The arguments of the file, and what it leaves out: drawn, or what the scenario says elsewhere."""
    specs: Mapping[str, ArgSpec] = {
        **(VERBS[event.name].args if event.name in VERBS else {}),
        **(CATALOGUE[event.name].args if event.name in CATALOGUE else {}),
        **(ATTACKS[event.name].args if event.name in ATTACKS else {}),
    }
    if event.name not in VERBS:
        return {**draw_args(specs, random), **event.args}
    usual: dict[str, Value] = {}
    if event.name == "dock":
        dock = scenario.dock
        usual = {
            "patience_s": round(min(dock.patience_s.draw(random), 86_400.0), 1),
            "reaction_s": round(min(dock.reaction_s.draw(random), 86_400.0), 1),
            "stay_s_max": dock.stay_s_max,
        }
    elif event.name in ("write", "record"):
        groups = lives[event.who].groups_at(event.at_ms)
        usual = {"group": groups[0] if groups else names.group(0), "reply": False, "pick": random.randrange(PICK_MAX)}
    return {**usual, **event.args}


def _seated(events: Iterable[Event]) -> list[Event]:
    """The events, with each fault that names a learner instead of a docking put to that learner's next docking.

    Where there is no further docking, there is nothing for the fault to be done to, and it is left out.
    """
    events = list(events)
    docks: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda one: (one.at_ms, one.id)):
        if event.do == "dock":
            docks.setdefault(event.who, []).append(event)
    found = []
    for event in events:
        spec = CATALOGUE.get(event.do)
        if spec is None or spec.target != "docking" or "." in event.who:
            found.append(event)
            continue
        following = [one for one in docks.get(event.who, []) if one.at_ms >= event.at_ms]
        if following:
            found.append(Event(event.id, following[0].at_ms, event.do, following[0].id, event.args))
    return found


def _windows(scenario: Scenario, day: int) -> tuple[Window, ...]:
    timetable = scenario.timetable
    if is_weekend(day) and timetable.weekend_windows is not None:
        return timetable.weekend_windows
    return timetable.windows


def _on(day: int, spans: tuple[Days, ...]) -> bool:
    return any(day in span for span in spans)


def is_weekend(day: int) -> bool:
    return (FIRST_WEEKDAY + day) % 7 >= 5


def poisson(random: Random, mean: float) -> int:
    """How many of something with this mean: events that do not know of each other."""
    count, left = 0, random.random()
    limit = math.exp(-mean)
    while left > limit:
        count += 1
        left *= random.random()
    return count
