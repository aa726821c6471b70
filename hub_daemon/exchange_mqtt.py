"""Broker <-> here <-> exchange: the one MQTT client of the hub.

paho's network thread hands each message to the exchange, which commits, and then publishes what came back: messages of
one device stay in order, and nothing is acknowledged before its commit. A slow disk slows this thread and nothing else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hub_daemon.broker import Broker
from hub_daemon.docking import Message
from hub_daemon.exchange import Exchange
from hub_daemon.limits import MQTT_RETRY_S_MAX
from protocol.records import topics

Report = Callable[[str, str], None]


def answer(
    exchange: Exchange, topic: str, payload: bytes, now_ms: int, report: Report
) -> list[tuple[str, bytes]]:
    """What to publish, in order, after one message of a device: (topic, payload). Never raises."""
    try:
        wing, device, direction, kind = topics.parse(topic)
        if direction != topics.UP:
            return []
        out = exchange.on_message(device, kind, payload, now_ms)
    except Exception as error:
        # a full disk or a bug of ours: this message is not acknowledged, and the next one is heard
        report("exchange-failed", f"{topic[:80]}: {type(error).__name__}: {error}"[:300])
        return []
    return down(wing, out)


def down(wing: str, messages: list[Message]) -> list[tuple[str, bytes]]:
    """What the exchange returned, with its topics at the broker."""
    return [(topics.build(wing, device, topics.DOWN, kind), payload) for device, kind, payload in messages]


class ExchangeMqtt:
    """Carries an Exchange over a Broker. `on_lost()` runs when the broker went away: dockings must start anew."""

    def __init__(
        self,
        exchange: Exchange,
        broker: Broker,
        clock: Callable[[], int],
        report: Report,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.exchange = exchange
        self.ready = threading.Event()
        self._wing = broker.wing
        self._clock = clock
        self._report = report
        self._on_lost = on_lost
        self._stopping = False
        self._filter = f"wing/{broker.wing}/device/+/up/+"
        self._publish_lock = threading.Lock()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="exchange", transport="unix", clean_session=True)
        client.username_pw_set(broker.accounts.exchange.user, broker.accounts.exchange.password)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.reconnect_delay_set(1, MQTT_RETRY_S_MAX)
        client.max_queued_messages_set(0)  # what the exchange says is bounded by what devices ask for
        self._client = client
        self._socket = str(broker.hub_socket)

    def start(self) -> None:
        """Connect in paho's own thread, now and after every loss."""
        self._client.connect_async(self._socket, 1)  # the port is not used on a Unix socket, but must be positive
        self._client.loop_start()

    def stop(self) -> None:
        self._stopping = True
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, data: object, flags: Any, code: Any, properties: object) -> None:
        if code.is_failure:
            self._report("broker-refuses", str(code))
            return
        client.subscribe(self._filter, qos=0)

    def _subscribed(self, client: paho.Client, data: object, mid: int, codes: Any, properties: object) -> None:
        if any(code.is_failure for code in codes):
            self._report("broker-refuses", f"no subscription to {self._filter}")
            return
        self.ready.set()

    def _disconnected(self, client: paho.Client, data: object, flags: object, code: Any, properties: object) -> None:
        was_ready = self.ready.is_set()
        self.ready.clear()
        if not self._stopping and was_ready:
            self._report("broker-lost", str(code))
            self._on_lost()

    def _message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        self._publish(answer(self.exchange, message.topic, bytes(message.payload), self._clock(), self._report))

    def publish(self, messages: list[Message]) -> None:
        """Send what the exchange returned, in order."""
        self._publish(down(self._wing, messages))

    def _publish(self, messages: list[tuple[str, bytes]]) -> None:
        with self._publish_lock:
            for topic, payload in messages:
                self._client.publish(topic, payload, qos=0)

    def retain(self, what: str, value: object) -> None:
        """Publish retained JSON on wing/<wing>/hub/<what>."""
        self._client.publish(topics.hub(self._wing, what), json.dumps(value, sort_keys=True), qos=0, retain=True)

    def refresh(self) -> None:
        """New lists to whoever is docked; from any thread."""
        try:
            self.publish(self.exchange.refresh(self._clock()))
        except Exception as error:
            self._report("exchange-failed", f"refresh: {type(error).__name__}: {error}"[:300])

    def tick(self) -> None:
        """Repeated requests for chunks that did not come."""
        self.publish(self.exchange.tick(self._clock()))
