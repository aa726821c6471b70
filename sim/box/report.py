"""World -> here -> report.html, timeline.json: what a run answers, drawn, in one file that needs no network.

The page says first what failed and how to repeat it, then what a planner wants to know, then the pictures, each with
its figures as a table. `timeline.json` has the same as Chrome trace events, for a viewer that zooms.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.box import report_pictures as pictures
from sim.box.phrases import clock, lasts, many, moment, share, size
from sim.box.report_html import cards, figure, key, page, table
from sim.box.report_svg import Picture, plain
from sim.box.report_words import answer
from sim.box.scenario_keys import MEASURES
from sim.box.story import Story, Way, tell
from sim.box.summary import STAGES, Summary, counted_ways, summary
from sim.box.world import Outcome, World

REPORT, TIMELINE = "report.html", "timeline.json"
FAILURES_SHOWN_MAX = 8
SLOWEST_SHOWN = 6
DOCK_KEY = (("blue", "data moves"), ("pale", "all is there; not lifted yet"), ("amber", "lifted before all was there"),
            ("hollow", "disturbed by a fault"))  # fmt: skip


def write(world: World, outcome: Outcome, directory: Path, command: str = "", missed: Sequence[str] = ()) -> Summary:
    """Both files of a run; its summary. `command` repeats the run; `missed` are its expectations in words."""
    made, story = summary(world, outcome), tell(world.plan, world.trace.entries)
    write_files(story, made, directory, command, missed)
    return made


def write_files(story: Story, made: Summary, directory: Path, command: str = "", missed: Sequence[str] = ()) -> None:
    """Both files, from what is known of a run."""
    (directory / REPORT).write_text(render(story, made, command, missed, directory), encoding="utf-8")
    (directory / TIMELINE).write_text(json.dumps(timeline(story)) + "\n", encoding="utf-8")


def render(story: Story, made: Summary, command: str, missed: Sequence[str], directory: Path) -> str:
    """The page."""
    scenario = made["scenario"]
    command = command or shlex.join(["perch", "sim", "run", scenario, "--seed", made["seed"]])
    meta = (f"{many(made['learners'], 'learner')}, {many(made['docks'], 'dock')} at {made['baud']:,} baud,"
            f" {many(made['moderators'], 'moderator')}, {many(made['days'], 'day')}; seed {made['seed']};"
            f" digest {made['digest'][:16]}")  # fmt: skip
    header = f'<h1>{plain(scenario.replace("_", " ").capitalize())}</h1><p class="meta">{plain(meta)}</p>'
    body = [_verdict(made, command, missed), f'<p class="answer">{plain(answer(made, story))}</p>']
    body.append(_cards(made, missed))
    body += _dock_figures(story, made) + _message_figures(story, made, directory) + _wire_figures(story, made)
    body.append(_all_figures(made))
    left_out = f"{many(made['warmup_days'], 'day')} of warm-up and " if made["warmup_days"] else ""
    footer = (f"<p>The same seed makes the same run: <code>{plain(command)}</code></p><p>All times are those of the"
              f" simulated wing; day 0 is a Friday. The figures leave out {left_out}the settling after the last"
              " day.</p>")  # fmt: skip
    return page(f"{scenario}, seed {made['seed']}", header, "".join(body), footer)


def _verdict(made: Summary, command: str, missed: Sequence[str]) -> str:
    """What failed, and how to repeat it; or that nothing did."""
    failures = [f"<b>{plain(one['invariant'])}</b> {plain(one['words'])}" for one in made["failures"]]
    rows = failures[:FAILURES_SHOWN_MAX] + [f"<b>Missed:</b> {plain(words)}" for words in missed]
    if not rows:
        said = "Every promise held"
        said += "." if not made["pending"] else f"; not everything arrived, as the scenario allows: {made['pending']}."
        return f'<p class="verdict">{plain(said)}</p>'
    if len(failures) > FAILURES_SHOWN_MAX:
        rows.append(plain(f"and {len(failures) - FAILURES_SHOWN_MAX} more, in summary.json"))
    names = list(dict.fromkeys(one["invariant"] for one in made["failures"]))
    title = f"{many(len(failures), 'failure')} of {', '.join(names)}" if failures else "An expectation was missed"
    listed = "".join(f"<li>{row}</li>" for row in rows)
    return (f'<section class="failures" aria-label="Failures"><h2>{plain(title)}</h2><ol>{listed}</ol>'
            f"<p>This repeats it:</p><pre>{plain(command)}</pre></section>")  # fmt: skip


def _cards(made: Summary, missed: Sequence[str]) -> str:
    figures = made["measures"]
    late = {words.partition(" is ")[0] for words in missed}
    hours = {name: None if figures[name] is None else figures[name] * 3600 for name in figures if name.endswith("_h")}
    return cards([
        (lasts(figures["wait_p50_s"]), "half waited at most so long for a dock", "wait_p50_s" in late),
        (lasts(figures["wait_p95_s"]), "nineteen of twenty waited at most", "wait_p95_s" in late),
        (share(figures["gave_up_p"]), "of visits gave up waiting", "gave_up_p" in late),
        (f"{figures['queue_max'] or 0:.0f}", "messages waited for staff, at worst", "queue_max" in late),
        (lasts(hours["decided_p50_h"]), "half were decided within", "decided_p50_h" in late),
        (lasts(hours["decided_p95_h"]), "nineteen of twenty decided within", "decided_p95_h" in late),
        (lasts(hours["seen_p95_h"]), "from written to seen, nineteen of twenty", "seen_p95_h" in late),
        (share(figures["delivered_p"]), "of approved messages reached all", "delivered_p" in late),
    ])  # fmt: skip


def _dock_figures(story: Story, made: Summary) -> list[str]:
    dockings = made["dockings"]
    begin, end = pictures.rush(story)
    by_dock = table(
        ("dock", "dockings", "in use", "share of all time", "wait, half", "wait, 95 %"),
        [(bay, own["dockings"], lasts(own["busy_s"]), share(own["busy_p"]), lasts(own["wait_p50_s"]),
          lasts(own["wait_p95_s"])) for bay, own in dockings["by_dock"].items()],
    )  # fmt: skip
    ends = table(("how visits ended", "visits"), dockings["ends"].items())
    worst = table(
        ("who", "came", "waited", "seated", "dock", "end"),
        [(one.device, moment(one.arrived_ms, True), lasts(one.waited_ms / 1000),
          lasts((one.over_ms - one.seated_ms) / 1000) if one.seated_ms is not None else "–", one.bay or "–", one.why)
         for one in sorted(story.visits, key=lambda one: one.arrived_ms) if begin <= one.arrived_ms <= end][:120],
        words=(5,),
    )  # fmt: skip
    whole = pictures.docks(story, 0, story.until_ms, "docks", "The docks, all days")
    close = pictures.docks(story, begin, end, "rush", f"The busiest time: {moment(begin)} to {clock(end)}")
    return [
        figure(whole.title, "Who stands in line, above; below, each row is a dock, coloured while a device is in it.",
               whole, by_dock + ends, wide=True),
        figure(close.title, "The same from close by: each bar is one docking. A cross is somebody who gave up.",
               close, worst, key(*DOCK_KEY), wide=True),
    ]  # fmt: skip


def _message_figures(story: Story, made: Summary, directory: Path) -> list[str]:
    queue, staff = made["queue"], made["staff"]
    decided = table(
        ("who", "decisions", "hours on shift", "busy"),
        [(who, own["decisions"], own["shift_h"], share(own["busy_p"])) for who, own in staff.items()],
    )
    lengths = ("longest", queue["max"]), ("mean", queue["mean"]), ("at the end", queue["left"])
    length = table(("queue", "items"), lengths)
    found = [
        figure("The moderation queue", "How many messages wait for staff. It grows while nobody is on shift.",
               pictures.queue(story), decided + length, wide=True),
        '<div class="pair">',
    ]  # fmt: skip
    seconds = made["dockings"]["wait_s"], made["dockings"]["settled_s"], made["dockings"]["seated_s"]
    waits = table(("", "dockings", "half", "95 %", "longest"), [
        (name, own["n"], lasts(own["p50"]), lasts(own["p95"]), lasts(own["max"]))
        for name, own in zip(("waited", "until all was there", "at the dock"), seconds)
    ])  # fmt: skip
    found.append(figure("Waiting for a dock", "The share of dockings that waited at most so long.",
                        pictures.waits(story), waits))  # fmt: skip
    found.append(figure("From written to seen", "The share of messages that got so far in so long.",
                        pictures.stages(story), _stage_table(made)))  # fmt: skip
    if (parts := pictures.parts(story)) is not None:
        said = "Of a message that is seen: what its time from writing to being seen is spent on, on average."
        rows = [(name, lasts(hours * 3600)) for name, hours in pictures.way_parts(story)]
        found.append(figure(parts.title, said, parts, table(("stage", "mean"), rows)))
    found.append(_slowest(story, directory))
    found.append("</div>")
    return found


def _stage_table(made: Summary) -> str:
    rows = []
    for kind, own in made["times_h"].items():
        for stage in STAGES:
            times = [own[stage][name] for name in ("p50", "p95", "max")]
            said = [lasts(None if one is None else one * 3600) for one in times]
            rows.append((f"{kind}: {pictures.STAGE_WORDS[stage]}", own[stage]["n"], *said))
    return table(("from writing until", "messages", "half", "95 %", "longest"), rows)


def _slowest(story: Story, directory: Path) -> str:
    """The messages that took longest to be seen, and how to ask for their way."""

    def took(way: Way) -> int:
        return (story.until_ms if way.seen_ms is None else way.seen_ms) - way.saved_ms

    ways = sorted(counted_ways(story), key=lambda way: -took(way))[:SLOWEST_SHOWN]
    if not ways:
        return ""
    rows = [(way.id, moment(way.saved_ms), lasts(took(way) / 1000) if way.seen_ms is not None else "not seen",
             way.decision or "undecided") for way in ways]  # fmt: skip
    command = shlex.join(["perch", "sim", "explain", ways[0].id, "--run", str(directory)])
    return ("<figure><h2>The slowest messages</h2><p>The whole way of one of them, in words:</p>"
            f'<pre>{plain(command)}</pre><div class="scroll" tabindex="0" role="region" aria-label="Slowest messages">'
            + table(("message", "written", "seen after", "decision"), rows) + "</div></figure>")  # fmt: skip


def _wire_figures(story: Story, made: Summary) -> list[str]:
    moved, found = made["bytes"], ['<div class="pair">']
    picture: Picture | None = pictures.moved(made)
    rows = [("up", size(moved["up"]), size(moved["up_per_docking"]["p50"]), size(moved["up_per_docking"]["p95"])),
            ("down", size(moved["down"]), size(moved["down_per_docking"]["p50"]),
             size(moved["down_per_docking"]["p95"]))]  # fmt: skip
    wires = table(("on the wires", "all", "half of the dockings at most", "95 %"), rows)
    link = table(("the bays' links", "frames"), [(one, moved[one]) for one in ("resent", "repaired", "damaged")])
    kinds = table(("kind", "messages", "bytes"), [(kind, own["messages"], size(own["bytes"]))
                                                  for kind, own in moved["kinds"].items()])  # fmt: skip
    if picture is not None:
        said = (f"{size(moved['up'])} went up and {size(moved['down'])} down. Below: the exchange's own messages before"
                " they are sealed; lengths are drawn as square roots.")  # fmt: skip
        found.append(figure("Bytes by kind", said, picture, wires + kinds + link,
                            key(("blue", "from the device"), ("amber", "to the device"))))  # fmt: skip
    found.append(_wrong(made) + "</div>")
    return found


def _wrong(made: Summary) -> str:
    """Faults, attacks and refusals by name."""
    tables = [
        table((title, "times"), made[name].items())
        for title, name in (("fault", "faults"), ("attack", "attacks"), ("refusal", "refusals")) if made[name]
    ]  # fmt: skip
    said = "" if tables else "<p>Nothing went wrong, and nobody tried anything.</p>"
    return (f"<figure><h2>What went wrong, and what was refused</h2>{said}"
            '<div class="scroll" tabindex="0" role="region" aria-label="Faults, attacks and refusals">'
            f"{''.join(tables)}</div></figure>")  # fmt: skip


def _all_figures(made: Summary) -> str:
    """Every measure and count of the summary."""
    measured = [(name, "–" if value is None else f"{value:.6g}", MEASURES[name])
                for name, value in made["measures"].items()]  # fmt: skip
    counts = [(name, "–" if value is None else value) for name, value in made["messages"].items()]
    more = [(name, made["dockings"][name]) for name in ("visits", "seated", "gave_up", "disturbed")]
    more += [(name, made[name]) for name in ("events", "trace")]
    return ('<figure><h2>All figures</h2><details><summary>Measures and counts</summary><div class="scroll">'
            + table(("measure", "figure", "what it is"), measured, words=(2,)) + table(("messages", ""), counts)
            + table(("dockings", ""), more) + "</div></details></figure>")  # fmt: skip


def timeline(story: Story) -> dict[str, Any]:
    """Chrome trace events: bays, staff and faults as tracks, the line and the queue as counters. Times are us."""
    bays = [f"bay{number}" for number in range(story.plan.wing.docks)]
    tracks = [*bays, *story.plan.wing.moderators, "faults"]
    number = {name: place for place, name in enumerate(tracks, 1)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "tid": place, "name": "thread_name", "args": {"name": name}}
        for name, place in number.items()
    ]

    def span(track: str, name: str, begin_ms: int, end_ms: int, **args: object) -> None:
        events.append({"ph": "X", "pid": 1, "tid": number[track], "name": name, "ts": begin_ms * 1000,
                       "dur": max(1, end_ms - begin_ms) * 1000, "args": args})  # fmt: skip

    for one in story.visits:
        if one.seated_ms is not None and one.bay in number:
            span(one.bay, one.device, one.seated_ms, one.over_ms, waited_ms=one.waited_ms, why=one.why, **one.counts)
    for work in story.work:
        if work.who in number:
            span(work.who, f"{work.name} {work.about}", work.begin_ms, work.end_ms)
    for fault in story.faults:
        span("faults", f"{fault.name} {fault.who}", fault.begin_ms, fault.end_ms)
    for name, steps in (("in line", pictures.waiting_steps(story.visits)), ("queue", story.queue)):
        events += [{"ph": "C", "pid": 1, "name": name, "ts": at * 1000, "args": {"n": count}} for at, count in steps]
    return {"displayTimeUnit": "ms", "traceEvents": events}
