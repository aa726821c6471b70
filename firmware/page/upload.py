"""Browser -> here -> device.begin_video: a recording comes up in slices, in order, each safe to send again.

    POST /record/begin            form: group, to, text, type       -> {"draft": "…", "slice": bytes}
    POST /record/<draft>/append?offset=N   the raw bytes            -> {"size": bytes taken so far}
    POST /record/<draft>/save                                       -> {"item": hex}: durable now
    POST /record/<draft>/discard                                    -> {}

A slice that is here already (its answer was lost) is taken as sent; one that leaves a gap gets 409 and
the size, and the browser goes on from there. One recording at a time: the device has one camera.
"""

from binascii import crc32

from firmware.page import guard
from firmware.page.app import to_script
from firmware.storage import CardFull
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.video import Recording


class NoSuchDraft(Refusal):
    """That recording was discarded or never begun; the browser begins again."""


class BadMediaType(Refusal):
    """A media type that is not a plain video/…; the hub decides later whether it is really one."""


class Upload:
    """The recording that is coming up."""

    def __init__(self, name: str, draft: "Recording") -> None:
        self.name = name
        self.draft = draft
        self.size = 0
        self.last = (-1, 0, 0)  # offset, length and CRC-32 of the newest slice
        self.item: "bytes | None" = None


def media_type_of(text: str) -> str:
    """video/webm from `video/webm;codecs=…`; BadMediaType for anything else."""
    kind = text.split(";")[0].strip().lower()
    name = kind[6:]
    if not kind.startswith("video/") or not 0 < len(name) <= 40:
        raise BadMediaType(kind[:60])
    if not all([c in b"abcdefghijklmnopqrstuvwxyz0123456789.+-" for c in name.encode()]):
        raise BadMediaType(kind[:60])
    return kind


async def upload(site: "Page", request: "Request", rest: str) -> "Response":
    name, _, act = rest.partition("/")
    if name == "begin" and not act:
        return await _begin(site, request)
    coming = site.upload
    if act == "append" and request.content_length > guard.SLICE_BYTES_MAX:
        raise guard.SliceTooLarge(str(request.content_length))
    if coming is None or coming.name != name or act not in ("append", "save", "discard"):
        raise NoSuchDraft(name[:40])
    if act == "append":
        return await _append(site, coming, request)
    if act == "save":
        if coming.item is None:  # asked again: the answer was lost, the recording is not
            coming.item = coming.draft.save()
        return to_script({"item": coming.item.hex()})
    site.upload = None
    if coming.item is None:
        coming.draft.discard()
    return to_script({})


async def _begin(site: "Page", request: "Request") -> "Response":
    fields = await guard.form(request)
    place = site.place(fields)
    media_type = media_type_of(fields.get("type", ""))
    text = fields.get("text", "").replace("\t", " ").strip()
    if not text and place.root is None:
        text = site.ask(request).words("record.untitled")
    site.upload = None
    draft = site.device.begin_video(place.group, place.root, text, media_type)
    site.upload = Upload(site.token(), draft)
    return to_script({"draft": site.upload.name, "slice": guard.SLICE_BYTES_MAX})


async def _append(site: "Page", coming: Upload, request: "Request") -> "Response":
    """Take a slice piece by piece, so that it never stands in the heap as a whole."""
    asked = str(request.args.get("offset", ""))
    offset = int(asked) if asked.isdigit() and len(asked) < 10 else -1
    length = request.content_length
    again = (offset, length) == coming.last[:2]  # perhaps its answer was lost
    if (offset != coming.size and not again) or length <= 0 or coming.item is not None:
        await guard.drain(request)
        return to_script({"refused": "OutOfOrder", "size": coming.size}, 409)
    digest = 0
    while True:
        piece = await guard.piece(request)
        if not piece:
            break
        digest = crc32(piece, digest)
        if not again:
            try:
                coming.draft.append(piece)
            except (MemoryError, CardFull):  # nobody knows how much of it was taken: never keep a torn recording
                site.upload = None
                coming.draft.discard()
                raise
            coming.size += len(piece)
    if again and digest != coming.last[2]:
        return to_script({"refused": "OutOfOrder", "size": coming.size}, 409)
    coming.last = (offset, length, digest)
    return to_script({"size": coming.size})
