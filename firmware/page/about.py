"""Path -> here -> html: what is recorded about the learner, and the learner's settings."""

from firmware.page import guard
from firmware.page.app import html, see
from firmware.page.ask import CHOICES
from firmware.page.html import heading, page, prose
from firmware.page.words import esc
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.page.ask import Ask
    from protocol.records.journal import JournalEntry

ENTRIES_A_PAGE = 30
DETAIL_CHARS = 16  # enough of an item's name to find it again


async def recorded(site: "Page", request: "Request", rest: str) -> "Response":
    """The journal, newest first; `?before=N` goes back."""
    device = site.device
    end = device.journal.next_seq
    before = str(request.args.get("before", ""))
    last = min(end, int(before)) if before.isdigit() and len(before) < 10 else end
    first = max(0, last - ENTRIES_A_PAGE)
    entries = list(device.journal_entries(first, last - first))
    entries.reverse()
    ask = site.ask(request)
    return html(page(ask, "recorded", _recorded(ask, entries, first)))


def _recorded(ask: "Ask", entries: "list[JournalEntry]", first: int) -> "Iterator[str]":
    w = ask.words
    yield heading(w("recorded.head"), w("recorded.lead")) + '<ul class="ticks">'
    for line in ("yes", "no", "who"):
        yield f'<li>{w("recorded." + line)}</li>'
    if not entries:
        yield f'</ul><p class="empty">{w("recorded.none")}</p>'
        return
    yield f'</ul><table class="journal"><caption>{w("recorded.table")}</caption><thead><tr>'
    for column in ("number", "when", "what"):
        yield f'<th scope="col">{w("recorded." + column)}</th>'
    yield "</tr></thead><tbody>"
    for entry in entries:
        key = "did." + entry.action
        yield f"<tr><td>{entry.seq}</td><td>{ask.when(entry.clock_s)}</td><td>"
        yield w(key) if w.has(key) else esc(entry.action)
        yield f' <small dir="auto">{prose(entry.detail[:DETAIL_CHARS])}</small>' if entry.detail else ""
        yield "</td></tr>"
    yield "</tbody></table>"
    if first > 0:
        yield f'<p><a class="button second" href="/recorded?before={first}">{w("recorded.older")}</a></p>'


async def settings(site: "Page", request: "Request", rest: str) -> "Response":
    ask = site.ask(request)
    return html(page(ask, "settings", _settings(ask)))


def _settings(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("settings.head"))
    if "saved" in ask.args:
        yield f'<p class="notice good" role="status">{w("settings.saved")}</p>'
    yield '<form method="post" action="/settings" class="settings">'
    for name in ("size", "space", "colour", "read"):
        yield f'<fieldset><legend>{w("settings." + name)}</legend><div class="choices">'
        for value in CHOICES[name]:
            yield _choice(name, value, w("settings." + name + "." + value), ask.choice[name] == value)
        yield "</div></fieldset>"
    yield '<fieldset><legend><span lang="en">Language</span> / <span lang="cy">Iaith</span></legend>'
    yield '<div class="choices">' + _choice("language", "en", '<span lang="en">English</span>', ask.language == "en")
    yield _choice("language", "cy", '<span lang="cy">Cymraeg</span>', ask.language == "cy")
    yield f'</div></fieldset><button class="button" id="settings-save">{w("settings.save")}</button></form>'


def _choice(name: str, value: str, words: str, chosen: bool) -> str:
    code = name + "-" + value
    checked = " checked" if chosen else ""
    return (
        f'<label class="choice {code}" for="{code}"><input type="radio" id="{code}" name="{name}" value="{value}"'
        f"{checked}> <span>{words}</span></label>"
    )


async def choose(site: "Page", request: "Request", rest: str) -> "Response":
    site.site.choose(await guard.form(request))
    return see("/settings?saved=1")


async def language(site: "Page", request: "Request", rest: str) -> "Response":
    """The button at the foot of every page; goes back to that page."""
    fields = await guard.form(request)
    site.site.choose({"language": fields.get("language", "")})
    where = fields.get("back", "/")
    local = where[:1] == "/" and where[:2] != "//" and all([" " < c < "\x7f" and c != "\\" for c in where])
    return see(where if local else "/")
