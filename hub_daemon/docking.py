"""The exchange's memory of one visit; everything that must outlive it stands in the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub_daemon.blobs import Part
from hub_daemon.delivery import Issued
from hub_daemon.store.lists import Receipt
from protocol.blob import Fetch
from protocol.records.hello import Hello
from protocol.records.roster import Device

Message = tuple[bytes, str, bytes]  # (device id, kind, payload), going down

SENDING = "sending"
RECEIVING = "receiving"
SETTLED = "settled"


@dataclass
class Docking:
    """One visit of one device. `handled` are the envelopes answered for good in this visit."""

    device: Device
    roster_version: int = 0
    hello: Hello | None = None
    issued: Issued | None = None
    fetch: Fetch | None = None
    part: Part | None = None
    fetching: bytes = b""
    handled: set[bytes] = field(default_factory=set)
    told: set[bytes] = field(default_factory=set)  # refused after custody, and said in this visit
    deferred: set[bytes] = field(default_factory=set)  # stays in the outbox: not today
    vain: int = 0  # requests since anything of the blob that is fetched was found right
    receipts: dict[bytes, Receipt] | None = None  # what the store has of this device's, once it was asked
    sent: int = 0
    new: int = 0
    refused: int = 0
    phase: str = ""
    progress: tuple[int, int] = (0, 0)
    close: str = ""  # a reason: the bay ends the docking
