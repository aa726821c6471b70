"""On the way to the outbox: texts that the learner has begun, kept until they are sent or emptied.

A draft remembers the counter that the next envelope would get. If a cut comes between saving a
post and forgetting its draft, the next start finds an own entry with that or a later counter and
the same text, and forgets the draft then: nothing that was sent is offered for sending again.
"""

from binascii import hexlify

from firmware import limits
from firmware.identity import Identity
from firmware.storage import Storage, put, take
from protocol import cbor
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from firmware.outbox import Outbox

FOLDER = "draft/"


class DraftTooLong(Refusal):
    """Longer than DRAFT_BYTES_MAX, or DRAFTS_MAX are kept already; the draft before it is still there."""


class Drafts:
    """Text by key; any key is allowed, an empty text forgets it."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity
        self.damaged: list[str] = []  # files that are not what was written there

    def _read(self, name: str) -> "tuple[str, int]":
        """(text, counter at the time); ("", 0) when there is nothing, or nothing that can be trusted."""
        stored = take(self._storage, name, self.damaged)
        return ("", 0) if stored is None else cbor.loads(stored)

    def _name(self, key: str) -> str:
        return FOLDER + hexlify(self._identity.backend.sha256(key.encode())[:16]).decode()

    def load(self, key: str) -> str:
        return self._read(self._name(key))[0]

    def save(self, key: str, text: str) -> None:
        name = self._name(key)
        if not text:
            self._storage.remove(name)
            return
        if len(text.encode()) > limits.DRAFT_BYTES_MAX:
            raise DraftTooLong(f"more than {limits.DRAFT_BYTES_MAX} bytes")
        kept = self._storage.names(FOLDER)
        if name not in kept and len(kept) >= limits.DRAFTS_MAX:
            raise DraftTooLong(f"more than {limits.DRAFTS_MAX} drafts")
        put(self._storage, name, cbor.dumps([text, self._identity.next_counter]))

    def drop_text(self, text: str) -> None:
        """Forget the drafts of exactly this text: it was just saved as a post."""
        for name in self._storage.names(FOLDER):
            if self._read(name)[0] == text:
                self._storage.remove(name)

    def drop_sent(self, outbox: "Outbox") -> None:
        """At start: forget drafts whose text was saved after they were."""
        for name in self._storage.names(FOLDER):
            text, counter = self._read(name)
            for own in outbox.own.values():
                if text and own.counter >= counter and outbox.text(own.item) == text:
                    self._storage.remove(name)
                    break
