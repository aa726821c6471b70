"""Sweep -> here -> one picture and one page: what each variant costs in waiting, and which is enough."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sim.box import report_html
from sim.box.measures import percentile
from sim.box.phrases import lasts, many, share
from sim.box.report_html import figure, key
from sim.box.report_svg import Axis, Picture, Tick, frame_value, plain
from sim.box.scenario_keys import MEASURES

PAGE, PICTURE = "sweep.html", "sweep.svg"
WIDTH, PANEL_WIDTH, PANEL_HEIGHT = 1000, 500, 240
LEFT, TOP, PLOT_HEIGHT = 74, 60, 206
LABEL_MAX = 16  # characters of a variant below a panel; longer ones get a letter
PANELS_DIFFER = 1e-9


@dataclass
class Variant:
    """One design: `measures` has a value of each seed, `waits_s` the waits of all of them, `missed` what is not met."""

    label: str
    changes: Mapping[str, object]
    measures: Mapping[str, Sequence[float]]
    waits_s: Sequence[float]
    missed: Sequence[str]


class Line(NamedTuple):
    measure: str
    label: str
    kind: str
    dot: str


class Panel(NamedTuple):
    title: str
    lines: tuple[Line, ...]
    scale: str  # "s", "h" or "share"


PANELS = (
    Panel("Waiting for a dock", (Line("wait_p95_s", "19 of 20 at most", "l2", "amber"),
                                 Line("wait_p50_s", "half at most", "l1", "blue")), "s"),
    Panel("Gave up waiting", (Line("gave_up_p", "share of visits", "l1", "blue"),), "share"),
    Panel("From handed over to decided", (Line("decided_p95_h", "19 of 20 within", "l2", "amber"),
                                          Line("decided_p50_h", "half within", "l1", "blue")), "h"),
    Panel("From written to seen", (Line("seen_p95_h", "19 of 20 within", "l2", "amber"),), "h"),
)  # fmt: skip


def answer(variants: Sequence[Variant], judged: bool) -> list[str]:
    """What a planner asked, one sentence for each variant, and the first that meets every expectation."""
    said = [f"With {one.label}: {_waiting(one)}" for one in variants]
    if judged:
        enough = next((one for one in variants if not one.missed), None)
        if enough is None:
            said.append("No variant meets every expectation of the scenario.")
        else:
            said.append(f"The first that meets every expectation of the scenario in every run: {enough.label}.")
    return said


def _waiting(variant: Variant) -> str:
    half, most = percentile(variant.waits_s, 0.5), percentile(variant.waits_s, 0.95)
    if half is None or most is None:
        return "nobody came."
    if not most:
        said = "nearly nobody waits"
    elif not half:
        said = f"half do not wait, one in twenty waits longer than {lasts(most)}"
    else:
        said = f"half wait longer than {lasts(half)}, one in twenty longer than {lasts(most)}"
    given_up = mean(variant.measures.get("gave_up_p", []))
    said += f", and {share(round(given_up, 4))} give up" if given_up else ""
    decided = mean(variant.measures.get("decided_p95_h", []))
    return f"{said}; nineteen of twenty messages are decided within {lasts(decided * 3600)}." if decided else said + "."


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def draw(title: str, variants: Sequence[Variant], limits: Mapping[str, float], seeds: int) -> Picture:
    """Four panels over the variants: the mean of the seeds, and from the least to the largest of them."""
    long = any(len(one.label) > LABEL_MAX for one in variants) or len(variants) > 8
    names = list(string.ascii_uppercase[: len(variants)]) if long else [one.label for one in variants]
    if len(variants) > len(string.ascii_uppercase):
        names = [str(place) for place in range(1, len(variants) + 1)]
        long = True
    height = TOP + 2 * PANEL_HEIGHT + 24 + (len(variants) * 18 if long else 0)
    words = " ".join(answer(variants, False))
    picture = Picture("sweep", WIDTH, height, title, words)
    picture.text(14, 24, title, "strong")
    picture.text(14, 43, f"Dots are the mean of {many(seeds, 'seed')}, strokes reach from the least to the largest; red"
                 " dashes are the scenario's expectation.")  # fmt: skip
    for place, panel in enumerate(PANELS):
        left = (place % 2) * PANEL_WIDTH
        _panel(picture, panel, left, TOP + (place // 2) * PANEL_HEIGHT, names, variants, limits)
    for place, one in enumerate(variants if long else []):
        picture.text(14, TOP + 2 * PANEL_HEIGHT + 18 + place * 18, f"{names[place]}  {one.label}")
    return picture


def _panel(
    picture: Picture, panel: Panel, left: float, top: float, names: Sequence[str], variants: Sequence[Variant],
    limits: Mapping[str, float],
) -> None:  # fmt: skip
    values = [value for line in panel.lines for one in variants for value in one.measures.get(line.measure, [])]
    wanted = [limits[line.measure] for line in panel.lines if line.measure in limits]
    ticks = scale_ticks(max([*values, *wanted], default=0.0), panel.scale)
    axis = Axis(0, ticks[-1].value, top + 26 + PLOT_HEIGHT - 30, top + 26)
    first, last = left + LEFT, left + PANEL_WIDTH - 24
    picture.text(left + 14, top + 10, panel.title, "strong")
    frame_value(picture, axis, first, last, ticks)
    step = (last - first) / len(variants)
    for place, name in enumerate(names):
        picture.text(first + step * (place + 0.5), top + 26 + PLOT_HEIGHT - 12, name, "middle")
    for limit in wanted:
        picture.line(first, axis.at(limit), last, axis.at(limit), "limit")
    for number, line in enumerate(panel.lines):
        points = []
        for place, one in enumerate(variants):
            own = one.measures.get(line.measure, [])
            middle = mean(own)
            if middle is None:
                continue
            x = first + step * (place + 0.5) + (number - (len(panel.lines) - 1) / 2) * 10
            picture.line(x, axis.at(min(own)), x, axis.at(max(own)), "axis")
            points.append((x, axis.at(middle), f"{one.label}: {said(middle, panel.scale)}"))
        picture.path([(x, y) for x, y, _ in points], line.kind)
        for x, y, words in points:
            picture.dot(x, y, 4.5, line.dot, words)
        x = left + 236 + number * 124
        picture.line(x, top + 6, x + 20, top + 6, line.kind)
        picture.text(x + 26, top + 10, line.label)


def said(value: float | None, scale: str) -> str:
    """A value of a panel in words."""
    if value is None:
        return "–"
    return share(value) if scale == "share" else lasts(value * (3600 if scale == "h" else 1))


def scale_ticks(high: float, scale: str) -> list[Tick]:
    """From 0 to the first round value that is not below `high`, in about four steps."""
    steps: dict[str, list[float]] = {"s": [1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600, 7200, 14400],
             "h": [one / 60.0 for one in (1, 5, 15, 30)] + [1, 2, 4, 6, 12, 24, 48, 96, 240],
             "share": [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25]}  # fmt: skip
    step = next((one for one in steps[scale] if one * 4 >= high), high / 4)
    count = 1
    while count < 4 and step * count < high:
        count += 1
    return [Tick(step * place, said(step * place, scale)) for place in range(count + 1)]


def page(
    title: str, answers: Sequence[str], picture: Picture, variants: Sequence[Variant], command: str,
    troubles: Sequence[str],
) -> str:  # fmt: skip
    """The whole page: the answer, the picture, every measure of every variant."""
    listed = "".join(f"<li>{plain(one)}</li>" for one in answers)
    bad = "".join(f"<li>{plain(one)}</li>" for one in troubles)
    failed = f'<section class="failures" aria-label="Failures"><h2>Runs that failed</h2><ol>{bad}</ol></section>'
    names = [name for name in MEASURES if any(one.measures.get(name) for one in variants)]
    rows = [[one.label, *(_cell(name, one) for name in names), ", ".join(one.missed) or "none"] for one in variants]
    table = report_html.table(["variant", *names, "missed"], rows, "The mean of the seeds, and least to largest.",
                              words=(len(names) + 1,))  # fmt: skip
    what = report_html.table(("measure", "what it is"), [(name, MEASURES[name]) for name in names], words=(1,))
    shown = figure("The variants beside each other", "Every variant lives through the same days.", picture,
                   table + what, key(("blue", "half of them"), ("amber", "nineteen of twenty")), wide=True)  # fmt: skip
    header = f'<h1>{plain(title)}</h1><p class="meta">{plain(many(len(variants), "variant"))}</p>'
    body = (failed if troubles else "") + f'<ul class="answer">{listed}</ul>' + shown
    return report_html.page(title, header, body, f"<p>Made by <code>{plain(command)}</code></p>")


def _cell(name: str, variant: Variant) -> str:
    own = variant.measures.get(name, [])
    middle = mean(own)
    if middle is None:
        return "–"
    scale = "share" if name.endswith("_p") else "h" if name.endswith("_h") else "s"
    if name == "queue_max":
        return f"{middle:.1f} ({min(own):.0f} to {max(own):.0f})"
    spread = f" ({said(min(own), scale)} to {said(max(own), scale)})" if max(own) - min(own) > PANELS_DIFFER else ""
    return said(middle, scale) + spread
