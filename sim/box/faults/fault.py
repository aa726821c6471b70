"""Plan -> here -> world: one fault from the moment it is asked for until it is over, healed at the latest.

It says that it began when it has really touched something, and not before: who counts faults counts the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.devices import DeviceBox
    from sim.box.docks import Docking
    from sim.box.world import World

Call = Callable[[], None]


class Fault:
    """`begin()` when it bites, `end()` when it is over: once each, in whatever state the world is.

    What is given to `on_end` is undone then, the last thing first, whether the fault has begun or not.
    """

    def __init__(self, world: World, event: Event) -> None:
        self.world = world
        self.event = event
        self.begun = False
        self.over = False
        self._undo: list[Call] = []
        world.healing.append(self.end)

    def whole(self, name: str) -> int:
        """An argument that is a whole number."""
        return int(self.event.args[name])

    def begin(self) -> None:
        """Something was touched."""
        if not self.begun and not self.over:
            self.begun = True
            self.world.trace.add("fault", self.event.who, name=self.event.do, event=self.event.id, **self.event.args)

    def on_end(self, undo: Call) -> None:
        self._undo.append(undo)

    def end(self) -> None:
        if self.over:
            return
        self.over = True
        while self._undo:
            self._undo.pop()()
        if self.begun:
            self.world.trace.add("fault_over", self.event.who, name=self.event.do, event=self.event.id)

    def once(self) -> None:
        """All of it has happened."""
        self.begin()
        self.end()

    def after(self, ms: int, call: Call) -> None:
        """Make this call so much later, unless the fault is over by then."""
        self.world.kernel.after(ms, lambda: None if self.over else call())

    def listen(self, listeners: list[Call], call: Call) -> None:
        """Be called with these listeners, until the fault is over."""
        listeners.append(call)
        self.on_end(lambda: listeners.remove(call))


def device(fault: Fault) -> DeviceBox | None:
    """The device of the learner whom the fault meets, where there is one."""
    return fault.world.of_learner.get(fault.event.who)


def seated(fault: Fault) -> Docking | None:
    """The docking that the fault meets: that of its event, or the one of its learner that begins now."""
    who = fault.event.who
    for docking in fault.world.docks.seated.values():
        if who in (docking.id, docking.box.learner):
            return docking
    return None
