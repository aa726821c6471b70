"""Here -> scenario and its documentation: every key of a scenario file, in one place.

A key is a field of one of the classes below: its name, what its value may be, what it is when the file says nothing,
and one sentence. The reader, the refusals and the tables of docs/scenarios.md are made from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hub_daemon.limits import BAYS_MAX
from protocol.limits import BLOB_BYTES_MAX, GROUPS_MAX, LEARNERS_MAX, STAFF_MAX, TEXT_BYTES_MAX
from protocol.records.schema import IDENT, Unfit
from sim.box import values
from sim.box.catalogue import ATTACKS
from sim.box.values import Comparison, Days, Distribution, Rate, Window

NEEDED = object()  # no default: the file must say it
ADMINISTRATORS_MAX = 8


@dataclass(frozen=True)
class Kind:
    """What a value may be: `read` gives the plain value or raises ValueError; `many` is a list of such."""

    read: Callable[[object], Any]
    allowed: str
    many: bool = False


@dataclass(frozen=True)
class Key:
    section: str
    name: str
    kind: Kind
    default: object  # as it would stand in the file; NEEDED, or None for "left out"
    says: str


def _whole(least: int, most: int) -> Kind:
    allowed = f"a whole number from {least} to {most}"

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"allowed is {allowed}")
        return value

    return Kind(read, allowed)


def _number(least: float, most: float) -> Kind:
    allowed = f"a number from {least:g} to {most:g}"

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"allowed is {allowed}")
        return float(value)

    return Kind(read, allowed)


def _word(*words: str) -> Kind:
    allowed = " or ".join(f'"{one}"' for one in words)

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"allowed is {allowed}")
        return str(value)

    return Kind(read, allowed)


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("allowed is true or false")
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ValueError("allowed is a text of 1 to 200 characters")
    return value


def _read_name(value: object) -> str:
    try:
        return str(IDENT.read(value.replace("_", "-") if isinstance(value, str) else value)) and str(value)
    except Unfit:
        raise ValueError("allowed is a name of 1 to 32 of a-z, 0-9, - and _") from None


def _read_attack(value: object) -> str:
    if not isinstance(value, str) or value not in ATTACKS:
        raise ValueError("there is no such attack" + values.nearest(str(value), ATTACKS))
    return value


_P = _number(0, 1)
_DISTRIBUTION = Kind(
    values.distribution, '"lognormal(MEDIAN, SIGMA)", "uniform(LEAST, MOST)", "exponential(MEAN)" or a number'
)
_WINDOWS = Kind(values.window, 'a list of parts of a day, such as "12:00-12:45 p=0.7"', many=True)
_HOURS = Kind(values.hours, 'a list of parts of a day, such as "09:00-12:00"', many=True)
_FLAG = Kind(_read_flag, "true or false")


def _key(kind: Kind, default: object, says: str) -> Any:
    return field(metadata={"kind": kind, "default": default, "says": says})


@dataclass(frozen=True)
class Head:
    name: str = _key(Kind(_read_name, "1 to 32 of a-z, 0-9, - and _"), NEEDED, "The scenario's name.")
    title: str = _key(
        Kind(_read_text, "a text of 1 to 200 characters"), NEEDED, "What a planner reads above the report."
    )
    days: int = _key(_whole(1, 400), NEEDED, "How many days are tried. The first is day 0, a Friday.")
    warmup_days: int = _key(_whole(0, 399), 0, "The first days, left out of the figures.")
    promise: str = _key(
        _word("full", "beyond"),
        "full",
        "With `beyond`, faults may break more than the wing promises; then only safety is checked.",
    )
    settle_min: int = _key(
        _whole(1, 60 * 24 * 14),
        24 * 60,
        "Minutes after the last day, without faults, in which everything that should arrive must arrive.",
    )


@dataclass(frozen=True)
class Wing:
    learners: int = _key(_whole(1, LEARNERS_MAX), 24, "Learners, each with an enrolled device: `l000` and on.")
    groups: int | None = _key(_whole(1, GROUPS_MAX), None, "Groups; learners are dealt to them in turn: `g00` and on.")
    group_size: int | None = _key(
        _whole(1, LEARNERS_MAX), None, "Learners of a group, in place of `groups`. Without either, one group."
    )
    docks: int = _key(_whole(1, BAYS_MAX), 2, "Docks, each with its bay: `bay0` and on.")
    moderators: int = _key(_whole(0, STAFF_MAX - ADMINISTRATORS_MAX), 2, "Staff who decide: `m0` and on.")
    administrators: int = _key(_whole(2, ADMINISTRATORS_MAX), 2, "Staff who sign rosters: `a0` and on.")
    baud: int = _key(_whole(9_600, 12_000_000), 3_000_000, "Symbols a second on every dock's wire.")
    envelopes_per_day_max: int = _key(_whole(1, 10_000), 100, "Messages that one device may hand over in 24 hours.")


@dataclass(frozen=True)
class Timetable:
    windows: tuple[Window, ...] = _key(
        _WINDOWS,
        ["12:00-12:45 p=0.7", "17:00-18:00 p=0.6"],
        "When learners can go to the docks, and how likely each does.",
    )
    weekend_windows: tuple[Window, ...] | None = _key(
        _WINDOWS, None, "The same for Saturday and Sunday, where they differ."
    )
    lockdown: tuple[Days, ...] = _key(
        Kind(values.days, 'a list of days, such as "day 9" or "day 12-14"', many=True),
        [],
        "Days on which nobody leaves the cell.",
    )


@dataclass(frozen=True)
class Traffic:
    posts_per_day: float = _key(_number(0, 100), 0.5, "Messages that a learner makes in a day, on average.")
    post_bytes: Distribution = _key(
        _DISTRIBUTION, "lognormal(200, 1)", f"Length of a post's text; held between 1 and {TEXT_BYTES_MAX}."
    )
    reply_p: float = _key(_P, 0.5, "The share of messages that answer a thread, where the device shows one.")
    video_p: float = _key(_P, 0.02, "The share of messages that are videos.")
    video_kb: Distribution = _key(
        _DISTRIBUTION,
        "uniform(24, 48)",
        f"Size of a video in kilobytes of 1024; held between 1 and {BLOB_BYTES_MAX // 1024}.",
    )
    words_bytes: Distribution = _key(_DISTRIBUTION, 40, "Length of the text beside a video; held as post_bytes.")
    drafts_per_day: float = _key(_number(0, 100), 0.2, "Drafts that a learner keeps in a day, on average.")
    read_p: float = _key(_P, 0.8, "How likely a learner opens what is new, after each docking.")


@dataclass(frozen=True)
class Staff:
    hours: tuple[Window, ...] = _key(
        _HOURS, ["09:00-12:00", "13:00-16:30"], "When each moderator works the queue, every day."
    )
    weekend_hours: tuple[Window, ...] | None = _key(
        _HOURS, None, "The same for Saturday and Sunday, where they differ."
    )
    decision_s: Distribution = _key(_DISTRIBUTION, "lognormal(20, 0.8)", "Seconds that one decision takes.")
    approve_p: float = _key(_P, 0.9, "The share of decisions that approve.")
    return_p: float = _key(_P, 0.07, "The share that returns with a reason; the rest rejects.")
    recall_p: float = _key(_P, 0.02, "How likely a shift recalls one approved item.")
    absent: tuple[Days, ...] = _key(
        Kind(values.absence, 'a list such as "day 12-14" (all) or "m1 day 12-14" (one)', many=True),
        [],
        "Days on which moderators are away.",
    )


@dataclass(frozen=True)
class Dock:
    patience_s: Distribution = _key(_DISTRIBUTION, "uniform(300, 1200)", "How long a learner waits for a free dock.")
    reaction_s: Distribution = _key(
        _DISTRIBUTION, "lognormal(4, 0.7)", "From the page's word that all is saved until the device is lifted."
    )
    stay_s_max: int = _key(_whole(1, 86_400), 300, "A learner lifts after so long, done or not.")
    hand_s: float = _key(_number(0, 3_600), 3, "From one device's lift until the next one is seated.")


@dataclass(frozen=True)
class Attackers:
    kinds: tuple[str, ...] = _key(
        Kind(_read_attack, "a list of the names of attacks below", many=True),
        [],
        "What attackers do; the first does the first kind, and so on in turn.",
    )
    count: int | None = _key(_whole(0, 50), None, "How many there are: `x00` and on. Without it, one of each kind.")


SECTIONS: dict[str, type[Any]] = {
    "scenario": Head,
    "wing": Wing,
    "timetable": Timetable,
    "traffic": Traffic,
    "staff": Staff,
    "dock": Dock,
    "attackers": Attackers,
}

KEYS: dict[str, Key] = {
    f"{section}.{one.name}": Key(section, one.name, one.metadata["kind"], one.metadata["default"], one.metadata["says"])
    for section, shape in SECTIONS.items()
    for one in fields(shape)
}

SWARM = Key("faults", "swarm", _FLAG, False, "Each seed has some of the faults below, some often and some rarely.")
RATE = Kind(values.rate, 'a probability for each docking, or a rate such as "1 per 5 days" for each target')
COMPARISON = Kind(values.comparison, 'a comparison such as ">= 0.999"')
SEEDS = Key("sweep", "seeds", _whole(1, 10_000), 5, "How many seeds each variant runs; the same ones for all.")

MEASURES: Mapping[str, str] = {
    "delivered_p": "Share of approved messages that were in every recipient's inbox at the end.",
    "wait_p50_s": "Seconds of waiting for a dock, the median.",
    "wait_p95_s": "Seconds of waiting for a dock, the 95th percentile.",
    "wait_max_s": "Seconds of waiting for a dock, the longest.",
    "gave_up_p": "Share of visits that ended before a dock was free.",
    "queue_max": "Items that waited for a decision, at the worst moment.",
    "decided_p50_h": "Hours from custody to the decision, the median.",
    "decided_p95_h": "Hours from custody to the decision, the 95th percentile.",
    "seen_p95_h": "Hours from writing to the first time somebody else opened it, the 95th percentile.",
}


@dataclass(frozen=True)
class Faults:
    """[faults]: whether there is a swarm, and what the file says about single kinds."""

    swarm: bool = False
    rates: Mapping[str, Rate] = field(default_factory=dict)


Expect = Mapping[str, Comparison]
