"""The power goes at every single storage operation: before it, in the middle of it, after it.

After each cut the device is opened again and must be in the state before or the state after, with
nothing lost that was saved, nothing shown twice or wrongly, and no counter used twice.
"""

from firmware.device import Device
from protocol import blob
from protocol.records.receipt import REMOVED
from tests.kits.faulty_storage import FaultyStorage, every_cut
from tests.kits.wing import Seeded, Wing

MOVIE = bytes(range(250)) * 40  # 10 000 bytes: a whole chunk and a part of one


def opened(storage, seed="device", clock=1000):
    return Device(storage, Seeded(seed), lambda: clock)


def reopened(storage):
    """Opened after a cut, and once more: the second start finds nothing left to do."""
    opened(storage, "reopened", 2000)
    before = storage.operations
    second = opened(storage, "reopened", 2000)
    assert storage.operations == before, "a second start still had something to repair"
    check_whole(second)
    return second


def check_whole(device):
    """What holds whatever happened."""
    entries = device.journal_entries(0, 10000)
    prev = bytes(32)
    for seq, entry in enumerate(entries):
        assert entry.seq == seq and entry.prev == prev
        prev = entry.hash()
    counters = [own.counter for own in device.outbox.own.values()]
    assert len(set(counters)) == len(counters)
    assert all(device.identity.next_counter > counter for counter in counters)
    journaled = [entry.detail for entry in entries if entry.action in ("write", "record")]
    assert sorted(journaled) == sorted([own.item.hex() for own in device.outbox.own.values()])
    for own in device.outbox.own.values():
        if own.blob is not None:
            assert device.storage.blob_size("blob/" + own.blob[0].hex()) == own.blob[1]
    listed = device.inbox.listed()
    assert all(item in listed for item in device.inbox.held)
    for folder in ("blob/", "part/", "leaves/"):
        wanted = [root.hex() for root in device.outbox.roots() + device.inbox.roots()]
        assert all(name[len(folder) :] in wanted for name in device.storage.names(folder))


def base(steps=None):
    """A wing, and the storage of an enrolled device that did `steps(wing, device)`."""
    wing = Wing()
    storage = FaultyStorage()
    device = opened(storage)
    wing.enrol(device, "ann")
    if steps is not None:
        steps(wing, device)
    return wing, storage


def test_enrolment_is_before_or_after_and_the_keys_stay():
    wing = Wing()
    fresh = FaultyStorage()
    public = opened(fresh).identity.ed25519
    identity = opened(fresh).identity
    certificate = wing.certify(public, identity.x25519, "ann")
    rosters = list(wing.signed_rosters)

    def check(storage, outcome):
        device = reopened(storage)
        assert device.identity.ed25519 == public
        assert (device.identity.certificate is None) == (device.identity.roster is None)
        if outcome == "whole":
            assert device.status()["learner"] == "ann"
        elif device.status()["state"] == "new":
            device.commit_enrolment(certificate, rosters)

    cuts = every_cut(lambda: fresh, lambda storage: opened(storage).commit_enrolment(certificate, rosters), check)
    assert cuts >= 12


def test_the_first_start_makes_keys_once():
    def act(storage):
        opened(storage)

    def check(storage, outcome):
        first = opened(storage, "x").identity.ed25519
        assert opened(storage, "y").identity.ed25519 == first

    assert every_cut(FaultyStorage, act, check) >= 6


def test_a_post_is_saved_or_not_and_its_draft_is_never_beside_it():
    def steps(wing, device):
        device.write_post("reading", None, "before")
        device.save_draft("new", "hello")

    wing, storage = base(steps)
    seen = set()

    def check(found, outcome):
        device = reopened(found)
        texts = [device.outbox.text(own.item) for own in device.outbox.in_order()]
        assert texts in (["before"], ["before", "hello"])
        seen.add(len(texts))
        assert device.draft("new") == ("hello" if len(texts) == 1 else "")
        if outcome == "whole":
            assert len(texts) == 2
        used = [own.counter for own in device.outbox.in_order()]
        item = device.write_post("reading", None, "after")
        assert device.outbox.own[item].counter not in used
        for own in device.outbox.in_order():
            assert wing.open(device.outbox.sealed(own.item))[0].counter == own.counter

    cuts = every_cut(lambda: storage, lambda s: opened(s, "act").write_post("reading", None, "hello"), check)
    assert cuts >= 30 and seen == {1, 2}


def test_a_counter_that_a_cut_may_have_spent_is_never_used_for_anything_else():
    wing, storage = base()
    made = {}

    def act(s):
        device = opened(s, "act")
        real = device.random

        def spy(count):
            return real(count)

        device.random = spy
        device.write_post("reading", None, "hello")

    def check(found, outcome):
        device = opened(found, "later")
        for own in device.outbox.in_order():
            made.setdefault(own.counter, set()).add(own.item)
        item = device.write_post("reading", None, "other words")
        counter = device.outbox.own[item].counter
        assert item not in made.get(counter, ())
        assert len([own for own in device.outbox.own.values() if own.counter == counter]) == 1

    every_cut(lambda: storage, act, check)


def test_a_recording_is_saved_whole_or_not_at_all():
    wing, storage = base()
    seen = set()

    def act(s):
        draft = opened(s, "act").begin_video("reading", None, "look", "video/webm")
        for at in range(0, len(MOVIE), 3000):
            draft.append(MOVIE[at : at + 3000])
        draft.save()

    def check(found, outcome):
        device = reopened(found)
        own = device.outbox.in_order()
        seen.add(len(own))
        if outcome == "whole":
            assert len(own) == 1
        if own:
            kind, size, read = device.own_media(own[0].item)
            assert read(0, size) == MOVIE
            content, _ = wing.open(device.outbox.sealed(own[0].item))
            name = content.blob.root.hex()
            blob.Manifest(content.blob.root, content.blob.size, found.read("leaves/" + name))
        else:
            assert found.names("blob/") == [] and found.names("part/") == []

    assert every_cut(lambda: storage, act, check) >= 48 and seen == {0, 1}


def test_custody_ends_the_waiting_or_does_not_and_the_authors_copy_stays():
    items = []

    def steps(wing, device):
        items.append(device.write_post("reading", None, "hello"))

    wing, storage = base(steps)
    seen = set()

    def check(found, outcome):
        device = reopened(found)
        own = device.outbox.own[items[0]]
        seen.add(own.waiting)
        assert device.outbox.text(items[0]) == "hello"
        assert own.waiting == (device.outbox.sealed(items[0]) is not None)
        assert own.state == (0 if own.waiting else 1)

    assert every_cut(lambda: storage, lambda s: opened(s, "act").custody(items[0], None, 5), check) >= 12
    assert seen == {True, False}


def test_a_refusal_of_the_hub_never_loses_the_text():
    items = []

    def steps(wing, device):
        items.append(device.write_post("reading", None, "hello"))

    wing, storage = base(steps)

    def check(found, outcome):
        device = reopened(found)
        own = device.outbox.own[items[0]]
        assert device.outbox.text(items[0]) == "hello"
        assert own.waiting == (device.returned() == [])

    every_cut(lambda: storage, lambda s: opened(s, "act").custody(items[0], "TextRefused", 5), check)


def test_a_refusal_after_custody_is_taken_or_not_and_is_taken_the_next_time():
    items = []

    def steps(wing, device):
        draft = device.begin_video("reading", None, "look", "video/webm")
        draft.append(MOVIE)
        items.append(draft.save())
        device.custody(items[0], None, 5)
        device.accept_list(wing.delivery_list(device.identity.device, [], [(items[0], 5)]))

    wing, storage = base(steps)
    seen = set()

    def check(found, outcome):
        for turn in range(2):
            device = reopened(found)
            row = device.returned()[0]
            assert row["text"] == "look" and row["code"] in ("", "NotAVideo")
            assert device.own_media(items[0])[2](0, len(MOVIE)) == MOVIE
            seen.add(row["code"])
            if outcome == "whole" or turn:
                assert row["code"] == "NotAVideo"
            device.custody(items[0], "NotAVideo", 6)

    assert every_cut(lambda: storage, lambda s: opened(s, "act").custody(items[0], "NotAVideo", 5), check) >= 6
    assert seen == {"", "NotAVideo"}


def with_bundle(data=MOVIE):
    """A wing, a storage whose list names one video, its bundle, its root."""
    builder = blob.Builder()
    builder.feed(data)
    root = builder.finish().root
    made = {}

    def steps(wing, device):
        statement = wing.statement(b"v" * 32, "ben", text="see", media=[("video", root, len(data), "video/webm")])
        made["bundle"] = wing.bundle(statement, "see")
        device.accept_list(wing.delivery_list(device.identity.device, [statement]))

    wing, storage = base(steps)
    return wing, storage, made["bundle"], root


def test_a_bundle_is_here_or_still_missing_and_shown_once():
    wing, storage, bundle, _ = with_bundle()

    def check(found, outcome):
        device = reopened(found)
        here = len(device.thread(b"v" * 32))
        assert here + len(device.inbox.missing()) == 1
        assert [state for _, _, state in device.inbox.receipts()] == [1] * here
        device.receive_bundle(bundle)
        assert len(device.thread(b"v" * 32)) == 1 and len(device.threads("reading")) == 1
        assert [state for _, _, state in device.inbox.receipts()] == [1]

    assert every_cut(lambda: storage, lambda s: opened(s, "act").receive_bundle(bundle), check) >= 6


def test_a_list_with_a_recall_is_the_old_one_or_the_new_one_and_nothing_recalled_is_shown():
    wing, storage, bundle, root = with_bundle()
    device = opened(storage)
    device.receive_bundle(bundle)
    storage.blob_write("part/x", 0, MOVIE)
    storage.blob_commit("part/x", "blob/" + root.hex())
    device.media(root)
    device.mark_seen(b"v" * 32)
    newer = wing.delivery_list(device.identity.device)
    seen = set()

    def check(found, outcome):
        device = reopened(found)
        version = device.inbox.list.version
        seen.add(version)
        if outcome == "whole":
            assert version == 2
        if version == 2:
            assert device.threads("reading") == [] and found.names("blob/") == [] and found.names("inbox/") == []
            assert [state for _, _, state in device.inbox.receipts()] == [REMOVED]
        else:
            assert len(device.thread(b"v" * 32)) == 1
            assert device.media(root)[2](0, len(MOVIE)) == MOVIE

    assert every_cut(lambda: storage, lambda s: opened(s, "act").accept_list(newer), check) >= 36
    assert seen == {1, 2}


def test_a_receipt_of_the_hub_is_noted_or_asked_for_again():
    wing, storage, bundle, _ = with_bundle()
    opened(storage).receive_bundle(bundle)

    def check(found, outcome):
        receipts = reopened(found).inbox.receipts()
        assert receipts == [] or (outcome != "whole" and receipts[0][2] == 1)

    every_cut(lambda: storage, lambda s: opened(s, "act").custody(b"v" * 32, None, 5), check)


def test_a_roster_is_the_old_one_or_the_new_one():
    wing, storage = base()
    version = wing.roster.version
    wing.learners.append("dan")
    signed = wing.new_roster()

    def check(found, outcome):
        assert reopened(found).identity.roster.version in (version, version + 1)

    every_cut(lambda: storage, lambda s: opened(s, "act").accept_roster(signed), check)


def test_a_journal_entry_is_there_or_not_and_the_chain_holds_across_segments():
    def steps(wing, device):
        while device.journal.next_seq < 63:
            device.log("open", "home")

    wing, storage = base(steps)

    def act(s):
        device = opened(s, "act")
        for turn in range(3):
            device.log("open", "thread " + str(turn))

    def check(found, outcome):
        device = reopened(found)
        assert 63 <= device.journal.next_seq <= 66
        if outcome == "whole":
            assert device.journal.next_seq == 66
        device.log("open", "again")
        check_whole(opened(found))

    assert every_cut(lambda: storage, act, check) >= 36


def test_custody_of_the_journal_never_drops_an_entry_that_the_hub_has_not():
    wing, storage = base(lambda wing, device: [device.log("open") for _ in range(70)])
    last = opened(storage).journal.next_seq - 1

    def check(found, outcome):
        journal = reopened(found).journal
        assert journal.custody_next in (0, 51)
        batch = journal.entries(journal.custody_next, 1000)
        assert [entry.seq for entry in batch] == list(range(journal.custody_next, last + 1))

    every_cut(lambda: storage, lambda s: opened(s, "act").journal.custody(50), check)
