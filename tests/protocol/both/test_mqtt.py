"""MQTT 3.1.1: what the codec makes it reads back, what the standard refuses it refuses, the client keeps its turn."""

from protocol import mqtt
from protocol.mqtt import MqttError


def parse_all(data):
    buffer = bytearray(data)
    packets = []
    packet = mqtt.parse(buffer)
    while packet is not None:
        packets.append(packet)
        packet = mqtt.parse(buffer)
    return packets, bytes(buffer)


def refused(data):
    try:
        parse_all(data)
    except MqttError:
        return True
    return False


def same(packet, other):
    return packet.encode() == other.encode() and type(packet) is type(other)


EVERY_KIND = [
    mqtt.Connect("c0ffee", 60),
    mqtt.Connect("", 0, True, "user", b"pass\x00word", ("gone", b"bye", 1, True)),
    mqtt.Connack(0, True),
    mqtt.Connack(5),
    mqtt.Publish("wing/a/device/00/up/hello", b"\x00\xff"),
    mqtt.Publish("t", b"", 1, True, 7, True),
    mqtt.Publish("t", b"x" * 300, 2, False, 65535),
    mqtt.Acknowledge(mqtt.PUBACK, 1),
    mqtt.Acknowledge(mqtt.PUBREC, 2),
    mqtt.Acknowledge(mqtt.PUBREL, 3),
    mqtt.Acknowledge(mqtt.PUBCOMP, 4),
    mqtt.Subscribe(10, [("a/+/c", 0), ("#", 2)]),
    mqtt.Suback(10, [0, 0x80]),
    mqtt.Unsubscribe(11, ["a/#"]),
    mqtt.Acknowledge(mqtt.UNSUBACK, 11),
    mqtt.Bare(mqtt.PINGREQ),
    mqtt.Bare(mqtt.PINGRESP),
    mqtt.Bare(mqtt.DISCONNECT),
]


def test_every_packet_reads_back_from_a_stream_cut_anywhere():
    stream = b"".join([packet.encode() for packet in EVERY_KIND])
    packets, rest = parse_all(stream)
    assert rest == b"" and len(packets) == len(EVERY_KIND)
    for packet, original in zip(packets, EVERY_KIND):
        assert same(packet, original)
    buffer = bytearray()
    count = 0
    for byte in stream:
        buffer.append(byte)
        while mqtt.parse(buffer) is not None:
            count += 1
    assert count == len(EVERY_KIND) and not buffer


def test_the_wire_bytes_are_those_of_the_standard():
    # the examples of the standard's figures: a CONNECT, a SUBSCRIBE, a PUBLISH with identifier 10
    assert mqtt.connect("ab", 10) == bytes.fromhex("100e00044d515454040200 0a00026162".replace(" ", ""))
    assert mqtt.subscribe(10, [("a/b", 1), ("c/d", 2)]) == bytes.fromhex("820e000a0003612f62010003632f6402")
    assert mqtt.publish("a/b", b"", 1, False, 10) == bytes.fromhex("32070003612f62000a")
    assert mqtt.pingreq() == b"\xc0\x00" and mqtt.pingresp() == b"\xd0\x00" and mqtt.disconnect() == b"\xe0\x00"


def test_malformed_packets_are_refused_by_name():
    bad = {
        "type 0": "0000",
        "type 15": "f000",
        "flags of PINGREQ": "c100",
        "SUBSCRIBE without its flags": "800700010002612f00",
        "PUBREL without its flags": "60020001",
        "QoS 3": "3605000161000162",
        "DUP at QoS 0": "380400016162",
        "identifier 0": "3205000161" + "0000",
        "topic with +": "300300012b",
        "topic with #": "3003000123",
        "empty topic": "30020000",
        "topic with NUL": "3003000100",
        "topic not UTF-8": "30040002c080",
        "topic with a surrogate": "30050003eda080",
        "topic longer than the packet": "3003000561",
        "five-byte length": "30ffffffff01",
        "length not the shortest": "c08000",
        "packet too long": "30ffff7f",
        "SUBSCRIBE without a filter": "82020001",
        "SUBSCRIBE for QoS 3": "82060001" + "00016103",
        "filter a+": "8207000100" + "02612b00",
        "filter #/a": "820800010003232f6100",
        "UNSUBSCRIBE without a filter": "a2020001",
        "SUBACK code 3": "9003000103",
        "SUBACK without codes": "90020001",
        "CONNACK flags": "20020200",
        "CONNACK code 6": "20020006",
        "CONNACK refused with a session": "20020105",
        "CONNACK longer": "2003000000",
        "CONNECT of MQIsdp": "101000064d514973647003020000" + "00026162",
        "CONNECT of level 5": "100e00044d5154540502000a00026162",
        "CONNECT with the reserved flag": "100e00044d5154540403000a00026162",
        "CONNECT with will bits, no will": "100e00044d5154540422000a00026162",
        "CONNECT with a password alone": "101000044d5154540442000a" + "00026162" + "0000",
        "CONNECT without identifier, kept": "100c00044d5154540400000a0000",
        "bytes after a CONNECT": "100f00044d5154540402000a0002616200",
        "bytes after a PINGRESP": "d00100",
    }
    for name in bad:
        assert refused(bytes.fromhex(bad[name])), name


def test_a_packet_is_refused_as_soon_as_its_length_is_too_much():
    assert refused(b"\x30\xff\xff\x7f")
    assert parse_all(b"\x30\xff\x7f")[0] == []


def test_filters_cover_topics_as_the_standard_says():
    for pattern, topic, covered in (
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/monitor", "$SYS/monitor", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/b", "a/b", True),
        ("a/b", "a/B", False),
        ("a/b", "a/b/c", False),
    ):
        assert mqtt.matches(pattern, topic) == covered, (pattern, topic)


def connected(client):
    client.connect()
    sent = client.to_send(0)
    client.receive(mqtt.connack(0), 1)
    assert client.next_event() == ("connected",)
    return sent


def events(client):
    out = []
    event = client.next_event()
    while event is not None:
        out.append(event)
        event = client.next_event()
    return out


def test_a_client_connects_subscribes_publishes_and_receives():
    client = mqtt.Client("dev")
    assert connected(client) == mqtt.connect("dev", 60)
    assert client.subscribe("down/#") and client.publish("up/hello", b"hi")
    packets, _ = parse_all(client.to_send(2) + client.to_send(2))
    assert same(packets[0], mqtt.Subscribe(1, [("down/#", 0)])) and same(packets[1], mqtt.Publish("up/hello", b"hi"))
    client.receive(mqtt.suback(1, [0]) + mqtt.publish("down/list", b"x"), 3)
    assert events(client) == [("subscribed", "down/#", 0), ("message", "down/list", b"x")]


def test_a_client_gives_no_more_bytes_than_there_is_room():
    client = mqtt.Client("dev")
    client.connect()
    out = b""
    part = client.to_send(0, 5)
    while part:
        assert len(part) <= 5
        out += part
        part = client.to_send(0, 5)
    assert out == mqtt.connect("dev", 60)


def test_a_full_client_takes_no_more_until_it_has_sent():
    client = mqtt.Client("dev", pending_bytes_max=1000)
    connected(client)
    assert client.publish("t", bytes(3000))
    assert not client.publish("t", bytes(10)) and client.room() == 0
    while client.to_send(1):
        pass
    assert client.publish("t", bytes(10))


def test_every_refusal_of_the_broker_closes_with_its_reason():
    reasons = []
    for code in (1, 2, 3, 4, 5):
        client = mqtt.Client("dev")
        client.connect()
        client.receive(mqtt.connack(code), 1)
        reasons.append(client.next_event())
        assert client.closed and not client.publish("t", b"")
    assert len(set(reasons)) == 5 and reasons[4] == ("closed", "broker does not allow this client")


def test_a_broker_out_of_turn_closes_the_connection_by_name():
    for before, data in (
        (False, mqtt.pingresp()),
        (False, mqtt.publish("t", b"")),
        (False, mqtt.connack(0, True)),
        (True, mqtt.connack(0)),
        (True, mqtt.pingresp()),
        (True, mqtt.suback(9, [0])),
        (True, mqtt.publish("t", b"", 1, False, 3)),
        (True, mqtt.connect("x", 1)),
        (True, mqtt.pingreq()),
        (True, mqtt.disconnect()),
        (True, b"\x00"),
        (True, b"\x30\xff\xff\xff\xff"),
    ):
        client = mqtt.Client("dev")
        if before:
            connected(client)
        else:
            client.connect()
            client.to_send(0)
        client.receive(data, 5)
        last = events(client)[-1]
        assert last[0] == "closed" and last[1].startswith("broker breaks MQTT: "), (data, last)
        client.receive(mqtt.publish("t", b""), 6)
        assert events(client) == []


def test_a_silent_client_pings_and_a_silent_broker_is_given_up():
    client = mqtt.Client("dev", 10)
    connected(client)
    assert client.next_deadline() == 7500
    client.tick(7500)
    assert client.to_send(7500) == mqtt.pingreq()
    client.receive(mqtt.pingresp(), 7600)
    assert events(client) == []
    client.tick(15000)
    assert client.to_send(15000) == mqtt.pingreq()
    client.tick(24999)
    assert events(client) == []
    client.tick(25000)
    assert events(client) == [("closed", "no answer from the broker")]


def messages_of(view_bytes_min, data, size):
    """What a client says of a broker's bytes that come `size` at a time, its payloads as bytes."""
    client = mqtt.Client("slate", view_bytes_min=view_bytes_min)
    client.connect()
    client.to_send(0)
    found = []
    for at in range(0, len(data), size):
        client.receive(data[at : at + size], 0)
        event = client.next_event()
        while event is not None:
            if event[0] == "message":
                found.append((event[1], type(event[2]) is memoryview, bytes(event[2])))
            else:
                found.append(event)
            event = client.next_event()
    return found


def test_a_long_payload_in_a_buffer_of_its_own_is_the_same_whatever_the_pieces():
    payloads = [b"", b"short", bytes(range(256)) * 4, b"x" * 599, b"y" * 600, bytes(5000), b"last"]
    stream = mqtt.connack(0) + b"".join([mqtt.publish("down/chunk", one) for one in payloads]) + mqtt.pingresp()[:1]
    plain = messages_of(0, stream, 64)
    assert [one[2] for one in plain[1:]] == payloads and not any(one[1] for one in plain[1:])
    for size in (1, 2, 3, 7, 61, 599, 600, 601, 1100, len(stream)):
        found = messages_of(600, stream, size)
        assert [(one[0], one[2]) for one in found[1:]] == [(one[0], one[2]) for one in plain[1:]], size
        assert all(len(one[2]) >= 600 for one in found[1:] if one[1]), size
    viewed = [len(one[2]) for one in messages_of(600, stream, 64) if len(one) == 3 and one[1]]
    assert viewed == [1024, 600, 5000]


def test_a_long_payload_under_a_forbidden_topic_closes_before_it_comes():
    bad = mqtt.publish("down/chunk", bytes(5000)).replace(b"down/chunk", b"down/chun#")
    for head in (bad, b"\x38" + mqtt.publish("down/chunk", bytes(5000))[1:]):
        assert messages_of(600, mqtt.connack(0) + head[:40], 40)[-1][0] == "closed"
    early = mqtt.publish("down/chunk", bytes(5000))
    assert messages_of(600, early, 64)[-1][0] == "closed"  # before the CONNACK
