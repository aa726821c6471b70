"""The line at the docks costs as much as its people, however many docks there are and however long it stands."""

from __future__ import annotations

from dataclasses import replace

from sim.bench_lockstep import plan_of
from sim.box.plan import Event
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
