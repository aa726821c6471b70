"""Runs inside MicroPython under callgrind (tests/kits/counting.py): what a device does, each act between two marks.

Each act runs twice before it is measured, with the collector off and no hole in the heap: what is counted is the act
itself, and not how long the heap was searched for places. A docking is the device's half alone: the calls that a run
with the hub's half made on it are made again on a device in the same state, with the same random bytes and the same
bytes from the wire.
"""

import gc

from firmware.dock import Dock
from protocol import crypto, frame, noise
from tests.kits.device import enrolled
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded

best = crypto.default()
SUITE = "_25519_ChaChaPoly_SHA256"
PSK = b"\x07" * 32


def pair(fill):
    private = bytes([fill]) * 32
    return private, noise.public_of(private)


DEVICE, HUB, DEVICE_EPHEMERAL, HUB_EPHEMERAL = pair(1), pair(2), pair(3), pair(4)


def initiator(pattern):
    psk = PSK if "psk" in pattern else None
    return noise.Handshake("Noise_" + pattern + SUITE, True, s=DEVICE, e=DEVICE_EPHEMERAL, rs=HUB[1], psk=psk)


def responder(pattern):
    psk = PSK if "psk" in pattern else None
    return noise.Handshake("Noise_" + pattern + SUITE, False, s=HUB, e=HUB_EPHEMERAL, psk=psk)


def handshake(pattern):
    """-> the acts of both sides; ephemeral keys are there, as a device makes them while it is idle."""
    first = initiator(pattern)
    one = first.write()
    other = responder(pattern)
    other.read(one)
    two = other.write()

    def begin():
        mine = initiator(pattern)
        mine.write()
        mine.read(two)
        return mine.split()

    def answer():
        theirs = responder(pattern)
        theirs.read(one)
        theirs.write()
        return theirs.split()

    return begin, answer


class Noted:
    """A dock whose calls are noted: [(name, arguments)] in `calls`, what it sends in `sent`."""

    def __init__(self, dock):
        self.dock = dock
        self.calls = []
        self.sent = []

    def receive(self, data, now):
        self.calls.append((Dock.receive, data, now))
        self.dock.receive(data, now)

    def tick(self, now):
        self.calls.append((Dock.tick, now))
        self.dock.tick(now)

    def to_send(self, now):
        self.calls.append((Dock.to_send, now))
        data = self.dock.to_send(now)
        self.sent.append(data)
        return data


def seated():
    """A device with one post to hand over, before its dock, and the wing that enrolled it."""
    wing, device = enrolled()
    device.write_post("reading", None, "A letter of some forty characters, or more.")
    return wing, device, Dock(device, Seeded("dock"))


def docking():
    """-> (the act, a check of what it did): roster, list, journal, a post up, a text down, receipts."""
    wing, device, dock = seated()
    kept = Kept(wing)
    kept.approve(b"\1" * 32, "ben", "Hello Ann")
    noted = Noted(dock)
    join(noted, HubSide(kept, Seeded("hub")), lambda: device.can_lift)
    assert len(kept.items) == 1 and kept.receipts[b"\1" * 32] == 1
    calls, sent = noted.calls, b"".join(noted.sent)
    noted = dock = device = kept = wing = None
    again = []

    def act():
        docked = again.pop(0)
        out = []
        for call in calls:
            data = call[0](docked, *call[1:])
            if data:
                out.append(data)
        again.append(b"".join(out) == sent)

    def prepare():
        again[:] = [seated()[2]]

    return prepare, act, lambda: again == [True]


def frames():
    payload = bytes(range(256)) * 4
    wire = frame.encode(payload)
    reader = frame.Reader(2048)
    return lambda: frame.encode(payload), lambda: reader.read(wire)


def fill_holes():
    """Afterwards the next free place of the heap is behind everything that is in it."""
    gc.collect()
    end = id(bytearray(1 << 20))  # too large for any hole
    gc.collect()
    chain = (0,)
    while id(chain) < end:
        chain = (chain,)
    return chain


def measure(name, act, mark, prepare=None):
    for _ in range(2):
        if prepare:
            prepare()
        act()
    if prepare:
        prepare()
    filling = fill_holes()
    mark()
    act()
    mark()
    print("measured", name)
    return filling


def main(mark):
    """Every act, its name on a line of its own; the first is nothing at all, to be taken off the others."""
    gc.disable()
    measure("nothing", lambda: None, mark)
    key, nonce, text = bytes(range(32)), bytes(12), bytes(1024)
    sealed = best.seal(key, nonce, b"", text)
    public = best.public_key(key)
    signature = best.sign(key, text[:32])
    assert best.verify(public, text[:32], signature)
    begin, answer = handshake("IK")
    measure("handshake, device's half (IK)", begin, mark)
    measure("handshake, hub's half (IK)", answer, mark)
    begin, answer = handshake("IKpsk2")
    measure("quick return, device's half (IKpsk2)", begin, mark)
    measure("quick return, hub's half (IKpsk2)", answer, mark)
    measure("X25519", lambda: best.x25519(key, DEVICE[1]), mark)
    measure("seal 1 KiB", lambda: best.seal(key, nonce, b"", text), mark)
    measure("open 1 KiB", lambda: best.open(key, nonce, b"", sealed), mark)
    measure("sign a digest (Ed25519)", lambda: best.sign(key, text[:32]), mark)
    measure("verify one signature (Ed25519)", lambda: best.verify(public, text[:32], signature), mark)
    encode, read = frames()
    measure("frame of 1 KiB, out", encode, mark)
    measure("frame of 1 KiB, in", read, mark)
    prepare, act, same = docking()
    measure("one docking, device's half", act, mark, prepare)
    assert same(), "the docking that was counted is another one"
