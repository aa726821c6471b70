"""No deaf state above the frame: whatever was said to a link or a stack, an honest peer is heard soon after.

"Soon" is virtual time. A link may be down, asking, up, busy, or at rest after a refusal; the bytes may be noise, frames
that were said before, and well-made frames that nobody meant. What comes through is only what the other end wrote.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from protocol import frame
from protocol.link import Link, packets
from protocol.stack import Stack
from sim.memory_wire import MemoryWire, Pair
from tests.fuzz.secret_targets import Wired, honest_end
from tests.fuzz.wire_targets import recorded

MARK = b"what an honest peer says " * 40
LINK_MS_MAX = 2000  # until both ends of a link hear each other, beyond a rest
STACK_MS_MAX = 30_000  # of a stack: the longest rest after refused sessions, and a stall that forged frames made
REST_MS = 2000

names = st.sampled_from([b"ourlink!\0\0", b"thepeer!\0\0", b"another!\0\1", packets.NOBODY]) | st.binary(
    min_size=10, max_size=10
)
offsets = st.integers(0, 3000) | st.integers(0, (1 << 24) - 1)
serials = st.integers(0, 20) | st.integers(0, 0xFFFF)
spans = st.lists(st.integers(1, 2000), max_size=6, unique=True).map(sorted)
forged = st.one_of(
    st.binary(max_size=40),
    st.builds(packets.data_frame, offsets, serials, st.binary(min_size=1, max_size=80), st.booleans()),
    st.builds(packets.ping_frame, serials),
    st.builds(lambda offset, newest, damage, credit, ends: packets.ack_frame(
        offset, newest, damage, credit, [(offset + low, offset + high) for low, high in zip(ends[::2], ends[1::2])]),
        offsets, serials, st.integers(0, 0xFFFF), st.sampled_from([0, 1, 5000, 1 << 22, (1 << 32) - 1]), spans),
    st.builds(packets.claim_frame, offsets, st.integers(1, 64), st.lists(st.integers(0, 0xFFFF), max_size=2)),
    st.builds(lambda offset, serial, ends: packets.refer_frame(
        offset, serial, [(offset + low, offset + high, 7) for low, high in zip(ends[::2], ends[1::2])]),
        offsets, serials, spans),
    st.builds(lambda name, peer, up, window, size: packets.Hello(name, peer, up, window, size).encode(),
              names, names, st.booleans(), st.sampled_from([256, 4096, (1 << 32) - 1]), st.sampled_from([64, 4096])),
)  # fmt: skip
RECORDED = [wire for damage in (0, 2000) for wire in recorded(6000, damage)]
said = st.one_of(
    st.binary(max_size=300),
    forged.map(frame.encode),
    st.builds(lambda wire, at, size: wire[at : at + size], st.sampled_from(RECORDED), st.integers(0, 3000),
              st.integers(1, 2000)),
)  # fmt: skip


def brought(state: str) -> tuple[Link, int]:
    """A link in this state, and the time."""
    link = Link.for_device(b"ourlink!")
    peer = Link.for_device(b"thepeer!")
    pair = Pair(link, peer, MemoryWire())
    if state == "down":
        return link, 0
    if state == "asking":
        link.to_send(0)
        link.to_send(100)
        return link, 100
    pair.run(1000, lambda: link.up and peer.up)
    if state == "busy":
        link.write(bytes(5000))
        link.to_send(pair.now)
    elif state == "resting":
        link.restart("refused", pair.now, REST_MS)
    elif state == "silent":
        pair.now += 1400
        link.tick(pair.now)
    return link, pair.now


def heard_by_both(link: Link, peer: Link, now: int, within_ms: int) -> int:
    """How long it takes until each has heard in one connection what the other says in it."""
    heard = {link: b"", peer: b""}

    def done() -> bool:
        for end in (link, peer):
            rose = False
            while (event := end.next_event()) is not None:
                rose = event[0] == "up" or rose and event[0] != "down"
                if event[0] == "up":
                    heard[end] = b""
                elif event[0] == "data":
                    heard[end] += event[-1]  # type: ignore[operator]
            if rose:
                assert end.write(MARK) == len(MARK)
        return all(text == MARK for text in heard.values())

    pair = Pair(link, peer, MemoryWire(byte_us=3), now)
    pair.run(now + within_ms, done)
    assert done(), (heard[link][:40], heard[peer][:40], link.up, peer.up)
    return pair.now - now


STATES = ("down", "asking", "up", "busy", "resting", "silent")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STATES), st.lists(st.tuples(said, st.integers(0, 400)), max_size=12))
def test_whatever_was_said_to_a_link_in_any_state_a_new_honest_peer_is_heard(
    state: str, before: list[tuple[bytes, int]]
) -> None:
    link, now = brought(state)
    for data, ms in before:
        link.receive(data, now)
        link.to_send(now)
        now += ms
        link.tick(now)
        while link.next_event() is not None:
            pass
    heard_by_both(link, Link.for_device(b"honest!!"), now, LINK_MS_MAX + REST_MS)


def test_every_frame_once_recorded_said_again_in_every_state_deafens_no_link() -> None:
    """Exhaustive over what two ends really said: each frame alone, each prefix of them, in each state."""
    for wire in RECORDED:
        pieces = [b"\0" + part + b"\0" for part in wire.split(b"\0") if part]
        for state in STATES:
            for index in range(len(pieces)):
                for data in (pieces[index], b"".join(pieces[: index + 1])):
                    link, now = brought(state)
                    link.receive(data, now)
                    while link.next_event() is not None:
                        pass
                    heard_by_both(link, Link.for_device(b"honest!!"), now, LINK_MS_MAX + REST_MS)


class StackMachine(RuleBasedStateMachine):
    """Two stacks; between them somebody who drops, repeats, forges and disturbs; ends that restart and rest."""

    @initialize()
    def start(self) -> None:
        self.wired = Wired()
        self.starts = 0

    @rule(ms=st.integers(1, 600), keep=st.sampled_from([3, 3, 3, 1, 2, 0]))
    def talk(self, ms: int, keep: int) -> None:
        self.wired.talk(ms, keep)

    @rule(side=st.integers(0, 1), data=st.binary(min_size=1, max_size=200), times=st.integers(1, 60))
    def write(self, side: int, data: bytes, times: int) -> None:
        self.wired.write(side, data * times)

    @rule(side=st.integers(0, 1), index=st.integers(0, 7), times=st.sampled_from([1, 1, 3, 70]))
    def repeat(self, side: int, index: int, times: int) -> None:
        """What an end said lately, said again to its peer or back to itself."""
        old = self.wired.wire[index & 1]
        for _ in range(times if old else 0):
            self.wired.ends[side].receive(old[index % len(old)], self.wired.now)
        self.wired.drain()

    @rule(side=st.integers(0, 1), data=said)
    def say(self, side: int, data: bytes) -> None:
        self.wired.ends[side].receive(data, self.wired.now)
        self.wired.drain()

    @rule(ms=st.sampled_from([30, 1000, 2500, 40_000]), ticked=st.booleans())
    def pass_time(self, ms: int, ticked: bool) -> None:
        """Nothing is on the wire; the programs run, or stand still."""
        if ticked:
            self.wired.talk(ms, 0)
        else:
            self.wired.now += ms

    @rule(side=st.integers(0, 1))
    def restart(self, side: int) -> None:
        """Power off and on: a new boot id, nothing remembered."""
        self.starts += 1
        wired = self.wired
        boot = b"start%03d" % self.starts
        link = Link.for_device(boot) if side == 0 else Link(boot, 4096, 4096, 512)
        ends = list(wired.ends)
        ends[side] = Stack(link, wired.makers[side])
        wired.ends = (ends[0], ends[1])
        wired.heard[side] = wired.hash[side] = b""

    @rule(side=st.integers(0, 1))
    def close(self, side: int) -> None:
        self.wired.ends[side].close("for a test", self.wired.now)
        self.wired.drain()

    def teardown(self) -> None:
        if hasattr(self, "wired"):
            honest_end(self.wired, STACK_MS_MAX)


TestStackMachine = StackMachine.TestCase
TestStackMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


@pytest.mark.soak
def test_two_stacks_find_each_other_after_ever_longer_stories() -> None:
    run_state_machine_as_test(StackMachine, settings=settings(max_examples=2000, stateful_step_count=50, deadline=None))
