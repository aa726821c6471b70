"""Every mark is in the catalogue, every refusal is a mark, and what a run meets is counted from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from hub_daemon.moderation import transitions
from protocol.errors import Refusal
from sim.box.attempt import attempt
from sim.box.catalogue import ATTACKS, CATALOGUE
from sim.box.checked import sites
from sim.box.disk import Disk
from sim.box.flash import OPS, Flash, PowerCut
from sim.box.invariants import BY_ID
from sim.box.marks import EVENT_OF, Marks, catalogue, refusal_name, row_name, unreached
from sim.box.planning import make_plan
from sim.box.scenario import Scenario
from tests.sim.box.small import SMALL

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("protocol", "firmware", "hub_daemon")


def sources(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield room, ast.parse(path.read_text(encoding="utf-8"))


def classes_of_refusal() -> set[str]:
    """By their marks' names; found in the source, as some modules are for boards alone."""
    bases: dict[str, set[str]] = {}
    rooms: dict[str, set[str]] = {}
    for room, tree in sources(*ROOMS):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                named = {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in node.bases}
                bases.setdefault(node.name, set()).update(named)
                rooms.setdefault(node.name, set()).add(room)
    found = {"Refusal"}
    while more := {name for name, named in bases.items() if named & found} - found:
        found |= more
    return {f"refusal.{room}.{name}" for name in found - {"Refusal"} for room in rooms[name]}


def literals(room: str, call: tuple[str, ...], place: int) -> set[str]:
    """The texts given at this place to calls of this name."""
    found = set()
    for _, tree in sources(room):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(call) and len(node.args) > place:
                found |= {one.value for one in ast.walk(node.args[place]) if isinstance(one, ast.Constant)}
    return {one for one in found if isinstance(one, str)}


def test_every_class_of_refusal_is_a_mark_or_has_its_reason() -> None:
    listed = {name for name in catalogue() if name.startswith("refusal.")}
    assert listed == classes_of_refusal()


def test_every_action_of_the_journal_and_of_the_hubs_log_is_a_mark_or_has_its_reason() -> None:
    known = catalogue()
    journal = literals("firmware", ("device.log", "_device.log", "self.log"), 0)
    assert not [one for one in journal if f"journal.{one}" not in known]
    log = literals("hub_daemon", ("log.append",), 3)
    assert not [one for one in log if f"log.{one}" not in known]


def test_every_row_of_every_table_is_a_mark() -> None:
    known = catalogue()
    wanted = [f"fault.{name}" for name in CATALOGUE] + [f"attack.{name}" for name in ATTACKS]
    wanted += [row_name(row) for row in transitions.TABLE] + [f"checked.{name}" for name in BY_ID]
    wanted += [f"cut.flash {name}" for name in OPS]
    assert not [name for name in wanted if name not in known]
    assert set(EVENT_OF.values()) == {row.event for row in transitions.TABLE}


def test_every_reason_is_words_and_for_a_mark_that_there_is() -> None:
    listed = {name.partition(".")[0] for name in catalogue()}
    assert listed == {"fault", "attack", "transition", "checked", "refusal", "session", "link", "journal", "log", "cut"}
    assert all(len(reason) > 15 for reason in catalogue().values() if reason)


def test_a_run_reaches_what_it_met_and_nothing_else() -> None:
    found = Marks()
    with found:
        made = attempt(make_plan(Scenario.load(SMALL), "1"), before=found.watch, after=found.end)
    assert made.outcome.ok
    for name in (
        "transition.deal pending-claimed", "transition.approve awaiting_second-approved", "session.IK",
        "session.IKpsk2", "journal.write", "journal.handed-over", "log.custody", "checked.S1", "checked.L1",
    ):  # fmt: skip
        assert found.found[name] > 0, name
    assert not [name for name in found.found if name.startswith(("fault.", "attack.", "cut.")) and found.found[name]]
    missing = unreached(found.found)
    assert "fault.wire.yank" in missing and "journal.write" not in missing
    assert "refusal.firmware.BadForm" not in missing, "what has a reason is not missed"


def test_counting_ends_with_the_run_and_changes_nothing() -> None:
    plan = make_plan(Scenario.load(SMALL), "2")
    before = (Flash._die, Disk.die, [vars(owner)[name] for owner, name, _ in sites()])
    with Marks() as found:
        watched = attempt(plan, before=found.watch, after=found.end)
    assert before == (Flash._die, Disk.die, [vars(owner)[name] for owner, name, _ in sites()])
    assert "__init__" not in vars(Refusal)
    assert watched.digest == attempt(plan).digest


def test_refusals_and_cuts_are_counted_by_name_and_by_operation() -> None:
    class Odd(Refusal):
        pass

    with Marks() as found:
        assert str(Odd("these words")) == "these words"
        flash = Flash(cut_at=0)
        try:
            flash.write("state/list", b"x")
        except PowerCut:
            pass
    assert found.found[refusal_name(Odd)] == 1
    assert found.found["cut.flash write"] == 1
