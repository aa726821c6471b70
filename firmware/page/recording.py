"""Browser -> here -> device.begin_video: a recording comes up in slices, in order, each safe to send again.

    POST /record/begin            form: group, to, text, type       -> {"draft": "…", "slice": bytes}
    POST /record/<draft>/append?offset=N   the raw bytes            -> {"size": bytes taken so far}
    POST /record/<draft>/save                                       -> {"item": hex}: durable now
    POST /record/<draft>/discard                                    -> {}

A slice that is here already (its answer was lost) is taken as sent; one that leaves a gap gets 409 and
the size, and the browser goes on from there. One recording at a time: the device has one camera.
"""

from binascii import crc32

from microdot import Microdot, Request, Response

from firmware.page import compose, guard
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from firmware.page.app import Page
    from firmware.video import Recording


class NoSuchDraft(Refusal):
    """That recording was saved, discarded or never begun; the browser begins again."""


class BadMediaType(Refusal):
    """A media type that is not a plain video/…; the hub decides later whether it is really one."""


class Upload:
    """The recording that is coming up."""

    def __init__(self, name: str, draft: "Recording") -> None:
        self.name = name
        self.draft = draft
        self.size = 0
        self.last = (0, 0, 0)  # offset, length and CRC-32 of the newest slice
        self.item: "bytes | None" = None


def media_type_of(text: str) -> str:
    """video/webm from `video/webm;codecs=…`; BadMediaType for anything else."""
    kind = text.split(";")[0].strip().lower()
    name = kind[6:]
    if not kind.startswith("video/") or not 0 < len(name) <= 40:
        raise BadMediaType(kind[:60])
    if not all([c in "abcdefghijklmnopqrstuvwxyz0123456789.+-" for c in name]):
        raise BadMediaType(kind[:60])
    return kind


def add_recording(app: Microdot, page: "Page") -> None:
    device = page.device
    current: "list[Upload]" = []  # none or one

    def upload(name: str) -> Upload:
        if not current or current[0].name != name:
            raise NoSuchDraft(name[:40])
        return current[0]

    @app.get("/record")
    @page.safe
    async def record(request: Request) -> Response:
        from firmware.page.app import html

        place = page.place(request.args)
        return html(compose.record(page.ask(request, "record", "write"), place, "", compose.RECORD_SECONDS))

    @app.post("/record/begin")
    @page.safe
    async def begin(request: Request) -> Response:
        fields = await guard.form(request)
        place = page.place(fields)
        media_type = media_type_of(fields.get("type", ""))
        text = fields.get("text", "").strip()
        if not text and place.root is None:
            text = page.ask(request, "record").words("record.untitled")
        while current:
            current.pop().draft.discard()
        draft = device.begin_video(place.group, place.root, text, media_type)
        current.append(Upload(page.token(), draft))
        return Response({"draft": current[0].name, "slice": guard.SLICE_BYTES_MAX})

    @app.post("/record/<name>/append")
    @page.safe
    async def append(request: Request, name: str) -> Response:
        if request.content_length > guard.SLICE_BYTES_MAX:
            raise guard.SliceTooLarge(str(request.content_length))
        coming = upload(name)
        asked = str(request.args.get("offset", ""))
        offset = int(asked) if asked.isdigit() and len(asked) < 10 else -1
        data = await guard.body(request, guard.SLICE_BYTES_MAX)
        mark = (offset, len(data), crc32(data))
        if mark == coming.last and data:
            return Response({"size": coming.size})  # its answer was lost
        if offset != coming.size or not data:
            return Response({"refused": "OutOfOrder", "size": coming.size}, 409)
        coming.draft.append(data)
        coming.size += len(data)
        coming.last = mark
        return Response({"size": coming.size})

    @app.post("/record/<name>/save")
    @page.safe
    async def save(request: Request, name: str) -> Response:
        coming = upload(name)
        if coming.item is None:  # asked again: the answer was lost, the recording is not
            coming.item = coming.draft.save()
        return Response({"item": coming.item.hex()})

    @app.post("/record/<name>/discard")
    @page.safe
    async def discard(request: Request, name: str) -> Response:
        coming = upload(name)
        current.clear()
        if coming.item is None:
            coming.draft.discard()
        return Response({})
