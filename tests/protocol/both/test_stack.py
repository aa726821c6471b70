"""Link and session together over damaged wires: authenticated streams, new sessions, rest after refusals."""

import sys

from protocol.frame import encode
from protocol.link import Link, packets
from protocol.noise import public_of
from protocol.session import Session
from protocol.stack import Stack
from sim.memory_wire import Lcg, MemoryWire, Pair

MICRO = sys.implementation.name == "micropython"
HUB = bytes(range(1, 33))
DEVICE = bytes(range(101, 133))
HUB_PUBLIC = public_of(HUB)
BLOCK = Lcg(2).bytes(500) * 10  # the stream repeats 500 bytes; a record is at most 4096


def link(boot_id):
    if MICRO:  # a device's heap holds both ends and the wire between them
        return Link(boot_id, 8192, 8192, data_bytes_max=1024, burst_bytes=1024, event_bytes_max=1024)
    return Link(boot_id)


def stacks(accept=None, pattern="IK"):
    random = Lcg(11).bytes
    remote = HUB_PUBLIC if pattern == "IK" else None
    device = Stack(link(b"device-1"), lambda: Session(True, DEVICE, random, pattern, remote, b"d"))
    hub = Stack(link(b"hub----1"), lambda: Session(False, HUB, random, payload=b"h", accept=accept))
    return device, hub


class Collected:
    def __init__(self, stack):
        self.stack = stack
        self.ups = 0
        self.downs = []
        self.got = 0

    def pump(self):
        event = self.stack.next_event()
        while event is not None:
            if event[0] == "up":
                self.ups += 1
                self.got = 0
            elif event[0] == "down":
                self.downs.append(event[1])
            else:
                at = self.got % 500
                assert BLOCK[at : at + len(event[1])] == event[1]
                self.got += len(event[1])
            event = self.stack.next_event()


def pumping(*collected):
    """For Pair.run: everything that came is taken, and it goes on."""

    def pump():
        for one in collected:
            one.pump()
        return False

    return pump


def transfer(wire, size=20000):
    device, hub = stacks()
    pair = Pair(device, hub, wire)
    at_device, at_hub = Collected(device), Collected(hub)
    progress = [0]

    def pump():
        at_device.pump()
        at_hub.pump()
        if device.up and device.unacked() < 3000:
            some = BLOCK[progress[0] % 500 :][: min(1000, size - progress[0])]
            progress[0] += device.write(some)
        return at_hub.got >= size

    pair.run(60000, pump)
    assert at_hub.got == size
    assert at_hub.ups == 1 and at_hub.downs == [] and at_device.downs == []
    return device, hub


def test_the_stream_arrives_over_a_plain_wire():
    transfer(MemoryWire())


def test_the_stream_arrives_over_a_wire_that_flips_bits():
    transfer(MemoryWire(seed=2, flip_one_in_bits=20000, byte_us=3))


def test_the_stream_arrives_over_a_wire_that_loses_bytes():
    transfer(MemoryWire(seed=3, lose_one_in_bytes=4000, byte_us=3))


def test_the_stream_arrives_late_and_in_small_pieces():
    transfer(MemoryWire(seed=4, delay_ms=30, byte_us=10, piece_bytes=7))


def test_what_was_written_is_known_to_have_arrived_when_nothing_is_unacked():
    device, hub = transfer(MemoryWire(byte_us=3), 5000)
    pair = Pair(device, hub, MemoryWire(), 60001)
    pair.run(60101)
    assert device.unacked() == 0


def test_a_lifted_and_seated_device_gets_a_new_session():
    device, hub = stacks()
    wire = MemoryWire()
    pair = Pair(device, hub, wire)
    at_device, at_hub = Collected(device), Collected(hub)
    pump = pumping(at_device, at_hub)
    pair.run(200, pump)
    wire.lift()
    pair.run(pair.now + 2500, pump)
    wire.seat()
    pair.run(pair.now + 1000, pump)
    assert at_hub.ups == at_device.ups == 2
    assert at_hub.downs == at_device.downs == ["silent"]
    assert device.up and hub.up


def test_a_record_that_somebody_else_began_costs_a_session_and_nobody_waits_for_ever():
    """Valid frames of another connection, or an echo: what they put into the stream can look like a long record."""
    device, hub = stacks()
    pair = Pair(device, hub, MemoryWire())
    at_device, at_hub = Collected(device), Collected(hub)
    pump = pumping(at_device, at_hub)
    pair.run(200, pump)
    sent = hub.link._sender.fresh
    device.receive(encode(packets.data_frame(sent, 9, b"\x01\x00" + bytes(9), False)), pair.now)
    pair.run(pair.now + 18000, pump)
    assert at_device.downs == ["a record that never ends"]
    assert at_device.ups == at_hub.ups == 2
    hub.write(BLOCK[:7])
    device.write(BLOCK[:9])
    pair.run(pair.now + 1000, pump)
    assert (at_device.got, at_hub.got) == (7, 9)


def test_a_refused_device_rests_longer_each_time():
    asked = []
    device, hub = stacks(accept=lambda pattern, static, payload: asked.append(pair.now) or False)
    pair = Pair(device, hub, MemoryWire())
    at_hub, at_device = Collected(hub), Collected(device)
    pump = pumping(at_hub, at_device)
    pair.run(10000, pump)
    assert at_hub.ups == 0 and set(at_hub.downs) == {"peer is not accepted"}
    gaps = [after - before for before, after in zip(asked, asked[1:])]
    assert 4 <= len(asked) <= 7 and gaps[-1] > 3 * gaps[0] >= 3 * 200


def test_whoever_comes_after_a_refused_device_is_not_kept_waiting():
    refused = [True]
    device, hub = stacks(accept=lambda pattern, static, payload: not refused[0])
    wire = MemoryWire()
    pair = Pair(device, hub, wire)
    at_hub, at_device = Collected(hub), Collected(device)
    pump = pumping(at_hub, at_device)
    while len(at_hub.downs) < 5:  # now the hub rests for four seconds
        pair.run(pair.now + 50, pump)
    wire.lift()
    pair.run(pair.now + 1600, pump)
    refused[0] = False
    wire.seat()
    pair.run(pair.now + 300, pump)
    assert at_hub.ups == at_device.ups == 1


def test_a_broken_session_is_answered_by_a_new_one_not_by_silence():
    device, hub = stacks()
    pair = Pair(device, hub, MemoryWire())
    at_device, at_hub = Collected(device), Collected(hub)
    pump = pumping(at_device, at_hub)
    pair.run(200, pump)
    # bytes that no session sealed, through a link that carries them faithfully
    assert device.link.write(b"\x00\x20" + bytes(32)) == 34
    pair.run(pair.now + 1000, pump)
    assert at_hub.downs == ["record does not belong to this session"]
    assert at_device.downs == ["peer restarted"]
    assert device.up and hub.up and at_hub.ups == 2


def test_closing_one_side_tells_the_other():
    device, hub = stacks(pattern="XX")
    pair = Pair(device, hub, MemoryWire())
    at_device, at_hub = Collected(device), Collected(hub)
    pump = pumping(at_device, at_hub)
    pair.run(200, pump)
    hub.close("window closed", pair.now)
    pair.run(pair.now + 100, pump)
    assert at_hub.downs == ["window closed"] and at_device.downs == ["peer restarted"]


def records_of(piece):
    """How many records a stream of such pieces makes, and the bytes of a full one."""
    device, hub = stacks()
    pair = Pair(device, hub, MemoryWire(byte_us=3))
    at_device, at_hub = Collected(device), Collected(hub)
    size = 60000
    records = []
    progress = [0]

    def pump():
        at_device.pump()
        at_hub.pump()
        if not device.up:
            return False
        if not records:
            seal = device.session.to_send
            records.append(0)

            def counted():
                record = seal()
                records[0] += 1 if record else 0
                return record

            device.session.to_send = counted
        taken = 1
        while taken and progress[0] < size:
            at = progress[0]
            taken = device.write(BLOCK[at % 500 : at % 500 + min(piece, size - at)])
            progress[0] += taken
        return at_hub.got == size

    pair.run(20000, pump)
    assert at_hub.got == size
    return records[0], device.session.record_bytes


def test_a_stream_of_odd_pieces_makes_hardly_more_records_than_it_must():
    for piece in (100, 2100, 4122):  # a chunk's packet is 4122 bytes
        records, record_bytes = records_of(piece)
        assert records <= 60000 // record_bytes + 5, (piece, records)
