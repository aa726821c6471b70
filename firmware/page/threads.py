"""ask -> here -> html: the groups, the threads of one group, and the messages of one thread."""

from firmware.page.html import dots, esc, heading, icon, page, prose
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.page.ask import Ask

APPROVED = 3  # from here on an own message needs no dots in its thread


def groups(ask: "Ask") -> "Iterator[str]":
    yield from page(ask, "groups", _groups(ask))


def _groups(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("groups.head"))
    shown = False
    for group, name in ask.device.groups():
        shown = True
        unread = sum([thread["unread"] for thread in ask.device.threads(group)])
        yield '<a class="card link" data-group="' + esc(group) + '" href="/group/' + esc(group) + '"><b dir="auto">'
        yield esc(name) + "</b>"
        yield ' <span class="chip">' + w("new.count", count=unread) + "</span></a>" if unread else "</a>"
    if not shown:
        yield '<p class="empty">' + w("groups.none") + "</p>"


def group(ask: "Ask", group_id: str, name: str, listed: "list[dict]") -> "Iterator[str]":
    yield from page(ask, "group", _group(ask, group_id, name, listed), esc(name))


def _group(ask: "Ask", group_id: str, name: str, listed: "list[dict]") -> "Iterator[str]":
    w = ask.words
    yield crumb("/groups", w("groups.tab"))
    yield '<h1 dir="auto">' + esc(name) + "</h1>"
    yield from makers(ask, "group=" + esc(group_id), w("group.write"), w("group.record"))
    for thread in listed:
        yield '<a class="card link" data-item="' + thread["id"].hex() + '" href="/thread/' + thread["id"].hex() + '">'
        yield '<b dir="auto">' + prose(thread["title"] or w("thread.untitled")) + "</b>"
        if thread["unread"]:
            yield ' <span class="chip">' + w("new.count", count=thread["unread"]) + "</span>"
        yield "<small>" + w("thread.by", name=thread["author_name"] or w("thread.someone")) + " · "
        yield w("thread.count", count=thread["count"]) + "</small></a>"
    if not listed:
        yield '<p class="empty">' + w("group.none") + "</p>"


def thread(ask: "Ask", root: bytes, messages: "list[dict]", title: str) -> "Iterator[str]":
    yield from page(ask, "thread", _thread(ask, root, messages, title), esc(title))


def _thread(ask: "Ask", root: bytes, messages: "list[dict]", title: str) -> "Iterator[str]":
    w = ask.words
    yield crumb("/groups", w("groups.tab"))
    yield '<h1 dir="auto">' + prose(title) + "</h1>"
    for message in messages:
        yield from _message(ask, message, message["item"] != root)
    yield from makers(ask, "to=" + root.hex(), w("thread.write"), w("thread.record"))


def _message(ask: "Ask", message: "dict", reply: bool) -> "Iterator[str]":
    w = ask.words
    item = message["item"].hex()
    mine = message["mine"]
    yield '<article class="card message' + (" mine" if mine else "") + (" reply" if reply else "")
    yield '" data-item="' + item + '"><header><b dir="auto">'
    yield w("thread.you") if mine else prose(message["author_name"])
    yield "</b> <small>" + (ask.when(message["at"]) if message.get("at") else "") + "</small>"
    if message.get("unread"):
        yield ' <span class="chip">' + w("new.one") + "</span>"
    yield "</header>"
    if message.get("video"):
        yield from video(ask, message)
    elif message.get("video_coming"):
        yield '<p class="empty">' + w("thread.coming") + "</p>"
    text = message.get("text") or ""
    if text:
        yield '<p class="words" dir="auto" data-say>' + prose(text) + "</p>"
    if mine and message["state"] < APPROVED:
        yield from dots(ask, message["state"], message.get("times") or [])
    yield "</article>"


def video(ask: "Ask", message: "dict") -> "Iterator[str]":
    """The recorded picture of a message: the approved rendition, or the author's own recording of one that waits."""
    path = "/own/" + message["item"].hex() if message["mine"] else "/media/" + message["video"].hex()
    yield '<div class="frame"><video class="message-video" controls playsinline preload="'
    yield ("none" if message.get("still") else "metadata") + '" width="320" height="240" src="' + path + '"'
    if message.get("still"):
        yield ' poster="/media/' + message["still"].hex() + '"'
    yield ' aria-label="' + ask.words("thread.video") + '"></video>'
    length = message.get("duration_ms")
    yield '<span class="length"' + ("" if length else " hidden") + ">" + (clock(length) if length else "") + "</span></div>"


def clock(length_ms: int) -> str:
    """0:27"""
    seconds = (length_ms + 500) // 1000
    return "{}:{:02d}".format(seconds // 60, seconds % 60)  # noqa: UP032


def crumb(path: str, words: str) -> str:
    return '<p class="crumb"><a href="' + path + '">' + icon("back") + words + "</a></p>"


def makers(ask: "Ask", query: str, write: str, record: str) -> "Iterator[str]":
    """Write and record, side by side."""
    yield '<div class="pair makers"><a id="write" class="button" href="/write?' + query + '">' + icon("write") + write
    yield '</a><a id="record" class="button" href="/record?' + query + '">' + icon("record") + record + "</a></div>"
