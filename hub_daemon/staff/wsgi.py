"""Hub -> here: makes the Django application of a hub, ready to serve; and serves it from a thread.

    context.set(hub); server = wsgi.serve("127.0.0.1", 8000); … server.close()
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from hub_daemon.staff import context

_lock = threading.Lock()
_application: Callable[..., Any] | None = None
_data: str = ""


def make() -> Callable[..., Any]:
    """The WSGI application for the hub in `context`: settings, migrations of Django's own database, routes."""
    global _application, _data
    with _lock:
        data = str(context.data())
        if _application is None:
            os.environ["PERCH_STAFF_DATA"] = data
            os.environ["DJANGO_SETTINGS_MODULE"] = "hub_daemon.staff.settings"
            import django
            from django.core.wsgi import get_wsgi_application

            django.setup()
            _migrate(data)
            _application = get_wsgi_application()
        elif data != _data:  # another hub in one process: tests, simulations
            from django.conf import settings

            settings.DATABASES["default"]["NAME"] = context.data() / "staff.sqlite3"
            _migrate(data)
        _data = data
        return _application


def _migrate(data: str) -> None:
    """In a thread of its own: Django refuses its database in a thread that runs an event loop, as the hub's does."""
    from django.core.management import call_command
    from django.db import connections

    failed: list[BaseException] = []

    def run() -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("clearsessions")  # with them the sealed keys of logins that ended by time
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="staff page migrations")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    os.chmod(os.path.join(data, "staff.sqlite3"), 0o600)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """What a WSGI server calls."""
    return make()(environ, start_response)


class Server:
    """The staff page on one address, in a thread of the hub. `.host`, `.port`, `.close()`."""

    def __init__(self, host: str, port: int, threads: int) -> None:
        from waitress.server import create_server

        self._server = create_server(
            make(), host=host, port=port, threads=threads, ident=None, clear_untrusted_proxy_headers=True,
            max_request_body_size=256 * 1024, channel_timeout=60, expose_tracebacks=False,
        )
        self.host = host
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._run, name="staff page", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run()
        except OSError:
            pass  # closed under its feet by close()

    def _shut(self) -> None:
        """In the serving thread, so that it ends at once and nothing is closed under its feet."""
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may be closed before it is woken
            self._server.trigger.pull_trigger(self._shut)
        self._thread.join(5)
        self._server.task_dispatcher.shutdown()


def serve(host: str, port: int, threads: int = 4) -> Server:
    """Start the staff page of the hub in `context`; port 0 takes a free one."""
    return Server(host, port, threads)
