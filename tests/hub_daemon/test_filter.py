"""The filter of one bay: whatever a device writes, the broker sees only this device's own, rewritten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_daemon.broker import Account
from hub_daemon.filter import BayFilter, FilterRefused
from protocol import mqtt
from protocol.errors import Refusal
from protocol.mqtt import Connect, MqttError, Publish, Subscribe, Unsubscribe, parse

DEVICE = bytes.fromhex("0123456789abcdef")
OTHER = "fedcba9876543210"
OWN = f"wing/a-wing/device/{DEVICE.hex()}"


def a_filter() -> BayFilter:
    return BayFilter("a-wing", DEVICE, Account("bay", "secret"))


def connected() -> BayFilter:
    made = a_filter()
    made.from_device(mqtt.connect("me", 30), 0)
    return made


def packets(data: bytes) -> list[object]:
    buffer = bytearray(data)
    found = []
    while buffer:
        packet = parse(buffer)
        assert packet is not None, "the filter let half a packet through"
        found.append(packet)
    return found


def test_the_connect_is_rewritten_whatever_the_device_says() -> None:
    lie = Connect("hub", 0, False, "exchange", b"guess", ("wing/a-wing/hub/health", b"gone", 1, True))
    (made,) = packets(a_filter().from_device(lie.encode(), 0))
    assert isinstance(made, Connect)
    assert (made.client_id, made.username, made.password) == (DEVICE.hex(), "bay", b"secret")
    assert made.clean and made.will is None and 0 < made.keepalive_s <= 60


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("SecondConnect", mqtt.connect("me", 30)),
        ("TopicForeign", mqtt.publish(f"wing/a-wing/device/{OTHER}/up/hello", b"")),
        ("TopicForeign", mqtt.publish("down/list", b"")),
        ("TopicForeign", mqtt.publish("up/secret", b"")),
        ("TopicForeign", mqtt.publish("up/hello/", b"")),
        ("TopicForeign", mqtt.publish(OWN + "/up/hello", b"")),
        ("TopicForeign", mqtt.publish("wing/b-wing/device/0123456789abcdef/up/hello", b"")),
        ("TopicForeign", mqtt.publish("wing/a-wing/hub/health", b"")),
        ("TopicForeign", mqtt.publish("$SYS/x", b"")),
        ("RetainRefused", mqtt.publish("up/hello", b"", 0, True)),
        ("QosRefused", mqtt.publish("up/hello", b"", 2, False, 1)),
        ("QosRefused", mqtt.Acknowledge(mqtt.PUBREL, 1).encode()),
        ("QosRefused", mqtt.subscribe(1, [("down/#", 2)])),
        ("SubscriptionForeign", mqtt.subscribe(1, [("#", 0)])),
        ("SubscriptionForeign", mqtt.subscribe(1, [("down/#", 0), ("wing/a-wing/#", 0)])),
        ("SubscriptionForeign", mqtt.subscribe(1, [("up/#", 0)])),
        ("SubscriptionForeign", mqtt.subscribe(1, [("+/list", 0)])),
        ("SubscriptionForeign", mqtt.subscribe(1, [(OWN + "/down/#", 0)])),
        ("SubscriptionForeign", mqtt.unsubscribe(1, [f"wing/a-wing/device/{OTHER}/down/#"])),
        ("PacketForeign", mqtt.connack(0)),
        ("PacketForeign", mqtt.suback(1, [0])),
        ("MqttError", b"\x30\xff\xff\xff\x7f"),
        ("MqttError", b"\xf0\x00"),
    ],
)
def test_everything_that_is_not_the_devices_own_is_refused_by_name(name: str, packet: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        connected().from_device(packet, 0)
    assert refused.value.name == name


def test_nothing_comes_before_the_connect_or_after_the_disconnect() -> None:
    with pytest.raises(FilterRefused) as refused:
        a_filter().from_device(mqtt.publish("up/hello", b""), 0)
    assert refused.value.name == "FirstConnect"
    with pytest.raises(FilterRefused) as refused:
        connected().from_device(mqtt.disconnect() + mqtt.pingreq(), 0)
    assert refused.value.name == "AfterDisconnect"


def traffic(before: str) -> bytes:
    return (
        mqtt.subscribe(1, [(before + "down/#", 0)])
        + mqtt.subscribe(2, [(before + "down/+", 1), (before + "down/list", 0)])
        + mqtt.publish(before + "up/envelope", b"x" * 6000)
        + mqtt.publish(before + "up/want", b"y", 1, False, 9)
        + mqtt.pingreq()
        + mqtt.unsubscribe(3, [before + "down/#"])
        + mqtt.disconnect()
    )


def test_a_devices_own_traffic_passes_under_its_name_one_byte_at_a_time() -> None:
    said = traffic("")
    made = connected()
    passed = b"".join(made.from_device(said[n : n + 1], 0) for n in range(len(said)))
    assert passed == traffic(OWN + "/")


def test_more_packets_than_any_honest_device_sends_are_refused() -> None:
    made = connected()
    with pytest.raises(FilterRefused) as refused:
        made.from_device(mqtt.pingreq() * 3000, 1)
    assert refused.value.name == "RateRefused"
    made = connected()
    for second in range(1, 60):
        made.from_device(mqtt.pingreq() * 900, second * 1000)


def test_what_comes_from_the_broker_is_held_to_the_device_too() -> None:
    made = connected()
    answers = mqtt.connack(0) + mqtt.suback(1, [0]) + mqtt.pingresp()
    fine = answers + mqtt.publish(OWN + "/down/list", b"l")
    assert made.from_broker(fine) == answers + mqtt.publish("down/list", b"l")
    for bad in (
        mqtt.publish(f"wing/a-wing/device/{OTHER}/down/list", b"l"),
        mqtt.publish(OWN + "/up/hello", b""),
        mqtt.publish("down/list", b"l"),
        mqtt.publish("wing/b-wing/device/0123456789abcdef/down/list", b"l"),
        mqtt.publish(OWN + "/down/list", b"", 0, True),
        mqtt.connect("x", 1),
    ):
        with pytest.raises(FilterRefused):
            connected().from_broker(bad)


LEVELS = st.sampled_from(
    [
        "wing",
        "a-wing",
        "b-wing",
        "device",
        DEVICE.hex(),
        OTHER,
        "up",
        "down",
        "hello",
        "list",
        "#",
        "+",
        "",
        "hub",
        "$SYS",
    ]
)
OWN_TOPICS = st.sampled_from(["up/hello", "up/chunk", "down/list", "down/#", "down/+"])
TOPICS = OWN_TOPICS | st.lists(LEVELS, min_size=1, max_size=7).map("/".join)


def _packet(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 5))
    topic = draw(TOPICS) or "x"
    try:
        if kind == 0:
            return mqtt.publish(topic, draw(st.binary(max_size=40)), draw(st.integers(0, 2)), draw(st.booleans()), 1)
        if kind == 1:
            return mqtt.subscribe(1, [(topic, draw(st.integers(0, 2)))])
        if kind == 2:
            return mqtt.unsubscribe(1, [topic])
        if kind == 3:
            return Connect(draw(st.text(max_size=8)), 5, True, "operator", b"x", (topic, b"w", 0, True)).encode()
        if kind == 4:
            return draw(st.sampled_from([mqtt.pingreq(), mqtt.disconnect(), mqtt.connack(0), mqtt.pingresp()]))
    except Exception:
        return b""
    return draw(st.binary(max_size=20))


@given(st.data())
def test_whatever_arrives_only_the_devices_own_ever_passes(data: st.DataObject) -> None:
    made = a_filter()
    said = mqtt.connect("x", 1) if data.draw(st.booleans()) else b""
    said += b"".join(_packet(data.draw) for _ in range(data.draw(st.integers(1, 5))))
    passed = b""
    at = 0
    try:
        while at < len(said):
            step = data.draw(st.integers(1, 64))
            passed += made.from_device(said[at : at + step], 0)
            at += step
    except (FilterRefused, MqttError):
        pass
    for place, packet in enumerate(packets(passed)):
        assert isinstance(packet, Connect) == (place == 0)
        if isinstance(packet, Connect):
            assert packet.client_id == DEVICE.hex() and packet.will is None and packet.username == "bay"
        elif isinstance(packet, Publish):
            assert packet.topic.startswith(OWN + "/up/") and not packet.retain and packet.qos < 2
        elif isinstance(packet, Subscribe):
            assert all(pattern.startswith(OWN + "/down/") for pattern, _ in packet.filters)
        elif isinstance(packet, Unsubscribe):
            assert all(pattern.startswith(OWN + "/down/") for pattern in packet.filters)
