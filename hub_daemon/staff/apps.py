"""Django's name for the staff page, and the log rows that its logins write into the hub's own log."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "hub_daemon.staff"
    label = "perch_staff"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth import signals

        signals.user_logged_in.connect(_logged_in, dispatch_uid="perch in")
        signals.user_logged_out.connect(_logged_out, dispatch_uid="perch out")
        signals.user_login_failed.connect(_failed, dispatch_uid="perch failed")


def _log(actor: str, action: str, detail: str = "") -> None:
    from hub_daemon.staff import context
    from hub_daemon.store import log

    hub = context.get()
    with hub.store.write() as tx:
        log.append(tx, hub.moderation.clock(), actor, action, None, detail)


def _logged_in(sender: Any, user: Any, **_: Any) -> None:
    _log(user.get_username(), "logged in")


def _logged_out(sender: Any, user: Any, **_: Any) -> None:
    if user is not None:
        _log(user.get_username(), "logged out")


def _failed(sender: Any, credentials: dict[str, Any], **_: Any) -> None:
    _log("hub", "login failed", str(credentials.get("username", ""))[:64])
