"""Browser -> here -> one view: every path of the learner's page, served by the device itself.

A view is a small module that is loaded when its path is asked for; on MicroPython it is dropped when
another one is needed, so that the heap holds one view and not all of them. Handlers are coroutines:
microdot would run plain functions in a thread on CPython, and the device is not made for two at once.
What can fail is asked of the device before the answer begins.
"""

import gc
import hashlib
import sys

from microdot import Microdot, Request, Response

from firmware.page import guard
from firmware.page.ask import Ask, Site
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any

    from firmware.device import Device

    View = Callable[["Page", Request, str], Awaitable[Response]]

# the first part of a path -> the module and its coroutine; what follows is handed to it
GET = {
    "": "home.first",
    "status.json": "dock.status_json",
    "help": "home.help_now",
    "groups": "threads.groups",
    "group": "threads.group",
    "thread": "threads.thread",
    "write": "write.write",
    "record": "record.record",
    "waiting": "own.waiting",
    "back": "own.back",
    "appeal": "own.appeal",
    "recorded": "about.recorded",
    "settings": "about.settings",
    "media": "media.media",
    "own": "media.own",
}
POST = {
    "digits": "home.digits",
    "write": "write.send",
    "draft": "write.draft",
    "record": "upload.upload",
    "settings": "about.choose",
    "language": "about.language",
}
BEFORE_ENROLMENT = ("", "status.json", "help", "static", "settings", "language", "recorded", "digits")
ANSWERS_SCRIPTS = ("status.json", "draft", "record", "media", "own", "static")  # refusals by name, as JSON

STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "record.js": "text/javascript; charset=utf-8",
    "perch.svg": "image/svg+xml",
    "dock-docked.svg": "image/svg+xml",
    "dock-lifted.svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), usb=(), serial=()",
}
FILE_PIECE_BYTES = 1024
PIECE_CHARS = 384  # one write to the socket: few packets, and small enough for a fragmented heap
STAYS = ("app", "ask", "guard", "words")  # the modules of the page that are never dropped
UNLOADS = sys.implementation.name == "micropython"


class NotFound(Refusal):
    """There is nothing here of that name that may be shown."""


class Place:
    """Where words will go: a new thread of `group`, or a reply to `root`."""

    def __init__(self, group: str, name: str, root: "bytes | None", title: str) -> None:
        self.group = group
        self.name = name
        self.root = root
        self.title = title
        self.to = root.hex() if root else ""
        self.key = "to-" + self.to if root else "new-" + group  # of the draft
        self.back = "/thread/" + self.to if root else "/group/" + group


class Page:
    """The page of one device: what the views share and what outlives them."""

    def __init__(self, device: "Device", folder: str) -> None:
        self.device = device
        self.folder = folder
        self.site = Site(device, folder, versions(folder))
        self.upload: "Any" = None  # the recording that is coming up (upload.py)
        self.opened = b""  # the thread on the screen
        self.sent: "list[str]" = []  # tokens of forms that were taken, so that one sent twice is saved once
        self._forms = 0
        self._loaded = ""

    def ask(self, request: Request) -> Ask:
        return Ask(self.site, request)

    def token(self) -> str:
        self._forms += 1
        return str(self.device.clock_s()) + "-" + str(self._forms)

    def place(self, fields: "dict[str, str]") -> Place:
        """Where a form or a link points; NotFound for a group or thread that is not there."""
        to = fields.get("to") or ""
        group = fields.get("group") or ""
        root = None
        title = ""
        if to:
            root = id_of(to)
            group, title = self.find(root)
        return Place(group, self.group_name(group), root, title)

    def group_name(self, group: str) -> str:
        for found, name in self.device.groups():
            if found == group:
                return name
        raise NotFound(group[:40])

    def find(self, root: bytes) -> "tuple[str, str]":
        """(group, title) of a thread."""
        for group, _ in self.device.groups():
            for thread in self.device.threads(group):
                if thread["id"] == root:
                    return group, thread["title"]
        raise NotFound(root.hex())

    def came_back(self, item: bytes) -> "dict[str, Any]":
        for returned in self.device.returned():
            if returned["item"] == item:
                return returned
        raise NotFound(item.hex())

    def view(self, name: str) -> "View":
        """The coroutine `module.function`; drops the views before it where the heap is small."""
        module, function = name.split(".")
        path = "firmware.page." + module
        if UNLOADS and self._loaded != module:
            self._loaded = module
            _drop(module)
        __import__(path)
        return getattr(sys.modules[path], function)  # type: ignore[no-any-return]

    async def answer(self, request: Request, rest: str) -> Response:
        """The whole of one request, refusals included."""
        first, _, more = rest.partition("/")
        if UNLOADS:
            gc.collect()  # often and early: what is left over from the last request must not split the heap
        try:
            guard.check(request)
            if first not in BEFORE_ENROLMENT and self.device.status()["state"] in ("new", "enrolling"):
                await guard.drain(request)
                return see("/")
            if first == "static" and more in STATIC:
                return static(self.folder + "/static/" + more, STATIC[more])
            table = POST if request.method == "POST" else GET
            if first not in table:
                raise NotFound(rest[:80])
            answer = await self.view(table[first])(self, request, more)
            if UNLOADS:
                gc.collect()
            return answer
        except Refusal as refusal:
            return await self.refused(request, first, refusal)

    async def refused(self, request: Request, first: str, refusal: Refusal) -> Response:
        """Say what was refused: by name to a script, in words to a person."""
        await guard.drain(request)
        status = guard.STATUS.get(refusal.name, 404 if refusal.name in ("NotFound", "NotShown") else 400)
        if first in ANSWERS_SCRIPTS and request.path != "/record":
            return to_script({"refused": refusal.name}, status)
        trouble: "Any" = self.view("home.trouble")
        return html(trouble(self.ask(request), refusal.name), status)


def _drop(but: str) -> None:
    """Forget the page's modules that another request needed; what is still running keeps its own."""
    package = sys.modules["firmware.page"]
    for path in list(sys.modules):
        name = path[14:]
        if path.startswith("firmware.page.") and name != but and name not in STAYS:
            del sys.modules[path]
            delattr(package, name)
    gc.collect()


def id_of(text: str) -> bytes:
    """An item id or root out of a path; NotFound when it is none."""
    if len(text) != 64 or not all([c in b"0123456789abcdef" for c in text.encode()]):
        raise NotFound(text[:80])
    return bytes.fromhex(text)


def versions(folder: str) -> "dict[str, str]":
    """A short digest of every file of the page, so that browsers can keep them for ever."""
    found = {}
    for name in STATIC:
        digest = hashlib.sha256()
        for piece in file_pieces(folder + "/static/" + name):
            digest.update(piece)
        found[name] = digest.digest()[:6].hex()
    return found


def file_pieces(path: str) -> "Iterator[bytes]":
    with open(path, "rb") as data:
        while True:
            piece = data.read(FILE_PIECE_BYTES)
            if not piece:
                return
            yield piece


def static(path: str, kind: str) -> Response:
    headers = {"Content-Type": kind, "Cache-Control": "public, max-age=31536000, immutable"}
    return streamed(file_pieces(path), 200, headers)


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


def html(parts: "Iterator[str]", status: int = 200) -> Response:
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return streamed(in_pieces(parts), status, headers)


def to_script(values: "dict[str, Any]", status: int = 200) -> Response:
    """An answer for page.js or record.js."""
    body: "Any" = values  # microdot makes JSON of a dict; its type stub does not say so
    return Response(body, status, {"Cache-Control": "no-store"})


def streamed(parts: "Iterator[bytes]", status: int, headers: "dict[str, str]") -> Response:
    """A body that is made while it is sent."""
    body: "Any" = parts  # microdot takes a generator; its type stub does not say so
    return Response(body, status, headers)


def see(path: str) -> Response:
    """After a form: go and look there."""
    return Response("", 303, {"Location": path})


def make_app(device: "Device", folder: "str | None" = None) -> Microdot:
    """The learner's page of `device`; `folder` has strings_*.json and static/, by default this file's."""
    Request.max_body_length = 0  # bodies are read as streams, in pieces
    Request.max_content_length = guard.FORM_BYTES_MAX
    page = Page(device, folder or __file__.replace("\\", "/").rsplit("/", 1)[0])
    app = Microdot()

    async def serve(request: Request, rest: str = "") -> Response:
        return await page.answer(request, rest)

    app.route("/", methods=["GET"])(serve)
    app.route("/<path:rest>", methods=["GET", "POST"])(serve)

    async def after(request: Request, response: Response) -> Response:
        for name, value in HEADERS.items():
            if name not in response.headers:
                response.headers[name] = value
        return response

    app.after_request(after)
    app.after_error_request(after)

    @app.errorhandler(413)
    async def too_large(request: Request) -> Response:
        await guard.drain(request)
        return to_script({"refused": "SliceTooLarge", "max": guard.SLICE_BYTES_MAX}, 413)

    return app
