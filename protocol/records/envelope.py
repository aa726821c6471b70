"""An envelope: what an author made, signed by the author's device and sealed to the hub.

content -> signed by the device (kind "envelope") -> sealed with Noise_X to the hub's X25519 key, which also
proves the device's own X25519 key. The SHA-256 of the sealed bytes is the item id, everywhere and for ever.
A video's body is not in it: the content names a blob of ciphertext and the key that opens it.
"""

from protocol import noise
from protocol.compat import TYPE_CHECKING
from protocol.limits import BLOB_BYTES_MAX, COUNT_MAX, SEALED_BYTES_MAX, TEXT_BYTES_MAX
from protocol.records import signing
from protocol.records.schema import (
    DEVICE_ID,
    DIGEST,
    IDENT,
    KEY,
    MEDIA_TYPE,
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.records.roster import Device

POST = "post"
VIDEO = "video"

_PROLOGUE = b"perch/envelope/1"


class EnvelopeRefused(RecordRefused):
    """An envelope cannot be opened, is out of shape, or is not from the device it names."""


class Blob(Row):
    """The ciphertext that goes with a video: its root and size, and the key that opens it."""

    root: bytes
    size: int
    media_type: str
    key: bytes
    FIELDS = (
        ("root", DIGEST),
        ("size", Uint(BLOB_BYTES_MAX, 1)),
        ("media_type", MEDIA_TYPE),
        ("key", KEY),
    )
    __slots__ = names(FIELDS)


class Content(Record):
    """What the author made. `parent` is the item id of the thread's first post; None starts a thread.

    The text only has to be bounded Unicode here: what people may see is the hub's canonical form of it.
    """

    kind: str
    device: bytes
    counter: int
    learner: str
    group: str
    parent: "bytes | None"
    text: str
    blob: "Blob | None"
    FIELDS = (
        ("kind", Word((POST, VIDEO))),
        ("device", DEVICE_ID),
        ("counter", Uint(COUNT_MAX, 1)),
        ("learner", IDENT),
        ("group", IDENT),
        ("parent", Maybe(DIGEST)),
        ("text", Words(TEXT_BYTES_MAX, lines=True, shown=False)),
        ("blob", Maybe(RowOf(Blob))),
    )
    __slots__ = names(FIELDS)
    REFUSAL = EnvelopeRefused

    def rules(self) -> None:
        if self.kind == VIDEO and self.blob is None:
            raise Unfit("blob", "missing from a video")
        if self.kind == POST and self.blob is not None:
            raise Unfit("blob", "not in a post")
        if self.kind == POST and not self.text:
            raise Unfit("text", "an empty post")


def make(
    content: Content,
    ed25519_seed: bytes,
    ed25519_public: bytes,
    x25519_private: bytes,
    hub_x25519: bytes,
    random: "Callable[[int], bytes]",
) -> bytes:
    """The sealed envelope. Raises EnvelopeRefused when the content is out of shape."""
    body = content.encode()
    sign1 = signing.sign(signing.ENVELOPE, ed25519_seed, ed25519_public, body)
    signed = [signing.pack_signed(body, [sign1])]
    body = b""  # a long text is sealed in a heap that has little room beside it
    return noise.seal_to(hub_x25519, signed, x25519_private, random, _PROLOGUE)


def item_id(sealed: bytes) -> bytes:
    """The item's name: SHA-256 of the sealed bytes."""
    return signing.digest(sealed)


def open_sealed(sealed: bytes, hub_x25519_private: bytes) -> "tuple[Content, bytes, bytes, bytes]":
    """-> (content, its signed bytes, the signature, the X25519 key that sealed it). Not yet verified.

    Raises EnvelopeRefused or SignedRefused.
    """
    if len(sealed) > SEALED_BYTES_MAX:
        raise EnvelopeRefused("sealed", f"{len(sealed)} bytes, more than {SEALED_BYTES_MAX}")
    try:
        plain, sender_x25519 = noise.open_from(hub_x25519_private, sealed, _PROLOGUE)
    except noise.NoiseError as error:
        raise EnvelopeRefused("sealed", str(error))
    body, sign1s = signing.unpack_signed(plain)
    if len(sign1s) != 1:
        raise EnvelopeRefused("signatures", f"{len(sign1s)}, not 1")
    return Content.decode(body), body, sign1s[0], sender_x25519


def verify(content: Content, body: bytes, sign1: bytes, sender_x25519: bytes, device: "Device") -> None:
    """Hold an opened envelope to the registered `device`: both keys, its id and its learner.

    Raises EnvelopeRefused or SignatureRefused. Whether the device is revoked or the counter was seen
    before is the hub's to judge.
    """
    if content.device != device.id:
        raise EnvelopeRefused("device", f"{content.device.hex()}, not {device.id.hex()}")
    if content.learner != device.learner:
        raise EnvelopeRefused("learner", f"{content.learner} does not hold the device")
    if sender_x25519 != device.x25519:
        raise EnvelopeRefused("sealed", "by another key than the device's")
    signing.check(signing.ENVELOPE, device.ed25519, body, sign1)
