"""Scenario file -> here -> scenario: what a value may be: durations, times, windows, distributions, rates, comparisons.

Every reader takes a TOML value and gives a plain one or raises ValueError, whose words say what is allowed.
Times are milliseconds since midnight of day 0.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
UNITS_MS = {"ms": 1, "s": SECOND_MS, "min": MINUTE_MS, "h": HOUR_MS, "day": DAY_MS, "days": DAY_MS}

_NUMBER = r"-?\d+(?:\.\d+)?"
_CLOCK = r"(\d\d):(\d\d)(?::(\d\d))?"
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


def nearest(word: str, allowed: Iterable[str]) -> str:
    """ "; did you mean x?" or, where nothing is near, all that is allowed."""
    known = list(allowed)
    tail = [one for one in known if "." in one and one.partition(".")[2] == word]
    close = tail or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; allowed is {', '.join(known)}"


def _text(value: object, allowed: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"allowed is a text: {allowed}")
    return value.strip()


def duration_ms(value: object) -> int:
    """ "90 s", "5 min", "2 h", "3 days" -> milliseconds."""
    allowed = 'a duration such as "90 s", "5 min", "2 h" or "3 days" (units: ms, s, min, h, days)'
    text = _text(value, allowed)
    found = re.fullmatch(rf"({_NUMBER})\s*([a-z]+)", text)
    if not found or found[2] not in UNITS_MS or float(found[1]) < 0:
        raise ValueError(f"allowed is {allowed}")
    return round(float(found[1]) * UNITS_MS[found[2]])


def _clock_ms(hours: str, minutes: str, seconds: str | None, allowed: str) -> int:
    total = int(hours) * HOUR_MS + int(minutes) * MINUTE_MS + int(seconds or 0) * SECOND_MS
    if int(minutes) > 59 or int(seconds or 0) > 59 or total > DAY_MS:
        raise ValueError(f"a day goes from 00:00 to 24:00; allowed is {allowed}")
    return total


def moment_ms(value: object) -> int:
    """ "day 3 12:10" or "day 3 12:10:30" -> milliseconds since midnight of day 0."""
    allowed = 'a time such as "day 3 12:10" or "day 3 12:10:30"; the first day is day 0'
    found = re.fullmatch(rf"day (\d+) {_CLOCK}", _text(value, allowed))
    if not found:
        raise ValueError(f"allowed is {allowed}")
    return int(found[1]) * DAY_MS + _clock_ms(found[2], found[3], found[4], allowed)


@dataclass(frozen=True)
class Days:
    """Days from `first` to `last`, both in it; `who` is one moderator, or "" for all."""

    first: int
    last: int
    who: str = ""

    def __contains__(self, day: object) -> bool:
        return isinstance(day, int) and self.first <= day <= self.last


def days(value: object) -> Days:
    """ "day 9" or "day 12-14"."""
    allowed = '"day 9" or "day 12-14"; the first day is day 0'
    found = re.fullmatch(r"day (\d+)(?:-(\d+))?", _text(value, allowed))
    if not found:
        raise ValueError(f"allowed is {allowed}")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError(f"day {last} is before day {first}; allowed is {allowed}")
    return Days(first, last)


def absence(value: object) -> Days:
    """ "day 12-14" (all moderators) or "m1 day 12-14" (one)."""
    allowed = '"day 12-14" for all moderators, or "m1 day 12-14" for one'
    text = _text(value, allowed)
    found = re.fullmatch(r"(m\d+) (day .+)", text)
    try:
        span = days(found[2] if found else text)
    except ValueError:
        raise ValueError(f"allowed is {allowed}") from None
    return Days(span.first, span.last, found[1] if found else "")


@dataclass(frozen=True)
class Window:
    """A part of a day, in milliseconds since its midnight, and the probability that a learner docks in it."""

    start_ms: int
    end_ms: int
    p: float = 1.0


def hours(value: object) -> Window:
    """ "09:00-12:00"."""
    return _window(value, '"09:00-12:00"', with_p=False)


def window(value: object) -> Window:
    """ "12:00-12:45 p=0.7": each learner docks in it with that probability; without p, always."""
    return _window(value, '"12:00-12:45 p=0.7" or "12:00-12:45"', with_p=True)


def _window(value: object, allowed: str, with_p: bool) -> Window:
    p = rf"(?: p=({_NUMBER}))?" if with_p else "()"
    found = re.fullmatch(rf"{_CLOCK}-{_CLOCK}{p}", _text(value, allowed))
    if not found:
        raise ValueError(f"allowed is {allowed}")
    start, end = (_clock_ms(found[at], found[at + 1], found[at + 2], allowed) for at in (1, 4))
    if end <= start:
        raise ValueError(f"it ends at or before its begin; allowed is {allowed}")
    share = float(found[7]) if found[7] else 1.0
    if not 0 <= share <= 1:
        raise ValueError("p is a probability from 0 to 1")
    return Window(start, end, share)


@dataclass(frozen=True)
class Distribution:
    """A positive number that is drawn: "constant" (value), "uniform" (least, most), "exponential" (mean),
    "lognormal" (median, sigma)."""

    kind: str
    args: tuple[float, ...]

    def draw(self, random: Random) -> float:
        if self.kind == "uniform":
            return random.uniform(*self.args)
        if self.kind == "exponential":
            return -math.log(1 - random.random()) * self.args[0]
        if self.kind == "lognormal":
            return self.args[0] * math.exp(random.gauss(0.0, self.args[1]))
        return self.args[0]

    def draw_whole(self, random: Random, least: int, most: int) -> int:
        """A whole number, moved into the range where it falls out of it."""
        return min(max(round(self.draw(random)), least), most)

    def __str__(self) -> str:
        if self.kind == "constant":
            return f"{self.args[0]:.12g}"
        return f"{self.kind}({', '.join(f'{one:.12g}' for one in self.args)})"


_DISTRIBUTIONS = {"uniform": 2, "exponential": 1, "lognormal": 2}


def distribution(value: object) -> Distribution:
    """ "lognormal(400, 1.2)" (median, sigma), "uniform(20, 400)", "exponential(30)", or a plain number."""
    allowed = (
        '"lognormal(MEDIAN, SIGMA)", "uniform(LEAST, MOST)", "exponential(MEAN)" or a number, none of them negative'
    )
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return Distribution("constant", (float(value),))
    found = re.fullmatch(r"([a-z]+)\(([^()]*)\)", value.strip()) if isinstance(value, str) else None
    if not found:
        if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
            return distribution(float(value))
        raise ValueError(f"allowed is {allowed}")
    texts = [one.strip() for one in found[2].split(",")]
    if _DISTRIBUTIONS.get(found[1]) != len(texts) or not all(re.fullmatch(_NUMBER, one) for one in texts):
        raise ValueError(f"allowed is {allowed}")
    args = tuple(float(one) for one in texts)
    if min(args) < 0 or (found[1] == "uniform" and args[1] < args[0]) or (found[1] == "lognormal" and args[1] > 5):
        raise ValueError(f"allowed is {allowed}; LEAST is at most MOST, SIGMA at most 5")
    return Distribution(found[1], args)


@dataclass(frozen=True)
class Rate:
    """How often: `p` at each docking, or on average `per_day` times a day for each target."""

    p: float = 0.0
    per_day: float = 0.0


def rate(value: object) -> Rate:
    """A probability from 0 to 1 for each docking, or "1 per 5 days" for each target."""
    allowed = 'a probability from 0 to 1 for each docking, or a rate such as "1 per 5 days" for each target'
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return Rate(p=float(value))
    found = (
        re.fullmatch(rf"({_NUMBER}) per (?:({_NUMBER}) )?(days?|h)", value.strip()) if isinstance(value, str) else None
    )
    if not found or float(found[1]) < 0 or float(found[2] or 1) <= 0:
        raise ValueError(f"allowed is {allowed}")
    per_day = float(found[1]) / (float(found[2] or 1) * UNITS_MS[found[3]] / DAY_MS)
    if per_day > 1000:
        raise ValueError("a rate is at most 1000 in a day")
    return Rate(per_day=per_day)


@dataclass(frozen=True)
class Comparison:
    """What a figure must be: an operator and a number."""

    operator: str
    value: float

    def holds(self, figure: float) -> bool:
        test: Callable[[float, float], bool] = _COMPARE[self.operator]
        return test(figure, self.value)

    def __str__(self) -> str:
        return f"{self.operator} {self.value:.12g}"


def comparison(value: object) -> Comparison:
    """ ">= 0.999" """
    allowed = 'a comparison such as ">= 0.999", with one of ' + " ".join(_COMPARE)
    found = re.fullmatch(rf"(>=|<=|==|>|<)\s*({_NUMBER})", _text(value, allowed))
    if not found:
        raise ValueError(f"allowed is {allowed}")
    return Comparison(found[1], float(found[2]))
