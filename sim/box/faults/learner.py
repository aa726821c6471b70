"""Faults of learners: they write in bursts, go away, come for two seconds, hand the device on, or never dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box import changes, learners
from sim.box.faults.fault import Fault, device, seated
from sim.box.plan import Event, Value

if TYPE_CHECKING:
    from sim.box.world import World


def _group_of(world: World, learner: str) -> str:
    """A group that the learner is in on the first day; "" for none."""
    for group, members in world.plan.wing.groups.items():
        if learner in members:
            return group
    return ""


def _writes_bursts(world: World, event: Event) -> None:
    fault = Fault(world, event)
    box, group = device(fault), _group_of(world, event.who)
    if box is None or not box.on or not group:
        fault.end()
        return
    fault.begin()
    for number in range(fault.whole("posts")):
        args: dict[str, Value] = {"group": group, "bytes": fault.whole("bytes"), "reply": False, "pick": 0}
        learners.write(world, Event(f"{event.id}.post{number}", event.at_ms, "write", event.who, args))
    fault.end()


def _leaves(world: World, event: Event, wiped: bool) -> None:
    fault = Fault(world, event)
    box = device(fault)
    if box is None or not world.hub.on or event.who in world.gone:
        fault.end()
        return
    fault.begin()
    if wiped:
        changes.revoke(world, event)
        box.wipe()
    else:
        changes.transfer(world, event)
    fault.end()


def _transfers_wing(world: World, event: Event) -> None:
    _leaves(world, event, False)


def _released(world: World, event: Event) -> None:
    _leaves(world, event, True)


def _shares_device(world: World, event: Event) -> None:
    """Another learner has the device for a while: reads what is new there, and writes in its owner's name."""
    fault = Fault(world, event)
    box, group = device(fault), _group_of(world, event.who)
    others = [one for one in world.plan.wing.learners if one != event.who]
    if box is None or not box.on or not group or not others:
        fault.end()
        return
    fault.begin()
    guest = others[fault.whole("pick") % len(others)]
    learners.read(world, Event(f"{event.id}.read", event.at_ms, "read", event.who))
    args: dict[str, Value] = {"group": group, "bytes": 60, "reply": True, "pick": fault.whole("pick")}
    learners.write(world, Event(f"{event.id}.by.{guest}", event.at_ms, "write", event.who, args))
    fault.end()


def _docks_for_two_seconds(world: World, event: Event) -> None:
    fault = Fault(world, event)
    docking = seated(fault)
    if docking is None:
        fault.end()
        return

    def lift() -> None:
        if not docking.over:
            docking.disturbed.append(event.do)
            fault.begin()
            world.docks.lift(docking, "was in a hurry")
        fault.end()

    fault.after(fault.whole("ms"), lift)


def _never_docks_90_days(world: World, event: Event) -> None:
    fault = Fault(world, event)
    if device(fault) is None:
        fault.end()
        return

    def back() -> None:
        world.kept_away[event.who] -= 1

    fault.begin()
    world.kept_away[event.who] = world.kept_away.get(event.who, 0) + 1
    fault.on_end(back)


HANDLERS = {
    "learner.writes_bursts": _writes_bursts,
    "learner.transfers_wing": _transfers_wing,
    "learner.released": _released,
    "learner.shares_device": _shares_device,
    "learner.docks_for_two_seconds": _docks_for_two_seconds,
    "learner.never_docks_90_days": _never_docks_90_days,
}
