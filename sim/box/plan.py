"""Scenario and seed -> planning -> here -> world: everything that will be tried in a run, as data with stable names.

A plan is a file: TOML of one shape, one event on a line, written exactly. What it was read from and what is written
again are equal, so that a failing plan can be cut down, kept and run for ever.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from protocol.errors import Misuse, Refusal

Value = int | float | str | bool


class PlanRefused(Refusal):
    """The text is no plan; the words say what is wrong and where."""


@dataclass(frozen=True)
class Event:
    """One thing that is tried at `at_ms` (since midnight of day 0): `do` what, `who` does it or has it done to them."""

    id: str
    at_ms: int
    do: str
    who: str = ""
    args: Mapping[str, Value] = field(default_factory=dict)

    @property
    def day(self) -> int:
        return self.at_ms // 86_400_000


@dataclass(frozen=True)
class WingPlan:
    """Who and what is there on the morning of day 0, and how its people act. Times are texts of values.py or ms."""

    name: str
    learners: tuple[str, ...]  # "l000" ..., each with an enrolled device
    arriving: tuple[str, ...]  # learners who come later, by an event `enrol`; in no group until `roster` says so
    groups: Mapping[str, tuple[str, ...]]  # "g00" -> its learners on day 0
    attackers: Mapping[str, str]  # "x00" -> what it does, a name of catalogue.ATTACKS
    docks: int  # bays "bay0" ...
    moderators: tuple[str, ...]  # "m0" ...
    administrators: tuple[str, ...]  # "a0", "a1" ...
    baud: int
    envelopes_per_day_max: int
    hand_ms: int  # from one device's lift until the next one is seated
    approve_p: float
    return_p: float  # the rest is rejected
    decision_s: str  # a distribution: from one decision to the next


@dataclass(frozen=True)
class Plan:
    """A whole run: the wing, the days, and the events in the order of (at_ms, id)."""

    scenario: str
    seed: str
    days: int
    warmup_days: int  # the first days; not in the statistics
    settle_ms: int  # after the last day: healed, and everything that should arrive must arrive
    promise: str  # "full", or "beyond": faults beyond the promise, then only safety is checked
    wing: WingPlan
    events: tuple[Event, ...]

    def __post_init__(self) -> None:
        order = [(event.at_ms, event.id) for event in self.events]
        if order != sorted(order):
            raise Misuse("a plan's events stand in the order of (at_ms, id)")

    def dumps(self) -> str:
        """The plan as TOML; `loads` gives an equal plan again."""
        lines = [f"{name} = {_value(getattr(self, name))}" for name in _PLAIN]
        lines += ["event = ["]
        lines += [f"    {_event(event)}," for event in self.events]
        lines += ["]", "", "[wing]"]
        for name in _WING:
            lines.append(f"{name} = {_value(getattr(self.wing, name))}")
        return "\n".join(lines) + "\n"

    @classmethod
    def loads(cls, text: str) -> Plan:
        """The plan of a TOML text; raises PlanRefused."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PlanRefused(f"this is not TOML: {error}") from None
        _keys("the plan", raw, {*_PLAIN, "event", "wing"})
        wing, events = raw["wing"], raw["event"]
        if not isinstance(wing, dict) or not isinstance(events, list):
            raise PlanRefused("`wing` is a table and `event` a list of tables")
        _keys("[wing]", wing, set(_WING))
        return cls(
            **{name: _typed(name, raw[name], kind) for name, kind in _PLAIN.items()},
            wing=WingPlan(**{name: _typed(f"wing.{name}", wing[name], kind) for name, kind in _WING.items()}),
            events=tuple(sorted(map(_read_event, events), key=lambda event: (event.at_ms, event.id))),
        )


_HINTS = get_type_hints(Plan)
_PLAIN = {one.name: _HINTS[one.name] for one in fields(Plan) if one.name not in ("wing", "events")}
_WING = get_type_hints(WingPlan)
_EVENT = {"id": str, "at_ms": int, "do": str, "who": str}


def _event(event: Event) -> str:
    parts = [f"{name} = {_value(getattr(event, name))}" for name in _EVENT if name != "who" or event.who]
    if event.args:
        parts.append(f"args = {_value(event.args)}")
    return "{" + ", ".join(parts) + "}"


def _value(value: object) -> str:
    """One value as TOML; floats with every digit they need."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_name(name)} = {_value(one)}" for name, one in value.items()) + "}"
    raise Misuse(f"a plan has no place for a {type(value).__name__}")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if " " <= one != "\x7f" else f"\\u{ord(one):04x}" for one in escaped) + '"'


def _keys(where: str, table: dict[str, Any], wanted: set[str]) -> None:
    wrong = sorted(set(table) ^ wanted)
    if wrong:
        raise PlanRefused(f"{where} has not the keys of a plan: {', '.join(wrong)} missing or too many")


def _typed(name: str, value: Any, kind: Any) -> Any:
    """A value as the type that the plan's field has; raises PlanRefused."""
    if kind == tuple[str, ...] and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if kind == Mapping[str, tuple[str, ...]] and isinstance(value, dict):
        return {key: _typed(f"{name}.{key}", one, tuple[str, ...]) for key, one in value.items()}
    if kind == Mapping[str, str] and isinstance(value, dict):
        return {key: _typed(f"{name}.{key}", one, str) for key, one in value.items()}
    if kind in (str, int, float) and type(value) is kind:
        return value
    raise PlanRefused(f"{name} cannot be {value!r}")


def _read_event(raw: Any) -> Event:
    if not isinstance(raw, dict) or not {"id", "at_ms", "do"} <= set(raw) <= {*_EVENT, "args"}:
        raise PlanRefused(f"an event has id, at_ms, do, and perhaps who and args, not {raw!r}")
    plain = {name: _typed(f"event.{name}", raw[name], kind) for name, kind in _EVENT.items() if name in raw}
    args = raw.get("args", {})
    if not isinstance(args, dict) or not all(type(one) in (int, float, str, bool) for one in args.values()):
        raise PlanRefused(f"the args of event {raw['id']} are not plain values: {args!r}")
    return Event(**plain, args=args)
