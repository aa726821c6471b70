"""Attack -> here -> wire: a device's end in hostile hands, over the real link, session and MQTT.

It comes up as any device does and then says what it is told to; what it hears is kept. `before` everything else an
attack may write stream bytes of its own into the session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import blob, cbor, crypto, mqtt, noise
from protocol.link import Link
from protocol.records import delivery_list, envelope, receipt, roster, signing, topics
from protocol.records.envelope import Blob, Content
from protocol.records.hello import Hello
from protocol.session import RESUME, Session
from protocol.stack import Stack
from sim.box.flash import Flash
from sim.box.provision import HOSTILE_GROUP

Random = Callable[[int], bytes]

STREAM_BYTES_MAX = 65_536  # of what waits for the session
PIECE_BYTES = 4096


class Keys:
    """A device's two key pairs."""

    def __init__(self, seed: bytes, x_private: bytes) -> None:
        self.seed, self.x_private = seed, x_private
        self.ed25519 = crypto.default().public_key(seed)
        self.x25519 = noise.public_of(x_private)
        self.id = signing.key_id(self.ed25519)

    @classmethod
    def of(cls, flash: Flash) -> Keys:
        """Those of an enrolled device."""
        stored = flash.read("keys/device")
        assert stored is not None
        seed, x_private = cbor.loads(stored)
        return cls(seed, x_private)


class Speaker:
    """A core of a DeviceBox. `learner` and `wing` are what it claims; `on_ready()` is called when the hub has answered
    its hello, `on_message(kind, payload)` for everything that comes down."""

    def __init__(self, keys: Keys, hub_x25519: bytes, random: Random, wing: str, learner: str, counter: int) -> None:
        self.keys, self.hub_x25519, self.wing, self.learner = keys, hub_x25519, wing, learner
        self.random = random
        self.counter = counter  # of the next envelope
        self.ticket = b""
        self.heard: list[tuple[str, bytes]] = []
        self.answers: dict[bytes, str] = {}  # item -> "" for custody, or the refusal's name
        self.downs: list[str] = []
        self.ups = 0
        self.blobs: dict[bytes, bytes] = {}
        self.roster: roster.Roster | None = None
        self.list: delivery_list.DeliveryList | None = None
        self.raw: list[bytes] = []  # stream bytes of the session
        self.on_up: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_message: Callable[[str, bytes], None] = lambda kind, payload: None
        self.chunk: Callable[[bytes], bytes] = lambda payload: payload  # what becomes of a chunk on its way up
        self.client: mqtt.Client | None = None
        self._ready = False
        self._publishes: list[tuple[str, bytes]] = []
        self._stream = bytearray()
        self.restart()

    # the core of a box

    def step(self, now: int, clock_s: int, pieces: list[bytes], room_bytes: int) -> list[Any]:
        for piece in pieces:
            self.stack.receive(piece, now)
        self.stack.tick(now)
        self._follow(now)
        out = []
        while room_bytes > 0:
            self._fill(now)
            data = self.stack.to_send(now)
            self._follow(now)
            if not data:
                break
            out.append(data)
            room_bytes -= len(data)
        deadlines = [self.stack.next_deadline(), None if self.client is None else self.client.next_deadline()]
        deadline = min((at for at in deadlines if at is not None), default=None)
        return [out, deadline, room_bytes <= 0, self.status()]

    def status(self) -> list[Any]:
        return [self.stack.link.up or self.stack.up, "hostile", False, 0, 0, "", self.downs[-1] if self.downs else ""]

    def restart(self) -> None:
        self.stack = Stack(Link(self.random(8)), self._session)

    def act(self, clock_s: int, name: str, values: dict[str, Any]) -> dict[str, Any]:
        return {"refused": "NotThisDevice"}

    def close(self) -> None:
        """Nothing of it lies outside of this object."""

    # what it says

    def say(self, kind: str, payload: bytes) -> None:
        self._publishes.append((topics.own(topics.UP, kind), payload))

    def hello(self, **changes: Any) -> bytes:
        values: dict[str, Any] = {
            "device": self.keys.id, "list_version": 0, "roster_version": 0, "journal_next": 1, "outbox": 0,
            "software": "hostile",
        }  # fmt: skip
        return Hello(**{**values, **changes}).encode()

    def content(self, **changes: Any) -> Content:
        """A post of its own, with the next counter."""
        values: dict[str, Any] = {
            "kind": "post", "device": self.keys.id, "counter": self.counter, "learner": self.learner,
            "group": HOSTILE_GROUP, "parent": None, "text": f"from {self.learner}", "blob": None,
        }  # fmt: skip
        values.update(changes)
        self.counter = max(self.counter, values["counter"] + 1)
        return Content(**values)

    def seal(self, content: Content, signer: Keys | None = None) -> bytes:
        keys = signer or self.keys
        return envelope.make(content, keys.seed, keys.ed25519, self.keys.x_private, self.hub_x25519, self.random)

    def video(self, plain: bytes) -> Content:
        """A recording with these bytes, whatever they are; its ciphertext is given to whoever wants it."""
        key = self.random(32)
        size = blob.PLAIN_BYTES
        pieces = [blob.seal_chunk(key, at // size, plain[at : at + size]) for at in range(0, len(plain), size)]
        sealed = b"".join(pieces)
        root = manifest(sealed).root
        self.blobs[root] = sealed
        named = Blob(root=root, size=len(sealed), media_type="video/webm", key=key)
        return self.content(kind="video", blob=named, text="")

    def receipt(self, item: bytes, digest: bytes, state: int = receipt.COMMITTED, signer: Keys | None = None) -> bytes:
        keys = signer or self.keys
        version = 1 if self.list is None else self.list.version
        made = receipt.Receipt(item=item, statement=digest, list_version=version, state=state)
        return made.sign(keys.seed, keys.ed25519)

    # the wire

    def _session(self) -> Session:
        pattern = RESUME if self.ticket else "IK"
        static = (self.keys.x_private, self.keys.x25519)
        return Session(True, static, self.random, pattern, self.hub_x25519, ticket=self.ticket)

    def _follow(self, now: int) -> None:
        while (event := self.stack.next_event()) is not None:
            if event[0] == "up":
                self.ups += 1
                assert self.stack.session is not None
                self.ticket = self.stack.session.ticket
                self.client = mqtt.Client(self.keys.id.hex())
                self.client.connect()
                self.on_up()
            elif event[0] == "down":
                self.downs.append(str(event[1]))
                self._forget()
            elif self.client is not None:
                assert isinstance(event[1], bytes)
                self.client.receive(event[1], now)
                while self.client is not None and (happened := self.client.next_event()) is not None:
                    self._mqtt(happened)

    def _forget(self) -> None:
        self.client = None
        self._stream.clear()
        self._publishes.clear()

    def _fill(self, now: int) -> None:
        client = self.client
        if client is not None:
            while self._publishes and client.connected and client.publish(*self._publishes[0]):
                self._publishes.pop(0)
            if client.connected:
                self._stream += b"".join(self.raw)
                self.raw.clear()
            while len(self._stream) < STREAM_BYTES_MAX and (data := client.to_send(now)):
                self._stream += data
        while self._stream and (taken := self.stack.write(bytes(self._stream[:PIECE_BYTES]))):
            del self._stream[:taken]

    # what it hears

    def _mqtt(self, event: tuple[Any, ...]) -> None:
        assert self.client is not None
        if event[0] == "connected":
            self.client.subscribe(topics.own_filter(topics.DOWN))
        elif event[0] == "subscribed":
            self.say("hello", self.hello())
        elif event[0] == "message":
            kind, payload = topics.parse_own(event[1])[1], bytes(event[2])
            self.heard.append((kind, payload))
            self._take(kind, payload)
            self.on_message(kind, payload)

    def _take(self, kind: str, payload: bytes) -> None:
        if kind == "roster":
            self.roster = roster.accept(self.roster, payload) if self.roster is None else self.roster
        elif kind == "list" and self.roster is not None:
            self.list = delivery_list.accept(None, payload, self.roster.hub_ed25519, self.keys.id, self.wing)
        elif kind == "receipt":
            custody = receipt.Custody.decode(payload)
            if custody.item is not None:
                self.answers[custody.item] = custody.refusal or ""
        elif kind == "want":
            self._give(blob.Want.decode(payload))
        elif kind == "hello" and not self._ready:
            self._ready = True
            self.on_ready()

    def _give(self, want: blob.Want) -> None:
        data = self.blobs.get(want.root)
        if data is not None:
            for make in blob.answer(want, manifest(data).leaves, lambda at, count: data[at : at + count]):
                self.say("chunk", self.chunk(make()))


def manifest(data: bytes) -> blob.Manifest:
    builder = blob.Builder()
    builder.feed(data)
    return builder.finish()
