"""device.status() -> here -> home and page.js: what the dock is doing, in words, a picture and a bar."""

from firmware.page.app import to_script
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microdot import Request, Response

    from firmware.page.app import Page
    from firmware.page.ask import Ask


def dock_state(ask: "Ask") -> str:
    """new, enrolling, lifted, docked (keep it still) or settled (can be lifted)."""
    state = ask.status["state"]
    if state == "idle":
        return "lifted"
    if state == "docked" and ask.status["can_lift"]:
        return "settled"
    return str(state)


def size(count: int) -> str:
    """Bytes as a person reads them: 340 KB."""
    return str((count + 1023) // 1024) + " KB"


def status_line(ask: "Ask") -> str:
    """What the dock is doing or did, safe for HTML. Says only what the hub has confirmed."""
    w = ask.words
    status = ask.status
    state = dock_state(ask)
    if state in ("new", "enrolling"):
        return w("dock." + state)
    if status["full"]:
        return w("dock.full")
    done, total = status["progress"]
    if state == "docked":
        moving = " " + w("dock.moving", done=size(done), total=size(total)) if total else ""
        return w("dock.docked") + moving
    saved_at = status["saved_at_s"]
    here, handed = ask.on_the_way()
    parts = []
    if saved_at:
        parts.append(w("dock.counts", sent=status["sent"], waiting=handed, new=status["new"]))
        parts.append(w("dock.saved", at=ask.when(saved_at)))
    elif state == "lifted":
        parts.append(w("dock.never"))
    if state == "lifted" and here:
        parts.append(w("dock.here", count=here))
    if saved_at or state == "settled":
        parts.append(w("dock." + state))
    return " ".join(parts)


async def status_json(page: "Page", request: "Request", rest: str) -> "Response":
    """What page.js asks for every second."""
    ask = page.ask(request)
    status = ask.status
    done, total = status["progress"]
    answer = {
        "state": dock_state(ask),
        "line": status_line(ask),
        "done": done,
        "total": total,
        "digits": status["digits"] or "",
        "sent": status["sent"],
        "new": status["new"],
        "waiting": sum(ask.on_the_way()),
        "saved_at_s": status["saved_at_s"] or 0,
        "can_lift": bool(status["can_lift"]),
    }
    return to_script(answer)


def dock_panel(ask: "Ask") -> "Iterator[str]":
    """The picture, the words and the bar; page.js keeps all three true."""
    w = ask.words
    state = dock_state(ask)
    done, total = ask.status["progress"]
    yield f'<section class="dock" aria-label="{w("dock.label")}" data-state="{state}">'
    for picture in ("docked", "lifted"):
        yield f'<img class="dock-{picture}" src="{ask.static("dock-" + picture + ".svg")}" width="200" height="140"'
        yield f' alt="{w("dock.alt." + picture)}">'
    yield f'<div><p id="status" role="status">{status_line(ask)}</p>'
    yield f'<progress id="bar" aria-label="{w("dock.bar")}" max="{total or 1}" value="{done}"'
    yield ("" if total and state == "docked" else " hidden") + "></progress></div></section>"
