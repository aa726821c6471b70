"""The link keeps its promise, a reliable ordered stream, over every kind of wire."""

import sys

from protocol.limits import LINK_WINDOW_BYTES
from protocol.link import Link
from sim.memory_wire import Lcg, MemoryWire, Pair

MICRO = sys.implementation.name == "micropython"
WINDOW = 8192 if MICRO else LINK_WINDOW_BYTES


def ends(small=False):
    return end(b"boot-a--", small), end(b"boot-b--", small)


def end(boot_id, small=False):
    if small or MICRO:  # a device's heap holds both ends and the wire between them
        return Link(boot_id, 8192, 8192, data_bytes_max=1024, burst_bytes=1024, event_bytes_max=1024)
    return Link(boot_id)


class Flow:
    """One direction of the stream: what goes in and comes out is checked against a pattern, not kept."""

    def __init__(self, size, seed):
        self.size = size
        self.sent = 0
        self.got = 0
        self._block = Lcg(seed).bytes(1000) * 6

    def next(self):
        size = min(1000, self.size - self.sent)
        return self._block[self.sent % 1000 :][:size]

    def check(self, data):
        at = self.got % 1000
        assert self._block[at : at + len(data)] == data
        self.got += len(data)


class Ends:
    """Feeds both ends of one wire and checks what comes out at the other."""

    def __init__(self, a, b, wire, size, back=0):
        self.pair = Pair(a, b, wire)
        self.there = Flow(size, 5)
        self.back = Flow(back, 6)
        self.events = []

    def pump(self):
        a, b = self.pair.a, self.pair.b
        for end, flow in ((a, self.there), (b, self.back)):
            if end.up and flow.sent < flow.size:
                flow.sent += end.write(flow.next())
        for end, flow, events in ((b, self.there, self.events), (a, self.back, [])):
            event = end.next_event()
            while event is not None:
                if event[0] == "data":
                    flow.check(event[1])
                else:
                    events.append(event)
                    if event[0] == "up":
                        flow.got = 0
                event = end.next_event()
        return self.done()

    def done(self):
        return self.there.got == self.there.size and self.back.got == self.back.size

    def run(self, until_ms=120000):
        self.pair.run(until_ms, self.pump)
        return self


def carried(wire, size=60000, back=0, small=False):
    run = Ends(*ends(small), wire, size, back=back).run()
    assert run.done()
    assert run.events == [("up",)]
    return run


def test_a_plain_wire_carries_the_stream_in_both_directions():
    run = carried(MemoryWire(), 200000, 100000)
    assert run.pair.a.counters["resent"] == 0
    assert run.pair.a.counters["damaged"] == 0


def test_a_wire_that_brings_one_byte_at_a_time_carries_the_stream():
    carried(MemoryWire(piece_bytes=1), 20000, 5000, small=True)


def test_a_wire_that_flips_bits_carries_the_stream_and_repairs_most_flips():
    run = carried(MemoryWire(seed=3, flip_one_in_bits=100000, byte_us=3), 300000)
    assert run.pair.b.counters["repaired"] > 5
    assert run.pair.b.counters["repaired"] > run.pair.a.counters["resent"]


def test_a_very_bad_wire_makes_small_frames_and_still_carries_the_stream():
    run = carried(MemoryWire(seed=4, flip_one_in_bits=3000, byte_us=3), 60000)
    assert run.pair.a.counters["frame_bytes"] == 256


def test_a_wire_that_loses_bytes_carries_the_stream():
    run = carried(MemoryWire(seed=5, lose_one_in_bytes=5000, byte_us=3), 100000, 30000)
    assert run.pair.a.counters["resent"] > 5


def test_a_slow_and_late_wire_carries_the_stream():
    carried(MemoryWire(seed=6, delay_ms=80, byte_us=87), 30000, small=True)


def test_a_lost_tail_is_sent_again_without_new_data():
    a, b = ends()
    run = Ends(a, b, MemoryWire(byte_us=3), 3000)
    run.pair.run(1000, lambda: a.up and b.up)
    run.pump()
    run.pair.wire.seated = False
    run.pair.run(run.pair.now + 30, run.pump)
    assert not run.done()
    run.pair.wire.seated = True
    start = run.pair.now
    run.run()
    assert run.done() and run.pair.now - start < 300


def test_a_short_cut_loses_nothing_and_keeps_the_connection():
    a, b = ends()
    wire = MemoryWire(byte_us=3)
    run = Ends(a, b, wire, 400000)
    run.run(400)
    assert 0 < run.there.got < 400000
    wire.lift()
    run.run(run.pair.now + 600)
    wire.seat()
    start = run.pair.now
    run.run()
    assert run.done()
    assert run.events == [("up",)]
    # what was in flight at the cut, and no more, went again
    assert a.counters["resent"] * a.counters["frame_bytes"] <= 2 * WINDOW
    assert run.pair.now - start < 2000


def test_a_lifted_device_is_noticed_and_a_seated_one_found_again():
    a, b = ends()
    wire = MemoryWire()
    run = Ends(a, b, wire, 0)
    run.pair.run(100, lambda: run.pump() and False)
    assert a.up and b.up
    wire.lift()
    lifted = run.pair.now
    run.pair.run(lifted + 2000, lambda: (run.pump() and False) or not (a.up or b.up))
    assert not a.up and not b.up
    assert run.pair.now - lifted < 2000
    wire.seat()
    seated = run.pair.now
    run.pair.run(seated + 1000, lambda: (run.pump() and False) or (a.up and b.up))
    assert a.up and b.up
    assert run.pair.now - seated <= 260
    run.pump()
    assert run.events == [("up",), ("down", "silent"), ("up",)]


def test_a_restarted_peer_gives_down_and_up_with_an_empty_stream():
    a, b = ends()
    wire = MemoryWire(byte_us=3)
    run = Ends(a, b, wire, 300000)
    run.run(300)
    assert 0 < run.there.got < 300000
    run.pair.a = end(b"boot-a-2")
    run.there.sent = 0
    run.pair.run(run.pair.now + 50, lambda: run.pair.a.up)
    run.pump()
    run.run()
    assert run.events == [("up",), ("down", "peer restarted"), ("up",)]
    assert run.done()


def test_a_receiver_that_takes_nothing_stops_the_sender_within_its_window():
    a, b = ends()
    pair = Pair(b, a, MemoryWire())
    pair.run(1000, lambda: a.up and b.up)
    total = 0
    for _ in range(400):
        total += b.write(bytes(1000))
        pair.run(pair.now + 5)
    assert a.up and b.up
    assert WINDOW < total <= 2 * WINDOW
    assert b.counters["refused"] == a.counters["refused"] == 0
    got = 0
    while got < total:
        event = a.next_event()
        if event is None:
            pair.run(pair.now + 20)
        elif event[0] == "data":
            got += len(event[1])
    assert got == total


def test_many_tiny_writes_arrive_whole():
    a, b = ends(True)
    pair = Pair(a, b, MemoryWire(seed=8, flip_one_in_bits=40000))
    pair.run(1000, lambda: a.up and b.up)
    sent = bytearray()
    got = bytearray()

    def pump():
        event = b.next_event()
        while event is not None:
            if event[0] == "data":
                got.extend(event[1])
            event = b.next_event()
        return False

    for index in range(1500):
        data = bytes((index & 0xFF, index >> 8))
        while not a.write(data):
            pair.run(pair.now + 1, pump)
        sent.extend(data)
        pair.step()
    pair.run(pair.now + 500, pump)
    assert got == sent
