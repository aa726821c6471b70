"""Browser -> here -> blobs: renditions for those who may see them, piece by piece; and the page's own files."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from hub_daemon.staff import context

STATIC = Path(__file__).parent / "static"
MEDIA_ROLES = ("video", "still", "contact")
RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})", re.ASCII)
SAFE_TYPES = ("video/webm", "video/mp4", "image/jpeg", "image/png")


def span(header: str, length: int) -> tuple[int, int] | None:
    """(first, last) of a single byte range (RFC 9110 section 14.1.2); None when it cannot be satisfied."""
    found = RANGE.fullmatch(header.strip())
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = found.group(1), found.group(2)
    if not first:
        count = min(int(last), length)
        return (length - count, length - 1) if count else None
    start, end = int(first), int(last) if last else length - 1
    if start >= length or end < start:
        return None
    return start, min(end, length - 1)


@require_safe
def item_media(request: HttpRequest, item: bytes, role: str) -> HttpResponse:
    """A rendition's bytes, for the item's holder or a reader with a reason; the reading is logged before."""
    if role not in MEDIA_ROLES:
        raise Http404
    hub = context.get()
    rendition = hub.moderation.open_media(request.signer.person, item, role, request.GET.get("why", "")[:200])
    plain_type = rendition.media_type.split(";")[0].strip()
    content_type = rendition.media_type if plain_type in SAFE_TYPES else "application/octet-stream"
    length = rendition.length
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": "inline"}
    body = hub.blobs.read(rendition.digest)  # verified against its root: what is shown is what is signed
    wanted = request.headers.get("Range", "")
    if not wanted:
        return HttpResponse(body, content_type=content_type, headers=headers)
    part = span(wanted, length)
    if part is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{length}"})
    first, last = part
    headers["Content-Range"] = f"bytes {first}-{last}/{length}"
    return HttpResponse(body[first : last + 1], status=206, content_type=content_type, headers=headers)


@login_not_required
@require_safe
def static_file(request: HttpRequest, name: str) -> HttpResponse:
    """Style sheets and scripts: only files that are really there, never a path of the caller's making."""
    known = {str(path.relative_to(STATIC)): path for path in STATIC.rglob("*") if path.is_file()}
    path = known.get(name)
    if path is None:
        raise Http404
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "text/plain"
    return HttpResponse(path.read_bytes(), content_type=kind, headers={"Cache-Control": "public, max-age=3600"})
