"""Path -> here -> bytes: videos and stills that may be shown now, and own recordings, whole or by Range."""

from microdot import Response

from firmware.page.app import id_of, streamed
from protocol.compat import TYPE_CHECKING, const

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from microdot import Request

    from firmware.page.app import Page

PIECE_BYTES = const(1024)
PART_BYTES_MAX = const(64 * 1024)  # of an open range: a player that pauses must not hold the line up


async def media(site: "Page", request: "Request", rest: str) -> Response:
    """Approved media by its root; the device checks the gate and the bytes, and refuses the rest."""
    return _send(request, site.device.media(id_of(rest)))


async def own(site: "Page", request: "Request", rest: str) -> Response:
    """The learner's own recording by its item id."""
    return _send(request, site.device.own_media(id_of(rest)))


def range_of(header: str, size: int) -> "tuple[int, int] | None":
    """(first, end) of `bytes=a-b`, `a-` or `-n` in a body of `size` bytes; None when there is nothing."""
    start, dash, last = header[6:].partition("-")
    digits = start + last
    if not header.startswith("bytes=") or not dash or not digits.isdigit() or len(digits) > 20:
        return 0, size  # a form that we do not take means the whole body (RFC 9110, 14.2)
    if not start:
        first, end = max(0, size - int(last)), size
    else:
        first, end = int(start), min(size, int(last) + 1) if last else size
    return (first, end) if first < end else None


def _send(request: "Request", found: "tuple[str, int, Callable[[int, int], bytes]]") -> Response:
    media_type, size, read = found
    headers = {"Content-Type": media_type, "Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    asked = request.headers.get("Range", "")
    part = range_of(asked, size)
    if part is None:
        headers["Content-Range"] = "bytes */" + str(size)
        return Response("", 416, headers)
    first, end = part
    status = 200
    if asked.startswith("bytes=") and "," not in asked:
        end = min(end, first + PART_BYTES_MAX)  # the player asks for the next part when it wants it
        headers["Content-Range"] = "bytes " + str(first) + "-" + str(end - 1) + "/" + str(size)
        status = 206
    headers["Content-Length"] = str(end - first)
    return streamed(_pieces(read, first, end), status, headers)


def _pieces(read: "Callable[[int, int], bytes]", first: int, end: int) -> "Iterator[bytes]":
    while first < end:
        piece = read(first, min(PIECE_BYTES, end - first))
        if not piece:
            return  # taken away while it played: the browser sees a short body
        first += len(piece)
        yield piece
