"""From an item in custody to one in the queue: opens the envelope, makes the renditions, hands over to staff.

Everything before the last step only reads, or adds files that are named by their own digest; the last step is one
transaction that makes the item 'pending' (or 'refused'). So a hub that is killed anywhere does the item again, and
nothing is there twice. Only what the *worker* died of is counted against an item, never a death of the hub.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hub_daemon.blobs import BlobMissing, BlobStore
from hub_daemon.keys import HubKeys
from hub_daemon.limits import MEDIA_ATTEMPTS_MAX, MEDIA_INPUT_BYTES_MAX, MEDIA_JAIL_RECHECK_S
from hub_daemon.media import text, worker
from hub_daemon.media.refusals import WORDS, JailUnavailable, MediaRefused, Rendition
from hub_daemon.store import Store, Tx, envelopes, items, log, settings
from hub_daemon.store import blobs as blob_rows
from protocol import blob as blob_tree
from protocol import crypto
from protocol.errors import Refusal
from protocol.limits import CHUNK_BYTES
from protocol.records import envelope as envelope_record
from protocol.records import text as shown

# What may be no fault of the item (a machine out of memory, a disk at a bad moment): tried again, later.
TRIED_AGAIN = ("WorkerDied", "Timeout", "BadResult", "BlobMissing")
WAITING_READ_MAX = 100

TEXT_TYPE = "text/plain"
JPEG_TYPE = "image/jpeg"
WORDS_OTHERWISE = "The message could not be read. Please write it again."


class Pipeline:
    """Makes 'ingested' items 'pending' or 'refused', one with each `step`. Call it from one thread only.

    `clock_ms` gives unix milliseconds. `transcode` is worker.transcode with other limits where a test needs them.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        keys: HubKeys,
        clock_ms: Callable[[], int],
        transcode: Callable[[bytes, str], Rendition] = worker.transcode,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._keys = keys
        self._clock_ms = clock_ms
        self._transcode = transcode
        self._no_jail_until_ms = 0
        self._set_aside: Counter[bytes] = Counter()
        self._held = False
        self.jail_fault = ""  # why no video is decoded on this machine; empty when all is well

    def hold_videos(self, why: str) -> None:
        """Decode no video until `release_videos`; posts go on. `why` stands in `jail_fault`. From any thread."""
        self._held, self.jail_fault = True, why

    def release_videos(self) -> None:
        """The jail was seen to hold: what waited goes on."""
        self._held, self.jail_fault = False, ""

    def step(self) -> bool:
        """Do the next item. False: there is none that can be done now.

        Raises whatever this machine's own trouble is (a full disk); the item waits and the others go first.
        """
        item = self._next()
        if item is None:
            return False
        try:
            renditions, marks = self._make(item)
        except JailUnavailable as fault:
            self.jail_fault = str(fault)
            self._no_jail_until_ms = self._clock_ms() + MEDIA_JAIL_RECHECK_S * 1000
            return True
        except MediaRefused as refusal:
            self._refuse(item, refusal.name, refusal.words, refusal.detail)
            return True
        except Refusal as refusal:
            words = getattr(refusal, "words", WORDS_OTHERWISE)
            self._refuse(item, refusal.name, words, str(refusal))
            return True
        except Exception:
            # a full disk, no process to be had, a fault of ours: nobody's item is refused for that
            self._set_aside[item.id] += 1
            raise
        with self._store.write() as tx:
            now_ms = self._clock_ms()
            for made in renditions:
                if made.body is None:
                    blob_rows.put(tx, made.digest, made.length, "rendition", item.id, now_ms)
            items.to_pending(tx, item.id, renditions, marks, now_ms)
        if item.kind == envelope_record.VIDEO:
            self.jail_fault = ""
        return True

    def _next(self) -> items.Item | None:
        """The oldest of those tried least, so that one that kills workers does not hold up the rest."""
        jailed = not self._held and self._clock_ms() >= self._no_jail_until_ms
        with self._store.read() as tx:
            waiting = [
                (_attempts(tx, item.id) + self._set_aside[item.id], place, item)
                for place, item in enumerate(items.in_state(tx, "ingested", WAITING_READ_MAX))
                if jailed or item.kind != envelope_record.VIDEO
            ]
        return min(waiting)[2] if waiting else None

    def _make(self, item: items.Item) -> tuple[list[items.Rendition], list[tuple[str, str]]]:
        with self._store.read() as tx:
            kept = envelopes.get(tx, item.id)
        if kept is None:
            raise MediaRefused("BlobMissing", "no envelope")
        content, _, _, _ = envelope_record.open_sealed(kept.sealed, self._keys.x25519)
        video = content.kind == envelope_record.VIDEO
        words, found = text.canonical(content.text, may_be_empty=video)
        marks = [(mark.kind, mark.detail) for mark in found]
        made = []
        if words:
            made.append(items.Rendition("text", crypto.default().sha256(words), len(words), TEXT_TYPE, words))
        if video and content.blob is not None:
            renditions, audible = self._video(content.blob)
            made += renditions
            if not audible:
                marks.append(("no sound", "the recording has no sound that could be heard"))
        return made, marks

    def _video(self, blob: envelope_record.Blob) -> tuple[list[items.Rendition], bool]:
        data = self._decrypt(blob)
        made = self._transcode(data, blob.media_type)
        parts = [
            ("video", made.video, made.media_type),
            ("still", made.still, JPEG_TYPE),
            ("contact", made.contact_sheet, JPEG_TYPE),
        ]
        renditions = [
            items.Rendition(role, self._blobs.add(body), len(body), media_type)
            for role, body, media_type in parts
        ]
        return renditions, made.audible

    def _decrypt(self, blob: envelope_record.Blob) -> bytes:
        """The recording as the device made it. Raises MediaRefused."""
        if blob.size > MEDIA_INPUT_BYTES_MAX:
            raise MediaRefused("TooLarge", f"{blob.size} bytes")
        try:
            sealed = self._blobs.read(blob.root)
        except (BlobMissing, OSError) as error:
            raise MediaRefused("BlobMissing", str(error)) from error
        plain = []
        for index in range(blob_tree.chunk_count(len(sealed))):
            chunk = sealed[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
            try:
                plain.append(blob_tree.open_chunk(blob.key, index, chunk))
            except crypto.CryptoError as error:
                raise MediaRefused("BlobDamaged", f"chunk {index}: {error}") from error
        return b"".join(plain)

    def _refuse(self, item: items.Item, name: str, words: str, detail: str) -> None:
        """Refused for good; or counted and tried again after the others, where the worker died."""
        with self._store.write() as tx:
            if name in TRIED_AGAIN:
                attempts = _attempts(tx, item.id) + 1
                settings.put(tx, _attempts_key(item.id), str(attempts).encode())
                said = f"{attempts}: {name} {detail}"
                log.append(tx, self._clock_ms(), "hub", "media attempt", item.id, said)
                if attempts < MEDIA_ATTEMPTS_MAX:
                    return
            items.refuse_technical(tx, item.id, name, words, self._clock_ms())
            if detail:
                log.append(tx, self._clock_ms(), "hub", "refusal detail", item.id, detail)


def words_for(name: str) -> str:
    """What the author reads about a technical refusal, from its name as it stands in the item."""
    for kind in (text.EmptyText, text.TextTooLong):
        if name == kind.__name__:
            return kind.words
    if name == shown.TextRefused.__name__:
        return "The message had characters that cannot be shown. Please write it again without them."
    return WORDS.get(name, WORDS_OTHERWISE)


def _attempts_key(item: bytes) -> str:
    return "media attempts " + item.hex()


def _attempts(tx: Tx, item: bytes) -> int:
    return int(settings.get(tx, _attempts_key(item)) or b"0")
