"""The hub's end of one wire in memory: the daemon's own BayCore, and an Exchange over its real database.

Joined with a firmware Dock by `memory_hub.join` or `yank`. Only the broker is left out: what the bay passes up goes to
the exchange, and what the exchange answers goes back to the bay, at once and in order. `change` is where a stolen hub
lays hand on what goes down; `heard` is told of every message up before the exchange has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from hub_daemon.bay_core import BayCore
from hub_daemon.broker import Account
from hub_daemon.enrolment import Enrolment
from hub_daemon.exchange import Exchange
from hub_daemon.store import tickets
from protocol import mqtt
from protocol.records import topics
from protocol.records.roster import Device
from protocol.session import RESUME
from tests.kits.hub import now_ms

ACCOUNT = Account("bay", "")


class ExchangeRooms:
    """What a bay asks of the hub, answered from the store of `exchange`; `said` is what was reported."""

    def __init__(self, exchange: Exchange, clock_ms: Callable[[], int]) -> None:
        self.store, self.wing, self.clock = exchange.store, exchange.wing, clock_ms
        self.enrolment = Enrolment(self.store, self.wing, exchange.keys, clock_ms)
        self.said: list[str] = []

    def find_ticket(self, device: Device) -> bytes | None:
        with self.store.read() as tx:
            return tickets.find(tx, device.id, self.clock())

    def report(self, what: str, words: str) -> None:
        self.said.append(f"{what} {words}")


class ExchangeSide:
    """`receive(data, now)`, `tick(now)`, `to_send(now)`: as every end of a wire; `now` is the wire's time alone."""

    def __init__(
        self,
        exchange: Exchange,
        change: Callable[[str, bytes], bytes] = lambda kind, payload: payload,
        random: Callable[[int], bytes] = os.urandom,
        clock_ms: Callable[[], int] = now_ms,
        heard: Callable[[str, bytes], None] = lambda kind, payload: None,
    ) -> None:
        self.exchange = exchange
        self.change = change
        self.heard = heard
        self.device = b""
        self.patterns: list[str] = []  # of the dockings so far
        self.lifts: list[str] = []  # why those that ended did
        self.rooms = ExchangeRooms(exchange, clock_ms)
        self.core = BayCore("bay", self.rooms, random)
        self.stack = self.core.stack
        self._passed = bytearray()
        self._now = 0

    def receive(self, data: bytes, now: int) -> None:
        self.core.receive(data, now)
        self.settle(now)

    def tick(self, now: int) -> None:
        self.core.tick(now)
        self.settle(now)
        if self.device:
            self._say(self.exchange.tick(self.rooms.clock()))

    def next_deadline(self) -> int | None:
        return self.core.next_deadline()

    def to_send(self, now: int) -> bytes:
        return self.core.to_send(now)

    def end(self) -> None:
        """The port closed."""
        self.core.end("the port closed", self._now)
        self.settle(self._now)

    def settle(self, now: int) -> None:
        """Do everything that the bay asks for, in its order."""
        self._now = now
        while True:
            self._passed += self.core.to_broker()
            while (packet := mqtt.parse(self._passed)) is not None:
                self._packet(packet)
            event = self.core.next_event()
            if event is None:
                return
            if event[0] == "dock":
                self.dock(event[1], event[2], event[3])
            else:
                self.lift(event[1], event[2])

    def dock(self, device: Device, ticket: bytes, resumed: bool) -> None:
        self.exchange.docked(device.id, self.rooms.clock(), ticket)
        self.patterns.append(RESUME if resumed else "IK")
        self.device = device.id
        self.core.open_docking(ACCOUNT, self._now)

    def lift(self, device: Device, reason: str) -> None:
        self.exchange.lifted(device.id)
        with self.exchange.store.write() as tx:
            tickets.lifted(tx, device.id, self.rooms.clock())
        self.lifts.append(reason)
        self.device = b""
        self._passed.clear()

    def _packet(self, packet: object) -> None:
        if isinstance(packet, mqtt.Connect):
            self._pass_down(mqtt.connack(0))
        elif isinstance(packet, mqtt.Subscribe):
            self._pass_down(mqtt.suback(packet.packet_id, [0]))
        elif isinstance(packet, mqtt.Publish):
            kind = topics.parse(packet.topic)[3]
            self.heard(kind, packet.payload)
            self._say(self.exchange.on_message(self.device, kind, packet.payload, self.rooms.clock()))
        else:
            self._pass_down(mqtt.pingresp())

    def _say(self, messages: list[tuple[bytes, str, bytes]]) -> None:
        for device, kind, payload in messages:
            if device == self.device:
                topic = topics.build(self.rooms.wing.wing, device, topics.DOWN, kind)
                self._pass_down(mqtt.publish(topic, self.change(kind, payload)))

    def _pass_down(self, packet: bytes) -> None:
        self.core.from_broker(packet, self._now)
