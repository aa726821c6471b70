"""Fuzzing: frame and link. Bytes from a wire, forged frames, time that passes, and at the end an honest peer."""

from __future__ import annotations

from protocol import frame
from protocol.limits import LINK_BURST_BYTES, LINK_DEVICE_WINDOW_BYTES
from protocol.link import Link, packets
from sim.memory_wire import MemoryWire, Pair
from tests.fuzz.feed import Feed, piece
from tests.fuzz.registry import target

PAYLOADS_BYTES_MAX = (16, 128, 1030, 4102)
REST_MS_MAX = 2000
CLEAN = b"the first clean frame"
MARK = b"and what an honest peer says comes through, both ways. " * 8
WORDS = (b"perch", b"\0\0", b"\0\x03\x05perch", b"\x80\x80\x80\x80\x80\0", b"\xff" * 5 + b"\0")


def recorded(bytes_max: int = 1500, flip_one_in_bits: int = 0) -> tuple[bytes, bytes]:
    """What two ends of a link say to each other, each way: HELLOs, data, acks, and repairs where it is damaged."""
    said: tuple[bytearray, bytearray] = (bytearray(), bytearray())

    class Tap(Link):
        def receive(self, data: bytes, now: int) -> None:
            said[self is b].extend(data)
            super().receive(data, now)

    a, b = Tap(b"recorded"), Tap(b"otherend", data_bytes_max=300)
    pair = Pair(a, b, MemoryWire(5, flip_one_in_bits))
    pair.run(2000, lambda: a.up and b.up)
    a.write(bytes(range(256)) * 4)
    b.write(b"answer")
    pair.run(pair.now + 400, lambda: not a.unacked() and not b.unacked())
    return bytes(said[0][:bytes_max]), bytes(said[1][:bytes_max])


def frame_seeds() -> list[bytes]:
    wires = [wire for damage in (0, 2000) for wire in recorded(1500, damage)]
    wires += [frame.encode(payload) for payload in (b"", b"\0", bytes(300), b"\x01" * 254, b"\xff" * 255)]
    return [bytes([1, 7]) + wire for wire in wires]


@target("frame", frame_seeds, 3, WORDS)
def frame_reader(data: bytes) -> None:
    """Any bytes in any pieces give the same frames; then a zero and a clean frame: it is taken, unrepaired."""
    feed = Feed(data)
    most = PAYLOADS_BYTES_MAX[feed.byte() % 4]
    size = feed.byte()
    wire = feed.rest()
    whole, cut = frame.Reader(most), frame.Reader(most)
    taken = whole.read(wire)
    again = []
    for at in range(0, len(wire), size or 1):
        again += cut.read(wire[at : at + (size or 1)])
    assert again == taken
    assert (whole.taken, whole.repaired, whole.damaged) == (cut.taken, cut.repaired, cut.damaged)
    for payload, _ in taken:
        assert len(payload) <= most + most // 254 + 1
        assert frame.Reader(len(payload)).feed(frame.encode(payload)) == [payload]
    assert sum(len(payload) for payload, _ in taken) <= len(wire)
    for reader in (whole, cut):
        assert reader.read(b"\0" + frame.encode(CLEAN[:most])[1:])[-1] == (CLEAN[:most], False)


@target("frame_codec", lambda: [b"\0\0\x11", bytes(300), b"\x01\x07" + b"x" * 254], 1)
def frame_codec(data: bytes) -> None:
    """Any payload comes back; with one bit flipped it comes back repaired, or as nothing."""
    feed = Feed(data)
    bit = feed.u16()
    payload = feed.rest()
    wire = frame.encode(payload)
    assert wire[0] == wire[-1] == 0 and 0 not in wire[1:-1]
    size = max(16, len(payload))
    assert frame.Reader(size).feed(wire) == [payload]
    bit = 8 + bit % (8 * len(wire) - 16)
    spoiled = bytearray(wire)
    spoiled[bit >> 3] ^= 1 << (bit & 7)
    assert frame.Reader(size).read(bytes(spoiled)) == [(payload, True)]
    assert frame.Reader(size).feed(bytes(spoiled)) == []


def payload_seeds() -> list[bytes]:
    out = []
    for damage in (0, 2000):
        for wire in recorded(6000, damage):
            out += [payload[:200] for payload in frame.Reader().feed(wire)]
    return out


@target("link_packets", payload_seeds, 2, (b"perch",))
def link_packets(data: bytes) -> None:
    """Every parser of a frame's content takes it or raises LinkRefusal; ranges come out in order."""
    for name in dir(packets):
        if not name.startswith("parse_"):
            continue
        try:
            parsed = getattr(packets, name)(data)
        except packets.LinkRefusal:
            continue
        if isinstance(parsed, packets.Ack):
            borders = [0, *(border for span in parsed.ranges for border in span)]
            assert all(low < high for low, high in zip(borders, borders[1:]))
            assert packets.ack_frame(parsed.offset, parsed.newest, parsed.damage, parsed.credit,
                                     [(parsed.offset + low, parsed.offset + high) for low, high in parsed.ranges]
                                     ) == b"\x03" + data[1:]  # fmt: skip
        if isinstance(parsed, packets.Hello):
            assert parsed.window >= 256 and parsed.data_max >= 64 and len(parsed.name) == packets.NAME_BYTES


def link_seeds() -> list[bytes]:
    out = []
    for damage in (0, 2000):
        for wire in recorded(1500, damage):
            # raw; then every frame forged into a link that is up with a peer
            out.append(b"".join(b"\0" + piece(wire[at : at + 300]) for at in range(0, len(wire), 300)))
            frames = frame.Reader().feed(wire)[:12]
            out.append(b"\x0d\x40" + b"".join(b"\x06" + piece(payload[:200]) + b"\x0c" for payload in frames))
    out.append(b"\x0d\x40\x0a\x20" + b"\x09\x20" * 30)  # up, written, and nobody answers any more
    out.append(b"\x0d\x40\x0e\x10\x0d\xff\x0f\x0d\x40")
    return out


class Hostile:
    """A link of ours, an honest peer, and between them whoever writes the feed."""

    def __init__(self, small: bool) -> None:
        self.link = Link.for_device(b"ourlink!") if small else Link(b"ourlink!", 2048, 4096, 512)
        self.peer = Link.for_device(b"thepeer!")
        self.reader = frame.Reader()
        self.now = 1000

    def step(self, what: int, feed: Feed) -> None:
        link = self.link
        if what < 6:
            link.receive(feed.piece(), self.now)
        elif what < 9:
            link.receive(frame.encode(feed.piece()), self.now)
        elif what == 9:
            self.now += 1 + 8 * feed.byte()
            link.tick(self.now)
        elif what == 10:
            link.write(bytes(16 * feed.byte()))
        elif what == 11:
            link.next_event()
        elif what == 12:
            self.peer.receive(link.to_send(self.now), self.now)
        elif what == 13:
            self.talk(4 * feed.byte())
        elif what == 14:
            link.restart("for a test", self.now, REST_MS_MAX * feed.byte() // 255)
        else:
            link.nudge(self.now)
        self.bounds()

    def talk(self, ms: int) -> None:
        pair = Pair(self.link, self.peer, MemoryWire(), self.now)
        pair.run(self.now + ms)
        self.now = pair.now

    def bounds(self) -> None:
        link = self.link
        assert link.unacked() <= LINK_DEVICE_WINDOW_BYTES
        sent = link.to_send(self.now)
        assert len(sent) < 3 * LINK_BURST_BYTES
        if sent:
            self.reader.read(sent)
            assert self.reader.damaged == self.reader.repaired == 0, "the link said something that is no frame"
        deadline = link.next_deadline()
        assert deadline is not None and deadline < self.now + 60_000

    def ends_well(self) -> None:
        """Within two seconds of its rest an honest peer that comes new brings it up, and both hear each other."""
        while self.link.next_event() is not None:
            pass
        peer = Link.for_device(b"honest!!")
        ends = (self.link, peer)
        heard = {self.link: b"", peer: b""}
        pair = Pair(self.link, peer, MemoryWire(), self.now)

        def done() -> bool:
            for end in ends:
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

        pair.run(self.now + REST_MS_MAX + 2000, done)
        assert done(), heard


@target("link", link_seeds, 6, WORDS)
def link(data: bytes) -> None:
    """Whatever arrives and whenever, nothing raises, all stays bounded, and an honest peer is heard at the end."""
    feed = Feed(data)
    hostile = Hostile(bool(feed.byte() & 1))
    for _ in range(200):
        if not feed.left:
            break
        hostile.step(feed.byte() & 15, feed)
    hostile.ends_well()
