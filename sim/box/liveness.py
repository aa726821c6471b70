"""World -> here -> outcome: what has not arrived yet, in words; and while nothing is disturbed, whether all is served.

`pending` names the first thing that is still under way. `Alive` watches dockings, the line and the staff's queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_daemon.store import items, log
from sim.box.catalogue import VERBS
from sim.box.devices import DeviceBox
from sim.box.docks import Docking
from sim.box.ledger import Message
from sim.box.trace import Entry

if TYPE_CHECKING:
    from sim.box.safety_device import DeviceWatch
    from sim.box.safety_hub import Fail
    from sim.box.world import World

UNDECIDED = ("ingested", "pending", "claimed", "awaiting_second")
DECISIONS = ("approve", "return", "reject", "recall")  # after which lists are new
JOURNAL_AFTER_LIFT_MAX = 2  # what a device writes after its last word: that it was lifted, and the next seat

SESSION_MS_MAX = 3000  # L4
SERVED_MS_MAX = 30_000  # L5
ON_PAGE_MS_MAX = 5000  # L2 ...
ON_PAGE_EACH_MS = 500  # ... and for each that is before it
QUIET_AFTER_MS, QUIET_MS = 45_000, 30_000  # L7
QUIET_BYTES_A_S_MAX = 256
NEWS_MS = 1000  # what the hub said so shortly before a lift may still have been on its way
HUB_FAULTS = ("hub", "broker", "disk", "power", "wire")


def pending(world: World) -> str:
    """The first thing that is still under way, as a reason; "" when everything that should arrive has."""
    with world.hub.store.read() as tx:
        for state in UNDECIDED:
            for item in items.in_state(tx, state, 1):
                return f"{world.ledger.name(item.id)} is {state} at the hub"
    decided_ms = next((one.at_ms for one in reversed(world.trace.entries) if one.kind in DECISIONS), -1)
    seated_ms = {one.box.name: one.seated_ms for one in world.docks.all if one.seated_ms is not None}
    for learner, box in world.of_learner.items():
        if learner in world.gone:
            continue
        if seated_ms.get(box.name, -1) < decided_ms:
            return f"{box.name}: has not docked since the last decision"
        if reason := _of_device(box, world):
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


def _beyond(invariant: str, words: str) -> None:
    """Nothing: in a run beyond the promise only safety is judged."""


class Alive:
    """Told of every entry of the trace and every row of the hub's log.

    Nothing is disturbed in a plan without faults and attacks, and in every plan once it is healed.
    """

    def __init__(self, world: World, devices: DeviceWatch, fail: Fail) -> None:
        self.world = world
        self.devices = devices
        self._fail = fail if world.plan.promise == "full" else _beyond
        self._calm = all(event.do in VERBS for event in world.plan.events)
        self._calm_since = 0
        self._up: dict[str, int] = {}  # docking -> when its session stood
        self._hub_on = 0
        self._wrong_at = -1  # when something last went wrong at the hub
        self._wrong: set[tuple[str, str]] = set()
        self._taken: dict[bytes, tuple[int, int]] = {}  # items that are not on the page -> when, how many before it

    # what happens

    def entry(self, entry: Entry) -> None:
        """An entry of the trace."""
        kind, now = entry.kind, entry.at_ms
        if kind == "seat":
            self._seated(self.world.docks.seated[str(entry.fields["bay"])])
        elif kind == "up":
            docking = self.world.docks.seated.get(entry.who)
            if docking is not None and docking.id not in self._up and docking.box.name == entry.fields["device"]:
                self._up[docking.id] = now
                self._session(docking, now)
        elif kind == "lift":
            docking = self.world.docks.docking(str(entry.fields["docking"]))
            if docking.id not in self._up:
                self._session(docking, now)
            self._lifted(docking)
        elif kind == "give_up" and self.world.healed:
            self._fail("L6", f"{entry.who} gave up waiting at {entry.fields['docking']}, with everything healed")
        elif kind in ("fault", "fault_over"):
            self._fault(entry)
        elif kind == "healed":
            self._calm, self._calm_since = True, now

    def _fault(self, entry: Entry) -> None:
        name = str(entry.fields.get("name", ""))
        if name.partition(".")[0] in HUB_FAULTS:
            self._wrong_at = entry.at_ms
            (self._wrong.add if entry.kind == "fault" else self._wrong.discard)((name, entry.who))

    def hub_started(self) -> None:
        self._hub_on = self.world.kernel.now
        self._taken.clear()

    def _seated(self, docking: Docking) -> None:
        for other in self.world.docks.line:
            if other.arrived_ms < docking.arrived_ms:
                self._fail("L6", f"{docking.id} was seated before {other.id}, which came earlier")

    def _undisturbed(self, docking: Docking) -> bool:
        start = docking.seated_ms or 0
        return self._calm and start >= self._calm_since and not docking.disturbed and self._hub_on <= start

    def _enrolled(self, docking: Docking) -> bool:
        box = docking.box
        return box.learner not in self.world.gone and "keys/enrolment" in box.flash.files

    def _session(self, docking: Docking, now: int) -> None:
        """It came up now, or is lifted without."""
        start = docking.seated_ms or 0
        if not self._enrolled(docking) or (docking.bay is not None and docking.bay.dead) or not self.world.hub.on:
            return
        if self._undisturbed(docking):
            if now - start > SESSION_MS_MAX:
                self._fail("L4", f"{docking.id}: {now - start} ms after its seat without a session")
        elif self._hub_on > start and not docking.disturbed and not self._wrong and self._wrong_at <= self._hub_on:
            if now - self._hub_on > SERVED_MS_MAX:
                self._fail("L5", f"{docking.id}: {now - self._hub_on} ms after the hub's start without a session")

    def _lifted(self, docking: Docking) -> None:
        """Settled and undisturbed: what should move has moved."""
        if docking.settled_ms is None or docking.why != "the page said so" or not self._undisturbed(docking):
            return
        box, start = docking.box, docking.seated_ms or 0
        kept = self.devices.of(box)
        for message in kept.saved[-2 * len(kept.waiting) - 1 :] if kept.waiting else ():
            if message.item in kept.waiting and message.saved_ms < start and not self._has_to_wait(message, docking):
                self._fail("L1", f"{message.id} is still in the outbox after {docking.id}")
        hub = self.devices.hub
        listed, said_ms = hub.lists.get(kept.id, {}), hub.list_ms.get(kept.id, 0)
        if said_ms < self.world.kernel.now - NEWS_MS:
            for item in listed:
                if "inbox/" + item.hex() not in box.flash.files:
                    self._fail("L3", f"{self.world.ledger.name(item)} is on the list, and not there after {docking.id}")

    def _has_to_wait(self, message: Message, docking: Docking) -> bool:
        """The day's number is reached; or it answers an own message that was not decided when the device came."""
        parent = None if message.parent is None else self.world.ledger.by_item.get(message.parent)
        if parent is not None and parent.device == message.device:
            if parent.decided_ms is None or parent.decided_ms >= (docking.seated_ms or 0):
                return True
        return self.devices.hub.full_today(self.devices.of(docking.box).id.hex())

    def row(self, entry: log.Entry) -> None:
        """A row of the hub's log."""
        if entry.item is None:
            return
        now = self.world.kernel.now
        if entry.action == "custody":
            self._taken[entry.item] = (now, len(self._taken))
        elif entry.action == "pending" or (entry.action == "refused" and entry.actor == "hub"):
            since, before = self._taken.pop(entry.item, (now, 0))
            late = now - since > ON_PAGE_MS_MAX + ON_PAGE_EACH_MS * before
            if late and self._calm and since >= self._calm_since:
                self._fail("L2", f"{self.world.ledger.name(entry.item)} was {now - since} ms on its way to the page")

    # the end

    def quiet(self) -> None:
        """Seat as many devices as there are docks, and let nothing happen."""
        world = self.world
        there = [box for learner, box in world.of_learner.items() if learner not in world.gone][: len(world.docks.bays)]
        day = 24 * 3_600_000
        for box in there:
            docking = Docking(f"{box.name}.quiet", box, world.kernel.now, day, day, 2 * (QUIET_AFTER_MS + QUIET_MS))
            world.docks.arrive(docking)
        world.kernel.run(world.kernel.now + QUIET_AFTER_MS)
        before = self._written()
        wires = [one.wire for one in world.docks.seated.values() if one.wire is not None]
        moved = [wire.up.carried + wire.down.carried for wire in wires]
        world.kernel.run(world.kernel.now + QUIET_MS)
        if self._written() != before:
            self._fail("L7", f"with nothing new, (rows, operations on storage) went from {before} to {self._written()}")
        for wire, at in zip(wires, moved):
            rate = (wire.up.carried + wire.down.carried - at) * 1000 // QUIET_MS
            if rate > QUIET_BYTES_A_S_MAX:
                self._fail("L7", f"with nothing new, {rate} bytes a second cross a wire")

    def _written(self) -> tuple[int, int]:
        with self.world.hub.store.read() as tx:
            rows = log.size(tx)
        return rows, sum(box.flash.operations for box in self.world.devices.values())
