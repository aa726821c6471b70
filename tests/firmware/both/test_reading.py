"""Reading and watching on the device, on both interpreters: nothing that staff did not sign, nothing recalled."""

from protocol.blob import Builder
from tests.kits.device import again, deliver, enrolled, refused


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
    statement = wing.statement(item, "ann", action=2, reason=4, words="Leave out the surname.")
    deliver(wing, device, [statement], [wing.bundle(statement, signers=("may",))], [(item, 5)])
    row = again(device).returned()[0]
    assert row["words"] == "Leave out the surname." and row["reason"] == 4 and row["action"] == 2
    assert row["text"] == "mine" and not row["seen"]
    device.mark_seen(item)
    assert again(device).returned()[0]["seen"]


BYTES = bytes([118]) * 9000


def blob_of(data):
    builder = Builder()
    builder.feed(data)
    return builder.finish()


def with_video(wing, device, data=BYTES, store=None):
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
    root = with_video(wing, device, store=BYTES)
    assert device.thread(b"v" * 32)[0]["video"] == root
    for each in (device, again(device)):
        kind, size, read = each.media(root)
        assert (kind, size, read(8990, 20)) == ("video/webm", 9000, b"v" * 10)
    plays = [entry.detail for entry in device.journal_entries(0, 100) if entry.action == "play"]
    assert plays == [(b"v" * 32).hex()]


def test_a_stored_video_with_a_changed_byte_is_never_played():
    wing, device = enrolled()
    root = with_video(wing, device, store=BYTES[:8999] + b"w")
    refused("BlobDiffers", lambda: device.media(root))
    assert device.thread(b"v" * 32)[0]["video"] is None
    assert device.inbox.blobs_missing() == [(root, 9000)]


def test_media_of_no_shown_item_is_refused_even_when_its_bytes_are_here():
    wing, device = enrolled()
    root = with_video(wing, device, store=BYTES)
    device.accept_list(wing.delivery_list(device.identity.device))
    refused("NotShown", lambda: device.media(root))
    assert device.storage.names("blob/") == []


def test_a_recall_takes_an_item_away_at_once_with_its_blob_and_queues_the_receipt():
    wing, device = enrolled()
    with_video(wing, device, store=BYTES)
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
        refused(name, lambda bundle=bundle: device.receive_bundle(bundle))
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
