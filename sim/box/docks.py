"""Learner <-> here <-> bay: who stands in line for a dock, who is seated, and when the device is lifted again.

Learners are served in the order in which they came. One lifts the device some seconds after its page says so, or when
one has stood there long enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sim.box.devices import DeviceBox
from sim.box.hub import BayBox
from sim.box.kernel import Kernel
from sim.box.ports import DOWN, UP, Wire
from sim.box.trace import Trace


@dataclass
class Docking:
    """One visit. `id` is the event's. Times are ms of the world; `why` is how it ended."""

    id: str
    box: DeviceBox
    arrived_ms: int
    patience_ms: int
    reaction_ms: int
    stay_ms_max: int
    seated_ms: int | None = None
    settled_ms: int | None = None
    over_ms: int | None = None
    why: str = ""
    bay: BayBox | None = None
    wire: Wire | None = None
    link: dict[str, int] = field(default_factory=dict)  # what the bay's link had counted when the device was seated
    disturbed: list[str] = field(default_factory=list)  # faults that touched it

    @property
    def over(self) -> bool:
        return self.over_ms is not None


class Docks:
    """The docks of a wing, and the line before them. `on_seat(docking)` runs before the first byte moves."""

    def __init__(self, kernel: Kernel, trace: Trace, bays: list[BayBox], baud: int, hand_ms: int) -> None:
        self.bays = bays
        self.all: list[Docking] = []
        self.line: list[Docking] = []
        self.seated: dict[str, Docking] = {}  # by bay
        self.on_seat: Callable[[Docking], None] = lambda docking: None
        self.on_lift: Callable[[Docking], None] = lambda docking: None
        self._busy: dict[str, Docking] = {}  # by device: in line or seated
        self._kernel = kernel
        self._trace = trace
        self._baud = baud
        self._hand_ms = hand_ms
        self._free_at = {bay.name: 0 for bay in bays}
        self._planned: set[int] = set()  # moments at which the line is looked at

    def arrive(self, docking: Docking) -> None:
        """Somebody comes with a device."""
        if docking.box.name in self._busy:
            return  # they are here already
        self.all.append(docking)
        self._busy[docking.box.name] = docking
        self.line.append(docking)
        self._kernel.after(docking.patience_ms, lambda: self._give_up(docking))
        self.serve()

    def serve(self) -> None:
        """Seat whoever is next, as far as docks are free."""
        now = self._kernel.now
        for bay in self.bays:
            if not self.line:
                return
            if bay.dead or bay.name in self.seated:
                continue
            if self._free_at[bay.name] > now:
                self._serve_at(self._free_at[bay.name])
                continue
            self._seat(self.line.pop(0), bay)

    def _serve_at(self, at_ms: int) -> None:
        """Once at each moment: every look at the line plans the next for each dock that is not free yet."""
        if at_ms not in self._planned:
            self._planned.add(at_ms)
            self._kernel.at(at_ms, self._planned_serve)

    def _planned_serve(self) -> None:
        self._planned.discard(self._kernel.now)
        self.serve()

    def _give_up(self, docking: Docking) -> None:
        if docking in self.line:
            self.line.remove(docking)
            self._end(docking, "gave up waiting")
            self._trace.add("give_up", docking.box.name, docking=docking.id)

    def _seat(self, docking: Docking, bay: BayBox) -> None:
        now = self._kernel.now
        docking.bay, docking.seated_ms = bay, now
        docking.wire = Wire(self._kernel, docking.box.port, bay.port, self._baud)
        docking.link = bay.counters()
        self.seated[bay.name] = docking
        self._trace.add("seat", docking.box.name, docking=docking.id, bay=bay.name, waited_ms=now - docking.arrived_ms)
        docking.box.port.after_step = lambda: self._look(docking)
        self._kernel.after(docking.stay_ms_max, lambda: self.lift(docking, "stayed long enough"))
        self.on_seat(docking)
        if not docking.over:
            docking.wire.seat()

    def _look(self, docking: Docking) -> None:
        """The learner looks at the page."""
        box = docking.box
        if docking.settled_ms is None and not docking.over and box.phase == "settled" and box.can_lift:
            docking.settled_ms = self._kernel.now
            self._trace.add("settled", box.name, docking=docking.id, sent=box.sent, new=box.new)
            self._kernel.after(docking.reaction_ms, lambda: self._lift_when_told(docking))

    def _lift_when_told(self, docking: Docking) -> None:
        if docking.over:
            return
        if docking.box.can_lift:
            self.lift(docking, "the page said so")
        else:  # something new moves: the page does not say so any more
            self._kernel.after(docking.reaction_ms, lambda: self._lift_when_told(docking))

    def leave(self, docking: Docking, why: str) -> None:
        """Somebody goes, out of the line or from the dock."""
        if docking in self.line:
            self.line.remove(docking)
            self._end(docking, why)
        else:
            self.lift(docking, why)

    def lift(self, docking: Docking, why: str) -> None:
        """The device is lifted. Nothing happens when it has been before."""
        if docking.over or docking.wire is None or docking.bay is None:
            return
        wire, bay, box = docking.wire, docking.bay, docking.box
        wire.lift()
        self._end(docking, why)
        del self.seated[bay.name]
        self._free_at[bay.name] = self._kernel.now + self._hand_ms
        up, down = wire.lane(UP), wire.lane(DOWN)
        link = {name: max(0, count - docking.link.get(name, 0)) for name, count in bay.counters().items()}
        self._trace.add("lift", box.name, docking=docking.id, bay=bay.name, why=why)
        self._trace.add("wire", bay.name, docking=docking.id, up_bytes=up.carried, up_crc=up.crc,
                        down_bytes=down.carried, down_crc=down.crc, **link)  # fmt: skip
        self.on_lift(docking)
        if self.line:
            self._serve_at(self._free_at[bay.name])

    def _end(self, docking: Docking, why: str) -> None:
        docking.over_ms, docking.why = self._kernel.now, why
        for name in [name for name, one in self._busy.items() if one is docking]:
            del self._busy[name]

    def hold(self, name: str, docking: Docking) -> bool:
        """Another device is on this docking's cable until it ends; False when somebody is here with that device."""
        return self._busy.setdefault(name, docking) is docking

    def is_here(self, name: str) -> bool:
        """Whether somebody stands in line or at a dock with this device."""
        return name in self._busy

    def docking(self, id: str) -> Docking:
        """The docking of this name."""
        return next(one for one in reversed(self.all) if one.id == id)

    def of_device(self, name: str) -> Docking | None:
        """The docking that this device is seated in."""
        found = self._busy.get(name)
        return found if found is not None and found.wire is not None else None
