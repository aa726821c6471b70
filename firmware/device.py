"""The device itself, between the learner's page and the dock: what both of them may ask of it.

The page calls it with what the learner does and shows what it returns; the dock (firmware/dock.py)
moves its outbox, inbox and journal. It holds no clock, port or server: storage, randomness and
the time are handed in. Item ids and roots are 32 bytes; times are unix seconds of the clock that
was handed in (or the hub's, for what the hub did), and decide nothing.
"""

import gc

from firmware import inbox as inboxes
from firmware import limits, outbox, video, views
from firmware.drafts import Drafts
from firmware.identity import Identity, NotEnrolled
from firmware.inbox import Inbox
from firmware.journal import Journal
from firmware.outbox import Outbox
from firmware.storage import CardFull, Storage
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.limits import TEXT_BYTES_MAX
from protocol.records import text as texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware.inbox import Held
    from firmware.storage import Clock, Random
    from protocol.records.journal import JournalEntry

SMALL_HEAP = hasattr(gc, "mem_free")  # MicroPython: what a list leaves behind is collected at once

__all__ = ["Device", "NotEnrolled", "NotShown", "TextUnfit"]


class NotShown(Refusal):
    """There is nothing of this name that this device may show."""


class TextUnfit(Refusal):
    """The text is empty or longer than TEXT_BYTES_MAX bytes of UTF-8; the draft is still there."""


class NotInGroup(Refusal):
    """This learner is not in that group."""


class Device:
    """One learner's device. Opening it finishes whatever a power cut left half done."""

    def __init__(self, storage: Storage, random: "Random", clock_s: "Clock", language: str = "en") -> None:
        self.storage = storage
        self.random = random
        self.clock_s = clock_s
        self.language = language
        self.identity = Identity(storage, random)
        self.journal = Journal(storage)
        self.outbox = Outbox(storage, self.identity)
        self.inbox = Inbox(storage, self.identity)
        self.drafts = Drafts(storage, self.identity)
        self.recording: "video.Recording | None" = None
        self.full = False  # the card took nothing when it was last asked
        self._unlogged: "list[tuple[int, str, str]]" = []  # what the journal had no room for
        # what the dock knows, for status()
        self.digits: "str | None" = None
        self.agreed: "bool | None" = None  # what somebody here said of those digits; the dock takes it up
        self.docked = False
        self.phase = ""
        self.sent = 0
        self.new = 0
        self.progress = (0, 0)
        self.saved_at_s: "int | None" = None
        self.can_lift = True
        self.outbox_changed = False  # something was saved while docked: the dock looks and sends it
        self._recover()

    def _recover(self) -> None:
        """Take up what a cut left: each step is the same as when it was first tried."""
        self.drafts.drop_sent(self.outbox)
        for part in (self.identity, self.journal, self.outbox, self.inbox, self.drafts):
            for name in part.damaged:
                self.storage.remove(name)
                self.log("damaged", name)
            part.damaged = []
        newest = self.outbox.in_order()[-1:]
        if newest and not self._journaled(newest[0].item):
            self.log("write" if newest[0].blob is None else "record", outbox.name_of(newest[0].item))
        try:
            self.apply_list()
        except OSError:
            self.full = True  # what the list no longer names is not shown; its files go at another start

    def _journaled(self, item: bytes) -> bool:
        first = max(0, self.journal.next_seq - 2 * limits.JOURNAL_SEGMENT_ENTRIES_MAX)
        name = outbox.name_of(item)
        for entry in self.journal.entries(first, 2 * limits.JOURNAL_SEGMENT_ENTRIES_MAX):
            if entry.detail == name and entry.action in ("write", "record"):
                return True
        return False

    def apply_list(self) -> int:
        """Follow the newest list: states of own items, recalls, files nobody needs. Returns recalls."""
        newest = self.inbox.list
        if newest is not None:
            self.outbox.take_states([(row.item, row.state) for row in newest.own], newest.issued_s)
            self._return_replies(newest.issued_s)
        gone = self.inbox.gone()
        for held in gone:
            self.inbox.remove(held)
            self.log("removed", outbox.name_of(held.item))
        self.sweep()
        return len(gone)

    def _return_replies(self, hub_s: int) -> None:
        """What waits for an own thread that came back would wait for ever: it comes back with it."""
        for own in self.outbox.unsent():
            root = None if own.parent is None else self.outbox.own.get(own.parent)
            if root is not None and root.state >= outbox.RETURNED:
                self.custody(own.item, "ThreadUnknown", hub_s)

    def sweep(self) -> None:
        """Remove blobs, parts and manifests that no entry and no bundle names."""
        wanted = {outbox.name_of(root) for root in self.outbox.roots() + self.inbox.roots()}
        for folder in ("blob/", "leaves/", "part/"):
            for name in self.storage.names(folder):
                keep = name[len(folder) :] in wanted
                if self.recording is not None and name in self.recording.files:
                    keep = True
                if not keep:
                    self.storage.remove(name)

    # -- for the page: what there is --------------------------------------------------------

    def status(self) -> "dict[str, Any]":
        """Everything that the page shows about the device and its docking; counts, never promises."""
        certificate = self.identity.certificate
        state = "idle"
        if certificate is None:
            state = "enrolling" if self.digits is not None else "new"
        elif self.docked:
            state = "docked"
        return {
            "state": state,
            "digits": self.digits,
            "agreed": self.agreed,
            "phase": self.phase,
            "sent": self.sent,
            "waiting": len([own for own in self.outbox.own.values() if own.state < outbox.APPROVED]),
            "unsent": len(self.outbox.unsent()),
            "new": self.new,
            "saved_at_s": self.saved_at_s,
            "can_lift": self.can_lift,
            "full": self.full,
            "progress": self.progress,
            "learner": None if certificate is None else certificate.learner,
            "wing": None if certificate is None else certificate.wing,
            "device": outbox.name_of(self.identity.device),
            "language": self.language,
        }

    def groups(self) -> "list[tuple[str, str]]":
        """(id, name) of the groups that this learner is in."""
        return views.groups(self)

    def threads(self, group: str) -> "list[dict[str, Any]]":
        """The threads of a group, newest last activity first."""
        return views.threads(self, group)

    def thread(self, root: bytes) -> "list[dict[str, Any]]":
        """The messages of a thread, oldest first."""
        return views.thread(self, root)

    def waiting(self) -> "list[dict[str, Any]]":
        """Own items on their way, newest first: state 0 saved … 4 delivered, with the times of each."""
        return views.waiting(self)

    def returned(self) -> "list[dict[str, Any]]":
        """Own items that came back, newest first, with why and what to do."""
        return views.returned(self)

    # -- for the page: writing --------------------------------------------------------------

    def write_post(self, group: str, parent: "bytes | None", text: str) -> bytes:
        """Sign, seal and save a post; durable when this returns its item id."""
        self._check(group, parent, text, empty=False)
        try:
            item = self.outbox.save("post", group, parent, text, None, self.clock_s(), self.random)
        except OSError as error:
            raise self.card_full(error)
        self.log("write", outbox.name_of(item))
        self.drafts.drop_text(text)
        self.outbox_changed = True
        return item

    def begin_video(self, group: str, parent: "bytes | None", text: str, media_type: str) -> "video.Recording":
        """Start a recording: `.append(bytes)` while it runs, then `.save() -> item id` or `.discard()`."""
        self._check(group, parent, text, empty=True)
        self.outbox.check_room()
        if self.recording is not None:
            self.recording.discard()
        self.recording = video.Recording(self, group, parent, text, media_type)
        return self.recording

    def _check(self, group: str, parent: "bytes | None", text: str, empty: bool) -> None:
        certificate, roster = self.identity.need()
        found = roster.group(group)
        if found is None or certificate.learner not in found.members:
            raise NotInGroup(group)
        root = None if parent is None else self.outbox.own.get(parent)
        if root is not None and root.state >= outbox.RETURNED:
            raise NotShown("the thread came back")
        if len(text.encode()) > TEXT_BYTES_MAX or (not empty and not text.strip()):
            raise TextUnfit(f"empty or longer than {TEXT_BYTES_MAX} bytes")
        texts.check(text)

    def draft(self, key: str) -> str:
        """The text kept under `key`; "" when there is none."""
        return self.drafts.load(key)

    def save_draft(self, key: str, text: str) -> None:
        """Keep a text, durably; an empty one forgets it."""
        try:
            self.drafts.save(key, text)
        except OSError as error:
            raise self.card_full(error)

    def card_full(self, error: OSError) -> CardFull:
        """Why nothing was saved; the page says so until something is recorded again."""
        self.full = True
        return CardFull(str(error))

    # -- for the page: reading and watching -------------------------------------------------

    def mark_seen(self, item: bytes) -> None:
        """The learner has read this item, someone else's or one that came back."""
        held = self.inbox.held.get(item)
        if held is not None:
            self.inbox.mark_seen(held, self.clock_s())
        try:
            self.outbox.mark_seen(item)
        except OSError:
            self.full = True  # it is shown as unread until there is room to note that it is not

    def media(self, root: bytes) -> "tuple[str, int, Callable[[int, int], bytes]]":
        """(media type, size, read(offset, n)) of a still or video that may be shown now.

        Its bytes are read back and compared with what staff signed before the first time.
        Raises NotShown, or BlobDiffers when the stored bytes are not those.
        """
        for held in self.inbox.shown():
            for rendition in (held.video, held.still):
                if rendition is not None and rendition[0] == root:
                    return self._media(held, rendition)
        raise NotShown(outbox.name_of(root))

    def _media(
        self, held: "Held", rendition: "tuple[bytes, int, str]"
    ) -> "tuple[str, int, Callable[[int, int], bytes]]":
        root, size, media_type = rendition
        if not self.inbox.has_blob(root):
            raise NotShown(outbox.name_of(root))
        if root not in held.verified:
            try:
                self.inbox.verify_blob(held, root, size)
            except Refusal as refusal:
                self.log("refused", refusal.name)
                raise
            if rendition is held.video:
                self.log("play", outbox.name_of(held.item))
        name = inboxes.BLOB + outbox.name_of(root)
        storage = self.storage
        return media_type, size, lambda offset, n: storage.blob_read(name, offset, n)

    def own_media(self, item: bytes) -> "tuple[str, int, Callable[[int, int], bytes]]":
        """(media type, size, read(offset, n)) of a video that this learner recorded here."""
        own = self.outbox.own.get(item)
        if own is None or own.blob is None:
            raise NotShown(outbox.name_of(item))
        return video.own_media(self, own)

    # -- the journal ------------------------------------------------------------------------

    def log(self, action: str, detail: str = "") -> None:
        """Record one action of the learner, durably; on a full card as soon as there is room.

        What was done is done: it must not be taken for undone because its entry has to wait.
        """
        if len(self._unlogged) < limits.UNLOGGED_MAX:
            self._unlogged.append((self.clock_s(), action, detail))
        try:
            while self._unlogged:
                self.journal.append(*self._unlogged[0])
                self._unlogged.pop(0)
            self.full = False
        except OSError:
            self.full = True

    def journal_entries(self, first: int, count: int) -> "list[JournalEntry]":
        """What is recorded, from sequence number `first` on: .seq, .clock_s, .action, .detail."""
        return self.journal.entries(first, count)

    # -- for the dock -----------------------------------------------------------------------

    def confirm_digits(self, digits: str, same: bool) -> None:
        """Somebody at the device compared `digits` with the staff's screen; a no is final, and journaled.

        Nothing happens when they are not the digits shown now: the session that they belonged to is over.
        """
        if digits == self.digits and self.agreed is not False and not self.identity.enrolled:
            self.agreed = same
            if not same:
                self.log("digits-differ", digits)

    def commit_enrolment(self, certificate: bytes, signed_rosters: "list[bytes]") -> None:
        """Pin the wing; the device is enrolled when this returns."""
        self.identity.commit_enrolment(certificate, signed_rosters)
        self.log("enrolled")

    def accept_roster(self, signed: bytes) -> None:
        self.identity.accept_roster(signed)

    def accept_list(self, signed: bytes) -> int:
        """Take a newer delivery list and follow it; returns how many items it took away."""
        self.inbox.accept_list(signed)
        if SMALL_HEAP:
            gc.collect()
        return self.apply_list()

    def receive_bundle(self, data: bytes) -> bytes:
        """Keep a bundle that passes the gate, durably, and return its item; a refusal is journaled and raised."""
        try:
            return self.inbox.receive(data)
        except Refusal as refusal:
            self.log("refused", refusal.name)
            raise

    def custody(self, item: bytes, refusal: "str | None", hub_s: int) -> None:
        """The hub has, or refuses, this envelope; or it confirms the receipt for this item."""
        if self.outbox.custody(item, refusal, hub_s):
            self.log("handed-over" if refusal is None else "refused-by-hub", outbox.name_of(item))
            if refusal is not None:
                self._return_replies(hub_s)
        elif refusal is None:
            self.inbox.receipt_confirmed(item)
