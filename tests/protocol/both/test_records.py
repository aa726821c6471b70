"""Every record kind: round trips, and everything out of shape refused by name with its field."""

from protocol import cbor
from protocol.errors import Misuse, Refusal
from protocol.records import delivery_list, envelope, roster
from protocol.records.delivery_list import Listed
from protocol.records.envelope import Blob, Content
from protocol.records.hello import Status, Time
from protocol.records.journal import JournalEntry
from protocol.records.roster import Group, Learner
from protocol.records.schema import RecordRefused
from protocol.records.statement import Audience
from tests.kits import records as made
from tests.kits.record_samples import content, post, samples

D = made.digest(b"some digest")


def raised(error, function, *arguments):
    """The refusal of exactly this class that the call raises."""
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def test_every_record_is_the_same_after_a_round_trip():
    for record in samples():
        data = record.encode()
        again = type(record).decode(data)
        assert again == record, type(record).__name__
        assert again.encode() == data, type(record).__name__


def test_every_record_refuses_an_unknown_key_a_missing_key_and_another_type():
    for record in samples():
        kind = type(record)
        values = cbor.loads(record.encode())
        if isinstance(values, list):
            continue  # a Row: see below
        count = len(record.FIELDS)
        assert sorted(values) == list(range(1, count + 1)), kind.__name__
        for unknown in (0, count + 1, -1, "1", b"1"):
            more = dict(values)
            more[unknown] = 0
            assert raised(kind.REFUSAL, kind.decode, cbor.dumps(more)).field == "encoding"
        for index, (name, _) in enumerate(record.FIELDS):
            less = dict(values)
            del less[index + 1]
            refusal = raised(kind.REFUSAL, kind.decode, cbor.dumps(less))
            assert refusal.field == name and name in str(refusal)
            for wrong in (-1, 1 << 60, "\x00", 1.5, {}, [{}], cbor.Undefined):
                if kind is Content and name == "text" and wrong == "\x00":
                    continue  # what a learner wrote only travels; the hub makes what may be shown of it
                other = dict(values)
                other[index + 1] = wrong
                refusal = raised(kind.REFUSAL, kind.decode, cbor.dumps(other))
                assert refusal.field.split("[")[0].split(".")[0] == name, (kind.__name__, name, refusal.field)


def test_a_row_of_another_length_or_with_another_type_is_refused():
    entry = next(record for record in samples() if isinstance(record, JournalEntry))
    values = cbor.loads(entry.encode())
    for bad in (values[:-1], values + [0], {}, None):
        assert raised(entry.REFUSAL, entry.decode, cbor.dumps(bad)).field == "encoding"
    for index, (name, _) in enumerate(entry.FIELDS):
        for wrong in (-1, 1 << 60, "\x00", True, None):
            refusal = raised(entry.REFUSAL, entry.decode, cbor.dumps(values[:index] + [wrong] + values[index + 1 :]))
            assert refusal.field == name


def test_text_with_half_a_surrogate_pair_is_refused_not_a_crash():
    half = chr(0xD83D)
    assert raised(envelope.EnvelopeRefused, post(text="a" + half).encode).field == "text"
    assert raised(delivery_list.ListRefused, made.delivery_list(wing=half).encode).field == "wing"


def test_a_media_type_that_could_break_a_header_is_refused():
    for bad in ("video", "/", "video/", "vidéo/webm", "a/b\nSet-Cookie: x", "a/b\x7f", "a/" + "b" * 63):
        blob = Blob(root=D, size=1, media_type=bad, key=D)
        assert raised(envelope.EnvelopeRefused, content(blob=blob).encode).field == "blob.media_type", bad
    blob = Blob(root=D, size=1, media_type='video/webm; codecs="vp8,opus"', key=D)
    assert Content.decode(content(blob=blob).encode()).blob == blob


def test_true_is_no_number_and_a_number_is_no_flag():
    status = Status(phase="up", sent=True, waiting=0, new=0, time_s=0)
    assert raised(Status.REFUSAL, status.encode).field == "sent"
    device = made.device("slate-1", "kit", revoked=0)
    refusal = raised(roster.RegisterRefused, roster.Register(devices=[device]).encode)
    assert refusal.field == "devices[0].revoked", refusal.field


def test_every_record_refuses_what_is_not_its_one_encoding():
    for record in samples():
        kind = type(record)
        data = record.encode()
        for bad in (
            b"",
            data[:-1],
            data + b"\x00",
            b"\xbf" + data[1:] + b"\xff",
            b"\x80",
            b"\xf6",
            bytes(40),
        ):
            raised(kind.REFUSAL, kind.decode, bad)


def test_a_record_made_without_a_field_or_with_a_strange_one_is_our_mistake():
    for values in ({}, {"time_s": 1, "other": 2}):
        try:
            Time(**values)
        except Misuse:
            continue
        raise AssertionError("made")


def test_what_would_be_refused_is_not_encoded_either():
    assert raised(envelope.EnvelopeRefused, post(text="x" * 4001).encode).field == "text"
    assert raised(envelope.EnvelopeRefused, post(text="").encode).field == "text"
    assert raised(envelope.EnvelopeRefused, content(blob=None).encode).field == "blob"
    assert raised(envelope.EnvelopeRefused, post(learner="Kit").encode).field == "learner"
    assert raised(envelope.EnvelopeRefused, post(group="-a").encode).field == "group"
    assert raised(envelope.EnvelopeRefused, post(group="a" * 33).encode).field == "group"


def test_lists_out_of_order_or_with_duplicates_are_refused():
    good = made.roster()
    for field, values in (
        ("staff", [good.staff[1], good.staff[0]]),
        ("staff", [good.staff[0], good.staff[0]]),
        ("learners", [Learner(id="lee", name="Lee"), Learner(id="kit", name="Kit")]),
        ("learners", [Learner(id="kit", name="Kit"), Learner(id="kit", name="Kitty")]),
    ):
        refusal = raised(roster.RosterRefused, made.roster(**{field: values}).encode)
        assert refusal.field == field + "[1]", refusal.field
    group = Group(id="art", name="Art", version=1, members=["lee", "kit"])
    refusal = raised(roster.RosterRefused, made.roster(groups=[group]).encode)
    assert refusal.field == "groups[0].members[1]", refusal.field
    listed = [Listed(item=D, statement=D), Listed(item=D, statement=made.ITEM)]
    raised(delivery_list.ListRefused, made.delivery_list(items=listed).encode)


def test_a_group_member_who_is_no_learner_is_refused():
    group = Group(id="art", name="Art", version=1, members=["zed"])
    assert raised(roster.RosterRefused, made.roster(groups=[group]).encode).field == "groups"


def test_a_device_id_that_is_not_its_keys_is_refused():
    device = made.device("slate-1", "kit", id=bytes(8))
    assert raised(roster.RegisterRefused, roster.Register(devices=[device]).encode).field == "devices[0].id"


def test_a_record_in_a_log_line_shows_no_key_and_stays_on_its_line():
    shown = repr(content(text="one\ntwo"))
    assert "\n" not in shown and made.digest(b"key").hex() not in shown
    assert RecordRefused("a", "b").name == "RecordRefused"
    assert "Bundle" in repr(made.bundle(made.statement(), "mia"))
    assert "lee" in repr(Audience(group=None, membership_version=0, learners=["lee"]))
