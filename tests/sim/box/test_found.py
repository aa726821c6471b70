"""What simulated wings found in the production code: each a small plan that failed before it was mended."""

from __future__ import annotations

import dataclasses

from hub_daemon.limits import LEASE_MS_MAX
from sim.box.plan import Event
from sim.box.world import World
from tests.kits.calm_wing import HOUR_MS, calm_plan, run_plan


def test_a_reply_to_an_own_thread_that_was_rejected_comes_back_instead_of_waiting_for_ever() -> None:
    plan = calm_plan("rejected")
    first = next(one for one in plan.events if one.id == "l002.d00.write1")
    reply = Event("l002.d00.write2", first.at_ms + HOUR_MS // 2, "write", "l002",
                  {"group": "g00", "bytes": 80, "reply": True, "pick": 0})  # fmt: skip
    events = tuple(sorted((*plan.events, reply), key=lambda one: (one.at_ms, one.id)))
    plan = dataclasses.replace(plan, events=events, wing=dataclasses.replace(plan.wing, approve_p=0.0))

    def look(world: World) -> None:
        message = world.ledger.messages["l002.d00.write2"]
        assert message.parent == world.ledger.messages["l002.d00.write1"].item
        back = {row[0]: row[2] for row in world.devices["l002"].look()["returned"]}
        assert back[message.item] == "ThreadUnknown"

    outcome = run_plan(plan, after=look)
    assert (outcome.failures, outcome.pending) == ([], "")


def test_whoever_reads_an_item_for_longer_than_a_lease_keeps_it_and_decides() -> None:
    plan = calm_plan("slow readers")
    plan = dataclasses.replace(plan, wing=dataclasses.replace(plan.wing, decision_s=str(2.5 * LEASE_MS_MAX / 1000)))

    def look(world: World) -> None:
        assert world.ledger.messages["l002.d00.write1"].decision == "approve"
        assert not [entry for entry in world.trace.entries if entry.kind == "staff_refused"]

    outcome = run_plan(plan, after=look)
    assert (outcome.failures, outcome.pending) == ([], "")
