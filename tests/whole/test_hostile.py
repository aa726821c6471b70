"""Bad input on a real hub with two bays: each has its name in the log, and the other bay's device never notices.

What one packet or one record may be is tested where it is judged (tests/hub_daemon/test_filter.py, test_exchange.py,
test_daemon.py); here it comes over a wire, while another learner is docked next door and writes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol import frame, mqtt
from protocol.limits import LINK_REFUSALS_MAX, PACKET_BYTES_MAX, SEALED_BYTES_MAX
from protocol.link import Link
from protocol.records import envelope, topics
from protocol.records.envelope import Content
from protocol.records.hello import Hello
from tests.kits.docked import WAIT_S_MAX, DeviceKeys, DockedDevice, now_ms, wait_for
from tests.kits.hub import WING, Bayline, HubProcess, HubWing


class Wing:
    """A hub with ben docked on the bay "right" from the first test to the last; "left" is the attacker's."""

    def __init__(self, data: Path) -> None:
        self.wing = HubWing(data)
        self.ben = self.wing.device("ben")
        self.lines = [Bayline(), Bayline()]
        self.hub = HubProcess(data, {"left": self.lines[0].path, "right": self.lines[1].path})
        self.hub.start()
        self.ben.seat(self.lines[1].fd)
        assert wait_for(lambda: bool(self.ben.statuses))
        self.posts = 0

    def close(self) -> None:
        self.ben.lift()
        self.hub.stop()
        for line in self.lines:
            line.close()
        self.wing.store.close()

    def said(self) -> str:
        return self.hub.log.read_text("utf-8", "replace")

    def refused(self, device: DockedDevice) -> str:
        """What the log has against this device, and the hub's lines about its bay."""
        with self.wing.store.read() as tx:
            actor = f"device:{device.keys.id.hex()}"
            rows = tx.execute("SELECT detail FROM log WHERE actor = ? AND action = 'refused'", (actor,)).fetchall()
        return "\n".join(row["detail"] for row in rows)

    def carries_on(self) -> None:
        """ben's post of this moment comes into custody over the docking that he had all the time."""
        self.posts += 1
        item = self.ben.write("reading", f"still here, {self.posts}")
        assert wait_for(lambda: item in self.ben.acked), self.said()[-2000:]
        assert self.ben.downs == [], "the other bay's docking was disturbed"
        assert " fault " not in self.said()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wing]:
    made = Wing(tmp_path_factory.mktemp("hostile"))
    yield made
    made.close()


@pytest.fixture
def mallory(hub: Wing) -> Iterator[DockedDevice]:
    """A new device of ann's, enrolled like any other, in hostile hands. Afterwards the wing must be as before."""
    device = hub.wing.device("ann")
    yield device
    device.lift()
    hub.carries_on()


def fresh(hub: Wing) -> Callable[[str], bool]:
    """A question: is this in the hub's log since now?"""
    start = len(hub.said())
    return lambda name: wait_for(lambda: name in hub.said()[start:])


def docked(hub: Wing, device: DockedDevice) -> None:
    device.seat(hub.lines[0].fd)
    assert wait_for(lambda: bool(device.statuses)), hub.said()[-2000:]


def content(by: DockedDevice, **changes: object) -> Content:
    values: dict[str, object] = {
        "kind": "post", "device": by.keys.id, "counter": 900, "learner": by.learner, "group": "reading",
        "parent": None, "text": "hi", "blob": None,
    }  # fmt: skip
    values.update(changes)
    return Content(**values)  # type: ignore[arg-type]


# the wire


class Forger:
    """A link of its own on the wire and, above it, any bytes: a program that speaks our frames and nothing else."""

    def __init__(self, fd: int) -> None:
        self.link = Link(os.urandom(8))
        self.raw = b""  # wire bytes, sent as they are
        self.downs = 0
        self._fd = fd
        os.set_blocking(fd, False)

    def turn(self) -> None:
        try:
            self.link.receive(os.read(self._fd, 65536), now_ms())
        except OSError:
            pass
        while (event := self.link.next_event()) is not None:
            self.downs += event[0] == "down"
        data, self.raw = self.link.to_send(now_ms()) + self.raw, b""
        if data:
            os.write(self._fd, data)
        time.sleep(0.002)

    def until(self, condition: Callable[[], object], seconds: float = WAIT_S_MAX) -> bool:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.turn()
        return bool(condition())


def test_noise_on_a_wire_is_dropped_counted_and_named(hub: Wing, mallory: DockedDevice) -> None:
    said = fresh(hub)
    dice = random.Random(11)
    for _ in range(40):
        os.write(hub.lines[0].fd, dice.randbytes(dice.randrange(1, 2000)))
    assert said("wire left: FrameDamaged")


def test_truncated_and_repeated_frames_cost_time_and_nothing_else(hub: Wing, mallory: DockedDevice) -> None:
    class Stutterer(DockedDevice):
        """Everything goes over the wire twice, and now and then one half of it in between."""

        def _begin(self) -> None:
            super()._begin()
            assert self.stack is not None
            honest, dice = self.stack.to_send, random.Random(12)

            def twice(now: int) -> bytes:
                data = honest(now)
                torn = data[: len(data) // 2] + b"\0" if data and dice.random() < 0.3 else b""
                return data + torn + data

            self.stack.to_send = twice  # type: ignore[method-assign]

    device = Stutterer(WING, mallory.keys, mallory.hub_x25519, "ann")
    said = fresh(hub)
    items = [device.write("reading", f"said twice, {n}") for n in range(5)]
    device.seat(hub.lines[0].fd)
    try:
        assert wait_for(lambda: set(items) <= set(device.acked)), hub.said()[-2000:]
        assert sorted(device.acked) == sorted(items), "each acknowledged once"
    finally:
        device.lift()
    assert said("wire left: FrameDamaged")
    with hub.wing.store.read() as tx:
        count = tx.execute("SELECT COUNT(*) FROM items WHERE device = ?", (device.keys.id,)).fetchone()[0]
    assert count == len(items)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"\x77 nothing that begins a session", "unknown handshake pattern"),
        (b"\x02\xff\xff" + bytes(40), "record of an impossible length"),
        (b"\x02\x00\x60" + bytes(96), "handshake refused"),
    ],
    ids=["no-pattern", "impossible-length", "no-handshake"],
)
def test_bytes_that_open_no_session_are_refused_by_name(
    hub: Wing, mallory: DockedDevice, stream: bytes, why: str
) -> None:
    said = fresh(hub)
    forger = Forger(hub.lines[0].fd)
    assert forger.until(lambda: forger.link.up)
    forger.link.write(stream)
    assert forger.until(lambda: forger.downs)
    assert said(f"refused left: SessionRefused: {why}")


def test_whole_frames_of_nonsense_end_the_connection_by_name(hub: Wing, mallory: DockedDevice) -> None:
    said = fresh(hub)
    forger = Forger(hub.lines[0].fd)
    assert forger.until(lambda: forger.link.up)
    forger.raw = b"\0" + frame.encode(b"\x63 no such kind") * (LINK_REFUSALS_MAX + 2)
    assert forger.until(lambda: forger.downs)
    # before a session there is none to end: the link starts anew and the frames are named
    assert said("wire left: FrameRefused")


def test_a_recorded_docking_played_again_is_refused_and_hands_over_nothing(hub: Wing, mallory: DockedDevice) -> None:
    recorded = bytearray()
    begin = mallory._session

    def recording() -> object:
        session = begin()
        honest = session.to_send

        def to_send() -> bytes:
            data = honest()
            recorded.extend(data)
            return data

        session.to_send = to_send  # type: ignore[method-assign]
        return session

    mallory._session = recording  # type: ignore[method-assign,assignment]
    item = mallory.write("reading", "once")
    docked(hub, mallory)
    assert wait_for(lambda: item in mallory.acked)
    mallory.lift()
    said = fresh(hub)
    before = hub.said().count(" docked left ")
    forger = Forger(hub.lines[0].fd)
    assert forger.until(lambda: forger.link.up)
    forger.link.write(bytes(recorded))
    assert forger.until(lambda: forger.downs)
    assert said("refused left: SessionRefused: record does not belong to this session")
    assert hub.said().count(" docked left ") == before


# packets


def test_a_packet_or_an_envelope_over_its_size_is_refused_by_name(hub: Wing, mallory: DockedDevice) -> None:
    docked(hub, mallory)
    mallory.say("envelope", bytes(SEALED_BYTES_MAX + 1))
    assert wait_for(lambda: "EnvelopeRefused" in hub.refused(mallory))
    item = mallory.write("reading", "the docking goes on")
    assert wait_for(lambda: item in mallory.acked)
    said = fresh(hub)
    topic = topics.own(topics.UP, "envelope").encode()
    body = len(topic).to_bytes(2, "big") + topic
    length = PACKET_BYTES_MAX + 1
    mallory.raw.append(b"\x30" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + body)
    assert said("refused left: MqttError")
    assert wait_for(lambda: len(mallory.downs) > 0)


def test_another_devices_client_id_gives_nothing_of_that_device(hub: Wing, mallory: DockedDevice) -> None:
    """On a broker a client id that comes twice throws the first out; here it is the key that says who one is."""
    mallory.auto = False
    ben = hub.ben.keys.id
    mallory.seat(hub.lines[0].fd)
    assert wait_for(mallory.connected.is_set)
    hello = Hello(device=mallory.keys.id, list_version=0, roster_version=0, journal_next=1, outbox=0, software="t")
    own = topics.own(topics.UP, "hello")
    mallory.raw.append(mqtt.connect(ben.hex(), 30) + mqtt.publish(own, hello.encode()))
    assert wait_for(lambda: has_list(hub, mallory)), "it is served as itself"
    hub.carries_on()
    said = fresh(hub)
    mallory.raw.append(mqtt.subscribe(1, [(topics.prefix(WING, ben) + topics.own_filter(topics.DOWN), 0)]))
    assert said("refused left: SubscriptionForeign")


def has_list(hub: Wing, device: DockedDevice) -> bool:
    with hub.wing.store.read() as tx:
        row = tx.execute("SELECT list_version FROM devices WHERE device = ?", (device.keys.id,)).fetchone()
    return row is not None and int(row[0]) > 0


# records


def test_a_record_that_is_not_the_one_right_encoding_is_refused_by_name(hub: Wing, mallory: DockedDevice) -> None:
    docked(hub, mallory)
    assert mallory.list is not None and mallory.roster is not None
    right = Hello(
        device=mallory.keys.id, list_version=mallory.list.version, roster_version=mallory.roster.version,
        journal_next=1, outbox=0, software="t",
    ).encode()  # fmt: skip
    assert right[0] == 0xA6
    lists = sum(kind == "list" for kind, _ in mallory.messages)
    mallory.say("hello", b"\xb8\x06" + right[1:])  # the same map, its length written in two bytes
    mallory.say("hello", right + b"\0")
    mallory.say("hello", right[:-1])
    mallory.say("receipt", b"\xbf\xff")  # a map without a length
    reasons = (
        "HelloRefused: encoding: an argument that is not as short",
        "HelloRefused: encoding: 1 bytes after the item",
        "HelloRefused: encoding: the input ends inside an item",
        "SignedRefused: an indefinite length",
    )
    assert wait_for(lambda: all(reason in hub.refused(mallory) for reason in reasons)), hub.refused(mallory)
    assert sum(kind == "list" for kind, _ in mallory.messages) == lists, "what was refused was not answered"
    mallory.say("hello", right)
    assert wait_for(lambda: sum(kind == "list" for kind, _ in mallory.messages) == lists + 1)


def test_forged_and_replayed_envelopes_are_refused_by_name_and_leave_no_item(hub: Wing, mallory: DockedDevice) -> None:
    theirs = hub.ben.write("reading", "ben's own words")
    assert wait_for(lambda: theirs in hub.ben.acked)
    with hub.wing.store.read() as tx:
        replayed = bytes(tx.execute("SELECT sealed FROM envelopes WHERE item = ?", (theirs,)).fetchone()[0])
    first = mallory.seal(content(mallory, text="one"))
    flipped = bytearray(mallory.seal(content(mallory, counter=901)))
    flipped[-1] ^= 1
    stranger = DockedDevice(WING, DeviceKeys(), mallory.hub_x25519, "ann")
    signed_by_another = envelope.make(
        content(mallory, counter=902), stranger.keys.seed, stranger.keys.ed25519, mallory.keys.x_private,
        mallory.hub_x25519, os.urandom,
    )  # fmt: skip
    attempts = {
        "EnvelopeForeign": replayed,
        "EnvelopeRefused": bytes(flipped),
        "SignatureRefused": signed_by_another,
        "CounterReused": mallory.seal(content(mallory, text="two")),
    }
    docked(hub, mallory)
    mallory.say("envelope", first)
    mallory.say("envelope", first)
    assert wait_for(lambda: mallory.acked.count(envelope.item_id(first)) == 2), "the same again is acknowledged again"
    for name, sealed in attempts.items():
        mallory.say("envelope", sealed)
        item = envelope.item_id(sealed)
        assert wait_for(lambda item=item: item in mallory.refused), name
        assert mallory.refused[item] == name and name in hub.refused(mallory)
    with hub.wing.store.read() as tx:
        rows = tx.execute("SELECT id FROM items WHERE device = ?", (mallory.keys.id,)).fetchall()
    assert [bytes(row["id"]) for row in rows] == [envelope.item_id(first)], "one item, of the one honest envelope"


def test_a_device_that_lies_about_who_it_is_is_held_to_its_key(hub: Wing, mallory: DockedDevice) -> None:
    docked(hub, mallory)
    lies = [
        mallory.seal(content(mallory, counter=910, device=hub.ben.keys.id)),
        mallory.seal(content(mallory, counter=911, learner="ben")),
        mallory.seal(content(mallory, counter=912, device=hub.ben.keys.id, learner="ben")),
    ]
    for sealed in lies:
        mallory.say("envelope", sealed)
        item = envelope.item_id(sealed)
        assert wait_for(lambda item=item: item in mallory.refused)
        assert mallory.refused[item] == "EnvelopeRefused" and hub.wing.item(item) is None
    hello = Hello(device=hub.ben.keys.id, list_version=0, roster_version=0, journal_next=1, outbox=0, software="t")
    mallory.say("hello", hello.encode())
    assert wait_for(lambda: "HelloForeign" in hub.refused(mallory))


def test_a_file_that_is_no_video_comes_back_by_name_and_holds_nobody_up(hub: Wing, mallory: DockedDevice) -> None:
    dice = random.Random(13)
    false = [
        mallory.record("reading", b"\x1a\x45\xdf\xa3" + dice.randbytes(30_000)),  # begins as WebM does
        mallory.record("reading", dice.randbytes(20_000)),
        mallory.record("reading", b"#!/bin/sh\necho hello\n"),
    ]
    docked(hub, mallory)
    assert wait_for(lambda: set(false) <= set(mallory.acked)), "custody is of bytes, not of what they are"
    hub.carries_on()
    assert wait_for(lambda: all(getattr(hub.wing.item(one), "state", "") == "refused" for one in false))
    for one in false:
        assert getattr(hub.wing.item(one), "refusal", "") == "NotAVideo"
        with hub.wing.store.read() as tx:
            assert tx.execute("SELECT 1 FROM log WHERE item = ? AND detail LIKE '%NotAVideo%'", (one,)).fetchone()
    told = wait_for(lambda: all(mallory.refused.get(one) == "NotAVideo" for one in false))
    assert told, "the author's device is told"
    assert "the jail is sound" in hub.said(), "none was decoded before the jail was seen to hold"


def test_a_device_that_floods_its_bay_is_closed_and_the_other_learner_keeps_writing(
    hub: Wing, mallory: DockedDevice
) -> None:
    docked(hub, mallory)
    said = fresh(hub)
    mallory.raw.append(mqtt.pingreq() * 20_000)
    hub.carries_on()
    assert said("refused left: RateRefused")
    assert wait_for(lambda: len(mallory.downs) > 0)
