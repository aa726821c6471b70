"""Receipts: the device's signed word that it holds a bundle, and the hub's custody ack."""

from protocol.limits import CODE_CHARS_MAX, COUNT_MAX
from protocol.records import signing
from protocol.records.schema import (
    DIGEST,
    VERSION,
    Choice,
    Maybe,
    Record,
    RecordRefused,
    Uint,
    Unfit,
    Words,
    names,
)

COMMITTED = 1
REMOVED = 2
STATES = ("committed", "removed")


class ReceiptRefused(RecordRefused):
    """A receipt or a custody ack is out of shape."""


class Receipt(Record):
    """Up, signed by the device: the item is on its disk, or is gone from it, as of this delivery list."""

    item: bytes
    statement: bytes
    list_version: int
    state: int
    FIELDS = (
        ("item", DIGEST),
        ("statement", DIGEST),
        ("list_version", VERSION),
        ("state", Choice(STATES)),
    )
    __slots__ = names(FIELDS)
    REFUSAL = ReceiptRefused

    def sign(self, seed: bytes, public: bytes) -> bytes:
        body = self.encode()
        return signing.pack_signed(body, [signing.sign(signing.RECEIPT, seed, public, body)])


def accept(signed: bytes, device_ed25519: bytes) -> Receipt:
    """The receipt in `signed`; raises ReceiptRefused, SignedRefused or SignatureRefused."""
    return Receipt.decode(signing.open_signed(signing.RECEIPT, device_ed25519, signed))


class Custody(Record):
    """Down: the hub has committed the envelope `item` or the journal up to `journal`, or says why not.

    Exactly one of `item` and `journal` is given. `refusal` is None when it is committed to disk, else the
    name of the refusal.
    """

    item: "bytes | None"
    journal: "int | None"
    refusal: "str | None"
    FIELDS = (
        ("item", Maybe(DIGEST)),
        ("journal", Maybe(Uint(COUNT_MAX))),
        ("refusal", Maybe(Words(CODE_CHARS_MAX, 1))),
    )
    __slots__ = names(FIELDS)
    REFUSAL = ReceiptRefused

    def rules(self) -> None:
        if (self.item is None) == (self.journal is None):
            raise Unfit("item", "exactly one of item and journal")
