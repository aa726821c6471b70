"""Session -> here -> broker, and back: what one device may say in MQTT, packet by packet.

Pure: bytes in, bytes out, or a named refusal that ends the docking. Who the device is comes from the key that opened
the session; whatever the device writes into its CONNECT is replaced, and its topics, which are relative on its wire
("up/chunk"), get the device's prefix here and lose it on the way back: a device has no words for anybody else's. Every
packet is written anew, so that the broker only ever sees the one form that our own codec makes.
"""

from __future__ import annotations

from hub_daemon.broker import Account
from hub_daemon.limits import FILTER_BURST_PACKETS, FILTER_PACKETS_PER_S, KEEPALIVE_S
from protocol.errors import Refusal
from protocol.limits import FILTERS_MAX
from protocol.mqtt import (
    CONNACK,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    SUBACK,
    UNSUBACK,
    Acknowledge,
    Bare,
    Connect,
    MqttError,
    Publish,
    Subscribe,
    Unsubscribe,
    parse,
)
from protocol.mqtt import PUBCOMP as _PUBCOMP
from protocol.mqtt import PUBREC as _PUBREC
from protocol.mqtt import PUBREL as _PUBREL
from protocol.records import topics

__all__ = ["BayFilter", "FilterRefused", "MqttError"]


class FilterRefused(Refusal):
    """The device's MQTT broke a rule of the bay; the docking ends."""


class FirstConnect(FilterRefused):
    """Something came before the CONNECT."""


class SecondConnect(FilterRefused):
    """A second CONNECT: one session is one client."""


class AfterDisconnect(FilterRefused):
    """Something came after the DISCONNECT."""


class TopicForeign(FilterRefused):
    """A topic that is not one of this device's own, in the right direction."""


class SubscriptionForeign(FilterRefused):
    """A filter that covers more than this device's own topics down."""


class QosRefused(FilterRefused):
    """QoS 2: nothing here needs it, and its state would outlive the docking."""


class RetainRefused(FilterRefused):
    """A retained message: the broker stores nothing."""


class PacketForeign(FilterRefused):
    """A packet that only the other side sends."""


class RateRefused(FilterRefused):
    """More packets than any honest device sends."""


class BayFilter:
    """The MQTT of one docking of `device` (8 bytes). `account` is the bay's at the broker.

    `from_device(data, now_ms)` and `from_broker(data)` return the bytes to pass on. After a refusal the filter must not
    be used again.
    """

    def __init__(self, wing: str, device: bytes, account: Account) -> None:
        self.wing = wing
        self.device = device
        self.connected = False
        self.disconnected = False
        self._account = account
        self._up = bytearray()
        self._down = bytearray()
        self._tokens = float(FILTER_BURST_PACKETS)
        self._last_ms: int | None = None
        self._prefix = topics.prefix(wing, device)
        self._filters = {f"{topics.DOWN}/{kind}" for kind in ("#", "+", *topics.DOWN_KINDS)}

    def from_device(self, data: bytes, now_ms: int) -> bytes:
        """What may go on to the broker. Raises FilterRefused or MqttError."""
        self._up.extend(data)
        out = bytearray()
        while (packet := parse(self._up)) is not None:
            self._count(now_ms)
            out += self._take(packet)
        return bytes(out)

    def _count(self, now_ms: int) -> None:
        if self._last_ms is not None and now_ms > self._last_ms:
            gained = (now_ms - self._last_ms) * FILTER_PACKETS_PER_S / 1000
            self._tokens = min(float(FILTER_BURST_PACKETS), self._tokens + gained)
        self._last_ms = now_ms
        self._tokens -= 1
        if self._tokens < 0:
            raise RateRefused(f"more than {FILTER_PACKETS_PER_S} packets a second")

    def _take(self, packet: object) -> bytes:
        if self.disconnected:
            raise AfterDisconnect(type(packet).__name__)
        if isinstance(packet, Connect):
            return self._connect(packet)
        if not self.connected:
            raise FirstConnect(type(packet).__name__)
        if isinstance(packet, Publish):
            return self._publish(packet)
        if isinstance(packet, Subscribe):
            if any(qos > 1 for _, qos in packet.filters):
                raise QosRefused("a subscription at QoS 2")
            whole = self._own_filters([pattern for pattern, _ in packet.filters])
            return Subscribe(packet.packet_id, [(one, qos) for one, (_, qos) in zip(whole, packet.filters)]).encode()
        if isinstance(packet, Unsubscribe):
            return Unsubscribe(packet.packet_id, self._own_filters(packet.filters)).encode()
        if isinstance(packet, Acknowledge):
            if packet.kind in (_PUBREC, _PUBREL, _PUBCOMP):
                raise QosRefused("a packet of QoS 2")
            if packet.kind != PUBACK:
                raise PacketForeign(f"packet type {packet.kind}")
            return packet.encode()
        if isinstance(packet, Bare) and packet.kind in (PINGREQ, DISCONNECT):
            self.disconnected = packet.kind == DISCONNECT
            return packet.encode()
        raise PacketForeign(f"packet type {getattr(packet, 'kind', '?')}")

    def _connect(self, packet: Connect) -> bytes:
        if self.connected:
            raise SecondConnect("CONNECT")
        self.connected = True
        # identity from the certificate, no will, nothing kept: only the keep-alive is the device's to choose
        keepalive_s = min(packet.keepalive_s, KEEPALIVE_S) or KEEPALIVE_S
        account = self._account
        return Connect(self.device.hex(), keepalive_s, True, account.user, account.password.encode(), None).encode()

    def _publish(self, packet: Publish) -> bytes:
        if packet.retain:
            raise RetainRefused(packet.topic[:80])
        if packet.qos > 1:
            raise QosRefused("a message at QoS 2")
        try:
            direction, _ = topics.parse_own(packet.topic)
        except topics.TopicRefused as refusal:
            raise TopicForeign(f"{packet.topic[:80]!r}: {refusal}") from None
        if direction != topics.UP:
            raise TopicForeign(f"{packet.topic[:80]!r}")
        packet.topic = self._prefix + packet.topic
        return packet.encode()

    def _own_filters(self, patterns: list[str]) -> list[str]:
        """As the broker knows them."""
        if len(patterns) > FILTERS_MAX:
            raise SubscriptionForeign(f"{len(patterns)} filters")
        for pattern in patterns:
            if pattern not in self._filters:
                raise SubscriptionForeign(f"{pattern[:80]!r}")
        return [self._prefix + pattern for pattern in patterns]

    def from_broker(self, data: bytes) -> bytes:
        """What may go down to the device: answers, and messages on its own topics. Raises as `from_device`."""
        self._down.extend(data)
        out = bytearray()
        while (packet := parse(self._down)) is not None:
            if isinstance(packet, Publish):
                packet.topic = self._own_down(packet.topic)
                if packet.retain:
                    raise RetainRefused(packet.topic)
            elif packet.kind not in (CONNACK, SUBACK, UNSUBACK, PUBACK, PINGRESP):
                raise PacketForeign(f"packet type {packet.kind} from the broker")
            out += packet.encode()
        return bytes(out)

    def _own_down(self, topic: str) -> str:
        """A topic of the broker as this device's wire has it."""
        try:
            wing, device, direction, kind = topics.parse(topic)
        except topics.TopicRefused as refusal:
            raise TopicForeign(f"{topic[:80]!r}: {refusal}") from None
        if (wing, device, direction) != (self.wing, self.device, topics.DOWN):
            raise TopicForeign(f"{topic[:80]!r}")
        return topics.own(direction, kind)
