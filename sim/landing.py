"""The landing of the demonstration: a page of the docks, with a button to seat and to lift each device.

It stands in for hands. It listens on the loopback only, under a path that is random for each run.
"""

import html
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STYLE = (Path(__file__).parent / "landing.css").read_text("utf-8")


@dataclass
class Place:
    """One dock and the device that belongs to it."""

    bay: str
    learner: str
    page: str  # where the device's own page is
    seated: Callable[[], bool]
    seat: Callable[[], None]
    lift: Callable[[], None]


class Landing:
    def __init__(self, places: list[Place], staff_page: str, port: int) -> None:
        self.places, self.staff_page = places, staff_page
        self.secret = secrets.token_urlsafe(12)
        self.url = f"http://127.0.0.1:{port}/{self.secret}/"
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True, name="landing").start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def act(self, path: str) -> bool:
        """Seat or lift what `path` (`seat/0`, `lift/1`) names; False where it names nothing."""
        verb, _, number = path.partition("/")
        if verb not in ("seat", "lift") or not number.isdigit() or int(number) >= len(self.places):
            return False
        place = self.places[int(number)]
        (place.seat if verb == "seat" else place.lift)()
        return True

    def render(self) -> str:
        cards = "".join(self._card(number, place) for number, place in enumerate(self.places))
        staff = html.escape(self.staff_page)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The landing - Perch</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
            "<h1>The landing</h1><p>Carry a device to its dock, and back to the cell.</p>"
            f'<div class="docks">{cards}</div>'
            f'<p><a href="{staff}">The staff page of the hub</a></p></main></body></html>'
        )

    @staticmethod
    def _card(number: int, place: Place) -> str:
        seated = place.seated()
        verb, label = ("lift", "Lift it") if seated else ("seat", "Plug it in")
        name = html.escape(place.learner)
        return (
            f'<section class="dock {"seated" if seated else "lifted"}"><div class="slot"><div class="device">'
            f"</div></div><h2>{name}’s device</h2>"
            f"<p>{html.escape(place.bay)}: {'plugged in' if seated else 'in the cell'}</p>"
            f'<form method="post" action="{verb}/{number}"><button>{label}</button></form>'
            f'<p><a href="{html.escape(place.page)}">Its page</a></p></section>'
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        landing = self

        class Handler(BaseHTTPRequestHandler):
            def _below(self) -> str | None:
                head = f"/{landing.secret}/"
                return self.path[len(head) :] if self.path.startswith(head) else None

            def do_GET(self) -> None:
                if self._below() != "":
                    self.send_error(404)
                    return
                body = landing.render().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                below = self._below()
                if below is None or not landing.act(below):
                    self.send_error(404)
                    return
                self.send_response(303)
                self.send_header("Location", f"/{landing.secret}/")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
