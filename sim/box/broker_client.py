"""broker.py <-> here <-> the bay or the exchange: one client of the simulated broker, as either end sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hub_daemon.limits import BROKER_PACKET_BYTES_MAX
from protocol.mqtt import PUBLISH
from protocol.mqtt.packets import check_topic
from sim.box.limits import (
    BROKER_CONSUMER_BYTES_MAX,
    BROKER_FIRST_S_MAX,
    BROKER_HELD_BYTES_MAX,
    BROKER_INFLIGHT_MAX,
    BROKER_QUEUED_MAX,
)

if TYPE_CHECKING:
    from sim.box.broker import Broker

OnMessage = Callable[[str, bytes], None]
_HUNG_UP = "hung up"


def encode_publish(topic: str, payload: bytes, qos: int, retain: bool, packet_id: int) -> bytes:
    """A PUBLISH as a broker forwards it, of any length: whether a device's bay takes it is the bay's to say."""
    name = topic.encode()
    parts = [len(name).to_bytes(2, "big"), name, packet_id.to_bytes(2, "big") if qos else b"", payload]
    rest = sum(map(len, parts))
    head = bytearray((PUBLISH << 4 | qos << 1 | retain,))
    while rest > 0x7F:
        head.append(rest & 0x7F | 0x80)
        rest >>= 7
    head.append(rest)
    return bytes(head) + b"".join(parts)


class Subscriber(ABC):
    """Who a message may go to. `closed` is why nothing goes there any more; "" while it is open.

    `reads` and `writes` are the topics of its account, each a prefix that ends with "/"; "" is none.
    """

    def __init__(self) -> None:
        self.closed = ""
        self.reads = ""
        self.writes = ""

    def may_read(self, topic: str) -> bool:
        return _covers(self.reads, topic)

    def may_write(self, topic: str) -> bool:
        return _covers(self.writes, topic)

    @abstractmethod
    def deliver(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """False where the message was dropped because too many wait."""


def _covers(prefix: str, topic: str) -> bool:
    """As a filter prefix# covers it: the level above the # is covered too."""
    return prefix != "" and (topic.startswith(prefix) or topic == prefix[:-1])


class Connection(Subscriber):
    """One connection as a socket is one: bytes in, bytes out, and a reason when the broker has closed it.

    `wake()` is called when bytes or a closing begin to wait. What was on its way down before a closing can be taken.
    """

    def __init__(self, broker: Broker, listener: str, wake: Callable[[], None] | None) -> None:
        super().__init__()
        self.listener = listener
        self.client_id = ""
        self.connected = False
        self.gone = False  # the broker knows of the end; `closed` may be earlier
        self.will: tuple[str, bytes, int, bool] | None = None
        self.filters: dict[str, int] = {}
        self.silent_ms_max = BROKER_FIRST_S_MAX * 1000  # 0: for ever
        self.heard_ms = broker.now
        self.unread = 0  # bytes that were sent and that the broker has not looked at
        self.partial = bytearray()  # of a packet that has not come as a whole
        self._broker = broker
        self._wake = wake
        self._out = bytearray()
        self._seen = False  # `wake` was called, and nothing taken since
        self._flight: dict[int, None] = {}
        self._queue: deque[tuple[int, bytes]] = deque()
        self._last_id = 0

    # the bay's side

    def send(self, data: bytes) -> None:
        """Bytes for the broker. Nothing happens after a closing, as with a socket that nobody reads."""
        if self.closed or not data:
            return
        self.unread += len(data)
        if self.unread > BROKER_HELD_BYTES_MAX:
            self.closed = "the broker does not read what is sent"
            self._broker.do(partial(self._broker.end, self, self.closed))
            self.notice()
            return
        self._broker.do(partial(self._broker.read, self, bytes(data)))

    def take(self) -> bytes:
        """Everything that waits to go down; empty when there is nothing."""
        self._seen = False
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out.clear()
        return data

    @property
    def waiting(self) -> bool:
        """Whether there are bytes to take, or a closing by the broker to notice."""
        return bool(self._out) or self.closed not in ("", _HUNG_UP)

    def close(self) -> None:
        """The bay hangs up. Bytes that it sent before are still read."""
        if not self.closed:
            self.closed = _HUNG_UP
            self._out.clear()
            self._broker.do(partial(self._broker.end, self, _HUNG_UP))

    # the broker's side

    def push(self, packet: bytes) -> None:
        if self.closed:
            return
        self._out += packet
        if len(self._out) > BROKER_CONSUMER_BYTES_MAX:
            self._broker.end(self, "slow consumer")
            return
        self.notice()

    def notice(self) -> None:
        """Say that something waits, once until it is taken."""
        if self._wake is not None and self.waiting and not self._seen:
            self._seen = True
            self._wake()

    def deliver(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        if not qos:
            self.push(encode_publish(topic, payload, 0, retain, 0))
            return True
        if len(self._flight) + len(self._queue) >= BROKER_INFLIGHT_MAX + BROKER_QUEUED_MAX:
            return False
        self._last_id = self._last_id % 0xFFFF + 1
        while self._last_id in self._flight:
            self._last_id = self._last_id % 0xFFFF + 1
        self._queue.append((self._last_id, encode_publish(topic, payload, 1, retain, self._last_id)))
        self._fly()
        return True

    def acknowledged(self, packet_id: int) -> None:
        """A PUBACK; one that answers nothing is ignored, as mosquitto does."""
        if packet_id in self._flight:
            del self._flight[packet_id]
            self._fly()

    def _fly(self) -> None:
        while self._queue and len(self._flight) < BROKER_INFLIGHT_MAX:
            packet_id, packet = self._queue.popleft()
            self._flight[packet_id] = None
            self.push(packet)


class Client(Subscriber):
    """The exchange's client: subscribed to one filter at QoS 0, with no bytes in between.

    `on_message` runs inside the call that caused it, but never inside another `on_message`: what it publishes is
    delivered when it has returned. After a restart of the broker the client is closed until `reconnect()`.
    """

    def __init__(
        self, broker: Broker, pattern: str, on_message: OnMessage, on_closed: Callable[[str], None] | None
    ) -> None:
        super().__init__()
        self.pattern = pattern
        self._broker = broker
        self._on_message = on_message
        self._on_closed = on_closed
        self.reads = self.writes = f"wing/{broker.wing}/"

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """At QoS 0; False where there is no connection: the message is lost. Raises MqttError for a bad topic."""
        check_topic(topic)
        if self.closed:
            return False
        if 3 + len(topic.encode()) + len(payload) > BROKER_PACKET_BYTES_MAX:
            self.end("a packet is too long for the broker")
            return False
        self._broker.do(partial(self._broker.publish, self, topic, bytes(payload), 0, retain))
        return True

    def reconnect(self) -> None:
        """Connect and subscribe again; nothing happens while it is connected."""
        if self.closed:
            self.closed = ""
            self._broker.admit(self)

    def end(self, reason: str) -> None:
        """The connection is over; `on_closed` is told once."""
        if not self.closed:
            self.closed = reason
            self._broker.forget(self)
            if self._on_closed is not None:
                self._on_closed(reason)

    def deliver(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        self._on_message(topic, payload)
        return True
