"""The link under hypothesis: whatever happens to the wire and the ends, the stream stays a prefix, then whole."""

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocol import frame
from protocol.limits import LINK_RANGES_MAX, LINK_WINDOW_BYTES
from protocol.link import Link, packets
from sim.memory_wire import Lcg, MemoryWire, Pair


class LinkMachine(RuleBasedStateMachine):
    """Two ends, one wire that is lifted, damaged and late; an end may be restarted."""

    @initialize(seed=st.integers(1, 1000), flip=st.sampled_from([0, 3000, 20000]),
                lose=st.sampled_from([0, 2000]), delay=st.sampled_from([0, 7, 40]), small=st.booleans())
    def start(self, seed: int, flip: int, lose: int, delay: int, small: bool) -> None:
        self.random = Lcg(seed)
        self.wire = MemoryWire(seed, flip, lose, delay, byte_us=3)
        self.small = small
        self.boots = 0
        self.sent = {"a": bytearray(), "b": bytearray()}
        self.got = {"a": bytearray(), "b": bytearray()}
        self.pair = Pair(self.new_end(), self.new_end(), self.wire)

    def new_end(self) -> Link:
        self.boots += 1
        boot_id = b"boot%04d" % self.boots
        return Link.for_device(boot_id) if self.small else Link(boot_id)

    def collect(self) -> bool:
        for name, end in (("a", self.pair.a), ("b", self.pair.b)):
            assert isinstance(end, Link)
            event = end.next_event()
            while event is not None:
                if event[0] == "data":
                    self.got[name] += event[-1]  # type: ignore[arg-type]
                elif event[0] == "up":
                    # a new connection: both directions begin anew as seen from this end
                    self.got[name] = bytearray()
                    self.sent[name] = bytearray()
                else:
                    self.sent[name] = bytearray()
                event = end.next_event()
        return False

    def both_up(self) -> bool:
        return self.pair.a.up and self.pair.b.up  # type: ignore[attr-defined]

    @rule(which=st.sampled_from("ab"), size=st.integers(1, 9000))
    def write(self, which: str, size: int) -> None:
        end = self.pair.a if which == "a" else self.pair.b
        data = self.random.bytes(size)
        taken = end.write(data)  # type: ignore[attr-defined]
        assert taken <= size
        self.sent[which] += data[:taken]

    @rule(ms=st.integers(1, 400))
    def run(self, ms: int) -> None:
        self.pair.run(self.pair.now + ms, self.collect)

    @rule(ms=st.sampled_from([10, 200, 2500]))
    def lift(self, ms: int) -> None:
        self.wire.lift()
        self.pair.run(self.pair.now + ms, self.collect)
        self.wire.seat()

    @rule(which=st.sampled_from("ab"))
    def restart(self, which: str) -> None:
        if which == "a":
            self.pair.a = self.new_end()
        else:
            self.pair.b = self.new_end()
        self.sent[which] = bytearray()
        self.got[which] = bytearray()

    @rule(which=st.sampled_from("ab"), noise=st.binary(max_size=200))
    def disturb(self, which: str, noise: bytes) -> None:
        (self.pair.a if which == "a" else self.pair.b).receive(noise, self.pair.now)

    @rule(which=st.sampled_from("ab"), rest_ms=st.sampled_from([0, 250, 2000]))
    def rest(self, which: str, rest_ms: int) -> None:
        end = self.pair.a if which == "a" else self.pair.b
        assert isinstance(end, Link)
        self.collect()
        end.restart("for a test", self.pair.now, rest_ms)
        self.collect()

    @rule(which=st.sampled_from("ab"))
    def nudge(self, which: str) -> None:
        (self.pair.a if which == "a" else self.pair.b).nudge(self.pair.now)  # type: ignore[attr-defined]

    @rule(ms=st.sampled_from([100, 2000, 100_000]))
    def sleep(self, ms: int) -> None:
        """Both programs stand still; the bytes on the wire wait."""
        self.pair.now += ms

    @invariant()
    def what_came_is_what_was_sent(self) -> None:
        if not hasattr(self, "pair") or not self.both_up():
            return
        a, b = self.pair.a, self.pair.b
        assert isinstance(a, Link) and isinstance(b, Link)
        if a._peer != b._name() or b._peer != a._name() or a._events or b._events:
            return  # one end does not know yet that the connection is another one
        for name, other in (("a", "b"), ("b", "a")):
            assert self.sent[other].startswith(self.got[name])

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        end = self.pair.now + 20000
        self.pair.run(end, lambda: (self.collect() or self.both_up()) and self.settled())
        assert self.both_up()
        assert self.got["b"] == self.sent["a"] and self.got["a"] == self.sent["b"]
        assert self.pair.a.counters["refused"] == 0  # type: ignore[attr-defined]

    def settled(self) -> bool:
        return self.got["b"] == self.sent["a"] and self.got["a"] == self.sent["b"]


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def pair_up() -> tuple[Link, Link]:
    a, b = Link(b"a" * 8), Link(b"b" * 8)
    Pair(a, b, MemoryWire()).run(100, lambda: a.up and b.up)
    assert a.next_event() == b.next_event() == ("up",)
    return a, b


hostile = st.one_of(
    st.binary(max_size=60),
    st.builds(
        packets.data_frame, st.integers(0, 1 << 24), st.integers(0, 65535), st.binary(max_size=90), st.booleans()
    ),
    st.builds(packets.ping_frame, st.integers(0, 65535)),
    st.builds(
        lambda offset, checks, short: packets.claim_frame(offset, 64 * len(checks) - short, checks),
        st.integers(0, 6000) | st.integers(0, 1 << 24), st.lists(st.integers(0, 65535), min_size=1, max_size=66),
        st.integers(0, 63),
    ),
    st.builds(
        lambda offset, serial, runs:
            packets.refer_frame(0, serial, [(a, a + n, crc) for a, n, crc in runs])[:1]
            + offset.to_bytes(3, "big") + packets.refer_frame(0, serial, [(a, a + n, crc) for a, n, crc in runs])[4:],
        st.integers(0, 6000) | st.integers(0, (1 << 24) - 1), st.integers(0, 65535),
        st.lists(st.tuples(st.integers(0, 30000), st.integers(0, 30000), st.integers(0, (1 << 32) - 1)), max_size=40),
    ),
    st.builds(
        lambda offset, newest, damage, credit, ranges:
            packets.ack_frame(offset, newest, damage, credit, [])
            + b"".join(r.to_bytes(6, "big") for r in ranges),
        st.integers(0, 1 << 24) | st.integers(0, 6000), st.integers(0, 65535) | st.integers(0, 5),
        st.integers(0, 65535), st.integers(0, (1 << 32) - 1),
        st.lists(st.integers(0, (1 << 48) - 1) | st.integers(1, 300).map(lambda n: n << 24 | n), max_size=40),
    ),
    st.builds(
        lambda name, peer, up, window, size, low, high: packets.Hello(name, peer, up, window, size, low, high).encode(),
        st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10), st.booleans(),
        st.integers(0, (1 << 32) - 1), st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255),
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(hostile, st.integers(0, 500)), max_size=30), st.booleans())
def test_a_hostile_peer_costs_bounded_memory_and_never_an_exception(
    frames: list[tuple[bytes, int]], writing: bool
) -> None:
    a, _ = pair_up()
    now = 200
    for payload, ms in frames:
        now += ms
        if writing:
            a.write(bytes(5000))
        a.receive(frame.encode(payload), now)
        assert len(a.to_send(now)) < 3 * 8192
        assert len(a._receiver.ranges) <= LINK_RANGES_MAX
        assert a._sender.written - a._sender.acked <= LINK_WINDOW_BYTES
        assert len(a._sender.flight) <= 2048
        assert a._sender.acked <= a._sender.fresh <= a._sender.written
        assert a._receiver.contiguous - a._receiver.taken <= LINK_WINDOW_BYTES


def test_a_peer_that_never_acks_is_given_up_by_name() -> None:
    a, _ = pair_up()
    a.write(bytes(20000))
    now = 200
    heard = packets.ack_frame(0, -1, 0, 65536, [])
    while a.up and now < 60000:
        now += 100
        a.receive(frame.encode(heard), now)
        a.to_send(now)
    assert a.next_event() == ("down", "peer does not ack")
    assert 30000 <= now <= 31000


def test_a_peer_that_acks_the_future_or_exceeds_its_credit_is_counted_then_reset_by_name() -> None:
    a, _ = pair_up()
    bad = [
        packets.ack_frame(1000, -1, 0, 65536, []),
        packets.ack_frame(0, 5, 0, 65536, []),
        packets.ack_frame(0, -1, 0, 65536, [(10, 20)]),
        packets.data_frame(LINK_WINDOW_BYTES, 0, b"x", False),
        packets.data_frame(1 << 23, 0, b"x", False),
        b"\x09",
        b"\x01",
        b"\x04\x00",
        b"",
    ]
    for payload in bad:
        before = a.counters["refused"]
        a.receive(frame.encode(payload), 200)
        assert a.up and a.counters["refused"] == before + 1, payload
    for _ in range(64):
        a.receive(frame.encode(bad[0]), 200)
    assert a.next_event() == ("down", "peer breaks the protocol")


def test_a_peer_that_offers_no_credit_is_asked_again_and_costs_nothing_else() -> None:
    a, b = Link(b"a" * 8), Link(b"b" * 8, window_bytes=256)
    pair = Pair(a, b, MemoryWire())
    pair.run(100, lambda: a.up and b.up)
    assert a.write(bytes(30000)) == 30000
    pair.run(1100)
    assert b._receiver.contiguous == 256  # nobody takes it: no more may come
    sent = a.counters["sent"]
    pair.run(2100)
    assert a.counters["sent"] - sent < 60 and a.up and b.up
    got = 0
    while got < 30000:
        event = b.next_event()
        if event is None:
            pair.run(pair.now + 10)
        elif event[0] == "data":
            got += len(event[-1])
    assert got == 30000


def test_our_own_echo_is_refused_and_no_version_in_common_never_comes_up() -> None:
    a = Link(b"a" * 8)
    for now in range(0, 1000, 50):
        a.receive(a.to_send(now), now)
    assert not a.up and a.counters["refused"] > 3
    other = packets.Hello(b"b" * 10, packets.NOBODY, False, 65536, 4096, 7, 9)
    before = a.counters["refused"]
    a.receive(frame.encode(other.encode()), 1000)
    assert not a.up and a.counters["refused"] == before + 1


def test_a_stranger_on_the_wire_costs_one_new_connection_and_no_byte() -> None:
    a, b = pair_up()
    pair = Pair(a, b, MemoryWire(), 200)
    a.write(bytes(50000))
    pair.run(201)
    stranger = packets.Hello(b"stranger-1", packets.NOBODY, False, 65536, 4096)
    b.receive(frame.encode(stranger.encode()), pair.now)
    ups = [0, 0]
    events: list[list[str]] = [[], []]

    def collect() -> bool:
        for index, end in enumerate((a, b)):
            while (event := end.next_event()) is not None:
                events[index].append(event[0])
                ups[index] += event[0] == "up"
        return ups == [1, 1]

    pair.run(1000, collect)
    assert ups == [1, 1] and a.write(b"again") == 5
    got = b""
    while got != b"again":
        pair.run(pair.now + 5)
        event = b.next_event()
        if event is not None:
            assert event[0] == "data"
            got += event[-1]  # type: ignore[operator]
    assert a.counters["refused"] == b.counters["refused"] == 0


def test_a_repaired_control_frame_is_not_trusted() -> None:
    a, _ = pair_up()
    a.write(b"hello")
    a.to_send(200)
    wire = bytearray(frame.encode(packets.ack_frame(5, 0, 0, 65536, [])))
    wire[5] ^= 0x10
    a.receive(bytes(wire), 210)
    assert a.counters["repaired"] == 1 and a.unacked() == 5


def test_a_loss_in_mid_stream_is_resent_without_a_timer() -> None:
    a, b = pair_up()
    a.write(bytes(20000))
    frames = []
    while data := a.to_send(200):
        frames += [b"\0" + part + b"\0" for part in data.split(b"\0") if part]
    assert len(frames) >= 5
    for index, wire in enumerate(frames):
        if index != 1:
            b.receive(wire, 200)
    a.receive(b.to_send(200), 200)
    assert a.counters["resent"] == 0
    b.receive(a.to_send(200), 200)  # the same millisecond: no timer can have passed
    assert a.counters["resent"] == 1
    assert b._receiver.contiguous == 20000


def spoiled(wire: bytes, *bits: int) -> bytes:
    out = bytearray(wire)
    for bit in bits:
        out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def first_frame(size: int) -> tuple[Link, Link, bytes, bytes]:
    """Two ends, a frame of `size` bytes from a to b, and what it brings."""
    a, b = pair_up()
    data = Lcg(4).bytes(size)
    assert a.write(data) == size
    return a, b, a.to_send(200), data


def take_all(end: Link) -> bytes:
    found = b""
    while (event := end.next_event()) is not None:
        assert event[0] == "data"
        found += event[-1]  # type: ignore[operator]
    return found


@given(st.lists(st.integers(100, 8 * 3900), min_size=2, max_size=6, unique=True))
@settings(max_examples=60, deadline=None)
def test_of_a_frame_with_several_flips_only_the_blocks_that_differ_are_sent_again(bits: list[int]) -> None:
    a, b, wire, data = first_frame(4096)
    b.receive(spoiled(wire, *bits), 200)
    claimed = b.counters["damaged"]
    a.receive(b.to_send(200), 200)
    again = a.to_send(200)
    b.receive(again, 200)
    while (more := a.to_send(201)) != b"":
        b.receive(more, 201)
        a.receive(b.to_send(201), 201)
    found = take_all(b)
    # three flips and more may look like another one, repaired: the session's tag is there for that
    assert found == data or b.counters["repaired"]
    if claimed and not a.counters["refused"] and a.counters["referred_bytes"]:
        assert len(again) < 4096


@given(st.integers(1, 4095))
@settings(max_examples=60, deadline=None)
def test_what_arrived_of_a_frame_before_a_yank_is_not_sent_again(cut: int) -> None:
    a, b, wire, data = first_frame(4096)
    b.receive(wire[: 20 + cut], 200)
    b.nudge(210)
    a.receive(b.to_send(210), 210)
    again = a.to_send(210)
    b.receive(again, 210)
    if cut > 64:
        assert len(again) < 4096 - cut + 100 + 64, (cut, len(again))
        assert a.counters["referred_bytes"] > cut - 64
    for now in range(220, 2000, 10):
        a.receive(b.to_send(now), now)
        b.receive(a.to_send(now), now)
    assert take_all(b) == data


def test_a_reference_to_bytes_that_are_not_there_brings_none() -> None:
    a, b, wire, data = first_frame(4096)
    b.receive(spoiled(wire, 500, 900, 1300), 200)
    for start, end in ((0, 64), (0, 4096), (64, 128)):
        wrong = packets.refer_frame(0, 0, [(start, end, 0x12345678)])
        b.receive(frame.encode(wrong), 200)
    assert b.counters["refused"] == 0 and b._receiver.contiguous == 0 and b._receiver.ranges == []


def test_a_stream_whose_acks_stop_pauses_and_asks_until_the_wire_is_back() -> None:
    a, b = pair_up()
    pair = Pair(a, b, MemoryWire(byte_us=3), 200)
    got = 0

    def pump() -> bool:
        nonlocal got
        a.write(bytes(4096))
        got += len(take_all(b))
        return False

    pair.run(600, pump)
    pair.wire.lift()
    pair.run(900, pump)
    sent = a.counters["bytes_sent"]
    pair.run(1200, pump)
    assert a.counters["bytes_sent"] - sent < 300 and a.up  # some PINGs in 300 ms, no stream into nowhere
    before = got
    pair.wire.seat()
    pair.run(1300, pump)
    assert got - before > 20_000


def test_whichever_of_the_first_bursts_are_lost_both_ends_come_up_and_the_stream_is_whole() -> None:
    """Exhaustive over a bounded model: every pattern of loss of the first twelve bursts on the wire."""
    for pattern in range(1 << 12):
        ends = [Link(b"a" * 8), Link(b"b" * 8)]
        got = [bytearray(), bytearray()]
        wrote = [False, False]
        burst = 0
        now = 0
        while now < 5000 and (got[0] != b"from b" or got[1] != b"from a"):
            for index, end in enumerate(ends):
                other = ends[1 - index]
                data = end.to_send(now)
                if data:
                    lost = burst < 12 and pattern >> burst & 1
                    burst += 1
                    if not lost:
                        other.receive(data, now)
                if end.up and not wrote[index]:
                    wrote[index] = end.write(b"from a" if index == 0 else b"from b") == 6
                while (event := other.next_event()) is not None:
                    assert event[0] != "down", pattern
                    if event[0] == "data":
                        got[1 - index] += event[-1]  # type: ignore[arg-type]
            now += 5
        assert now < 5000, (pattern, got)
