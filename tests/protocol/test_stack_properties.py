"""Link and session together, whatever is lost, restarted or played back: they come up, and say what was said."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from protocol.link import Link
from protocol.noise import public_of
from protocol.session import Session
from protocol.stack import Stack
from sim.memory_wire import Lcg, MemoryWire, Pair

HUB = bytes(range(1, 33))
DEVICE = bytes(range(101, 133))
HUB_PUBLIC = public_of(HUB)


def device_stack(boot: int, pattern: str = "IK") -> Stack:
    random = Lcg(100 + boot).bytes
    remote = HUB_PUBLIC if pattern == "IK" else None
    return Stack(Link(b"dev-%04d" % boot), lambda: Session(True, DEVICE, random, pattern, remote))


def hub_stack(boot: int) -> Stack:
    random = Lcg(7000 + boot).bytes
    return Stack(Link(b"hub-%04d" % boot), lambda: Session(False, HUB, random))


def test_whichever_of_the_first_bursts_are_lost_both_ends_come_up_with_one_session() -> None:
    """Exhaustive over a bounded model: every pattern of loss of the first eight bursts on the wire, both patterns."""
    for number in range(1 << 9):
        lost, pattern = number >> 1, ("IK", "XX")[number & 1]
        ends = [device_stack(1, pattern), hub_stack(1)]
        got = [b"", b""]
        wrote = [False, False]
        burst = 0
        now = 0
        while now < 5000 and got != [b"from 1", b"from 0"]:
            for index, end in enumerate(ends):
                data = end.to_send(now)
                if data:
                    burst += 1
                    if burst > 8 or not lost >> (burst - 1) & 1:
                        ends[1 - index].receive(data, now)
                if end.up and not wrote[index]:
                    wrote[index] = end.write(b"from %d" % index) == 6
                while (event := end.next_event()) is not None:
                    assert event[0] != "down", (lost, pattern, event)
                    if event[0] == "data":
                        got[index] += event[1]  # type: ignore[operator]
            now += 5
        assert now < 5000, (lost, pattern, got)


class StackMachine(RuleBasedStateMachine):
    """A device and a hub on one wire; either is restarted, the wire is lifted, and its past is played back."""

    @initialize(seed=st.integers(1, 1000), flip=st.sampled_from([0, 4000, 30000]), delay=st.sampled_from([0, 9]))
    def start(self, seed: int, flip: int, delay: int) -> None:
        self.boots = 1
        self.past: list[tuple[int, bytes]] = []
        self.wire = MemoryWire(seed, flip, 0, delay, byte_us=3)
        self.pair = Pair(self.recorded(device_stack(1), 0), self.recorded(hub_stack(1), 1), self.wire)

    def recorded(self, stack: Stack, which: int) -> Stack:
        """The stack; what it sends is kept for who would play it back."""
        plain = stack.to_send

        def to_send(now: int) -> bytes:
            data = plain(now)
            if data:
                self.past.append((which, data))
            return data

        stack.to_send = to_send  # type: ignore[method-assign]
        return stack

    def pump(self) -> bool:
        for end in (self.pair.a, self.pair.b):
            while (event := end.next_event()) is not None:  # type: ignore[attr-defined]
                # whatever the session hands out was sealed by the other end: nothing else has the keys
                if event[0] == "data":
                    assert event[1].startswith(b"said"), event
                if event[0] == "up":
                    assert event[2] in (HUB_PUBLIC, public_of(DEVICE))
        return False

    @rule(which=st.booleans())
    def write(self, which: bool) -> None:
        (self.pair.a if which else self.pair.b).write(b"said")  # type: ignore[attr-defined]
        self.pair.run(self.pair.now + 1, self.pump)

    @rule(ms=st.integers(1, 400))
    def run(self, ms: int) -> None:
        self.pair.run(self.pair.now + ms, self.pump)

    @rule(ms=st.sampled_from([10, 200, 2500]))
    def lift(self, ms: int) -> None:
        self.wire.lift()
        self.pair.run(self.pair.now + ms, self.pump)
        self.wire.seat()

    @rule(which=st.booleans())
    def restart(self, which: bool) -> None:
        self.boots += 1
        if which:
            self.pair.a = self.recorded(device_stack(self.boots), 0)
        else:
            self.pair.b = self.recorded(hub_stack(self.boots), 1)

    @rule(at=st.integers(0, 10000), count=st.integers(1, 5), other_way=st.booleans())
    def play_back(self, at: int, count: int, other_way: bool) -> None:
        """Old bytes once more, to whom they were for, or back to who said them."""
        for which, data in self.past[at % max(1, len(self.past)) :][:count]:
            target = self.pair.b if (which == 0) != other_way else self.pair.a
            target.receive(data, self.pair.now)
            self.pump()

    @rule(noise=st.binary(max_size=300), which=st.booleans())
    def disturb(self, noise: bytes, which: bool) -> None:
        (self.pair.a if which else self.pair.b).receive(noise, self.pair.now)
        self.pump()

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        end = self.pair.now + 30000
        marks = [b"said at the end, by the device", b"said at the end, by the hub"]
        ends = [self.pair.a, self.pair.b]
        got = [b"", b""]
        wrote = [False, False]

        def settled() -> bool:
            for index, one in enumerate(ends):
                if one.up and not wrote[index]:  # type: ignore[attr-defined]
                    wrote[index] = one.write(marks[index]) > 0  # type: ignore[attr-defined]
                while (event := one.next_event()) is not None:  # type: ignore[attr-defined]
                    if event[0] == "down":
                        wrote[index], got[index] = False, b""
                    elif event[0] == "data":
                        got[index] = (got[index] + event[1])[-100:]
            return marks[1] in got[0] and marks[0] in got[1]

        self.pair.run(end, settled)
        assert settled(), (got, wrote)


TestStackMachine = StackMachine.TestCase
TestStackMachine.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
