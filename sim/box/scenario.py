"""Scenario file -> here -> planning: a wing, its days, its people and what goes wrong, read from TOML and checked.

A file of sim/scenarios/ is called by its name, any other by its path. What is wrong in a file is said all at once, each
with its line and what is allowed there. `python -m sim.box.scenario` prints the reference for docs/scenarios.md.
"""

from __future__ import annotations

import itertools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.errors import Refusal
from sim.box import names, toml_lines
from sim.box.catalogue import CATALOGUE
from sim.box.scenario_keys import Attackers, Dock, Faults, Head, Staff, Timetable, Traffic, Wing
from sim.box.scenario_reading import Actors, ExactEvent, Problem, Reading
from sim.box.values import Comparison, Days, Window, nearest

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
NEW_LEARNERS_MAX = 32  # who may arrive in the run of a scenario


class ScenarioRefused(Refusal):
    """The scenario cannot be used. `problems` are all that was found; the words name file, line and what is allowed."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__(
            "\n".join(
                f"{file}:{one.line}: {one.words}" if one.line else f"{file}: {one.words}" for one in self.problems
            )
        )


@dataclass(frozen=True)
class Scenario:
    """One checked scenario; its sections are the classes of scenario_keys.py. `raw` is the file as TOML gives it."""

    file: str
    scenario: Head
    wing: Wing
    timetable: Timetable
    traffic: Traffic
    staff: Staff
    dock: Dock
    attackers: Attackers
    faults: Faults
    events: tuple[ExactEvent, ...]
    expect: Mapping[str, Comparison]
    sweep: Mapping[str, tuple[object, ...]]
    sweep_seeds: int
    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.scenario.name

    @property
    def groups(self) -> int:
        """How many groups there are on the first day."""
        return group_count(self.wing)

    @property
    def attacker_kinds(self) -> tuple[str, ...]:
        """What each attacker does."""
        return attacker_kinds(self.attackers)

    @classmethod
    def load(cls, which: str | Path, changes: Mapping[str, object] | None = None) -> Scenario:
        """A bundled scenario by its name, or one by its path; `changes` ("wing.docks": 3) win over the file.

        Raises ScenarioRefused.
        """
        path = Path(which)
        if path.suffix != ".toml" and path.name == str(which):
            path = FOLDER / f"{which}.toml"
            if str(which) not in bundled():
                raise ScenarioRefused(
                    str(which), [Problem(0, f"there is no such scenario{nearest(path.stem, bundled())}")]
                )
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ScenarioRefused(str(path), [Problem(0, f"cannot be read: {error.strerror}")]) from None
        except UnicodeDecodeError:
            raise ScenarioRefused(str(path), [Problem(0, "is no text in UTF-8")]) from None
        return cls.loads(text, path.name, changes)

    @classmethod
    def loads(cls, text: str, file: str = "scenario", changes: Mapping[str, object] | None = None) -> Scenario:
        """The scenario of a TOML text; `file` is its name in refusals. Raises ScenarioRefused."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"at line (\d+)", str(error))
            line = int(place[1]) if place else text.count("\n") + 1
            raise ScenarioRefused(file, [Problem(line, f"this is not TOML: {error}")]) from None
        lines = toml_lines.lines(text.replace("\r\n", "\n"))
        made, problems = _read(file, _changed(raw, changes or {}), lines)
        if made is not None and not problems:
            problems = _sweep_problems(made, lines)
        if made is None or problems:
            raise ScenarioRefused(file, problems)
        return made

    def variant(self, changes: Mapping[str, object]) -> Scenario:
        """The same scenario with other values of some keys ("wing.docks": 3). Raises ScenarioRefused."""
        made, problems = _read(self.file, _changed(self.raw, changes), {})
        if made is None or problems:
            raise ScenarioRefused(self.file, problems)
        return made

    def variants(self) -> Iterator[tuple[dict[str, object], Scenario]]:
        """Every combination of the swept values, and the scenario with them; one without a change for no sweep."""
        for combination in itertools.product(*self.sweep.values()):
            changes = dict(zip(self.sweep, combination))
            yield changes, self.variant(changes)


def bundled() -> list[str]:
    """The names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def group_count(wing: Wing) -> int:
    if wing.group_size is not None:
        return -(-wing.learners // wing.group_size)
    return wing.groups or 1


def attacker_kinds(attackers: Attackers) -> tuple[str, ...]:
    count = len(attackers.kinds) if attackers.count is None else attackers.count
    return tuple(attackers.kinds[number % len(attackers.kinds)] for number in range(count) if attackers.kinds)


def _changed(raw: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """The tables with some keys set: "section.key", where the key may have dots."""
    made = {name: dict(table) if isinstance(table, dict) else table for name, table in raw.items()}
    for dotted, value in changes.items():
        section, _, key = dotted.partition(".")
        table = made.setdefault(section, {})
        if section == "faults" and isinstance(table.get(family := key.partition(".")[0]), dict):
            table[family] = {one: rate for one, rate in table[family].items() if f"{family}.{one}" != key}
        table[key] = value
        if dotted == "wing.groups":
            table.pop("group_size", None)
        elif dotted == "wing.group_size":
            table.pop("groups", None)
    return made


def _read(
    file: str, raw: Mapping[str, Any], lines: Mapping[toml_lines.Path, int]
) -> tuple[Scenario | None, list[Problem]]:
    reading = Reading(raw, lines)
    sections = reading.sections()
    faults, expect = reading.faults(), reading.expect()
    seeds, sweep = reading.sweep()
    if "scenario" not in sections or "wing" not in sections or "attackers" not in sections:
        return None, reading.problems  # names in the rest cannot be judged without them
    actors = _actors(sections["scenario"], sections["wing"], sections["attackers"], raw)
    events = reading.events(actors)
    _together(reading, sections, faults, actors)
    if reading.problems:
        return None, reading.problems
    made = Scenario(
        file=file, faults=faults, events=tuple(sorted(events, key=lambda one: one.at_ms)), expect=expect, sweep=sweep,
        sweep_seeds=seeds, raw=raw, **sections,
    )  # fmt: skip
    return made, []


def _actors(head: Head, wing: Wing, attackers: Attackers, raw: Mapping[str, Any]) -> Actors:
    """Everybody who is there or comes: an `enrol` event makes a learner, a `roster` event may make a group."""
    events = (
        [one for one in raw.get("event", []) if isinstance(one, dict)] if isinstance(raw.get("event"), list) else []
    )
    come = {str(one.get("who")) for one in events if one.get("do") == "enrol"}
    every = [names.learner(number) for number in range(wing.learners + NEW_LEARNERS_MAX)]
    args = [one["args"] for one in events if one.get("do") == "roster" and isinstance(one.get("args"), dict)]
    made = sorted({str(one.get("group")) for one in args if one.get("what") == "new_group"})
    groups = [names.group(number) for number in range(group_count(wing))]
    return Actors(
        days=head.days,
        docks=wing.docks,
        learners=tuple(one for number, one in enumerate(every) if number < wing.learners or one in come),
        groups=(*groups, *(one for one in made if one not in groups)),
        moderators=tuple(names.moderator(number) for number in range(wing.moderators)),
        attackers=tuple(names.attacker(number) for number in range(len(attacker_kinds(attackers)))),
    )


def _together(reading: Reading, sections: Mapping[str, Any], faults: Faults, actors: Actors) -> None:
    """What is wrong only in view of other keys."""
    head, wing = sections["scenario"], sections["wing"]
    if head.warmup_days >= head.days:
        reading.note(("scenario", "warmup_days"), f"warmup_days must leave a day: allowed is 0 to {head.days - 1}")
    if wing.groups is not None and wing.group_size is not None:
        reading.note(("wing", "group_size"), "groups and group_size cannot both stand: allowed is one of them")
    if group_count(wing) > min(wing.learners, 32):
        reading.note(("wing",), f"{group_count(wing)} groups of {wing.learners} learners: allowed is at most one for"
                     " each learner, and at most 32")  # fmt: skip
    for name in faults.rates:
        if CATALOGUE[name].beyond and head.promise != "beyond" and (faults.rates[name].p or faults.rates[name].per_day):
            reading.note(
                reading.fault_paths[name],
                f'{name} may break more than the wing promises: allowed is promise = "beyond"',
            )
    if "timetable" in sections:
        for key in ("windows", "weekend_windows"):
            _apart(reading, ("timetable", key), getattr(sections["timetable"], key) or ())
        _within(reading, ("timetable", "lockdown"), sections["timetable"].lockdown, actors)
    if "staff" in sections:
        staff = sections["staff"]
        for key in ("hours", "weekend_hours"):
            _apart(reading, ("staff", key), getattr(staff, key) or ())
        _within(reading, ("staff", "absent"), staff.absent, actors)
        if staff.approve_p + staff.return_p > 1 + 1e-9:
            reading.note(("staff", "return_p"), "approve_p and return_p together are at most 1; the rest rejects")
    if "traffic" in sections and sections["traffic"].video_p and wing.moderators == 1:
        reading.note(("wing", "moderators"), "a video needs two different people: allowed is 2 or more, or video_p = 0")
    if reading.table("attackers").get("count") and not sections["attackers"].kinds:
        reading.note(("attackers", "count"), "there are attackers and no kinds: say what they do in attackers.kinds")


def _apart(reading: Reading, path: toml_lines.Path, windows: tuple[Window, ...]) -> None:
    for place, window in enumerate(windows):
        if any(one.start_ms < window.end_ms and window.start_ms < one.end_ms for one in windows[:place]):
            reading.note((*path, place), f"{path[-1]} overlap: this one begins before another one ends")


def _within(reading: Reading, path: toml_lines.Path, spans: tuple[Days, ...], actors: Actors) -> None:
    for place, span in enumerate(spans):
        if span.last >= actors.days:
            reading.note((*path, place), f"{path[-1]} names day {span.last}: allowed is day 0 to day {actors.days - 1}")
        if span.who and span.who not in actors.moderators:
            reading.note((*path, place), f"{path[-1]} names {span.who}: {actors.refuse('staff', span.who)}")


def _sweep_problems(base: Scenario, lines: Mapping[toml_lines.Path, int]) -> list[Problem]:
    """Each swept value is tried alone in the scenario; what it breaks is said at its own line."""
    problems = []
    for key, swept in base.sweep.items():
        path: toml_lines.Path = ("sweep", key) if ("sweep", key) in lines else ("sweep", *key.split(".", 1))
        for place, value in enumerate(swept):
            _, found = _read(base.file, _changed(base.raw, {key: value}), {})
            line = lines.get((*path, place), lines.get(path, 0))
            problems += [Problem(line, one.words) for one in found]
    return problems


def main() -> int:
    from sim.box.scenario_docs import reference

    sys.stdout.write(reference())
    return 0


if __name__ == "__main__":
    sys.exit(main())
