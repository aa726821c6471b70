"""Report and sweep -> here -> SVG: axes and marks of a picture, as text that needs neither script nor network.

Colours are classes, so that one style sheet serves a light and a dark page. Every text goes through `plain`: what a
hostile device made up stays text.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.phrases import clock, weekday
from sim.box.story import Span

MINUTE_MS = 60_000
CLOCK_STEPS_MS = [MINUTE_MS * one for one in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360)]
TICKS_MAX = 12
STRIP_HEIGHT = 14

# a page that includes a picture has the same rules; a picture alone carries them
COLOURS = """
:root { color-scheme: light dark; --ink: #1b2026; --quiet: #59636e; --ground: #ffffff; --panel: #f5f7f9;
  --rule: #dde2e8; --blue: #1f6fb2; --pale: #a9cbe8; --green: #14795a; --amber: #b35c00; --purple: #7a4fa3;
  --red: #c4271d; --band: #e6eef7; --good: #14795a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --quiet: #a4adb7; --ground: #14171b; --panel: #1d2127;
  --rule: #363d46; --blue: #62a9e6; --pale: #2f567a; --green: #56c49c; --amber: #f0a050; --purple: #c3a0f0;
  --red: #ff7a6e; --band: #212d3b; --good: #56c49c; } }
"""
MARKS = """
svg text { font: 12px Arial, "Liberation Sans", sans-serif; fill: var(--quiet); }
svg text.strong { fill: var(--ink); font-weight: 600; } svg text.end { text-anchor: end; }
svg text.middle { text-anchor: middle; } svg .rule { stroke: var(--rule); fill: none; }
svg .axis { stroke: var(--quiet); fill: none; } svg .band { fill: var(--band); } svg .row { fill: var(--panel); }
svg .area { fill: var(--pale); } svg .l1, svg .l2, svg .l3, svg .l4 { fill: none; stroke-width: 2.2; }
svg .l1 { stroke: var(--blue); } svg .l2 { stroke: var(--amber); stroke-dasharray: 7 3; }
svg .l3 { stroke: var(--green); stroke-dasharray: 2 3; } svg .l4 { stroke: var(--purple); stroke-dasharray: 10 3 2 3; }
svg .blue { fill: var(--blue); } svg .pale { fill: var(--pale); } svg .amber { fill: var(--amber); }
svg .green { fill: var(--green); } svg .purple { fill: var(--purple); } svg .red { fill: var(--red); }
svg .hollow { fill: none; stroke: var(--red); stroke-width: 2; } svg .ground { fill: var(--ground); }
svg .cut { stroke: var(--ground); }
svg .limit { stroke: var(--red); stroke-dasharray: 4 4; fill: none; }
"""


def plain(words: object) -> str:
    """Text for HTML and SVG: nothing in it is markup, and what XML forbids is a question mark in a diamond."""
    text = "".join(one if _allowed(ord(one)) else "\N{REPLACEMENT CHARACTER}" for one in str(words))
    return html.escape(text, quote=True)


def _allowed(code: int) -> bool:
    turns = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069  # the direction of the text around it
    unseen = 0x7F <= code < 0xA0 or turns
    return code in (9, 10, 13) or 0x20 <= code < 0xD800 and not unseen or 0xE000 <= code < 0xFFFE or code > 0xFFFF


class Axis:
    """Values from `low` to `high` on pixels from `first` to `last`; `log` for values above 0."""

    def __init__(self, low: float, high: float, first: float, last: float, log: bool = False) -> None:
        self.low, self.high, self.first, self.last, self.log = low, high if high > low else low + 1, first, last, log

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside stands at the end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(self.first + part * (self.last - self.first), 2)


class Picture:
    """A picture of so many pixels. `title` and `words` are what a screen reader says in its place."""

    def __init__(self, name: str, width: int, height: int, title: str, words: str) -> None:
        self.name, self.width, self.height, self.title, self.words = name, width, height, title, words
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> None:
        self._mark(f'rect x="{x:.2f}" y="{y:.2f}" width="{max(0, width):.2f}" height="{height:.2f}"', kind, title)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._mark(f'line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"', kind, "")

    def path(self, points: Iterable[tuple[float, float]], kind: str, title: str = "", closed: bool = False) -> None:
        steps = " L".join(f"{x:.2f} {y:.2f}" for x, y in points)
        if steps:
            self._mark(f'path d="M{steps}{" Z" if closed else ""}"', kind, title)

    def dot(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        self._mark(f'circle cx="{x:.2f}" cy="{y:.2f}" r="{radius}"', kind, title)

    def text(self, x: float, y: float, words: object, kind: str = "") -> None:
        self._parts.append(f'<text x="{x:.2f}" y="{y:.2f}" class="{kind}">{plain(words)}</text>')

    def _mark(self, mark: str, kind: str, title: str) -> None:
        inside = f"<title>{plain(title)}</title>" if title else ""
        self._parts.append(f'<{mark} class="{kind}">{inside}</{mark.split(" ", 1)[0]}>')

    def svg(self, alone: bool = False) -> str:
        """The picture; one that stands alone has its own ground and style."""
        style = f"<style>{COLOURS}{MARKS}</style>" if alone else ""
        ground = f'<rect width="{self.width}" height="{self.height}" class="ground"/>' if alone else ""
        ids = f"{self.name}-title", f"{self.name}-words"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img"'
            f' aria-labelledby="{ids[0]} {ids[1]}"><title id="{ids[0]}">{plain(self.title)}</title>'
            f'<desc id="{ids[1]}">{plain(self.words)}</desc>{style}{ground}' + "".join(self._parts) + "</svg>"
        )


class Tick(NamedTuple):
    value: float
    label: str


def time_ticks(low_ms: int, high_ms: int) -> list[Tick]:
    """Days where there are several, else times of the day."""
    if high_ms - low_ms > 2 * DAY_MS:
        step = DAY_MS * max(1, -(-(high_ms - low_ms) // DAY_MS // TICKS_MAX))
        first = -(-low_ms // DAY_MS) * DAY_MS
        return [Tick(at, f"{weekday(at)} {at // DAY_MS}") for at in range(first, high_ms, step)]
    step = next((one for one in CLOCK_STEPS_MS if (high_ms - low_ms) / one <= TICKS_MAX), 6 * HOUR_MS)
    return [Tick(at, clock(at)) for at in range(-(-low_ms // step) * step, high_ms + 1, step)]


def whole_ticks(high: float, most: int = 5) -> list[Tick]:
    """Whole numbers from 0 up to about `high`."""
    step = 1
    while high / step > most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return [Tick(value, str(value)) for value in range(0, int(high) + 1, step)]


def frame_time(picture: Picture, axis: Axis, top: float, bottom: float, ticks: Sequence[Tick]) -> None:
    """Rules at the ticks of a time axis and their labels below."""
    for tick in ticks:
        x = axis.at(tick.value)
        picture.line(x, top, x, bottom, "rule")
        picture.text(x, bottom + 16, tick.label, "end" if x > axis.last - 16 else "middle")
    picture.line(axis.first, bottom, axis.last, bottom, "axis")


def frame_value(picture: Picture, axis: Axis, left: float, right: float, ticks: Sequence[Tick]) -> None:
    """Rules at the ticks of a vertical axis and their labels on the left."""
    for tick in ticks:
        y = axis.at(tick.value)
        picture.line(left, y, right, y, "rule")
        picture.text(left - 8, y + 4, tick.label, "end")


def steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a line that keeps each value until the next one."""
    found: list[tuple[float, float]] = []
    for x, y in points:
        if found:
            found.append((x, found[-1][1]))
        found.append((x, y))
    return found


def distribution(values: Sequence[float]) -> list[tuple[float, float]]:
    """(value, share of the values that are not larger), rising; at most 400 points."""
    ordered = sorted(values)
    stride = max(1, len(ordered) // 400)
    places = [*range(0, len(ordered), stride), len(ordered) - 1] if ordered else []
    return [(ordered[place], (place + 1) / len(ordered)) for place in places]


def strip(picture: Picture, axis: Axis, top: float, faults: Sequence[Span], say: Callable[[Span], str]) -> None:
    """The faults below a time plot: one mark for each pixel that has some, with their names."""
    picture.rect(axis.first, top, axis.last - axis.first, STRIP_HEIGHT, "row")
    picture.text(axis.first - 8, top + 11, "faults", "end")
    marks: dict[int, list[Span]] = {}
    for span in faults:
        if span.end_ms >= axis.low and span.begin_ms <= axis.high:
            marks.setdefault(int(axis.at(span.begin_ms)), []).append(span)
    for x, spans in marks.items():
        end = max(axis.at(span.end_ms) for span in spans)
        words = "; ".join(say(span) for span in spans[:4]) + (f"; and {len(spans) - 4} more" if len(spans) > 4 else "")
        picture.rect(x, top + 1, max(2.5, end - x), STRIP_HEIGHT - 2, "red", words)
    if not marks:
        picture.text((axis.first + axis.last) / 2, top + 11, "none", "middle")
