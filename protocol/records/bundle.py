"""A bundle: an approved item on its way to a device, with the decisions that allow it.

Nothing in it is trusted yet: `gate.check` is what makes it something to show.
"""

from protocol.limits import RECORD_BYTES_MAX, SIGN1_BYTES_MAX, SIGNATURES_MAX, TEXT_BYTES_MAX
from protocol.records.schema import ListOf, Maybe, Octets, Record, RecordRefused, names

STATEMENT_BYTES_MAX = RECORD_BYTES_MAX - TEXT_BYTES_MAX - SIGNATURES_MAX * SIGN1_BYTES_MAX - 64


class BundleRefused(RecordRefused):
    """A bundle is out of shape."""


class Bundle(Record):
    """The statement's exact signed bytes, the signatures, and the text rendition's UTF-8 bytes if any."""

    statement: bytes
    signatures: "list[bytes]"
    text: "bytes | None"
    FIELDS = (
        ("statement", Octets(1, STATEMENT_BYTES_MAX)),
        ("signatures", ListOf(Octets(1, SIGN1_BYTES_MAX), SIGNATURES_MAX, 1)),
        ("text", Maybe(Octets(1, TEXT_BYTES_MAX))),
    )
    __slots__ = names(FIELDS)
    REFUSAL = BundleRefused
