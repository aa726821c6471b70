"""The hub's end of one wire in memory: the real stack, the bay's filter and an Exchange over its real database.

Joined with a firmware Dock by `memory_hub.join` or `yank`. Only the broker is left out: what the filter passes goes to
the exchange, and what the exchange answers goes back through the filter and down, at once and in order. `change` is
where a stolen hub lays hand on what goes down; `heard` is told of every message up before the exchange has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from hub_daemon.broker import Account
from hub_daemon.exchange import Exchange
from hub_daemon.filter import BayFilter
from hub_daemon.store import tickets
from protocol import mqtt
from protocol.link import Link
from protocol.records import topics
from protocol.session import Session
from protocol.stack import Stack
from tests.kits.hub import WING, now_ms


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
        self.patterns: list[str] = []  # of the sessions so far
        self._random = random
        self._clock_ms = clock_ms
        self.stack = Stack(Link(random(8)), self._session)
        self._filter: BayFilter | None = None
        self._passed = bytearray()
        self._down = bytearray()

    def _session(self) -> Session:
        keys = self.exchange.keys
        self.exchange.wing.load()
        accept = lambda pattern, static, payload: self.exchange.wing.device_by_static(static) is not None  # noqa: E731
        return Session(False, (keys.x25519, keys.x25519_public), self._random, payload=b"", accept=accept,
                       find_ticket=self._find_ticket)  # fmt: skip

    def _find_ticket(self, static: bytes) -> bytes | None:
        found = self.exchange.wing.device_by_static(static)
        if found is None:
            return None
        with self.exchange.store.read() as tx:
            return tickets.find(tx, found.id, self._clock_ms())

    def receive(self, data: bytes, now: int) -> None:
        self.stack.receive(data, now)
        self._events(now)

    def tick(self, now: int) -> None:
        self.stack.tick(now)
        self._events(now)
        if self.device:
            self._say(self.exchange.tick(self._clock_ms()))

    def next_deadline(self) -> int | None:
        return self.stack.next_deadline()

    def to_send(self, now: int) -> bytes:
        while self._down:
            taken = self.stack.write(bytes(self._down[:4096]))
            if not taken:
                break
            del self._down[:taken]
        return self.stack.to_send(now)

    def end(self) -> None:
        """The docking is over: the session went, or the port closed."""
        if self.device:
            self.exchange.lifted(self.device)
            with self.exchange.store.write() as tx:
                tickets.lifted(tx, self.device, self._clock_ms())
        self.device = b""
        self._filter = None
        self._passed.clear()
        self._down.clear()

    def _events(self, now: int) -> None:
        while (event := self.stack.next_event()) is not None:
            if event[0] == "up":
                self.end()
                found = self.exchange.wing.device_by_static(event[2])  # type: ignore[misc]
                assert found is not None
                assert self.stack.session is not None
                self.exchange.docked(found.id, self._clock_ms(), self.stack.session.ticket)
                self.patterns.append(str(event[1]))
                self.device = found.id
                self._filter = BayFilter(WING, found.id, Account("bay", ""))
            elif event[0] == "data":
                assert self._filter is not None and isinstance(event[1], bytes)
                self._passed += self._filter.from_device(event[1], now)
                while (packet := mqtt.parse(self._passed)) is not None:
                    self._packet(packet)
            else:
                self.end()

    def _packet(self, packet: object) -> None:
        if isinstance(packet, mqtt.Connect):
            self._pass_down(mqtt.connack(0))
        elif isinstance(packet, mqtt.Subscribe):
            self._pass_down(mqtt.suback(packet.packet_id, [0]))
        elif isinstance(packet, mqtt.Publish):
            kind = topics.parse(packet.topic)[3]
            self.heard(kind, packet.payload)
            self._say(self.exchange.on_message(self.device, kind, packet.payload, self._clock_ms()))
        else:
            self._pass_down(mqtt.pingresp())

    def _say(self, messages: list[tuple[bytes, str, bytes]]) -> None:
        for device, kind, payload in messages:
            if device == self.device:
                topic = topics.build(WING, device, topics.DOWN, kind)
                self._pass_down(mqtt.publish(topic, self.change(kind, payload)))

    def _pass_down(self, packet: bytes) -> None:
        assert self._filter is not None
        self._down += self._filter.from_broker(packet)
