"""Plan -> here -> trace: one whole wing in one process, from its first morning until everything has arrived.

    run       the plan's days, with its faults and attackers
    heal      every fault ends
    settle    learners dock in turns, staff work, until nothing is pending; what still is names itself

Everything below is production code driven by its own calls: devices, bays, exchange, moderation, media, SQLite. The
world reads no clock, opens no socket and draws every random number from a stream with a name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_daemon.store import log
from protocol.records.roster import Device
from sim.box import changes, learners, liveness
from sim.box.catalogue import ATTACKS, CATALOGUE
from sim.box.devices import DeviceBox, MakeCore, in_this_process
from sim.box.docks import Docking, Docks
from sim.box.hub import HubBox
from sim.box.kernel import DAY_MS, HOUR_MS, Kernel
from sim.box.ledger import Ledger
from sim.box.plan import Event, Plan
from sim.box.provision import Provision
from sim.box.staff import Officer
from sim.box.streams import entropy
from sim.box.trace import Trace

MEMORY = Path("/dev/shm")  # a disk without a disk: what a power cut leaves is sim/box/disk.py's to say
SETTLE_ROUND_MS = 2 * HOUR_MS
PARTNER = "b"  # an attacker has a second pair of hands: x00 and x00b

Handler = Callable[["World", Event], None]


@dataclass
class Outcome:
    """How a run ended. `failures` are (invariant, words); `pending` is what never arrived, "" when everything did."""

    digest: str
    semantic: str
    failures: list[tuple[str, str]] = field(default_factory=list)
    pending: str = ""

    @property
    def ok(self) -> bool:
        return not self.failures


class World:
    """One run of `plan`. Close it, or use it as a context: its hub's disk is a directory in memory."""

    def __init__(self, plan: Plan, make_core: MakeCore = in_this_process) -> None:
        self.plan = plan
        self.kernel = Kernel()
        self.trace = Trace(lambda: self.kernel.now)
        self.ledger = Ledger()
        self.failures: list[tuple[str, str]] = []
        self.healing: list[Callable[[], None]] = []  # what ends each fault that is on
        self.on_change: list[Callable[[DeviceBox, tuple[Any, ...]], None]] = []
        self.on_off: list[Callable[[DeviceBox], None]] = []  # a device has lost its power, however it did
        self.on_row: list[Callable[[log.Entry], None]] = []
        self.on_event: list[Callable[[], None]] = []
        self.on_seat: list[Callable[[Docking], None]] = []
        self.on_lift: list[Callable[[Docking], None]] = []
        self.on_docked: list[Callable[[DeviceBox], None]] = []  # the hub knows that it is there
        self.on_device_off: list[Callable[[DeviceBox], None]] = []  # by a cut in the middle of its work
        self.on_hub_off: list[Callable[[], None]] = []
        self.healed = False
        self.outcome: Outcome | None = None  # once the run has come to its end
        self._at_docking: dict[str, list[Callable[[], None]]] = {}  # faults, by docking or learner, to begin there
        self.recorded: dict[str, tuple[bytes, bytes]] | None = None  # by device: what went up and down the last time
        self.said_lists: Mapping[bytes, Sequence[bytes]] | None = None  # by device: what it was sent, for attackers
        self.copies: list[tuple[int, dict[str, bytes]]] | None = None  # (when, files) of the hub's disk
        self.kept_away: dict[str, int] = {}  # learners who do not dock, with how many reasons
        self.gone: set[str] = set()  # learners whose device is revoked; nothing is expected of them
        self.devices: dict[str, DeviceBox] = {}  # by device name
        self.of_learner: dict[str, DeviceBox] = {}  # the device that each learner holds now
        self.by_id: dict[bytes, DeviceBox] = {}
        self.hostile: dict[str, DeviceBox] = {}  # what attackers have in their hands, by its name
        self.hostile_by_id: dict[bytes, DeviceBox] = {}
        self.make_core = make_core
        self.directory = Path(tempfile.mkdtemp(prefix="perch-wing-", dir=MEMORY if MEMORY.is_dir() else None))
        self.provision = Provision(plan.wing, plan.seed)
        self.hub = HubBox(
            self.kernel, self.directory, self.provision.keys, plan.wing.name,
            [f"bay{number}" for number in range(plan.wing.docks)],
            lambda actor: entropy(plan.seed, "hub/" + actor), plan.wing.envelopes_per_day_max,
        )  # fmt: skip
        bays = list(self.hub.bays.values())
        self.docks = Docks(self.kernel, self.trace, bays, plan.wing.baud, plan.wing.hand_ms)
        self.officers = {person: Officer(self, person) for person in plan.wing.moderators}
        self._connect()
        self._begin()

    # the first morning

    def _connect(self) -> None:
        """Whatever the hub says goes into the trace."""
        self.hub.report = self._report
        self.hub.on_row = self._row
        self.hub.on_docked = self._docked
        self.hub.on_lifted = lambda bay, device, reason: None
        self.hub.on_commit = lambda: None
        self.hub.on_lost_power = self._hub_lost_power
        self.docks.on_seat = self._seated
        self.docks.on_lift = self._lifted

    def _begin(self) -> None:
        for learner in self.plan.wing.learners:
            self.add_device(learner, learner)
        enrolled = []
        for attacker, kind in self.plan.wing.attackers.items():
            for name in (attacker, attacker + PARTNER):
                self.hostile[name] = DeviceBox(name, name, self.kernel, self.plan.seed)
                if ATTACKS[kind].enrolled:
                    enrolled.append(self.hostile[name])
        with self.hub.disk.mounted():
            store = self.hub.disk.open_store()
            self.provision.first_roster(list(self.devices.values()), store, enrolled)
            store.close()
        self.hub.turn_on()
        for box in self.devices.values():
            box.turn_on()
            self.by_id[box.id] = box
        self.hostile_by_id = {box.id: box for box in enrolled}

    def add_device(self, name: str, learner: str) -> DeviceBox:
        """A device that nobody has turned on yet, for this learner."""
        box = DeviceBox(name, learner, self.kernel, self.plan.seed, self.make_core)
        box.on_change = self._changed
        box.on_off = self._went_off
        box.on_lost_power = self._device_lost_power
        self.devices[name] = box
        self.of_learner[learner] = box
        return box

    def close(self) -> None:
        for box in (*self.devices.values(), *self.hostile.values()):
            box.close()
        self.hub.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    # the run

    def run(
        self, handlers: Mapping[str, Handler] | None = None, prepare: Mapping[str, Handler] | None = None
    ) -> Outcome:
        """The whole plan, then heal and settle. `handlers` are those of faults and attacks; `prepare` has what some of
        them need from the first instant on."""
        known = {**learners.HANDLERS, **changes.HANDLERS, "shift": _shift, "recall": _recall, **(handlers or {})}
        for event in self.plan.events:
            if prepare and event.do in prepare:
                prepare[event.do](self, event)
            at_docking = event.do in CATALOGUE and CATALOGUE[event.do].target == "docking"
            if at_docking and event.who not in self.of_learner:
                self._at_docking.setdefault(event.who, []).append(self._making(event, known[event.do]))
            elif at_docking:
                self.kernel.at(event.at_ms, self._waiting(event, known[event.do]))
            else:
                self.kernel.at(event.at_ms, self._making(event, known[event.do]))
        self.kernel.run(self.plan.days * DAY_MS)
        self.heal()
        pending = self._settle()
        if pending and self.plan.promise == "full":
            self.fail("L1", pending)
        self.outcome = Outcome(self.trace.digest(), self.trace.semantic_digest(), self.failures, pending)
        return self.outcome

    def _making(self, event: Event, handler: Handler) -> Callable[[], None]:
        return lambda: handler(self, event)

    def _waiting(self, event: Event, handler: Handler) -> Callable[[], None]:
        """For this learner's next docking."""
        return lambda: self._at_docking.setdefault(event.who, []).append(self._making(event, handler))

    def heal(self) -> None:
        """Every fault that is on ends, whatever order they came in."""
        self.healed = True
        while self.healing:
            self.healing.pop()()
        if not self.hub.on:
            self.hub.turn_on()
        for box in self.devices.values():
            box.turn_on()
        self.trace.add("healed", "wing")

    def _settle(self) -> str:
        """Rounds of dockings and staff at work, until nothing is pending or the time is over."""
        end = self.kernel.now + self.plan.settle_ms
        round_number = 0
        while self.kernel.now < end:
            for officer in self.officers.values():
                officer.shift(end)
            self.kernel.run(self.kernel.now + SETTLE_ROUND_MS // 4)
            learners.dock_everybody(self, round_number)
            self.kernel.run(self.kernel.now + SETTLE_ROUND_MS * 3 // 4)
            round_number += 1
            if not (pending := liveness.pending(self)):
                break
        self.trace.add("settled_wing", "wing", rounds=round_number, pending=pending)
        return pending

    def fail(self, invariant: str, words: str) -> None:
        """A promise was broken."""
        self.failures.append((invariant, words))
        self.trace.add("failure", "wing", invariant=invariant, words=words)

    # what happens

    def _report(self, what: str, words: str) -> None:
        self.trace.add("report", "hub", what=what, words=words.replace(str(self.directory), ""))

    def _row(self, entry: log.Entry) -> None:
        actor = entry.actor
        if actor.startswith("device:"):
            device = bytes.fromhex(actor[7:])
            box = self.by_id.get(device) or self.hostile_by_id.get(device)
            actor = box.name if box is not None else actor
        fields: dict[str, Any] = {} if entry.item is None else {"item": self.ledger.name(entry.item)}
        if entry.action not in ("docked", "custody", "dealt", "read"):
            fields["detail"] = entry.detail
        self.ledger.note(entry.action, entry.item, entry.detail, self.kernel.now)
        self.trace.add(entry.action.replace(" ", "_"), actor, **fields)
        for told in self.on_row:
            told(entry)

    def _docked(self, bay: str, device: Device, resumed: bool) -> None:
        box = self.by_id.get(device.id) or self.hostile_by_id.get(device.id)
        self.trace.add("up", bay, device=device.id.hex() if box is None else box.name, resumed=resumed)
        if box is not None:
            for told in list(self.on_docked):
                told(box)

    def _changed(self, box: DeviceBox, change: tuple[Any, ...]) -> None:
        for told in self.on_change:
            told(box, change)

    def _seated(self, docking: Docking) -> None:
        for who in (docking.id, docking.box.learner):
            for make in self._at_docking.pop(who, ()):
                make()
        for told in list(self.on_seat):
            told(docking)

    def _lifted(self, docking: Docking) -> None:
        for told in list(self.on_lift):
            told(docking)

    def _went_off(self, box: DeviceBox) -> None:
        for told in self.on_off:
            told(box)

    def _device_lost_power(self, box: DeviceBox) -> None:
        self.trace.add("device_off", box.name)
        for told in list(self.on_device_off):
            told(box)

    def _hub_lost_power(self) -> None:
        self.trace.add("hub_off", "hub")
        for told in list(self.on_hub_off):
            told()


def _shift(world: World, event: Event) -> None:
    world.officers[event.who].shift(int(event.args["until_ms"]))


def _recall(world: World, event: Event) -> None:
    approved = [one for one in world.ledger.messages.values() if one.decision == "approve"]
    if approved:
        message = approved[int(event.args["pick"]) % len(approved)]
        world.officers[event.who].recall(message.item)
