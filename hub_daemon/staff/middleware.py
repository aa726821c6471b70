"""Every request passes here: headers on the way out, the sealed key on the way in, refusals in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from hub_daemon.limits import UNDO_S
from hub_daemon.moderation import Conflict, NotAllowed, UnknownItem
from hub_daemon.staff import auth, context
from protocol.errors import Refusal

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
Next = Callable[[HttpRequest], HttpResponse]


class Headers:
    """Nothing is kept by a browser, nothing is loaded from elsewhere, no script stands in a page."""

    def __init__(self, following: Next) -> None:
        self.following = following

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.following(request)
        response["Content-Security-Policy"] = POLICY
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), usb=(), serial=()"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["X-Frame-Options"] = "DENY"
        if not request.path.startswith("/static/"):
            response["Cache-Control"] = "no-store"
        return response


class SealedKey:
    """A session without the browser's half of the key is no login at all."""

    def __init__(self, following: Next) -> None:
        self.following = following

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            signer = auth.signer_of(request)
            if signer is None:
                logout(request)
                response = redirect("/login")
                response.delete_cookie(auth.COOKIE)
                return response
            request.signer = signer  # type: ignore[attr-defined]
            request.roles = context.get().moderation.roles(signer.person)  # type: ignore[attr-defined]
        return self.following(request)


class Refusals:
    """Named refusals become pages that say what happened and what to do."""

    def __init__(self, following: Next) -> None:
        self.following = following

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.following(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refusal):
            return None
        status = 400
        if isinstance(error, Conflict):
            status = 409
        elif isinstance(error, NotAllowed):
            status = 403
        elif isinstance(error, UnknownItem):
            status = 404
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"error": error.name, "words": str(error)}, status=status)
        values: dict[str, Any] = {"error": error, "name": error.name, "note": request.POST.get("words", "")}
        template = "staff/conflict.html" if status == 409 else "staff/refused.html"
        return render(request, template, values, status=status)


def everywhere(request: HttpRequest) -> dict[str, Any]:
    """What every template may name."""
    hub = context.get()
    signer = getattr(request, "signer", None)
    values: dict[str, Any] = {
        "wing": context.wing_name(),
        "undo_s": getattr(hub, "undo_s", UNDO_S),
        "path": request.path,
        "person": signer.person if signer else "",
        "person_name": "",
        "roles": getattr(request, "roles", ()),
    }
    if signer is not None:
        roster = hub.moderation.roster()
        values["person_name"] = next((m.name for m in roster.staff if m.person == signer.person), signer.person)
    return values
