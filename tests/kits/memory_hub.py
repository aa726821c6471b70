"""The hub's end of one wire, in memory: the real stack and records over a Wing of tests/kits/wing.py.

It keeps what a hub keeps (custody, journal, chunks that are durable) in dictionaries that outlive a
connection, so that tests can cut the wire and the hub at any byte. No broker and no database: the
device speaks to it as to any MQTT peer. Runs on both interpreters.
"""

from protocol import blob, cbor, mqtt
from protocol.enrol import EnrolHub
from protocol.errors import Refusal
from protocol.link import Link
from protocol.records import envelope, journal, receipt, topics
from protocol.records.hello import Hello, Status, Time
from protocol.records.receipt import Custody
from protocol.records.want import BundleWant
from protocol.session import Session
from protocol.stack import Stack


class Kept:
    """What the hub has committed, for as long as the test runs."""

    def __init__(self, wing):
        self.wing = wing
        self.items = {}  # item -> content, in custody
        self.taken = []  # items in the order of their custody, once each
        self.journal = []
        self.journal_head = journal.FIRST_PREV
        self.arriving = {}  # item -> (content, sealed)
        self.leaves = {}
        self.chunks = {}  # root -> [chunk...]
        self.chunks_stored = 0  # how many were ever made durable; none may be stored twice
        self.receipts = {}  # item -> state
        self.statements = []
        self.bundles = {}  # item -> bytes
        self.blobs = {}  # root -> bytes of renditions
        self.own = {}  # item -> state, for the delivery list
        self.refuse = {}  # text -> refusal name for an envelope
        self.bundles_sent = 0
        self.chunks_sent = []
        self.list_signed = None
        self.tickets = {}  # static key -> what that device may come back with
        self.ups = []  # the pattern of each session

    def approve(self, item, author, text, media=(), signers=("may", "moe"), **more):
        """Put an item on the list; media is [(role, bytes, media type)]."""
        rows = []
        for role, data, kind in media:
            builder = blob.Builder()
            for at in range(0, len(data), blob.CHUNK_BYTES):
                builder.feed(data[at : at + blob.CHUNK_BYTES])
            manifest = builder.finish()
            self.blobs[manifest.root] = data
            self.leaves[manifest.root] = manifest.leaves
            rows.append((role, manifest.root, len(data), kind))
        statement = self.wing.statement(item, author, text=text, media=rows, **more)
        self.statements.append(statement)
        self.bundles[item] = self.wing.bundle(statement, text, signers)
        self.list_signed = None
        return statement

    def recall(self, item):
        self.statements = [one for one in self.statements if one.item != item]
        self.list_signed = None


class HubSide:
    """One end of one wire: `receive(data, now)`, `tick(now)`, `to_send(now)`, `next_deadline()`."""

    def __init__(self, kept, random, learner="ann"):
        self.kept = kept
        self.random = random
        self.learner = learner
        self.enrol = None
        self.confirmed = False  # staff compared the digits
        self.stack = Stack(Link(random(8), window_bytes=16384, send_bytes=16384), self._session)
        self._reset()

    def _reset(self):
        self.device = None
        self.read = bytearray()
        self.out = bytearray()
        self.queue = []
        self.fetch = None
        self.fetching = None
        self.handled = set()
        self.hello = None

    def _session(self):
        self.enrol = EnrolHub(self.random)
        return Session(
            False, self.kept.wing.hub_private, self.random, payload=self.enrol.commitment, accept=self._accept,
            find_ticket=self.kept.tickets.get,
        )  # fmt: skip

    def _accept(self, pattern, remote_static, payload):
        if pattern == "XX":
            return True
        return any(row.x25519 == remote_static for row in self.kept.wing.devices.values())

    # bytes

    def receive(self, data, now):
        self.stack.receive(data, now)
        self._events(now)

    def tick(self, now):
        self.stack.tick(now)
        self._events(now)
        if self.enrol is not None and self.confirmed and self.enrol.request is not None and not self.device:
            self._grant()
        if self.fetch is not None:
            self._drain(now)

    def next_deadline(self):
        return self.stack.next_deadline()

    def to_send(self, now):
        while self.queue and len(self.out) < 4096:
            kind, make = self.queue.pop(0)
            self.out.extend(mqtt.publish(topics.own("down", kind), make()))
        if self.out:
            taken = self.stack.write(bytes(self.out[:4096]))
            self.out = self.out[taken:]
        return self.stack.to_send(now)

    def _events(self, now):
        while True:
            event = self.stack.next_event()
            if event is None:
                return
            if event[0] == "up":
                self._reset()
                self.kept.ups.append(event[1])
                if event[1] == "XX":
                    self.enrol.start(event[4], event[3], event[2])
                    self.out.extend(self.enrol.to_send())
                else:
                    self.enrol = None
                    self.kept.tickets[event[2]] = self.stack.session.ticket
                    for row in self.kept.wing.devices.values():
                        if row.x25519 == event[2]:
                            self.device = row.id
            elif event[0] == "data" and self.enrol is not None:
                self.enrol.receive(event[1])
                self.out.extend(self.enrol.to_send())
            elif event[0] == "data":
                self.read.extend(event[1])
                packet = mqtt.parse(self.read)
                while packet is not None:
                    self._packet(packet, now)
                    packet = mqtt.parse(self.read)
            else:
                self._reset()

    def _grant(self):
        request = self.enrol.request
        certificate = self.kept.wing.certify(request.ed25519, request.x25519, self.learner)
        self.enrol.grant(certificate, self.kept.wing.signed_rosters)
        self.out.extend(self.enrol.to_send())
        self.enrol = self.enrol if self.enrol.request is None else self.enrol
        self.confirmed = False

    # MQTT

    def _packet(self, packet, now):
        if isinstance(packet, mqtt.Connect):
            self.out.extend(mqtt.connack(0))
        elif isinstance(packet, mqtt.Subscribe):
            self.out.extend(mqtt.suback(packet.packet_id, [0]))
        elif isinstance(packet, mqtt.Publish):
            direction, kind = topics.parse_own(packet.topic)
            assert direction == "up"
            getattr(self, "_take_" + kind)(packet.payload, now)
        else:
            self.out.extend(mqtt.pingresp())

    def _say(self, kind, payload):
        self.queue.append((kind, lambda: payload))

    def _take_hello(self, payload, now):
        self.hello = Hello.decode(payload)
        self.handled = set()
        self._say("time", Time(time_s=self.kept.wing.now_s).encode())
        for roster, signed in zip(self.kept.wing.rosters, self.kept.wing.signed_rosters):
            if roster.version > self.hello.roster_version:
                self._say("roster", signed)
        self.send_list()
        self._status()

    def send_list(self):
        kept = self.kept
        if kept.list_signed is None:
            kept.list_signed = kept.wing.delivery_list(self.device, kept.statements, list(kept.own.items()))
        self._say("list", kept.list_signed)

    def _status(self):
        missing = [one for one in self.kept.statements if self.kept.receipts.get(one.item) != 1]
        waiting = max(0, self.hello.outbox - len(self.handled))
        phase = "sending" if waiting or self.fetch else "receiving" if missing else "settled"
        self._say("hello", Status(phase=phase, sent=0, waiting=waiting, new=0, time_s=self.kept.wing.now_s).encode())

    def _take_journal(self, payload, now):
        batch = journal.JournalBatch.decode(payload)
        kept = self.kept
        fresh = [entry for entry in batch.entries if entry.seq >= len(kept.journal)]
        if fresh:
            rest = journal.JournalBatch(entries=fresh, signature=batch.signature)
            key = kept.wing.devices[self.device].ed25519
            kept.journal_head = journal.check(rest, len(kept.journal), kept.journal_head, key)
            kept.journal.extend(fresh)
        self._say("receipt", Custody(item=None, journal=batch.entries[-1].seq, refusal=None).encode())

    def _take_envelope(self, payload, now):
        item = envelope.item_id(payload)
        if item in self.kept.items:
            self._custody(item, None)
            return
        content, _ = self.kept.wing.open(payload)
        if content.text in self.kept.refuse:
            self._custody(item, self.kept.refuse[content.text])
        elif content.blob is None:
            self._keep(item, content)
        else:
            self.kept.arriving[item] = content
            self._fetch_next(now)

    def _keep(self, item, content):
        assert item not in self.kept.items
        self.kept.items[item] = content
        self.kept.taken.append(item)
        self.kept.own[item] = 1
        self._custody(item, None)

    def _custody(self, item, refusal):
        self.handled.add(item)
        self._say("receipt", Custody(item=item, journal=None, refusal=refusal).encode())
        self._status()

    def refuse_later(self, item, name):
        """The media worker made nothing of an item in custody."""
        self.kept.own[item] = 5
        self.kept.list_signed = None
        self.send_list()
        self._say("receipt", Custody(item=item, journal=None, refusal=name).encode())

    def _fetch_next(self, now):
        for item, content in self.kept.arriving.items():
            root = content.blob.root
            stored = len(self.kept.chunks.get(root, ()))
            self.fetch = blob.Fetch(root, content.blob.size, stored, self.kept.leaves.get(root))
            self.fetching = item
            self._drain(now)
            return

    def _take_chunk(self, payload, now):
        if self.fetch is not None:
            try:
                self.fetch.receive(payload, now)
            except Refusal:
                pass  # damaged on the device: asked for again
            self._drain(now)

    def _drain(self, now):
        while self.fetch is not None:
            event = self.fetch.next_event()
            if event is None:
                break
            chunks = self.kept.chunks.setdefault(self.fetch.root, [])
            if event[0] == "manifest":
                self.kept.leaves[self.fetch.root] = event[1]
            elif event[0] == "chunk":
                assert event[1] == len(chunks), "a durable chunk came again"
                chunks.append(bytes(event[2]))
                self.kept.chunks_stored += 1
                self.fetch.stored(event[1])
            else:
                self.fetch = None
                self._keep(self.fetching, self.kept.arriving.pop(self.fetching))
                self._fetch_next(now)
                return
        if self.fetch is not None:
            want = self.fetch.want(now)
            while want is not None:
                self._say("want", want.encode())
                want = self.fetch.want(now)

    def _take_want(self, payload, now):
        if len(cbor.loads(payload)) == 1:
            for item in BundleWant.decode(payload).items:
                self.kept.bundles_sent += 1
                self._say("bundle", self.kept.bundles[item])
            return
        want = blob.Want.decode(payload)
        data = self.kept.blobs[want.root]
        if want.first != blob.MANIFEST_INDEX:
            self.kept.chunks_sent.extend(range(want.first, want.first + want.count))
        for make in blob.answer(want, self.kept.leaves[want.root], lambda offset, n: data[offset : offset + n]):
            self.queue.append(("chunk", make))

    def _take_receipt(self, payload, now):
        taken = receipt.accept(payload, self.kept.wing.devices[self.device].ed25519)
        self.kept.receipts[taken.item] = taken.state
        self._status()


def join(dock, hub, until, now=0, limit_ms=120000, step_ms=5, bytes_max=None, piece=None):
    """Run both ends over a perfect wire in virtual time until `until()`; returns (now, bytes carried).

    `bytes_max` stops after so many bytes of the wire, both ways together: a yank. `piece` cuts
    what is carried into pieces of that many bytes.
    """
    carried = 0
    end = now + limit_ms
    while now < end:
        quiet = False
        while not quiet:
            quiet = True
            for source, target in ((dock, hub), (hub, dock)):
                data = source.to_send(now)
                if bytes_max is not None:
                    data = data[: bytes_max - carried]
                if data:
                    quiet = False
                    carried += len(data)
                    size = piece or len(data)
                    for at in range(0, len(data), size):
                        target.receive(data[at : at + size], now)
                if bytes_max is not None and carried >= bytes_max:
                    return now, carried
            if until():
                return now, carried
        now += step_ms
        dock.tick(now)
        hub.tick(now)
    raise AssertionError("not reached in " + str(limit_ms) + " ms of virtual time")
