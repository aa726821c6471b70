"""A device's storage with something in every folder, and ways to damage a file of it. Runs on both interpreters."""

from firmware.device import Device
from firmware.dock import Dock
from firmware.storage import MemoryStorage
from tests.kits.device import enrolled
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded

FILM = Seeded("film")(21000)
STILL = Seeded("still")(900)
TEXTS = {"a": "From Ben: hello", "c": "See how it flies", "d": "It was taken back"}
OWN = "A post of mine"


def settled(device):
    return lambda: device.phase == "settled" and device.can_lift


def visit(device, kept, seed, now=0):
    """One whole docking; AssertionError when it does not settle."""
    dock = Dock(device, Seeded(seed))
    now, _ = join(dock, HubSide(kept, Seeded("hub" + seed)), settled(device), now)
    dock.restart()
    return now


def item_of(letter):
    return letter.encode() * 32


def lived_in():
    """(device, kept, own items): posts, a film, a still, own writing of every state, a draft, a receipt, a ticket."""
    wing, device = enrolled()
    kept = Kept(wing)
    for letter, media in (("a", []), ("d", []), ("c", [("still", STILL, "image/jpeg"), ("video", FILM, "video/webm")])):
        kept.approve(item_of(letter), "ben", TEXTS[letter], media)
    own = [device.write_post("reading", None, OWN + " " + str(number)) for number in range(3)]
    visit(device, kept, "one")
    device.mark_seen(item_of("a"))
    for root, _, _ in media_of(device):
        device.media(root)
    kept.own[own[1]] = 5
    kept.approve(own[1], "ann", None, action=2, reason=4, words="Leave out the surname.", signers=("may",))
    wing.new_roster()
    visit(device, kept, "two", 100000)
    kept.recall(item_of("d"))
    device.accept_list(wing.delivery_list(device.identity.device, kept.statements, list(kept.own.items())))
    own.append(device.write_post("reading", None, OWN + " 3"))
    film = device.begin_video("reading", None, "my film", "video/webm")
    film.append(FILM[:9000])
    own.append(film.save())
    device.save_draft("new-reading", "not finished yet")
    return device, kept, own


def media_of(device):
    held = device.inbox.held[item_of("c")]
    return [held.still, held.video]


def views(device):
    """{what: text} of everything that the page would show; the film as its bytes."""
    found = {}
    for thread in device.threads("reading"):
        found["title " + thread["id"].hex()] = thread["title"]
        for row in device.thread(thread["id"]):
            found["text " + row["item"].hex()] = row["text"]
            for root in (row["still"], row["video"]):
                if root is not None:
                    found["media " + root.hex()] = seen(device, row, root)
    for row in device.waiting():
        found["waiting " + row["item"].hex()] = row["text"]
    for row in device.returned():
        found["returned " + row["item"].hex()] = row["text"]
        if row["words"]:
            found["words " + row["item"].hex()] = row["words"]
    found["draft"] = device.draft("new-reading")
    return found


def seen(device, row, root):
    """The bytes that would be played, or None where they are refused by name."""
    from protocol.errors import Refusal

    try:
        _, size, read = device.own_media(row["item"]) if row["mine"] else device.media(root)
        return read(0, size)
    except Refusal:
        return None


def copy_of(storage):
    made = MemoryStorage()
    made.files = dict(storage.files)
    made.blobs = {name: bytearray(data) for name, data in storage.blobs.items()}
    return made


def damages(data):
    """[(what, damaged bytes)]: single flipped bits, a cut, nothing left."""
    found = []
    for at in sorted({0, 1, len(data) // 3, len(data) // 2, 2 * len(data) // 3, len(data) - 2, len(data) - 1}):
        if 0 <= at < len(data):
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            found.append(("flipped at " + str(at), bytes(flipped)))
    return found + [("cut", bytes(data[: len(data) // 2])), ("empty", b"")]


def put(storage, name, data):
    if name in storage.files:
        storage.files[name] = data
    else:
        storage.blobs[name] = bytearray(data)


def opened(storage):
    return Device(storage, Seeded("opened"), lambda: 3000)
