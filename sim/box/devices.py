"""Learner -> here -> port: the devices of a wing, their power, their flash and their clocks.

A device without power has only its flash. Turned on, it is a `DeviceCore`: in this process, or in a process of its own
(sim/box/lockstep.py). Whatever it writes is shown to the observers as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from protocol import cbor, crypto
from protocol.records import signing
from sim.box.device_core import DeviceCore
from sim.box.flash import Flash, PowerCut
from sim.box.kernel import START_S, Kernel
from sim.box.ports import Port, Step
from sim.box.streams import entropy

OnChange = Callable[["DeviceBox", tuple[Any, ...]], None]


class Core(Protocol):
    """A DeviceCore, here or elsewhere."""

    def step(self, now: int, clock_s: int, pieces: list[bytes], room_bytes: int) -> list[Any]: ...
    def status(self) -> list[Any]: ...
    def restart(self) -> None: ...
    def act(self, clock_s: int, name: str, values: dict[str, Any]) -> dict[str, Any]: ...
    def close(self) -> None: ...


class MakeCore(Protocol):
    """How a device is turned on: from its flash, with the entropy of `actor` in the run of `seed`."""

    def __call__(self, flash: Flash, seed: str, actor: str, clock_s: int) -> Core: ...


def in_this_process(flash: Flash, seed: str, actor: str, clock_s: int) -> Core:
    return DeviceCore(flash, entropy(seed, actor), clock_s)


class DeviceBox:
    """One device. `name` is its own ("l007", or "l007b" for the next one of that learner).

    `on_change(box, change)` is told of every change of the flash; `on_off(box)` when its power is gone, whyever, and
    `on_lost_power(box)` when a cut that was armed came.
    """

    def __init__(
        self,
        name: str,
        learner: str,
        kernel: Kernel,
        seed: str,
        make_core: MakeCore = in_this_process,
    ) -> None:
        self.name = name
        self.learner = learner
        self.boots = 0
        self.wipes = 0
        self.flash = Flash()
        self.core: Core | None = None
        self.on_change: OnChange = lambda box, change: None
        self.on_lost_power: Callable[[DeviceBox], None] = lambda box: None
        self.on_off: Callable[[DeviceBox], None] = lambda box: None
        self.clock_ahead_s = 0  # of the hub's clock
        self.clock_drift_ppm = 0
        self.flat = False  # no power to be had
        self.ticks: Callable[[int], int] = lambda now: now  # ms of the device's own counter
        self.watchers: list[Callable[[], None]] = []  # called after each piece of its work
        self.busy_ms = 0  # virtual time that the device's own work takes in each turn, as on a slow board
        self.failure = ""  # a mistake of ours that ended the device's program
        self.phase, self.can_lift, self.sent, self.new, self.digits, self.refused = "", True, 0, 0, "", ""
        self._kernel = kernel
        self._seed = seed
        self.make_core = make_core  # how it is turned on the next time
        self._linked = False
        self._busy_until = 0
        self.port = Port(kernel, self)

    # power

    @property
    def on(self) -> bool:
        return self.core is not None

    def turn_on(self) -> None:
        """Start from the flash alone."""
        if self.core is None and not self.flat:
            self._guarded(self._start)
            self.port.wake(self._kernel.now)

    def _start(self) -> None:
        self.boots += 1  # each start draws other keys: no nonce comes back with an old flash
        self.core = self.make_core(self.flash, self._seed, f"{self.name}/boot{self.boots}", self.clock_s())
        self._note(self.core.status())

    def turn_off(self, keep_unsynced: bool | int = True) -> None:
        """The power goes, between two calls."""
        self.close()
        self._linked = False
        self.phase, self.can_lift, self.digits = "", True, ""
        self.flash = self.flash.survivors(keep_unsynced)
        self.on_off(self)

    def wipe(self) -> None:
        """Everything that it has is erased; it starts as from the factory."""
        self.wipes += 1
        for name in sorted([*self.flash.files, *self.flash.blobs]):
            self.flash.remove(name)
        self._tell()
        self.turn_off()
        self.turn_on()

    def busy(self, ms: int) -> None:
        """The work that it does now takes so long: what it says and hears waits."""
        self._busy_until = max(self._busy_until, self._kernel.now + ms)
        if self.port.lane is not None:
            self.port.lane.stall(self._busy_until)

    def close(self) -> None:
        """Whatever runs the device ends with it."""
        if self.core is not None:
            self.core.close()
            self.core = None

    @property
    def id(self) -> bytes:
        """The device's id (8 bytes), of the keys that its flash has; b"" before its first start."""
        stored = self.flash.read("keys/device")
        if stored is None:
            return b""
        return signing.key_id(crypto.default().public_key(cbor.loads(stored)[0]))

    def clock_s(self) -> int:
        """Unix seconds, as this device believes."""
        drift = self._kernel.now * self.clock_drift_ppm // 1_000_000_000
        return START_S + self._kernel.now // 1000 + drift + self.clock_ahead_s

    # the wire

    @property
    def linked(self) -> bool:
        return self._linked

    def step(self, now: int, pieces: list[bytes], room_bytes: int) -> Step:
        if self.core is None:
            return Step([], None, False)
        if now < self._busy_until:
            # it is still at its work: what comes waits in the port
            for piece in pieces:
                self.port.arrive(self._busy_until, piece)
            return Step([], self._busy_until, False)
        self._busy_until = now + self.busy_ms
        made: list[Any] = []
        ticks = self.ticks(now)
        self._guarded(lambda: made.extend(self._core().step(ticks, self.clock_s(), pieces, room_bytes)))
        if not made:
            return Step([], None, False)
        out, deadline, more, status = made
        self._note(status)
        return Step(out, deadline if deadline is None else now + deadline - ticks, more)

    def _core(self) -> Core:
        assert self.core is not None
        return self.core

    def _note(self, status: list[Any]) -> None:
        self._linked, self.phase, self.can_lift, self.sent, self.new, self.digits, self.refused = status

    # the learner

    def act(self, name: str, **values: Any) -> dict[str, Any]:
        """What the device answers; {"refused": ...} also where it has no power or lost it meanwhile."""
        if self.core is None:
            return {"refused": "NoPower"}
        answer: dict[str, Any] = {}
        self._guarded(lambda: answer.update(self._core().act(self.clock_s(), name, values)))
        if self.core is None:
            return {"refused": "PowerLost"}
        self.port.wake(self._kernel.now)
        return answer

    def look(self) -> dict[str, Any]:
        """Everything that the device shows and holds back; see DeviceCore."""
        if self.core is None:
            return {"refused": "NoPower"}
        seen: dict[str, Any] = {}
        self._guarded(lambda: seen.update(self._core().act(self.clock_s(), "look", {})))
        return seen or {"refused": "PowerLost"}

    def _guarded(self, call: Callable[[], object]) -> None:
        """Run something of the device; a power cut inside takes its power, anything else is a failure of ours."""
        try:
            call()
        except PowerCut:
            self._tell()
            keep = self.flash.keep_unsynced
            self.turn_off(keep)
            self.on_lost_power(self)
            return
        except OSError as error:  # a full or worn card, where firmware/main.py would end the docking and go on
            self.refused = f"{type(error).__name__}: {error.errno}"
            if self.core is not None:
                self.core.restart()
                self._note(self.core.status())
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        self._tell()

    def _tell(self) -> None:
        for change in self.flash.take_changes():
            self.on_change(self, change)
        for watcher in list(self.watchers):
            watcher()
