"""World -> here -> watch: what one sees of the wing at this moment, as a table for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sim.box.docks import Docking
from sim.box.phrases import clock, lasts, many, size, weekday
from sim.box.staff import Officer
from sim.box.story import is_final
from sim.box.trace import Entry
from sim.box.world import World

LAST_SHOWN = 6
LINE_SHOWN = 12
LINE_MARK, QUEUE_MARK = "o", "#"
STYLES = {"settled": "green", "off": "red", "waiting": "yellow"}
SAID = {"seat": "sits down", "lift": "lifts", "give_up": "gives up waiting", "custody": "handed something over",
        "approve": "approves", "return": "returns", "reject": "rejects", "recall": "recalls", "fault": "fault:",
        "fault_over": "over:", "failure": "FAILURE"}  # fmt: skip


class Looks:
    """The world with what one must have listened for: the queue, the faults that are on, what happened last."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue: dict[str, None] = {}
        self.faults: dict[tuple[str, str], None] = {}
        self.last: list[str] = []
        world.trace.listeners.append(self._told)

    def _told(self, entry: Entry) -> None:
        item = str(entry.fields.get("item", ""))
        if entry.kind in ("pending", "back_in_the_queue"):
            self.queue[item] = None
        elif is_final(entry) or entry.kind == "recall":
            self.queue.pop(item, None)
        elif entry.kind in ("fault", "fault_over"):
            name = (str(entry.fields.get("name", "")), entry.who)
            self.faults[name] = None
            if entry.kind == "fault_over":
                self.faults.pop(name)
        if entry.kind in SAID:
            about = item or str(entry.fields.get("name") or entry.fields.get("words") or entry.fields.get("why") or "")
            self.last.append(_plain(f"{clock(entry.at_ms, True)}  {entry.who} {SAID[entry.kind]} {about}"))
            del self.last[:-LAST_SHOWN]


def draw(looks: Looks, speed: float, stopped: bool) -> RenderableType:
    """The whole view."""
    world = looks.world
    now = world.kernel.now
    pace = "stopped" if stopped else f"x {speed:g}" if speed else "as fast as it goes"
    title = Text.assemble(
        (f"{weekday(now)} day {now // 86_400_000}  {clock(now, True)}", "bold"), f"   {pace}   ",
        (world.plan.scenario, "bold"), f" seed {_plain(world.plan.seed)}",
    )  # fmt: skip
    wrong = [f"{name} at {who}" for name, who in looks.faults]
    faults = Text("faults  " + (_plain(", ".join(wrong)) or "none"), style="red" if wrong else "dim")
    parts: list[RenderableType] = [title, _bays(world), _line(world), _staff(looks), faults, Text("")]
    parts += [Text(words, style="dim", no_wrap=True, overflow="ellipsis") for words in looks.last]
    if world.failures:
        parts.append(Text(_plain(f"{many(len(world.failures), 'failure')}: {world.failures[-1][1]}"), style="bold red"))
    keys = "+ - speed   space stop   s skip to the next docking   q end"
    return Panel(Group(*parts), subtitle=keys, subtitle_align="left", title="perch sim watch", title_align="left")


def _bays(world: World) -> Table:
    table = Table(expand=True, box=None, pad_edge=False)
    for name, width in (("bay", 6), ("who", 7), ("phase", 9), ("for", 8), ("up", 9), ("down", 9), ("", None)):
        table.add_column(name, width=width, no_wrap=True, justify="right" if name in ("for", "up", "down") else "left")
    for bay in world.docks.bays:
        docking = world.docks.seated.get(bay.name)
        if docking is None or docking.wire is None:
            empty = "dead" if bay.dead else "free" if world.hub.on else "no hub"
            table.add_row(bay.name, "", Text(empty, style="red" if empty != "free" else "dim"))
            continue
        phase, note = _phase(docking)
        length = lasts((world.kernel.now - (docking.seated_ms or 0)) / 1000)
        moved = size(docking.wire.up.carried), size(docking.wire.down.carried)
        table.add_row(bay.name, docking.box.name, Text(phase, style=STYLES.get(phase, "")), length, *moved, note)
    return table


def _phase(docking: Docking) -> tuple[str, str]:
    box = docking.box
    phase = (box.phase or "waiting") if box.on else "off"
    note = "may be lifted" if docking.settled_ms is not None else _plain(box.refused)
    if docking.disturbed:
        note = (note + "  " if note else "") + "disturbed: " + ", ".join(docking.disturbed)
    return phase, _plain(note)


def _line(world: World) -> Text:
    line = world.docks.line
    if not line:
        return Text("line    nobody waits", style="dim")
    names = " ".join(one.box.name for one in line[:LINE_SHOWN]) + (" ..." if len(line) > LINE_SHOWN else "")
    longest = lasts((world.kernel.now - line[0].arrived_ms) / 1000)
    return Text(f"line    {LINE_MARK * min(len(line), 40)} {len(line)}, the first since {longest}: {names}",
                no_wrap=True, overflow="ellipsis")  # fmt: skip


def _staff(looks: Looks) -> Text:
    world = looks.world
    waiting = len(looks.queue)
    people = ", ".join(f"{name} {_at_work(one, world.kernel.now)}" for name, one in world.officers.items())
    return Text(f"queue   {QUEUE_MARK * min(waiting, 40)} {waiting} wait for staff\nstaff   {people or 'nobody'}")


def _at_work(officer: Officer, now: int) -> str:
    if now < officer.absent_until_ms:
        return "away"
    duty = "on shift" if now < officer.until_ms else "off"
    return f"{duty} ({many(officer.decisions, 'decision')})"


def _plain(words: str) -> str:
    """What a hostile device made up moves no cursor."""
    return "".join(one if one.isprintable() else "?" for one in words)
