"""Everything of a hub that stands on its disk and needs no socket: what the daemon runs, and a simulated wing too.

Store, blobs, wing, people, moderation, enrolment, exchange and media, put together once. Whoever owns the rooms brings
the clock, the bays, the broker and the threads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hub_daemon.blobs import BlobStore
from hub_daemon.enrolment import Enrolment
from hub_daemon.exchange import Exchange
from hub_daemon.keys import HubKeys
from hub_daemon.media import worker
from hub_daemon.media.pipeline import Pipeline
from hub_daemon.media.refusals import Rendition
from hub_daemon.moderation import Moderation
from hub_daemon.people import People
from hub_daemon.store import DatabaseError, Store, tickets
from hub_daemon.wing import Wing
from protocol.records.roster import Device

Report = Callable[[str, str], None]


class Rooms:
    """The rooms of the hub whose data is in `data`. `clock` is unix ms; `news` runs after anything was decided.

    `close_device(device id, reason)` ends the docking of a device that may not go on.
    """

    def __init__(
        self,
        data: Path,
        store: Store,
        keys: HubKeys,
        wing: str,
        clock: Callable[[], int],
        report: Report,
        news: Callable[..., None],
        close_device: Callable[[bytes, str], None],
        envelopes_per_day_max: int,
        transcode: Callable[[bytes, str], Rendition] = worker.transcode,
    ) -> None:
        self.clock = clock
        self.report = report
        self.keys = keys
        self.store = store
        self.blobs = BlobStore(data / "blobs")
        self.wing = Wing(store, keys, wing)
        self.wing.load()
        self.people = People(store, clock, news)
        self.moderation = Moderation(store, self.people.roster, self.blobs, clock, news)
        self.enrolment = Enrolment(store, self.wing, keys, clock, news)
        self.exchange = Exchange(store, keys, self.blobs, self.wing, envelopes_per_day_max, close_device)
        self.pipeline = Pipeline(store, self.blobs, keys, clock, transcode)

    def find_ticket(self, device: Device) -> bytes | None:
        """What this device may come back with, if it is still good. A database that cannot say costs a handshake."""
        try:
            with self.store.read() as tx:
                return tickets.find(tx, device.id, self.clock())
        except DatabaseError as error:
            self.report("fault", f"tickets: {type(error).__name__}: {error}")
            return None

    def lifted(self, device: Device) -> None:
        """The docking of `device` is over: the exchange forgets it, and its ticket counts from now."""
        self.exchange.lifted(device.id)
        with self.store.write() as tx:
            tickets.lifted(tx, device.id, self.clock())
