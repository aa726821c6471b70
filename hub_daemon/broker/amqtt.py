"""amqtt in this process, for a machine without mosquitto: one `pip install` runs a whole wing."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
from dataclasses import dataclass
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker as AmqttBroker
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from hub_daemon.broker.base import Broker

_PLUGIN = "hub_daemon.broker.amqtt"


class UnixWriterAdapter(StreamWriterAdapter):  # type: ignore[misc]  # amqtt has no types
    """A Unix socket has no address; amqtt closes what has none."""

    def get_peer_info(self) -> tuple[str, int] | None:
        return ("unix", 0)


class WingAuthPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Only the three accounts of this run."""

    @dataclass
    class Config:
        users: dict[str, str]

    async def authenticate(self, *, session: Session) -> bool | None:
        expected = self._get_config_option("users", {}).get(session.username or "")
        return expected is not None and hmac.compare_digest(str(session.password or ""), expected)


class WingTopicPlugin(BaseTopicPlugin):  # type: ignore[misc]  # amqtt has no types
    """Who may say what: the same rules as mosquitto's ACL files."""

    @dataclass
    class Config:
        wing: str

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._wing = self._get_config_option("wing", "")

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        if session is None or topic is None:
            return False
        return allowed(self._wing, session.username or "", session.client_id or "", topic, action)


def allowed(wing: str, user: str, client: str, topic: str, action: Action | None) -> bool:
    """The rule for one publish, one subscription or one delivery."""
    inside = topic.startswith(f"wing/{wing}/")
    if user == "exchange":
        return inside
    if user == "operator":
        return inside and action != Action.PUBLISH
    if user == "bay":
        direction = "up" if action == Action.PUBLISH else "down"
        return topic.startswith(f"wing/{wing}/device/{client}/{direction}/")
    return False


class Amqtt(Broker):
    name = "amqtt"

    _broker: Any = None
    _servers: tuple[asyncio.Server, ...] = ()

    async def start(self) -> None:
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        accounts = (self.accounts.exchange, self.accounts.operator, self.accounts.bay)
        config = BrokerConfig(
            listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
            plugins={
                f"{_PLUGIN}.WingAuthPlugin": {"users": {one.user: one.password for one in accounts}},
                f"{_PLUGIN}.WingTopicPlugin": {"wing": self.wing},
            },
        )
        self._broker = AmqttBroker(config)
        await self._broker.start()
        for path in (self.hub_socket, self.bay_socket):
            path.unlink(missing_ok=True)
        before = os.umask(0o077)
        try:
            self._servers = (
                await asyncio.start_unix_server(self._connected, str(self.hub_socket)),
                await asyncio.start_unix_server(self._connected, str(self.bay_socket)),
            )
        finally:
            os.umask(before)
        self.write_operator_note()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._broker.external_connected(
                StreamReaderAdapter(reader), UnixWriterAdapter(writer), "default"
            )
        except Exception as error:
            # amqtt raises many kinds on a bad client; whatever it is costs that client only
            self.report("broker-says", f"amqtt: {type(error).__name__}: {error}"[:200])
            writer.close()

    def running(self) -> bool:
        return bool(self._servers) and all(server.is_serving() for server in self._servers)

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        if self._broker is not None:
            with contextlib.suppress(Exception):
                await self._broker.shutdown()
        self._broker = None
        self._servers = ()
        self.remove_sockets()
