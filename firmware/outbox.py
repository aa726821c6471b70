"""From the learner's hand to the dock: what was written here, sealed and durable until the hub has it.

One file per entry, `own/<item>`, written once when the learner saves: the sealed envelope and
the author's own copy. Custody for exactly that digest rewrites it without the envelope; the
author's copy stays, also where the hub refuses it afterwards. A video's ciphertext is `blob/<root>`,
its manifest `leaves/<root>`, its key in the author's copy. What a cut left without an entry is swept
at the next start.
"""

from binascii import hexlify, unhexlify

from firmware import limits
from firmware.identity import Identity
from firmware.storage import Damaged, Storage, put, take
from protocol import cbor
from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Refusal
from protocol.limits import OUTBOX_ENVELOPES_MAX
from protocol.records import envelope

if TYPE_CHECKING:
    from typing import Any

    from firmware.storage import Random

FOLDER = "own/"

SAVED = const(0)
HANDED_OVER = const(1)
BEING_READ = const(2)
APPROVED = const(3)
DELIVERED = const(4)
RETURNED = const(5)
REJECTED = const(6)

_SEALED = const(1)
_COUNTER = const(2)
_KIND = const(3)
_GROUP = const(4)
_PARENT = const(5)
_TEXT = const(6)
_BLOB = const(7)
_TIMES = const(8)
_STATE = const(9)
_REFUSAL = const(10)
_SEEN = const(11)


class OutboxFull(Refusal):
    """OUTBOX_ENVELOPES_MAX envelopes wait for a docking, or OWN_ENTRIES_MAX are kept: nothing was saved."""


def name_of(item: bytes) -> str:
    return hexlify(item).decode()


class Own:
    """The index entry of one thing this learner made; its text stays in its file."""

    __slots__ = ("blob", "counter", "group", "item", "kind", "parent", "refusal", "seen", "state", "times",
                 "title", "waiting")

    def __init__(self, item: bytes, entry: "dict[int, object]") -> None:
        self.item = item
        self.counter: int = entry[_COUNTER]  # type: ignore[assignment]
        self.kind: str = entry[_KIND]  # type: ignore[assignment]
        self.group: str = entry[_GROUP]  # type: ignore[assignment]
        self.parent: "bytes | None" = entry[_PARENT]  # type: ignore[assignment]
        self.blob: "list[Any] | None" = entry[_BLOB]  # type: ignore[assignment]
        self.times: "list[int | None]" = entry[_TIMES]  # type: ignore[assignment]
        self.state: int = entry[_STATE]  # type: ignore[assignment]
        self.refusal: "str | None" = entry[_REFUSAL]  # type: ignore[assignment]
        self.seen: bool = entry[_SEEN]  # type: ignore[assignment]
        self.waiting = _SEALED in entry
        self.title = title_of(entry[_TEXT])  # type: ignore[arg-type]


def title_of(text: str) -> str:
    """The first line of a text, short enough to stay in memory."""
    end = text.find("\n")
    line = text if end < 0 else text[:end]
    return line[: limits.TITLE_CHARS_MAX]


class Outbox:
    """Everything this learner made on this device, in the order of its counters."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity
        self.own: dict[bytes, Own] = {}
        self.damaged: list[str] = []  # files that are not what was written there
        for name in storage.names(FOLDER):
            try:
                item = unhexlify(name[len(FOLDER) :])
                self.own[item] = Own(item, self._read(name))
            except (Refusal, ValueError):
                self.damaged.append(name)
        identity.past(max([own.counter for own in self.own.values()] or [0]))

    def _read(self, name: str) -> "dict[int, object]":
        """Raises Damaged, also when it went away."""
        stored = take(self._storage, name)
        if stored is None:
            raise Damaged(name)
        entry: "dict[int, object]" = cbor.loads(stored)
        return entry

    def in_order(self) -> "list[Own]":
        found = list(self.own.values())
        found.sort(key=lambda own: own.counter)
        return found

    def unsent(self) -> "list[Own]":
        return [own for own in self.in_order() if own.waiting]

    def check_room(self) -> None:
        if len(self.own) >= limits.OWN_ENTRIES_MAX or len(self.unsent()) >= OUTBOX_ENVELOPES_MAX:
            raise OutboxFull("outbox full")

    def save(self, kind: str, group: str, parent: "bytes | None", text: str,
             blob: "list[object] | None", clock_s: int, random: "Random") -> bytes:
        """Sign, seal and keep one envelope; durable when this returns. Returns its item id."""
        certificate, roster = self._identity.need()
        self.check_room()
        counter = self._identity.reserve_counter()
        me = self._identity
        row = None if blob is None else envelope.Blob.read(blob)
        content = envelope.Content(kind=kind, device=me.device, counter=counter, learner=certificate.learner,
                                   group=group, parent=parent, text=text, blob=row)
        sealed = envelope.make(content, me.seed, me.ed25519, me.x25519_private, roster.hub_x25519, random)
        item = envelope.item_id(sealed)
        entry: "dict[int, object]" = {
            _SEALED: sealed, _COUNTER: counter, _KIND: kind, _GROUP: group, _PARENT: parent, _TEXT: text,
            _BLOB: blob, _TIMES: [clock_s, None, None, None, None], _STATE: SAVED, _REFUSAL: None, _SEEN: False,
        }
        put(self._storage, FOLDER + name_of(item), cbor.pieces(entry))
        self.own[item] = Own(item, entry)
        return bytes(item)

    def sealed(self, item: bytes) -> "bytes | None":
        """The envelope as it goes to the hub; None when the hub has it, or its file is damaged."""
        try:
            return self._read(FOLDER + name_of(item)).get(_SEALED)  # type: ignore[return-value]
        except Damaged:
            return None

    def text(self, item: bytes) -> str:
        """Raises Damaged."""
        return str(self._read(FOLDER + name_of(item))[_TEXT])

    def _rewrite(self, item: bytes, changes: "dict[int, object]", drop_sealed: bool = False) -> None:
        name = FOLDER + name_of(item)
        try:
            entry = self._read(name)
        except Damaged:  # since the start: the next one takes it away and says so
            del self.own[item]
            return
        if drop_sealed and _SEALED in entry:
            del entry[_SEALED]
        entry.update(changes)
        put(self._storage, name, cbor.pieces(entry))
        self.own[item] = Own(item, entry)

    def custody(self, item: bytes, refusal: "str | None", hub_s: int) -> bool:
        """The hub has committed this envelope, or refused it by name. False when that changes nothing here.

        A refusal may come after custody too (the video is none), until other people may see the item.
        """
        own = self.own.get(item)
        if own is None or not own.waiting and (
            refusal is None or own.refusal is not None or own.state in (APPROVED, DELIVERED)
        ):
            return False
        if refusal is None:
            times = _marked(own.times, HANDED_OVER, hub_s)
            self._rewrite(item, {_STATE: HANDED_OVER, _TIMES: times}, drop_sealed=True)
        else:
            self._rewrite(item, {_STATE: RETURNED, _REFUSAL: refusal, _SEEN: False}, drop_sealed=True)
        return True

    def take_states(self, states: "list[tuple[bytes, int]]", hub_s: int) -> None:
        """Bring the states of own items up to the delivery list's; writes only what changed."""
        for item, state in states:
            own = self.own.get(item)
            if own is None or own.state == state or own.refusal is not None:
                continue
            # a state on the hub's signed list proves custody even when its receipt was lost with a cut
            changes: "dict[int, object]" = {_STATE: state, _TIMES: _marked(own.times, state, hub_s)}
            if state >= RETURNED:
                changes[_SEEN] = False
            self._rewrite(item, changes, drop_sealed=True)

    def mark_seen(self, item: bytes) -> None:
        own = self.own.get(item)
        if own is not None and not own.seen:
            self._rewrite(item, {_SEEN: True})

    def roots(self) -> "list[bytes]":
        """Roots of the blobs that own entries name."""
        return [own.blob[0] for own in self.own.values() if own.blob is not None]

    def sending_root(self, root: bytes) -> "Own | None":
        """The own entry whose blob has this root."""
        for own in self.own.values():
            if own.blob is not None and own.blob[0] == root:
                return own
        return None


def _marked(times: "list[int | None]", state: int, at_s: int) -> "list[int | None]":
    """Times with this state's moment noted, and that of every step before it that was never seen."""
    marked = list(times)
    for step in range(HANDED_OVER, min(state, DELIVERED) + 1):
        if marked[step] is None:
            marked[step] = at_s
    return marked
