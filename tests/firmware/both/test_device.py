"""What the learner's page relies on, on both interpreters."""

from firmware.device import Device
from firmware.storage import MemoryStorage
from protocol.blob import Builder
from protocol.errors import Refusal
from protocol.records.statement import RETURN
from tests.kits.wing import Seeded, Wing


def refused(name, call):
    try:
        call()
    except Refusal as refusal:
        assert refusal.name == name, refusal.name
        return
    raise AssertionError("not refused: " + name)


def enrolled(seed="device", storage=None):
    wing = Wing()
    device = Device(storage or MemoryStorage(), Seeded(seed), lambda: 1000)
    wing.enrol(device, "ann")
    return wing, device


def again(device):
    return Device(device.storage, Seeded("again"), lambda: 2000)


def deliver(wing, device, statements, bundles, own=()):
    device.accept_list(wing.delivery_list(device.identity.device, statements, own))
    for bundle in bundles:
        device.receive_bundle(bundle)


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
    assert read(0, size) == made and read(8170, 20) == made[8170:8190] and read(size - 3, 10) == made[-3:]
    content, _ = wing.open(device.outbox.sealed(item))
    assert content.blob.size > size and content.text == "look"
    builder = Builder()
    builder.feed(device.storage.blob_read("blob/" + content.blob.root.hex(), 0, content.blob.size))
    assert builder.finish().root == content.blob.root
    assert made[:64] not in device.storage.blob_read("blob/" + content.blob.root.hex(), 0, 8192)


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
    view = memoryview(bytes(64))

    class Long:
        pass

    draft._chunks = 511
    draft.append(view)
    refused("RecordingTooLong", lambda: draft.append(bytes(8176)))
    draft._chunks = 0
    assert len(draft.save()) == 32


def test_custody_for_exactly_this_digest_ends_the_waiting_and_keeps_the_authors_copy():
    _, device = enrolled()
    item = device.write_post("reading", None, "hello")
    device.custody(bytes(32), None, 50)
    assert device.status()["waiting"] == 1
    device.custody(item, None, 50)
    for each in (device, again(device)):
        assert each.status()["waiting"] == 0
        assert each.outbox.sealed(item) is None
        assert each.thread(item)[0]["text"] == "hello"
        assert each.waiting()[0]["state"] == 1 and each.waiting()[0]["times"][:2] == [1000, 50]


def test_what_the_hub_refuses_comes_back_with_plain_words_and_its_text():
    _, device = enrolled()
    item = device.write_post("reading", None, "hello")
    device.custody(item, "SomethingRefused", 50)
    for each in (device, again(device)):
        row = each.returned()[0]
        assert row["item"] == item and row["text"] == "hello" and row["action"] == 0 and row["words"]
        assert row["code"] == "SomethingRefused"
        assert each.waiting() == [] and each.threads("reading") == []


def test_states_of_the_hubs_list_move_own_items_and_note_their_times():
    wing, device = enrolled()
    item = device.write_post("reading", None, "hello")
    wing.now_s += 60
    deliver(wing, device, [], [], [(item, 2)])
    row = again(device).waiting()[0]
    assert row["state"] == 2 and row["times"] == [1000, wing.now_s, wing.now_s, None, None]


def test_a_delivered_post_of_somebody_else_is_shown_once_it_passed_the_gate():
    wing, device = enrolled()
    statement = wing.statement(b"i" * 32, "ben", text="Dear all\nhello")
    deliver(wing, device, [statement], [wing.bundle(statement, "Dear all\nhello")])
    for each in (device, again(device)):
        assert each.threads("reading")[0] == {
            "id": b"i" * 32, "title": "Dear all", "author": "ben", "author_name": "Ben",
            "unread": 1, "count": 1, "last": wing.now_s,
        }
        row = each.thread(b"i" * 32)[0]
        assert row["text"] == "Dear all\nhello" and row["author_name"] == "Ben" and not row["mine"]
    device.mark_seen(b"i" * 32)
    assert again(device).threads("reading")[0]["unread"] == 0


def test_own_items_that_come_back_as_bundles_are_not_shown_twice():
    wing, device = enrolled()
    item = device.write_post("reading", None, "mine")
    statement = wing.statement(item, "ann", text="mine")
    deliver(wing, device, [statement], [wing.bundle(statement, "mine")], [(item, 4)])
    assert len(device.thread(item)) == 1 and device.threads("reading")[0]["count"] == 1


def test_a_return_reaches_its_author_with_the_words_that_staff_signed():
    wing, device = enrolled()
    item = device.write_post("reading", None, "mine")
    statement = wing.statement(item, "ann", action=RETURN, reason=4, words="Leave out the surname.")
    deliver(wing, device, [statement], [wing.bundle(statement, signers=("may",))], [(item, 5)])
    row = again(device).returned()[0]
    assert row["words"] == "Leave out the surname." and row["reason"] == 4 and row["action"] == 2
    assert row["text"] == "mine" and not row["seen"]
    device.mark_seen(item)
    assert again(device).returned()[0]["seen"]


def blob_of(data):
    builder = Builder()
    builder.feed(data)
    return builder.finish()


def with_video(wing, device, data=b"v" * 9000, store=None):
    manifest = blob_of(data)
    statement = wing.statement(b"v" * 32, "ben", text="see", media=[("video", manifest.root, len(data), "video/webm")])
    deliver(wing, device, [statement], [wing.bundle(statement, "see")])
    if store is not None:
        device.storage.blob_write("part/x", 0, store)
        device.storage.blob_commit("part/x", "blob/" + manifest.root.hex())
    return manifest.root


def test_a_video_is_not_offered_before_it_is_here_and_is_read_back_in_full_before_its_first_showing():
    wing, device = enrolled()
    root = with_video(wing, device)
    assert device.thread(b"v" * 32)[0]["video"] is None and device.thread(b"v" * 32)[0]["video_coming"]
    refused("NotShown", lambda: device.media(root))
    root = with_video(wing, device, store=b"v" * 9000)
    assert device.thread(b"v" * 32)[0]["video"] == root
    for each in (device, again(device)):
        kind, size, read = each.media(root)
        assert (kind, size, read(8990, 20)) == ("video/webm", 9000, b"v" * 10)
    plays = [entry.detail for entry in device.journal_entries(0, 100) if entry.action == "play"]
    assert plays == [(b"v" * 32).hex()]


def test_a_stored_video_with_a_changed_byte_is_never_played():
    wing, device = enrolled()
    root = with_video(wing, device, store=b"v" * 8999 + b"w")
    refused("BlobDiffers", lambda: device.media(root))
    assert device.thread(b"v" * 32)[0]["video"] is None
    assert device.inbox.blobs_missing() == [(root, 9000)]


def test_media_of_no_shown_item_is_refused_even_when_its_bytes_are_here():
    wing, device = enrolled()
    root = with_video(wing, device, store=b"v" * 9000)
    device.accept_list(wing.delivery_list(device.identity.device))
    refused("NotShown", lambda: device.media(root))
    assert device.storage.names("blob/") == []


def test_a_recall_takes_an_item_away_at_once_with_its_blob_and_queues_the_receipt():
    wing, device = enrolled()
    with_video(wing, device, store=b"v" * 9000)
    device.inbox.receipt_confirmed(b"v" * 32)
    gone = device.accept_list(wing.delivery_list(device.identity.device))
    assert gone == 1
    for each in (device, again(device)):
        assert each.threads("reading") == [] and each.thread(b"v" * 32) == []
        assert each.storage.names("blob/") == [] and each.storage.names("inbox/") == []
        assert [(item, state) for item, _, state in each.inbox.receipts()] == [(b"v" * 32, 2)]


def test_a_group_change_needs_no_new_check_and_a_staff_change_does():
    wing, device = enrolled()
    statement = wing.statement(b"i" * 32, "ben", text="hello")
    deliver(wing, device, [statement], [wing.bundle(statement, "hello", signers=("may",))])
    wing.learners.append("dan")
    device.accept_roster(wing.new_roster())
    assert len(device.thread(b"i" * 32)) == 1
    del wing.staff["may"]
    device.accept_roster(wing.new_roster())
    assert device.thread(b"i" * 32) == [] and again(device).thread(b"i" * 32) == []


def test_a_roster_by_one_administrator_or_an_older_one_is_refused():
    wing, device = enrolled()
    refused("TooFewSigners", lambda: device.accept_roster(wing.new_roster(signers=("ada", "ada"))))
    refused("RosterRefused", lambda: device.accept_roster(wing.signed_rosters[0]))


def test_an_older_or_foreign_list_is_refused():
    wing, device = enrolled()
    mine = device.identity.device
    older = wing.delivery_list(mine)
    device.accept_list(wing.delivery_list(mine))
    refused("ListOlder", lambda: device.accept_list(older))
    refused("ListRefused", lambda: device.accept_list(wing.delivery_list(b"another1")))


def test_each_way_to_break_an_approval_keeps_the_item_from_being_shown_and_is_journaled():
    wing, device = enrolled()
    item = b"i" * 32
    good = wing.statement(item, "ben", text="hello")
    other = wing.statement(item, "ben", text="hello", audience=["ben"])
    video = wing.statement(item, "ben", text="hello", media=[("video", b"r" * 32, 9, "video/webm")])
    cases = [
        ("RenditionDiffers", [good], wing.bundle(good, "hellO")),
        ("StatementDigestDiffers", [good], wing.bundle(other, "hello")),
        ("NotInAudience", [other], wing.bundle(other, "hello")),
        ("TooFewSigners", [video], wing.bundle(video, "hello", signers=("may",))),
        ("TooFewSigners", [video], wing.bundle(video, "hello", signers=("may", "may"))),
        ("SignerRole", [good], wing.bundle(good, "hello", signers=("ada",))),
        ("NotOnList", [], wing.bundle(good, "hello")),
        ("BundleRefused", [good], wing.bundle(good, "hello")[:-1]),
    ]
    for name, listed, bundle in cases:
        device.accept_list(wing.delivery_list(device.identity.device, listed))
        refused(name, lambda: device.receive_bundle(bundle))
        assert device.threads("reading") == [] and device.storage.names("inbox/") == []
        assert device.journal_entries(device.journal.next_seq - 1, 1)[0].detail == name


def test_an_expired_item_is_not_shown_any_more_by_the_hubs_clock():
    wing, device = enrolled()
    statement = wing.statement(b"i" * 32, "ben", text="hello", expires_s=wing.now_s + 10)
    deliver(wing, device, [statement], [wing.bundle(statement, "hello")])
    assert len(device.thread(b"i" * 32)) == 1
    wing.now_s += 10
    device.accept_list(wing.delivery_list(device.identity.device, [statement]))
    assert device.thread(b"i" * 32) == []


def test_enrolment_refuses_another_devices_certificate_and_a_second_enrolment():
    wing = Wing()
    device = Device(MemoryStorage(), Seeded("one"), lambda: 1)
    other = Device(MemoryStorage(), Seeded("two"), lambda: 1)
    certificate = wing.certify(other.identity.ed25519, other.identity.x25519, "ben")
    refused("CertificateRefused", lambda: device.commit_enrolment(certificate, wing.signed_rosters))
    assert device.status()["state"] == "new"
    wing.enrol(device, "ann")
    assert again(device).status()["learner"] == "ann"
