"""Browser -> here -> moderation core: the pages of the queue. Each view reads a form, calls the core, shows a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hub_daemon.limits import LOG_PAGE_ROWS_MAX, OVERDUE_MS, QUEUE_ROWS_MAX
from hub_daemon.moderation import (
    Conflict,
    NotAllowed,
    ReadersChanged,
    SamePerson,
    Voided,
    WordsRefused,
    reasons,
    statements,
)
from hub_daemon.moderation.errors import ago
from hub_daemon.staff import account_views, auth, context
from hub_daemon.store import log, queue
from protocol.errors import Refusal

View = Callable[..., HttpResponseBase]


def needs(*roles: str) -> Callable[[View], View]:
    """The view is for people with one of these roles in the roster in force."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **values: Any) -> HttpResponseBase:
            if not any(role in roles for role in request.roles):
                raise NotAllowed(f"This page is for people with the role {' or '.join(roles)}")
            return view(request, *args, **values)

        return guarded

    return wrap


def number(request: HttpRequest, name: str) -> int:
    """A whole number of the form, 0 when it is none."""
    value = request.POST.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


# login


@login_not_required
@csrf_protect
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login_page(request: HttpRequest) -> HttpResponse:
    """Name and pass phrase; the pass phrase opens the signing key, for this login only."""
    if request.user.is_authenticated and request.method == "GET":
        return redirect("start")
    values: dict[str, Any] = {"username": "", "failed": False}
    if request.method == "POST":
        username = request.POST.get("username", "")[:64]
        user = authenticate(request, username=username, password=request.POST.get("password", ""))
        if user is not None and account_views.second_step(user, request.POST.get("token", "")):
            login(request, user)
            response = redirect("start")
            auth.seal(request, response, user.signer)
            return response
        values = {"username": username, "failed": True, "coded": bool(request.POST.get("token"))}
    return render(request, "staff/login.html", values, status=401 if values["failed"] else 200)


@require_POST
def logout_page(request: HttpRequest) -> HttpResponse:
    logout(request)
    response = redirect("login")
    response.delete_cookie(auth.COOKIE)
    return response


# start, queue, bays


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """What needs attention now."""
    hub = context.get()
    now = hub.moderation.clock()
    with hub.store.read() as tx:
        waiting = queue.waiting(tx, 8)
        times = queue.times_to_decision_ms(tx, now - 30 * 86400 * 1000)
        values = {
            "alerts": queue.alerts_open(tx),
            "counts": queue.counts(tx),
            "waiting": waiting,
            "held": queue.held_by(tx, request.signer.person, now),
        }
    values["open"] = sum(values["counts"].get(s, 0) for s in ("pending", "claimed", "awaiting_second"))
    values["overdue"] = [row for row in waiting if now - row["received_ms"] > OVERDUE_MS]
    values["median_ms"] = times[len(times) // 2] if times else None
    values["p95_ms"] = times[min(len(times) - 1, len(times) * 95 // 100)] if times else None
    values["bays"] = hub.bays()
    values["health"] = line(health(hub))
    return render(request, "staff/start.html", values)


def health(hub: Any) -> list[tuple[str, str]]:
    """The hub's health as short words: figures with their unit, what failed by name."""
    found = []
    for key, value in sorted(hub.health().items()):
        name = str(key).removesuffix("_s").removesuffix("_bytes").replace("_", " ")
        if isinstance(value, dict):
            value = ", ".join(f"{count} {what}" for what, count in value.items()) or "none"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        elif str(key).endswith("_s"):
            value = ago(1000 * int(value))
        elif str(key).endswith("_bytes"):
            value = f"{int(value) / 1e9:.1f} GB"
        found.append((name, str(value)))
    return found


def line(facts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the facts that Start shows: is everything running?"""
    return [(name, value) for name, value in facts if name in ("broker", "media", "database", "faults", "free", "up")]


@require_GET
def queue_page(request: HttpRequest) -> HttpResponse:
    """What waits, oldest first. Nothing can be picked here: items are dealt."""
    hub = context.get()
    with hub.store.read() as tx:
        values = {"rows": queue.waiting(tx, QUEUE_ROWS_MAX), "counts": queue.counts(tx)}
    values["now"] = hub.moderation.clock()
    values["overdue_before"] = values["now"] - OVERDUE_MS
    return render(request, "staff/queue.html", values)


@require_GET
def bays(request: HttpRequest) -> HttpResponse:
    hub = context.get()
    return render(request, "staff/bays.html", {"bays": hub.bays(), "health": health(hub)})


# the item


@require_POST
@needs("moderator")
def deal(request: HttpRequest) -> HttpResponse:
    """Deal the next item. `skip` is one whose decision this browser is about to send."""
    skip = request.POST.get("skip", "")
    given = bytes.fromhex(skip) if len(skip) == 64 and all(c in "0123456789abcdef" for c in skip) else b""
    item = context.get().moderation.deal(request.signer.person, given)
    if item is None:
        messages.info(request, "Nothing waits for you now. You are dealt an item as soon as one arrives.")
        return redirect("start")
    return redirect("item", item=item)


@require_GET
def item_page(request: HttpRequest, item: bytes) -> HttpResponse:
    """One item: content for its holder, the facts for everybody else."""
    hub = context.get()
    why = request.GET.get("why", "")[:200]
    view = hub.moderation.view(request.signer.person, item, why)
    with hub.store.read() as tx:
        values: dict[str, Any] = {
            "decisions": queue.decisions_of(tx, item),
            "readings": queue.readings_of(tx, item),
            "rows": log.of_item(tx, item),
        }
    values.update(
        view=view,
        item=view.item,
        grounds=reasons.choices("return"),
        appeal={
            "en": reasons.APPEAL_EN.format(until=statements.appeal_until(hub.moderation.clock() // 1000)),
            "cy": reasons.APPEAL_CY.format(until=statements.appeal_until(hub.moderation.clock() // 1000)),
        },
        may_read=any(role in ("governor", "safer-custody") for role in request.roles),
        is_moderator="moderator" in request.roles,
        why=why,
        lease_s=max(0, (view.lease_until_ms - hub.moderation.clock()) // 1000),
    )
    return render(request, "staff/item.html", values)


def decided(request: HttpRequest, item: bytes, words: str) -> HttpResponse:
    """After a decision: the next item at once, with a quiet line."""
    if wants_json(request):
        return JsonResponse({"ok": True, "words": words})
    messages.success(request, words)
    hub = context.get()
    following = hub.moderation.deal(request.signer.person)
    return redirect("start") if following is None else redirect("item", item=following)


def stopped(request: HttpRequest, item: bytes, error: Refusal) -> HttpResponse:
    """What kept a decision from being made, with the words the person had typed still there."""
    status = 409 if isinstance(error, Conflict) else 400
    note = request.POST.get("words", "")
    if wants_json(request):
        return JsonResponse({"ok": False, "words": str(error), "error": error.name}, status=status)
    values = {
        "error": error, "item": item, "note": note, "reason": number(request, "reason"),
        "voided": isinstance(error, (ReadersChanged, Voided)),
    }
    return render(request, "staff/conflict.html" if status == 409 else "staff/refused.html", values, status=status)


@require_POST
@needs("moderator")
def approve(request: HttpRequest, item: bytes) -> HttpResponse:
    moderation = context.get().moderation
    try:
        seen = request.POST.get("seen", "")
        state = moderation.approve(request.signer.person, item, number(request, "version"), request.signer, seen)
    except (Conflict, SamePerson, WordsRefused) as error:
        return stopped(request, item, error)
    words = "Approved." if state == "approved" else "Approved by you. A second person has to approve it too."
    return decided(request, item, words)


@require_POST
@needs("moderator")
def answer(request: HttpRequest, item: bytes, event: str) -> HttpResponse:
    """Return, reject or recall: a coded ground and words."""
    moderation = context.get().moderation
    act = {"return": moderation.return_, "reject": moderation.reject, "recall": moderation.recall}[event]
    language = "cy" if request.POST.get("language") == "cy" else "en"
    try:
        if number(request, "reason") == 0:
            raise WordsRefused("Choose a ground first: the learner has a right to know why")
        act(
            request.signer.person, item, number(request, "version"), request.signer, number(request, "reason"),
            request.POST.get("words", ""), language,
        )
    except (Conflict, SamePerson, WordsRefused, reasons.UnknownReason) as error:
        return stopped(request, item, error)
    return decided(request, item, {"return": "Returned.", "reject": "Rejected.", "recall": "Recalled."}[event])


@require_POST
@needs("moderator")
def release(request: HttpRequest, item: bytes) -> HttpResponse:
    context.get().moderation.release(request.signer.person, item, number(request, "version"))
    messages.info(request, "Passed back. Another moderator is dealt it next.")
    return redirect("start")


@require_POST
@needs("moderator")
def renew(request: HttpRequest, item: bytes) -> HttpResponse:
    """Activity on the page keeps the item with its holder."""
    return JsonResponse({"held": context.get().moderation.renew(request.signer.person, item)})


@require_POST
def safeguard(request: HttpRequest, item: bytes) -> HttpResponse:
    """One press by anybody of staff: an alert, at once."""
    context.get().moderation.safeguard(request.signer.person, item)
    messages.warning(request, "Alert raised. It stands on top of Start until somebody takes it by name.")
    return redirect("start")


@require_POST
def alert(request: HttpRequest, number: int, act: str) -> HttpResponse:
    moderation = context.get().moderation
    person = request.signer.person
    if act == "acknowledge":
        moderation.acknowledge(person, number)
    elif act == "close":
        moderation.close_alert(person, number, request.POST.get("told", ""))
    elif act == "confirm":
        moderation.second_alert(person, number)
    else:
        return not_found(request)
    return redirect("start")


# history and log


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    hub = context.get()
    wanted = {name: request.GET.get(name, "")[:32] for name in ("person", "action", "learner")}
    before = request.GET.get("before", "")
    first = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else 0
    with hub.store.read() as tx:
        rows = queue.history(tx, wanted["person"], wanted["action"], wanted["learner"], first, 50)
    roster = hub.moderation.roster()
    values = {
        "rows": rows, "wanted": wanted, "staff": roster.staff, "learners": roster.learners,
        "actions": ("approve", "return", "reject", "recall"), "older": rows[-1]["id"] if len(rows) == 50 else 0,
    }
    return render(request, "staff/history.html", values)


@require_GET
def log_page(request: HttpRequest) -> HttpResponse:
    """The append-only log, newest page first; `root` is its Merkle tree hash."""
    hub = context.get()
    start_at = request.GET.get("from", "")
    with hub.store.read() as tx:
        size = log.size(tx)
        wanted = int(start_at) if start_at.isascii() and start_at.isdigit() and len(start_at) < 16 else size - 100
        first = max(0, min(wanted, max(0, size - 1)))
        rows = log.since(tx, first, min(100, LOG_PAGE_ROWS_MAX))
        values = {"rows": rows[::-1], "size": size, "first": first, "root": log.root(tx)}
        values["edited"] = log.first_edited(tx)
    values["older"] = max(0, first - 100) if first else None
    values["newer"] = first + 100 if first + 100 < size else None
    return render(request, "staff/log.html", values)


# errors


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _plain(request, 403, "This form is no longer valid", "Go back, load the page again and send it once more.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 400, "This request cannot be read", "Go to Start and try again from there.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 403, "This is not for your account", "Ask an administrator if you need it.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 404, "There is no such page", "Check the address, or go to Start.")


def broken(request: HttpRequest) -> HttpResponse:
    return _plain(
        request, 500, "Something went wrong on the hub",
        "Nothing was decided. Go to Start and look whether your item is still there.",
    )


def _plain(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    return render(request, "staff/plain.html", {"title": title, "words": words}, status=status)
