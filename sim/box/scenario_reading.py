"""Scenario file -> here -> scenario: tables of TOML to checked values, every problem noted with its line.

Reading never stops at a problem: a person who mends a file wants to see all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.box import names, values
from sim.box.catalogue import ATTACKS, CATALOGUE, VERBS, ArgSpec, AttackSpec, FaultSpec, VerbSpec
from sim.box.scenario_keys import COMPARISON, KEYS, MEASURES, NEEDED, RATE, SECTIONS, SEEDS, SWARM, Faults, Kind
from sim.box.toml_lines import Path
from sim.box.values import Comparison, Rate, nearest

FREE_SECTIONS = ("faults", "expect", "sweep", "event")
EVENT_KEYS = ("at", "do", "who", "args")
UNITS_MS = {"ms": 1, "s": values.SECOND_MS, "days": values.DAY_MS}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a scenario: its line (0 where there is none), and words that say what is allowed."""

    line: int
    words: str


@dataclass(frozen=True)
class ExactEvent:
    """One [[event]]: `name` is a verb, a fault or an attack."""

    at_ms: int
    name: str
    who: str
    args: Mapping[str, int | float | str | bool]


class Reading:
    """The tables of one scenario, as tomllib gives them, and the lines of their paths."""

    def __init__(self, raw: Mapping[str, Any], lines: Mapping[Path, int]) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        self.fault_paths: dict[str, Path] = {}
        self._lines = lines

    def note(self, path: Path, words: str) -> None:
        while path and path not in self._lines:
            path = path[:-1]
        self.problems.append(Problem(self._lines[path] if path else 0, words))

    def table(self, name: str) -> Mapping[str, Any]:
        table = self.raw.get(name, {})
        if not isinstance(table, dict):
            self.note((name,), f"{name} is a section: write it as [{name}]")
            return {}
        return table

    def unknown(self, path: Path, allowed: Iterable[str], what: str) -> None:
        self.note(path, f"{path[-1]!s} is no {what}{nearest(str(path[-1]), allowed)}")

    def value(self, path: Path, kind: Kind, value: object) -> Any:
        """The plain value, or None when it is noted as a problem."""
        if not kind.many:
            return self._one(path, kind, value)
        if not isinstance(value, list):
            self.note(path, f"{path[-1]} cannot be {value!r}: allowed is {kind.allowed}")
            return None
        found = tuple(self._one((*path, place), kind, one) for place, one in enumerate(value))
        return None if None in found else found

    def _one(self, path: Path, kind: Kind, value: object) -> Any:
        try:
            return kind.read(value)
        except ValueError as error:
            name = next(part for part in reversed(path) if isinstance(part, str))
            self.note(path, f"{name} cannot be {value!r}: {error}")
            return None

    def sections(self) -> dict[str, Any]:
        """The sections of fixed keys as their classes; those that have problems are not there."""
        for name in self.raw:
            if name not in SECTIONS and name not in FREE_SECTIONS:
                self.unknown((name,), (*SECTIONS, *FREE_SECTIONS), "section of a scenario")
        return {name: made for name in SECTIONS if (made := self._section(name)) is not None}

    def _section(self, name: str) -> Any:
        table, known = self.table(name), {one.name: one for one in KEYS.values() if one.section == name}
        before = len(self.problems)
        for key in table:
            if key not in known:
                self.unknown((name, key), known, f"key of [{name}]")
        found: dict[str, Any] = {}
        for key, spec in known.items():
            if key in table:
                found[key] = self.value((name, key), spec.kind, table[key])
            elif spec.default is NEEDED:
                self.note((name,), f"[{name}] has no {key}; it must say {spec.kind.allowed}")
            elif spec.default is None:
                found[key] = None
            else:
                found[key] = self.value((name, key), spec.kind, spec.default)
        return None if len(self.problems) > before else SECTIONS[name](**found)

    def dotted(self, section: str, table: Mapping[str, Any]) -> dict[str, tuple[Path, Any]]:
        """The keys of a section of names with dots, quoted or not: "wire.yank" = and wire.yank = are the same."""
        found: dict[str, tuple[Path, Any]] = {}
        for key, value in table.items():
            if isinstance(value, dict):
                for inner, (path, one) in self.dotted(section, value).items():
                    found[f"{key}.{inner}"] = ((section, key, *path[1:]), one)
            else:
                found[key] = ((section, key), value)
        return found

    def faults(self) -> Faults:
        swarm, rates = False, {}
        for key, (path, value) in self.dotted("faults", self.table("faults")).items():
            if key == SWARM.name:
                swarm = bool(self.value(path, SWARM.kind, value))
            elif key not in CATALOGUE:
                self.note(path, f"{key} is no fault{nearest(key, CATALOGUE)}")
            elif (rate := self.value(path, RATE, value)) is not None:
                self.fault_paths[key] = path
                rates[key] = self._rate(path, key, rate)
        return Faults(swarm, rates)

    def _rate(self, path: Path, name: str, rate: Rate) -> Rate:
        target = CATALOGUE[name].target
        if rate.p and target != "docking":
            self.note(path, f'{name} is done to a {target}, not to a docking: allowed is a rate such as "1 per 5 days"')
        return rate

    def expect(self) -> dict[str, Comparison]:
        found = {}
        for key, value in self.table("expect").items():
            if key not in MEASURES:
                self.unknown(("expect", key), MEASURES, "figure of [expect]")
            elif (comparison := self.value(("expect", key), COMPARISON, value)) is not None:
                found[key] = comparison
        return found

    def sweep(self) -> tuple[int, dict[str, tuple[object, ...]]]:
        """The number of seeds, and for each swept key its values as they stand in the file."""
        seeds, found = self.value(("sweep", "seeds"), SEEDS.kind, SEEDS.default), {}
        swept = {*KEYS, "faults.swarm", *(f"faults.{name}" for name in CATALOGUE)}
        for key, (path, value) in self.dotted("sweep", self.table("sweep")).items():
            if key == SEEDS.name:
                seeds = self.value(path, SEEDS.kind, value)
            elif key not in swept:
                self.note(path, f"{key} cannot be swept{nearest(key, sorted(swept))}")
            elif not isinstance(value, list) or not value:
                self.note(path, f"{key} is swept over a list of values, not {value!r}")
            else:
                found[key] = tuple(value)
        return seeds, found

    def events(self, actors: Actors) -> list[ExactEvent]:
        rows = self.raw.get("event", [])
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            self.note(("event",), "events are a list of tables: write each as [[event]]")
            return []
        found = [self._event(("event", place), row, actors) for place, row in enumerate(rows)]
        return [one for one in found if one is not None]

    def _event(self, path: Path, row: Mapping[str, Any], actors: Actors) -> ExactEvent | None:
        for key in row:
            if key not in EVENT_KEYS:
                self.unknown((*path, key), EVENT_KEYS, "key of an event")
        at_ms = self.value((*path, "at"), Kind(values.moment_ms, ""), row.get("at"))
        if at_ms is not None and at_ms >= actors.days * values.DAY_MS:
            self.note((*path, "at"), f"at is after the last day; allowed is day 0 to day {actors.days - 1}")
        name, who, args = row.get("do"), row.get("who", ""), row.get("args", {})
        everything: dict[str, VerbSpec | FaultSpec | AttackSpec] = {**VERBS, **CATALOGUE, **ATTACKS}
        if not isinstance(name, str) or name not in everything:
            self.note((*path, "do"), f"{name!r} is nothing an event can do{nearest(str(name), everything)}")
            return None
        target = VERBS[name].who if name in VERBS else CATALOGUE[name].target if name in CATALOGUE else "attacker"
        if not isinstance(who, str) or (words := actors.refuse(target, who)):
            self.note(
                (*path, "who"), f"who cannot be {who!r}: {words if isinstance(who, str) else 'allowed is a text'}"
            )
        if not isinstance(args, dict):
            self.note((*path, "args"), f"args cannot be {args!r}: allowed is a table such as {{ ms = 100 }}")
            return None
        checked = self._args((*path, "args"), name, everything[name].args, args, actors)
        return ExactEvent(at_ms or 0, name, str(who), checked)

    def _args(
        self, path: Path, name: str, specs: Mapping[str, ArgSpec], args: Mapping[str, Any], actors: Actors
    ) -> dict[str, Any]:
        found = {}
        for key, value in args.items():
            if key not in specs:
                self.note((*path, key), f"{key} is no argument of {name}{nearest(key, specs) if specs else ''}")
                continue
            plain = in_unit(key, value)
            if words := _unfit(specs[key], plain, actors):
                self.note((*path, key), f"{key} cannot be {value!r}: {words}")
            found[key] = plain
        for key, spec in specs.items():
            if name in VERBS and spec.needed and key not in args:
                self.note(path, f"{name} needs args.{key}: {spec.allowed()}")
        return found


def in_unit(key: str, value: object) -> object:
    """A duration such as "90 days" as the number that an argument named ..._ms, ..._s or ..._days takes."""
    unit = UNITS_MS.get(key.rpartition("_")[2])
    if unit is None or not isinstance(value, str):
        return value
    try:
        return values.duration_ms(value) // unit
    except ValueError:
        return value


def _unfit(spec: ArgSpec, value: object, actors: Actors) -> str:
    """Why a value does not fit its argument, or ""."""
    if spec.kind in ("learner", "group"):
        return actors.refuse(spec.kind, value) if isinstance(value, str) else "allowed is a text"
    number = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        "whole": number,
        "number": number or isinstance(value, float),
        "flag": isinstance(value, bool),
        "word": value in spec.words,
        "text": isinstance(value, str),
    }[spec.kind]
    if fits and isinstance(value, int | float) and spec.kind in ("whole", "number"):
        fits = spec.least <= value <= spec.most
    return "" if fits else f"allowed is {spec.allowed()}"


@dataclass(frozen=True)
class Actors:
    """Who and what there is in a scenario, to check the names in its events."""

    days: int
    docks: int
    learners: tuple[str, ...]  # those who arrive later too
    groups: tuple[str, ...]  # those that are made later too
    moderators: tuple[str, ...]
    attackers: tuple[str, ...]

    def refuse(self, target: str, who: str) -> str:
        """Why `who` is no such target, with what is allowed; "" when it is one."""
        if target in ("hub", "broker", "wing"):
            return "" if who in ("", target) else f"allowed is {target!r}"
        if target == "docking":
            docking = re.fullmatch(r"(\w+)\.d\d\d+\.dock[1-9]\d*", who)
            fits = who in self.learners or (docking is not None and docking[1] in self.learners)
            return "" if fits else f"allowed is a learner or a docking such as l000.d00.dock1; {_span(self.learners)}"
        known = {
            "learner": self.learners,
            "device": self.learners,
            "group": self.groups,
            "staff": self.moderators,
            "moderator": self.moderators,
            "attacker": self.attackers,
            "bay": tuple(names.bay(number) for number in range(self.docks)),
        }[target]
        return "" if who in known else f"allowed is {_span(known)}"


def _span(known: tuple[str, ...]) -> str:
    if not known:
        return "nothing: there is none in this scenario"
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
