"""The hub's end of one wire in memory: the real stack, the bay's filter and an Exchange over its real database.

Joined with a firmware Dock by `memory_hub.join`. Only the broker is left out: what the filter passes goes to the
exchange, and what the exchange answers goes down. `change` is where a stolen hub lays hand on what goes down.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from hub_daemon.broker import Account
from hub_daemon.exchange import Exchange
from hub_daemon.filter import BayFilter
from protocol import mqtt
from protocol.link import Link
from protocol.records import topics
from protocol.session import Session
from protocol.stack import Stack
from tests.kits.hub import WING, now_ms


class ExchangeSide:
    """`receive(data, now)`, `tick(now)`, `to_send(now)`: as every end of a wire; `now` is the wire's time alone."""

    def __init__(self, exchange: Exchange, change: Callable[[str, bytes], bytes] = lambda kind, payload: payload):
        self.exchange = exchange
        self.change = change
        self.device = b""
        self.stack = Stack(Link(os.urandom(8)), self._session)
        self._filter: BayFilter | None = None
        self._passed = bytearray()
        self._down = bytearray()

    def _session(self) -> Session:
        keys = self.exchange.keys
        self.exchange.wing.load()
        accept = lambda pattern, static, payload: self.exchange.wing.device_by_static(static) is not None  # noqa: E731
        return Session(False, (keys.x25519, keys.x25519_public), os.urandom, payload=b"", accept=accept)

    def receive(self, data: bytes, now: int) -> None:
        self.stack.receive(data, now)
        self._events(now)

    def tick(self, now: int) -> None:
        self.stack.tick(now)
        self._events(now)
        if self.device:
            self._say(self.exchange.tick(now_ms()))

    def to_send(self, now: int) -> bytes:
        while self._down:
            taken = self.stack.write(bytes(self._down[:4096]))
            if not taken:
                break
            del self._down[:taken]
        return self.stack.to_send(now)

    def _events(self, now: int) -> None:
        while (event := self.stack.next_event()) is not None:
            if event[0] == "up":
                found = self.exchange.wing.device_by_static(event[2])  # type: ignore[misc]
                assert found is not None
                self.device = found.id
                self._filter = BayFilter(WING, found.id, Account("bay", ""))
                self.exchange.docked(found.id, now_ms())
            elif event[0] == "data":
                assert self._filter is not None and isinstance(event[1], bytes)
                self._passed += self._filter.from_device(event[1], now)
                while (packet := mqtt.parse(self._passed)) is not None:
                    self._packet(packet)

    def _packet(self, packet: object) -> None:
        if isinstance(packet, mqtt.Connect):
            self._down += mqtt.connack(0)
        elif isinstance(packet, mqtt.Subscribe):
            self._down += mqtt.suback(packet.packet_id, [0])
        elif isinstance(packet, mqtt.Publish):
            kind = topics.parse(packet.topic)[3]
            self._say(self.exchange.on_message(self.device, kind, packet.payload, now_ms()))
        else:
            self._down += mqtt.pingresp()

    def _say(self, messages: list[tuple[bytes, str, bytes]]) -> None:
        for device, kind, payload in messages:
            if device == self.device:
                topic = topics.build(WING, device, topics.DOWN, kind)
                self._down += mqtt.publish(topic, self.change(kind, payload))
