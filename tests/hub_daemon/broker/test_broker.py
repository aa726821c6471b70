"""What every broker must do: run against mosquitto (where it is installed) and amqtt."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from hub_daemon.broker import Account, Broker
from hub_daemon.broker.amqtt import Amqtt
from hub_daemon.broker.mosquitto import Mosquitto, find_program
from tests.kits.loop import run

DEVICE = "0123456789abcdef"
OTHER = "fedcba9876543210"

Make = Callable[[Path], Broker]


def make_mosquitto(directory: Path) -> Broker:
    program = find_program()
    assert program is not None
    return Mosquitto(directory, "a-wing", lambda what, words: None, program)


def make_amqtt(directory: Path) -> Broker:
    return Amqtt(directory, "a-wing", lambda what, words: None)


BROKERS = [
    pytest.param(
        make_mosquitto, id="mosquitto", marks=pytest.mark.skipif(not find_program(), reason="not installed")
    ),
    pytest.param(make_amqtt, id="amqtt"),
]


class Client:
    """A paho client on a Unix socket that keeps what it got."""

    def __init__(self, socket: Path, account: Account, client_id: str = "") -> None:
        self.got: list[tuple[str, bytes]] = []
        self.connected = threading.Event()
        self.refused = threading.Event()
        self.subscribed: list[int] = []
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, transport="unix")
        self.paho.username_pw_set(account.user, account.password)
        self.paho.on_connect = self._on_connect
        self.paho.on_message = lambda c, u, m: self.got.append((m.topic, m.payload))
        self.paho.on_subscribe = lambda c, u, mid, codes, p: self.subscribed.extend(x.value for x in codes)
        self.paho.connect(str(socket), 1)
        self.paho.loop_start()

    def _on_connect(
        self, client: paho.Client, user: object, flags: object, code: object, props: object
    ) -> None:
        (self.refused if getattr(code, "is_failure", True) else self.connected).set()

    def subscribe(self, topic: str) -> None:
        before = len(self.subscribed)
        self.paho.subscribe(topic)
        wait_for(lambda: len(self.subscribed) > before)

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


def wait_for(condition: Callable[[], bool], seconds: float = 8.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def with_broker(make: Make, directory: Path, use: Callable[[Broker], Awaitable[None]]) -> None:
    async def main() -> None:
        broker = make(directory)
        await broker.start()
        try:
            await use(broker)
        finally:
            await broker.stop()

    run(main())


@pytest.mark.parametrize("make", BROKERS)
def test_the_exchange_and_a_bay_talk_and_an_operator_listens(make: Make, tmp_path: Path) -> None:
    async def use(broker: Broker) -> None:
        def talk() -> None:
            a = broker.accounts
            exchange = Client(broker.hub_socket, a.exchange, "exchange")
            operator = Client(broker.hub_socket, a.operator)
            bay = Client(broker.bay_socket, a.bay, DEVICE)
            for client in (exchange, operator, bay):
                assert client.connected.wait(5)
            exchange.subscribe("wing/a-wing/device/+/up/#")
            operator.subscribe("wing/a-wing/#")
            bay.subscribe(f"wing/a-wing/device/{DEVICE}/down/#")
            payload = os.urandom(20_000)
            bay.paho.publish(f"wing/a-wing/device/{DEVICE}/up/hello", payload)
            assert wait_for(lambda: exchange.got == [(f"wing/a-wing/device/{DEVICE}/up/hello", payload)])
            exchange.paho.publish(f"wing/a-wing/device/{DEVICE}/down/list", b"list")
            assert wait_for(lambda: bay.got == [(f"wing/a-wing/device/{DEVICE}/down/list", b"list")])
            assert wait_for(lambda: len(operator.got) == 2)
            exchange.paho.publish("wing/a-wing/hub/health", b"{}", retain=True)
            assert wait_for(lambda: len(operator.got) == 3)
            late = Client(broker.hub_socket, a.operator)
            assert late.connected.wait(5)
            late.subscribe("wing/a-wing/hub/#")
            assert wait_for(lambda: ("wing/a-wing/hub/health", b"{}") in late.got)
            for client in (exchange, operator, bay, late):
                client.close()

        await asyncio.to_thread(talk)

    with_broker(make, tmp_path, use)


@pytest.mark.parametrize("make", BROKERS)
def test_a_bay_is_held_to_its_device_and_an_operator_cannot_speak(make: Make, tmp_path: Path) -> None:
    async def use(broker: Broker) -> None:
        def talk() -> None:
            a = broker.accounts
            exchange = Client(broker.hub_socket, a.exchange, "exchange")
            operator = Client(broker.hub_socket, a.operator, "watching")
            bay = Client(broker.bay_socket, a.bay, DEVICE)
            other = Client(broker.bay_socket, a.bay, OTHER)
            for client in (exchange, operator, bay, other):
                assert client.connected.wait(5)
            exchange.subscribe("wing/#") if broker.name == "mosquitto" else exchange.subscribe(
                "wing/a-wing/#"
            )
            bay.subscribe("#")
            bay.subscribe(f"wing/a-wing/device/{OTHER}/down/#")
            bay.paho.publish(f"wing/a-wing/device/{OTHER}/up/hello", b"not me")
            bay.paho.publish(f"wing/a-wing/device/{DEVICE}/down/list", b"not down")
            operator.paho.publish(f"wing/a-wing/device/{DEVICE}/up/hello", b"not an operator")
            operator.paho.publish(f"wing/a-wing/device/{DEVICE}/down/list", b"not an operator")
            exchange.paho.publish(f"wing/a-wing/device/{OTHER}/down/list", b"for the other")
            other.paho.publish(f"wing/a-wing/device/{OTHER}/up/hello", b"last")
            assert wait_for(lambda: any(payload == b"last" for _, payload in exchange.got))
            time.sleep(0.2)
            assert {payload for _, payload in exchange.got} <= {b"last", b"for the other"}
            assert bay.got == []
            for client in (exchange, operator, bay, other):
                client.close()

        await asyncio.to_thread(talk)

    with_broker(make, tmp_path, use)


@pytest.mark.parametrize("make", BROKERS)
def test_nobody_gets_in_without_the_password(make: Make, tmp_path: Path) -> None:
    async def use(broker: Broker) -> None:
        def talk() -> None:
            for account in (Account("operator", "guess"), Account("nobody", ""), Account("exchange", "")):
                client = Client(broker.hub_socket, account)
                assert not client.connected.wait(0.5)
                client.close()

        await asyncio.to_thread(talk)

    with_broker(make, tmp_path, use)


@pytest.mark.parametrize("make", BROKERS)
def test_a_broker_keeps_its_files_to_itself_and_stops_clean(make: Make, tmp_path: Path) -> None:
    seen: list[Path] = []

    async def use(broker: Broker) -> None:
        seen.extend([broker.hub_socket, broker.bay_socket])
        assert broker.running()
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        for path in tmp_path.iterdir():
            if path.is_socket():  # mosquitto gives its group access; the directory does not
                continue
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert broker.accounts.operator.password in (tmp_path / "operator.txt").read_text()
        assert broker.accounts.exchange.password not in (tmp_path / "operator.txt").read_text()

    with_broker(make, tmp_path, use)
    assert not any(path.exists() for path in seen)


@pytest.mark.skipif(not find_program(), reason="mosquitto is not installed")
def test_a_killed_mosquitto_comes_back_by_itself(tmp_path: Path) -> None:
    async def use(broker: Broker) -> None:
        assert isinstance(broker, Mosquitto) and broker.process is not None
        for deaths in range(1, 4):
            os.kill(broker.process.pid, signal.SIGKILL)
            while broker.restarts < deaths or not broker.running():
                await asyncio.sleep(0.02)
        _, writer = await asyncio.open_unix_connection(str(broker.bay_socket))
        writer.close()

    with_broker(make_mosquitto, tmp_path, use)


def test_a_long_data_directory_still_gets_its_sockets(tmp_path: Path) -> None:
    async def use(broker: Broker) -> None:
        assert len(str(broker.hub_socket)) < 100
        assert str(broker.hub_socket) in (broker.directory / "operator.txt").read_text()

    with_broker(make_amqtt, tmp_path / ("long-" * 25), use)
