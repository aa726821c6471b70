"""One bay's core in virtual time, without a socket: the class that the daemon and every simulated hub drive."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware.device import Device
from firmware.dock import Dock
from firmware.storage import MemoryStorage
from hub_daemon import bay_core
from hub_daemon.bay_core import BayCore
from hub_daemon.limits import DOCK_BUFFER_BYTES_MAX, ENROL_POLL_MS, WIRE_NOTE_FIRST_S
from protocol import frame, mqtt
from protocol.limits import LINK_WINDOW_BYTES
from protocol.link import Link
from protocol.records import roster, topics
from protocol.session import RESUME, Session
from protocol.stack import Stack
from tests.kits.docked import DeviceKeys
from tests.kits.exchange_side import ACCOUNT, ExchangeRooms, ExchangeSide
from tests.kits.hub import WING, HubWing
from tests.kits.memory_hub import join
from tests.kits.wing import START_S, Seeded


class SlowSide(ExchangeSide):
    """A hub whose broker takes its time: a docking is opened when `ready` says so."""

    ready = False

    def dock(self, device: roster.Device, ticket: bytes, resumed: bool) -> None:
        if self.ready:
            super().dock(device, ticket, resumed)
        else:
            self.held = (device, ticket, resumed)

    def open(self) -> None:
        self.ready = True
        self.dock(*self.held)
        self.settle(self._now)


class NewestSide(ExchangeSide):
    """A second bay of the same hub: the newest docking of a device wins, as the daemon has it."""

    older: ExchangeSide

    def dock(self, device: roster.Device, ticket: bytes, resumed: bool) -> None:
        self.older.core.close("docked on the newest", self._now)
        self.older.settle(self._now)
        super().dock(device, ticket, resumed)


class Talker:
    """A device that is a stack and whatever bytes a test puts into `words`."""

    def __init__(self, keys: DeviceKeys, hub_x25519: bytes, pattern: str = "IK") -> None:
        self.words = bytearray()
        self.ups = self.downs = 0
        self._keys, self._hub, self._pattern = keys, hub_x25519, pattern
        self.stack = Stack(Link(Seeded("talker")(8)), self._session)

    def _session(self) -> Session:
        static = (self._keys.x_private, self._keys.x25519)
        if self._pattern == "XX":
            return Session(True, static, os.urandom, "XX", payload=bytes(32))
        return Session(True, static, os.urandom, self._pattern, self._hub)

    def receive(self, data: bytes, now: int) -> None:
        self.stack.receive(data, now)
        self._events()

    def tick(self, now: int) -> None:
        self.stack.tick(now)
        self._events()

    def to_send(self, now: int) -> bytes:
        del self.words[: self.stack.write(bytes(self.words[:4096]))]
        return self.stack.to_send(now)

    def _events(self) -> None:
        while (event := self.stack.next_event()) is not None:
            self.ups += event[0] == "up"
            self.downs += event[0] == "down"


class Room:
    """A wing at one moment of unix time; only the wires' time passes."""

    def __init__(self, data: Path) -> None:
        self.unix_ms = START_S * 1000
        self.wing = HubWing(data, random=Seeded("hub"), clock_ms=lambda: self.unix_ms)
        self.exchange = self.wing.exchange()
        self.rooms = ExchangeRooms(self.exchange, lambda: self.unix_ms)
        self.core = BayCore("left", self.rooms, Seeded("bay"))

    def device(self, learner: str = "ann") -> Device:
        made = Device(MemoryStorage(), Seeded(learner), lambda: START_S)
        certificate = self.wing.certify(made.identity.ed25519, made.identity.x25519, learner)
        made.commit_enrolment(certificate, self.wing.signed_rosters())
        return made

    def side(self, kind: type[ExchangeSide] = ExchangeSide) -> ExchangeSide:
        return kind(self.exchange, random=Seeded("bay"), clock_ms=lambda: self.unix_ms)

    def talker(self, pattern: str = "IK", learner: str = "ann") -> Talker:
        return Talker(self.wing.enrol(learner), self.wing.keys.x25519_public, pattern)

    def said(self, words: str) -> bool:
        return any(words in line for line in self.rooms.said)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.wing.store.close()


def settled(device: Device) -> Callable[[], bool]:
    return lambda: device.phase == "settled" and device.can_lift


def steps(count: int) -> Callable[[], bool]:
    """For `join`: until so many steps of 5 ms went by."""
    left = iter(range(count))
    return lambda: next(left) == count - 1


def docked(room: Room, core: BayCore) -> tuple[Talker, int]:
    """A talker on `core`, its docking open; and the time."""
    talker = room.talker()
    now, _ = join(talker, core, lambda: core.device is not None)
    event = core.next_event()
    assert event is not None and event[0] == "dock"
    core.open_docking(ACCOUNT, now)
    return talker, now


def test_the_core_has_no_clock_no_socket_and_no_randomness_of_its_own() -> None:
    tree = ast.parse(Path(bay_core.__file__).read_text("utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name for name in named if name.split(".")[0] not in ("hub_daemon", "protocol")}
    assert outside == {"__future__", "collections.abc", "typing"}


def test_a_device_docks_hands_over_its_post_and_comes_back_resumed(room: Room) -> None:
    device, side = room.device(), room.side()
    item = device.write_post("reading", None, "in no time at all")
    dock = Dock(device, Seeded("dock"))
    now, _ = join(dock, side, settled(device))
    assert room.wing.item(item) is not None
    assert side.core.state == "docked" and side.core.device is not None and side.core.device.learner == "ann"
    dock.restart()
    now, _ = join(dock, side, lambda: len(side.patterns) == 2 and settled(device)(), now)
    assert side.patterns == ["IK", RESUME] and side.lifts == ["peer restarted"]
    side.end()
    assert side.lifts[1:] == ["the port closed"] and side.core.device is None and side.core.state == "waiting"
    assert side.core.counters["ups"] == 2


def test_what_a_device_says_before_its_docking_is_open_waits_and_is_not_lost(room: Room) -> None:
    device, side = room.device(), room.side(SlowSide)
    assert isinstance(side, SlowSide)
    item = device.write_post("reading", None, "the broker takes its time")
    dock = Dock(device, Seeded("dock"))
    now, _ = join(dock, side, lambda: side.core.device is not None)
    now, _ = join(dock, side, steps(1000), now)  # five seconds: a link does not live so long in silence
    assert room.wing.item(item) is None and dock.stack.up and side.core.to_broker() == b""
    side.open()
    now, _ = join(dock, side, settled(device), now)
    assert room.wing.item(item) is not None and side.patterns == ["IK"] and side.lifts == []


def test_a_device_that_talks_before_its_docking_is_open_is_held_back_by_the_link(room: Room) -> None:
    core = room.core
    talker = room.talker()
    packets = [mqtt.publish("up/chunk", bytes([n]) * 4000) for n in range(250)]
    talker.words += mqtt.connect("me", 30) + b"".join(packets)
    now, _ = join(talker, core, lambda: core.device is not None)
    now, carried = join(talker, core, steps(400), now)
    assert carried < 1.2 * LINK_WINDOW_BYTES and talker.words and core.to_broker() == b""
    event = core.next_event()
    assert event is not None and event[0] == "dock" and core.next_event() is None
    core.open_docking(ACCOUNT, now)
    passed = bytearray(core.to_broker())

    def all_passed() -> bool:
        passed.extend(core.to_broker())
        return not talker.words and talker.stack.unacked() == 0

    join(talker, core, all_passed, now)
    assert isinstance(mqtt.parse(passed), mqtt.Connect)
    prefix = topics.prefix(WING, event[1].id)
    assert bytes(passed) == b"".join(mqtt.publish(f"{prefix}up/chunk", bytes([n]) * 4000) for n in range(250))


def test_a_broker_that_ends_ends_the_docking_and_the_device_docks_again(room: Room) -> None:
    device, side = room.device(), room.side()
    dock = Dock(device, Seeded("dock"))
    now, _ = join(dock, side, settled(device))
    side.core.broker_ended("the broker closed", now)
    side.settle(now)
    assert side.lifts == ["the broker closed"] and side.core.state == "waiting"
    item = device.write_post("reading", None, "after it came back")
    join(dock, side, lambda: room.wing.item(item) is not None, now)
    assert side.patterns == ["IK", RESUME] and side.lifts == ["the broker closed"]


def test_the_end_of_an_earlier_docking_does_not_touch_the_next(room: Room) -> None:
    core = room.core
    talker, now = docked(room, core)
    core.close("closed for a test", now)
    assert core.next_event() == ("lift", room.exchange.wing.register.devices[0], "closed for a test")
    core.from_broker(b"\xff\xff", now)
    core.broker_ended("late", now)
    core.close("nothing is on", now)
    now, _ = join(talker, core, lambda: core.device is not None, now)
    assert talker.downs == 1
    event = core.next_event()
    assert event is not None and event[0] == "dock"
    core.from_broker(b"\xff\xff", now)  # of the connection before: the next one is not open yet
    core.broker_ended("later", now)
    core.open_docking(ACCOUNT, now)
    talker.words += mqtt.connect("me", 30)
    join(talker, core, lambda: bool(core.to_broker()), now)
    assert core.state == "docked" and talker.downs == 1 and core.next_event() is None


def test_what_was_passed_before_the_end_is_still_the_brokers(room: Room) -> None:
    core = room.core
    talker, now = docked(room, core)
    talker.words += mqtt.connect("me", 30)
    join(talker, core, lambda: not talker.words and talker.stack.unacked() == 0, now)
    core.end("the port closed", now)
    assert isinstance(mqtt.parse(bytearray(core.to_broker())), mqtt.Connect)
    lift = core.next_event()
    assert lift is not None and lift[0] == "lift" and core.next_event() is None


def test_a_docking_that_ends_before_anybody_heard_of_it_is_not_spoken_of(room: Room) -> None:
    core = room.core
    now, _ = join(room.talker(), core, lambda: core.device is not None)
    core.close("too early", now)
    assert core.next_event() is None and core.state == "waiting"
    core.open_docking(ACCOUNT, now)
    assert core.device is None and core.to_broker() == b""


def test_a_device_that_docks_elsewhere_is_closed_here_and_served_there(room: Room) -> None:
    device, first = room.device(), room.side()
    dock = Dock(device, Seeded("dock"))
    now, _ = join(dock, first, settled(device))
    newest = room.side(NewestSide)
    assert isinstance(newest, NewestSide)
    newest.older = first
    dock.restart()
    item = device.write_post("reading", None, "from the newest")
    join(dock, newest, lambda: room.wing.item(item) is not None and settled(device)(), now)
    assert first.lifts == ["docked on the newest"] and newest.lifts == []
    assert newest.device in room.exchange.dockings


def test_a_device_that_does_not_keep_up_leaves_no_room_for_the_broker(room: Room) -> None:
    core = room.core
    talker, now = docked(room, core)
    device = core.device
    assert device is not None
    packet = mqtt.publish(f"{topics.prefix(WING, device.id)}down/chunk", bytes(4000))
    assert core.down_room() == DOCK_BUFFER_BYTES_MAX
    while core.down_room():
        core.from_broker(packet, now)
    join(talker, core, lambda: core.down_room() == DOCK_BUFFER_BYTES_MAX, now)
    assert core.state == "docked"


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("SecondConnect", mqtt.connect("me", 30)),
        ("TopicForeign", mqtt.publish(f"wing/{WING}/device/{'00' * 8}/up/hello", b"")),
        ("MqttError", b"\x30\xff\xff\xff\x7f" + bytes(40)),
    ],
)
def test_hostile_mqtt_ends_the_docking_by_name(room: Room, name: str, packet: bytes) -> None:
    core = room.core
    talker, now = docked(room, core)
    talker.words += mqtt.connect("me", 30)
    now, _ = join(talker, core, lambda: talker.stack.unacked() == 0 and not talker.words, now)
    talker.words += packet
    now, _ = join(talker, core, lambda: talker.downs == 1, now)
    event = core.next_event()
    assert event is not None and event[0] == "lift" and event[2] == name
    assert core.last_refusal == name and room.said(f"refused left: {name}: ")
    talker.words.clear()
    join(talker, core, lambda: core.device is not None, now)


def test_a_broker_that_says_what_is_not_this_devices_ends_the_docking_by_name(room: Room) -> None:
    core = room.core
    talker, now = docked(room, core)
    core.from_broker(mqtt.publish(f"wing/{WING}/device/{'00' * 8}/down/hello", b""), now)
    event = core.next_event()
    assert event is not None and event[2] == "TopicForeign" and core.last_refusal == "TopicForeign"
    join(talker, core, lambda: talker.downs == 1, now)


def test_a_key_that_is_not_of_the_wing_or_was_revoked_opens_nothing(room: Room) -> None:
    def refused(talker: Talker) -> None:
        join(talker, room.core, steps(300))
        assert talker.ups == 0 and room.core.next_event() is None

    refused(Talker(DeviceKeys(), room.wing.keys.x25519_public))
    assert room.core.last_refusal == "DeviceUnknown"
    talker = room.talker()
    room.wing.devices[0].revoked = True
    room.wing.new_roster()
    room.core = BayCore("left", room.rooms, Seeded("bay"))
    refused(talker)
    assert room.core.last_refusal == "DeviceRevoked"


def test_an_enrolment_needs_an_open_window_and_one_that_shuts_is_told_to_the_device(room: Room) -> None:
    core = room.core
    device = Device(MemoryStorage(), Seeded("new"), lambda: START_S)
    dock = Dock(device, Seeded("dock"))
    now, _ = join(dock, core, lambda: core.last_refusal == "DeviceUnknown")
    assert room.said("no enrolment window is open on this bay") and device.digits is None
    number = room.rooms.enrolment.open_window("left", "ann", "ada", 5)
    now, _ = join(dock, core, lambda: room.rooms.enrolment.get(number).state == "digits", now)
    assert core.state == "enrolling" and device.digits == room.rooms.enrolment.get(number).digits
    room.unix_ms += 5 * 60_000
    join(dock, core, lambda: dock.refused == "WindowShut", now)
    assert not device.identity.enrolled


def test_a_device_enrols_and_the_core_asks_for_the_grant_at_its_own_deadline(room: Room) -> None:
    enrolment, core = room.rooms.enrolment, room.core
    device = Device(MemoryStorage(), Seeded("new"), lambda: START_S)
    dock = Dock(device, Seeded("dock"))
    number = enrolment.open_window("left", "ann", "ada")
    now, _ = join(dock, core, lambda: enrolment.get(number).state == "digits")
    device.agreed = True
    enrolment.confirm(number, room.wing.staff["ada"][0])
    enrolment.countersign(number, room.wing.staff["bob"][0])
    sent, asked = core.to_send(now), now
    while len(sent) < 1000:  # a grant with its rosters; the device says nothing: the core's own deadlines are enough
        due = core.next_deadline()
        assert due is not None and due <= asked + ENROL_POLL_MS
        now = max(now, due)
        core.tick(now)
        sent += core.to_send(now)
    dock.receive(sent, now)
    now, _ = join(dock, core, lambda: core.device is not None, now)
    assert enrolment.get(number).state == "done" and device.identity.enrolled
    assert room.said("enrolment left: over")
    assert core.device is not None and core.device.ed25519 == device.identity.ed25519


def test_an_enrolment_that_is_left_is_open_again_for_the_next(room: Room) -> None:
    core = room.core
    dock = Dock(Device(MemoryStorage(), Seeded("new"), lambda: START_S), Seeded("dock"))
    number = room.rooms.enrolment.open_window("left", "ann", "ada")
    join(dock, core, lambda: room.rooms.enrolment.get(number).state == "digits")
    core.end("the port closed", 10_000)
    assert core.state == "waiting" and core.next_event() is None
    assert room.rooms.enrolment.get(number).state == "open" and room.said("enrolment left: ended: the port closed")


def test_damage_on_the_wire_is_said_at_the_cores_own_deadline(room: Room) -> None:
    core = room.core
    wrong = bytearray(frame.encode(bytes(40)))
    wrong[5:20] = bytes([7]) * 15
    core.receive(b"\0" + bytes(wrong) + b"\0", 5)
    now = 5
    while not room.said("wire left: FrameDamaged") and now < 10_000:
        core.to_send(now)
        due = core.next_deadline()
        assert due is not None
        now = max(now, due)
        core.tick(now)
    assert now == 5 + WIRE_NOTE_FIRST_S * 1000
