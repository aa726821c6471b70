"""MQTT: the packets as small classes, each with `kind` and `encode()`; section numbers are the standard's."""

from protocol.cbor import utf8_valid
from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Misuse, Refusal
from protocol.limits import CREDENTIAL_BYTES_MAX, FILTERS_MAX, PACKET_BYTES_MAX, TOPIC_BYTES_MAX

if TYPE_CHECKING:
    from typing import Union

    Packet = Union[
        "Connect", "Connack", "Publish", "Acknowledge", "Subscribe", "Suback", "Unsubscribe", "Bare"
    ]

CONNECT = const(1)
CONNACK = const(2)
PUBLISH = const(3)
PUBACK = const(4)
PUBREC = const(5)
PUBREL = const(6)
PUBCOMP = const(7)
SUBSCRIBE = const(8)
SUBACK = const(9)
UNSUBSCRIBE = const(10)
UNSUBACK = const(11)
PINGREQ = const(12)
PINGRESP = const(13)
DISCONNECT = const(14)

# flags of the fixed header (table 2.2); PUBLISH has its own
FLAGS = {SUBSCRIBE: 2, UNSUBSCRIBE: 2, PUBREL: 2}
FAILURE = const(0x80)  # a SUBACK's code for a refused filter


class MqttError(Refusal):
    """A packet that is malformed, reserved, out of turn, or beyond the limits."""


def check_topic(topic: str) -> None:
    """A topic name to publish to (4.7): not empty, no wildcard, bounded. Raises MqttError."""
    if "+" in topic or "#" in topic:
        raise MqttError("wildcard in a topic name")
    _check_length(topic)


def check_filter(pattern: str) -> None:
    """A topic filter (4.7.1): + and # stand alone in a level, # only in the last. Raises MqttError."""
    _check_length(pattern)
    levels = pattern.split("/")
    for index, level in enumerate(levels):
        if len(level) > 1 and ("+" in level or "#" in level):
            raise MqttError("wildcard inside a level of a topic filter")
        if level == "#" and index != len(levels) - 1:
            raise MqttError("# before the end of a topic filter")


def _check_length(topic: str) -> None:
    if not 0 < len(topic.encode()) <= TOPIC_BYTES_MAX:
        raise MqttError("topic is empty or too long")


def matches(pattern: str, topic: str) -> bool:
    """Whether a valid filter covers a valid topic (4.7); wildcards at the start leave out $-topics."""
    wanted = pattern.split("/")
    levels = topic.split("/")
    if topic[0] == "$" and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or (level != "+" and level != levels[index]):
            return False
    return len(wanted) == len(levels)


def _text(text: str) -> bytes:
    data = text.encode()
    if "\0" in text or not utf8_valid(data):
        raise Misuse("text that MQTT cannot carry")
    return _binary(data)


def _binary(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise Misuse("MQTT field of more than 65535 bytes")
    return _u16(len(data)) + data


def _u16(value: int) -> bytes:
    return bytes((value >> 8 & 0xFF, value & 0xFF))


def _packet(head: int, *parts: bytes) -> bytes:
    length = sum([len(part) for part in parts])
    if length > PACKET_BYTES_MAX:
        raise Misuse(f"MQTT packet of {length} bytes")
    start = bytearray((head,))
    while True:
        start.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(start) + b"".join(parts)


def _identifier(packet_id: int) -> bytes:
    if not 0 < packet_id <= 0xFFFF:
        raise Misuse("a packet identifier is 1 .. 65535")
    return _u16(packet_id)


class Connect:
    """3.1. `will` is (topic, payload, qos, retain) or None; `username` and `password` may be None."""

    kind = CONNECT

    def __init__(
        self,
        client_id: str,
        keepalive_s: int,
        clean: bool = True,
        username: "str | None" = None,
        password: "bytes | None" = None,
        will: "tuple[str, bytes, int, bool] | None" = None,
    ) -> None:
        self.client_id = client_id
        self.keepalive_s = keepalive_s
        self.clean = clean
        self.username = username
        self.password = password
        self.will = will

    def encode(self) -> bytes:
        flags = 2 if self.clean else 0
        parts = [_text(self.client_id)]
        if self.will is not None:
            topic, payload, qos, retain = self.will
            flags |= 4 | qos << 3 | (0x20 if retain else 0)
            parts += [_text(topic), _binary(payload)]
        if self.username is not None:
            flags |= 0x80
            parts.append(_text(self.username))
            if self.password is not None:
                flags |= 0x40
                parts.append(_binary(self.password))
        head = b"\x00\x04MQTT\x04" + bytes((flags,)) + _u16(self.keepalive_s)
        return _packet(CONNECT << 4, head, *parts)


class Connack:
    """3.2. `code` 0 accepted, 1 version, 2 identifier, 3 unavailable, 4 credentials, 5 not authorised."""

    kind = CONNACK

    def __init__(self, code: int, session_present: bool = False) -> None:
        self.code = code
        self.session_present = session_present

    def encode(self) -> bytes:
        return _packet(CONNACK << 4, bytes((1 if self.session_present else 0, self.code)))


class Publish:
    """3.3. `packet_id` is 0 at QoS 0."""

    kind = PUBLISH

    def __init__(
        self, topic: str, payload: bytes, qos: int = 0, retain: bool = False, packet_id: int = 0,
        duplicate: bool = False,
    ) -> None:  # fmt: skip
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.packet_id = packet_id
        self.duplicate = duplicate

    def encode(self) -> bytes:
        head = PUBLISH << 4 | (8 if self.duplicate else 0) | self.qos << 1 | (1 if self.retain else 0)
        identifier = _identifier(self.packet_id) if self.qos else b""
        return _packet(head, _text(self.topic), identifier, self.payload)


class Acknowledge:
    """PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK: a kind and a packet identifier (3.4 to 3.7, 3.11)."""

    def __init__(self, kind: int, packet_id: int) -> None:
        self.kind = kind
        self.packet_id = packet_id

    def encode(self) -> bytes:
        return _packet(self.kind << 4 | FLAGS.get(self.kind, 0), _identifier(self.packet_id))


class Subscribe:
    """3.8. `filters` is a list of (filter, QoS)."""

    kind = SUBSCRIBE

    def __init__(self, packet_id: int, filters: "list[tuple[str, int]]") -> None:
        self.packet_id = packet_id
        self.filters = filters

    def encode(self) -> bytes:
        parts = [_identifier(self.packet_id)]
        for pattern, qos in self.filters:
            parts.append(_text(pattern))
            parts.append(bytes((qos,)))
        return _packet(SUBSCRIBE << 4 | 2, *parts)


class Suback:
    """3.9. `codes`: for each filter the granted QoS, or FAILURE."""

    kind = SUBACK

    def __init__(self, packet_id: int, codes: "list[int]") -> None:
        self.packet_id = packet_id
        self.codes = codes

    def encode(self) -> bytes:
        return _packet(SUBACK << 4, _identifier(self.packet_id), bytes(self.codes))


class Unsubscribe:
    """3.10. `filters` is a list of filters."""

    kind = UNSUBSCRIBE

    def __init__(self, packet_id: int, filters: "list[str]") -> None:
        self.packet_id = packet_id
        self.filters = filters

    def encode(self) -> bytes:
        parts = [_text(pattern) for pattern in self.filters]
        return _packet(UNSUBSCRIBE << 4 | 2, _identifier(self.packet_id), *parts)


class Bare:
    """PINGREQ, PINGRESP, DISCONNECT: nothing but a kind (3.12 to 3.14)."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def encode(self) -> bytes:
        return bytes((self.kind << 4, 0))


# builders: the wire bytes at once, for values of our own (checked; Misuse or MqttError where they are wrong)


def connect(
    client_id: str, keepalive_s: int, username: "str | None" = None, password: "bytes | None" = None
) -> bytes:
    """A CONNECT with a clean session."""
    for field in (client_id.encode(), (username or "").encode(), password or b""):
        if len(field) > CREDENTIAL_BYTES_MAX:
            raise Misuse("CONNECT field is too long")
    return Connect(client_id, keepalive_s, True, username, password).encode()


def connack(code: int, session_present: bool = False) -> bytes:
    return Connack(code, session_present).encode()


def publish(topic: str, payload: bytes, qos: int = 0, retain: bool = False, packet_id: int = 0) -> bytes:
    check_topic(topic)
    return Publish(topic, payload, qos, retain, packet_id).encode()


def subscribe(packet_id: int, filters: "list[tuple[str, int]]") -> bytes:
    if not 0 < len(filters) <= FILTERS_MAX:
        raise Misuse("a SUBSCRIBE has one filter or a few")
    for pattern, _ in filters:
        check_filter(pattern)
    return Subscribe(packet_id, filters).encode()


def suback(packet_id: int, codes: "list[int]") -> bytes:
    return Suback(packet_id, codes).encode()


def unsubscribe(packet_id: int, filters: "list[str]") -> bytes:
    for pattern in filters:
        check_filter(pattern)
    return Unsubscribe(packet_id, filters).encode()


def unsuback(packet_id: int) -> bytes:
    return Acknowledge(UNSUBACK, packet_id).encode()


def pingreq() -> bytes:
    return b"\xc0\x00"


def pingresp() -> bytes:
    return b"\xd0\x00"


def disconnect() -> bytes:
    return b"\xe0\x00"
