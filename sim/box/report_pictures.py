"""Story and summary -> here -> report: each picture of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from sim.box.kernel import HOUR_MS
from sim.box.phrases import lasts, many, moment, size
from sim.box.report_svg import (
    Axis,
    Picture,
    Tick,
    distribution,
    frame_time,
    frame_value,
    steps,
    strip,
    time_ticks,
    whole_ticks,
)
from sim.box.story import Span, Story, Visit
from sim.box.summary import Summary, counted, counted_ways, seated_ms, stage_hours

WIDE, LEFT, RIGHT = 1000, 62, 986  # a time plot, and where its axis begins and ends
LINE_HEIGHT, ROW_HEIGHT, GAP = 74, 24, 6
NARROW, NARROW_HEIGHT = 500, 290
GROUP_GAP_MS = 5 * 60_000  # dockings that lie further apart are not one rush
RUSH_MS_MAX = 90 * 60_000
HOUR_TICKS = [
    Tick(1 / 60, "1 min"), Tick(1 / 6, "10 min"), Tick(1, "1 h"), Tick(6, "6 h"), Tick(24, "1 day"), Tick(72, "3 days"),
    Tick(240, "10 days"), Tick(720, "30 days"),
]  # fmt: skip
SECOND_TICKS = [Tick(1, "1 s"), Tick(10, "10 s"), Tick(60, "1 min"), Tick(300, "5 min"), Tick(1200, "20 min"),
                Tick(3600, "1 h"), Tick(14400, "4 h")]  # fmt: skip
SHARES = [Tick(part / 4, f"{part * 25} %") for part in range(5)]
LINES = ("l1", "l2", "l3", "l4")
STAGE_WORDS = {"custody": "handed over", "decided": "decided", "delivered": "delivered", "seen": "seen"}


def fault_words(span: Span) -> str:
    length = lasts((span.end_ms - span.begin_ms) / 1000) if span.end_ms > span.begin_ms else "at once"
    return f"{span.name} at {span.who}, {moment(span.begin_ms, True)}, {length}"


def waiting_steps(visits: Sequence[Visit]) -> list[tuple[int, int]]:
    """(when, how many stand in line from then on)."""
    moves: dict[int, int] = {}
    for one in visits:
        if one.waited_ms > 0:
            moves[one.arrived_ms] = moves.get(one.arrived_ms, 0) + 1
            end = one.arrived_ms + one.waited_ms
            moves[end] = moves.get(end, 0) - 1
    times = sorted(moves)
    return list(zip(times, accumulate(moves[at] for at in times)))


def rush(story: Story) -> tuple[int, int]:
    """From when to when most was waited: a group of visits with no long gap, or the part of it around its worst."""
    groups: list[list[Visit]] = []
    end = -GROUP_GAP_MS - 1
    for visit in sorted(counted(story), key=lambda one: one.arrived_ms):
        if visit.arrived_ms - end > GROUP_GAP_MS:
            groups.append([])
        groups[-1].append(visit)
        end = max(end, visit.over_ms)
    if not groups:
        return story.since_ms, story.since_ms + RUSH_MS_MAX
    worst = max(groups, key=lambda own: (sum(one.waited_ms for one in own), len(own)))
    begin, end = worst[0].arrived_ms, max(one.over_ms for one in worst)
    if end - begin > RUSH_MS_MAX:
        at = max(waiting_steps(worst), key=lambda step: step[1], default=(begin, 0))[0]
        begin = max(begin, at - RUSH_MS_MAX // 2)
        end = min(end, begin + RUSH_MS_MAX)
    return begin, max(end, begin + 60_000)


def docks(story: Story, begin_ms: int, end_ms: int, name: str, title: str) -> Picture:
    """The line above, one row for each bay, the faults below. Where visits are thin, those of one pixel are one."""
    bays = [f"bay{number}" for number in range(story.plan.wing.docks)]
    visits = [one for one in story.visits if one.over_ms >= begin_ms and one.arrived_ms <= end_ms]
    line = [step for step in waiting_steps(visits) if begin_ms <= step[0] <= end_ms]
    longest = max([length for _, length in line], default=0)
    top = LINE_HEIGHT + 22 if longest else 24
    bottom = top + len(bays) * ROW_HEIGHT
    seated = [one for one in visits if one.seated_ms is not None]
    picture = Picture(name, WIDE, bottom + 50, title, f"{many(len(seated), 'docking')} at {many(len(bays), 'dock')}"
                      f" from {moment(begin_ms)} to {moment(end_ms)}; the longest line was {longest}.")  # fmt: skip
    axis = Axis(begin_ms, end_ms, LEFT, RIGHT)
    for place, bay in enumerate(bays):
        y = top + place * ROW_HEIGHT
        picture.rect(LEFT, y, RIGHT - LEFT, ROW_HEIGHT - 4, "row")
        picture.text(LEFT - 8, y + 14, bay, "end strong")
    frame_time(picture, axis, 14, bottom, time_ticks(begin_ms, end_ms))
    picture.text(LEFT + 4, 11, f"in line, at most {longest}" if longest else "nobody in line", "strong")
    if longest:
        _line(picture, axis, line, visits)
    for place, bay in enumerate(bays):
        _row(picture, axis, top + place * ROW_HEIGHT, [one for one in seated if one.bay == bay])
    strip(picture, axis, bottom + 24, story.faults, fault_words)
    return picture


def _line(picture: Picture, axis: Axis, line: Sequence[tuple[int, int]], visits: Sequence[Visit]) -> None:
    """How many stand in line, and a cross for each who gave up."""
    longest = max(length for _, length in line)
    height = Axis(0, longest, LINE_HEIGHT + 10, 18)
    frame_value(picture, height, LEFT, RIGHT, whole_ticks(longest, 3))
    corners = steps([(axis.at(at), height.at(length)) for at, length in _peaks(line, axis)])
    ground = height.at(0)
    picture.path([(corners[0][0], ground), *corners, (corners[-1][0], ground)], "area", closed=True)
    picture.path(corners, "l1")
    for one in visits:
        if one.seated_ms is None and axis.low <= one.over_ms <= axis.high:
            picture.text(axis.at(one.over_ms), ground - 3, "×", "middle strong")


def _row(picture: Picture, axis: Axis, y: float, visits: Sequence[Visit]) -> None:
    """The dockings of one bay: dark until the device says that all is there, pale until it is lifted."""
    drawn = -1.0
    for one in visits:
        begin, end = axis.at(one.seated_ms or 0), axis.at(one.over_ms)
        if end - drawn < 0.5 and not one.faults:
            continue  # within a pixel that is drawn already
        settled = axis.at(one.over_ms if one.settled_ms is None else one.settled_ms)
        kind = "amber" if one.settled_ms is None else "blue"
        words = f"{one.device} at {moment(one.seated_ms or 0, True)}: {lasts(seated_ms(one) / 1000)}, waited"
        words += f" {lasts(one.waited_ms / 1000)}; {one.why}"
        if one.faults:
            words += "; disturbed by " + ", ".join(dict.fromkeys(one.faults))
        picture.rect(begin, y + 1, max(1, settled - begin), ROW_HEIGHT - 6, kind, words)
        if end - settled > 0.5:
            picture.rect(settled, y + 1, end - settled, ROW_HEIGHT - 6, "pale", words)
        if end - begin > 3:
            picture.line(end, y + 1, end, y + ROW_HEIGHT - 5, "cut")
        if one.faults and end - begin > 2:
            picture.rect(begin + 1, y + 2, end - begin - 2, ROW_HEIGHT - 8, "hollow", words)
        drawn = max(drawn, end)


def _peaks(line: Sequence[tuple[int, int]], axis: Axis) -> list[tuple[int, int]]:
    """Of the steps within one pixel the highest and the last."""
    columns: dict[int, list[tuple[int, int]]] = {}
    for step in line:
        columns.setdefault(int(axis.at(step[0])), []).append(step)
    found: list[tuple[int, int]] = []
    for own in columns.values():
        highest = max(own, key=lambda step: step[1])
        found += [highest] if highest == own[-1] else [highest, own[-1]]
    return found


def queue(story: Story) -> Picture:
    """How many items wait for a decision, with the shifts as bands."""
    top, bottom, end_ms = 30, 220, story.until_ms
    line = [step for step in story.queue if step[0] <= end_ms]
    longest = max(length for _, length in line)
    words = f"Items that wait for a decision over {many(story.plan.days, 'day')}; at most {longest}."
    picture = Picture("queue", WIDE, bottom + 50, "The moderation queue", words)
    axis, height = Axis(0, end_ms, LEFT, RIGHT), Axis(0, max(1, longest) * 1.05, bottom, top)
    for begin, end, people in _bands(story.shifts, end_ms):
        x = axis.at(begin)
        picture.rect(x, top, axis.at(end) - x, bottom - top, "band",
                     f"{moment(begin)} to {moment(end)}: {', '.join(people)}")  # fmt: skip
    frame_time(picture, axis, top, bottom, time_ticks(0, end_ms))
    frame_value(picture, height, LEFT, RIGHT, whole_ticks(max(1, longest)))
    picture.text(LEFT + 4, top - 10, "items that wait; the bands are shifts of staff", "strong")
    points = [(axis.at(at), height.at(length)) for at, length in _peaks(line, axis)]
    corners = steps([*points, (axis.at(end_ms), points[-1][1])])
    picture.path([(corners[0][0], bottom), *corners, (corners[-1][0], bottom)], "area", closed=True)
    picture.path(corners, "l1")
    strip(picture, axis, bottom + 24, story.faults, fault_words)
    return picture


def _bands(shifts: Sequence[Span], end_ms: int) -> list[tuple[int, int, list[str]]]:
    """Shifts that overlap or touch as one: (begin, end, who)."""
    found: list[tuple[int, int, list[str]]] = []
    for shift in sorted(shifts, key=lambda one: one.begin_ms):
        if shift.begin_ms >= end_ms:
            continue
        if found and shift.begin_ms <= found[-1][1]:
            begin, end, people = found[-1]
            found[-1] = begin, max(end, shift.end_ms), people + [shift.who] * (shift.who not in people)
        else:
            found.append((shift.begin_ms, shift.end_ms, [shift.who]))
    return found


def waits(story: Story) -> Picture:
    """Who waited how long for a dock, as a rising curve."""
    seconds = [one.waited_ms / 1000 for one in counted(story) if one.seated_ms is not None]
    longest = max(seconds, default=0.0)
    words = f"The share of dockings that waited at most so long; the longest wait was {lasts(longest)}."
    picture = Picture("waits", NARROW, NARROW_HEIGHT, "Waiting for a dock", words)
    ticks = [tick for tick in SECOND_TICKS if tick.value <= max(10, longest)]
    axis = Axis(0.5, max(10.0, longest), 56, NARROW - 14, log=True)
    _curves(picture, axis, ticks, [("waited at most", [max(0.5, one) for one in seconds])])
    return picture


def stages(story: Story) -> Picture:
    """How long after writing a message was handed over, decided, delivered and seen."""
    hours = stage_hours(counted_ways(story))
    longest = max((max(own) for own in hours.values() if own), default=1.0)
    ticks = [tick for tick in HOUR_TICKS if tick.value <= longest]
    picture = Picture("stages", NARROW, NARROW_HEIGHT, "From written to seen",
                      "The share of messages that were handed over, decided, delivered and seen so long after they"
                      " were written.")  # fmt: skip
    least = max(1 / 120, min((min(own) for own in hours.values() if own), default=0.1) * 0.8)
    axis = Axis(least, max(longest, 1.0), 56, NARROW - 14, log=True)
    curves = [(STAGE_WORDS[name], [max(least, one) for one in own]) for name, own in hours.items()]
    _curves(picture, axis, [tick for tick in ticks if tick.value >= least], curves, len(counted_ways(story)))
    return picture


def _curves(
    picture: Picture, axis: Axis, ticks: Sequence[Tick], curves: Sequence[tuple[str, list[float]]], whole: int = 0
) -> None:
    """Rising curves; with `whole`, of so many, also those that never got there count."""
    height = Axis(0, 1, NARROW_HEIGHT - 36, 34)
    frame_time(picture, axis, 34, NARROW_HEIGHT - 36, ticks)
    frame_value(picture, height, 56, NARROW - 14, SHARES)
    for place, (label, values) in enumerate(curves):
        part = len(values) / whole if whole else 1.0
        points = [(value, share * part) for value, share in distribution(values)]
        drawn = steps([(axis.at(value), height.at(share)) for value, share in points])
        if drawn:
            start = [(axis.first, height.at(0)), (drawn[0][0], height.at(0))]
            picture.path([*start, *drawn, (axis.last, drawn[-1][1])], LINES[place])
        x = 58 + place * 112
        picture.line(x, 16, x + 26, 16, LINES[place])
        picture.text(x + 32, 20, label)


def way_parts(story: Story) -> list[tuple[str, float]]:
    """Where the time goes of a message that is seen: (stage, mean hours in it)."""
    ways = [
        (one.saved_ms, one.custody_ms, one.decided_ms, one.delivered_ms, one.seen_ms) for one in counted_ways(story)
    ]
    whole = [[at for at in way if at is not None] for way in ways if None not in way]
    names = ("until its writer docks", "until staff decide", "until a reader docks", "until the reader looks")
    return [
        (name, sum(max(0, way[place + 1] - way[place]) for way in whole) / len(whole) / HOUR_MS)
        for place, name in enumerate(names) if whole
    ]  # fmt: skip


def parts(story: Story) -> Picture | None:
    """One bar: where the time goes between writing and being seen."""
    found = way_parts(story)
    whole = sum(hours for _, hours in found)
    if not whole:
        return None
    picture = Picture("parts", NARROW, 184, "Where the time goes", "; ".join(
        f"{lasts(hours * 3600)} {name}" for name, hours in found))  # fmt: skip
    x = 10.0
    for place, ((name, hours), kind) in enumerate(zip(found, ("blue", "amber", "green", "purple"))):
        width = hours / whole * (NARROW - 20)
        picture.rect(x, 14, width - 1, 34, kind, f"{name}: {lasts(hours * 3600)}")
        y = 76 + place * 27
        picture.rect(10, y - 11, 13, 13, kind)
        picture.text(32, y, name, "strong")
        picture.text(300, y, lasts(hours * 3600), "end")
        picture.text(370, y, f"{hours / whole * 100:.0f} %", "end")
        x += width
    return picture


def moved(summary: Summary) -> Picture | None:
    """The exchange's bytes by kind, up and down."""
    kinds = [(name, own["bytes"], own["messages"]) for name, own in summary["bytes"]["kinds"].items()][:12]
    if not kinds:
        return None
    picture = Picture("moved", NARROW, 30 + len(kinds) * 26, "Bytes by kind", "; ".join(
        f"{name} {size(count)}" for name, count, _ in kinds))  # fmt: skip
    longest = max(1, max(count for _, count, _ in kinds))
    for place, (name, count, messages) in enumerate(kinds):
        y = 12 + place * 26
        width = math.sqrt(count / longest) * 220
        picture.text(150, y + 14, name[:24], "end strong")
        picture.rect(158, y, max(1, width), 19, "blue" if name.startswith("up/") else "amber",
                     f"{name}: {size(count)} in {many(messages, 'message')}")  # fmt: skip
        picture.text(164 + width, y + 14, f"{size(count)} in {messages}")
    return picture
