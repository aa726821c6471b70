"""The way from custody to the queue: every item gets there once, or comes back with a reason."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_daemon import keys
from hub_daemon.blobs import BlobStore
from hub_daemon.limits import MEDIA_ATTEMPTS_MAX, MEDIA_JAIL_RECHECK_S
from hub_daemon.media import pipeline, worker
from hub_daemon.media.refusals import WORDS, JailUnavailable, Rendition
from hub_daemon.store import Store, envelopes, items, log
from protocol import blob, crypto
from protocol.records import envelope
from sim import recordings

HUB = keys.from_seeds(b"\x01" * 32, b"\x02" * 32)
SEED, PRIVATE = b"\x03" * 32, b"\x04" * 32
PUBLIC = crypto.default().public_key(SEED)
DEVICE = hashlib.sha256(PUBLIC).digest()[:8]


class Wing:
    """A hub's store and blobs with envelopes in custody, as the exchange leaves them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.counter = 0
        self.now_ms = 1_800_000_000_000
        self.random = random.Random(5)
        self.open()

    def open(self) -> None:
        self.store = Store(self.directory / "hub.sqlite3")
        self.blobs = BlobStore(self.directory / "blobs")
        self.pipeline = pipeline.Pipeline(self.store, self.blobs, HUB, lambda: self.now_ms)

    def put(self, text: str, video: bytes | None = None, damage: bool = False) -> bytes:
        self.counter += 1
        self.now_ms += 1000
        kept = None
        if video is not None:
            key = self.random.randbytes(32)
            pieces = range(0, max(1, len(video)), blob.PLAIN_BYTES)
            sealed = b"".join(
                blob.seal_chunk(key, index, video[at : at + blob.PLAIN_BYTES]) for index, at in enumerate(pieces)
            )
            if damage:
                sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
            root = self.blobs.add(sealed)
            kept = envelope.Blob(root=root, size=len(sealed), media_type="video/webm", key=key)
        content = envelope.Content(
            kind="post" if video is None else "video",
            device=DEVICE,
            counter=self.counter,
            learner="ann",
            group="art",
            parent=None,
            text=text,
            blob=kept,
        )
        sealed = envelope.make(content, SEED, PUBLIC, PRIVATE, HUB.x25519_public, self.random.randbytes)
        item = envelope.item_id(sealed)
        root = kept.root if kept else None
        with self.store.write() as tx:
            envelopes.insert(
                tx,
                envelopes.Envelope(
                    item, DEVICE, self.counter, sealed, root, kept.size if kept else None,
                    "video/webm" if kept else None, self.now_ms,
                ),
            )  # fmt: skip
            items.insert(
                tx,
                items.Item(
                    item, content.kind, "ann", DEVICE, "art", None, self.now_ms, "ingested", 1, text, root,
                    None, self.now_ms, None,
                ),
            )  # fmt: skip
        return item

    def item(self, item: bytes) -> items.Item:
        with self.store.read() as tx:
            found = items.get(tx, item)
        assert found is not None
        return found

    def renditions(self, item: bytes) -> dict[str, items.Rendition]:
        with self.store.read() as tx:
            return {made.role: made for made in items.renditions(tx, item)}

    def run(self, steps_max: int = 50) -> int:
        for steps in range(steps_max):
            if not self.pipeline.step():
                return steps
        raise AssertionError("the pipeline never comes to rest")


@pytest.fixture
def wing(tmp_path: Path) -> Iterator[Wing]:
    made = Wing(tmp_path)
    yield made
    made.store.close()


def test_a_post_becomes_its_canonical_text_with_marks(wing: Wing) -> None:
    item = wing.put("cafe\u0301 \u202eat noon")
    assert wing.pipeline.step() is True and wing.pipeline.step() is False
    assert wing.item(item).state == "pending"
    text = wing.renditions(item)["text"]
    assert text.body == "caf\u00e9 at noon".encode()
    assert text.digest == hashlib.sha256(text.body).digest() and text.length == len(text.body)
    with wing.store.read() as tx:
        assert items.marks(tx, item) == [("hidden character", "U+202E RIGHT-TO-LEFT OVERRIDE at 6")]


def test_a_video_becomes_renditions_under_their_roots(wing: Wing, short: bytes) -> None:
    item = wing.put("hello Sam", short)
    assert wing.run() == 1
    assert wing.item(item).state == "pending"
    made = wing.renditions(item)
    assert sorted(made) == ["contact", "still", "text", "video"]
    assert made["text"].body == b"hello Sam"
    direct = worker.transcode(short)
    for role, body in (("video", direct.video), ("still", direct.still), ("contact", direct.contact_sheet)):
        assert wing.blobs.read(made[role].digest) == body
        assert made[role].length == len(body) and made[role].body is None


def test_a_video_needs_no_words(wing: Wing, short: bytes) -> None:
    item = wing.put("  ", short)
    wing.run()
    assert sorted(wing.renditions(item)) == ["contact", "still", "video"]


def test_staff_are_told_of_a_video_without_sound(wing: Wing, short: bytes) -> None:
    loud, quiet = wing.put("loud", short), wing.put("quiet", recordings.make(audio=None, seconds=1))
    wing.run()
    with wing.store.read() as tx:
        assert items.marks(tx, loud) == []
        assert [name for name, _ in items.marks(tx, quiet)] == ["no sound"]


def test_what_is_not_a_video_is_refused_with_words_and_touches_nothing_else(wing: Wing, short: bytes) -> None:
    before, bad, after = wing.put("one", short), wing.put("two", b"Dear Sam, this is a letter"), wing.put("three")
    wing.run()
    assert wing.item(before).state == wing.item(after).state == "pending"
    refused = wing.item(bad)
    assert (refused.state, refused.refusal) == ("refused", "NotAVideo")
    assert wing.renditions(bad) == {}
    assert pipeline.words_for("NotAVideo") == WORDS["NotAVideo"]
    with wing.store.read() as tx:
        assert any("NotAVideo" in entry.detail for entry in log.of_item(tx, bad))


def test_text_of_nothing_is_refused_by_name(wing: Wing) -> None:
    item = wing.put("\u200b\u200b")
    wing.run()
    assert (wing.item(item).state, wing.item(item).refusal) == ("refused", "EmptyText")


def test_a_damaged_ciphertext_is_refused_by_name(wing: Wing, short: bytes) -> None:
    item = wing.put("x", short, damage=True)
    wing.run()
    assert (wing.item(item).state, wing.item(item).refusal) == ("refused", "BlobDamaged")


def test_a_poisonous_item_does_not_hold_up_the_next_and_is_refused_after_its_attempts(
    wing: Wing, busy: bytes, short: bytes
) -> None:
    """The real worker, with too little time for the long recording."""

    def hurried(data: bytes, media_type: str) -> Rendition:
        return worker.transcode(data, media_type, wall_s_max=0.3 if data == busy else 60)

    poison, good = wing.put("long", busy), wing.put("short", short)
    wing.pipeline = pipeline.Pipeline(wing.store, wing.blobs, HUB, lambda: wing.now_ms, hurried)
    wing.pipeline.step()
    assert wing.item(poison).state == "ingested"
    wing.pipeline.step()
    assert wing.item(good).state == "pending"
    wing.run()
    assert (wing.item(poison).state, wing.item(poison).refusal) == ("refused", "Timeout")
    with wing.store.read() as tx:
        tried = [entry for entry in log.of_item(tx, poison) if entry.action == "media attempt"]
    assert len(tried) == MEDIA_ATTEMPTS_MAX


def test_trouble_of_the_machine_refuses_nobody_and_holds_nobody_up(wing: Wing, short: bytes) -> None:
    """The disk takes no more blobs for a while: a real directory that cannot be written to."""
    video, post = wing.put("v", short), wing.put("p")
    parts = wing.directory / "blobs" / "parts"
    parts.rename(wing.directory / "away")
    parts.write_text("no directory")
    for _ in range(MEDIA_ATTEMPTS_MAX + 1):
        with pytest.raises(OSError):
            while wing.pipeline.step():
                pass
    assert wing.item(video).state == "ingested" and wing.item(post).state == "pending"
    parts.unlink()
    (wing.directory / "away").rename(parts)
    wing.run()
    assert wing.item(video).state == "pending"


def test_without_a_jail_videos_wait_and_posts_go_on(wing: Wing, short: bytes) -> None:
    def no_jail(data: bytes, media_type: str) -> Rendition:
        raise JailUnavailable("no seccomp here")

    video = wing.put("v", short)
    wing.pipeline = pipeline.Pipeline(wing.store, wing.blobs, HUB, lambda: wing.now_ms, no_jail)
    wing.run()
    post = wing.put("p")
    wing.run()
    assert wing.item(video).state == "ingested" and wing.item(post).state == "pending"
    assert "seccomp" in wing.pipeline.jail_fault
    wing.pipeline._transcode = worker.transcode  # the machine was repaired
    wing.now_ms += MEDIA_JAIL_RECHECK_S * 1000
    wing.run()
    assert wing.item(video).state == "pending" and wing.pipeline.jail_fault == ""


def test_a_hub_killed_at_any_moment_makes_every_item_once(tmp_path: Path, short: bytes) -> None:
    wing = Wing(tmp_path)
    waiting = [wing.put("one"), wing.put("two", short), wing.put("three", b"no video"), wing.put("four", short)]
    wing.store.close()
    chance = random.Random(11)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            wing.open()
            while wing.pipeline.step():
                pass
            os._exit(0)
        time.sleep(chance.uniform(0.01, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    wing.open()
    wing.run()
    assert [wing.item(item).state for item in waiting] == ["pending", "pending", "refused", "pending"]
    for item in (waiting[1], waiting[3]):
        made = wing.renditions(item)
        assert sorted(made) == ["contact", "still", "text", "video"]
        assert wing.blobs.read(made["video"].digest)
        with wing.store.read() as tx:
            assert [entry.action for entry in log.of_item(tx, item)].count("pending") == 1
    wing.store.close()
