"""Faults of the wire: what happens to one docking between the two ports, at a byte of it or all along.

Each of these is called when its docking is seated, before the first byte moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.devices import DeviceBox
from sim.box.docks import Docking
from sim.box.faults import damage
from sim.box.faults.fault import Call, Fault, seated
from sim.box.kernel import Kernel
from sim.box.plan import Event
from sim.box.ports import DOWN, UP, Change, Lane, Wire
from sim.box.streams import stream

if TYPE_CHECKING:
    from sim.box.world import World

Arrive = Callable[[int, bytes], None]
Deliver = Callable[[Arrive, int, bytes], None]

RECORDED_BYTES_MAX = 20_000  # of a device's last docking, in each direction


class _Cable:
    """The docking that a fault meets. Whatever is asked for here happens only while the device stands there."""

    def __init__(self, fault: Fault, docking: Docking) -> None:
        assert docking.wire is not None
        self.fault = fault
        self.docking = docking
        self.wire = docking.wire
        self.lanes = (self.wire.up, self.wire.down)

        def lifted(other: Docking) -> None:
            if other is docking:
                fault.end()

        fault.world.on_lift.append(lifted)
        fault.on_end(lambda: fault.world.on_lift.remove(lifted))

    @property
    def kernel(self) -> Kernel:
        return self.fault.world.kernel

    @property
    def there(self) -> bool:
        """Whether this is still the docking's wire."""
        return not self.fault.over and not self.docking.over and self.docking.wire is self.wire

    def begin(self) -> None:
        if not self.fault.begun and not self.fault.over:
            self.docking.disturbed.append(self.fault.event.do)
        self.fault.begin()

    def at_byte(self, call: Callable[[Lane, int], None]) -> None:
        """When the byte of the event goes on the wire in its direction: its lane, and when it will have arrived."""
        lane = self.wire.lane(str(self.fault.event.args["direction"]))
        lane.when(self.fault.whole("byte"), lambda at_ms: call(lane, at_ms) if self.there else None)

    def lift(self) -> None:
        """Pull it; it is put back when the fault ends, if not before."""
        self.wire.lift()
        self.fault.on_end(self.seat)

    def seat(self) -> None:
        if not self.docking.over and self.docking.wire is self.wire and not self.wire.seated:
            for lane in self.lanes:
                lane.open = True
            self.wire.seat()

    def later(self, ms: int, call: Call) -> None:
        self.kernel.after(ms, lambda: call() if self.there else None)

    def damaging(self, make: Callable[[Lane], Change]) -> None:
        """Damage both lanes as long as the fault lasts; it begins with the first byte that it changes."""
        for lane in self.lanes:
            lane.change = self.also(lane.change, make(lane))

    def also(self, before: Change | None, change: Change) -> Change:
        def both(data: bytes) -> bytes:
            if before is not None:
                data = before(data)
            if self.fault.over or not data:
                return data
            changed = change(data)
            if changed != data:
                self.begin()
            return changed

        return both

    def delivering(self, deliver: Deliver) -> None:
        """Deliver what arrives at both ends by `deliver(to the port, at, bytes)`."""
        for lane in self.lanes:
            lane.deliver = self._instead(lane.deliver, deliver)

    def _instead(self, before: Arrive, deliver: Deliver) -> Arrive:
        def arrive(at_ms: int, data: bytes) -> None:
            if self.fault.over:
                before(at_ms, data)
            else:
                self.begin()
                deliver(before, at_ms, data)

        return arrive


def _on_cable(act: Callable[[_Cable], None]) -> Callable[[World, Event], None]:
    """A handler, of what is done to a docking that has just been seated."""

    def handler(world: World, event: Event) -> None:
        fault = Fault(world, event)
        docking = seated(fault)
        if docking is None:
            fault.end()
            return
        act(_Cable(fault, docking))

    return handler


# contacts


def _yank(cable: _Cable) -> None:
    """Lifted when the byte has arrived; seated again after a while, in the same dock."""

    def lift() -> None:
        cable.lift()
        cable.later(cable.fault.whole("away_ms"), cable.fault.end)

    def cut(lane: Lane, at_ms: int) -> None:
        cable.begin()
        lane.open = False
        cable.later(at_ms - cable.kernel.now, lift)

    cable.at_byte(cut)


def _half_open(cable: _Cable) -> None:
    def shut(lane: Lane, at_ms: int) -> None:
        cable.begin()
        lane.open = False
        cable.fault.on_end(lambda: setattr(lane, "open", True))
        cable.fault.after(cable.fault.whole("ms"), cable.fault.end)

    cable.at_byte(shut)


def _bounce(cable: _Cable) -> None:
    """The contact chatters as the device is put down."""
    gap_ms = cable.fault.whole("gap_ms")

    def lift() -> None:
        cable.begin()
        cable.lift()
        cable.later(gap_ms, again)

    def again() -> None:
        left[0] -= 1
        if left[0]:
            cable.seat()
            cable.later(gap_ms, lift)
        else:
            cable.fault.end()

    left = [cable.fault.whole("times")]
    cable.later(gap_ms, lift)


def _stall(cable: _Cable) -> None:
    def pause(lane: Lane, at_ms: int) -> None:
        cable.begin()
        ms = cable.fault.whole("ms")
        lane.stall(cable.kernel.now + ms)
        cable.fault.after(ms, cable.fault.end)

    cable.at_byte(pause)


def _swap_devices(cable: _Cable) -> None:
    """The cable goes to another learner's device, and stays there until the visit is over."""
    world, docking = cable.fault.world, cable.docking

    def swap() -> None:
        free = [box for box in world.of_learner.values() if box.on and _may_hold(world, box, docking)]
        if not free:
            cable.fault.end()
            return
        other = free[cable.fault.whole("pick") % len(free)]
        world.docks.hold(other.name, docking)
        cable.begin()
        cable.wire.lift()
        assert docking.bay is not None
        docking.wire = Wire(cable.kernel, other.port, docking.bay.port, world.plan.wing.baud)
        docking.wire.seat()

    def cut(lane: Lane, at_ms: int) -> None:
        lane.open = False
        cable.fault.on_end(lambda: setattr(lane, "open", True))
        cable.later(at_ms - cable.kernel.now, swap)

    cable.at_byte(cut)


def _may_hold(world: World, box: DeviceBox, docking: Docking) -> bool:
    return box is not docking.box and not world.docks.is_here(box.name)


# bytes


def _burst_error(cable: _Cable) -> None:
    def spoil(lane: Lane, at_ms: int) -> None:
        left = [cable.fault.whole("bytes")]

        def change(data: bytes) -> bytes:
            count = min(left[0], len(data))
            left[0] -= count
            cable.begin()
            if not left[0]:
                cable.fault.end()
            return damage.garbled(data[:count]) + data[count:]

        lane.change = cable.also(lane.change, change)

    cable.at_byte(spoil)


def _now_and_then(
    cable: _Cable, argument: str, act: Callable[[bytes, list[int]], bytes], units_a_byte: int = 1
) -> None:
    """`act(bytes, places)` on the pieces in which places are met, one in so many on average."""

    def make(lane: Lane) -> Change:
        way = UP if lane is cable.wire.up else DOWN
        draw = stream(cable.fault.world.plan.seed, cable.fault.event.id, way)
        places = damage.Places(draw, cable.fault.whole(argument))

        def change(data: bytes) -> bytes:
            met = places.within(len(data) * units_a_byte)
            return act(data, met) if met else data

        return change

    cable.damaging(make)


def _bit_flip(cable: _Cable) -> None:
    _now_and_then(cable, "one_in_bits", damage.flipped, 8)


def _byte_drop(cable: _Cable) -> None:
    _now_and_then(cable, "one_in_bytes", damage.dropped)


def _byte_insert(cable: _Cable) -> None:
    _now_and_then(cable, "one_in_bytes", damage.inserted)


def _duplicate_read(cable: _Cable) -> None:
    every = cable.fault.whole("one_in_reads")

    def make(lane: Lane) -> Change:
        read = [0]

        def change(data: bytes) -> bytes:
            read[0] += 1
            return data + data if read[0] % every == 0 else data

        return change

    cable.damaging(make)


def _wrong_baud(cable: _Cable) -> None:
    """The two ends sample at different speeds, and then somebody sets it right."""
    cable.damaging(lambda lane: damage.sampled_slower)
    cable.fault.after(cable.fault.whole("ms"), cable.fault.end)


def _trickle(cable: _Cable) -> None:
    size = cable.fault.whole("bytes")

    def deliver(arrive: Arrive, at_ms: int, data: bytes) -> None:
        for at in range(0, len(data), size):
            arrive(at_ms, data[at : at + size])

    cable.delivering(deliver)


def _glue(cable: _Cable) -> None:
    """A port that hands on what came only now and then, in one piece."""
    ms = cable.fault.whole("ms")
    waiting: dict[tuple[Arrive, int], bytearray] = {}

    def deliver(arrive: Arrive, at_ms: int, data: bytes) -> None:
        out_ms = -(-at_ms // ms) * ms
        if (arrive, out_ms) not in waiting:
            waiting[arrive, out_ms] = bytearray()
            cable.kernel.at(out_ms, lambda: hand_on(arrive, out_ms))
        waiting[arrive, out_ms] += data

    def hand_on(arrive: Arrive, out_ms: int) -> None:
        data = bytes(waiting.pop((arrive, out_ms)))
        if cable.wire.seated:
            arrive(out_ms, data)

    cable.delivering(deliver)


def _noise_before_sync(cable: _Cable) -> None:
    cable.begin()
    for lane, way in zip(cable.lanes, (UP, DOWN)):
        draw = stream(cable.fault.world.plan.seed, cable.fault.event.id, way)
        lane.put(draw.randbytes(cable.fault.whole("bytes")), cable.kernel.now)
    cable.fault.end()


def record_sessions(world: World, event: Event) -> None:
    """Keep the beginning of what each device last said on a wire: what is replayed must have been said before."""
    if world.recorded is not None:
        return
    recorded: dict[str, tuple[bytes, bytes]] = {}
    world.recorded = recorded

    def seated(docking: Docking) -> None:
        assert docking.wire is not None
        heard = (bytearray(), bytearray())
        for lane, kept in zip((docking.wire.up, docking.wire.down), heard):
            lane.watch = _keeping(lane.watch, kept)

        def lifted(other: Docking) -> None:
            if other is docking:
                world.on_lift.remove(lifted)
                recorded[docking.box.name] = (bytes(heard[0]), bytes(heard[1]))

        world.on_lift.append(lifted)

    world.on_seat.append(seated)


def _keeping(before: Callable[[bytes], None] | None, kept: bytearray) -> Callable[[bytes], None]:
    def watch(data: bytes) -> None:
        if before is not None:
            before(data)
        kept.extend(data[: RECORDED_BYTES_MAX - len(kept)])

    return watch


def _replay_old_session(cable: _Cable) -> None:
    heard = (cable.fault.world.recorded or {}).get(cable.docking.box.name)
    if heard is None or not heard[0]:
        cable.fault.end()
        return
    cable.begin()
    for lane, data in zip(cable.lanes, heard):
        lane.put(data[: cable.fault.whole("bytes")], cable.kernel.now)
    cable.fault.end()


HANDLERS = {
    "wire.yank": _on_cable(_yank),
    "wire.half_open": _on_cable(_half_open),
    "wire.bit_flip": _on_cable(_bit_flip),
    "wire.burst_error": _on_cable(_burst_error),
    "wire.byte_drop": _on_cable(_byte_drop),
    "wire.byte_insert": _on_cable(_byte_insert),
    "wire.duplicate_read": _on_cable(_duplicate_read),
    "wire.trickle": _on_cable(_trickle),
    "wire.glue": _on_cable(_glue),
    "wire.stall": _on_cable(_stall),
    "wire.wrong_baud": _on_cable(_wrong_baud),
    "wire.swap_devices": _on_cable(_swap_devices),
    "wire.bounce": _on_cable(_bounce),
    "wire.noise_before_sync": _on_cable(_noise_before_sync),
    "wire.replay_old_session": _on_cable(_replay_old_session),
}
