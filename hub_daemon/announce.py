"""Daemon -> here -> Ethernet: `_perch._tcp.local.`, so that slates find their hub. It says where, never who.

Nothing here is trusted by anybody: a device docks only with the hub whose key it pinned at its enrolment.
"""

from __future__ import annotations

import socket

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_perch._tcp.local."


class Announcer:
    """Announces one wing's TCP port until `stop`."""

    def __init__(self, wing: str, host: str, port: int) -> None:
        self.info = ServiceInfo(
            SERVICE,
            f"{wing}.{SERVICE}",
            port=port,
            addresses=[socket.inet_aton(address) for address in addresses_of(host)],
            properties={"wing": wing, "v": "1"},
            server=f"perch-{wing}.local.",
        )
        self._zeroconf: AsyncZeroconf | None = None

    async def start(self) -> None:
        """Raises OSError on a machine without a network."""
        self._zeroconf = AsyncZeroconf()
        await self._zeroconf.async_register_service(self.info, allow_name_change=True)

    async def stop(self) -> None:
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_service(self.info)
            await self._zeroconf.async_close()
            self._zeroconf = None


def addresses_of(host: str) -> list[str]:
    """The IPv4 addresses that a listener on `host` can be reached at."""
    if host not in ("0.0.0.0", "::", ""):
        try:
            return [socket.gethostbyname(host)]
        except OSError:
            return []
    found = set()
    for name in {socket.gethostname(), "localhost"}:
        try:
            for entry in socket.getaddrinfo(name, None, socket.AF_INET):
                found.add(str(entry[4][0]))
        except OSError:
            continue
    # the address of the default route, found without sending anything
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.add(str(probe.getsockname()[0]))
        except OSError:
            pass
    return sorted(found)
