"""Writing and recording on the device, on both interpreters: saved means durable, and sealed to the hub."""

from firmware.device import Device
from firmware.storage import CardFull, MemoryStorage
from protocol.blob import PLAIN_BYTES, Builder
from protocol.errors import Misuse
from protocol.limits import BLOB_BYTES_MAX, CHUNK_BYTES
from tests.kits.device import again, deliver, enrolled, refused
from tests.kits.wing import Seeded, Wing


def test_a_new_device_has_no_groups_and_refuses_to_write():
    device = Device(MemoryStorage(), Seeded("d"), lambda: 1)
    assert device.status()["state"] == "new"
    assert device.groups() == []
    refused("NotEnrolled", lambda: device.write_post("reading", None, "hello"))


def test_a_saved_post_is_there_after_a_restart_and_opens_only_at_the_hub():
    wing, device = enrolled()
    item = device.write_post("reading", None, "A title\nand more")
    for each in (device, again(device)):
        assert each.status()["waiting"] == 1
        assert each.groups() == [("reading", "reading")]
        assert [row["id"] for row in each.threads("reading")] == [item]
        assert each.threads("reading")[0]["title"] == "A title"
        row = each.thread(item)[0]
        assert row["mine"] and row["text"] == "A title\nand more" and row["state"] == 0
        content, opened = wing.open(each.outbox.sealed(item))
        assert opened == item and content.text == "A title\nand more" and content.learner == "ann"


def test_counters_go_on_after_a_restart():
    wing, device = enrolled()
    first = device.write_post("reading", None, "one")
    device = again(device)
    second = device.write_post("reading", first, "two")
    counters = [wing.open(device.outbox.sealed(item))[0].counter for item in (first, second)]
    assert counters[1] > counters[0]
    assert [row["text"] for row in device.thread(first)] == ["one", "two"]


def test_text_that_cannot_be_shown_or_sent_is_refused_before_anything_is_saved():
    _, device = enrolled()
    refused("TextUnfit", lambda: device.write_post("reading", None, " \n"))
    refused("TextUnfit", lambda: device.write_post("reading", None, "x" * 4001))
    refused("TextRefused", lambda: device.write_post("reading", None, "a\u202eb"))
    refused("NotInGroup", lambda: device.write_post("writing", None, "hello"))
    assert device.status()["waiting"] == 0


def test_drafts_are_durable_and_an_empty_one_is_forgotten():
    _, device = enrolled()
    device.save_draft("thread:reading", "not yet")
    assert again(device).draft("thread:reading") == "not yet"
    device.save_draft("thread:reading", "")
    assert again(device).draft("thread:reading") == ""


def test_a_draft_is_gone_once_its_text_is_saved_as_a_post():
    _, device = enrolled()
    device.save_draft("new", "hello there")
    device.write_post("reading", None, "hello there")
    assert device.draft("new") == ""


def test_a_recording_is_sealed_chunk_by_chunk_and_its_author_can_watch_it():
    wing, device = enrolled()
    made = Seeded("video")(20000)
    draft = device.begin_video("reading", None, "look", "video/webm")
    for at in range(0, len(made), 3000):
        draft.append(made[at : at + 3000])
    item = draft.save()
    device = again(device)
    kind, size, read = device.own_media(item)
    assert kind == "video/webm" and size == len(made)
    assert read(0, size) == made and read(size - 3, 10) == made[-3:]
    assert read(PLAIN_BYTES - 6, 20) == made[PLAIN_BYTES - 6 : PLAIN_BYTES + 14]
    content, _ = wing.open(device.outbox.sealed(item))
    assert content.blob.size > size and content.text == "look"
    builder = Builder()
    builder.feed(device.storage.blob_read("blob/" + content.blob.root.hex(), 0, content.blob.size))
    assert builder.finish().root == content.blob.root
    assert made[:64] not in device.storage.blob_read("blob/" + content.blob.root.hex(), 0, content.blob.size)


def test_a_discarded_or_interrupted_recording_leaves_nothing():
    _, device = enrolled()
    draft = device.begin_video("reading", None, "", "video/webm")
    draft.append(bytes(9000))
    draft.discard()
    draft = device.begin_video("reading", None, "", "video/webm")
    draft.append(bytes(9000))
    device = again(device)
    assert device.storage.names("part/") == [] and device.status()["waiting"] == 0


def test_a_recording_longer_than_a_blob_is_refused_and_what_there_is_can_be_saved():
    _, device = enrolled()
    draft = device.begin_video("reading", None, "", "video/webm")
    draft.append(bytes(100))
    draft._chunks = BLOB_BYTES_MAX // CHUNK_BYTES - 1  # as if almost all of a blob had been recorded
    draft.append(memoryview(bytes(64)))
    refused("RecordingTooLong", lambda: draft.append(bytes(PLAIN_BYTES)))
    draft._chunks = 0
    assert len(draft.save()) == 32


def test_a_recording_that_storage_could_not_take_is_gone_and_its_buffer_is_never_sealed_twice():
    for error in (OSError, MemoryError):
        _, device = enrolled()
        draft = device.begin_video("reading", None, "", "video/webm")
        draft.append(bytes(PLAIN_BYTES + 100))
        written = []

        def full(name, offset, data, error=error, written=written):
            written.append(bytes(data))
            raise error("full")

        blob_write, device.storage.blob_write = device.storage.blob_write, full
        for again_and_again in (lambda draft=draft: draft.append(bytes(PLAIN_BYTES)), draft.save):
            try:
                again_and_again()
                raise AssertionError("taken")
            except (CardFull, MemoryError, Misuse):
                pass
        device.storage.blob_write = blob_write
        assert len(written) == 1 and bytes(64) not in written[0]
        assert device.storage.names("part/") == [] and device.recording is None and device.waiting() == []
        assert len(device.begin_video("reading", None, "", "video/webm")._key) == 32


def test_custody_for_exactly_this_digest_ends_the_waiting_and_keeps_the_authors_copy():
    _, device = enrolled()
    item = device.write_post("reading", None, "hello")
    device.custody(bytes(32), None, 50)
    assert device.status()["unsent"] == 1
    device.custody(item, None, 50)
    for each in (device, again(device)):
        assert each.status()["unsent"] == 0
        assert each.outbox.sealed(item) is None
        assert each.thread(item)[0]["text"] == "hello"
        assert each.waiting()[0]["state"] == 1 and each.waiting()[0]["times"][:2] == [1000, 50]


def test_what_the_hub_refuses_comes_back_by_name_and_with_its_text():
    _, device = enrolled()
    item = device.write_post("reading", None, "hello")
    device.custody(item, "SomethingRefused", 50)
    for each in (device, again(device)):
        row = each.returned()[0]
        assert row["item"] == item and row["text"] == "hello" and row["action"] == 0 and not row["words"]
        assert row["code"] == "SomethingRefused"
        assert each.waiting() == [] and each.threads("reading") == []


def test_a_refusal_after_custody_comes_back_once_with_the_text_and_the_own_video():
    wing, device = enrolled()
    draft = device.begin_video("reading", None, "look", "video/webm")
    draft.append(b"no video at all")
    item = draft.save()
    device.custody(item, None, 50)
    deliver(wing, device, [], [], [(item, 5)])
    for _ in range(3):
        device.custody(item, "NotAVideo", 60)
    assert [entry.action for entry in device.journal_entries(2, 9)] == ["handed-over", "refused-by-hub"]
    deliver(wing, device, [], [], [(item, 5)])
    for each in (device, again(device)):
        row = each.returned()[0]
        assert (row["text"], row["action"], row["code"], row["seen"]) == ("look", 0, "NotAVideo", False)
        assert each.waiting() == [] and each.threads("reading") == []
        assert each.own_media(item)[2](0, 100) == b"no video at all"
    device.mark_seen(item)
    device.custody(item, "NotAVideo", 70)
    assert device.returned()[0]["seen"], "the hub says it at every docking"


def test_what_others_may_see_is_not_taken_back_by_a_refusal():
    wing, device = enrolled()
    item = device.write_post("reading", None, "hello")
    for state in (3, 4):
        deliver(wing, device, [], [], [(item, state)])
        device.custody(item, "NotAVideo", 60)
        assert device.returned() == [] and device.waiting()[0]["state"] == state
    device.custody(b"x" * 32, "NotAVideo", 60)


def test_states_of_the_hubs_list_move_own_items_and_note_their_times():
    wing, device = enrolled()
    item = device.write_post("reading", None, "hello")
    wing.now_s += 60
    deliver(wing, device, [], [], [(item, 2)])
    row = again(device).waiting()[0]
    assert row["state"] == 2 and row["times"] == [1000, wing.now_s, wing.now_s, None, None]


def test_enrolment_refuses_another_devices_certificate_and_a_second_enrolment():
    wing = Wing()
    device = Device(MemoryStorage(), Seeded("one"), lambda: 1)
    other = Device(MemoryStorage(), Seeded("two"), lambda: 1)
    certificate = wing.certify(other.identity.ed25519, other.identity.x25519, "ben")
    refused("CertificateRefused", lambda: device.commit_enrolment(certificate, wing.signed_rosters))
    assert device.status()["state"] == "new"
    wing.enrol(device, "ann")
    assert again(device).status()["learner"] == "ann"
