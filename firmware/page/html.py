"""Device -> views -> here -> the browser: escaping, the frame around every page and the parts that pages share.

Everything that a person wrote goes through `esc` (words.py; attributes, form fields) or `prose` (what is read);
nothing else may put it into a page. Pages are generators of short strings: a whole page never stands in
the heap at once.
"""

from firmware.page.words import esc
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from firmware.page.ask import Ask

# What a reader cannot see and what turns the order of letters round (R21). The joiners U+200C and U+200D
# stay: Arabic, Persian and Indic words need them.
ODD = (
    "\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufeff"
    "\uffa0\u00ad\u034f\u0085\u007f"
)

ICONS = {
    "home": "M3 11 12 4l9 7v9h-6v-6H9v6H3z",
    "groups": "M4 5h11v8H9l-3 3v-3H4zM17 9h3v8h-2v3l-3-3h-5v-2",
    "waiting": "M6 3h12M6 21h12M7 3c0 5 5 6 5 9s-5 4-5 9M17 3c0 5-5 6-5 9s5 4 5 9",
    "back": "M9 5 4 10l5 5M4 10h9c4 0 7 2 7 6v3",
    "settings": "M4 7h9M17 7h3M4 17h3M11 17h9M13 4v6M7 14v6",
    "help": "M12 21s-8-5-8-11a4.5 4.5 0 0 1 8-3 4.5 4.5 0 0 1 8 3c0 6-8 11-8 11z",
    "write": "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
    "record": "M3 7h12v10H3zM15 11l6-3v8l-6-3",
    "say": "M4 9v6h4l5 4V5L8 9zM16 9c1.5 2 1.5 4 0 6M18.500 6.500c3 3.500 3 7.500 0 11",
    "new": "M12 3l2.500 6 6.500.500-5 4 1.500 6.500-5.500-3.500-5.500 3.500 1.500-6.500-5-4 6.500-.500z",
}


def prose(value: object) -> str:
    """What a person wrote, for reading: escaped, and every invisible or order-turning character shown."""
    raw = esc(value).encode()
    for odd in _odd_ones(raw):
        point = ord(odd.decode())
        raw = raw.replace(odd, '<span class="odd">U+{:04X}</span>'.format(point).encode())  # noqa: UP032
    return raw.decode()


def _odd_ones(raw: bytes) -> "Iterator[bytes]":
    """Those of ODD and of the controls that stand in UTF-8; as bytes, since a character taken out stays on the heap."""
    odd = ODD.encode()
    at = 0
    while at < len(odd):
        size = 1 if odd[at] < 0x80 else 2 if odd[at] < 0xE0 else 3
        if odd[at : at + size] in raw:
            yield odd[at : at + size]
        at += size
    for code in range(32):
        if code not in (9, 10) and code in raw:
            yield bytes((code,))


def icon(name: str) -> str:
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{ICONS[name]}"/></svg>'


def page(ask: "Ask", name: str, body: "Iterator[str]", title: str = "", refresh: bool = False) -> "Iterator[str]":
    """The frame: `name` is the place in the navigation, `title` (already escaped) what the page is called."""
    w = ask.words
    choice = ask.choice
    scheme = f'size-{choice["size"]} space-{choice["space"]} colour-{choice["colour"]}'
    yield f'<!doctype html><html lang="{ask.language}" class="{scheme}"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f'<title>{title or w(name + ".title")} – Perch</title>'
    yield f'<link rel="icon" type="image/svg+xml" href="{ask.static("perch.svg")}">'
    yield f'<link rel="stylesheet" href="{ask.static("page.css")}">'
    yield f'<script src="{ask.static("page.js")}" defer></script>'
    if refresh:
        yield '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    yield f'</head><body data-read="{choice["read"]}" data-say="{w("say")}" data-hush="{w("hush")}">'
    yield f'<a class="skip" href="#main">{w("skip")}</a><header class="top"><div class="bar">'
    yield '<a class="brand" href="/" aria-label="Perch">'
    yield f'<img src="{ask.static("perch.svg")}" alt="" width="44" height="44"><span>Perch</span></a>'
    yield f'<a class="help" href="/help"{_current(name == "help")}>{icon("help")}{w("help.link")}</a></div>'
    if ask.enrolled:
        yield f'<nav aria-label="{w("nav")}"><ul>'
        for place in ("home", "groups", "waiting", "back", "settings"):
            yield _tab(ask, place, name)
        yield "</ul></nav>"
    yield '</header><main id="main" tabindex="-1">'
    yield from body
    yield f'</main><footer class="foot"><ul><li><a href="/help">{w("help.link")}</a></li>'
    yield f'<li><a href="/recorded">{w("recorded.link")}</a></li>'
    if not ask.enrolled:
        yield f'<li><a href="/settings">{w("settings.tab")}</a></li>'
    yield f'</ul><form method="post" action="/language"><input type="hidden" name="back" value="{esc(ask.path)}">'
    other, own_name = ("cy", "Cymraeg") if ask.language == "en" else ("en", "English")
    yield f'<button class="quiet" name="language" value="{other}" lang="{other}">{own_name}</button></form></footer>'
    yield "</body></html>"


def _current(here: bool) -> str:
    return ' aria-current="page"' if here else ""


def _tab(ask: "Ask", place: str, here: str) -> str:
    count = ask.counts(place)
    mark = f' <span class="count">{count}</span>' if count else ""
    path = "/" if place == "home" else "/" + place
    words = ask.words(place + ".tab")
    return f'<li><a href="{path}"{_current(place == here)}>{icon(place)}<span>{words}</span>{mark}</a></li>'


def heading(text: str, sub: str = "") -> str:
    """The one h1 of a page; both texts already escaped."""
    return f"<h1>{text}</h1>" + (f'<p class="lead">{sub}</p>' if sub else "")


def crumb(path: str, words: str) -> str:
    return f'<p class="crumb"><a href="{path}">{icon("back")}{words}</a></p>'


def dots(ask: "Ask", state: int, times: "list[int | None]") -> "Iterator[str]":
    """An item's way: saved, handed over, being read, delivered; `state` 0 to 4, never ahead of the truth."""
    w = ask.words
    reached = (0, 1, 2, 4)
    yield f'<ol class="way" aria-label="{w("way")}">'
    for place in range(4):
        done = state >= reached[place]
        at = times[reached[place]] if reached[place] < len(times) else None
        when = (ask.when(at) if at else w("way.yes")) if done else w("way.notyet")
        yield f'<li class="{"done" if done else "later"}"><span class="dot" aria-hidden="true"></span>'
        yield f'<b>{w("way." + str(place))}</b> <small>{when}</small></li>'
    yield "</ol>"


def video(ask: "Ask", message: "dict[str, Any]") -> "Iterator[str]":
    """The recorded picture of a message: what was approved, or the author's own recording while it waits."""
    still = message.get("still")
    item = message["item"]
    path = "/own/" + item.hex() if item in ask.device.outbox.own else "/media/" + message["video"].hex()
    yield '<div class="frame"><video class="message-video" controls playsinline width="320" height="240"'
    yield f' preload="{"none" if still else "metadata"}" src="{path}" aria-label="{ask.words("thread.video")}"'
    yield f' poster="/media/{still.hex()}"' if still else ""
    yield '></video><span class="length" hidden></span></div>'
