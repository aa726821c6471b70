"""Path -> here -> html: the first page, enrolment, help now, and what is said when something did not work."""

from firmware.page import guard
from firmware.page.app import html, see
from firmware.page.dock import dock_panel, dock_state
from firmware.page.html import heading, icon, page, prose
from firmware.page.words import esc
from firmware.views import author_name
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.page.ask import Ask

NEW_SHOWN_MAX = 3  # three things at most; the groups have the rest


async def first(site: "Page", request: "Request", rest: str) -> "Response":
    if site.device.status()["state"] in ("new", "enrolling"):
        ask = site.ask(request)
        asked = ask.status["digits"] and ask.status["agreed"] is None  # no reload under somebody's finger
        return html(page(ask, "enrol", _enrol(ask), refresh=not asked))
    ask = site.ask(request)
    return html(page(ask, "home", _home(ask), refresh=dock_state(ask) == "docked"))


async def digits(site: "Page", request: "Request", rest: str) -> "Response":
    """Somebody compared both screens. Whatever is not a yes, to the digits shown now, is none."""
    fields = await guard.form(request)
    site.device.confirm_digits(fields.get("digits", ""), fields.get("do") == "same")
    return see("/")


def _home(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("home.hello", name=author_name(ask.device, ask.status["learner"])))
    yield from dock_panel(ask)
    yield f'<section class="block"><h2>{icon("new")}{w("home.new")}</h2>'
    shown = 0
    for group, name in ask.device.groups():
        for thread in ask.device.threads(group) if shown < NEW_SHOWN_MAX else ():
            if not thread["unread"] or shown >= NEW_SHOWN_MAX:
                continue
            shown += 1
            yield f'<a class="card link" href="/thread/{thread["id"].hex()}">'
            yield f'<b dir="auto">{prose(thread["title"] or w("home.untitled"))}</b> '
            yield f'<span class="chip">{w("new.count", count=thread["unread"])}</span>'
            yield f'<small dir="auto">{esc(name)}</small></a>'
    if not shown:
        yield f'<p class="empty">{w("home.nothing")}</p><p><a class="button" href="/groups">'
        yield f'{icon("groups")}{w("home.togroups")}</a></p>'
    yield '</section><div class="pair">'
    waiting = ask.counts("waiting")
    yield f'<a class="card tile" href="/waiting">{icon("waiting")}<b>{waiting}</b> <span>{w("home.waiting")}'
    yield (f'<small>{w("home.since", at=ask.when(ask.oldest_s()))}</small>' if waiting else "") + "</span></a>"
    back = ask.counts("back")
    yield f'<a class="card tile{" warm" if back else ""}" href="/back">{icon("back")}<b>{back}</b> '
    yield f'<span>{w("home.back")}</span></a></div>'


def _enrol(ask: "Ask") -> "Iterator[str]":
    """Not yet anybody's device: what to do, and the six digits while staff compare them."""
    w = ask.words
    digits = esc(ask.status["digits"] or "")
    agreed = ask.status["agreed"]
    lead = "enrol.lead" if not digits else "enrol.compare" if agreed is None else "enrol.agreed"
    yield heading(w("enrol.head"), w(lead if agreed is not False else "enrol.differ"))
    yield f'<p id="digits" class="digits" data-digits="{digits}"{"" if digits else " hidden"}>'
    yield f"{digits[:3]} {digits[3:]}</p>"
    if digits and agreed is not False:
        yield f'<form method="post" action="/digits" class="pair"><input type="hidden" name="digits" value="{digits}">'
        if agreed is None:
            yield f'<button class="button" id="digits-same" name="do" value="same">{w("enrol.same")}</button>'
        yield f'<button class="button second" id="digits-differ" name="do" value="no">{w("enrol.no")}</button></form>'
    yield from dock_panel(ask)
    yield f'<section class="block"><h2>{w("enrol.next")}</h2><ol class="steps">'
    for step in ("1", "2", "3"):
        yield f'<li>{w("enrol.step." + step)}</li>'
    yield "</ol></section>"


async def help_now(site: "Page", request: "Request", rest: str) -> "Response":
    ask = site.ask(request)
    return html(page(ask, "help", _help(ask)))


def _help(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("help.head"), w("help.lead"))
    yield f'<p class="notice strong">{w("help.dock")}</p>'
    for way in ("bell", "samaritans", "listener", "staff"):
        yield f'<section class="card helper"><h2>{w("help." + way)}</h2><p>{w("help." + way + ".words")}</p></section>'


def trouble(ask: "Ask", name: str) -> "Iterator[str]":
    """What happened and what to do, never a code alone; `name` is the refusal's."""
    return page(ask, "trouble", _trouble(ask, name))


def _trouble(ask: "Ask", name: str) -> "Iterator[str]":
    w = ask.words
    known = "trouble." + name
    yield heading(w("trouble.head"))
    yield f'<p class="notice">{w(known) if w.has(known) else w("trouble.other", name=name)}</p>'
    yield f'<p><a class="button" href="/">{icon("home")}{w("trouble.home")}</a></p>'
