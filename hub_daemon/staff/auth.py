"""Login -> here: a pass phrase is right when it opens the person's signing key; nothing else is stored of it.

The opened seed goes, sealed under a key that only the browser's cookie has, into the session. Between requests the hub
holds neither the seed nor that key: the session's database, the hub's database and a backup of both cannot sign.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

import nacl.exceptions
import nacl.secret
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from hub_daemon.limits import PASS_PHRASE_CHARS_MAX
from hub_daemon.people import Signer, WrongPassPhrase
from hub_daemon.staff import context
from protocol.errors import Refusal

COOKIE = "perch_key"
SESSION = "sealed_seed"


class KeyBackend(BaseBackend):
    """Accounts are the hub's; a Django user is made for each at the first login and has no password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        if not username or not password or len(password) > PASS_PHRASE_CHARS_MAX:
            return None
        try:
            signer = context.get().people.unlock(username, password)
        except WrongPassPhrase:
            return None
        if not _in_roster(signer.person):
            return None
        user, made = User.objects.get_or_create(username=signer.person)
        if made:
            user.set_unusable_password()
            user.save()
        user.signer = signer  # type: ignore[attr-defined]  # for this request only
        return user

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.filter(pk=user_id, is_active=True).first()
        if user is None or not context.get().people.active(user.username) or not _in_roster(user.username):
            return None
        return user


def _in_roster(person: str) -> bool:
    """An account means nothing until two administrators have put it on the roster, or when they took it off."""
    try:
        return bool(context.get().moderation.roles(person))
    except Refusal:
        return False


def seal(request: HttpRequest, response: HttpResponse, signer: Signer) -> None:
    """Put the seed into the session, sealed; the key goes to the browser and nowhere else."""
    key = secrets.token_bytes(32)
    sealed = nacl.secret.SecretBox(key).encrypt(signer.seed)
    request.session[SESSION] = base64.b64encode(bytes(sealed)).decode("ascii")
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(key).decode("ascii"),
        httponly=True,
        samesite="Strict",
        secure=request.is_secure(),
        path="/",
    )


def signer_of(request: HttpRequest) -> Signer | None:
    """The signer of this request's person, for the length of the request; None when the cookie does not open it."""
    try:
        key = base64.urlsafe_b64decode(request.COOKIES.get(COOKIE, ""))
        sealed = base64.b64decode(request.session.get(SESSION, ""))
        seed = nacl.secret.SecretBox(key).decrypt(sealed)
        return Signer.of(request.user.get_username(), seed)
    except (ValueError, TypeError, nacl.exceptions.CryptoError):
        return None
