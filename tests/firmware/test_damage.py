"""Bit rot in every file of a device, one at a time: it starts, shows nothing wrong, and the next docking mends it."""

import copy
import functools

import pytest

from tests.kits.damage import copy_of, damages, item_of, lived_in, opened, put, views, visit

FOLDERS = ("keys", "own", "inbox", "blob", "leaves", "journal", "draft", "receipt", "state")
DEAD = ("keys/device", "keys/enrolment")  # without them nobody knows whose device it is


@functools.cache
def scene():
    device, kept, own = lived_in()
    return device.storage, kept, own, views(device)


def names():
    storage = scene()[0]
    return sorted([*storage.files, *storage.blobs])


def all_damages():
    storage = scene()[0]
    return [(name, what, data) for name in names() for what, data in damages(bytes(whole(storage, name)))]


def whole(storage, name):
    return storage.files[name] if name in storage.files else storage.blobs[name]


def others_than(name, own, before):
    """What is shown of files that are not `name`, nor hang on it."""
    stem = name.split("/")[1].removeprefix("seen-")
    return {what: text for what, text in before.items()
            if stem not in what and not (name.startswith("draft/") and what == "draft")
            and not (what.startswith("title") and name.startswith("own/"))
            and not (what.startswith("media") and name.startswith(("inbox/", "own/")))}  # fmt: skip


def test_there_is_something_in_every_folder_to_be_damaged():
    assert {name.split("/")[0] for name in names()} == set(FOLDERS)


def test_whatever_file_is_damaged_the_device_starts_and_shows_all_the_others_and_nothing_wrong():
    storage, _, own, before = scene()
    for name, what, data in all_damages():
        hurt = copy_of(storage)
        put(hurt, name, data)
        if name in DEAD:
            continue
        device = opened(hurt)
        shown = views(device)
        for each, text in shown.items():
            assert text in (before[each], None) or (each == "draft" and not text), (name, what, each)
        if name in ("state/list", "keys/roster"):
            continue  # without its list, or the staff behind it, nothing of others is shown until the next docking
        for each, text in others_than(name, own, before).items():
            assert shown.get(each) == text, (name, what, each)


def test_whatever_file_is_damaged_one_docking_brings_back_what_the_hub_has():
    storage, kept, own, before = scene()
    for name in names():
        if name in DEAD:
            continue
        for what, data in damages(bytes(whole(storage, name)))[3:9:4]:
            hurt, hub = copy_of(storage), copy.deepcopy(kept)
            put(hurt, name, data)
            device = opened(hurt)
            views(device)
            now = visit(device, hub, "after", 300_000)
            visit(device, hub, "and again", now + 60_000)
            shown = views(opened(hurt))
            for each in ("text " + item_of("a").hex(), "text " + item_of("c").hex()):
                assert shown[each] == before[each], (name, what)
            gone = [item for item in own if name in ("own/" + item.hex(),)]
            assert len(hub.items) >= len(own) - len(gone) - (name.split("/")[0] in ("blob", "leaves")), (name, what)
            assert len({entry.seq for entry in hub.journal}) == len(hub.journal)


@pytest.mark.parametrize("name", ["keys/device"])
def test_damaged_keys_end_the_start_by_name(name):
    for _, data in damages(scene()[0].files[name]):
        hurt = copy_of(scene()[0])
        put(hurt, name, data)
        try:
            device = opened(hurt)
        except Exception as error:
            assert type(error).__name__ == "Damaged" and name in str(error)
        else:
            assert device.identity.ed25519 == opened(scene()[0]).identity.ed25519, "a bit that X25519 does not use"


def test_a_damaged_enrolment_makes_the_device_new_and_keeps_its_writing():
    for _, data in damages(scene()[0].files["keys/enrolment"]):
        hurt = copy_of(scene()[0])
        put(hurt, "keys/enrolment", data)
        device = opened(hurt)
        assert device.status()["state"] == "new" and len(device.waiting()) + len(device.returned()) == 5


def test_what_was_damaged_is_in_the_journal_by_the_name_of_its_file_once():
    for name in names():
        if name.split("/")[0] not in ("own", "inbox", "state", "draft") and name not in ("keys/roster", "keys/counter"):
            continue
        hurt = copy_of(scene()[0])
        put(hurt, name, damages(scene()[0].files[name])[3][1])
        device = opened(hurt)
        device.draft("new-reading")
        device = opened(hurt)
        found = [entry.detail for entry in device.journal_entries(0, 999) if entry.action == "damaged"]
        assert found == [name], name
