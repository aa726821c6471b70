"""World -> here -> outcome: everything that a run is held to, put together and connected to what happens in it.

    watch(world)      before it runs: from now on every change is judged
    Watch.end()       after it has run: hub, devices and oracle must agree

docs/invariants.md says what each promise is; what breaks one is told to World.fail with its name and the moment.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ParamSpec

from hub_daemon.store import log
from sim.box.devices import DeviceBox
from sim.box.kernel import DAY_MS
from sim.box.liveness import Alive
from sim.box.oracle import Oracle
from sim.box.safety_device import DeviceWatch
from sim.box.safety_hub import HubWatch
from sim.box.safety_screens import ScreenWatch
from sim.box.safety_secrets import Canaries, Nonces
from sim.box.trace import Entry

if TYPE_CHECKING:
    from sim.box.world import World

P = ParamSpec("P")

FAILURES_MAX = 20  # of one promise: the first ones say it
OLD_COPY = "disk.stale_copy_restored"
EDITS = ("malice.edited_database", OLD_COPY)  # after them what the hub stores is somebody else's
ROT = ("flash.bit_rot",)


class Watch:
    """The judges of one run. `secrets` looks also at every byte on the wires and at every sealing (S10, S11)."""

    def __init__(self, world: World, secrets: bool = False) -> None:
        self.world = world
        self.oracle = Oracle(world.plan.wing.name, world.provision.keys.x25519)
        self.hub = HubWatch(world, self.oracle, self.fail)
        self.devices = DeviceWatch(world, self.hub, self.fail)
        self.screens = ScreenWatch(world, self.devices, self.fail)
        self.alive = Alive(world, self.devices, self.fail)
        self.canaries = Canaries(world, self.fail) if secrets else None
        self._said: dict[str, set[str]] = {}
        self._open = ExitStack()
        if secrets:
            self._open.enter_context(Nonces(self.fail).watching())
        self.hub.learn_rosters()
        for box in world.devices.values():
            self.devices.begin(box)
        self._connect()

    def _connect(self) -> None:
        world, hub = self.world, self.world.hub
        world.on_change.append(self._change)
        world.on_off.append(self.devices.went_off)
        world.on_row.append(self._row)
        world.trace.listeners.append(self._entry)
        hub.on_commit = both(hub.on_commit, self.hub.commit)
        hub.on_start = both(hub.on_start, self._started)
        hub.on_say = both(hub.on_say, self.hub.said)

    def _honest(self, box: DeviceBox) -> bool:
        return box.learner not in self.world.plan.wing.attackers

    def _change(self, box: DeviceBox, change: tuple[Any, ...]) -> None:
        if self._honest(box):
            self.devices.change(box, change)
            if self.canaries is not None:
                self.canaries.change(box, change)

    def _row(self, entry: log.Entry) -> None:
        self.hub.row(entry)
        self.alive.row(entry)
        if entry.action == "received" and entry.item is not None:
            self.devices.received(entry.actor[7:], entry.item)
        if self.canaries is not None:
            self.canaries.row(entry)

    def _started(self) -> None:
        self.hub.started()
        self.alive.hub_started()

    def _entry(self, entry: Entry) -> None:
        if entry.kind == "failure":
            return
        if entry.kind == "saved":
            self.devices.saved(self.world.ledger.messages[str(entry.fields["item"])])
        elif entry.kind == "read_by":
            self.screens.read(self.world.devices[entry.who])
        elif entry.kind == "report" and self.canaries is not None:
            self.canaries.look(str(entry.fields["words"]).encode(), "a report of the hub")
        if str(entry.fields.get({"fault": "name", "attack": "kind"}.get(entry.kind, ""), "")) in EDITS:
            self.hub.lenient = True
            if entry.fields.get("name") == OLD_COPY:
                self._old_copy()
        elif entry.kind == "fault" and str(entry.fields.get("name", "")) in ROT:
            box = self.world.devices.get(entry.who) or self.world.of_learner.get(entry.who)
            if box is not None:
                self.devices.of(box).rotten = True
        self.alive.entry(entry)

    def _old_copy(self) -> None:
        """The hub is an old copy of itself: it has forgotten what was recalled since, and may list it again."""
        oracle = self.oracle
        for said in oracle.once.values():
            if oracle.state.get(said.item) == "recalled":
                oracle.state[said.item], oracle.in_force[said.item] = "approved", said
                for learner in said.learners:
                    oracle.of_learner.setdefault(learner, set()).add(said.item)

    def end(self) -> None:
        """The run is over: everything is compared. Once more things happen: devices are seated in silence."""
        whole = self.world.plan.promise == "full" and not self.world.failures
        if self.world.hub.on:
            if whole:
                self.alive.quiet()
            self.hub.settled()
            self.devices.settled()
            self.screens.settled(whole)
        self._open.close()

    def forget(self) -> None:
        """What was said may be said again."""
        self._said.clear()

    def fail(self, invariant: str, words: str) -> None:
        """A promise is broken: said once, with the moment."""
        said = self._said.setdefault(invariant, set())
        if words not in said and len(said) < FAILURES_MAX:
            said.add(words)
            self.world.fail(invariant, f"{moment(self.world.kernel.now)}: {words}")


def both(first: Callable[P, None], then: Callable[P, None]) -> Callable[P, None]:
    """Whoever listened before, and then this."""

    def told(*args: P.args, **more: P.kwargs) -> None:
        first(*args, **more)
        then(*args, **more)

    return told


def moment(at_ms: int) -> str:
    """ "day 3 12:10:05.250": days count from 0, as in plans."""
    day, rest = divmod(at_ms, DAY_MS)
    second, ms = divmod(rest, 1000)
    return f"day {day} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{ms:03d}"


def watch(world: World, secrets: bool = False) -> Watch:
    """Judge this world from now on, before anything has happened in it."""
    return Watch(world, secrets)
