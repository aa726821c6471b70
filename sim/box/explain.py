"""Run's directory -> here -> words: `perch sim explain ITEM` tells the whole way of one message, from its trace.

Written, docked, in custody, read by staff, decided, delivered to whom and when, seen, recalled; what disturbed it and
whom it has not reached. A message is named by the event that wrote it ("l007.d03.write1"); a part of the name is
enough where only one message has it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from protocol.errors import Refusal
from sim.box.command import OK, USAGE, Parser
from sim.box.phrases import lasts, many, moment
from sim.box.plan import Plan
from sim.box.run_command import BUILD, PLAN, TRACE, load_plan
from sim.box.story import WHOLE_WING, Story, TraceRefused, Visit, Way, is_final, load, tell
from sim.box.trace import Entry

NAMES_SHOWN_MAX = 12
SAID = {
    "pending": "is on the staff page, in the queue", "dealt": "is dealt to {who}", "read": "is opened by {who}",
    "return": "is returned by {who}", "reject": "is rejected by {who}", "recall": "is recalled by {who}",
    "passed_back": "is passed back by {who}", "lease_ended": "goes back to the queue: {detail}",
    "approval_dropped": "loses the approval that it had: {detail}", "refused": "is refused: {detail}",
    "custody": "is in the hub's custody: {who} may forget it now", "removed": "is taken off {who}",
    "alert_raised": "raises an alert: {detail}", "back_in_the_queue": "is back in the queue",
    "withheld": "is withheld: {detail}", "media_attempt": "has its recording decoded: {detail}",
    "returned": "is back on {who}, with the reason", "blob_missing": "waits for a part: {detail}",
}  # fmt: skip


class NoSuchMessage(Refusal):
    """No message, or more than one, has this name; the words say which there are."""


def command(arguments: list[str]) -> int:
    """`perch sim explain ITEM [--run DIR]`."""
    parser = Parser("explain")
    parser.add_argument("item", help="the name of a message, such as l007.d03.write1, or a part of it")
    parser.add_argument("--run", help="the directory of a run (default: the newest in build/sim)")
    options = parser.parse_args(arguments)
    directory = newest() if options.run is None else Path(options.run)
    if directory is None:
        print(f"perch sim explain: there is no run in {BUILD}; say which one with --run DIR", file=sys.stderr)
        return USAGE
    plan, entries = read_run(directory)
    print("\n".join(explain(plan, entries, options.item)))
    return OK


def newest() -> Path | None:
    """The run in build/sim that was written last."""
    runs = sorted(BUILD.glob(f"*/{TRACE}"), key=lambda path: path.stat().st_mtime)
    return runs[-1].parent if runs else None


def read_run(directory: Path) -> tuple[Plan, list[Entry]]:
    """Plan and trace of a run's directory; raises PlanRefused and TraceRefused."""
    plan = load_plan(directory / PLAN)
    try:
        lines = (directory / TRACE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceRefused(f"{directory / TRACE} cannot be read: {error}") from None
    return plan, load(lines)


def explain(plan: Plan, entries: Sequence[Entry], wanted: str) -> list[str]:
    """The way of one message, a sentence on each line; raises NoSuchMessage."""
    story = tell(plan, entries)
    way = find(story, wanted)
    lines = [_head(way)]
    done = [(way.saved_ms, f"{way.device} saves it")]
    done += [(entry.at_ms, said) for entry in entries
             if entry.fields.get("item") == way.id and (said := _said(entry, way))]  # fmt: skip
    done += [(visit.arrived_ms, _visit(visit, way)) for visit in _visits(story, way)]
    done += [(at, words) for at, words in _faults(story, way)]
    before = way.saved_ms
    for at, words in dict.fromkeys(sorted(done, key=lambda one: one[0])):  # each part of a video is opened
        later = f"+{lasts((at - before) / 1000)}" if at > before else ""
        lines.append(f"  {moment(at, True):<16} {later:>9}  {words}")
        before = at
    return [*lines, *_end(story, way)]


def find(story: Story, wanted: str) -> Way:
    """The message of this name, or the only one whose name has it in it."""
    if wanted in story.ways:
        return story.ways[wanted]
    found = [name for name in story.ways if wanted in name]
    if len(found) == 1:
        return story.ways[found[0]]
    if not found:
        some = list(story.ways)[:NAMES_SHOWN_MAX]
        close = difflib.get_close_matches(wanted, list(story.ways), n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else f"there are {len(story.ways)}, such as {', '.join(some)}"
        raise NoSuchMessage(f"no message of this run is called {wanted!r}; {hint}")
    more = f" and {len(found) - NAMES_SHOWN_MAX} more" if len(found) > NAMES_SHOWN_MAX else ""
    raise NoSuchMessage(f"{wanted!r} is in the name of {', '.join(found[:NAMES_SHOWN_MAX])}{more}: say which")


def _head(way: Way) -> str:
    what = "a video" if way.video else "a post"
    thread = f", in answer to {way.parent}" if way.parent else ", the first of its thread"
    return f"{way.id}: {what} of {way.device} in {way.group}{thread}."


def _said(entry: Entry, way: Way) -> str:
    """What this entry says about the message; "" where it says nothing that is not said elsewhere."""
    if entry.kind == "approve":
        count = str(entry.fields.get("detail", "")).rpartition("signature ")[2]
        alone = is_final(entry) and count.startswith("1 ")
        return f"is approved by {entry.who}" + ("" if alone else f", {count} people")
    if entry.kind == "received":
        return f"is delivered to {entry.who}"
    if entry.kind == "read_by":
        return f"is seen by {entry.who}" + (", who wrote it" if entry.who == way.device else "")
    return SAID.get(entry.kind, "").format(who=entry.who, detail=entry.fields.get("detail", ""))


def _visits(story: Story, way: Way) -> list[Visit]:
    """The visits of its writer until it was in custody."""
    until = story.end_ms if way.custody_ms is None else way.custody_ms
    return [one for one in story.visits
            if one.device == way.device and one.arrived_ms <= until and one.over_ms >= way.saved_ms]  # fmt: skip


def _visit(visit: Visit, way: Way) -> str:
    waited = f", waits {lasts(visit.waited_ms / 1000)}" if visit.waited_ms else ""
    if visit.seated_ms is None:
        return f"{visit.device} comes to the docks{waited} and gives up"
    stays = lasts((visit.over_ms - visit.seated_ms) / 1000)
    words = f"{visit.device} comes to the docks{waited} and is at {visit.bay} for {stays}"
    words += f"; {visit.why or 'the run ended'}"
    if way.custody_ms is None or way.custody_ms > visit.over_ms:
        words += "; it was not taken into custody then"
    return words


def _faults(story: Story, way: Way) -> list[tuple[int, str]]:
    """What went wrong at its writer, at the hub and at whoever decided, while it was on its way."""
    end = story.end_ms if way.seen_ms is None else way.seen_ms
    near = {way.device, *WHOLE_WING, *(one.who for one in story.work if one.about == way.id)}
    for visit in _visits(story, way):
        near |= {visit.id, visit.bay}
    return [
        (one.begin_ms, f"meanwhile: {one.name} at {one.who}, for {lasts((one.end_ms - one.begin_ms) / 1000)}")
        for one in story.faults if one.who in near and one.end_ms >= way.saved_ms and one.begin_ms <= end
    ]  # fmt: skip


def _end(story: Story, way: Way) -> list[str]:
    """What it comes to."""
    if way.custody_ms is None:
        return ["It never left the device."]
    if way.decided_ms is None and not way.decision:
        return ["It was never decided."]
    if way.decision in ("return", "reject"):
        took = lasts(((way.decided_ms or way.saved_ms) - way.saved_ms) / 1000)
        return [f"It was decided {took} after it was written, and nobody else was shown it."]
    readers = [one for one in story.plan.wing.groups.get(way.group, ()) if one != way.device]
    missing = [one for one in readers if not any(who.startswith(one) for who in way.received)]
    others = sum(who != way.device for who in way.received)
    seen = sum(who != way.device for who in way.read)
    lines = [f"It was delivered to {many(others, 'device')} and seen on {seen or 'none'} of them"]
    if way.seen_ms is not None:
        lines[0] += f", first {lasts((way.seen_ms - way.saved_ms) / 1000)} after it was written"
    lines[0] += "."
    if missing and way.decision == "approve":
        lines.append(f"Of its group on the first day it did not reach {', '.join(missing)}.")
    return lines
