"""A device that is nothing but protocol: Stack, MQTT client and records over a file descriptor, one thread.

For tests of the hub: it keeps an outbox in memory, hands it over, answers wants, fetches bundles, and does what a test
tells it that no honest device would do. It believes an acknowledgement only when the hub said it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

from protocol import blob, crypto, mqtt, noise
from protocol.enrol import EnrolDevice
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES, JOURNAL_BATCH_ENTRIES_MAX
from protocol.link import Link
from protocol.records import delivery_list, envelope, journal, signing, topics
from protocol.records.bundle import Bundle
from protocol.records.envelope import Blob, Content
from protocol.records.hello import Hello, Status
from protocol.records.journal import JournalBatch, JournalEntry
from protocol.records.receipt import Custody, Receipt
from protocol.records.roster import Roster, accept
from protocol.records.statement import Statement
from protocol.records.want import BundleWant
from protocol.session import Session
from protocol.stack import Stack


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class DeviceKeys:
    """A device's two key pairs."""

    def __init__(self) -> None:
        best = crypto.default()
        self.seed = os.urandom(32)
        self.ed25519 = best.public_key(self.seed)
        self.x_private = os.urandom(32)
        self.x25519 = noise.public_of(self.x_private)
        self.id = signing.key_id(self.ed25519)


class DockedDevice:
    """One device on one wire. `outbox` maps item -> (sealed, ciphertext or None); acknowledged items leave it."""

    def __init__(self, wing: str, keys: DeviceKeys, hub_x25519: bytes, learner: str) -> None:
        self.wing, self.keys, self.hub_x25519, self.learner = wing, keys, hub_x25519, learner
        self.outbox: dict[bytes, tuple[bytes, bytes | None]] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.acked: list[bytes] = []
        self.refused: dict[bytes, str] = {}
        self.journal: list[JournalEntry] = []
        self.journal_acked = -1
        self.counter = 0
        self.roster: Roster | None = None
        self.list: delivery_list.DeliveryList | None = None
        self.bundles: dict[bytes, Bundle] = {}
        self.fetched: dict[bytes, bytes] = {}
        self.statuses: list[Status] = []
        self.messages: list[tuple[str, bytes]] = []
        self.downs: list[str] = []
        self.ups: list[str] = []  # the pattern of each session: "IKpsk2" when it was resumed
        self.ticket = b""
        self.connected = threading.Event()
        self.granted: tuple[bytes, list[bytes]] | None = None
        self.digits = ""
        self.enrol_refused = ""
        self.auto = True  # do what an honest device does
        self.pattern = "IK"
        self.client: mqtt.Client | None = None
        self.stack: Stack | None = None
        self.raw: list[bytes] = []  # stream bytes to send as they are, once the session is up
        self.publishes: list[tuple[str, bytes]] = []
        self._enrol: EnrolDevice | None = None
        self._fetch: blob.Fetch | None = None
        self._got = bytearray()
        self._stream = bytearray()
        self._down = bytearray()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._fd = -1

    # making things

    def write(self, group: str, text: str, parent: bytes | None = None) -> bytes:
        """A post into the outbox; returns its item id."""
        with self._lock:
            self.counter += 1
            content = Content(
                kind="post", device=self.keys.id, counter=self.counter, learner=self.learner, group=group,
                parent=parent, text=text, blob=None,
            )  # fmt: skip
            return self.put(self.seal(content))

    def record(self, group: str, plain: bytes, media_type: str = "video/webm", text: str = "") -> bytes:
        """A video into the outbox; returns its item id."""
        key = os.urandom(32)
        size = blob.PLAIN_BYTES
        chunks = [blob.seal_chunk(key, i, plain[i * size : (i + 1) * size]) for i in range(-(-len(plain) // size))]
        sealed = b"".join(chunks)
        builder = blob.Builder()
        builder.feed(sealed)
        root = builder.finish().root
        with self._lock:
            self.counter += 1
            self.blobs[root] = sealed
            content = Content(
                kind="video", device=self.keys.id, counter=self.counter, learner=self.learner, group=group,
                parent=None, text=text, blob=Blob(root=root, size=len(sealed), media_type=media_type, key=key),
            )  # fmt: skip
            return self.put(self.seal(content), sealed)

    def seal(self, content: Content) -> bytes:
        return envelope.make(
            content, self.keys.seed, self.keys.ed25519, self.keys.x_private, self.hub_x25519, os.urandom
        )

    def put(self, sealed: bytes, ciphertext: bytes | None = None) -> bytes:
        with self._lock:
            item = envelope.item_id(sealed)
            self.outbox[item] = (sealed, ciphertext)
            if self.client is not None and self.auto and self.list is not None:
                self.say("envelope", sealed)
            return item

    def note(self, action: str) -> None:
        """One more journal entry."""
        with self._lock:
            prev = self.journal[-1].hash() if self.journal else bytes(32)
            self.journal.append(JournalEntry(seq=len(self.journal), prev=prev, clock_s=1, action=action, detail=""))

    def say(self, kind: str, payload: bytes) -> None:
        self.publishes.append((topics.own(topics.UP, kind), payload))

    # the wire

    def seat(self, fd: int, pattern: str = "IK") -> None:
        """Start talking on `fd`; keeps trying until `lift`."""
        self._fd, self.pattern = fd, pattern
        os.set_blocking(fd, False)
        self._stop.clear()
        self._begin()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def lift(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _begin(self) -> None:
        self._out = b""
        self.stack = Stack(Link(os.urandom(8)), self._session)

    def _session(self) -> Session:
        static = (self.keys.x_private, self.keys.x25519)
        if self.pattern == "XX":
            keys = self.keys
            self._enrol = EnrolDevice(os.urandom, keys.seed, keys.ed25519, keys.x25519, "test slate")
            return Session(True, static, os.urandom, pattern="XX", payload=self._enrol.nonce)
        pattern = "IKpsk2" if self.ticket else "IK"
        return Session(True, static, os.urandom, pattern, self.hub_x25519, ticket=self.ticket)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._step()
            ready, _, _ = select.select([self._fd], [], [], 0.005)
            if ready:
                try:
                    data = os.read(self._fd, 65536)
                except BlockingIOError:
                    continue
                except OSError:
                    time.sleep(0.02)
                    continue
                with self._lock:
                    assert self.stack is not None
                    self.stack.receive(data, now_ms())

    def _step(self) -> None:
        stack = self.stack
        assert stack is not None
        stack.tick(now_ms())
        while (event := stack.next_event()) is not None:
            self._take(event)
        self._fill()
        while self._stream:
            taken = stack.write(bytes(self._stream[:8192]))
            if not taken:
                break
            del self._stream[:taken]
        while True:
            if not self._out:
                self._out = stack.to_send(now_ms())
            if not self._out:
                return
            try:
                self._out = self._out[os.write(self._fd, self._out) :]
            except OSError:
                return

    def _fill(self) -> None:
        if self.raw:
            self._stream += b"".join(self.raw)
            self.raw.clear()
        client = self.client
        if client is None or not client.connected and len(self._stream) > 65536:
            return
        while self.publishes and client.connected and client.publish(*self.publishes[0]):
            self.publishes.pop(0)
        while len(self._stream) < 65536 and (data := client.to_send(now_ms())):
            self._stream += data

    def _take(self, event: tuple) -> None:  # type: ignore[type-arg]
        if event[0] == "up":
            self._stream.clear()
            self.publishes.clear()
            if event[1] == "XX":
                assert self._enrol is not None
                self._enrol.start(event[4], event[3], event[2])
                return
            self.ups.append(event[1])
            if self.stack is not None and self.stack.session is not None:
                self.ticket = self.stack.session.ticket
            if self.auto:
                self.client = mqtt.Client(self.keys.id.hex())
                self.client.connect()
            self.connected.set()
        elif event[0] == "data":
            if self._enrol is not None and self.pattern == "XX":
                self._enrolling(event[1])
            elif self.client is not None:
                self.client.receive(event[1], now_ms())
                while (happened := self.client.next_event()) is not None:
                    self._mqtt(happened)
            else:
                self._down += event[1]
        elif event[0] == "down":
            self.downs.append(event[1])
            self.client = None
            self.list = None
            self._fetch = None
            self.connected.clear()

    def _enrolling(self, data: bytes) -> None:
        assert self._enrol is not None
        self._enrol.receive(data)
        while (event := self._enrol.next_event()) is not None:
            if event[0] == "digits":
                self.digits = event[1]
            elif event[0] == "granted":
                self.granted = (event[1], event[2])
                self._enrol.commit()
            elif event[0] == "refused":
                self.enrol_refused = event[1]
        self._stream += self._enrol.to_send()

    def _mqtt(self, event: tuple) -> None:  # type: ignore[type-arg]
        assert self.client is not None
        if event[0] == "connected":
            self.client.subscribe(topics.own_filter(topics.DOWN))
        elif event[0] == "subscribed":
            self.hello()
        elif event[0] == "message":
            direction, kind = topics.parse_own(event[1])
            assert direction == topics.DOWN
            self.messages.append((kind, event[2]))
            getattr(self, "_on_" + kind)(event[2])
        elif event[0] == "closed":
            self.downs.append("mqtt " + event[1])

    def hello(self) -> None:
        hello = Hello(
            device=self.keys.id,
            list_version=0 if self.list is None else self.list.version,
            roster_version=0 if self.roster is None else self.roster.version,
            journal_next=max(1, len(self.journal)),
            outbox=len(self.outbox),
            software="test 1",
        )
        self.say("hello", hello.encode())

    # down

    def _on_time(self, payload: bytes) -> None:
        pass

    def _on_hello(self, payload: bytes) -> None:
        self.statuses.append(Status.decode(payload))

    def _on_roster(self, payload: bytes) -> None:
        self.roster = accept(self.roster, payload)

    def _on_list(self, payload: bytes) -> None:
        assert self.roster is not None
        first = self.list is None
        self.list = delivery_list.accept(self.list, payload, self.roster.hub_ed25519, self.keys.id, self.wing)
        if first:
            for start in range(self.journal_acked + 1, len(self.journal), JOURNAL_BATCH_ENTRIES_MAX):
                self.say("journal", self.batch(self.journal[start : start + JOURNAL_BATCH_ENTRIES_MAX]))
            for sealed, _ in self.outbox.values():
                self.say("envelope", sealed)
        wanted = [one.item for one in self.list.items if one.item not in self.bundles]
        if wanted:
            self.say("want", BundleWant(items=wanted).encode())

    def batch(self, entries: list[JournalEntry]) -> bytes:
        return journal.pack_batch(entries, self.keys.seed, self.keys.ed25519)

    def _on_receipt(self, payload: bytes) -> None:
        custody = Custody.decode(payload)
        if custody.item is not None:
            if custody.refusal is None:
                self.acked.append(custody.item)
            else:
                self.refused[custody.item] = custody.refusal
            self.outbox.pop(custody.item, None)
        elif custody.journal is not None and custody.refusal is None:
            self.journal_acked = custody.journal

    def _on_want(self, payload: bytes) -> None:
        want = blob.Want.decode(payload)
        data = self.blobs[want.root]
        builder = blob.Builder()
        builder.feed(data)
        leaves = builder.finish().leaves
        for make in blob.answer(want, leaves, lambda offset, count: data[offset : offset + count]):
            self.say("chunk", make())

    def _on_bundle(self, payload: bytes) -> None:
        bundle = Bundle.decode(payload)
        statement = Statement.decode(bundle.statement)
        self.bundles[statement.item] = bundle
        self.confirm(statement)

    def confirm(self, statement: Statement, state: int = 1) -> None:
        assert self.list is not None
        receipt = Receipt(
            item=statement.item, statement=statement.digest(), list_version=self.list.version, state=state
        )
        self.say("receipt", receipt.sign(self.keys.seed, self.keys.ed25519))

    def fetch(self, root: bytes, size: int) -> None:
        """Pull a blob of the list; `fetched[root]` has it in the end."""
        with self._lock:
            self._fetch = blob.Fetch(root, size)
            self._got = bytearray()
            self._ask()

    def _ask(self) -> None:
        assert self._fetch is not None
        while (want := self._fetch.want(now_ms())) is not None:
            self.say("want", want.encode())

    def _on_chunk(self, payload: bytes) -> None:
        if self._fetch is None:
            return
        try:
            self._fetch.receive(payload, now_ms())
        except Refusal:
            return
        while (event := self._fetch.next_event()) is not None:
            if event[0] == "chunk":
                self._got += event[2]
                self._fetch.stored(event[1])
            elif event[0] == "done":
                self.fetched[self._fetch.root] = bytes(self._got)
        self._ask()


WAIT_S_MAX = 60.0  # no test is decided by how busy its machine is


def wait_for(condition: Callable[[], object], seconds: float = WAIT_S_MAX) -> bool:
    """Whether `condition` came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


__all__ = ["CHUNK_BYTES", "WAIT_S_MAX", "JournalBatch", "DeviceKeys", "DockedDevice", "now_ms", "wait_for"]
