"""Browser -> here: one's own account: a new pass phrase for the same key, and a code as the second step of login.

The code is TOTP (RFC 6238) of django-otp. It guards the login; the signing key is the pass phrase's matter.
"""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST
from django_otp.plugins.otp_totp.models import TOTPDevice

from hub_daemon.people import WeakPassPhrase, WrongPassPhrase
from hub_daemon.staff import context
from hub_daemon.store import log


def second_step(user: User, token: str) -> bool:
    """Whether the login may go on: no code set up, or the right one. Wrong codes wait longer each time."""
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    if device is None:
        return True
    allowed, _ = device.verify_is_allowed()
    return bool(allowed and device.verify_token(token.strip()))


def _log(request: HttpRequest, action: str) -> None:
    hub = context.get()
    with hub.store.write() as tx:
        log.append(tx, hub.moderation.clock(), request.signer.person, action)


@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, error: str = "", status: int = 200) -> HttpResponse:
    device = TOTPDevice.objects.filter(user=request.user).first()
    values: dict[str, Any] = {"error": error, "device": device}
    if device is not None and not device.confirmed:
        secret = base64.b32encode(device.bin_key).decode("ascii").rstrip("=")
        values["secret"] = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
        values["uri"] = device.config_url
    return render(request, "staff/account.html", values, status=status)


@require_POST
def code(request: HttpRequest, act: str) -> HttpResponse:
    """Begin, confirm or remove the code; removing takes a valid one."""
    mine = TOTPDevice.objects.filter(user=request.user)
    if act == "begin":
        if not mine.filter(confirmed=True).exists():
            mine.delete()
            TOTPDevice.objects.create(user=request.user, name=request.signer.person, confirmed=False)
        return redirect("account")
    device = mine.first()
    if device is None or act not in ("confirm", "remove"):
        raise Http404
    if not device.verify_is_allowed()[0] or not device.verify_token(request.POST.get("token", "").strip()):
        return _page(request, "The code is not right. Take the one that is shown now.", 400)
    if act == "confirm":
        device.confirmed = True
        device.save()
        _log(request, "login code set up")
        messages.success(request, "From the next sign-in on you are asked for a code.")
    else:
        device.delete()
        _log(request, "login code removed")
        messages.info(request, "The code is removed.")
    return redirect("account")


@require_POST
@sensitive_post_parameters("old", "new", "again")
def pass_phrase(request: HttpRequest) -> HttpResponse:
    """The same signing key under a new pass phrase."""
    new = request.POST.get("new", "")
    try:
        if new != request.POST.get("again", ""):
            raise WeakPassPhrase("The two new pass phrases are not the same")
        validate_password(new)
        context.get().people.change_pass_phrase(request.signer.person, request.POST.get("old", ""), new)
    except ValidationError as error:
        return _page(request, " ".join(error.messages), 400)
    except WrongPassPhrase:
        return _page(request, "The old pass phrase is not right", 400)
    except WeakPassPhrase as error:
        return _page(request, str(error), 400)
    messages.success(request, "You have a new pass phrase.")
    return redirect("account")
