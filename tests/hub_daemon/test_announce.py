"""A hub that docks over Ethernet is found by zeroconf, with its port and nothing secret."""

from __future__ import annotations

import asyncio
import queue

import pytest
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from hub_daemon.announce import SERVICE, Announcer, addresses_of
from tests.kits.loop import run


class Listener(ServiceListener):
    def __init__(self) -> None:
        self.names: queue.Queue[str] = queue.Queue()

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.names.put(name)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.names.put(name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        pass


def test_an_announced_hub_is_found_with_its_port() -> None:
    async def main() -> None:
        announcer = Announcer("test-wing", "127.0.0.1", 4711)
        try:
            await announcer.start()
        except OSError as error:
            pytest.skip(f"no multicast on this machine: {error}")
        zeroconf = Zeroconf()
        try:
            listener = Listener()
            browser = ServiceBrowser(zeroconf, SERVICE, listener)
            try:
                name = await asyncio.to_thread(listener.names.get, True, 6)
            except queue.Empty:
                pytest.skip("multicast does not come back on this machine")
            info = await asyncio.to_thread(zeroconf.get_service_info, SERVICE, name)
            assert info is not None and info.port == 4711
            assert info.properties == {b"wing": b"test-wing", b"v": b"1"}
            browser.cancel()
        finally:
            zeroconf.close()
            await announcer.stop()

    run(main())


def test_a_listener_on_all_interfaces_is_announced_on_none_that_is_not_there() -> None:
    for address in addresses_of("0.0.0.0"):
        assert len(address.split(".")) == 4
    assert addresses_of("127.0.0.1") == ["127.0.0.1"]
    assert addresses_of("no-such-host.invalid") == []
