"""From the dock to the learner's eyes: what the hub's list lets this device hold, and staff let it show.

`state/list` is the newest delivery list; `inbox/<item>` a bundle with the digest of the statement
that passed the gate. Nothing is handed to the page that is not on the newest list with exactly
that statement, whose bundle did not pass protocol.records.gate against the present staff, or
whose blob was not read back in full since the start and found to be the one that staff signed.
A file that is damaged is as one that never came: the next docking asks for it again.

Accepting a list is one write. What is no longer on it is invisible from that write on; removing
its files and queueing the receipt for it come after and are taken up again at every start.
"""

from binascii import unhexlify

from firmware import limits
from firmware.identity import Identity
from firmware.outbox import name_of, title_of
from firmware.storage import Damaged, Storage, put, take
from protocol import blob, cbor
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.records import delivery_list, gate, signing
from protocol.records.bundle import Bundle
from protocol.records.receipt import COMMITTED, REMOVED
from protocol.records.signing import unpack_signed
from protocol.records.statement import STILL, TEXT, VIDEO, Statement

if TYPE_CHECKING:

    from protocol.records.delivery_list import DeliveryList
    from protocol.records.roster import Roster

LIST = "state/list"
FOLDER = "inbox/"
SEEN = "state/seen-"
RECEIPT = "receipt/"
BLOB = "blob/"
PART = "part/"
LEAVES = "leaves/"



class BlobDiffers(Refusal):
    """A stored blob is not the one whose root staff signed."""


def text_of(bundle: Bundle) -> str:
    return "" if bundle.text is None else bundle.text.decode()


class Held:
    """The index entry of one bundle that passed the gate; its text stays in its file."""

    __slots__ = ("action", "at_s", "author", "expires_s", "group", "item", "parent", "receipted", "seen_s", "staff",
                 "statement", "still", "text_digest", "title", "verified", "video")

    def __init__(self, item: bytes, statement_digest: bytes, staff: bytes, statement: Statement, text: str) -> None:
        self.item = item
        self.statement = statement_digest
        self.staff = staff
        self.action = statement.action
        self.group: "str | None" = statement.audience.group
        self.parent = statement.parent
        self.author = statement.author
        self.at_s = statement.decided_s
        self.expires_s = statement.expires_s
        self.title = title_of(text)
        self.video: "tuple[bytes, int, str] | None" = None
        self.still: "tuple[bytes, int, str] | None" = None
        for row in statement.renditions:
            if row.role == VIDEO:
                self.video = (row.digest, row.length, row.media_type)
            elif row.role == STILL:
                self.still = (row.digest, row.length, row.media_type)
        self.seen_s: "int | None" = None
        self.verified: list[bytes] = []
        self.receipted = False  # the hub has said that it has our receipt


class Inbox:
    """What this device holds for its learner, and the receipts that the hub has not confirmed."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity
        self.held: dict[bytes, Held] = {}
        self.list: "DeliveryList | None" = None
        self._staff: "tuple[Roster | None, bytes]" = (None, b"")
        self.damaged: list[str] = []  # files that are not what was written there
        for name in [LIST] + storage.names(FOLDER):
            try:
                self._open_stored(name)
            except (Refusal, ValueError):
                self.damaged.append(name)

    def _open_stored(self, name: str) -> None:
        if name == LIST:
            stored = take(self._storage, name)
            self.list = None if stored is None else delivery_list.DeliveryList.decode(unpack_signed(stored)[0])
            return
        item = unhexlify(name[len(FOLDER) :])
        digest, staff, _, bundle, statement = self._read(item)
        held = Held(item, digest, staff, statement, text_of(bundle))
        seen = take(self._storage, SEEN + name_of(item), self.damaged)
        if seen is not None:
            held.seen_s, held.receipted = cbor.loads(seen)
        self.held[item] = held

    def _read(self, item: bytes) -> "tuple[bytes, bytes, bytes, Bundle, Statement]":
        """(statement's digest, staff, the bundle as it came, bundle, statement), the text held to the statement.

        Raises Damaged, or what else is wrong with it; it is missing from then on, so that the next docking asks for it.
        """
        name = FOLDER + name_of(item)
        try:
            digest, staff, data = cbor.loads(take(self._storage, name) or b"")
            bundle = Bundle.decode(data)
            statement = Statement.decode(bundle.statement)
            row = statement.rendition(TEXT)
            text = None if row is None else row.digest
            shown = None if bundle.text is None else signing.digest(bundle.text)
            if (signing.digest(bundle.statement), statement.item, shown) != (digest, item, text):
                raise Damaged(name)
            return digest, staff, data, bundle, statement
        except Refusal:
            self.held.pop(item, None)
            self._storage.remove(name)
            raise

    # -- the list ---------------------------------------------------------------------------

    def listed(self) -> "dict[bytes, bytes]":
        """Item to statement digest, of everything that this device may hold now."""
        return {} if self.list is None else {row.item: row.statement for row in self.list.items}

    def accept_list(self, signed: bytes) -> "DeliveryList":
        """Take a newer list. From its one write on, whatever is not on it is out of sight."""
        certificate, roster = self._identity.need()
        newer = delivery_list.accept(self.list, signed, roster.hub_ed25519, self._identity.device, certificate.wing)
        self.list = newer  # first: what it recalls is out of sight even where a full card does not take it
        put(self._storage, LIST, signed)
        return newer

    def missing(self) -> "list[bytes]":
        """Items of the list whose bundle is not here."""
        found = []
        for item, digest in self.listed().items():
            held = self.held.get(item)
            if held is None or held.statement != digest:
                found.append(item)
        return sorted(found)

    def gone(self) -> "list[Held]":
        """Bundles still in storage that the list no longer names with this statement; none when its file is damaged."""
        if self.list is None:
            return []
        listed = self.listed()
        return [held for held in self.in_order() if listed.get(held.item) != held.statement]

    def remove(self, held: Held) -> None:
        """Forget a recalled bundle: the receipt is queued first, so that a cut can lose neither."""
        name = name_of(held.item)
        put(self._storage, RECEIPT + name, cbor.dumps([held.statement, REMOVED]))
        self._storage.remove(FOLDER + name)
        self._storage.remove(SEEN + name)
        del self.held[held.item]

    def in_order(self) -> "list[Held]":
        """Everything held, by item: a dict has no order, and this one reaches the wire and the journal."""
        return [self.held[item] for item in sorted(self.held)]

    def roots(self) -> "list[bytes]":
        """Roots of every blob that a listed bundle shows."""
        found = []
        for held in self.held.values():
            for rendition in (held.still, held.video):
                if rendition is not None:
                    found.append(rendition[0])
        return found

    # -- bundles ----------------------------------------------------------------------------

    def receive(self, data: bytes) -> bytes:
        """Check a bundle and keep it; returns its item. Any Refusal: nothing was kept."""
        certificate, roster = self._identity.need()
        bundle = Bundle.decode(data)
        if self.list is None:
            raise gate.NotOnList("no delivery list")
        statement = gate.check(bundle, roster, self.list, certificate.learner, certificate.wing)
        digest = signing.digest(bundle.statement)
        staff = self.staff_digest(roster)
        held = Held(statement.item, digest, staff, statement, text_of(bundle))
        before = self.held.get(statement.item)
        if before is not None and before.statement == digest:
            return statement.item
        name = name_of(statement.item)
        if before is not None:
            self._storage.remove(SEEN + name)  # decided anew: unread, unverified, without a receipt
        put(self._storage, FOLDER + name, cbor.dumps([digest, staff, data]))
        self.held[statement.item] = held
        self._storage.remove(RECEIPT + name)
        return statement.item

    def staff_digest(self, roster: "Roster") -> bytes:
        """Changes whenever any member of staff's key, role or expiry does; made once for each roster."""
        if self._staff[0] is not roster:
            self._staff = (roster, signing.digest(cbor.dumps([row.plain() for row in roster.staff])))
        return self._staff[1]

    def shown(self) -> "list[Held]":
        """What the page may show now, checked again where the staff changed since it was checked."""
        if self.list is None or self._identity.roster is None:
            return []
        if self.list.roster_version > self._identity.roster.version:
            return []  # the list stands on a roster that is not here: its staff cannot be judged
        listed = self.listed()
        staff = self.staff_digest(self._identity.roster)
        found = []
        for held in self.in_order():
            if listed.get(held.item) != held.statement or held.expires_s <= self.list.issued_s:
                continue
            if held.staff != staff and not self._check_again(held, staff):
                continue
            found.append(held)
        return found

    def _check_again(self, held: Held, staff: bytes) -> bool:
        certificate, roster = self._identity.need()
        if self.list is None:
            return False
        try:
            _, _, data, bundle, _ = self._read(held.item)
            gate.check(bundle, roster, self.list, certificate.learner, certificate.wing)
        except Refusal:
            return False
        held.staff = staff
        try:
            put(self._storage, FOLDER + name_of(held.item), cbor.dumps([held.statement, staff, data]))
        except OSError:
            pass  # a full card: checked again after the next start
        return True

    def bundle(self, item: bytes) -> Bundle:
        """The stored bundle of a shown item, for its text; a refusal when it was damaged since the start."""
        return self._read(item)[3]

    def statement(self, item: bytes) -> Statement:
        """As `bundle`: for the words of staff."""
        return self._read(item)[4]

    # -- blobs ------------------------------------------------------------------------------

    def blobs_missing(self) -> "list[tuple[bytes, int]]":
        """(root, size) of renditions that are not here yet, stills before videos."""
        stills, videos = [], []
        for held in self.shown() if self._lacks_media() else ():
            if held.still is not None and not self.has_blob(held.still[0]):
                stills.append(held.still[:2])
            if held.video is not None and not self.has_blob(held.video[0]):
                videos.append(held.video[:2])
        return stills + videos

    def _lacks_media(self) -> bool:
        """Quickly: whether any bundle that is held, shown or not, waits for a still or a video."""
        for held in self.held.values():
            for rendition in (held.still, held.video):
                if rendition is not None and not self.has_blob(rendition[0]):
                    return True
        return False

    def has_blob(self, root: bytes) -> bool:
        return self._storage.blob_size(BLOB + name_of(root)) > 0

    def verify_blob(self, held: Held, root: bytes, size: int) -> None:
        """Read a blob back in full before it is shown the first time since the start."""
        if root in held.verified:
            return
        name = BLOB + name_of(root)
        builder = blob.Builder(False)
        offset = 0
        while offset < self._storage.blob_size(name):
            piece = self._storage.blob_read(name, offset, limits.PIECE_BYTES)
            builder.feed(piece)
            offset += len(piece)
        if offset != size or builder.root() != root:
            self._storage.remove(name)  # the next docking fetches it again
            raise BlobDiffers(name_of(root))
        held.verified.append(root)

    def mark_seen(self, held: Held, clock_s: int) -> None:
        if held.seen_s is None:
            held.seen_s = clock_s
            self._write_seen(held)

    def _write_seen(self, held: Held) -> None:
        try:
            put(self._storage, SEEN + name_of(held.item), cbor.dumps([held.seen_s, held.receipted]))
        except OSError:
            pass  # a full card: known until the device starts again, and nothing hangs on it

    # -- receipts ---------------------------------------------------------------------------

    def receipts(self) -> "list[tuple[bytes, bytes, int]]":
        """(item, statement digest, state) that the hub has not confirmed: of what came, and of what went."""
        found = []
        for name in self._storage.names(RECEIPT):
            try:
                item = unhexlify(name[len(RECEIPT) :])
                digest, state = cbor.loads(take(self._storage, name) or b"")
            except (Refusal, ValueError):
                self._storage.remove(name)  # damaged: the hub goes without it
                continue
            if item not in self.held:
                found.append((item, digest, state))
        for held in self.in_order():
            if not held.receipted:
                found.append((held.item, held.statement, COMMITTED))
        return found

    def receipt_confirmed(self, item: bytes) -> None:
        held = self.held.get(item)
        if held is None:
            self._storage.remove(RECEIPT + name_of(item))
        elif not held.receipted:
            held.receipted = True
            self._write_seen(held)
