"""World -> here -> outcome: after everything has healed, what has not arrived yet, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_daemon.store import items
from sim.box.devices import DeviceBox

if TYPE_CHECKING:
    from sim.box.world import World

UNDECIDED = ("ingested", "pending", "claimed", "awaiting_second")


def pending(world: World) -> str:
    """The first thing that is still under way, as a reason; "" when everything that should arrive has."""
    with world.hub.store.read() as tx:
        for state in UNDECIDED:
            for item in items.in_state(tx, state, 1):
                return f"{world.ledger.name(item.id)} is {state} at the hub"
    for learner, box in world.of_learner.items():
        if learner not in world.gone and (reason := _of_device(box, world)):
            return f"{box.name}: {reason}"
    return ""


def _of_device(box: DeviceBox, world: World) -> str:
    if world.docks.of_device(box.name) is not None:
        return "is docked"
    seen = box.look()
    if "refused" in seen:
        return f"says {seen['refused']}"
    if not seen["enrolled"]:
        return "is not enrolled"
    if seen["unsent"]:
        return f"{world.ledger.name(seen['unsent'][0])} waits in the outbox"
    if seen["missing"]:
        return f"{seen['missing']} things of its list are not there"
    if seen["journal"] > JOURNAL_AFTER_LIFT_MAX:
        return f"{seen['journal']} journal entries wait"
    return ""


JOURNAL_AFTER_LIFT_MAX = 2  # what a device writes after its last word: that it was lifted, and the next seat
