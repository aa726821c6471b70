"""MQTT: bytes to packets, strictly; the first thing that reads what a device or a broker says."""

from protocol.cbor import utf8_valid
from protocol.compat import TYPE_CHECKING
from protocol.limits import CREDENTIAL_BYTES_MAX, FILTERS_MAX, PACKET_BYTES_MAX, TOPIC_BYTES_MAX
from protocol.mqtt.packets import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    FAILURE,
    FLAGS,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    Acknowledge,
    Bare,
    Connack,
    Connect,
    MqttError,
    Publish,
    Suback,
    Subscribe,
    Unsubscribe,
    check_filter,
    check_topic,
)

if TYPE_CHECKING:
    from protocol.mqtt.packets import Packet

_ACKNOWLEDGES = (PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK)
_BARE = (PINGREQ, PINGRESP, DISCONNECT)


class _Fields:
    """The body of one packet, taken from the front; every step checks that the bytes are there."""

    def __init__(self, buffer: bytearray, start: int, end: int) -> None:
        self._buffer = buffer
        self._at = start
        self._end = end

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > self._end:
            raise MqttError("packet ends early")
        part = bytes(memoryview(self._buffer)[self._at : end])
        self._at = end
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        two = self.take(2)
        return two[0] << 8 | two[1]

    def identifier(self) -> int:
        value = self.u16()
        if value == 0:
            raise MqttError("packet identifier 0")
        return value

    def binary(self, most: int) -> bytes:
        size = self.u16()
        if size > most:
            raise MqttError("field is too long")
        return self.take(size)

    def text(self, most: int) -> str:
        data = self.binary(most)
        if b"\0" in data or not utf8_valid(data):
            raise MqttError("text is not UTF-8, or holds U+0000")
        return str(data, "utf-8")

    def topic(self) -> str:
        topic = self.text(TOPIC_BYTES_MAX)
        check_topic(topic)
        return topic

    def filter(self) -> str:
        pattern = self.text(TOPIC_BYTES_MAX)
        check_filter(pattern)
        return pattern

    def rest(self) -> bytes:
        return self.take(self._end - self._at)

    def more(self) -> bool:
        return self._at < self._end


def parse(buffer: bytearray) -> "Packet | None":
    """Take the first packet off the buffer; None while it is not complete.

    Raises MqttError as soon as the bytes cannot become a packet within the limits; what the buffer then
    holds is worth nothing and the connection is closed. At most PACKET_BYTES_MAX of content are waited for.
    """
    found = _head(buffer)
    if found is None:
        return None
    at, length = found
    if len(buffer) < at + length:
        return None
    fields = _Fields(buffer, at, at + length)
    packet = _parse_body(buffer[0] >> 4, buffer[0] & 15, fields)
    if fields.more():
        raise MqttError("bytes after the packet's content")
    buffer[: at + length] = b""
    return packet


def _head(buffer: bytearray) -> "tuple[int, int] | None":
    """(where the first packet's content begins, its bytes); None while that is not known."""
    if not buffer:
        return None
    head = buffer[0]
    kind = head >> 4
    flags = head & 15
    if kind == 0 or kind == 15 or (kind != PUBLISH and flags != FLAGS.get(kind, 0)):
        raise MqttError("reserved packet type or flags")
    length = 0
    at = 1
    while True:
        if at == len(buffer):
            return None
        digit = buffer[at]
        length |= (digit & 0x7F) << 7 * (at - 1)
        at += 1
        if digit < 0x80:
            break
        if at > 4:
            raise MqttError("length of more than four bytes")
    if digit == 0 and at > 2:
        raise MqttError("length is not the shortest")
    if length > PACKET_BYTES_MAX:
        raise MqttError("packet is too long")
    return at, length


def begin_publish(buffer: bytearray, payload_bytes_min: int) -> "tuple[str, int, int] | None":
    """(topic, where its payload begins, bytes of payload) of a PUBLISH at QoS 0 that has not come as a whole yet.

    None for any other packet, for a shorter payload, and before its topic is here. Raises MqttError as `parse` does.
    """
    found = _head(buffer)
    if found is None or buffer[0] & 0xF6 != PUBLISH << 4 or len(buffer) < found[0] + 2:
        return None
    at, length = found
    name = 2 + (buffer[at] << 8 | buffer[at + 1])
    if not at + name <= len(buffer) < at + length or length - name < payload_bytes_min:
        return None
    if buffer[0] & 8:
        raise MqttError("DUP at QoS 0")
    return _Fields(buffer, at, at + length).topic(), at + name, length - name


def _parse_body(kind: int, flags: int, fields: _Fields) -> "Packet":
    if kind == PUBLISH:
        return _parse_publish(flags, fields)
    if kind in _ACKNOWLEDGES:
        return Acknowledge(kind, fields.identifier())
    if kind in _BARE:
        return Bare(kind)
    if kind == SUBSCRIBE:
        return _parse_subscribe(fields)
    if kind == UNSUBSCRIBE:
        return _parse_unsubscribe(fields)
    if kind == SUBACK:
        return _parse_suback(fields)
    if kind == CONNACK:
        return _parse_connack(fields)
    if kind == CONNECT:
        return _parse_connect(fields)
    raise MqttError("reserved packet type")


def _parse_publish(flags: int, fields: _Fields) -> Publish:
    qos = flags >> 1 & 3
    duplicate = flags & 8 != 0
    if qos == 3:
        raise MqttError("QoS 3")
    if duplicate and qos == 0:
        raise MqttError("DUP at QoS 0")
    topic = fields.topic()
    packet_id = fields.identifier() if qos else 0
    return Publish(topic, fields.rest(), qos, flags & 1 != 0, packet_id, duplicate)


def _parse_subscribe(fields: _Fields) -> Subscribe:
    packet_id = fields.identifier()
    filters = []
    while fields.more():
        pattern = fields.filter()
        qos = fields.byte()
        if qos > 2:
            raise MqttError("reserved bits of a subscription")
        filters.append((pattern, qos))
        if len(filters) > FILTERS_MAX:
            raise MqttError("too many filters")
    if not filters:
        raise MqttError("SUBSCRIBE without a filter")
    return Subscribe(packet_id, filters)


def _parse_unsubscribe(fields: _Fields) -> Unsubscribe:
    packet_id = fields.identifier()
    filters = []
    while fields.more():
        filters.append(fields.filter())
        if len(filters) > FILTERS_MAX:
            raise MqttError("too many filters")
    if not filters:
        raise MqttError("UNSUBSCRIBE without a filter")
    return Unsubscribe(packet_id, filters)


def _parse_suback(fields: _Fields) -> Suback:
    packet_id = fields.identifier()
    codes = list(fields.rest())
    if not 0 < len(codes) <= FILTERS_MAX:
        raise MqttError("SUBACK with no code or too many")
    for code in codes:
        if code > 2 and code != FAILURE:
            raise MqttError("reserved code in a SUBACK")
    return Suback(packet_id, codes)


def _parse_connack(fields: _Fields) -> Connack:
    flags = fields.byte()
    code = fields.byte()
    if flags > 1 or code > 5 or (flags and code):
        raise MqttError("reserved bits or code of a CONNACK")
    return Connack(code, flags == 1)


def _parse_connect(fields: _Fields) -> Connect:
    if fields.binary(6) != b"MQTT" or fields.byte() != 4:
        raise MqttError("not MQTT 3.1.1")
    flags = fields.byte()
    will_qos = flags >> 3 & 3
    if flags & 1 or will_qos == 3:
        raise MqttError("reserved connect flags")
    if not flags & 4 and flags & 0x38:
        raise MqttError("will flags without a will")
    if flags & 0x40 and not flags & 0x80:
        raise MqttError("password without a user name")
    keepalive_s = fields.u16()
    client_id = fields.text(CREDENTIAL_BYTES_MAX)
    if not client_id and not flags & 2:
        raise MqttError("no client identifier for a kept session")
    will = None
    if flags & 4:
        topic = fields.topic()
        will = (topic, fields.binary(PACKET_BYTES_MAX), will_qos, flags & 0x20 != 0)
    username = fields.text(CREDENTIAL_BYTES_MAX) if flags & 0x80 else None
    password = fields.binary(CREDENTIAL_BYTES_MAX) if flags & 0x40 else None
    return Connect(client_id, keepalive_s, flags & 2 != 0, username, password, will)
