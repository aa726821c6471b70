"""A device at its dock, on both interpreters: the real stack on both sides of a wire in memory."""

from firmware import limits
from firmware.device import Device
from firmware.dock import Dock
from firmware.storage import MemoryStorage
from protocol.limits import CHUNK_BYTES, WANT_WAIT_MS
from protocol.records.statement import RETURN
from tests.kits.device import enrolled
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded, Wing


def settled(device):
    return lambda: device.status()["phase"] == "settled" and device.status()["can_lift"]


def docked(seed="dock"):
    wing, device = enrolled()
    kept = Kept(wing)
    return device, kept, Dock(device, Seeded(seed)), HubSide(kept, Seeded("hub" + seed))


def enrolling():
    """A new device and its hub, both showing digits."""
    device = Device(MemoryStorage(), Seeded("new"), lambda: 1000)
    kept = Kept(Wing())
    dock, hub = Dock(device, Seeded("dock")), HubSide(kept, Seeded("hub"))
    now = digits_shown(device, dock, hub, 0)
    return device, kept, dock, hub, now


def digits_shown(device, dock, hub, now):
    def both():
        return hub.enrol is not None and hub.enrol.request is not None and device.digits == hub.enrol.digits

    return join(dock, hub, both, now)[0]


def rest(dock, hub, now, ms=3000):
    """Let both sides be for so long."""
    steps = []

    def over():
        steps.append(now)
        return len(steps) * 5 > ms

    return join(dock, hub, over, now)[0]


def test_a_device_waits_for_custody_until_the_hub_has_asked_again():
    assert limits.CUSTODY_WAIT_MS >= WANT_WAIT_MS + 2000  # a second until the hub looks, and one of a slow wire


def test_a_new_device_shows_the_hubs_digits_and_docks_once_both_ends_confirm():
    device, kept, dock, hub, now = enrolling()
    digits = device.status()["digits"]
    assert len(digits) == 6 and digits == hub.enrol.digits and device.status()["state"] == "enrolling"
    device.confirm_digits(digits, True)
    now = rest(dock, hub, now)
    assert not device.identity.enrolled, "staff have not granted anything"
    hub.confirmed = True
    join(dock, hub, settled(device), now)
    status = device.status()
    assert status["state"] == "docked" and status["learner"] == "ann" and status["digits"] is None
    assert [entry.action for entry in kept.journal][:2] == ["enrolled", "dock"]


def test_a_grant_is_not_committed_before_somebody_at_the_device_confirmed_the_digits():
    device, kept, dock, hub, now = enrolling()
    hub.confirmed = True
    now = rest(dock, hub, now)
    assert not hub.confirmed, "it was granted"
    assert device.status()["state"] == "enrolling" and device.storage.read("keys/enrolment") is None
    assert Device(device.storage, Seeded("x"), lambda: 1).status()["state"] == "new"
    device.confirm_digits(hub.enrol.digits, True)
    join(dock, hub, settled(device), now)
    assert device.status()["learner"] == "ann"


def test_a_no_leaves_the_device_new_and_ends_the_enrolment_by_name():
    for granted_first in (False, True):
        device, kept, dock, hub, now = enrolling()
        if granted_first:
            hub.confirmed = True
            now = rest(dock, hub, now)
        digits = device.digits
        device.confirm_digits(digits, False)
        device.confirm_digits(digits, True)
        now, _ = join(dock, hub, lambda device=device: device.digits is None, now)
        assert dock.refused == "DigitsDiffer" and device.status()["state"] == "new"
        assert [(entry.action, entry.detail) for entry in device.journal_entries(0, 9)] == [("digits-differ", digits)]
        now = digits_shown(device, dock, hub, now)
        hub.confirmed = True
        now = rest(dock, hub, now)
        assert not hub.confirmed and not device.identity.enrolled, "the no was about other digits"
        device.confirm_digits(device.digits, True)
        join(dock, hub, settled(device), now)


def test_a_confirmation_does_not_outlive_the_session_whose_digits_were_shown():
    device, kept, dock, hub, now = enrolling()
    before = device.digits
    device.confirm_digits(before, True)
    dock.restart()
    assert device.status()["agreed"] is None
    hub = HubSide(kept, Seeded("another session"))
    now = digits_shown(device, dock, hub, now)
    assert device.digits != before
    device.confirm_digits(before, True)
    hub.confirmed = True
    now = rest(dock, hub, now)
    assert not hub.confirmed and not device.identity.enrolled
    device.confirm_digits(device.digits, True)
    join(dock, hub, settled(device), now)


def test_a_grant_does_not_outlive_its_session_either():
    device, kept, dock, hub, now = enrolling()
    hub.confirmed = True
    now = rest(dock, hub, now)
    dock.restart()
    hub = HubSide(kept, Seeded("another session"))
    now = digits_shown(device, dock, hub, now)
    device.confirm_digits(device.digits, True)
    now = rest(dock, hub, now)
    assert not device.identity.enrolled
    hub.confirmed = True
    join(dock, hub, settled(device), now)


def test_a_docking_hands_over_the_journal_posts_and_video_and_proves_it():
    device, kept, dock, hub = docked()
    made = Seeded("video")(30000)
    post = device.write_post("reading", None, "hello")
    draft = device.begin_video("reading", None, "look", "video/webm")
    draft.append(made)
    video = draft.save()
    join(dock, hub, settled(device))
    assert kept.taken == [post, video]
    root = kept.items[video].blob.root
    assert b"".join(kept.chunks[root]) == device.storage.blob_read("blob/" + root.hex(), 0, 1 << 20)
    status = device.status()
    assert status["sent"] == 2 and status["unsent"] == 0 and status["saved_at_s"] == kept.wing.now_s
    assert status["progress"][0] == status["progress"][1] > 30000
    assert [entry.action for entry in kept.journal][:3] == ["enrolled", "write", "record"]
    assert [row["state"] for row in device.waiting()] == [1, 1]


def test_a_docking_brings_bundles_and_blobs_and_the_hub_gets_the_receipts():
    device, kept, dock, hub = docked()
    movie = Seeded("movie")(40000)
    kept.approve(b"a" * 32, "ben", "first post")
    media = [("video", movie, "video/webm"), ("still", movie[:900], "image/jpeg")]
    statement = kept.approve(b"b" * 32, "cai", "see", media)
    join(dock, hub, settled(device))
    assert device.status()["new"] == 2
    assert kept.receipts == {b"a" * 32: 1, b"b" * 32: 1} and device.inbox.receipts() == []
    root = statement.rendition("video").digest
    assert device.thread(b"b" * 32)[0]["video"] == root
    kind, size, read = device.media(root)
    assert read(0, size) == movie
    assert device.storage.names("part/") == []


def test_a_recall_reaches_the_device_before_anything_else_does():
    device, kept, dock, hub = docked()
    kept.approve(b"a" * 32, "ben", "first post")
    now, _ = join(dock, hub, settled(device))
    assert len(device.threads("reading")) == 1
    kept.recall(b"a" * 32)
    device.write_post("reading", None, "hello")
    dock, hub = Dock(device, Seeded("again")), HubSide(kept, Seeded("hubagain"))
    seen = []

    def watch():
        seen.append((len(device.thread(b"a" * 32)), len(kept.taken)))
        return settled(device)()

    join(dock, hub, watch, now)
    assert (1, 1) not in seen and seen[-1] == (0, 1)
    assert kept.receipts[b"a" * 32] == 2


def test_what_staff_approve_while_the_device_is_docked_arrives_without_lifting():
    device, kept, dock, hub = docked()
    now, _ = join(dock, hub, settled(device))
    kept.approve(b"a" * 32, "ben", "later")
    hub.send_list()
    join(dock, hub, lambda: len(device.threads("reading")) == 1 and settled(device)(), now)


def test_what_is_written_while_docked_is_handed_over_without_lifting():
    device, kept, dock, hub = docked()
    now, _ = join(dock, hub, settled(device))
    item = device.write_post("reading", None, "one more")
    join(dock, hub, lambda: kept.taken == [item] and settled(device)(), now)


def test_a_refused_envelope_comes_back_and_the_next_one_goes_on():
    device, kept, dock, hub = docked()
    kept.refuse["bad"] = "TextRefused"
    bad, good = device.write_post("reading", None, "bad"), device.write_post("reading", None, "good")
    join(dock, hub, settled(device))
    assert kept.taken == [good] and [row["item"] for row in device.returned()] == [bad]


def test_a_refusal_after_custody_reaches_the_author_while_docked_and_at_every_docking_and_is_journaled_once():
    device, kept, dock, hub = docked()
    item = device.write_post("reading", None, "mine")
    now, _ = join(dock, hub, settled(device))
    hub.refuse_later(item, "NotAVideo")
    join(dock, hub, lambda: device.returned() and device.returned()[0]["code"] and settled(device)(), now)
    dock, hub = Dock(device, Seeded("again")), HubSide(kept, Seeded("hubagain"))
    now, _ = join(dock, hub, settled(device), now)
    hub.refuse_later(item, "NotAVideo")
    rest(dock, hub, now)
    assert [row["code"] for row in device.returned()] == ["NotAVideo"] and kept.taken == [item]
    assert [entry.action for entry in device.journal_entries(0, 99)].count("refused-by-hub") == 1


def test_a_reply_to_an_own_thread_waits_until_staff_approved_the_thread():
    device, kept, dock, hub = docked()
    root = device.write_post("reading", None, "thread")
    reply = device.write_post("reading", root, "reply")
    now, _ = join(dock, hub, settled(device))
    assert kept.taken == [root]
    kept.own[root] = 3
    kept.list_signed = None
    hub.send_list()
    join(dock, hub, lambda: kept.taken == [root, reply] and settled(device)(), now)


def test_returned_items_bring_their_words():
    device, kept, dock, hub = docked()
    item = device.write_post("reading", None, "mine")
    now, _ = join(dock, hub, settled(device))
    kept.own[item] = 5
    kept.approve(item, "ann", None, action=RETURN, reason=4, words="Leave out the surname.", signers=("may",))
    hub.send_list()
    join(dock, hub, lambda: device.returned() and device.returned()[0]["words"], now)
    assert device.returned()[0]["words"] == "Leave out the surname."


def test_a_bundle_that_fails_the_gate_is_asked_for_once_and_everything_else_arrives():
    device, kept, dock, hub = docked()
    kept.approve(b"a" * 32, "ben", "good")
    kept.approve(b"b" * 32, "ben", "bad", signers=("ada",))
    join(dock, hub, lambda: device.status()["phase"] == "settled")
    assert [row["id"] for row in device.threads("reading")] == [b"a" * 32]
    assert kept.bundles_sent == 2
    assert [entry.detail for entry in device.journal_entries(0, 99) if entry.action == "refused"] == ["SignerRole"]


def test_a_new_roster_comes_before_the_list_that_stands_on_it():
    device, kept, dock, hub = docked()
    kept.wing.learners.append("dan")
    kept.wing.new_roster()
    kept.wing.new_roster()
    kept.approve(b"a" * 32, "ben", "hello")
    join(dock, hub, settled(device))
    assert device.identity.roster.version == kept.wing.roster.version
    assert len(device.threads("reading")) == 1


def test_a_hub_with_another_key_is_not_spoken_to():
    device, kept, dock, _ = docked()
    device.write_post("reading", None, "hello")
    other = Kept(Wing(seed="other"))
    other.wing.devices = kept.wing.devices
    hub = HubSide(other, Seeded("x"))
    reached = []
    for now in range(0, 8000, 5):
        hub.receive(dock.to_send(now), now)
        dock.receive(hub.to_send(now), now)
        dock.tick(now)
        hub.tick(now)
        reached.append(dock.stack.up)
    assert dock.stack.link.counters["frames"] > 0 and not any(reached) and not other.items
    assert device.status()["state"] == "idle" and device.status()["waiting"] == 1


def yanks(total, count):
    return [total * turn // count for turn in range(1, count)]


def test_a_yank_at_any_byte_loses_nothing_and_moves_no_durable_chunk_again():
    made, movie = Seeded("video")(20000), Seeded("movie")(20000)

    def prepare():
        device, kept, dock, hub = docked()
        kept.approve(b"b" * 32, "cai", "see", [("video", movie, "video/webm")])
        post = device.write_post("reading", None, "hello")
        draft = device.begin_video("reading", None, "look", "video/webm")
        draft.append(made)
        return device, kept, dock, hub, [post, draft.save()]

    device, kept, dock, hub, items = prepare()
    _, total = join(dock, hub, settled(device))
    chunks = kept.chunks_stored
    for at in yanks(total, 12):
        device, kept, dock, hub, items = prepare()
        now, _ = join(dock, hub, lambda: False, bytes_max=at)
        durable = device.storage.blob_size("part/" + kept.statements[0].rendition("video").digest.hex()) // CHUNK_BYTES
        kept.chunks_sent = []
        device = Device(device.storage, Seeded("after"), lambda: 3000)
        dock, hub = Dock(device, Seeded("b")), HubSide(kept, Seeded("hb"))
        join(dock, hub, settled(device), now)
        assert kept.taken == items, at
        assert kept.chunks_stored == chunks, at
        assert all(index >= durable for index in kept.chunks_sent), at
        assert len(device.thread(b"b" * 32)) == 1
        assert device.media(kept.statements[0].rendition("video").digest)[2](0, 20000) == movie
        seqs = [entry.seq for entry in kept.journal]
        assert seqs == list(range(len(seqs)))
