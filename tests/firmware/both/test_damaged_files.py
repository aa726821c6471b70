"""Files that are not what was written there, on both interpreters: each costs itself, and says so."""

from tests.kits.damage import copy_of, lived_in, opened, visit
from tests.kits.device import deliver, enrolled, refused
from tests.kits.memory_hub import Kept


def flip(storage, name, at=None):
    data = bytearray(storage.files[name] if name in storage.files else storage.blobs[name])
    data[len(data) // 2 if at is None else at] ^= 4
    if name in storage.files:
        storage.files[name] = bytes(data)
    else:
        storage.blobs[name] = data


def test_a_text_that_was_damaged_since_the_start_is_not_shown_and_comes_again():
    device, kept, own = lived_in()
    visit(device, kept, "before", 300000)
    flip(device.storage, "inbox/" + "61" * 32)
    flip(device.storage, "own/" + own[0].hex())
    shown = [row["text"] for thread in device.threads("reading") for row in device.thread(thread["id"])]
    assert "See how it flies" in shown and "A post of mine 2" in shown
    assert "From Ben: hello" not in shown and "A post of mine 0" not in shown
    visit(device, kept, "after", 400000)
    assert device.thread(b"a" * 32)[0]["text"] == "From Ben: hello"


def test_a_bundle_whose_text_is_another_than_was_signed_is_not_shown():
    from firmware.storage import put
    from protocol import cbor
    from protocol.records import signing
    from protocol.records.bundle import Bundle

    wing, device = enrolled()
    statement = wing.statement(b"a" * 32, "ben", text="hello")
    deliver(wing, device, [statement], [wing.bundle(statement, "hello")])
    bundle = Bundle.decode(wing.bundle(statement, "hello"))
    bundle.text = b"hullo"
    staff = device.inbox.staff_digest(device.identity.roster)
    whole = cbor.dumps([signing.digest(bundle.statement), staff, bundle.encode()])
    put(device.storage, "inbox/" + "61" * 32, whole)
    assert device.thread(b"a" * 32) == [] and opened(device.storage).threads("reading") == []


def test_a_recording_that_was_damaged_comes_back_with_words_and_the_rest_is_sent():
    device, kept, own = lived_in()
    root = device.outbox.own[own[4]].blob[0]
    flip(device.storage, "blob/" + root.hex())
    last = device.write_post("reading", None, "behind it")
    visit(device, kept, "one", 300000)
    assert [row["code"] for row in device.returned() if row["item"] == own[4]] == ["BlobDamaged"]
    visit(device, kept, "two", 600000)
    assert last in kept.items and own[4] not in kept.items


def test_a_manifest_that_was_damaged_is_made_again_from_its_recording():
    device, kept, own = lived_in()
    root = device.outbox.own[own[4]].blob[0]
    flip(device.storage, "leaves/" + root.hex())
    visit(device, kept, "one", 300000)
    assert own[4] in kept.items


def test_a_journal_entry_that_was_damaged_costs_itself():
    wing, device = enrolled()
    for number in range(9):
        device.log("act " + str(number))
    (name,) = device.storage.names("journal/")
    size = device.storage.blob_size(name)
    for at in range(0, size, 7):
        storage = copy_of(device.storage)
        flip(storage, name, at)
        after = opened(storage)
        found = [entry.action for entry in after.journal_entries(0, 99)]
        assert len(found) == 9
        after.log("goes on")
        assert [entry.action for entry in after.journal_entries(0, 99)] == found + ["goes on"]


def test_an_entry_that_the_hub_has_is_never_written_a_second_time_in_another_way():
    wing, device = enrolled()
    kept = Kept(wing)
    visit(device, kept, "one")
    taken = len(kept.journal)
    (name,) = device.storage.names("journal/")
    for entry in range(3):  # the newest entries are damaged, those that the hub has among them
        flip(device.storage, name, device.storage.blob_size(name) - 40 - 120 * entry)
    after = opened(device.storage)
    after.log("goes on")
    assert after.journal.next_seq > taken
    visit(after, kept, "two", 100000)
    visit(after, kept, "three", 200000)
    assert [entry.seq for entry in kept.journal] == list(range(len(kept.journal))) and len(kept.journal) > taken + 1


def test_a_counter_that_was_damaged_is_never_used_twice():
    wing, device = enrolled()
    used = [wing.open(device.outbox.sealed(device.write_post("reading", None, "a")))[0].counter for _ in range(3)]
    flip(device.storage, "keys/counter")
    after = opened(device.storage)
    more = wing.open(after.outbox.sealed(after.write_post("reading", None, "b")))[0].counter
    assert more > max(used)


def test_damaged_keys_are_refused_by_name():
    wing, device = enrolled()
    flip(device.storage, "keys/device", 10)
    refused("Damaged", lambda: opened(device.storage))
