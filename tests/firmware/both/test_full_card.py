"""A device whose card is full, on both interpreters: it says so, loses nothing, and goes on once there is room."""

from firmware.dock import Dock
from tests.kits.device import again, deliver, enrolled, refused
from tests.kits.full_storage import FullStorage
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded


def full(more=0):
    wing, device = enrolled(storage=FullStorage())
    device.save_draft("new", "begun")
    device.storage.fill(more)
    return wing, device


def actions(device):
    return [entry.action for entry in device.journal_entries(0, 99)]


def test_saving_on_a_full_card_is_refused_by_name_and_the_draft_is_left():
    wing, device = full()
    refused("CardFull", lambda: device.write_post("reading", None, "begun"))
    refused("CardFull", lambda: device.save_draft("new", "begun and more"))
    assert device.draft("new") == "begun" and device.waiting() == [] and device.status()["full"]
    device.storage.fill(None)
    device.write_post("reading", None, "begun")
    assert len(device.waiting()) == 1 and not device.status()["full"] and again(device).draft("new") == ""


def test_a_post_that_was_saved_is_saved_however_full_the_card_is_for_the_rest_and_never_twice():
    for more in range(8):
        wing, device = full(more)
        try:
            device.write_post("reading", None, "begun")
            said = 1
        except Exception as error:
            assert type(error).__name__ == "CardFull", repr(error)
            said = 0
        for each in (device, again(device)):
            assert len(each.waiting()) == said, more
        assert (device.draft("new") == "") == bool(said)
        device.storage.fill(None)
        started = again(device)
        assert actions(started).count("write") == said, "the journal has what it had no room for"


def test_what_the_journal_had_no_room_for_is_recorded_in_order_as_soon_as_it_has():
    wing, device = full()
    for action in ("one", "two"):
        device.log(action)
    device.storage.fill(None)
    device.log("three")
    assert actions(device) == ["enrolled", "one", "two", "three"] and actions(again(device)) == actions(device)


def recording(device, size=9000):
    made = device.begin_video("reading", None, "see", "video/webm")
    made.append(bytes(range(250)) * (size // 250))
    return made


def test_a_recording_that_finds_no_room_is_kept_until_there_is_or_gone_and_never_torn():
    for more in range(14):
        wing, device = full()
        device.storage.fill(more)
        try:
            made = recording(device)
            item = made.save()
        except Exception as error:
            assert type(error).__name__ == "CardFull", (more, repr(error))
            item = None
        device.apply_list()
        device.storage.fill(None)
        if item is None and device.recording is not None:
            item = device.recording.save()
        kept = again(device)
        assert [row["item"] for row in kept.waiting()] == ([item] if item else [])
        if item:
            media_type, size, read = kept.own_media(item)
            assert read(0, size) == bytes(range(250)) * 36


def test_everything_can_be_read_on_a_full_card():
    wing, device = enrolled(storage=FullStorage())
    item = device.write_post("reading", None, "mine")
    own = wing.statement(item, "ann", action=2, reason=4, words="Leave out the surname.")
    other = wing.statement(b"i" * 32, "ben", text="hello")
    bundles = [wing.bundle(own, signers=("may",)), wing.bundle(other, "hello")]
    deliver(wing, device, [own, other], bundles, [(item, 5)])
    wing.staff.pop("moe")
    device.accept_roster(wing.new_roster())
    device.storage.fill()
    for each in (device, again(device)):
        each.mark_seen(item)
        each.mark_seen(b"i" * 32)
        assert [row["text"] for row in each.thread(b"i" * 32)] == ["hello"]
        assert each.returned()[0]["words"] == "Leave out the surname." and each.returned()[0]["seen"]


def test_a_recall_that_finds_no_room_is_out_of_sight_all_the_same():
    wing, device = enrolled(storage=FullStorage())
    statement = wing.statement(b"i" * 32, "ben", text="hello")
    deliver(wing, device, [statement], [wing.bundle(statement, "hello")])
    device.storage.fill()
    try:
        device.accept_list(wing.delivery_list(device.identity.device, []))
    except OSError:
        pass
    assert device.threads("reading") == []


def settled(device):
    return lambda: device.phase == "settled" and device.can_lift


def busy():
    """A device with something to send and something to come, and its hub."""
    wing, device = enrolled(storage=FullStorage())
    kept = Kept(wing)
    kept.approve(b"i" * 32, "ben", "hello", [("still", b"s" * 20000, "image/jpeg")])
    device.write_post("reading", None, "mine")
    recording(device).save()
    return device, kept


def test_a_docking_on_a_full_card_ends_by_name_and_the_next_one_with_room_does_everything():
    for more in range(0, 30, 3):
        device, kept = busy()
        device.storage.fill(more)
        dock, hub = Dock(device, Seeded("dock")), HubSide(kept, Seeded("hub"))
        done = settled(device)
        now, _ = join(dock, hub, lambda dock=dock, done=done: dock.refused == "CardFull" or done())
        if dock.refused == "CardFull":
            assert device.status()["full"] and device.status()["state"] == "idle"
        device = again(device)  # it starts on the full card too
        device.storage.fill(None)
        dock = Dock(device, Seeded("again"))
        now, _ = join(dock, hub, settled(device), now)
        assert len(kept.taken) == 2 and [row["text"] for row in device.thread(b"i" * 32)] == ["hello"]


def test_a_full_card_is_tried_again_after_a_rest_without_a_new_wire():
    device, kept = busy()
    device.storage.fill(0)
    dock, hub = Dock(device, Seeded("dock")), HubSide(kept, Seeded("hub"))
    now, _ = join(dock, hub, lambda: dock.refused == "CardFull")
    ups = len(kept.ups)
    for _ in range(2000):
        now += 5
        dock.tick(now)
        assert dock.to_send(now) == b"" and dock.next_deadline() > now - 5
    assert len(kept.ups) == ups
    device.storage.fill(None)
    join(dock, hub, settled(device), now)
