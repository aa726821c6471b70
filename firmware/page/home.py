"""ask -> here -> html: the first page, enrolment, the dock's state in words, and help now."""

from firmware.page.html import esc, heading, icon, page, prose
from firmware.views import author_name
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.page.ask import Ask

NEW_SHOWN_MAX = 3  # three things at most; the groups have the rest


def dock_state(ask: "Ask") -> str:
    """new, enrolling, lifted, docked (keep it still) or settled (can be lifted)."""
    state = ask.status["state"]
    if state == "idle":
        return "lifted"
    if state == "docked" and ask.status.get("can_lift"):
        return "settled"
    return str(state)


def status_line(ask: "Ask") -> str:
    """What the dock is doing or did, in words safe for HTML. Says only what the hub has confirmed."""
    w = ask.words
    status = ask.status
    state = dock_state(ask)
    if state in ("new", "enrolling"):
        return w("dock." + state)
    done, total = status.get("progress") or (0, 0)
    parts = []
    if state == "docked":
        parts.append(w("dock.docked"))
        if total:
            parts.append(w("dock.moving", done=size(done), total=size(total)))
        return " ".join(parts)
    saved_at = status.get("saved_at_s")
    here, handed = ask.on_the_way()
    if state == "lifted" and not saved_at:
        parts.append(w("dock.never"))
        if here:
            parts.append(w("dock.here", count=here))
        return " ".join(parts)
    if saved_at:
        parts.append(w("dock.counts", sent=status.get("sent") or 0, waiting=handed, new=status.get("new") or 0))
        parts.append(w("dock.saved", at=ask.when(saved_at)))
    if state == "lifted" and here:
        parts.append(w("dock.here", count=here))
    parts.append(w("dock." + state))
    return " ".join(parts)


def size(count: int) -> str:
    """Bytes as a person reads them: 340 KB."""
    return str((count + 1023) // 1024) + " KB"


def status_json(ask: "Ask") -> "dict[str, object]":
    """What page.js asks for every second."""
    done, total = ask.status.get("progress") or (0, 0)
    return {
        "state": dock_state(ask),
        "line": status_line(ask),
        "done": done,
        "total": total,
        "digits": ask.status.get("digits") or "",
        "new": ask.status.get("new") or 0,
        "waiting": ask.status.get("waiting") or 0,
        "sent": ask.status.get("sent") or 0,
        "saved_at_s": ask.status.get("saved_at_s") or 0,
        "can_lift": bool(ask.status.get("can_lift")),
    }


def dock_panel(ask: "Ask") -> "Iterator[str]":
    """The picture, the words and the bar; page.js keeps all three true."""
    state = dock_state(ask)
    done, total = ask.status.get("progress") or (0, 0)
    yield '<section class="dock" aria-label="' + ask.words("dock.label") + '" data-state="' + state + '">'
    for picture in ("docked", "lifted"):
        yield '<img class="dock-' + picture + '" src="' + ask.static("dock-" + picture + ".svg")
        yield '" width="200" height="140" alt="' + ask.words("dock.alt." + picture) + '">'
    yield '<div><p id="status" role="status">' + status_line(ask) + "</p>"
    yield '<progress id="bar" aria-label="' + ask.words("dock.bar") + '" max="' + str(total or 1)
    yield '" value="' + str(done) + '"' + ("" if total and state == "docked" else " hidden") + "></progress></div></section>"


def home(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    live = dock_state(ask) == "docked"
    yield from page(ask, "home", _home(ask), w("home.title"), refresh=live)


def _home(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    learner = author_name(ask.device, ask.status.get("learner") or "")
    yield heading(w("home.hello", name=learner) if learner else w("home.hello.plain"))
    yield from dock_panel(ask)
    shown = 0
    yield '<section class="block"><h2>' + icon("new") + w("home.new") + "</h2>"
    for group, name in ask.device.groups():
        if shown >= NEW_SHOWN_MAX:
            break
        for thread in ask.device.threads(group):
            if not thread["unread"] or shown >= NEW_SHOWN_MAX:
                continue
            shown += 1
            yield '<a class="card link" href="/thread/' + thread["id"].hex() + '"><b dir="auto">' + prose(thread["title"] or w("home.untitled"))
            yield '</b> <span class="chip">' + w("new.count", count=thread["unread"]) + "</span>"
            yield '<small dir="auto">' + esc(name) + "</small></a>"
    if not shown:
        yield '<p class="empty">' + w("home.nothing") + '</p><p><a class="button" href="/groups">'
        yield icon("groups") + w("home.togroups") + "</a></p>"
    yield "</section>"
    waiting = ask.counts("waiting")
    back = ask.counts("back")
    yield '<div class="pair">'
    yield '<a class="card tile" href="/waiting">' + icon("waiting") + "<b>" + str(waiting) + "</b> <span>"
    yield w("home.waiting") + "</span></a>"
    yield '<a class="card tile' + (" warm" if back else "") + '" href="/back">' + icon("back") + "<b>" + str(back)
    yield "</b> <span>" + w("home.back") + "</span></a></div>"


def enrol(ask: "Ask") -> "Iterator[str]":
    """Not yet anybody's device: what to do, and the six digits while staff compare them."""
    yield from page(ask, "enrol", _enrol(ask), refresh=True)


def _enrol(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    digits = ask.status.get("digits") or ""
    yield heading(w("enrol.head"), w("enrol.compare") if digits else w("enrol.lead"))
    yield '<p id="digits" class="digits" aria-live="assertive" data-digits="' + esc(digits) + '"'
    yield ("" if digits else " hidden") + ">" + esc(digits[:3]) + " " + esc(digits[3:]) + "</p>"
    yield from dock_panel(ask)
    yield '<section class="block"><h2>' + w("enrol.next") + "</h2><ol class='steps'>"
    for step in ("1", "2", "3"):
        yield "<li>" + w("enrol.step." + step) + "</li>"
    yield "</ol></section>"


def help_now(ask: "Ask") -> "Iterator[str]":
    yield from page(ask, "help", _help(ask))


def _help(ask: "Ask") -> "Iterator[str]":
    w = ask.words
    yield heading(w("help.head"), w("help.lead"))
    yield '<p class="notice strong">' + w("help.dock") + "</p>"
    for way in ("bell", "samaritans", "listener", "staff"):
        yield '<section class="card helper"><h2>' + w("help." + way) + "</h2><p>" + w("help." + way + ".words") + "</p></section>"


def trouble(ask: "Ask", key: str) -> "Iterator[str]":
    """Something did not work: what happened and what to do, never a code alone."""
    yield from page(ask, "trouble", _trouble(ask, key))


def _trouble(ask: "Ask", key: str) -> "Iterator[str]":
    w = ask.words
    known = w.has("trouble." + key)
    yield heading(w("trouble.head"))
    yield '<p class="notice">' + (w("trouble." + key) if known else w("trouble.other", name=key)) + "</p>"
    yield '<p><a class="button" href="/">' + icon("home") + w("trouble.home") + "</a></p>"
