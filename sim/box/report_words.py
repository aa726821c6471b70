"""Summary and story -> here -> report, sweep: what a run answers, in the sentences that a planner asks for."""

from __future__ import annotations

from sim.box.phrases import lasts, many, moment, share
from sim.box.report_pictures import way_parts
from sim.box.story import Story
from sim.box.summary import Summary

LONG_WAIT_S = 120.0  # what the bundled scenarios expect of nineteen of twenty
BUSY_P = 0.6  # of a shift: whoever is busier has no time for a bad day
ADVICE = {
    "until its writer docks": "more windows at the docks would help most",
    "until staff decide": "more staff hours, or hours at another time of the day, would help most",
    "until a reader docks": "more windows at the docks would help most",
    "until the reader looks": "docks and staff are not what one waits for",
}


def answer(summary: Summary, story: Story) -> str:
    """One paragraph: docks, staff, delivery, and what would help."""
    return " ".join(one for one in (_docks(summary), _staff(summary), _arrived(summary), advice(summary, story)) if one)


def _docks(summary: Summary) -> str:
    dockings = summary["dockings"]
    waits, gave_up = dockings["wait_s"], dockings["gave_up"]
    days = many(summary["days"] - summary["warmup_days"], "day")
    start = f"{many(summary['learners'], 'learner')} came {many(dockings['visits'], 'time')} to"
    start += f" {many(summary['docks'], 'dock')} in {days}."
    if not dockings["seated"]:
        return start
    if not waits["max"]:
        said = "Nobody waited for a dock"
    else:
        half = "Half of them did not wait" if not waits["p50"] else f"Half of them waited at most {lasts(waits['p50'])}"
        said = f"{half}, nineteen of twenty at most {lasts(waits['p95'])}" if waits["p95"] else "Nearly nobody waited"
        said += f"; the longest wait was {lasts(waits['max'])}"
    left = f", and {share(gave_up / dockings['visits'])} gave up waiting" if gave_up else ", and nobody gave up"
    return f"{start} {said}{left}."


def _staff(summary: Summary) -> str:
    figures, queue = summary["measures"], summary["queue"]
    written = f"They wrote {many(summary['messages']['written'], 'message')}"
    if figures["decided_p50_h"] is None:
        return written + "; none was decided."
    busy = [own["busy_p"] for own in summary["staff"].values() if own["busy_p"] is not None]
    work = f" Staff were busy {share(sum(busy) / len(busy))} of their hours." if busy else ""
    return (f"{written}; staff decided half of them within {lasts(figures['decided_p50_h'] * 3600)} of the handover and"
            f" nineteen of twenty within {lasts(figures['decided_p95_h'] * 3600)}. At worst"
            f" {many(queue['max'], 'message')} waited, on {moment(queue['max_at_ms'])}.{work}")  # fmt: skip


def _arrived(summary: Summary) -> str:
    delivered = summary["measures"]["delivered_p"]
    if delivered is None:
        return ""
    if delivered == 1:
        return "Everything that was approved was with every recipient at the end."
    return f"{share(delivered)} of what was approved was with every recipient at the end."


def advice(summary: Summary, story: Story) -> str:
    """What would help, as far as one run can say."""
    waits = summary["dockings"]["wait_s"]["p95"]
    if waits is not None and waits > LONG_WAIT_S:
        return "This wing has too few docks for its windows: one more dock, or longer windows, would help most."
    busy = [own["busy_p"] or 0 for own in summary["staff"].values()]
    if busy and max(busy) > BUSY_P:
        return "Staff have little time to spare: more of their hours would help most."
    parts = way_parts(story)
    if not parts:
        return ""
    whole = sum(hours for _, hours in parts) or 1
    name, hours = max(parts, key=lambda part: part[1])
    return f"From writing to being seen, {share(round(hours / whole, 2))} of the time passes {name}: {ADVICE[name]}."
