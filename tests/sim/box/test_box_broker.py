"""The simulated broker by itself: its order, its bounds, and the faults that the world injects."""

from __future__ import annotations

import pytest

from hub_daemon.filter import BayFilter
from hub_daemon.limits import BROKER_PACKET_BYTES_MAX
from protocol.mqtt import (
    CONNACK,
    PUBACK,
    PUBLISH,
    Acknowledge,
    Connect,
    Publish,
    connect,
    disconnect,
    parse,
    pingreq,
    publish,
    subscribe,
)
from protocol.mqtt import Client as DeviceClient
from sim.box import limits
from sim.box.broker import ACCOUNTS, Broker, Connection

DEVICE = bytes(range(8))
OTHER = bytes(range(8, 16))
HERE = f"wing/w/device/{DEVICE.hex()}"
UP = "wing/w/device/+/up/+"


def packets(connection: Connection) -> list:
    """What waits for this connection, parsed."""
    buffer = bytearray(connection.take())
    found = []
    while (packet := parse(buffer)) is not None:
        found.append(packet)
    assert not buffer
    return found


def dock(broker: Broker, device: bytes = DEVICE, keepalive_s: int = 60, qos: int = 0) -> Connection:
    connection = broker.connect_device()
    account = ACCOUNTS.bay
    connection.send(connect(device.hex(), keepalive_s, account.user, account.password.encode()))
    connection.send(subscribe(1, [(f"wing/w/device/{device.hex()}/down/#", qos)]))
    assert [packet.kind for packet in packets(connection)][0] == CONNACK
    return connection


def payloads(connection: Connection) -> list[bytes]:
    return [packet.payload for packet in packets(connection) if isinstance(packet, Publish)]


def test_a_device_talks_to_the_exchange_through_the_bays_filter() -> None:
    broker = Broker("w")
    heard: list[tuple[str, bytes]] = []
    exchange = broker.client(UP, lambda topic, payload: heard.append((topic, payload)))
    passing = BayFilter("w", DEVICE, broker.accounts.bay)
    connection = broker.connect_device()
    device = DeviceClient("whatever it says", 60)
    device.connect()
    device.subscribe("down/#")
    device.publish("up/hello", b"here")
    while data := device.to_send(0):
        connection.send(passing.from_device(data, 0))
    assert heard == [(f"{HERE}/up/hello", b"here")]
    assert exchange.publish(f"{HERE}/down/list", b"list")
    assert exchange.publish(f"wing/w/device/{OTHER.hex()}/down/list", b"not yours")
    device.receive(passing.from_broker(connection.take()), 0)
    events = []
    while (event := device.next_event()) is not None:
        events.append(event)
    assert events == [("connected",), ("subscribed", "down/#", 0), ("message", "down/list", b"list")]


def test_what_is_published_inside_a_delivery_is_delivered_after_it_and_in_order() -> None:
    broker = Broker("w")
    order: list[str] = []
    inside = False

    def answer(topic: str, payload: bytes) -> None:
        nonlocal inside
        assert not inside
        inside = True
        order.append(payload.decode())
        if payload == b"one":
            first.publish(f"{HERE}/up/a", b"two")
            first.publish(f"{HERE}/up/a", b"three")
            connection.send(publish(f"{HERE}/up/a", b"four"))
        inside = False

    connection = dock(broker)
    first = broker.client(UP, answer)
    broker.client(UP, lambda topic, payload: order.append(payload.decode() + "'"))
    connection.send(publish(f"{HERE}/up/a", b"one"))
    assert order == ["one", "one'", "two", "two'", "three", "three'", "four", "four'"]


def test_an_exchange_that_fails_stops_nothing_behind_it() -> None:
    broker = Broker("w")
    heard: list[bytes] = []

    def hear(topic: str, payload: bytes) -> None:
        heard.append(payload)
        if payload == b"bad":
            raise RuntimeError("a mistake")

    broker.client(UP, hear)
    connection = dock(broker)
    broker.hold(True)
    connection.send(publish(f"{HERE}/up/a", b"bad"))
    connection.send(publish(f"{HERE}/up/a", b"good"))
    with pytest.raises(RuntimeError, match="a mistake"):
        broker.hold(False)
    broker.tick(1)
    assert heard == [b"bad", b"good"]


def test_the_cut_of_the_bytes_makes_no_difference() -> None:
    stream = (
        connect(DEVICE.hex(), 60, "bay", b"") + subscribe(1, [(f"{HERE}/down/#", 1)])
        + publish(f"{HERE}/up/a", b"x" * 200, 1, False, 9) + pingreq() + b"\xf0\x00"
    )  # fmt: skip
    seen = []
    for size in (1, 2, 3, 7, len(stream)):
        broker = Broker("w")
        heard: list[bytes] = []
        broker.client(UP, lambda topic, payload, heard=heard: heard.append(payload))
        connection = broker.connect_device()
        for at in range(0, len(stream), size):
            connection.send(stream[at : at + size])
        seen.append((connection.take(), connection.closed, heard))
    assert all(one == seen[0] for one in seen)
    assert seen[0][1] == "breaks MQTT: reserved packet type or flags" and seen[0][2] == [b"x" * 200]


def test_a_second_connection_of_a_device_ends_the_first() -> None:
    broker = Broker("w")
    first, second = dock(broker), dock(broker)
    assert first.closed == "another connection has its client id" and first.waiting
    first.send(pingreq())
    first.close()
    broker.client("wing/w/#", lambda topic, payload: None).publish(f"{HERE}/down/a", b"1")
    assert payloads(second) == [b"1"] and first.take() == b"" and not second.closed


def test_a_silent_connection_ends_at_one_and_a_half_keep_alives() -> None:
    broker = Broker("w")
    stranger = broker.connect_device()
    connection = dock(broker, keepalive_s=10)
    patient = dock(broker, OTHER, keepalive_s=0)
    broker.tick(14_999)
    connection.send(pingreq())
    connection.send(pingreq()[:1])  # half a packet is no sign of life
    assert broker.next_deadline() == 29_999
    broker.tick(29_998)
    assert not connection.closed
    broker.tick(29_999)
    assert connection.closed == "silent for longer than its keep-alive"
    assert not stranger.closed and broker.next_deadline() == 90_000
    broker.tick(90_000)
    assert stranger.closed and not patient.closed and broker.next_deadline() is None


def test_a_held_broker_delivers_later_everything_in_order() -> None:
    broker = Broker("w")
    heard: list[bytes] = []
    exchange = broker.client(UP, lambda topic, payload: heard.append(payload))
    connection = dock(broker, keepalive_s=10)
    broker.hold(True)
    connection.send(publish(f"{HERE}/up/a", b"1", 1, False, 1))
    exchange.publish(f"{HERE}/down/a", b"2")
    connection.send(publish(f"{HERE}/up/a", b"3"))
    broker.tick(60_000)
    assert heard == [] and connection.take() == b"" and not connection.closed
    broker.hold(False)
    assert heard == [b"1", b"3"]
    assert [packet.kind for packet in packets(connection)] == [PUBACK, PUBLISH]
    broker.tick(60_001)
    assert not connection.closed


def test_what_is_sent_to_a_held_broker_is_bounded() -> None:
    broker = Broker("w")
    connection = dock(broker)
    broker.hold(True)
    packet = publish(f"{HERE}/up/a", bytes(30_000))
    for _ in range(limits.BROKER_HELD_BYTES_MAX // len(packet) + 1):
        connection.send(packet)
    assert connection.closed == "the broker does not read what is sent" and connection.waiting


def test_bytes_sent_before_hanging_up_are_read_and_a_will_is_said() -> None:
    broker = Broker("w")
    heard: list[bytes] = []
    broker.client(UP, lambda topic, payload: heard.append(payload))
    for last in (b"", disconnect()):
        connection = broker.connect_device()
        will = (f"{HERE}/up/will", b"will", 0, False)
        connection.send(Connect(DEVICE.hex(), 60, True, "bay", b"", will).encode())
        broker.hold(True)
        connection.send(publish(f"{HERE}/up/a", b"last") + last)
        connection.close()
        broker.hold(False)
        assert connection.take() == b"" and connection.closed == "hung up" and not connection.waiting
    assert heard == [b"last", b"will", b"last"]


def test_duplicates_are_of_the_next_publishes_and_of_no_other() -> None:
    broker = Broker("w")
    heard: list[bytes] = []
    exchange = broker.client(UP, lambda topic, payload: heard.append(payload))
    connection = dock(broker, qos=1)
    broker.duplicate_next(2)
    for number in range(4):
        connection.send(publish(f"{HERE}/up/a", b"%d" % number, number and 1, False, number))
    assert heard == [b"0", b"1", b"1", b"2", b"2", b"3"] and broker.duplicates_left == 0
    packets(connection)
    broker.duplicate_next(1, qos_min=0)
    exchange.publish(f"{HERE}/down/a", b"down")
    exchange.publish(f"{HERE}/down/a", b"once")
    assert payloads(connection) == [b"down", b"down", b"once"]


def test_a_full_broker_drops_and_acknowledges() -> None:
    broker = Broker("w")
    heard: list[bytes] = []
    broker.client(UP, lambda topic, payload: heard.append(payload))
    connection = dock(broker)
    broker.drop_next(1)
    connection.send(publish(f"{HERE}/up/a", b"1", 1, False, 1) + publish(f"{HERE}/up/a", b"2", 1, False, 2))
    assert heard == [b"2"] and broker.dropped == 1
    assert [packet.kind for packet in packets(connection)] == [PUBACK, PUBACK]


def test_a_restart_ends_everything_and_forgets_what_was_retained() -> None:
    broker = Broker("w")
    ends: list[str] = []
    heard: list[bytes] = []
    exchange = broker.client("wing/w/#", lambda topic, payload: heard.append(payload), ends.append)
    exchange.publish("wing/w/hub/health", b"{}", retain=True)
    connection = dock(broker)
    broker.hold(True)
    connection.send(publish(f"{HERE}/up/a", b"in the way"))
    broker.restart()
    broker.hold(False)
    assert ends == ["the broker restarted"] == [exchange.closed] == [connection.closed]
    assert heard == [b"{}"]
    assert not exchange.publish(f"{HERE}/down/a", b"lost")
    exchange.reconnect()
    again = dock(broker)
    assert exchange.publish(f"{HERE}/down/a", b"not lost") and payloads(again) == [b"not lost"]
    assert heard == [b"{}", b"not lost"]


def test_a_restart_in_the_middle_of_a_delivery_delivers_nothing_more() -> None:
    broker = Broker("w")
    heard: list[bytes] = []
    broker.client(UP, lambda topic, payload: broker.restart())
    broker.client(UP, lambda topic, payload: heard.append(payload))
    connection = dock(broker)
    connection.send(publish(f"{HERE}/up/a", b"1", 1, False, 1) + publish(f"{HERE}/up/a", b"2"))
    assert heard == [] and connection.closed == "the broker restarted" and connection.take() == b""


def test_a_consumer_that_takes_nothing_is_closed_by_name_and_stops_nobody() -> None:
    broker = Broker("w")
    exchange = broker.client(UP, lambda topic, payload: None)
    slow, other = dock(broker), dock(broker, OTHER)
    chunk = bytes(4096)
    for _ in range(limits.BROKER_CONSUMER_BYTES_MAX // 4096):
        exchange.publish(f"{HERE}/down/chunk", chunk)
    assert slow.closed == "slow consumer" and slow.waiting
    exchange.publish(f"wing/w/device/{OTHER.hex()}/down/a", b"1")
    assert payloads(other) == [b"1"] and not other.closed


def test_a_client_that_acknowledges_nothing_has_a_bounded_queue() -> None:
    broker = Broker("w")
    exchange = broker.connect_operator()
    exchange.send(connect("exchange", 60, "exchange", b""))
    connection = dock(broker, qos=1)
    total = limits.BROKER_INFLIGHT_MAX + limits.BROKER_QUEUED_MAX
    for number in range(total + 5):
        exchange.send(publish(f"{HERE}/down/a", b"%d" % number, 1, False, number + 1))
    assert broker.dropped == 5
    got = []
    while flight := packets(connection):
        assert len(flight) <= limits.BROKER_INFLIGHT_MAX
        got += [int(packet.payload) for packet in flight]
        for packet in flight:
            connection.send(Acknowledge(PUBACK, packet.packet_id).encode())
    assert got == list(range(total))


def test_a_message_beyond_the_brokers_packet_ends_its_publisher() -> None:
    broker = Broker("w")
    exchange = broker.client(UP, lambda topic, payload: None)
    topic = "wing/w/hub/health"
    assert exchange.publish(topic, bytes(BROKER_PACKET_BYTES_MAX - len(topic) - 3))
    assert not exchange.publish(topic, bytes(BROKER_PACKET_BYTES_MAX - len(topic) - 2))
    assert exchange.closed == "a packet is too long for the broker"


def test_waking_is_said_once_until_something_is_taken() -> None:
    broker = Broker("w")
    woken: list[int] = []
    connection = broker.connect_device(lambda: woken.append(1))
    connection.send(connect(DEVICE.hex(), 60, "bay", b"") + pingreq())
    assert len(woken) == 1
    connection.take()
    connection.send(pingreq())
    assert len(woken) == 2
    connection.take()
    broker.restart()
    assert len(woken) == 3 and connection.waiting
