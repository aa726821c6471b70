"""The simulated broker against the real mosquitto, as the hub runs it: the same bytes in, the same packets out.

What each client receives is compared packet by packet, and whether it was closed. Two things are a broker's own choice
and are not: the numbers of its packet identifiers (compared by their order), and in which order it sends the retained
messages of different topics (compared sorted). A PINGREQ behind every step says when mosquitto has done it.

What the simulated broker does not simulate is in STRICTER and STRICTER_FIRST, and each of them is sent to both.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_daemon.broker.mosquitto import Mosquitto, find_program
from protocol.mqtt import (
    CONNACK,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Acknowledge,
    Connect,
    Subscribe,
    connack,
    disconnect,
    publish,
    suback,
    subscribe,
    unsuback,
    unsubscribe,
)
from tests.kits.two_brokers import (
    ACCOUNTS,
    CLIENTS,
    FILTERS,
    TOPICS,
    B,
    Real,
    RealBroker,
    SimulatedBroker,
    Step,
    hello,
    play,
)

pytestmark = pytest.mark.skipif(not find_program(), reason="mosquitto is not installed")


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    program = find_program()
    assert program is not None
    broker = Mosquitto(tmp_path_factory.mktemp("broker"), "w", lambda what, words: None, program)
    broker.accounts = ACCOUNTS
    try:
        asyncio.run_coroutine_threadsafe(broker.start(), loop).result(30)
        yield RealBroker(broker)
        assert broker.restarts == 0
    finally:
        asyncio.run_coroutine_threadsafe(broker.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def silent(mosquitto: RealBroker) -> Iterator[Real]:
    """A client of mosquitto with a keep-alive of 1 s that says no more: it looks at those every five seconds."""
    end = mosquitto.connect("b")
    account = ACCOUNTS.bay
    end.say(Connect("silent", 1, True, account.user, account.password.encode(), None).encode())
    assert not end.closed
    yield end


def compare(mosquitto: RealBroker, steps: list[Step]) -> list[tuple[str, list[tuple], bool]]:
    try:
        real = play(mosquitto, steps)
    finally:
        mosquitto.clean()
    assert play(SimulatedBroker(), steps) == real
    return real


OPEN = [("open", who) for who in CLIENTS]

# fixed sequences

X, D = TOPICS[0], TOPICS[1]
LONG = publish(D, bytes(range(256)) * 100) + publish(D, b"behind it")
FIXED: dict[str, list[Step]] = {
    "overlapping filters give a message once": [
        *OPEN,
        ("say", "exchange", subscribe(1, [("wing/w/#", 1), ("wing/w/hub/+", 0), ("#", 0), ("wing/w/hub/h", 1)])),
        ("say", "exchange", publish("wing/w/hub/h", b"1", 1, False, 5)),
        ("say", "exchange", unsubscribe(2, ["wing/w/hub/h"])),
        ("say", "exchange", publish("wing/w/hub/h", b"2", 1, False, 6)),
        ("say", "exchange", unsubscribe(3, ["wing/w/hub/+", "never asked for"])),
        ("say", "exchange", publish("wing/w/hub/h", b"3", 1, False, 7)),
    ],
    "the same filter again changes its QoS and keeps its place": [
        *OPEN,
        ("say", "a", subscribe(1, [(D, 0)]) + subscribe(2, [(D, 1)])),
        ("say", "exchange", publish(D, b"1", 1, False, 1)),
        ("say", "a", subscribe(3, [(D, 0)])),
        ("say", "exchange", publish(D, b"2", 1, False, 2)),
    ],
    "retained messages follow the SUBACK, change, and are deleted": [
        *OPEN,
        ("say", "exchange", publish("wing/w/hub/h", b"1", 1, True, 1) + publish("wing/w/hub/h/deep", b"2", 0, True)),
        ("say", "operator", subscribe(1, [("wing/w/hub/#", 1)])),
        ("say", "exchange", publish("wing/w/hub/h", b"3", 0, True)),
        ("say", "operator", subscribe(2, [("wing/w/hub/#", 0)])),
        ("say", "exchange", publish("wing/w/hub/h", b"", 0, True)),
        ("say", "operator", subscribe(3, [("wing/w/hub/+", 0), ("wing/#", 0)])),
        ("say", "operator", publish("wing/w/hub/h", b"not allowed", 0, True)),
        ("say", "exchange", subscribe(4, [("#", 1)])),
    ],
    "a bay hears and says only what is its device's": [
        *OPEN,
        ("say", "exchange", subscribe(1, [("#", 1)])),
        ("say", "a", subscribe(1, [("#", 1), (f"wing/w/device/{B}/down/#", 1)])),
        *(("say", "a", publish(topic, b"a", 1, False, 9) + publish(topic, b"r", 0, True)) for topic in TOPICS),
        *(("say", "exchange", publish(topic, b"x", 1, False, 9)) for topic in TOPICS),
        ("say", "a", subscribe(2, [("wing/w/device/+/up/x", 0)])),
    ],
    "QoS 1 waits for its PUBACK, 20 in flight, and QoS 0 overtakes": [
        *OPEN,
        ("say", "a", subscribe(1, [(D, 1)])),
        ("say", "exchange", b"".join(publish(D, b"%d" % n, 1, False, n + 1) for n in range(40))),
        ("say", "exchange", publish(D, b"at once")),
        *[("acknowledge", "a")] * 45,
        ("say", "exchange", publish(D, b"last", 1, False, 1)),
    ],
    "a queue holds 1020 and drops what is more": [
        *OPEN,
        ("say", "a", subscribe(1, [(D, 1)])),
        *(("say", "exchange", b"".join(publish(D, b"%d" % n, 1, False, n + 1) for n in range(at, at + 110)))
          for at in range(0, 1100, 110)),
        *[("acknowledge", "a")] * 1025,
        ("say", "exchange", publish(D, b"last", 1, False, 1)),
    ],
    "who comes second takes over, and the first one's will is said": [
        *OPEN,
        ("say", "exchange", subscribe(1, [("wing/w/device/+/up/+", 1)])),
        ("open", "a", (X, b"will 1", 1, True)),
        ("say", "a", subscribe(1, [(D, 0)])),
        ("open", "a", (TOPICS[4], b"will 2, not allowed", 0, False)),
        ("say", "exchange", publish(D, b"nobody hears", 0)),
        ("open", "a", (X, b"will 3", 0, False)),
        ("hang up", "a"),
        ("open", "a", (X, b"will 4", 0, False)),
        ("say", "a", disconnect()),
        ("open", "a", (X, b"will 5", 0, False)),
        ("say", "a", b"\xf0\x00"),
        ("say", "exchange", subscribe(2, [("#", 0)])),
    ],
    "a packet in pieces, and many in one": [
        *OPEN,
        ("say", "a", subscribe(1, [("#", 0)])),
        *(("piece", "exchange", LONG[at : at + 999]) for at in range(0, len(LONG), 999)),
        ("say", "exchange", publish(D, b"") + subscribe(3, [(D, 0)]) + publish(D, b"1", 1, False, 1)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_both_brokers_do_the_same(mosquitto: RealBroker, silent: Real, name: str) -> None:
    outcome = compare(mosquitto, FIXED[name])
    assert sum(len(packets) for _, packets, _ in outcome) >= 8


REFUSED = {
    "a second CONNECT": hello("exchange"),
    "packet type 0": b"\x00\x00",
    "packet type 15": b"\xf0\x00",
    "a CONNACK": connack(0),
    "flags of a SUBSCRIBE": b"\x80" + subscribe(1, [("a", 0)])[1:],
    "a subscription at QoS 3": b"\x82\x06\x00\x01\x00\x01a\x03",
    "a SUBSCRIBE without a filter": b"\x82\x02\x00\x01",
    "packet identifier 0": b"\x82\x06\x00\x00\x00\x01a\x00",
    "a filter with # inside": b"\x82\x07\x00\x01\x00\x02a#\x00",
    "a filter with # before the end": b"\x82\x08\x00\x01\x00\x03#/a\x00",
    "an empty filter": b"\x82\x05\x00\x01\x00\x00\x00",
    "a topic with a wildcard": b"\x30\x05\x00\x03a/#",
    "an empty topic": b"\x30\x02\x00\x00",
    "a PUBLISH at QoS 3": b"\x36\x05\x00\x01a\x00\x01",
    "a PUBLISH with identifier 0": b"\x32\x05\x00\x01a\x00\x00",
    "a PUBLISH cut short": b"\x30\x02\x00\x09",
    "a topic that is not UTF-8": b"\x30\x04\x00\x02\xff\xfe",
    "a topic with a zero": b"\x30\x04\x00\x02a\x00",
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "a packet that is too long": b"\x30\xf1\xff\x7f",
    "a PUBACK with identifier 0": b"\x40\x02\x00\x00",
    "an UNSUBSCRIBE without a filter": b"\xa2\x02\x00\x01",
    "flags of a DISCONNECT": b"\xe1\x00",
    "a DISCONNECT with content": b"\xe0\x01\x00",
}
REFUSED_FIRST = {
    "a wrong password": (Connect("q", 60, True, "exchange", b"guess").encode(), 5),
    "a bay's account on the hub's socket": (Connect("q", 60, True, "bay", b"b-secret").encode(), 5),
    "nobody": (Connect("q", 60).encode(), 5),
    "no password": (Connect("q", 60, True, "exchange").encode(), 5),
    "another protocol": (b"\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a", None),
    "reserved flags": (b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a", None),
    "something before the CONNECT": (subscribe(1, [("a", 0)]), None),
    "a PINGREQ before the CONNECT": (b"", None),
    "a will with a wildcard": (hello("exchange", ("a/#", b"", 0, False)), None),
}
# mosquitto goes on, and the simulated broker closes ...
STRICTER = {
    "DUP at QoS 0": b"\x38" + publish("wing/w/hub/h", b"")[1:],
    "a PINGRESP": b"\xd0\x00",
    "a PINGREQ with content": b"\xc0\x01\x00",
    "flags of a PINGREQ": b"\xc1\x00",
    "a SUBACK": suback(1, [0]),
    "an UNSUBACK": unsuback(1),
    "a PUBREC": Acknowledge(PUBREC, 1).encode(),
    "a PUBREL": Acknowledge(PUBREL, 1).encode(),
    "a PUBCOMP": Acknowledge(PUBCOMP, 1).encode(),
    "a length that is not the shortest": b"\xc0\x80\x00",
    "flags of a PUBACK": b"\x41\x02\x00\x01",
    "a PUBACK with content": b"\x40\x03\x00\x01\x00",
    "more than 16 filters": Subscribe(3, [(f"f{n}", 0) for n in range(17)]).encode(),
    "a topic of more than 128 bytes": b"\x30\x83\x01\x00\x81" + b"a" * 129,
    "a packet of more than 32 KiB": b"\x30\xff\xff\x02" + b"\x00\x01a" + bytes(0xBFFF - 3),
    "a PUBLISH at QoS 2": publish("wing/w/hub/h", b"", 2, False, 1),
    "a subscription at QoS 2": subscribe(1, [("wing/w/hub/h", 2)]),
}
# ... and here mosquitto answers a CONNECT with this code, and the simulated broker with none
STRICTER_FIRST = {
    "a session that is kept": (Connect("kept", 60, False, "exchange", b"e-secret").encode(), 0),
    "another version": (b"\x10\x0d\x00\x04MQTT\x09\x02\x00\x3c\x00\x01a", 1),
    "a kept session of nobody": (Connect("", 60, False, "exchange", b"e-secret").encode(), 2),
}


def test_both_close_at_the_same_bad_packets(mosquitto: RealBroker, silent: Real) -> None:
    for name, data in REFUSED.items():
        outcome = compare(mosquitto, [("open", "exchange"), ("say", "exchange", data)])
        assert outcome == [("exchange", [(CONNACK, 0, False)], True)], name


def test_both_let_in_the_same_clients(mosquitto: RealBroker, silent: Real) -> None:
    for name, (data, code) in REFUSED_FIRST.items():
        for broker in (mosquitto, SimulatedBroker()):
            end = broker.connect("exchange")
            end.say(data)
            assert (end.closed, end.plain()) == (True, [] if code is None else [(CONNACK, code, False)]), name
    for broker in (mosquitto, SimulatedBroker()):
        ends = [broker.connect("exchange") for _ in range(2)]
        for end in ends:
            end.say(hello("exchange", client_id=""))
        for end in ends:  # without a name nobody takes over
            end.say(b"")
            assert (end.closed, end.plain()) == (False, [(CONNACK, 0, False)])
            end.say(disconnect())


def test_the_simulated_broker_is_stricter_in_these_and_says_so(mosquitto: RealBroker, silent: Real) -> None:
    for name, data in STRICTER.items():
        real, simulated = mosquitto.connect("exchange"), SimulatedBroker().connect("exchange")
        for end in (real, simulated):
            end.say(hello("exchange"))
        assert real.goes_on(data), name
        simulated.say(data)
        assert simulated.connection.closed.startswith("breaks MQTT: "), name
        assert simulated.plain() == [(CONNACK, 0, False)]
        real.say(disconnect())
    for name, (data, code) in STRICTER_FIRST.items():
        real, simulated = mosquitto.connect("exchange"), SimulatedBroker().connect("exchange")
        for end in (real, simulated):
            end.say(data)
        assert real.plain() == [(CONNACK, code, False)] and simulated.plain() == [], name
        assert simulated.connection.closed.startswith("breaks MQTT: "), name
        real.say(disconnect())


# sequences that hypothesis makes

qos = st.integers(0, 1)
who = st.sampled_from(list(CLIENTS))
payload = st.sampled_from([b"", b"1", b"two", b"\0" * 300])
wills = st.none() | st.tuples(st.sampled_from(TOPICS), payload, qos, st.booleans())


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    level = draw(qos)
    identifier = draw(st.integers(1, 0xFFFF)) if level else 0
    packet = bytearray(publish(draw(st.sampled_from(TOPICS)), draw(payload), level, draw(st.booleans()), identifier))
    packet[0] |= 8 if level and draw(st.booleans()) else 0  # said again, says the client
    return bytes(packet)


filters = st.lists(st.tuples(st.sampled_from(FILTERS), qos), min_size=1, max_size=4)
said = (
    messages()
    | st.builds(subscribe, st.integers(1, 0xFFFF), filters)
    | st.builds(unsubscribe, st.integers(1, 0xFFFF), st.lists(st.sampled_from(FILTERS), min_size=1, max_size=3))
    | st.builds(lambda number: Acknowledge(PUBACK, number).encode(), st.integers(1000, 0xFFFF))
)
often = st.tuples(st.just("say"), who, st.lists(said, min_size=1, max_size=3).map(b"".join))
seldom = (
    st.tuples(st.just("open"), who, wills)
    | st.tuples(st.just("hang up"), who)
    | st.tuples(st.just("acknowledge"), who)
    | st.tuples(st.just("say"), who, st.sampled_from([disconnect(), *REFUSED.values()]))
)
steps = st.lists(often | often | often | seldom, min_size=3, max_size=25)


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_whatever_is_said_both_brokers_do_the_same(mosquitto: RealBroker, silent: Real, steps: list[Step]) -> None:
    compare(mosquitto, [*OPEN, *steps])


@pytest.mark.soak
@settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_whatever_is_said_at_length_both_brokers_do_the_same(mosquitto: RealBroker, steps: list[Step]) -> None:
    compare(mosquitto, [*OPEN, *steps])


def test_both_end_a_silent_client(mosquitto: RealBroker, silent: Real) -> None:
    assert silent.socket.recv(1) == b""
    simulated = SimulatedBroker()
    end = simulated.connect("b")
    account = ACCOUNTS.bay
    end.say(Connect("silent", 1, True, account.user, account.password.encode(), None).encode())
    simulated.broker.tick(1500)
    assert end.connection.closed == "silent for longer than its keep-alive"
