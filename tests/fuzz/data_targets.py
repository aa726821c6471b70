"""Fuzzing: CBOR, COSE, MQTT, the bay's filter, blobs, texts and topics."""

from __future__ import annotations

import contextlib
import json

from hub_daemon.broker import Account
from hub_daemon.filter import BayFilter, FilterRefused
from protocol import blob, cbor, cose, mqtt
from protocol.cbor import CborError
from protocol.cose import CoseError
from protocol.errors import Misuse, Refusal
from protocol.limits import CHUNK_BYTES, PACKET_BYTES_MAX, WANT_CHUNKS_MAX
from protocol.mqtt import MqttError
from protocol.records import text, topics
from tests.fuzz.feed import Feed, piece
from tests.fuzz.registry import target
from tests.kits import records as made
from tests.kits.vectors import load

ITEM = made.digest(b"item")


def cbor_seeds() -> list[bytes]:
    return [bytes.fromhex(vector["hex"]) for vector in load("rfc8949.json")["deterministic"]]


@target("cbor", cbor_seeds, 5, (b"\xc2\x49", b"\xf9\x7e\x00", b"\xfb", b"\x1b\0\0\0\1", b"\xa1", b"\xd8\x20"))
def cbor_item(data: bytes) -> None:
    """One item in its one encoding, or CborError."""
    try:
        value = cbor.loads(data)
    except CborError:
        return
    assert cbor.dumps(value) == data
    assert cbor.dumps(cbor.loads(cbor.dumps([value]))) == b"\x81" + data if nesting(value) < 15 else True


def nesting(value: object) -> int:
    inner: list[object] = []
    if isinstance(value, list):
        inner = value
    elif isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, cbor.Tag):
        inner = [value.value]
    else:
        return 0
    return 1 + max([nesting(each) for each in inner], default=0)


def cose_seeds() -> list[bytes]:
    keys = made.keys("mia")
    out = [cose.sign1(keys.seed, b"kid", b"payload", b"aad"), cose.sign1(keys.seed, b"", b"", b""),
           keys.sign("decision", b"body")]  # fmt: skip
    return [*out, bytes.fromhex(load("cose_eddsa.json")["message"])]


@target("cose", cose_seeds, 3, (b"\xd2\x84", b"\xa1\x01\x27", b"\x58\x40", b"\x43\xa1\x01\x27", b"\xa0"))
def cose_sign1(data: bytes) -> None:
    """A message that verifies, or CoseError; nobody but the key's holder makes one, so a new one never verifies."""
    keys = made.keys("mia")
    genuine = cose_seeds()
    with contextlib.suppress(CoseError):
        assert len(cose.key_id(data)) <= len(data)
    for aad in (b"", b"aad"):
        try:
            payload = cose.verify1(keys.public, data, aad)
        except CoseError:
            continue
        assert data in genuine or resigned(data, genuine), "a forgery"
        assert payload in data


def resigned(data: bytes, genuine: list[bytes]) -> bool:
    """Unprotected headers are nobody's: with other ones it is still the signer's payload under the signer's key."""
    parts = cbor.loads(data).value
    return any([parts[0], parts[2], parts[3]] == [old[0], old[2], old[3]] for old in
               (cbor.loads(each).value for each in genuine))  # fmt: skip


def mqtt_seeds() -> list[bytes]:
    up, down = topics.own("up", "hello"), topics.own("down", "list")
    whole = topics.build(made.WING, made.keys("slate-1").kid, "down", "list")
    first = mqtt.connect("slate", 60)
    return [
        first + mqtt.subscribe(1, [(topics.own_filter("down"), 0)]) + mqtt.pingreq() + mqtt.unsubscribe(2, [down]),
        mqtt.connect("slate", 0, "user", b"word") + mqtt.publish(up, b"payload") * 2 + mqtt.disconnect(),
        mqtt.connack(0) + mqtt.suback(1, [0]) + mqtt.publish(whole, b"list") + mqtt.pingresp(),
        first + mqtt.publish(up, b"1", 1, False, 7) + mqtt.publish(up, b"2", 2, True, 8),
        first + mqtt.Acknowledge(4, 9).encode() + mqtt.Acknowledge(6, 9).encode(),
        mqtt.unsubscribe(3, ["a/#", "b/+"]) + mqtt.unsuback(3) + mqtt.disconnect(),
        mqtt.Connect("x", 9, True, "u", b"p", ("will", b"last", 1, True)).encode(),
    ]


MQTT_WORDS = (b"\x10\x0c\0\x04MQTT\x04\x02", b"\x30", b"\x82", b"wing/wing-b/device/", b"up/", b"down/+", b"\xe0\0")


def client_seeds() -> list[bytes]:
    first = mqtt.connack(0) + mqtt.suback(1, [0])
    long = mqtt.publish("down/chunk", bytes(range(200)))
    return [b"\x40\x40" + first + long + mqtt.pingresp(), b"\x07\x10" + first + long * 2, b"\0\0" + first + long,
            b"\x20\x05" + first + bytes([long[0] | 8]) + long[1:]]  # fmt: skip


@target("mqtt", mqtt_seeds, 4, MQTT_WORDS)
def mqtt_packets(data: bytes) -> None:
    """A stream of packets is what we would send ourselves, or MqttError; in pieces it is the same packets."""
    found: list[list[bytes]] = []
    for size in (len(data) or 1, 3):
        buffer = bytearray()
        packets: list[bytes] = []
        try:
            for at in range(0, len(data), size):
                buffer += data[at : at + size]
                while (packet := mqtt.parse(buffer)) is not None:
                    packets.append(packet.encode())
            assert b"".join(packets) + bytes(buffer) == data and len(buffer) < PACKET_BYTES_MAX + 5
        except MqttError:
            assert data.startswith(b"".join(packets))
        found.append(packets)
    assert found[0] == found[1]


@target("mqtt_client", client_seeds, 3, MQTT_WORDS)
def mqtt_client(data: bytes) -> None:
    """A client never raises, whatever the broker says and whenever; it closes once, by name; views change nothing."""
    feed = Feed(data)
    size, least = feed.byte() or 1, feed.byte()
    stream = feed.rest()
    heard = []
    for client in (mqtt.Client("slate"), mqtt.Client("slate", view_bytes_min=least)):
        client.connect()
        events: list[tuple[object, ...]] = []
        for now, at in enumerate(range(0, len(stream), size)):
            client.to_send(now, 100)
            client.receive(stream[at : at + size], now)
            client.subscribe("a/+")
            client.publish("b", b"x" * size)
            while (event := client.next_event()) is not None:
                events.append((*event[:-1], bytes(event[-1]) if isinstance(event[-1], memoryview) else event[-1]))
        names = [event[0] for event in events]
        assert names.count("closed") == client.closed and "closed" not in names[:-1]
        heard.append(events)
    # a view may refuse a packet before all of it is there: then it is the last thing that happened
    first, viewed = heard
    same = min(len(first), len(viewed))
    assert first[:same] == viewed[:same] and [event[0] for event in viewed[same:]] in ([], ["closed"])
    assert len(first) <= len(viewed)


@target("filter", mqtt_seeds, 4, MQTT_WORDS)
def bay_filter(data: bytes) -> None:
    """What passes a bay is this device's own, under the bay's own name, and in our own encoding."""
    device = made.keys("slate-1").kid
    for side in ("device", "broker"):
        bay = BayFilter(made.WING, device, Account("bay", "secret"))
        if side == "broker":
            bay.from_device(mqtt.connect("x", 60), 0)
        out = bytearray()
        with contextlib.suppress(FilterRefused, MqttError):
            for now, at in enumerate(range(0, len(data), 64)):
                chunk = data[at : at + 64]
                out += bay.from_device(chunk, now) if side == "device" else bay.from_broker(chunk)
        first = True
        while (packet := mqtt.parse(out)) is not None:
            if isinstance(packet, mqtt.Publish) and side == "device":
                assert topics.parse(packet.topic)[:3] == (made.WING, device, "up") and not packet.retain
            elif isinstance(packet, mqtt.Publish):
                assert topics.parse_own(packet.topic)[0] == "down" and not packet.retain
            if isinstance(packet, mqtt.Subscribe):
                own = topics.prefix(made.WING, device) + "down/"
                assert all(pattern.startswith(own) and qos < 2 for pattern, qos in packet.filters)
            if isinstance(packet, mqtt.Connect):
                assert first and (packet.client_id, packet.username) == (device.hex(), "bay") and packet.will is None
            first = False


def blob_of(size: int) -> tuple[bytes, blob.Manifest]:
    body = bytes(index * 31 % 251 for index in range(size))
    builder = blob.Builder()
    builder.feed(body)
    return body, builder.finish()


BODY, MANIFEST = blob_of(2 * CHUNK_BYTES + 100)


def chunk_seeds() -> list[bytes]:
    whole = MANIFEST.size.to_bytes(2, "big") + MANIFEST.root + MANIFEST.leaves
    return [blob.pack_chunk(ITEM, 1, b"data"), blob.pack_chunk(ITEM, blob.MANIFEST_INDEX, ITEM), whole]


@target("blob_chunk", chunk_seeds, 1)
def blob_chunk(data: bytes) -> None:
    """A chunk in its one form, or a named refusal of blobs; leaves that are not the root's make no manifest."""
    try:
        root, index, body = blob.parse_chunk(data)
    except blob.ChunkRefused:
        pass
    else:
        assert blob.pack_chunk(root, index, bytes(body)) == data
        for given, right in ((body, False), (BODY[: blob.LEAF_CHUNKS * CHUNK_BYTES], True)):
            try:
                MANIFEST.check(0, [given])
            except blob.ChunkDigest:
                assert not right
            else:
                assert right, "other bytes passed for a leaf's"
    feed = Feed(data)
    size, root, leaves = feed.u16(), feed.take(32), feed.rest()
    try:
        manifest = blob.Manifest(root, size, leaves)
    except blob.ManifestRefused:
        assert root != MANIFEST.root or leaves != MANIFEST.leaves or size != MANIFEST.size
        return
    # the fuzzer sees what is compared, and so finds roots of leaves of its own; never other leaves of a given root
    assert blob.root_of(size, leaves) == root and manifest.leaves == leaves
    assert root != MANIFEST.root or leaves == MANIFEST.leaves


@target("blob_fetch", lambda: [b"\4\1\2\3\3", b"\1\4\1\4\5\2\3\2\0\x50\7" + piece(bytes(40))], 3)
def blob_fetch(data: bytes) -> None:
    """Chunks in any order, again, damaged, foreign: what is handed out is the blob's, in order; the rest is named."""
    feed = Feed(data)
    fetch = blob.Fetch(MANIFEST.root, MANIFEST.size)
    got: list[bytes] = []
    now = 0
    while feed.left:
        what = feed.byte() & 7
        if what == 0:
            now += 100 * feed.byte()
        want = fetch.want(now)
        assert want is None or (blob.Want.decode(want.encode()) == want and want.count <= WANT_CHUNKS_MAX)
        if what in (1, 2, 3):
            index = what - 1
            sent = blob.pack_chunk(MANIFEST.root, index, BODY[index * CHUNK_BYTES :][:CHUNK_BYTES])
        elif what == 4:
            sent = blob.pack_chunk(MANIFEST.root, blob.MANIFEST_INDEX, MANIFEST.leaves)
        elif what == 5:
            index = feed.byte() % 3
            spoiled = bytearray(blob.pack_chunk(MANIFEST.root, index, BODY[index * CHUNK_BYTES :][:CHUNK_BYTES]))
            spoiled[feed.u16() % len(spoiled)] ^= feed.byte()
            sent = bytes(spoiled)
        else:
            sent = feed.piece()
        with contextlib.suppress(blob.ChunkRefused, blob.ManifestRefused):
            fetch.receive(sent, now)
        while (event := fetch.next_event()) is not None:
            if event[0] == "chunk":
                got.append(bytes(event[2]))
                fetch.stored(event[1])
        assert BODY.startswith(b"".join(got)) and fetch.done == (b"".join(got) == BODY)


TEXTS = ("Hi\nyou", "\u0633\u0644\u0627\u0645\u200c\u0647\u0627", "\U0001f469\u200d\U0001f680\u2764\ufe0f", "\u202ex")


@target("text", lambda: [*(each.encode() for each in TEXTS), b"\xed\xa0\x80", b"\xc0\x80"], 2)
def shown_text(data: bytes) -> None:
    """Text is taken as it is, or TextRefused; the validator and the code points agree with Python's own."""
    try:
        python = data.decode("utf-8")
    except UnicodeDecodeError:
        python = None
    assert cbor.utf8_valid(data) == (python is not None)
    if python is not None:
        assert list(text.points(data)) == [ord(char) for char in python]
    for lines in (True, False):
        with contextlib.suppress(text.TextRefused):
            shown = text.check_bytes(data, lines)
            assert shown == python and (lines or "\n" not in shown) and "\u202e" not in shown


def topic_seeds() -> list[bytes]:
    names = [topics.own("up", kind) for kind in topics.UP_KINDS]
    return [each.encode() for each in (*names, *(topics.prefix("wing-b", bytes(8)) + name for name in names))]


@target("topics", topic_seeds, 1, (b"wing/", b"/device/", b"/down/", b"hello", b"0123456789abcdef"))
def mqtt_topics(data: bytes) -> None:
    """A topic is one of the design's, in its one form, or TopicRefused; the broker's and the device's differ."""
    topic = data.decode("utf-8", "surrogateescape")
    parsed = 0
    with contextlib.suppress(topics.TopicRefused):
        assert topics.build(*topics.parse(topic)) == topic
        parsed += 1
    with contextlib.suppress(topics.TopicRefused):
        assert topics.own(*topics.parse_own(topic)) == topic
        parsed += 1
    assert parsed < 2


@target("cbor_values", lambda: [json.dumps([1, "a", {"k": [None, True, 1.5]}]).encode()], 1, (b"1e400", b"{\"\":"))
def cbor_values(data: bytes) -> None:
    """Any value comes back equal from its encoding, or was never one of ours to send."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        encoded = cbor.dumps(value)
    except Misuse:
        return
    try:
        again = cbor.loads(encoded)
    except Refusal:
        raise AssertionError("we send what we would refuse")
    assert cbor.dumps(again) == encoded
    assert again == value or "nan" in repr(value)


