"""Runs on either interpreter: days of one device, and every byte that went up, came to be stored or was shown.

    transcript() -> [(moment, SHA-256 of the bytes)]    the same on both, or an order depends on a dict

Items come, are recalled and come again in an order that is neither that of their ids nor its reverse.
"""

from firmware.device import Device
from firmware.dock import Dock
from firmware.page.ask import Site
from firmware.storage import MemoryStorage
from protocol import crypto
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded, Wing

ITEMS = [Seeded("item " + str(number))(32) for number in range(7)]


class Heard:
    """A dock whose words to the hub are kept."""

    def __init__(self, dock):
        self.dock = dock
        self.receive, self.tick = dock.receive, dock.tick
        self.up = b""

    def to_send(self, now):
        data = self.dock.to_send(now)
        self.up += data
        return data


class Days:
    def __init__(self):
        self.wing = Wing()
        self.device = Device(MemoryStorage(), Seeded("device"), lambda: 1000)
        self.wing.enrol(self.device, "ann")
        self.kept = Kept(self.wing)
        self.now = 0
        self.found = []

    def note(self, moment, data):
        self.found.append((moment, crypto.default().sha256(data).hex()[:16]))

    def visit(self, moment):
        device = self.device
        dock = Dock(device, Seeded(moment))
        heard, hub = Heard(dock), HubSide(self.kept, Seeded("hub " + moment))
        self.now, _ = join(heard, hub, lambda: device.phase == "settled" and device.can_lift, self.now)
        dock.restart()
        self.now += 60000
        storage = device.storage
        self.note(moment + ": up", heard.up)
        self.note(moment + ": storage", plain(storage.files).encode() + plain(storage.blobs).encode())
        views = [device.groups(), device.threads("reading"), device.thread(ITEMS[0]), device.waiting(),
                 device.returned(), device.inbox.receipts(), [held.item for held in device.inbox.shown()]]
        self.note(moment + ": views", plain(views).encode())


def plain(value):
    """Text of a value, its dicts in the order of their keys."""
    if isinstance(value, dict):
        return "{" + ", ".join([key + ": " + plain(value[key]) for key in sorted(value)]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([plain(one) for one in value]) + "]"
    return bytes(value).hex() if isinstance(value, (bytes, bytearray)) else repr(value)


def transcript():
    days = Days()
    kept, device = days.kept, days.device
    for number, item in enumerate(ITEMS):
        media = [("still", bytes([number]) * 900, "image/jpeg")] if number % 2 else []
        kept.approve(item, "ben", "text " + str(number), media, parent=ITEMS[0] if number > 3 else None)
    own = [device.write_post("reading", None, "own " + str(number)) for number in range(3)]
    device.save_draft("a", "begun")
    Site(device, "", {}).choose({"size": "xl", "language": "en", "colour": "dark"})
    days.visit("first")
    for item in ITEMS[1:6]:
        kept.recall(item)
        device.mark_seen(item)
    for number, item in enumerate(own):
        kept.own[item] = (5, 4, 6)[number]
    days.visit("recalled")
    days.wing.staff.pop("moe")
    days.wing.new_roster()
    for number, item in enumerate(ITEMS[2:5]):
        kept.approve(item, "cai", "again " + str(number), signers=("may",))
    days.visit("again")
    return days.found


if __name__ == "__main__":
    for moment, digest in transcript():
        print(moment, digest)
