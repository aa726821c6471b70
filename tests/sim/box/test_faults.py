"""Every fault of the catalogue, each in a tiny wing at a moment where it must bite."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from sim.box.catalogue import CATALOGUE
from sim.box.faults import HANDLERS, PREPARE
from sim.box.kernel import HOUR_MS
from sim.box.plan import Event, Plan, Value, WingPlan
from sim.box.world import World

MINUTE_MS = 60_000
LEARNERS = ("l000", "l001", "l002")
DOCK = "l000.d00.dock2"  # the docking that is disturbed: it brings a post and a video, and has what others wrote


def tiny(events: list[Event], promise: str = "full") -> Plan:
    """One day of three learners, two bays, two members of staff; the first learner writes and docks a second time."""
    made = list(events)
    for count, hour in enumerate((8, 12), 1):
        at = hour * HOUR_MS
        for number, learner in enumerate(LEARNERS if count == 1 else LEARNERS[:1]):
            name = f"{learner}.d00"
            text = {"group": "g00", "bytes": 200, "reply": count > 1, "pick": number}
            made.append(Event(f"{name}.write{count}", at + number, "write", learner, text))
            way = {"patience_s": 600, "reaction_s": 3, "stay_s_max": 120}
            docks = at + HOUR_MS + number * 20_000
            made.append(Event(f"{name}.dock{count}", docks, "dock", learner, way))
            made.append(Event(f"{name}.read{count}", docks + 10 * MINUTE_MS, "read", learner))
        for person in ("m0", "m1"):
            until = {"until_ms": at + 3 * HOUR_MS}
            made.append(Event(f"{person}.d00.shift{count}", at + 80 * MINUTE_MS, "shift", person, until))
    video = {"group": "g00", "bytes": 9_000, "words": 30, "reply": False, "pick": 0}
    made.append(Event("l000.d00.record1", 12 * HOUR_MS + 9, "record", "l000", video))
    made.sort(key=lambda event: (event.at_ms, event.id))
    wing = WingPlan(
        "a-wing", LEARNERS, (), {"g00": LEARNERS}, {}, 2, ("m0", "m1"), ("a0", "a1"), 3_000_000, 100, 5000, 1.0, 0.0,
        "lognormal(20, 0.8)",
    )  # fmt: skip
    return Plan("tiny", "1", 1, 0, 12 * HOUR_MS, promise, wing, tuple(made))


@dataclass(frozen=True)
class Case:
    """One fault: its target, when, and with what; what must be seen of it besides."""

    name: str
    who: str = ""
    at_ms: int = 13 * HOUR_MS - 1
    args: dict[str, Value] = field(default_factory=dict)

    @property
    def event(self) -> Event:
        who = self.who or {"docking": DOCK, "device": "l000", "bay": "bay0", "staff": "m0"}.get(
            CATALOGUE[self.name].target, CATALOGUE[self.name].target
        )
        return Event(f"f.{who}.{self.name}", self.at_ms, self.name, who, self.args)

    @property
    def plan(self) -> Plan:
        return tiny([self.event], promise="beyond" if CATALOGUE[self.name].beyond else "full")


CASES = [
    Case("wire.yank", args={"direction": "up", "byte": 3_000, "away_ms": 400}),
    Case("wire.half_open", args={"direction": "down", "byte": 900, "ms": 6_000}),
    Case("wire.bit_flip", args={"one_in_bits": 20_000}),
    Case("wire.burst_error", args={"direction": "up", "byte": 2_000, "bytes": 300}),
    Case("wire.byte_drop", args={"one_in_bytes": 2_000}),
    Case("wire.byte_insert", args={"one_in_bytes": 2_000}),
    Case("wire.duplicate_read", args={"one_in_reads": 5}),
    Case("wire.trickle", args={"bytes": 1}),
    Case("wire.glue", args={"ms": 40}),
    Case("wire.stall", args={"direction": "up", "byte": 1_500, "ms": 9_000}),
    Case("wire.wrong_baud", args={"ms": 3_000}),
    Case("wire.swap_devices", args={"direction": "up", "byte": 2_500, "pick": 1}),
    Case("wire.bounce", args={"times": 6, "gap_ms": 40}),
    Case("wire.noise_before_sync", args={"bytes": 700}),
    Case("wire.replay_old_session", args={"bytes": 6_000}),
    Case("power.device_cut", args={"operation": 6, "moment": "torn", "keep": False}),
    Case("power.brown_out", args={"times": 3, "operation": 2}),
    Case("power.battery_empty_days", at_ms=9 * HOUR_MS + 40 * MINUTE_MS, args={"days": 1}),
    Case("power.dock_rail_cut", at_ms=13 * HOUR_MS + 100, args={"ms": 8_000}),
    Case("clock.drift", at_ms=HOUR_MS, args={"ppm": 300}),
    Case("clock.rollback", at_ms=HOUR_MS, args={"s": 900_000}),
    Case("clock.jump_forward", at_ms=HOUR_MS, args={"s": 90_000_000}),
    Case("clock.epoch_zero", at_ms=HOUR_MS),
    Case("clock.tick_wrap", at_ms=12 * HOUR_MS + MINUTE_MS, args={"ms": 200}),
    Case("clock.hub_ntp_step", at_ms=13 * HOUR_MS + 60, args={"s": -3_000}),
    Case("flash.bit_rot", at_ms=15 * HOUR_MS, args={"pick": 5, "bit": 301}),
    Case("flash.torn_page", at_ms=12 * HOUR_MS - MINUTE_MS, args={"operation": 1}),
    Case("flash.full", at_ms=11 * HOUR_MS, args={"bytes": 500, "ms": 3 * HOUR_MS}),
    Case("flash.worn_out_block", args={"operation": 2, "times": 3}),
    Case("flash.slow_erase", args={"ms": 300, "times": 20}),
    Case("disk.full", at_ms=13 * HOUR_MS + 50, args={"ms": 10 * MINUTE_MS}),
    Case("disk.torn_write", args={"operation": 7}),
    Case("disk.lost_unsynced", args={"operation": 20}),
    Case("disk.read_error", args={"operation": 2, "times": 2}),
    Case("disk.slow_sync", args={"ms": 2_000, "times": 12}),
    Case("disk.stale_copy_restored", at_ms=15 * HOUR_MS, args={"days": 1}),
    Case("hub.power_cut", args={"operation": 12, "moment": "torn", "keep": False}),
    Case("hub.crash", args={"operation": 9, "down_ms": 5_000}),
    Case("hub.stall", at_ms=13 * HOUR_MS + 100, args={"ms": 20_000}),
    Case("hub.restart_loop", args={"times": 4, "up_ms": 400}),
    Case("hub.bay_dead", args={"ms": 5 * HOUR_MS}),
    Case("hub.bay_swapped", at_ms=13 * HOUR_MS + 90, args={"pick": 0}),
    Case("hub.memory_low", args={"times": 3}),
    Case("broker.restart", at_ms=13 * HOUR_MS + 120, args={"down_ms": 6_000}),
    Case("broker.lost_session", at_ms=13 * HOUR_MS + 120),
    Case("broker.duplicate_publish", args={"times": 40}),
    Case("broker.delayed_puback", at_ms=13 * HOUR_MS + 120, args={"ms": 3_000, "times": 4}),
    Case("broker.full_queue", args={"times": 12}),
    Case("staff.absent_days", args={"days": 3}),
    Case("staff.double_click", args={"times": 2}),
    Case("staff.two_staff_disagree", args={"times": 3}),
    Case("staff.approve_then_revoke", args={"ms": HOUR_MS}),
    Case("staff.stale_page", args={"ms": HOUR_MS}),
    Case("staff.bulk_approve", args={"times": 3}),
    Case("learner.writes_bursts", args={"posts": 20, "bytes": 300}),
    Case("learner.transfers_wing", at_ms=15 * HOUR_MS),
    Case("learner.released", at_ms=15 * HOUR_MS),
    Case("learner.shares_device", at_ms=15 * HOUR_MS, args={"pick": 1}),
    Case("learner.docks_for_two_seconds", args={"ms": 150}),
    Case("learner.never_docks_90_days", at_ms=HOUR_MS),
    Case("version.old_firmware_new_hub"),
    Case("version.new_firmware_old_hub"),
    Case("version.schema_migration_crash", args={"operation": 1}),
    Case("version.unknown_record_type", args={"times": 4}),
]  # fmt: skip


# with one of these the day would be over for the others
WHOLE_DAY = (
    "wire.yank", "wire.half_open", "wire.wrong_baud", "wire.swap_devices", "wire.bounce", "power.brown_out",
    "power.battery_empty_days", "clock.tick_wrap", "flash.bit_rot", "disk.full", "disk.stale_copy_restored",
    "hub.restart_loop", "hub.bay_dead", "staff.absent_days", "learner.transfers_wing", "learner.released",
    "learner.docks_for_two_seconds", "learner.never_docks_90_days", "version.schema_migration_crash",
)  # fmt: skip


def run(plan: Plan, look: Callable[[World], None] = lambda world: None) -> tuple[list[str], str, str]:
    """(kinds and names of the faults in the trace, what is pending, digest); fails where a promise was broken."""
    with World(plan) as world:
        outcome = world.run(HANDLERS, PREPARE)
        look(world)
        kinds = ("fault", "fault_over")
        seen = [f"{one.kind} {one.fields['name']}" for one in world.trace.entries if one.kind in kinds]
        assert not outcome.failures
        assert not [box.failure for box in world.devices.values() if box.failure]
        return seen, outcome.pending, outcome.digest


def test_every_fault_of_the_catalogue_has_a_handler() -> None:
    assert sorted(HANDLERS) == sorted(CATALOGUE)
    assert [case.name for case in CASES] == list(CATALOGUE)
    for case in CASES:
        spec = CATALOGUE[case.name]
        assert set(spec.args) == set(case.args), case.name


@pytest.fixture(scope="module", autouse=True)
def only_our_own_litter() -> Iterator[None]:
    """A device collects its heap when it has taken a list: that of the whole test run is not its business."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wing_heals_from(case: Case) -> None:
    seen, pending, digest = run(case.plan)
    assert seen == [f"fault {case.name}", f"fault_over {case.name}"]
    assert pending == "" or CATALOGUE[case.name].beyond
    assert case.name not in WHOLE_DAY or run(case.plan)[2] == digest  # the others: all in one day, below


def test_many_faults_on_one_day_happen_in_the_same_way_again() -> None:
    plan = tiny([case.event for case in CASES if case.name not in WHOLE_DAY])
    seen, pending, digest = run(plan)
    assert len({one for one in seen if one.startswith("fault ")}) > 30
    assert pending == ""
    assert run(plan) == (seen, pending, digest)
