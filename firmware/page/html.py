"""Device -> views -> here -> the browser: escaping, the frame around every page, and bytes in small pieces.

Everything that a person wrote goes through `esc` (attributes, form fields) or `prose` (what is read);
nothing else may put it into a page. Pages are generators of short strings: a whole page never stands in
the heap at once.
"""

from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.page.ask import Ask

PIECE_CHARS = 1024  # one write to the socket: few packets, and small enough for a fragmented heap

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


def esc(value: object) -> str:
    """Any text, safe between tags and inside a quoted attribute."""
    text = str(value)
    for bad, good in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        if bad in text:
            text = text.replace(bad, good)
    return text


def prose(value: object) -> str:
    """What a person wrote, for reading: escaped, and every invisible or order-turning character shown."""
    text = esc(value)
    for odd in ODD:
        if odd in text:
            text = text.replace(odd, '<span class="odd">U+{:04X}</span>'.format(ord(odd)))  # noqa: UP032
    for code in range(32):
        if code not in (9, 10) and chr(code) in text:
            text = text.replace(chr(code), '<span class="odd">U+{:04X}</span>'.format(code))  # noqa: UP032
    return text


def icon(name: str) -> str:
    return (
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="' + ICONS[name] + '"/></svg>'
    )


def in_pieces(parts: "Iterator[str]") -> "Iterator[bytes]":
    """Join short strings into pieces of about PIECE_CHARS, as UTF-8."""
    held: "list[str]" = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= PIECE_CHARS:
            yield "".join(held).encode()
            held = []
            size = 0
    yield "".join(held).encode()


def page(ask: "Ask", name: str, body: "Iterator[str]", title: str = "", refresh: bool = False) -> "Iterator[str]":
    """The frame: `name` is the place in the navigation, `title` (already escaped) what the page is called."""
    w = ask.words
    title = title or w(name + ".title")
    choice = ask.choice
    yield '<!doctype html><html lang="' + ask.language + '" class="'
    yield "size-" + choice["size"] + " space-" + choice["space"] + " colour-" + choice["colour"]
    yield '"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    yield "<title>" + title + " – Perch</title>"
    yield '<link rel="icon" type="image/svg+xml" href="' + ask.static("perch.svg") + '">'
    yield '<link rel="stylesheet" href="' + ask.static("page.css") + '">'
    yield '<script src="' + ask.static("page.js") + '" defer></script>'
    if refresh:
        yield '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    yield '</head><body data-read="' + choice["read"] + '" data-say="' + w("say") + '" data-hush="' + w("hush") + '">'
    yield '<a class="skip" href="#main">' + w("skip") + '</a><header class="top"><div class="bar">'
    yield '<a class="brand" href="/"><img src="' + ask.static("perch.svg") + '" alt="" width="44" height="44">'
    yield '<span>Perch</span></a><a class="help" href="/help"'
    yield _current(name == "help") + ">" + icon("help") + w("help.link") + "</a></div>"
    if ask.enrolled:
        yield '<nav aria-label="' + w("nav") + '"><ul>'
        for place, path in (("home", "/"), ("groups", "/groups"), ("waiting", "/waiting"), ("back", "/back")):
            yield "<li>" + _tab(ask, place, path, name) + "</li>"
        yield "<li>" + _tab(ask, "settings", "/settings", name) + "</li></ul></nav>"
    yield '</header><main id="main" tabindex="-1">'
    yield from body
    yield '</main><footer class="foot"><ul><li><a href="/recorded">' + w("recorded.link") + "</a></li>"
    if not ask.enrolled:
        yield '<li><a href="/settings">' + w("settings.tab") + "</a></li>"
    yield '</ul><form method="post" action="/language"><input type="hidden" name="back" value="' + esc(ask.path) + '">'
    other = "cy" if ask.language == "en" else "en"
    yield '<button class="quiet" name="language" value="' + other + '" lang="' + other + '">'
    yield ("Cymraeg" if other == "cy" else "English") + "</button></form></footer></body></html>"


def _current(here: bool) -> str:
    return ' aria-current="page"' if here else ""


def _tab(ask: "Ask", place: str, path: str, here: str) -> str:
    count = ask.counts(place)
    mark = ' <span class="count">' + str(count) + "</span>" if count else ""
    return (
        '<a href="' + path + '"' + _current(place == here) + ">" + icon(place)
        + "<span>" + ask.words(place + ".tab") + "</span>" + mark + "</a>"
    )


def heading(text: str, sub: str = "") -> str:
    """The one h1 of a page; both texts already escaped."""
    return "<h1>" + text + "</h1>" + ('<p class="lead">' + sub + "</p>" if sub else "")


def dots(ask: "Ask", state: int, times: "list[int | None]") -> "Iterator[str]":
    """An item's way: saved, handed over, being read, delivered; `state` 0 to 4, never ahead of the truth."""
    w = ask.words
    reached = (0, 1, 2, 4)
    yield '<ol class="way" aria-label="' + w("way") + '">'
    for place in range(4):
        done = state >= reached[place]
        yield '<li class="' + ("done" if done else "later") + '"><span class="dot" aria-hidden="true"></span>'
        yield "<b>" + w("way." + str(place)) + "</b> <small>"
        at = times[place] if place < len(times) else None
        yield (ask.when(at) if at else w("way.yes")) if done else w("way.notyet")
        yield "</small></li>"
    yield "</ol>"
