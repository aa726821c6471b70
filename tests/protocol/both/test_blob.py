"""Blobs: the root fixes every byte, a transfer takes nothing else, and it resumes from what is durable."""

import hashlib

from protocol import blob, crypto
from protocol.blob import Builder, Fetch, Manifest, Want
from protocol.errors import Misuse, Refusal
from protocol.limits import CHUNK_BYTES, LEAF_BYTES, WANT_CHUNKS_MAX

SIZE = LEAF_BYTES + CHUNK_BYTES + 100  # two leaves, the second one short; four chunks


def sha(data):
    return hashlib.sha256(data).digest()


def body(size=SIZE):
    block = bytes([index * 7 % 256 for index in range(256)])
    return (block * (size // 256 + 1))[:size]


def manifest_of(data):
    builder = Builder()
    builder.feed(data)
    return builder.finish()


def raised(error, function, *arguments):
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def chunk_of(manifest, data, index):
    return blob.pack_chunk(manifest.root, index, data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES])


def run(fetch, manifest, data, now=0, there=(), most=10_000):
    """Serve a fetch until it has nothing more to ask; returns the bytes it handed out. `there`: half a leaf."""
    out = b""
    waiting = list(there)
    for _ in range(most):
        want = fetch.want(now)
        if want is not None:
            asked = Want.decode(want.encode())
            for payload in blob.answer(asked, manifest.leaves, lambda offset, n: data[offset : offset + n]):
                fetch.receive(payload(), now)
                event = fetch.next_event()
                while event is not None:
                    if event[0] == "done":
                        return out
                    if event[0] != "manifest":
                        out += event[2]
                        waiting.append(event[1])
                    while event[0] == "chunk" and waiting:
                        fetch.stored(waiting.pop(0))
                    event = fetch.next_event()
    raise AssertionError("never done")


def test_the_root_is_the_tree_that_the_design_says():
    data = body()
    leaves = [sha(b"\x00" + data[at : at + LEAF_BYTES]) for at in range(0, SIZE, LEAF_BYTES)]
    assert manifest_of(data).root == sha(b"\x02" + SIZE.to_bytes(8, "big") + sha(b"\x01" + leaves[0] + leaves[1]))
    assert manifest_of(b"x").root == sha(b"\x02" + (1).to_bytes(8, "big") + sha(b"\x00x"))


def test_the_tree_is_that_of_rfc_6962_for_any_count():
    def tree(leaves):
        if len(leaves) == 1:
            return leaves[0]
        split = 1
        while split * 2 < len(leaves):
            split *= 2
        return sha(b"\x01" + tree(leaves[:split]) + tree(leaves[split:]))

    for count in range(1, 20):
        leaves = [sha(bytes([index])) for index in range(count)]
        size = count * LEAF_BYTES
        want = sha(b"\x02" + size.to_bytes(8, "big") + tree(leaves))
        assert blob.root_of(size, b"".join(leaves)) == want, count


def test_a_blob_fed_in_any_pieces_has_one_root():
    data = body()
    for step in (997, CHUNK_BYTES, LEAF_BYTES, LEAF_BYTES + 1, SIZE):
        builder = Builder()
        for at in range(0, SIZE, step):
            builder.feed(data[at : at + step])
        assert builder.finish().root == manifest_of(data).root, step


def test_an_empty_or_endless_blob_is_our_mistake():
    for wrong in (lambda: Builder().finish(), lambda: blob.seal_chunk(bytes(32), 0, bytes(CHUNK_BYTES))):
        try:
            wrong()
        except Misuse:
            continue
        raise AssertionError("made")


def test_a_changed_manifest_is_refused():
    manifest = manifest_of(body())
    for index in (0, 31, 32, 63):
        leaves = bytearray(manifest.leaves)
        leaves[index] ^= 1
        raised(blob.ManifestRefused, Manifest, manifest.root, SIZE, bytes(leaves))
    raised(blob.ManifestRefused, Manifest, manifest.root, SIZE + 1, manifest.leaves)
    raised(blob.ManifestRefused, Manifest, manifest.root, SIZE, manifest.leaves[:-1])
    raised(blob.ManifestRefused, Manifest, manifest.root, 0, b"")
    raised(blob.ManifestRefused, Manifest, manifest.root, 1 << 60, manifest.leaves)


def test_a_node_of_the_tree_cannot_stand_for_a_leaf():
    manifest = manifest_of(body(2 * LEAF_BYTES))
    node = sha(b"\x01" + manifest.leaves)
    raised(blob.ManifestRefused, Manifest, manifest.root, LEAF_BYTES, node)


def test_a_fetch_brings_every_byte():
    for size in (1, CHUNK_BYTES, CHUNK_BYTES + 1, LEAF_BYTES, LEAF_BYTES + 1, SIZE):
        data = body(size)
        manifest = manifest_of(data)
        for early in (False, True):
            assert run(Fetch(manifest.root, size, early=early), manifest, data) == data


def test_a_fetch_resumes_from_what_is_durable():
    data = body()
    manifest = manifest_of(data)
    for stored in (0, 2):
        for leaves in (None, manifest.leaves):
            fetch = Fetch(manifest.root, SIZE, stored, leaves)
            assert run(fetch, manifest, data) == data[stored * CHUNK_BYTES :]
            assert fetch.counters["taken"] == 4 - stored
    whole = Fetch(manifest.root, SIZE, 4)
    assert whole.done and whole.want(0) is None and whole.next_event() == ("done",)
    half = Fetch(manifest.root, SIZE, 0, manifest.leaves, True, data[:CHUNK_BYTES])
    assert run(half, manifest, data, there=[0]) == data[CHUNK_BYTES:], "half a leaf that is there does not come again"
    spoiled = Fetch(manifest.root, SIZE, 0, manifest.leaves, True, bytes(CHUNK_BYTES))
    assert spoiled.want(0).first == 1
    raised(blob.ChunkDigest, spoiled.receive, chunk_of(manifest, data, 1), 0)
    assert run(spoiled, manifest, data, spoiled.next_deadline()) == data, "a torn half comes again with the other"
    for stored in (-1, 1, 3, 5):
        try:
            Fetch(manifest.root, SIZE, stored)
        except Misuse:
            continue
        raise AssertionError("resumed from half a leaf")


def test_the_manifest_and_the_first_chunks_are_asked_for_in_one_breath():
    manifest = manifest_of(body())
    fetch = Fetch(manifest.root, SIZE)
    assert fetch.want(0).first == blob.MANIFEST_INDEX
    want = fetch.want(0)
    assert (want.first, want.count) == (0, 4) and fetch.want(0) is None
    again = fetch.next_deadline()  # neither came
    assert fetch.want(again).first == blob.MANIFEST_INDEX and fetch.want(again).first == 0


def test_hostile_chunks_are_refused_by_name_and_cost_the_transfer_nothing():
    data = body()
    manifest = manifest_of(data)
    fetch = Fetch(manifest.root, SIZE)
    good = chunk_of(manifest, data, 0)
    raised(blob.ChunkUnwanted, fetch.receive, good, 0)  # nothing was asked yet
    fetch.want(0)
    assert fetch.want(0).count == 4
    raised(blob.ChunkUnwanted, fetch.receive, good, 0)  # the manifest comes first
    lie = blob.pack_chunk(manifest.root, blob.MANIFEST_INDEX, bytes(len(manifest.leaves)))
    raised(blob.ManifestRefused, fetch.receive, lie, 0)
    fetch.receive(blob.pack_chunk(manifest.root, blob.MANIFEST_INDEX, manifest.leaves), 0)
    hostile = (
        (blob.ChunkForeign, b""),
        (blob.ChunkForeign, good[: blob.HEADER_BYTES]),
        (blob.ChunkForeign, bytes(blob.MARK_BYTES) + good[blob.MARK_BYTES :]),
        (blob.ChunkSize, good[:-1]),
        (blob.ChunkSize, good + b"x"),
        (blob.ChunkUnwanted, chunk_of(manifest, data, 1)),
        (blob.ChunkUnwanted, blob.pack_chunk(manifest.root, 4, b"x")),
        (blob.ChunkUnwanted, blob.pack_chunk(manifest.root, blob.MANIFEST_INDEX - 1, b"x")),
        (blob.ChunkRepeated, blob.pack_chunk(manifest.root, blob.MANIFEST_INDEX, manifest.leaves)),
    )
    for error, payload in hostile:
        raised(error, fetch.receive, payload, 0)
    fetch.receive(good, 0)
    raised(blob.ChunkRepeated, fetch.receive, good, 0)
    assert fetch.counters["ChunkUnwanted"] == 5 and fetch.counters["ChunkRepeated"] == 2
    assert fetch.counters["taken"] == 0, "half a leaf is not yet verified"
    for index in range(1, 4):
        fetch.receive(chunk_of(manifest, data, index), 0)
    assert fetch.counters["taken"] == 4 and fetch.taken_all
    events = [fetch.next_event() for _ in range(5)]
    assert events[0][0] == "manifest" and b"".join([bytes(event[2]) for event in events[1:]]) == data
    for index in range(4):
        assert not fetch.done
        fetch.stored(index)
    assert fetch.done and fetch.next_event() == ("done",)


def test_a_chunk_of_another_blob_with_the_same_mark_is_refused_by_its_leaf():
    """Whoever makes two roots begin alike gains a repetition of one leaf, never a wrong byte."""
    data, other = body(), b"\xff" + body()[1:]
    manifest = manifest_of(data)
    mistaken = blob.pack_chunk(manifest.root[: blob.MARK_BYTES] + bytes(28), 0, other[:CHUNK_BYTES])
    for at, early in ((0, False), (1, False), (0, True), (1, True)):  # as the first half of its leaf, or the second
        fetch = Fetch(manifest.root, SIZE, 0, manifest.leaves, early)
        fetch.want(0)
        halves = [chunk_of(manifest, data, 0), chunk_of(manifest, data, 1)]
        halves[at] = blob.pack_chunk(mistaken[: blob.MARK_BYTES], at, other[:CHUNK_BYTES])
        fetch.receive(halves[0], 0)
        before = fetch.next_deadline()
        raised(blob.ChunkDigest, fetch.receive, halves[1], 1)
        if early:
            assert fetch.next_event() == ("half", 0, halves[0][blob.HEADER_BYTES :])
        assert fetch.next_event() is None and fetch.counters["taken"] == 0 and fetch.next_deadline() == before
        raised(blob.ChunkUnwanted, fetch.receive, chunk_of(manifest, data, 2), 2)
        assert fetch.counters["ChunkDigest"] == 1
        assert run(fetch, manifest, data, before) == data


def test_what_does_not_come_is_asked_for_again():
    data = body()
    manifest = manifest_of(data)
    fetch = Fetch(manifest.root, SIZE, 0, manifest.leaves)
    assert fetch.want(0).count == 4 and fetch.want(1) is None
    for index in range(3):
        fetch.receive(chunk_of(manifest, data, index), 1000)
    assert fetch.want(fetch.next_deadline() - 1) is None
    again = fetch.want(fetch.next_deadline())
    assert (again.first, again.count) == (3, 1)
    fetch.receive(chunk_of(manifest, data, 3), 6000)
    assert fetch.taken_all


def test_hostile_chunks_do_not_put_off_asking_again():
    manifest = manifest_of(body())
    fetch = Fetch(manifest.root, SIZE)
    fetch.want(0)
    before = fetch.next_deadline()
    raised(blob.ChunkForeign, fetch.receive, bytes(50), 3000)
    assert fetch.next_deadline() == before
    assert fetch.want(before).first == blob.MANIFEST_INDEX


def test_no_more_is_asked_for_than_the_storage_can_lag_behind():
    most, half = WANT_CHUNKS_MAX, WANT_CHUNKS_MAX // 2
    size = 3 * most * CHUNK_BYTES
    chunk = body(CHUNK_BYTES)
    leaves = blob.leaf((chunk, chunk)) * (3 * most // blob.LEAF_CHUNKS)
    root = blob.root_of(size, leaves)
    fetch = Fetch(root, size, 0, leaves)
    assert fetch.want(0).count == most
    for index in range(most):
        assert not fetch.taken_all
        fetch.receive(blob.pack_chunk(root, index, chunk), 0)
    assert fetch.taken_all
    assert fetch.want(0) is None and fetch.next_deadline() is None
    raised(blob.ChunkUnwanted, fetch.receive, blob.pack_chunk(root, most, chunk), 0)
    for index in range(half - 1):
        fetch.stored(index)
    assert fetch.want(0) is None
    fetch.stored(half - 1)
    want = fetch.want(0)
    assert (want.first, want.count) == (most, half)
    for index in (most, most + 1):
        fetch.receive(blob.pack_chunk(root, index, chunk), 0)
    for index in range(half, most + 1):  # an odd number is stored: what is asked for still ends with a leaf
        fetch.stored(index)
    want = fetch.want(0)
    assert (want.first, want.count) == (most + half, half)


def test_chunks_are_stored_in_order_or_it_is_our_mistake():
    data = body()
    manifest = manifest_of(data)
    fetch = Fetch(manifest.root, SIZE, 0, manifest.leaves)
    fetch.want(0)
    fetch.receive(chunk_of(manifest, data, 0), 0)
    fetch.receive(chunk_of(manifest, data, 1), 0)
    for index in (1, 2, -1):
        try:
            fetch.stored(index)
        except Misuse:
            continue
        raise AssertionError("stored")


def test_a_want_beyond_the_blob_is_refused():
    manifest = manifest_of(body())
    for first, count in ((0, 5), (4, 1), (3, 2), (0, 0), (0, 33), (blob.MANIFEST_INDEX, 2), (1 << 16, 1)):
        raised(blob.WantRefused, Want(root=manifest.root, size=SIZE, first=first, count=count).encode)


def test_a_want_with_another_size_than_the_blob_is_refused():
    manifest = manifest_of(body())
    for size in (1, 100 * CHUNK_BYTES):
        want = Want(root=manifest.root, size=size, first=0, count=1)
        raised(blob.WantRefused, blob.answer, want, manifest.leaves, lambda offset, n: b"")


def test_a_video_is_sealed_chunk_by_chunk_and_no_chunk_can_change_its_place():
    key = sha(b"key")
    plain = body(blob.PLAIN_BYTES)
    sealed = blob.seal_chunk(key, 1, plain)
    assert len(sealed) == CHUNK_BYTES and blob.open_chunk(key, 1, sealed) == plain
    raised(crypto.CryptoError, blob.open_chunk, key, 0, sealed)
    raised(crypto.CryptoError, blob.open_chunk, sha(b"other"), 1, sealed)
