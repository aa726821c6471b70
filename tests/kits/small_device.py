"""Runs inside MicroPython, with a small heap: all of protocol/ that a device has, in one docking.

The heap holds every module at once. The device docks with a hub on a real wire (tests/kits/small_hub.py, CPython),
takes the roster, the delivery list and a bundle, holds the bundle to the gate, pulls the video it names, seals that
video again chunk by chunk, sends it up in an envelope of its own as the hub pulls it, and is done when the hub has
custody and the receipt is on its way. Both blobs are in a file; nothing of them stays in the heap.

`edge` is what the machine gives: tests/kits/edge.py on the unix port, tests/kits/board32/port.c on the 32-bit one.
Enrolment is not in it: a device loads that once in its life and lets go of it. The last line says what was carried and
what was left of the heap.
"""

import gc

import edge

from protocol import blob, cbor, crypto, mqtt, noise
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES
from protocol.link import Link
from protocol.records import (
    certificate,
    delivery_list,
    envelope,
    gate,
    hello,
    journal,
    receipt,
    roster,
    topics,
    want,
)
from protocol.records.bundle import Bundle
from protocol.session import Session
from protocol.stack import Stack

WINDOW_BYTES = 2048
SEND_BYTES = 1024
FRAME_BYTES = 512
WAIT_MS = 300000  # a busy machine decides nothing: no end takes the other for dead before
PIECE_BYTES = 512
HEAD_BYTES = 64  # more than the head of a PUBLISH and of a chunk
HOLD_BYTES = CHUNK_BYTES + 64  # a chunk, the most that there is at once, finds a place that is kept for it
VIEW_BYTES = 2048  # longer payloads, which are chunks, are in the heap once
PLAIN_AT, SEALED_AT = 0, 1 << 22  # where the two blobs are in the file
KEYS_AT = 1 << 23  # what an enrolled device has, after its length: its keys, the hub's and its certificate, as CBOR


class Heap:
    """What was left of the heap, after a collection: at least, and where that was."""

    def __init__(self) -> None:
        self.least = 1 << 30
        self.where = ""

    def look(self, where: str) -> None:
        gc.collect()
        free = gc.mem_free()  # type: ignore[attr-defined]
        if free < self.least:
            self.least = free
            self.where = where


def at_the_end(size: int) -> bytearray:
    """A buffer at the end of the heap: small things lie at its start, and will not scatter over the place it leaves."""
    gc.collect()
    filler = gc.mem_free()  # type: ignore[attr-defined]
    while filler > size:
        try:
            most = bytearray(filler - size)
            end = bytearray(size)
            del most
            return end
        except MemoryError:
            most = b""
            filler -= 256
    return bytearray(size)


class Device:
    """One docking. What is needed once is dropped at once: roster, list and bundle after the gate."""

    def __init__(self, wire: int, store: int, heap: Heap) -> None:
        self.wire = wire
        self.store = store
        self.heap = heap
        length = edge.get(store, KEYS_AT, 2)
        given = edge.get(store, KEYS_AT + 2, length[0] << 8 | length[1])
        self.x25519, self.seed, self.hub_x25519, self.hub_ed25519, signed = cbor.loads(given)
        self.ed25519 = crypto.default().public_key(self.seed)
        self.certificate = certificate.accept(signed, self.hub_ed25519)
        self.roster = None
        self.list = None
        self.video = None
        self.hold = at_the_end(HOLD_BYTES)
        self.fetch = None
        self.item = b""
        self.wanted = []  # (first chunk, how many) that the hub waits for
        self.chunk_left = self.chunk_end = 0  # of the chunk that is on its way up
        self.leaves = self.root = b""
        self.size = 0
        self.custody = False
        self.journaled = False
        self.pulled = self.sent = 0  # bytes of blobs, down and up
        self.durable = 0  # chunks
        self.client = mqtt.Client(self.certificate.device.hex(), 60, view_bytes_min=VIEW_BYTES)
        link = Link(crypto.default().random(8), WINDOW_BYTES, SEND_BYTES, FRAME_BYTES, dead_ms=WAIT_MS,
                    burst_bytes=FRAME_BYTES, event_bytes_max=FRAME_BYTES)  # fmt: skip
        self.stack = Stack(link, self.session)

    def session(self) -> Session:
        pair = (self.x25519, self.certificate.x25519)
        made = Session(True, pair, crypto.default().random, "IK", self.hub_x25519)
        made.record_bytes = PIECE_BYTES
        return made

    def say(self, kind: str, payload: bytes) -> None:
        assert self.client.publish(topics.own(topics.UP, kind), payload), kind

    # the loop

    def run(self) -> None:
        start = edge.now()
        while not self.done():
            now = edge.now()
            assert now - start < WAIT_MS, "not done in time"
            self.stack.tick(now)
            self.fill(now)
            data = self.stack.to_send(now)
            if data:
                edge.write(self.wire, data)
            due = self.stack.next_deadline()
            data = edge.read(self.wire, PIECE_BYTES, 0 if data or due is None else max(0, min(due - now, 100)))
            if data:
                self.stack.receive(data, edge.now())
            event = self.stack.next_event()
            while event is not None:
                self.event(event, edge.now())
                event = self.stack.next_event()

    def done(self) -> bool:
        return self.custody and self.journaled and not self.stack.unacked()

    def fill(self, now: int) -> None:
        """Application bytes into the session, as far as it has room; a chunk goes in pieces, never as a whole."""
        room = self.stack.room()
        while room > 0:
            data = b"" if self.chunk_left else self.client.to_send(now, room)
            data = data or self.answer(min(room, PIECE_BYTES))
            if not data:
                return
            self.stack.write(data)
            room = self.stack.room()

    def event(self, event: tuple, now: int) -> None:
        if event[0] == "up":
            self.heap.look("session up")
            self.client.connect()
            self.client.subscribe(topics.own_filter(topics.DOWN))
            self.say("hello", hello.Hello(device=self.certificate.device, list_version=0, roster_version=0,
                                          journal_next=0, outbox=1, software="small").encode())  # fmt: skip
        elif event[0] == "data":
            self.client.receive(event[1], now)
            taken = self.client.next_event()
            while taken is not None:
                if taken[0] == "message":
                    kind, payload = topics.parse_own(taken[1])[1], taken[2]
                    taken = None
                    self.message(kind, payload if kind == "chunk" else bytes(payload), now)
                    payload = None
                elif taken[0] == "closed":
                    raise AssertionError(taken[1])
                taken = self.client.next_event()
        else:
            raise AssertionError(str(event))

    def message(self, kind: str, payload: bytes, now: int) -> None:
        if kind == "roster":
            self.roster = roster.accept(self.roster, payload)
            self.heap.look("roster")
        elif kind == "list":
            device = self.certificate.device
            self.list = delivery_list.accept(self.list, payload, self.hub_ed25519, device, self.certificate.wing)
            self.heap.look("list")
            items = [row.item for row in self.list.items if row.item != self.item]
            if items and self.video is None:
                self.say("want", want.BundleWant(items=items).encode())
        elif kind == "bundle":
            bundle = Bundle.decode(payload)
            statement = gate.check(bundle, self.roster, self.list, self.certificate.learner, self.certificate.wing)
            self.heap.look("bundle")
            video = statement.rendition("video")
            self.video = (video.digest, video.length, statement.item, statement.digest(), self.list.version)
            bundle = statement = video = payload = self.roster = self.list = None
            gc.collect()
            self.hold = None
            self.fetch = blob.Fetch(self.video[0], self.video[1], early=True)
            self.pull(now)
        elif kind == "chunk":
            self.fetch.receive(payload, now)
            self.pull(now)
        elif kind == "want":
            asked = blob.Want.decode(payload)
            assert (asked.root, asked.size) == (self.root, self.size)
            if asked.first == blob.MANIFEST_INDEX:
                self.say("chunk", blob.pack_chunk(self.root, asked.first, self.leaves))
            else:
                self.wanted.append((asked.first, asked.count))
        elif kind == "receipt":
            taken = receipt.Custody.decode(payload)
            assert taken.refusal is None, taken.refusal
            if taken.item is not None:
                assert taken.item == self.item
                self.custody = True
            else:
                self.journaled = True
        elif kind == "hello":
            hello.Status.decode(payload)
        elif kind == "time":
            hello.Time.decode(payload)

    # down

    def pull(self, now: int) -> None:
        event = self.fetch.next_event()
        while event is not None:
            if event[0] in ("half", "chunk"):  # the first half of a leaf counts only with the second
                edge.put(self.store, PLAIN_AT + event[1] * CHUNK_BYTES, event[2])
                self.pulled += len(event[2])
                self.heap.look("chunk down")
            if event[0] == "chunk":
                for index in range(self.durable, event[1] + 1):
                    self.fetch.stored(index)
                self.durable = event[1] + 1
            elif event[0] == "done":
                self.pull_done()
                return
            event = self.fetch.next_event()
        asked = self.fetch.want(now)
        while asked is not None:
            self.say("want", asked.encode())
            asked = self.fetch.want(now)

    def pull_done(self) -> None:
        """What is in the file is held to the root that staff signed, then everything goes up."""
        root, length, item, digest, version = self.video
        builder = blob.Builder(False)
        for at in range(0, length, PIECE_BYTES):
            builder.feed(edge.get(self.store, PLAIN_AT + at, min(PIECE_BYTES, length - at)))
        assert builder.root() == root, "the file is not what was signed"
        self.fetch = None
        done = receipt.Receipt(item=item, statement=digest, list_version=version, state=receipt.COMMITTED)
        self.say("receipt", done.sign(self.seed, self.ed25519))
        first = journal.JournalEntry(seq=0, prev=journal.FIRST_PREV, clock_s=0, action="dock", detail="")
        self.say("journal", journal.pack_batch([first], self.seed, self.ed25519))
        self.make_envelope(length)

    # up

    def make_envelope(self, length: int) -> None:
        key = crypto.default().random(32)
        builder = blob.Builder()
        chunk = bytearray(CHUNK_BYTES)
        index = 0
        for at in range(0, length, blob.PLAIN_BYTES):
            count = min(blob.PLAIN_BYTES, length - at)
            for start in range(0, count, PIECE_BYTES):
                end = min(start + PIECE_BYTES, count)
                chunk[start:end] = edge.get(self.store, PLAIN_AT + at + start, end - start)
            blob.seal_chunk_in_place(key, index, chunk, count)
            sealed = memoryview(chunk)[: count + blob.TAG_BYTES]
            edge.put(self.store, SEALED_AT + self.size, sealed)
            builder.feed(sealed)
            self.size += len(sealed)
            index += 1
        chunk = sealed = None
        manifest = builder.finish()
        self.leaves = manifest.leaves
        self.root = manifest.root
        held = envelope.Blob(root=manifest.root, size=self.size, media_type="video/webm", key=key)
        content = envelope.Content(
            kind="video", device=self.certificate.device, counter=1, learner=self.certificate.learner,
            group="reading", parent=None, text="a video", blob=held,
        )  # fmt: skip
        sealed = envelope.make(
            content, self.seed, self.ed25519, self.x25519, self.hub_x25519, crypto.default().random
        )
        self.item = envelope.item_id(sealed)
        self.heap.look("envelope")
        self.say("envelope", sealed)

    def answer(self, room: int) -> bytes:
        """The next bytes of what the hub has asked for: the digests, or chunks out of the file."""
        if self.chunk_left:
            at = self.chunk_end - self.chunk_left
            piece = edge.get(self.store, at, min(room, self.chunk_left))
            self.chunk_left -= len(piece)
            self.sent += len(piece)
            if not self.chunk_left:
                self.heap.look("chunk up")
            return piece
        if not self.wanted or room < HEAD_BYTES:
            return b""
        index, count = self.wanted[0]
        if count == 1:
            self.wanted.pop(0)
        else:
            self.wanted[0] = (index + 1, count - 1)
        self.chunk_left = blob.chunk_length(self.size, index)
        self.chunk_end = SEALED_AT + index * CHUNK_BYTES + self.chunk_left
        head = blob.pack_chunk(self.root, index, b"")
        return publish_head(topics.own(topics.UP, "chunk"), len(head) + self.chunk_left) + head


def publish_head(topic: str, payload_bytes: int) -> bytes:
    """A PUBLISH at QoS 0 up to its payload (MQTT 3.1.1 sections 2.2 and 3.3)."""
    whole = 2 + len(topic) + payload_bytes
    assert 128 <= whole < 128 * 128
    return bytes((0x30, 0x80 | whole & 0x7F, whole >> 7, 0, len(topic))) + topic.encode()


def main(argv: "list[str]") -> int:
    """`argv`: descriptors of the wire and of the file."""
    heap = Heap()
    gc.threshold(2048)  # type: ignore[attr-defined]
    crypto.default()
    heap.look("imported")
    imported = heap.least
    device = Device(int(argv[0]), int(argv[1]), heap)
    try:
        device.run()
    except Refusal as refusal:
        print("refused:", refusal.name)
        raise
    except BaseException:
        print("after imports", imported, "least", heap.least, "at", heap.where)
        raise
    assert noise.public_of(device.x25519) == device.certificate.x25519
    print("down", device.pulled, "up", device.sent, "after imports", imported, "least", heap.least, "at", heap.where)
    return 0
