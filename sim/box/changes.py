"""Plan -> here -> people and enrolment: learners come, change groups, lose devices and leave, as on any wing.

Every change is signed by two administrators. A new device is enrolled as on any wing: a window is opened on the bay
where it is docked, the digits of both screens are compared, two people sign, and somebody at the device says yes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_daemon import people
from protocol.errors import Refusal
from protocol.records.roster import Register, Roster
from sim.box import provision
from sim.box.devices import DeviceBox
from sim.box.docks import Docking
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import World

LOOK_MS = 500  # staff and learner look at their screens this often
PATIENCE_MS = 3_600_000
STAY_MS_MAX = 600_000


def roster(world: World, event: Event) -> None:
    """A learner joins or leaves a group, or a new group is made of one."""
    group, learner = str(event.args["group"]), str(event.args.get("learner", ""))

    def change(now: Roster) -> Roster:
        found = now.group(group)
        members = set() if found is None else set(found.members)
        if event.args["what"] == "leave":
            members.discard(learner)
        elif now.learner(learner) is not None:
            members.add(learner)
        return people.with_group(group, group, tuple(sorted(members)))(now)

    _sign(world, event, change)


def _sign(world: World, event: Event, change: Callable[[Roster], Roster]) -> None:
    """One administrator proposes, another countersigns."""
    first, second = world.plan.wing.administrators[:2]
    signers = world.provision.signers

    def act() -> None:
        rooms = world.hub.rooms.people
        number = rooms.propose(signers[first], change, event.id)
        rooms.countersign(number, signers[second])

    _try(world, event, act)


def _try(world: World, event: Event, act: Callable[[], None]) -> None:
    """Through the staff page, where there is a hub; a refusal is what the page would say."""
    if not world.hub.on:
        world.trace.add("staff_refused", "wing", what=event.id, refusal="NoHub")
        return

    def guarded() -> None:
        try:
            act()
        except Refusal as refusal:
            world.trace.add("staff_refused", "wing", what=event.id, refusal=refusal.name)
        except Exception as error:
            world.hub.fault("staff page", error)

    world.hub.guard(guarded)


def revoke(world: World, event: Event) -> None:
    """The device is revoked; whoever holds it cannot dock any more."""
    _revoke(world, event, world.of_learner[event.who], lambda now: now)
    world.gone.add(event.who)


def transfer(world: World, event: Event) -> None:
    """Out of every group, the device revoked: nothing of the wing reaches it any more."""

    def change(now: Roster) -> Roster:
        for group in now.groups:
            if event.who in group.members:
                rest = tuple(one for one in group.members if one != event.who)
                now = people.with_group(group.id, group.name, rest)(now)
        return now

    _revoke(world, event, world.of_learner[event.who], change)
    world.gone.add(event.who)


def _revoke(world: World, event: Event, box: DeviceBox, change: Callable[[Roster], Roster]) -> None:
    def act() -> None:
        rooms = world.hub.rooms
        rooms.wing.load()
        register: Register = provision.revoked(rooms.wing.register, box.id)
        made = provision.changed(rooms.people.roster(), register, world.hub.clock() // 1000, change)
        world.provision.put(world.hub.store, made, register)
        rooms.people.on_roster()

    _try(world, event, act)


def replace(world: World, event: Event) -> None:
    """The device is lost: it is revoked, and its learner gets another one."""
    _revoke(world, event, world.of_learner[event.who], lambda now: now)
    enrol(world, event)


def enrol(world: World, event: Event) -> None:
    """A learner gets a device and goes to a dock with it; staff are there."""
    learner = event.who
    count = sum(box.learner == learner for box in world.devices.values())
    box = world.add_device(learner + "abcdefgh"[count] if count else learner, learner)
    box.turn_on()
    world.by_id[box.id] = box
    world.gone.discard(learner)

    def welcome(now: Roster) -> Roster:
        return now if now.learner(learner) is not None else people.with_learner(learner, learner)(now)

    if world.hub.on and world.hub.rooms.wing.roster.learner(learner) is None:
        _sign(world, event, welcome)
    docking = Docking(event.id, box, world.kernel.now, PATIENCE_MS, 2000, STAY_MS_MAX)
    world.docks.arrive(docking)
    _Enrolling(world, event, docking).look()


class _Enrolling:
    """One enrolment, from the opened window to the yes at the device."""

    def __init__(self, world: World, event: Event, docking: Docking) -> None:
        self._world = world
        self._event = event
        self._docking = docking
        self._number: int | None = None
        self._shown = ""  # the digits on the staff's screen

    def look(self) -> None:
        """Do what the screens ask for now; again until the device is enrolled or lifted."""
        world, docking = self._world, self._docking
        if docking.over:
            return
        if docking.bay is not None and world.hub.on:
            _try(world, self._event, self._staff)
            self._learner()
        world.kernel.after(LOOK_MS, self.look)

    def _staff(self) -> None:
        enrolment = self._world.hub.rooms.enrolment
        first, second = self._world.plan.wing.administrators[:2]
        assert self._docking.bay is not None
        if self._number is None:
            self._number = enrolment.open_window(self._docking.bay.path, self._docking.box.learner, first)
            return
        window = enrolment.get(self._number)
        self._shown = window.digits or ""
        if window.state == "digits" and window.digits == self._docking.box.digits:
            enrolment.confirm(self._number, self._world.provision.signers[first])
        elif window.state == "confirmed":
            enrolment.countersign(self._number, self._world.provision.signers[second])

    def _learner(self) -> None:
        box = self._docking.box
        if box.digits and box.digits == self._shown:
            box.act("agree", digits=box.digits, same=True)


HANDLERS = {"roster": roster, "revoke": revoke, "transfer": transfer, "replace": replace, "enrol": enrol}
