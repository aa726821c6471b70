"""Docks and their wires: a line of people costs what its people cost, a line of bytes takes the time of its bytes."""

from __future__ import annotations

from dataclasses import replace

from sim.bench_lockstep import plan_of
from sim.box.devices import DeviceBox
from sim.box.kernel import Kernel
from sim.box.plan import Event
from sim.box.ports import PIECE_MS_MAX, Lane
from sim.box.world import World

ROUNDS, EVERY_MS = 6, 12_000
CALLS_A_DOCKING_MAX = 200


def test_a_line_before_many_docks_makes_calls_in_proportion_to_its_people() -> None:
    """Twelve learners come back again and again, so that there are always some waiting while docks change hands."""
    plan = plan_of(12)
    first = [event for event in plan.events if event.do == "dock"]
    again = [replace(event, id=f"{event.who}.d00.dock{turn}", at_ms=event.at_ms + turn * EVERY_MS)
             for turn in range(ROUNDS) for event in first]  # fmt: skip
    events: tuple[Event, ...] = tuple(sorted(again, key=lambda event: (event.at_ms, event.id)))
    with World(replace(plan, wing=replace(plan.wing, docks=5), events=events)) as world:

        def bounded() -> None:
            assert world.kernel.calls < CALLS_A_DOCKING_MAX * (1 + len(world.docks.all))

        world.kernel.between = bounded
        assert not world.run().pending
        assert len(world.docks.all) > 2 * len(first)


def test_a_long_burst_comes_out_of_a_slow_line_as_time_goes_on_and_not_all_at_its_end() -> None:
    came: list[tuple[int, bytes]] = []
    lane = Lane(DeviceBox("l000", "l000", Kernel(), "1").port, 19200)
    lane.deliver = lambda at_ms, data: came.append((at_ms, data))
    burst = bytes(range(256)) * 32
    lane.put(burst, 0)
    times = [at_ms for at_ms, _ in came]
    assert b"".join(data for _, data in came) == burst
    assert times[-1] == -(-len(burst) * 10 * 1000 // 19200)
    assert all(later - sooner <= PIECE_MS_MAX + 1 for sooner, later in zip([0, *times], times))
