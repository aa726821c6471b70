"""Path -> here -> html: the groups, the threads of one group, and the messages of one thread."""

from firmware.page.app import html, id_of
from firmware.page.html import crumb, dots, heading, icon, page, prose, video
from firmware.page.words import esc
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.page.ask import Ask

    Row = dict[str, Any]

APPROVED = 3  # from here on an own message needs no dots in its thread


async def groups(site: "Page", request: "Request", rest: str) -> "Response":
    ask = site.ask(request)
    return html(page(ask, "groups", _groups(ask)))


def _groups(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("groups.head"))
    shown = False
    for group, name in ask.device.groups():
        shown = True
        unread = sum([thread["unread"] for thread in ask.device.threads(group)])
        yield f'<a class="card link" data-group="{esc(group)}" href="/group/{esc(group)}">'
        yield f'<b dir="auto">{esc(name)}</b>'
        yield f' <span class="chip">{w("new.count", count=unread)}</span></a>' if unread else "</a>"
    if not shown:
        yield f'<p class="empty">{w("groups.none")}</p>'


async def group(site: "Page", request: "Request", rest: str) -> "Response":
    name = site.group_name(rest)
    ask = site.ask(request)
    return html(page(ask, "group", _group(ask, rest, name), esc(name)))


def _group(ask: "Ask", group_id: str, name: str) -> "Iterator[str]":
    w = ask.words
    yield crumb("/groups", w("groups.tab"))
    yield f'<h1 dir="auto">{esc(name)}</h1>'
    yield from _makers("group=" + esc(group_id), w("group.write"), w("group.record"))
    shown = False
    for row in ask.device.threads(group_id):
        shown = True
        item = row["id"].hex()
        yield f'<a class="card link" data-item="{item}" href="/thread/{item}">'
        yield f'<b dir="auto">{prose(row["title"] or w("thread.untitled"))}</b>'
        if row["unread"]:
            yield f' <span class="chip">{w("new.count", count=row["unread"])}</span>'
        yield f'<small>{w("thread.by", name=row["author_name"] or w("thread.someone"))} · '
        yield f'{w("thread.count", count=row["count"])}</small></a>'
    if not shown:
        yield f'<p class="empty">{w("group.none")}</p>'


async def thread(site: "Page", request: "Request", rest: str) -> "Response":
    root = id_of(rest)
    _, title = site.find(root)
    messages = site.device.thread(root)
    for message in messages:
        if message["unread"]:
            site.device.mark_seen(message["item"])
    if site.opened != root:  # once a visit; reloading is not opening
        site.opened = root
        site.device.log("open", rest)
    ask = site.ask(request)
    title = title or ask.words("thread.untitled")
    return html(page(ask, "thread", _thread(ask, root, messages, title), esc(title)))


def _thread(ask: "Ask", root: bytes, messages: "list[Row]", title: str) -> "Iterator[str]":
    w = ask.words
    yield crumb("/groups", w("groups.tab"))
    yield f'<h1 dir="auto">{prose(title)}</h1>'
    for message in messages:
        text = message["text"] or ""
        if message["item"] == root and text.split("\n", 1)[0].strip() == title:
            text = text[text.find("\n") + 1 :] if "\n" in text else ""  # the title stands above already
        yield from _message(ask, message, message["item"] != root, text)
    yield from _makers("to=" + root.hex(), w("thread.write"), w("thread.record"))


def _message(ask: "Ask", message: "Row", reply: bool, text: str) -> "Iterator[str]":
    w = ask.words
    mine = message["mine"]
    kind = "card message" + (" mine" if mine else "") + (" reply" if reply else "")
    yield f'<article class="{kind}" data-item="{message["item"].hex()}"><header><b dir="auto">'
    yield w("thread.you") if mine else prose(message["author_name"])
    yield f'</b> <small>{ask.when(message["at"])}</small>'
    yield f' <span class="chip">{w("new.one")}</span></header>' if message["unread"] else "</header>"
    if message["video"]:
        yield from video(ask, message)
    elif message["video_coming"]:
        yield f'<p class="empty">{w("thread.coming")}</p>'
    if text:
        yield f'<p class="words" dir="auto" data-say>{prose(text)}</p>'
    if mine and message["state"] < APPROVED:
        yield from dots(ask, message["state"], [])
    yield "</article>"


def _makers(query: str, write: str, record: str) -> "Iterator[str]":
    """Write and record, side by side."""
    yield f'<div class="pair makers"><a id="write" class="button" href="/write?{query}">{icon("write")}{write}</a>'
    yield f'<a id="record" class="button" href="/record?{query}">{icon("record")}{record}</a></div>'
