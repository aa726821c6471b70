"""Path -> here -> html: what is the learner's own: what is on the way, what came back and why."""

from firmware.page.app import html, id_of
from firmware.page.html import dots, heading, icon, page, prose, video
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.page.ask import Ask

    Row = dict[str, Any]

EXTRACT_CHARS = 160  # of an own message in a list; the thread has all of it
DELIVERED = 4
DELIVERED_SHOWN_MAX = 5
REJECT = 3


async def waiting(site: "Page", request: "Request", rest: str) -> "Response":
    items = site.device.waiting()
    shown = [item for item in items if item["state"] < DELIVERED]
    shown += [item for item in items if item["state"] >= DELIVERED][:DELIVERED_SHOWN_MAX]
    ask = site.ask(request)
    return html(page(ask, "waiting", _waiting(ask, shown)))


def _waiting(ask: "Ask", items: "list[Row]") -> "Iterator[str]":
    w = ask.words
    yield heading(w("waiting.head"))
    if "saved" in ask.args:
        yield f'<p class="notice good" id="saved" role="status">{w("waiting.saved")}</p>'
    if not items:
        yield f'<p class="empty">{w("waiting.none")}</p><p><a class="button" href="/groups">'
        yield f'{icon("groups")}{w("home.togroups")}</a></p>'
        return
    yield f'<p class="lead">{w("waiting.lead")}</p>'
    delivered = False
    for item in items:
        if item["state"] >= DELIVERED and not delivered:
            delivered = True
            yield f'<h2>{w("waiting.delivered")}</h2>'
        yield f'<article class="card waiting" data-item="{item["item"].hex()}" data-state="{item["state"]}">'
        if item["video"]:
            yield from video(ask, {"item": item["item"]})
        yield f'<p class="words" dir="auto">{_short(ask, item["text"])}</p>'
        yield from dots(ask, item["state"], item["times"])
        yield "</article>"


def _short(ask: "Ask", text: str) -> str:
    text = text or ask.words("waiting.video")
    return prose(text if len(text) <= EXTRACT_CHARS else text[:EXTRACT_CHARS] + "…")


async def back(site: "Page", request: "Request", rest: str) -> "Response":
    items = site.device.returned()
    ask = site.ask(request)
    answer = html(page(ask, "back", _back(ask, items)))
    for item in items:
        if not item["seen"]:
            site.device.mark_seen(item["item"])
    return answer


def _back(ask: "Ask", items: "list[Row]") -> "Iterator[str]":
    w = ask.words
    yield heading(w("back.head"), w("back.lead") if items else "")
    if not items:
        yield f'<p class="empty">{w("back.none")}</p>'
    for item in items:
        code = item["item"].hex()
        what = w("back.rejected" if item["action"] == REJECT else "back.returned")
        yield f'<article class="card returned" data-item="{code}"><h2>{what} <small>{ask.when(item["at"])}</small></h2>'
        yield f'<h3>{w("back.yours")}</h3><p class="words quote" dir="auto">{_short(ask, item["text"])}</p>'
        if item["video"]:
            yield from video(ask, {"item": item["item"]})
        yield f'<h3>{w("back.why")}</h3><p data-reason="{item["reason"]}" data-say>{_why(ask, item)}</p>'
        if item["action"] and item["words"]:
            yield f'<h3>{w("back.staff")}</h3><p class="words" dir="auto" data-say>{prose(item["words"])}</p>'
        yield '<div class="pair">'
        if item["action"] != REJECT:
            make, words = ("record", "back.rerecord") if item["video"] else ("write", "back.change")
            yield f'<a class="button change" href="/{make}?again={code}">{icon(make)}{w(words)}</a>'
        yield f'<a class="button second" href="/appeal/{code}">{w("back.appeal")}</a></div></article>'


def _why(ask: "Ask", item: "Row") -> str:
    """The plain words of the coded ground, or of what the hub itself refused."""
    w = ask.words
    if not item["action"]:
        key = "refused." + item["code"]
        return w(key) if w.has(key) else w("refused.unknown", name=item["code"])
    key = "reason." + str(item["reason"])
    return w(key) if w.has(key) else w("reason.unknown")


async def appeal(site: "Page", request: "Request", rest: str) -> "Response":
    item = site.came_back(id_of(rest))
    ask = site.ask(request)
    return html(page(ask, "appeal", _appeal(ask, item)))


def _appeal(ask: "Ask", item: "Row") -> "Iterator[str]":
    w = ask.words
    yield heading(w("appeal.head"), w("appeal.lead"))
    yield f'<ol class="steps"><li>{w("appeal.1")}</li><li>{w("appeal.2")}</li><li>{w("appeal.3")}</li></ol>'
    yield f'<p class="notice">{w("appeal.code")} <b class="code">{item["item"].hex()[:12].upper()}</b></p>'
    yield f'<p class="words quote" dir="auto">{_short(ask, item["text"])}</p>'
    yield f'<p><a class="button second" href="/back">{icon("back")}{w("back.tab")}</a></p>'
