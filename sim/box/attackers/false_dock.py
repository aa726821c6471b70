"""Attack -> here -> device: a dock that is not the hub's, and a copy of an honest device that is laid on it.

The copy has the honest device's storage as it is at that moment, and runs the production program: what happens to it
is what would happen to the device, whose own days go on.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol import cbor, mqtt
from protocol.errors import Refusal
from protocol.link import Link
from protocol.mqtt import Connect, Publish, Subscribe, packets, parse
from protocol.records import topics
from protocol.records.journal import JournalEntry
from protocol.session import Session
from protocol.stack import Stack
from sim.box.attackers.attack import Attack
from sim.box.device_core import DeviceCore
from sim.box.devices import DeviceBox
from sim.box.ports import Port, Step, Wire
from sim.box.safety_device import records

STAY_MS = 6_000
PIECE_BYTES = 4096
Key = tuple[bytes, bytes]
Words = list[tuple[str, bytes]]
Answers = Callable[[str, bytes], Words]


class FalseDock:
    """The end of a dock's wire: the hub's side of link, session and broker, under the key pair `static`.

    `answers(kind, payload)` is what it says to each message of the device. `heard` are those messages.
    """

    def __init__(self, static: Key, random: Callable[[int], bytes], answers: Answers = lambda kind, words: []) -> None:
        self.heard: Words = []
        self.downs: list[str] = []
        self.ups = 0
        self.wire_bytes = bytearray()  # everything that came, as it came
        self._static = static
        self._random = random
        self._answers = answers
        self._packets = bytearray()
        self._out = bytearray()
        self.stack = Stack(Link(random(8)), self._session)

    @property
    def linked(self) -> bool:
        return self.stack.link.up

    def _session(self) -> Session:
        return Session(False, self._static, self._random, accept=lambda pattern, key, payload: True)

    def step(self, now: int, pieces: list[bytes], room_bytes: int) -> Step:
        for piece in pieces:
            self.wire_bytes += piece
            self.stack.receive(piece, now)
        self.stack.tick(now)
        out: list[bytes] = []
        while room_bytes > 0:
            self._follow()
            while self._out and (taken := self.stack.write(bytes(self._out[:PIECE_BYTES]))):
                del self._out[:taken]
            data = self.stack.to_send(now)
            if not data:
                break
            out.append(data)
            room_bytes -= len(data)
        return Step(out, self.stack.next_deadline(), room_bytes <= 0)

    def _follow(self) -> None:
        while (event := self.stack.next_event()) is not None:
            if event[0] == "up":
                self.ups += 1
            elif event[0] == "down":
                self.downs.append(str(event[1]))
                self._packets.clear()
                self._out.clear()
            else:
                assert isinstance(event[1], bytes)
                self._packets += event[1]
                while (packet := parse(self._packets)) is not None:
                    self._packet(packet)

    def _packet(self, packet: packets.Packet) -> None:
        """What the hub's broker and exchange would do."""
        if isinstance(packet, Connect):
            self._out += packets.connack(0)
        elif isinstance(packet, Subscribe):
            self._out += packets.suback(packet.packet_id, [0] * len(packet.filters))
        elif isinstance(packet, Publish):
            kind = topics.parse_own(packet.topic)[1]
            self.heard.append((kind, bytes(packet.payload)))
            for what, payload in self._answers(kind, bytes(packet.payload)):
                self._out += mqtt.publish(topics.own(topics.DOWN, what), payload)
        elif packet.kind == packets.PINGREQ:
            self._out += packets.pingresp()


class AtFalseDock(Attack):
    """`lay(victim)` copies an honest device and lays it on the dock of `dock()`; `came` is what came of it."""

    def start(self) -> None:
        boxes = list(self.world.of_learner.values())
        self.random.shuffle(boxes)
        honest = next((box for box in boxes if box.on and self.fits(box)), None)
        if honest is None:
            self.end()
            return
        self.victim = DeviceBox(f"{self.event.id}.victim", self.name, self.world.kernel, self.world.plan.seed)
        self.victim.flash = honest.flash.survivors(True)
        try:
            self.victim.turn_on()
        except Refusal:  # a card that is damaged: nothing to be had
            self.end()
            return
        self.world.hostile[self.victim.name] = self.victim
        self.honest = honest
        self._before = self.victim.look()
        self._listed = self._list_version()
        self._entries = len(_journal(self.victim))
        self.false_dock = self.dock()
        self._wire = Wire(
            self.world.kernel, self.victim.port, Port(self.world.kernel, self.false_dock), self.world.plan.wing.baud
        )
        self._wire.seat()
        self.begin()
        self.after(STAY_MS, self._over)

    def fits(self, box: DeviceBox) -> bool:
        """Whether this device is one that the attack can be tried on."""
        return bool(box.look().get("enrolled"))

    def dock(self) -> FalseDock:
        raise NotImplementedError

    @property
    def core(self) -> DeviceCore:
        assert isinstance(self.victim.core, DeviceCore)
        return self.victim.core

    def _list_version(self) -> int:
        held = self.core.device.inbox.list
        return 0 if held is None else held.version

    def leave(self) -> None:
        if not self.over and self.begun:
            self._over()
        super().leave()

    def _over(self) -> None:
        after, dock = self.victim.look(), self.false_dock
        shows_more = [row[0] for row in after["shown"] if row not in self._before["shown"]]
        texts = [one.text.encode() for one in self.world.ledger.messages.values()]
        leaked = sum(text in dock.wire_bytes for text in texts)
        refused = sorted({entry.detail.rpartition(" ")[2] for entry in _journal(self.victim)[self._entries :]
                          if entry.action == "refused"})  # fmt: skip
        newest = self._list_version()
        if shows_more:
            self.world.fail("S1", f"{self.honest.name} shows what nobody approved, after {self.event.args['kind']}")
        if newest < self._listed:
            self.world.fail("S1", f"{self.honest.name}: list {newest} took the place of list {self._listed}")
        if leaked:
            self.world.fail("S10", f"{self.honest.name} said words in the open, in {self.event.args['kind']}")
        self._wire.lift()
        self.victim.turn_off()
        self.end(
            sessions=dock.ups, heard=len(dock.heard), leaked=leaked, shows_more=len(shows_more),
            by_device=" ".join(refused), downs=", ".join(sorted(set(dock.downs))),
            enrolled=bool(after["enrolled"]),
        )  # fmt: skip


def _journal(box: DeviceBox) -> list[JournalEntry]:
    """What stands in a device's journal."""
    blobs = box.flash.blobs
    return [
        JournalEntry.read(cbor.loads(body)) for name in sorted(blobs) if name.startswith("journal/")
        for body in records(bytes(blobs[name]))
    ]  # fmt: skip
