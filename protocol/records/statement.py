"""A decision's statement: what staff sign, all of them the same bytes, kind "decision".

It names exactly the renditions that may be seen, exactly the learners who may see them, and until when.
"""

from protocol.limits import (
    AUDIENCE_LEARNERS_MAX,
    BLOB_BYTES_MAX,
    RENDITIONS_MAX,
    SIGNERS_MAX,
    WORDS_BYTES_MAX,
)
from protocol.records import signing
from protocol.records.schema import (
    DIGEST,
    IDENT,
    MEDIA_TYPE,
    TIME_S,
    VERSION,
    Choice,
    ListOf,
    Maybe,
    Record,
    RecordRefused,
    Row,
    RowOf,
    Uint,
    Unfit,
    Word,
    Words,
    names,
)

APPROVE = 1
RETURN = 2
REJECT = 3
RECALL = 4
ACTIONS = ("approve", "return", "reject", "recall")

TEXT = "text"
VIDEO = "video"
STILL = "still"

REASON_MAX = 999
MEMBERSHIP_VERSION_MAX = 1 << 48


class StatementRefused(RecordRefused):
    """A statement is out of shape or contradicts itself."""


class Rendition(Row):
    """Bytes that people get to see. digest: of a text, SHA-256 of its UTF-8; of media, the blob root."""

    role: str
    digest: bytes
    length: int
    media_type: str
    FIELDS = (
        ("role", Word((STILL, TEXT, VIDEO))),
        ("digest", DIGEST),
        ("length", Uint(BLOB_BYTES_MAX, 1)),
        ("media_type", MEDIA_TYPE),
    )
    __slots__ = names(FIELDS)


class Audience(Row):
    """The learners who may see it, ascending; and the group at the membership that staff saw, if any."""

    group: "str | None"
    membership_version: int
    learners: "list[str]"
    FIELDS = (
        ("group", Maybe(IDENT)),
        ("membership_version", Uint(MEMBERSHIP_VERSION_MAX)),
        ("learners", ListOf(IDENT, AUDIENCE_LEARNERS_MAX, key="")),
    )
    __slots__ = names(FIELDS)


class Statement(Record):
    """The body of a decision. `reason` is a code, 0 for none; `words` are for the author to read."""

    wing: str
    item: bytes
    item_version: int
    action: int
    renditions: "list[Rendition]"
    audience: Audience
    author: str
    parent: "bytes | None"
    signers_needed: int
    expires_s: int
    reason: int
    words: str
    roster_version: int
    decided_s: int
    FIELDS = (
        ("wing", IDENT),
        ("item", DIGEST),
        ("item_version", VERSION),
        ("action", Choice(ACTIONS)),
        ("renditions", ListOf(RowOf(Rendition), RENDITIONS_MAX, key="role")),
        ("audience", RowOf(Audience)),
        ("author", IDENT),
        ("parent", Maybe(DIGEST)),
        ("signers_needed", Uint(SIGNERS_MAX, 1)),
        ("expires_s", TIME_S),
        ("reason", Uint(REASON_MAX)),
        ("words", Words(WORDS_BYTES_MAX, lines=True)),
        ("roster_version", VERSION),
        ("decided_s", TIME_S),
    )
    __slots__ = names(FIELDS)
    REFUSAL = StatementRefused

    def rules(self) -> None:
        if self.expires_s <= self.decided_s:
            raise Unfit("expires_s", "not after decided_s")
        if self.action == APPROVE:
            if not self.renditions:
                raise Unfit("renditions", "none in an approval")
            if not self.audience.learners:
                raise Unfit("audience", "nobody in an approval")
            if self.reason or self.words:
                raise Unfit("reason", "in an approval")
        else:
            if self.renditions:
                raise Unfit("renditions", "in what is no approval")
            if not self.reason:
                raise Unfit("reason", "missing")
        # what is returned or rejected concerns its author and nobody else
        if self.action in (RETURN, REJECT):
            if self.audience.learners != [self.author] or self.audience.group is not None:
                raise Unfit("audience", "not the author alone")

    def rendition(self, role: str) -> "Rendition | None":
        for rendition in self.renditions:
            if rendition.role == role:
                return rendition
        return None

    def digest(self) -> bytes:
        """What the delivery list names: SHA-256 of the signed bytes."""
        return signing.digest(self.encode())

    def people_needed(self) -> int:
        """How many people must have signed; anything that is not text takes two, whatever it says."""
        floor = 1
        for rendition in self.renditions:
            if rendition.role != TEXT:
                floor = 2
        return max(floor, self.signers_needed)


def sign(statement: Statement, seed: bytes, public: bytes) -> bytes:
    """One member of staff's signature over the statement."""
    return signing.sign(signing.DECISION, seed, public, statement.encode())
