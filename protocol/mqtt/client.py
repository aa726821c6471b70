"""MQTT: the client of a device; bytes and time in, bytes and events out, QoS 0 only."""

from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse
from protocol.limits import FILTERS_MAX, MQTT_PENDING_BYTES_MAX, PACKET_BYTES_MAX
from protocol.mqtt import packets
from protocol.mqtt.packets import MqttError
from protocol.mqtt.parser import begin_publish, parse

if TYPE_CHECKING:
    Event = tuple[str] | tuple[str, str, int] | tuple[str, str, bytes | memoryview] | tuple[str, str]

_NEW, _CONNECTING, _CONNECTED, _CLOSED = 0, 1, 2, 3
_REFUSED = {
    1: "broker refuses this MQTT version",
    2: "broker refuses the client identifier",
    3: "broker is unavailable",
    4: "broker refuses user name or password",
    5: "broker does not allow this client",
}


class Client:
    """One connection with a clean session.

    Events: ("connected",), ("subscribed", filter, granted QoS or 128), ("message", topic, payload),
    ("closed", reason). Nothing that arrives raises: a peer that breaks the standard closes, by name.
    A payload of `view_bytes_min` or more that comes in pieces is gathered in a buffer of its own, and the event has a
    view of that: it is in the heap once, and not twice as a copy out of the stream would be. 0: payloads are bytes.
    With `room`, payloads that fit are gathered there, one after the other: a view is good until the next receive().
    """

    def __init__(
        self, client_id: str, keepalive_s: int = 60, username: "str | None" = None,
        password: "bytes | None" = None, pending_bytes_max: int = MQTT_PENDING_BYTES_MAX,
        view_bytes_min: int = 0, room: "bytearray | None" = None,
    ) -> None:  # fmt: skip
        self._hello = packets.connect(client_id, keepalive_s, username, password)
        self._keepalive_ms = keepalive_s * 1000
        self._state = _NEW
        self._in = bytearray()
        self._view_min = view_bytes_min
        self._room = memoryview(room or b"")
        self._topic = ""  # of the payload that is being gathered ...
        self._payload: "memoryview | None" = None  # ... here ...
        self._gathered = 0  # ... and how much of it has come
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._out_max = pending_bytes_max
        self._events: "list[Event]" = []
        self._subscribing: "dict[int, str]" = {}
        self._next_id = 0
        self._sent = -1
        self._asked = -1  # when the PINGREQ or CONNECT went that has no answer yet

    @property
    def connected(self) -> bool:
        return self._state == _CONNECTED

    @property
    def closed(self) -> bool:
        return self._state == _CLOSED

    # what goes out

    def connect(self) -> None:
        """Start; once, before anything else."""
        if self._state != _NEW:
            raise Misuse("connect() is called once")
        self._state = _CONNECTING
        self._queue(self._hello)

    def subscribe(self, pattern: str) -> bool:
        """Ask for a filter at QoS 0; False where there is no room now, or too many are unanswered."""
        if not self._open() or len(self._subscribing) >= FILTERS_MAX:
            return False
        self._next_id = self._next_id % 0xFFFF + 1
        if not self._queue(packets.subscribe(self._next_id, [(pattern, 0)])):
            return False
        self._subscribing[self._next_id] = pattern
        return True

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Send at QoS 0; False where there is no room now (try again after to_send gave something)."""
        return self._open() and self._queue(packets.publish(topic, payload, 0, retain))

    def disconnect(self) -> None:
        """Say good-bye; ("closed", "disconnected") follows at once."""
        if self._open():
            self._out.append(packets.disconnect())
            self._out_bytes += 2
            self._close("disconnected")

    def room(self) -> int:
        """Bytes of packets that would be taken now; an empty queue takes one packet of any size."""
        return max(0, self._out_max - self._out_bytes)

    def _open(self) -> bool:
        return self._state == _CONNECTING or self._state == _CONNECTED

    def _queue(self, packet: bytes) -> bool:
        if self._out and self._out_bytes + len(packet) > self._out_max:
            return False
        self._out.append(packet)
        self._out_bytes += len(packet)
        return True

    def to_send(self, now: int, size_max: int = PACKET_BYTES_MAX) -> bytes:
        """The next bytes of the stream, at most size_max; empty when there is nothing."""
        self.tick(now)
        if not self._out or size_max <= 0:
            return b""
        first = self._out[0]
        if len(first) > size_max:
            data = first[:size_max]
            self._out[0] = first[size_max:]
        else:
            data = self._out.pop(0)
        self._out_bytes -= len(data)
        self._sent = now
        if self._state == _CONNECTING and self._asked < 0:
            self._asked = now
        return data

    # time

    def tick(self, now: int) -> None:
        """Let time pass: keeps the connection alive, and notices a peer that does not answer."""
        if not self._open() or not self._keepalive_ms:
            return
        if self._asked >= 0:
            if now - self._asked >= self._keepalive_ms:
                self._close("no answer from the broker")
        elif self._sent >= 0 and now - self._sent >= self._keepalive_ms * 3 // 4 and not self._out:
            self._queue(packets.pingreq())
            self._asked = now

    def next_deadline(self) -> "int | None":
        """When tick() is due; None when never."""
        if not self._open() or not self._keepalive_ms:
            return None
        if self._asked >= 0:
            return self._asked + self._keepalive_ms
        return self._sent + self._keepalive_ms * 3 // 4 if self._sent >= 0 else None

    # what comes in

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the stream from the broker."""
        if not self._open():
            return
        try:
            if self._payload is None:
                self._begin_view()
            if self._payload is not None:
                data = self._gather(data)
            self._in.extend(data)
            packet = parse(self._in)
            while packet is not None:
                self._take(packet)
                packet = parse(self._in) if self._open() else None
            if not self._in:
                self._in = bytearray()  # an empty one would keep its place in the heap
            self._begin_view()
        except MqttError as error:
            self._close("broker breaks MQTT: " + str(error))

    def _begin_view(self) -> None:
        """Where the stream is inside a long payload, gather it; not before those before it have been taken."""
        if not self._view_min or not self._in or self._events or self._state != _CONNECTED:
            return
        begun = begin_publish(self._in, self._view_min)
        if begun is not None:
            self._topic, start, size = begun
            came = memoryview(self._in)[start:]
            self._payload = self._room[:size] if size <= len(self._room) else memoryview(bytearray(size))
            self._payload[: len(came)] = came
            self._gathered = len(came)
            self._in = bytearray()

    def _gather(self, data: bytes) -> bytes:
        """Bytes into the payload; returns those after its end."""
        payload = self._payload
        assert payload is not None
        size = min(len(data), len(payload) - self._gathered)
        payload[self._gathered : self._gathered + size] = data if size == len(data) else data[:size]
        self._gathered += size
        if self._gathered == len(payload):
            self._payload = None
            self._events.append(("message", self._topic, payload))
        return data[size:]

    def _take(self, packet: "packets.Packet") -> None:
        kind = packet.kind
        if (kind == packets.CONNACK) != (self._state == _CONNECTING):
            raise MqttError("CONNACK is not the first packet, or comes twice")
        if isinstance(packet, packets.Connack):
            self._asked = -1
            if packet.code:
                self._close(_REFUSED[packet.code])
            elif packet.session_present:
                raise MqttError("a session that was not asked for")
            else:
                self._state = _CONNECTED
                self._events.append(("connected",))
        elif isinstance(packet, packets.Publish):
            if packet.qos:
                raise MqttError("a QoS that was not asked for")
            self._events.append(("message", packet.topic, packet.payload))
        elif isinstance(packet, packets.Suback):
            pattern = self._subscribing.pop(packet.packet_id, None)
            if pattern is None or len(packet.codes) != 1 or packet.codes[0] not in (0, packets.FAILURE):
                raise MqttError("SUBACK that answers nothing")
            self._events.append(("subscribed", pattern, packet.codes[0]))
        elif kind == packets.PINGRESP:
            if self._asked < 0:
                raise MqttError("PINGRESP that answers nothing")
            self._asked = -1
        else:
            raise MqttError("packet that answers nothing, or that only a client sends")

    def _close(self, reason: str) -> None:
        self._state = _CLOSED
        self._in = bytearray()
        self._payload = None
        self._subscribing = {}
        self._events.append(("closed", reason))

    def next_event(self) -> "Event | None":
        """The next event, in order."""
        return self._events.pop(0) if self._events else None
