"""A wing whose devices are MicroPython processes is the same wing: to the last entry of its trace."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sim.box.devices import Core, MakeCore, in_this_process
from sim.box.faults import HANDLERS, PREPARE
from sim.box.flash import MOMENTS, TORN, Flash, PowerCut
from sim.box.kernel import HOUR_MS, START_S
from sim.box.lockstep import Child, DeviceProcessFailed, LockstepCore, Processes, interpreter
from sim.box.plan import Event, Plan
from sim.box.planning import make_plan
from sim.box.scenario import Scenario
from sim.box.world import Outcome, World
from tests.kits.calm_wing import calm_plan

LATE = 8 * HOUR_MS + 30_000
FAULTS = (
    Event("f.yank", 0, "wire.yank", "l001.d00.dock1", {"direction": "up", "byte": 700, "away_ms": 400}),
    Event("f.cut", LATE, "power.device_cut", "l000", {"operation": 9, "moment": TORN, "keep": False}),
    Event("f.worn", LATE, "flash.worn_out_block", "l002", {"operation": 4, "times": 1}),
)


def run(plan: Plan, make_core: MakeCore) -> tuple[Outcome, list[str]]:
    with World(plan, make_core) as world:
        return world.run(HANDLERS, PREPARE), world.trace.lines()


def same_in_many_processes(plan: Plan, processes: Processes) -> list[str]:
    """Run it both ways, and hold every entry of the one trace to the other's; returns them."""
    one, in_one = run(plan, in_this_process)
    other, in_many = run(plan, processes)
    for here, there in zip(in_one, in_many, strict=False):
        assert there == here
    assert (other.digest, other.semantic, other.pending) == (one.digest, one.semantic, one.pending)
    return in_one


@pytest.fixture(scope="module")
def processes() -> Processes:
    return Processes()


@pytest.fixture
def core(processes: Processes) -> Iterator[LockstepCore]:
    """A device from the factory, in its process."""
    made = processes(Flash(), "1", "l000/boot1", START_S)
    yield made
    made.child.kill()


def test_a_day_with_faults_is_the_same_in_one_process_and_in_many(processes: Processes) -> None:
    plan = calm_plan()
    events = sorted((*plan.events, *FAULTS), key=lambda event: (event.at_ms, event.id))
    lines = same_in_many_processes(replace(plan, events=tuple(events)), processes)
    for fault in FAULTS:
        assert any('"fault"' in line and fault.id in line for line in lines), f"{fault.id} touched nothing"
    assert len(processes.cores) == 4, "three devices, and one that was turned on again"
    assert all(core.child.process.poll() is not None for core in processes.cores), "none outlives the world"


@pytest.mark.soak
def test_a_calm_week_is_the_same_in_one_process_and_in_many() -> None:
    with Processes(spares=2) as processes:
        same_in_many_processes(make_plan(Scenario.load("calm_week"), "1"), processes)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_power_cut_in_a_process_leaves_what_it_leaves_in_this_one(processes: Processes, moment: str) -> None:
    found = []
    for make_core in (in_this_process, processes):
        flash = Flash()
        first = make_core(flash, "1", "l000/boot1", START_S)
        first.act(START_S, "draft", {"text": "one"})
        flash.cut_at, flash.moment = flash.operations, moment
        with pytest.raises(PowerCut):
            first.act(START_S, "draft", {"text": "two"})
        assert flash.dead
        left = flash.survivors(True)
        second = make_core(left, "1", "l000/boot2", START_S)
        found.append((left.files, left.blobs, left.operations, left.op_kinds, left.take_changes(), second.status()))
        second.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("fault", ["full", "worn"])
def test_a_bad_card_is_in_the_process_what_it_is_in_this_one(processes: Processes, fault: str) -> None:
    found = []
    for make_core in (in_this_process, processes):
        flash = Flash()
        core = make_core(flash, "1", "l000/boot1", START_S)
        if fault == "full":
            flash.full_bytes_max = flash.used_bytes()
        else:
            flash.worn_at, flash.worn_times = flash.operations, 2
        answers = [drafted(core, "more than there is room for") for _ in range(2)]
        flash.full_bytes_max = flash.worn_at = None
        answers.append(drafted(core, "it goes in now"))
        found.append((answers, flash.files, flash.operations))
        core.close()
    assert found[0] == found[1]
    assert found[0][0][0] != found[0][0][2] == {}


def drafted(core: Core, text: str) -> object:
    """What the device answers, or the number of the error that ended it."""
    try:
        return core.act(START_S, "draft", {"text": text})
    except OSError as error:
        return error.errno


def test_what_rots_in_the_worlds_copy_rots_in_the_process(core: LockstepCore) -> None:
    core.act(START_S, "draft", {"text": "words"})
    core.flash.rot(core.flash.names("keys/")[0], 0, 1)
    core.compare()


def test_copies_that_differ_are_a_failure_that_names_the_device(core: LockstepCore) -> None:
    core.flash.files["draft/other"] = b"by nobody"
    with pytest.raises(DeviceProcessFailed, match="l000/boot1: what it has stored and the world's copy of it differ"):
        core.close()
    assert core.child.process.poll() is not None


def test_a_process_that_ends_is_a_failure_that_names_the_device(core: LockstepCore) -> None:
    os.kill(core.child.process.pid, signal.SIGKILL)
    with pytest.raises(DeviceProcessFailed, match="the process of l000/boot1: it"):
        core.status()
    core.close()


def test_a_process_that_hangs_is_a_failure_in_bounded_time(core: LockstepCore) -> None:
    core.child.answer_s_max = 0.3
    os.kill(core.child.process.pid, signal.SIGSTOP)
    with pytest.raises(DeviceProcessFailed, match="l000/boot1: it did not answer"):
        core.status()
    assert core.child.process.poll() is not None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("bytes([0, 0, 0, 1, 255])", "nonsense: "),  # no CBOR
        ("bytes([0, 0, 0, 1, 1])", "nonsense: "),  # no answer
        ("b'HTTP/1.1'", "nonsense: a frame of"),
    ],
)
def test_a_process_that_says_nonsense_is_a_failure_that_names_the_device(said: str, why: str) -> None:
    program = f"import sys, time; print('words'); open(int(sys.argv[1]), 'r+b').write({said}); time.sleep(60)"
    child = Child([*interpreter(), "-c", program], 20)
    with pytest.raises(DeviceProcessFailed, match=f"l000/boot1: it says {why}"):
        LockstepCore(child, Flash(), "1", "l000/boot1", START_S)
    assert child.process.poll() is not None


def test_a_mistake_in_the_process_is_shown_with_its_place(core: LockstepCore) -> None:
    with pytest.raises(DeviceProcessFailed, match="(?s)its program made a mistake.*device_core.*KeyError"):
        core.act(START_S, "write", {})
