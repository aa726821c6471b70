"""ask -> here -> html: what is the learner's own: what waits, what came back, what is recorded, settings."""

from firmware.page.html import dots, esc, heading, icon, page, prose
from firmware.page.threads import video
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.page.ask import Ask

EXTRACT_CHARS = 160  # of an own message in a list; the thread has all of it
ENTRIES_A_PAGE = 30  # of the journal


def waiting(ask: "Ask", items: "list[dict]", saved: bool) -> "Iterator[str]":
    yield from page(ask, "waiting", _waiting(ask, items, saved))


def _waiting(ask: "Ask", items: "list[dict]", saved: bool) -> "Iterator[str]":
    w = ask.words
    yield heading(w("waiting.head"))
    if saved:
        yield '<p class="notice good" id="saved" role="status">' + w("waiting.saved") + "</p>"
    if not items:
        yield '<p class="empty">' + w("waiting.none") + '</p><p><a class="button" href="/groups">' + icon("groups")
        yield w("home.togroups") + "</a></p>"
        return
    yield '<p class="lead">' + w("waiting.lead") + "</p>"
    delivered = False
    for item in items:
        if item["state"] >= 4 and not delivered:
            delivered = True
            yield "<h2>" + w("waiting.delivered") + "</h2>"
        yield '<article class="card waiting" data-item="' + item["item"].hex() + '" data-state="' + str(item["state"]) + '">'
        if item.get("video"):
            yield from video(ask, {"item": item["item"], "video": True, "mine": True})
        yield '<p class="words" dir="auto">' + prose(short(item.get("text") or w("waiting.video"))) + "</p>"
        yield from dots(ask, item["state"], item.get("times") or [])
        yield "</article>"


def short(text: str) -> str:
    return text if len(text) <= EXTRACT_CHARS else text[:EXTRACT_CHARS] + "…"


def back(ask: "Ask", items: "list[dict]") -> "Iterator[str]":
    yield from page(ask, "back", _back(ask, items))


def _back(ask: "Ask", items: "list[dict]") -> "Iterator[str]":
    w = ask.words
    yield heading(w("back.head"), w("back.lead") if items else "")
    if not items:
        yield '<p class="empty">' + w("back.none") + "</p>"
    for item in items:
        code = item["item"].hex()
        yield '<article class="card returned" data-item="' + code + '"><h2>' + w("back.rejected" if item["action"] == 3 else "back.returned")
        yield " <small>" + ask.when(item.get("at")) + '</small></h2><h3>' + w("back.yours") + "</h3>"
        yield '<p class="words quote" dir="auto">' + prose(short(item.get("text") or w("waiting.video"))) + "</p><h3>" + w("back.why") + "</h3>"
        reason = "reason." + str(item["reason"]) if item["action"] else "hub." + item["words"]
        other = "reason.unknown" if item["action"] else "hub.unknown"
        yield '<p data-reason="' + str(item["reason"]) + '" data-say>' + (w(reason) if w.has(reason) else w(other, name=item["words"])) + "</p>"
        if item["action"] and item["words"]:
            yield "<h3>" + w("back.staff") + '</h3><p class="words" dir="auto" data-say>' + prose(item["words"]) + "</p>"
        yield '<div class="pair">'
        if item["action"] != 3:
            yield '<a class="button change" href="/write?again=' + code + '">' + icon("write") + w("back.change") + "</a>"
        yield '<a class="button second" href="/appeal/' + code + '">' + w("back.appeal") + "</a></div></article>"


def appeal(ask: "Ask", item: "dict") -> "Iterator[str]":
    yield from page(ask, "appeal", _appeal(ask, item))


def _appeal(ask: "Ask", item: "dict") -> "Iterator[str]":
    w = ask.words
    yield heading(w("appeal.head"), w("appeal.lead"))
    yield "<ol class='steps'><li>" + w("appeal.1") + "</li><li>" + w("appeal.2") + "</li><li>" + w("appeal.3") + "</li></ol>"
    yield '<p class="notice">' + w("appeal.code") + ' <b class="code">' + item["item"].hex()[:12].upper() + "</b></p>"
    yield '<p class="words quote" dir="auto">' + prose(short(item.get("text") or w("waiting.video"))) + "</p>"
    yield '<p><a class="button second" href="/back">' + icon("back") + w("back.tab") + "</a></p>"


def recorded(ask: "Ask", entries: "list", first: int) -> "Iterator[str]":
    """`entries` newest first, the oldest of them number `first`."""
    yield from page(ask, "recorded", _recorded(ask, entries, first))


def _recorded(ask: "Ask", entries: "list", first: int) -> "Iterator[str]":
    w = ask.words
    yield heading(w("recorded.head"), w("recorded.lead"))
    yield "<ul class='ticks'><li>" + w("recorded.yes") + "</li><li>" + w("recorded.no") + "</li><li>" + w("recorded.who") + "</li></ul>"
    if not entries:
        yield '<p class="empty">' + w("recorded.none") + "</p>"
        return
    yield '<table class="journal"><caption>' + w("recorded.table") + '</caption><thead><tr><th scope="col">' + w("recorded.number")
    yield '</th><th scope="col">' + w("recorded.when") + '</th><th scope="col">' + w("recorded.what") + "</th></tr></thead><tbody>"
    for entry in entries:
        key = "did." + entry.action
        yield "<tr><td>" + str(entry.seq) + "</td><td>" + ask.when(entry.clock_s) + "</td><td>"
        yield (w(key) if w.has(key) else esc(entry.action))
        yield ' <small dir="auto">' + prose(entry.detail[:16]) + "</small></td></tr>" if entry.detail else "</td></tr>"
    yield "</tbody></table>"
    if first > 0:
        yield '<p><a class="button second" href="/recorded?before=' + str(first) + '">' + w("recorded.older") + "</a></p>"


def settings(ask: "Ask", saved: bool) -> "Iterator[str]":
    yield from page(ask, "settings", _settings(ask, saved))


def _settings(ask: "Ask", saved: bool) -> "Iterator[str]":
    w = ask.words
    yield heading(w("settings.head"))
    if saved:
        yield '<p class="notice good" role="status">' + w("settings.saved") + "</p>"
    yield '<form method="post" action="/settings" class="settings">'
    for name, allowed in (("size", ("m", "l", "xl")), ("space", ("n", "w")), ("colour", ("light", "cream", "dark")), ("read", ("no", "yes"))):
        yield "<fieldset><legend>" + w("settings." + name) + '</legend><div class="choices">'
        for value in allowed:
            yield _choice(name, value, w("settings." + name + "." + value), ask.choice[name] == value)
        yield "</div></fieldset>"
    yield "<fieldset><legend>" + w("settings.language") + ' <span lang="en">Language</span> / <span lang="cy">Iaith</span></legend><div class="choices">'
    yield _choice("language", "en", '<span lang="en">English</span>', ask.language == "en")
    yield _choice("language", "cy", '<span lang="cy">Cymraeg</span>', ask.language == "cy")
    yield '</div></fieldset><button class="button" id="settings-save">' + w("settings.save") + "</button></form>"


def _choice(name: str, value: str, words: str, chosen: bool) -> str:
    code = name + "-" + value
    return (
        '<label class="choice ' + code + '" for="' + code + '"><input type="radio" id="' + code + '" name="' + name
        + '" value="' + value + '"' + (" checked" if chosen else "") + "> <span>" + words + "</span></label>"
    )
