"""Plan -> here -> docks, hub: one attack from the moment it is asked for until it is over, or the wing is healed.

It says "attack" when something of it has really happened and not before, and "attack_over" with what came of it: the
names of the refusals that it met, in the hub's log and in its reports about the bay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hub_daemon.store import DatabaseError
from sim.box.devices import DeviceBox, MakeCore
from sim.box.docks import Docking
from sim.box.plan import Event
from sim.box.streams import entropy, stream
from sim.box.trace import Scalar
from sim.box.world import PARTNER

if TYPE_CHECKING:
    from sim.box.world import World

PATIENCE_MS = 20 * 60_000  # they stand in line like everybody
STAY_MS = 8_000  # at a dock


class Attack:
    """One attempt. `start` is called at the event's time; everything that it waits for is over at the healing.

    `random` and `entropy` are the attacker's own.
    """

    reported: tuple[str, ...] = ("refused",)  # what the hub reports of a bay by a refusal's name

    def __init__(self, world: World, event: Event) -> None:
        self.world = world
        self.event = event
        self.name = event.who
        self.random = stream(world.plan.seed, event.who, event.id)
        self.entropy = entropy(world.plan.seed, f"{event.who}/{event.id}")
        self.begun = False
        self.over = False
        self.bays: list[str] = []  # where it was seated
        self._since = len(world.trace.entries)
        self._visits: list[Visit] = []
        world.healing.append(self.leave)

    def start(self) -> None:
        """Whatever this kind does."""
        raise NotImplementedError

    @property
    def box(self) -> DeviceBox:
        return self.world.hostile[self.name]

    @property
    def partner(self) -> DeviceBox:
        return self.world.hostile[self.name + PARTNER]

    def whole(self, name: str) -> int:
        """An argument that is a whole number."""
        return int(self.event.args[name])

    def begin(self) -> None:
        """Something of it has reached somebody."""
        if not self.begun and not self.over:
            self.begun = True
            self.world.trace.add("attack", self.name, event=self.event.id, **self.event.args)

    def end(self, **came: Scalar) -> None:
        """It is over; `came` is what else came of it."""
        if self.over:
            return
        self.over = True
        for visit in self._visits:
            self.world.kernel.after(0, visit.docking.box.turn_off)
        if self.begun:
            refusals = " ".join(self.refusals())
            self.world.trace.add("attack_over", self.name, event=self.event.id, refusals=refusals, **came)

    def leave(self) -> None:
        """They are told to go."""
        self.end()
        for visit in self._visits:
            self.world.docks.leave(visit.docking, "was told to leave")

    def refusals(self) -> list[str]:
        """The names that the hub has said since the beginning, of this attacker's devices and bays; each once."""
        found = set()
        for entry in self.world.trace.entries[self._since :]:
            words = str(entry.fields.get("detail", entry.fields.get("words", "")))
            if entry.kind == "refused" and entry.who in (self.name, self.name + PARTNER):
                found.add(words.split(": ")[1] if ": " in words else words)
            elif entry.kind == "report" and entry.fields["what"] in self.reported:
                bay, _, rest = words.partition(": ")
                if bay in self.bays:
                    found.add(rest.partition(":")[0])
        return sorted(found)

    def stored(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the hub's database, as somebody has copied it; none while there is no hub."""
        if not self.world.hub.on:
            return []
        try:
            with self.world.hub.store.read() as tx:
                return [tuple(row) for row in tx.execute(sql, values).fetchall()]
        except DatabaseError:
            return []

    def after(self, ms: int, call: Callable[[], None]) -> None:
        """Make this call so much later, unless it is all over by then."""
        self.world.kernel.after(ms, lambda: None if self.over else call())

    def visit(
        self, box: DeviceBox, make_core: MakeCore, seated: Callable[[Docking], None] = lambda docking: None,
        lifted: Callable[[Docking], None] | None = None, stay_ms: int = STAY_MS, reaction_ms: int = 2_000,
    ) -> None:  # fmt: skip
        """Go to a dock with this device, turned on anew with that core.

        `lifted` is called afterwards (without it the attack is over then), and never when no dock was to be had.
        """
        if self.world.docks.is_here(box.name):
            self.end()
            return
        if box.on:
            box.turn_off()
        box.make_core = make_core
        box.turn_on()
        count = len(self._visits)
        name = f"{self.event.id}.{count}" if count else self.event.id
        docking = Docking(name, box, self.world.kernel.now, PATIENCE_MS, reaction_ms, stay_ms)
        self._visits.append(Visit(self, docking, seated, lifted or (lambda docking: self.end())))
        self.world.docks.arrive(docking)


class Visit:
    """One docking of an attack."""

    def __init__(
        self, attack: Attack, docking: Docking, seated: Callable[[Docking], None], lifted: Callable[[Docking], None]
    ) -> None:
        self.docking = docking
        self._attack = attack
        self._seated = seated
        self._lifted = lifted
        attack.world.on_seat.append(self._on_seat)
        attack.world.on_lift.append(self._on_lift)
        attack.world.kernel.after(docking.patience_ms + 1, self._gave_up)

    def _on_seat(self, docking: Docking) -> None:
        if docking is self.docking:
            assert docking.bay is not None
            self._attack.world.on_seat.remove(self._on_seat)
            self._attack.bays.append(docking.bay.name)
            self._seated(docking)

    def _on_lift(self, docking: Docking) -> None:
        if docking is self.docking:
            self._attack.world.on_lift.remove(self._on_lift)
            if not self._attack.over:
                self._lifted(docking)

    def _gave_up(self) -> None:
        if self.docking.seated_ms is None:
            self._attack.world.on_seat.remove(self._on_seat)
            self._attack.world.on_lift.remove(self._on_lift)
            self._attack.end()


def pick_of(found: Iterable[str], pick: int) -> str:
    """One of these names; "" for none."""
    names = list(found)
    return names[pick % len(names)] if names else ""
