"""Path -> here -> html: the recording page; record.js does the recording and upload.py takes it."""

from firmware.page.app import html, id_of
from firmware.page.html import crumb, heading, icon, page, prose
from firmware.page.words import esc
from protocol.compat import TYPE_CHECKING
from protocol.limits import BLOB_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microdot import Request, Response

    from firmware.page.app import Page, Place
    from firmware.page.ask import Ask

SECONDS = 30  # a message that people watch to its end; at most 1 MB on the wire
SECONDS_MAX = 60  # what a wing can allow
FOR_SCRIPT = ("ready", "go", "on", "look", "saving", "nocamera", "toobig", "empty", "failed", "notvideo", "left")


async def record(site: "Page", request: "Request", rest: str) -> "Response":
    """`?group=` for a new thread, `?to=` for a reply, `?again=` for one that came back."""
    again = request.args.get("again", "")
    text = ""
    if again:
        item = site.came_back(id_of(again))
        place = site.place({"group": item["group"], "to": item["parent"].hex() if item["parent"] else ""})
        text = item["text"]
    else:
        place = site.place(request.args)
    ask = site.ask(request)
    return html(page(ask, "record", _record(ask, place, text)))


def _record(ask: "Ask", place: "Place", text: str) -> "Iterator[str]":
    w = ask.words
    yield crumb(esc(place.back), w("write.away"))
    yield heading(w("record.reply") if place.root else w("record.new"))
    yield f'<p class="lead" dir="auto">{prose(place.title if place.root else place.name)}</p>'
    yield f'<p class="promise">{w("write.promise")}</p>'
    yield f'<noscript><p class="notice">{w("record.noscript")}</p></noscript>'
    yield f'<div id="recorder" data-phase="start" data-seconds="{SECONDS}" data-max="{BLOB_BYTES_MAX}"'
    yield f' data-group="{esc(place.group)}" data-to="{place.to}"'
    for word in FOR_SCRIPT:
        yield f' data-{word}="{w("record." + word)}"'
    yield from _stage(ask)
    yield '<p id="say" class="lead" role="status"></p>'
    yield f'<progress id="save-bar" max="1" value="0" hidden aria-label="{w("record.saving")}"></progress>'
    yield '<div class="pair controls"><button type="button" id="record-start" class="button">'
    yield f'{icon("record")}{w("record.start")}</button>'
    yield f'<button type="button" id="record-stop" class="button stop" hidden>{w("record.stop")}</button>'
    yield f'<button type="button" id="record-keep" class="button" hidden>{icon("waiting")}{w("record.keep")}</button>'
    yield f'<button type="button" id="record-again" class="button second" hidden>{w("record.again")}</button></div>'
    yield f'<label for="text">{w("record.label")}</label><p class="hint" id="hint">{w("record.hint")}</p>'
    yield '<input id="text" type="text" dir="auto" maxlength="200" autocomplete="off" aria-describedby="hint"'
    yield f' value="{esc(text)}"><div class="upload"><label for="record-file">{w("record.file")}</label>'
    yield '<input type="file" id="record-file" accept="video/*"></div></div>'
    yield f'<script src="{ask.static("record.js")}" defer></script>'


def _stage(ask: "Ask") -> "Iterator[str]":
    """Where one sees oneself, the countdown, the ring, and then the recording."""
    w = ask.words
    size = 'playsinline width="320" height="240"'
    yield f'><div class="stage"><video id="self" muted {size} aria-label="{w("record.self")}"></video>'
    yield f'<video id="look" controls {size} hidden aria-label="{w("record.lookat")}"></video>'
    yield f'<p class="idle" aria-hidden="true">{icon("record")}</p>'
    yield '<svg class="ring" viewBox="0 0 120 120" aria-hidden="true"><circle class="track" cx="60" cy="60" r="54"/>'
    yield '<circle id="ring" cx="60" cy="60" r="54" pathLength="100" stroke-dasharray="0 100"/></svg>'
    yield '<p id="big" class="big" aria-hidden="true"></p><p id="live" class="live" hidden>'
    yield f'<span aria-hidden="true"></span>{w("record.live")}</p></div>'
