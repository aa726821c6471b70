"""Bay <-> here <-> exchange: the MQTT broker of a simulated wing; mosquitto as the hub configures it, in memory.

Bytes and calls in, bytes and calls out, at once and in order; time comes in with `tick`. Everything that happens is an
entry of one queue. Whoever calls from inside a delivery only adds to it, so that no delivery runs inside another one.

As mosquitto 2 does with the configuration of `hub_daemon/broker/mosquitto.py` (a test holds them against each other):
accounts and access lists of two listeners; every filter is granted and what may not be read is never delivered; what
may not be written is acknowledged and dropped; where filters overlap a client hears a message once; retained messages
follow the SUBACK; a client that acknowledges nothing has 20 messages of QoS 1 in flight and 1000 waiting.

Stricter than mosquitto, by name: what protocol.mqtt refuses to parse, QoS 2, a session that is kept, and packets that
only a broker sends end the connection. None of these passes the bay's filter. A client that takes nothing is closed at
4 MiB, where mosquitto goes on and drops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hub_daemon.broker.base import Account, Accounts
from protocol.mqtt import (
    DISCONNECT,
    PINGREQ,
    PUBACK,
    Acknowledge,
    Bare,
    Connect,
    MqttError,
    Publish,
    Subscribe,
    Unsubscribe,
    connack,
    matches,
    parse,
    pingresp,
    suback,
    unsuback,
)
from sim.box.broker_client import Client, Connection, OnMessage, Subscriber
from sim.box.broker_topics import Subscriptions

if TYPE_CHECKING:
    from protocol.mqtt.packets import Packet

__all__ = ["ACCOUNTS", "Broker", "Client", "Connection"]

ACCOUNTS = Accounts(Account("exchange", ""), Account("operator", ""), Account("bay", ""))  # nobody listens in a box
HUB, BAY = "hub", "bay"
NOT_AUTHORISED = 5


class Broker:
    """The broker of one wing. `dropped` counts messages that a subscriber did not get because too many waited.

    The world injects `restart`, `hold`, `duplicate_next` and `drop_next`.
    """

    def __init__(self, wing: str, accounts: Accounts = ACCOUNTS) -> None:
        self.wing = wing
        self.accounts = accounts
        self.now = 0
        self.dropped = 0
        self.duplicates_left = 0
        self.drops_left = 0
        self._duplicate_qos_min = 1
        self._work: deque[Callable[[], object]] = deque()
        self._working = False
        self._held = False
        self._open: dict[Connection, None] = {}
        self._by_id: dict[str, Connection] = {}
        self._clients: dict[Client, None] = {}
        self._nameless = 0
        self._subscriptions: Subscriptions[Subscriber] = Subscriptions()
        self._retained: dict[str, tuple[bytes, int]] = {}

    # who comes

    def connect_device(self, wake: Callable[[], None] | None = None) -> Connection:
        """A connection on the bays' socket; see Connection for `wake`."""
        return self._connect(BAY, wake)

    def connect_operator(self, wake: Callable[[], None] | None = None) -> Connection:
        """A connection on the hub's socket, where the accounts of the exchange and of operators are known."""
        return self._connect(HUB, wake)

    def _connect(self, listener: str, wake: Callable[[], None] | None) -> Connection:
        connection = Connection(self, listener, wake)
        self._open[connection] = None
        return connection

    def client(
        self, filter: str, on_message: OnMessage, on_closed: Callable[[str], None] | None = None
    ) -> Client:
        """The exchange's own client, connected and subscribed to `filter`."""
        client = Client(self, filter, on_message, on_closed)
        self.admit(client)
        return client

    def admit(self, client: Client) -> None:
        self._clients[client] = None
        self.do(partial(self._subscribe, client, [(client.pattern, 0)]))

    # the one queue

    def do(self, call: Callable[[], object]) -> None:
        """Run this after whatever is waiting. What `on_message` raises comes out here; the rest runs the next time."""
        self._work.append(call)
        self._run()

    def _run(self) -> None:
        if self._working:
            return
        self._working = True
        try:
            while self._work and not self._held:
                self._work.popleft()()
        finally:
            self._working = False

    # time

    def tick(self, now: int) -> None:
        """Let time pass (ms): ends connections that were silent for one and a half times their keep-alive."""
        self.now = now
        if not self._held:
            self.do(self._expire)

    def next_deadline(self) -> int | None:
        """When the next connection would end; None when none can."""
        ends = [one.heard_ms + one.silent_ms_max for one in self._open if one.silent_ms_max]
        return min(ends) if ends and not self._held else None

    def _expire(self) -> None:
        for connection in list(self._open):
            if connection.silent_ms_max and self.now - connection.heard_ms >= connection.silent_ms_max:
                self.end(connection, "silent for longer than its keep-alive")

    # what the world does to it

    def restart(self) -> None:
        """The broker dies and is there again: every connection ends, nothing is remembered, no will is published.

        What the world holds or drops, it still does.
        """
        self._work.clear()
        self._retained.clear()
        self._subscriptions = Subscriptions()
        for connection in list(self._open):
            connection.will = None
            self.end(connection, "the broker restarted")
        for client in list(self._clients):
            client.end("the broker restarted")

    def hold(self, held: bool) -> None:
        """While held nothing is read and nothing delivered; then everything is, in order. Nobody's time runs out."""
        self._held = held
        if not held:
            for connection in self._open:
                connection.heard_ms = self.now
            self._run()

    def duplicate_next(self, times: int, qos_min: int = 1) -> None:
        """The next messages of this QoS or more come twice, as from a publisher that has lost its PUBACK.

        Perch's own clients publish at QoS 0, which no broker may double; `qos_min=0` does it nevertheless.
        """
        self.duplicates_left = times
        self._duplicate_qos_min = qos_min

    def drop_next(self, times: int) -> None:
        """The next messages find their subscriber's queue full: dropped, as mosquitto does, and acknowledged."""
        self.drops_left = times

    # packets

    def read(self, connection: Connection, data: bytes) -> None:
        """Bytes that a connection sent."""
        connection.unread -= len(data)
        buffer = connection.partial
        buffer += data
        try:
            while not connection.gone and (packet := parse(buffer)) is not None:
                connection.heard_ms = self.now
                self._take(connection, packet)
        except MqttError as error:
            self.end(connection, f"breaks MQTT: {error}")

    def _take(self, connection: Connection, packet: Packet) -> None:
        if isinstance(packet, Connect) != (not connection.connected):
            self.end(connection, "a CONNECT is the first packet, and comes once")
        elif isinstance(packet, Connect):
            self._greet(connection, packet)
        elif isinstance(packet, Publish):
            if packet.qos > 1:
                raise MqttError("QoS 2 is not simulated")
            self.publish(connection, packet.topic, packet.payload, packet.qos, packet.retain)
            if packet.qos:
                connection.push(Acknowledge(PUBACK, packet.packet_id).encode())
        elif isinstance(packet, Subscribe):
            if any(qos > 1 for _, qos in packet.filters):
                raise MqttError("QoS 2 is not simulated")
            connection.filters.update(packet.filters)
            connection.push(suback(packet.packet_id, [qos for _, qos in packet.filters]))
            self._subscribe(connection, packet.filters)
        elif isinstance(packet, Unsubscribe):
            for pattern in packet.filters:
                if connection.filters.pop(pattern, None) is not None:
                    self._subscriptions.remove(pattern, connection)
            connection.push(unsuback(packet.packet_id))
        elif isinstance(packet, Acknowledge) and packet.kind == PUBACK:
            connection.acknowledged(packet.packet_id)
        elif isinstance(packet, Bare) and packet.kind == PINGREQ:
            connection.push(pingresp())
        elif isinstance(packet, Bare) and packet.kind == DISCONNECT:
            connection.will = None
            self.end(connection, "disconnected")
        else:
            raise MqttError("a packet that only a broker sends, or of QoS 2")

    def _greet(self, connection: Connection, packet: Connect) -> None:
        account = next((one for one in self._accounts(connection.listener) if one.user == packet.username), None)
        if account is None or packet.password != account.password.encode():
            connection.push(connack(NOT_AUTHORISED))
            self.end(connection, "user name or password is wrong")
            return
        if not packet.clean:
            raise MqttError("a session that is kept is not simulated")
        if packet.will is not None and packet.will[2] > 1:
            raise MqttError("QoS 2 is not simulated")
        self._nameless += not packet.client_id
        client_id = packet.client_id or f"nameless-{self._nameless}"
        if (before := self._by_id.get(client_id)) is not None:
            self.end(before, "another connection has its client id")
        self._by_id[client_id] = connection
        connection.client_id, connection.connected, connection.will = client_id, True, packet.will
        connection.silent_ms_max = packet.keepalive_s * 1500
        self._allow(connection, account)
        connection.push(connack(0))

    def _accounts(self, listener: str) -> list[Account]:
        return [self.accounts.bay] if listener == BAY else [self.accounts.exchange, self.accounts.operator]

    def _allow(self, connection: Connection, account: Account) -> None:
        """The access lists: a bay speaks for the device that its client id names, and for no other."""
        here = f"wing/{self.wing}/"
        if account is self.accounts.bay:
            device = f"{here}device/{connection.client_id}"
            connection.writes, connection.reads = f"{device}/up/", f"{device}/down/"
            return
        connection.reads = here
        connection.writes = here if account is self.accounts.exchange else ""

    # messages

    def publish(self, who: Subscriber, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """A message of `who`; dropped where its account may not say it."""
        if not who.may_write(topic):
            return
        if retain:
            self._retained.pop(topic, None) if not payload else self._retained.update({topic: (payload, qos)})
        copies = 1
        if self.duplicates_left and qos >= self._duplicate_qos_min:
            self.duplicates_left -= 1
            copies = 2
        for _ in range(copies):
            for subscriber, granted in self._subscriptions.find(topic):
                self._deliver(subscriber, topic, payload, min(qos, granted), False)

    def _deliver(self, subscriber: Subscriber, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        if subscriber.closed or not subscriber.may_read(topic):
            return
        if self.drops_left:
            self.drops_left -= 1
            self.dropped += 1
        elif not subscriber.deliver(topic, payload, qos, retain):
            self.dropped += 1

    def _subscribe(self, subscriber: Subscriber, filters: list[tuple[str, int]]) -> None:
        for pattern, qos in filters:
            if not subscriber.closed:
                self._subscriptions.add(pattern, subscriber, qos)
            for topic, (payload, kept_qos) in list(self._retained.items()):
                if matches(pattern, topic):
                    self._deliver(subscriber, topic, payload, min(qos, kept_qos), True)

    # ends

    def end(self, connection: Connection, reason: str) -> None:
        """The connection is over, with its subscriptions; its will is said, if it may be."""
        if connection.gone:
            return
        connection.gone = True
        connection.closed = connection.closed or reason
        del self._open[connection]
        if self._by_id.get(connection.client_id) is connection:
            del self._by_id[connection.client_id]
        for pattern in connection.filters:
            self._subscriptions.remove(pattern, connection)
        connection.partial.clear()
        if connection.will is not None:
            self.publish(connection, *connection.will)
        connection.notice()

    def forget(self, client: Client) -> None:
        """The exchange's client has ended."""
        del self._clients[client]
        self._subscriptions.remove(client.pattern, client)
