"""The MQTT codec under hypothesis: whatever it accepts it would send the same way; nothing else escapes."""

import hypothesis.strategies as st
from hypothesis import given, settings

from protocol import mqtt
from protocol.limits import PACKET_BYTES_MAX
from protocol.mqtt import MqttError

texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)
topics = texts.filter(lambda t: t and "+" not in t and "#" not in t)
filters = st.lists(st.sampled_from(["a", "b", "+", ""]), min_size=2, max_size=5).map("/".join)
ids = st.integers(1, 65535)
packets = st.one_of(
    st.builds(mqtt.Connect, texts, st.integers(0, 65535), st.just(True), texts, st.binary(max_size=30)),
    st.builds(mqtt.Connack, st.integers(0, 5)),
    st.builds(mqtt.Publish, topics, st.binary(max_size=300), st.just(0), st.booleans()),
    st.builds(mqtt.Publish, topics, st.binary(max_size=300), st.sampled_from([1, 2]), st.booleans(), ids),
    st.builds(mqtt.Acknowledge, st.sampled_from([4, 5, 6, 7, 11]), ids),
    st.builds(mqtt.Subscribe, ids, st.lists(st.tuples(filters, st.integers(0, 2)), min_size=1, max_size=5)),
    st.builds(mqtt.Suback, ids, st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1, max_size=5)),
    st.builds(mqtt.Unsubscribe, ids, st.lists(filters, min_size=1, max_size=5)),
    st.builds(mqtt.Bare, st.sampled_from([12, 13, 14])),
)


@given(st.lists(packets, max_size=5), st.lists(st.integers(1, 50), max_size=30))
def test_packets_survive_any_cuts_of_the_stream(sent: list, cuts: list[int]) -> None:
    wire = b"".join(packet.encode() for packet in sent)
    buffer = bytearray()
    got = []
    for cut in [*cuts, len(wire)]:
        buffer += wire[:cut]
        wire = wire[cut:]
        while (packet := mqtt.parse(buffer)) is not None:
            got.append(packet.encode())
    assert got == [packet.encode() for packet in sent]


@settings(max_examples=500)
@given(st.binary(max_size=80) | st.builds(
    lambda head, body: bytes([head, len(body)]) + body, st.integers(0, 255), st.binary(max_size=60)))
def test_any_bytes_are_refused_by_name_or_are_what_we_would_send(data: bytes) -> None:
    buffer = bytearray(data)
    try:
        packet = mqtt.parse(buffer)
    except MqttError:
        return
    if packet is not None:
        assert packet.encode() == data[: len(data) - len(buffer)]


@given(packets, st.data())
def test_a_changed_packet_is_refused_or_still_has_one_encoding(packet: mqtt.Publish, data: st.DataObject) -> None:
    wire = bytearray(packet.encode())
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    buffer = bytearray(wire)
    try:
        got = mqtt.parse(buffer)
    except MqttError:
        return
    if got is not None:
        assert got.encode() == bytes(wire[: len(wire) - len(buffer)])
    else:
        assert len(wire) < PACKET_BYTES_MAX


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40) | packets.map(lambda packet: packet.encode()), max_size=12))
def test_a_client_never_raises_whatever_the_broker_says(parts: list[bytes]) -> None:
    client = mqtt.Client("dev")
    client.connect()
    client.to_send(0)
    for index, part in enumerate(parts):
        client.receive(part, index)
        client.subscribe("a")
        client.publish("b", part)
        client.to_send(index, 100)
    closings = 0
    while (event := client.next_event()) is not None:
        assert closings == 0
        closings += event[0] == "closed"
    assert client.closed == (closings == 1)
