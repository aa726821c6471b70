"""Records under hypothesis: any record survives a round trip; any bytes are a record or a named refusal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import blob, cbor, enrol
from protocol.errors import Misuse, Refusal
from protocol.limits import CHUNK_BYTES, LEAF_BYTES
from protocol.records import cddl, gate, roster, schema, signing, text, topics
from protocol.records.schema import Record, RecordRefused
from tests.kits import records as made
from tests.kits.record_samples import samples

_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Cn"))


def _shown(value: str) -> bool:
    try:
        text.check(value)
    except text.TextRefused:
        return False
    return True


def values_of(shape: schema.Shape) -> "st.SearchStrategy[object]":
    """Values that a shape takes."""
    if isinstance(shape, schema.Uint):
        return st.integers(shape.least, shape.most)
    if isinstance(shape, schema.Flag):
        return st.booleans()
    if isinstance(shape, schema.Octets):
        return st.binary(min_size=shape.least, max_size=min(shape.most, shape.least + 200))
    if isinstance(shape, schema.MediaType):
        return st.from_regex(r"[a-z]{1,10}/[ -~]{1,50}", fullmatch=True)
    if isinstance(shape, schema.Words):
        length = st.text(_LETTERS, min_size=shape.least, max_size=min(shape.most // 4, 40))
        return length.filter(_shown)
    if isinstance(shape, schema.Ident):
        return st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
    if isinstance(shape, schema.Word):
        return st.sampled_from(shape.words)
    if isinstance(shape, schema.Maybe):
        return st.none() | values_of(shape.inner)
    if isinstance(shape, schema.RowOf):
        return records_of(shape.row)
    assert isinstance(shape, schema.ListOf)
    inner, key = shape.inner, shape.key
    if key is None:
        return st.lists(values_of(inner), min_size=shape.least, max_size=min(shape.most, 4))

    def of(entry: object) -> object:
        return getattr(entry, key) if key else entry

    rows = st.lists(values_of(inner), min_size=shape.least, max_size=min(shape.most, 4), unique_by=of)
    return rows.map(lambda found: sorted(found, key=of))  # type: ignore[arg-type]


def records_of(kind: "type[Record]") -> "st.SearchStrategy[Record]":
    return st.builds(kind, **{name: values_of(shape) for name, shape in kind.FIELDS})


@pytest.mark.parametrize("kind", cddl.KINDS, ids=lambda kind: kind.__name__)
def test_any_record_is_the_same_after_a_round_trip_or_breaks_a_rule_of_its_kind(kind: "type[Record]") -> None:
    @settings(max_examples=40, deadline=None, database=None)
    @given(records_of(kind))
    def check(record: Record) -> None:
        try:
            data = record.encode()
        except RecordRefused as refusal:
            # every field is in shape, so only a rule between fields can have refused it
            with pytest.raises(schema.Unfit):
                record.rules()
                for name, shape in kind.FIELDS:
                    shape.read(shape.plain(getattr(record, name)))
            assert refusal.field
            return
        assert kind.decode(data) == record
        assert kind.decode(data).encode() == data

    check()


@pytest.mark.parametrize("kind", cddl.KINDS, ids=lambda kind: kind.__name__)
def test_any_bytes_are_a_record_in_its_one_encoding_or_its_own_refusal(kind: "type[Record]") -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.binary(max_size=200))
    def check(data: bytes) -> None:
        try:
            record = kind.decode(data)
        except RecordRefused as refusal:
            assert type(refusal) is kind.REFUSAL
        else:
            assert record.encode() == data

    check()


_GOOD = [(type(record), record.encode()) for record in samples()]


@settings(max_examples=400, deadline=None, database=None)
@given(st.sampled_from(_GOOD), st.data())
def test_a_damaged_record_is_refused_or_is_another_record_in_its_one_encoding(
    good: "tuple[type[Record], bytes]", data: st.DataObject
) -> None:
    kind, encoded = good
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(damaged) - 1))
        damaged[index] = data.draw(st.integers(0, 255))
    try:
        record = kind.decode(bytes(damaged))
    except RecordRefused as refusal:
        assert type(refusal) is kind.REFUSAL
    else:
        assert record.encode() == bytes(damaged)


_CBOR = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 20) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from(cddl.KINDS), _CBOR)
def test_any_cbor_is_a_record_or_its_own_refusal(kind: "type[Record]", value: object) -> None:
    try:
        data = cbor.dumps(value)
    except Misuse:
        return  # text that has no UTF-8
    try:
        assert kind.decode(data).encode() == data
    except RecordRefused as refusal:
        assert type(refusal) is kind.REFUSAL


# the gate: a bundle with any one thing changed is never shown

_STATEMENT = made.statement(renditions=made.video_renditions())
_BODY = _STATEMENT.encode()
_LIST = made.delivery_list(_STATEMENT)
_ROSTER = made.roster()
_SIGNATURES = {
    (name, kind): made.keys(name).sign(kind, _BODY)
    for name in ("ada", "ben", "mia", "noor", "stranger", "hub", "slate-1")
    for kind in ("decision", "list", "envelope")
}


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.sampled_from(sorted(_SIGNATURES)), min_size=1, max_size=8))
def test_a_video_is_shown_exactly_when_two_different_moderators_signed_the_decision(
    signers: "list[tuple[str, str]]",
) -> None:
    moderators = {name for name, kind in signers if kind == "decision" and name in ("ada", "mia", "noor")}
    bundle = gate.Bundle(statement=_BODY, signatures=[_SIGNATURES[each] for each in signers], text=made.TEXT)
    try:
        gate.check(bundle, _ROSTER, _LIST, "lee", made.WING)
        shown = True
    except Refusal:
        shown = False
    assert shown == (len(moderators) >= 2)


@settings(max_examples=300, deadline=None, database=None)
@given(st.data())
def test_no_damaged_bundle_is_shown(data: st.DataObject) -> None:
    good = made.bundle(_STATEMENT, "mia", "noor").encode()
    damaged = bytearray(good)
    index = data.draw(st.integers(0, len(good) - 1))
    damaged[index] ^= data.draw(st.integers(1, 255))
    try:
        gate.check(gate.Bundle.decode(bytes(damaged)), _ROSTER, _LIST, "lee", made.WING)
    except Refusal:
        return
    raise AssertionError(f"shown with byte {index} changed")


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_signed_roster_or_list_are_a_named_refusal(data: bytes) -> None:
    for take in (
        lambda: roster.accept(None, data),
        lambda: signing.open_signed("list", made.keys("hub").public, data),
        lambda: signing.check("list", made.keys("hub").public, b"", data),
    ):
        with pytest.raises(Refusal):
            take()


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.text(max_size=80) | st.from_regex(r"wing/[a-z]{1,3}/device/[0-9a-f]{15,17}/(up|down)/[a-z]{3,8}", fullmatch=True)
)
def test_any_topic_is_one_of_the_designs_or_refused(topic: str) -> None:
    try:
        parsed = topics.parse(topic)
    except topics.TopicRefused:
        return
    assert topics.build(*parsed) == topic


@given(st.text(max_size=20) | st.from_regex(r"(up|down)/[a-z]{3,8}", fullmatch=True))
def test_any_text_is_a_topic_of_a_devices_wire_or_refused_by_name(topic: str) -> None:
    try:
        parsed = topics.parse_own(topic)
    except topics.TopicRefused:
        return
    assert topics.own(*parsed) == topic


# blobs


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(1, 6 * LEAF_BYTES), st.lists(st.integers(1, 3 * LEAF_BYTES), max_size=6))
def test_a_blob_has_one_root_however_it_was_fed(size: int, cuts: "list[int]") -> None:
    data = bytes(index * 31 % 251 for index in range(size))
    whole = blob.Builder()
    whole.feed(data)
    pieces = blob.Builder()
    at = 0
    for cut in [*cuts, size]:
        pieces.feed(data[at : at + cut])
        at += cut
    assert pieces.finish().root == whole.finish().root


_DATA = bytes(index * 31 % 251 for index in range(5 * CHUNK_BYTES + 17))
_BUILDER = blob.Builder()
_BUILDER.feed(_DATA)
_MANIFEST = _BUILDER.finish()


@settings(max_examples=150, deadline=None, database=None)
@given(st.data())
def test_a_transfer_ends_with_the_right_bytes_whatever_comes_in_between(data: st.DataObject) -> None:
    """Chunks are lost, repeated, reordered, damaged; the receiver is cut and starts again from its file."""
    on_disk = b""
    leaves = None
    now = 0
    fetch = blob.Fetch(_MANIFEST.root, _MANIFEST.size)
    hostile = 60
    while not fetch.done:
        if hostile and data.draw(st.integers(0, 9)) == 0:
            hostile -= 1
            on_disk = on_disk[: len(on_disk) // LEAF_BYTES * LEAF_BYTES]
            fetch = blob.Fetch(_MANIFEST.root, _MANIFEST.size, len(on_disk) // CHUNK_BYTES, leaves)
        now += blob.WANT_WAIT_MS
        want = fetch.want(now)
        if want is None:
            continue
        for payload in blob.answer(want, _MANIFEST.leaves, lambda offset, n: _DATA[offset : offset + n]):
            sent = payload()
            fate = data.draw(st.integers(0, 5)) if hostile else 5
            hostile -= fate < 5
            if fate == 0:
                continue
            if fate == 1:
                at = data.draw(st.integers(0, len(sent) - 1))
                sent = sent[:at] + bytes([sent[at] ^ 1]) + sent[at + 1 :]
            if fate == 2:
                sent = data.draw(st.binary(max_size=60))
            for _ in range(2 if fate == 3 else 1):
                try:
                    fetch.receive(sent, now)
                except Refusal:
                    pass
            while (event := fetch.next_event()) is not None:
                if event[0] == "manifest":
                    leaves = event[1]
                elif event[0] == "chunk":
                    on_disk += event[2]
                    fetch.stored(event[1])
    assert on_disk == _DATA


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_at_enrolment_enrol_nobody(pieces: "list[bytes]") -> None:
    slate, hub_keys = made.keys("slate-1"), made.keys("hub")
    random = made.counting_random()
    device = enrol.EnrolDevice(random, slate.seed, slate.public, slate.x_public, "slate")
    hub = enrol.EnrolHub(random)
    device.start(bytes(32), hub.commitment, hub_keys.x_public)
    hub.start(bytes(32), device.nonce, slate.x_public)
    for side in (device, hub):
        for piece in pieces:
            try:
                side.receive(piece)
            except Refusal:
                assert side.closed
        events = []
        while (event := side.next_event()) is not None:
            events.append(event[0])
        assert "granted" not in events and "request" not in events
