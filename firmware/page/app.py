"""Browser -> here -> views and device: every path of the learner's page, served by the device itself.

Handlers are coroutines: microdot would run plain functions in a thread on CPython, and the device is
not made for two at once. What can fail is asked of the device before the answer begins.
"""

import hashlib

from microdot import Microdot, Request, Response

from firmware.page import compose, guard, home, own, threads
from firmware.page.ask import Ask, Site
from firmware.page.html import in_pieces
from firmware.page.recording import add_recording
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.limits import TEXT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from firmware.device import Device

    Handler = Callable[..., Awaitable[Response]]

STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "record.js": "text/javascript; charset=utf-8",
    "perch.svg": "image/svg+xml",
    "dock-docked.svg": "image/svg+xml",
    "dock-lifted.svg": "image/svg+xml",
}
MEDIA_PIECE_BYTES = 4096
DELIVERED_SHOWN_MAX = 5
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), usb=(), serial=()",
}


class NotFound(Refusal):
    """There is nothing here of that name that may be shown."""


class Page:
    """The page of one device: what the handlers share."""

    def __init__(self, device: "Device", folder: str) -> None:
        self.device = device
        self.folder = folder
        self.site = Site(device, folder, versions(folder))
        self.forms = 0  # numbers the forms given out, so that one sent twice is saved once
        self.done: "list[str]" = []
        self.opened = b""

    def ask(self, request: "Request", *rooms: str) -> Ask:
        path = request.path if request.method == "GET" else "/"
        if request.method == "GET" and request.query_string:
            path += "?" + request.query_string
        return Ask(self.site, path, request.args, rooms)

    def safe(self, handler: "Handler") -> "Handler":
        """A handler whose refusals become an answer in words."""

        async def answer(request: Request, **found: str) -> Response:
            try:
                return await handler(request, **found)
            except Refusal as refusal:
                return await self.refused(request, refusal)

        return answer

    async def refused(self, request: Request, refusal: Refusal) -> Response:
        """Say what was refused: to page.js by name, to a person in words."""
        await guard.drain(request)
        name = refusal.name
        status = guard.STATUS.get(name, 404 if name in ("NotFound", "NotShown") else 400)
        for start in ("/record/", "/draft", "/media/", "/own/", "/static/"):
            if request.path.startswith(start):
                return Response({"refused": name}, status)
        return html(home.trouble(self.ask(request, "trouble"), name), status)

    def token(self) -> str:
        self.forms += 1
        return str(self.device.clock_s()) + "-" + str(self.forms)

    def once(self, token: str) -> bool:
        """True the first time that this form is sent."""
        if token in self.done:
            return False
        self.done.append(token)
        del self.done[:-16]
        return True

    def place(self, fields: "dict[str, str]") -> compose.Place:
        """Where a form or a link points; NotFound for a group or thread that is not there."""
        to = fields.get("to") or ""
        if to:
            root = id_of(to)
            group, title = self.find(root)
            return compose.Place(group, self.group_name(group), root, title)
        group = fields.get("group") or ""
        return compose.Place(group, self.group_name(group), None, "")

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

    def came_back(self, item: bytes) -> "dict":
        for returned in self.device.returned():
            if returned["item"] == item:
                return returned
        raise NotFound(item.hex())


def id_of(text: str) -> bytes:
    """An item id or root out of a path; NotFound when it is none."""
    if len(text) != 64 or not all([c in "0123456789abcdef" for c in text]):
        raise NotFound(text[:80])
    return bytes.fromhex(text)


def versions(folder: str) -> "dict[str, str]":
    """A short digest of every file of the page, so that browsers can keep them for ever."""
    found = {}
    for name in STATIC:
        digest = hashlib.sha256()
        with open(folder + "/static/" + name, "rb") as data:
            while True:
                piece = data.read(1024)
                if not piece:
                    break
                digest.update(piece)
        found[name] = digest.digest()[:6].hex()
    return found


def html(parts: "Iterator[str]", status: int = 200) -> Response:
    return Response(in_pieces(parts), status, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"})


def see(path: str) -> Response:
    """After a form: go and look there."""
    return Response("", 303, {"Location": path})


def make_app(device: "Device", folder: "str | None" = None) -> Microdot:
    """The learner's page of `device`; `folder` holds strings_*.json and static/, by default beside this file."""
    Request.max_body_length = 0  # bodies are read as streams, in pieces
    Request.max_content_length = guard.FORM_BYTES_MAX
    page = Page(device, folder or __file__.replace("\\", "/").rsplit("/", 1)[0])
    app = Microdot()
    _add_rules(app, page)
    _add_reading(app, page)
    _add_own(app, page)
    _add_forms(app, page)
    _add_files(app, page)
    add_recording(app, page)
    return app


def _add_rules(app: Microdot, page: Page) -> None:
    @app.before_request
    async def before(request: Request) -> "Response | None":
        try:
            guard.check(request)
        except Refusal as refusal:
            return await page.refused(request, refusal)
        open_to_all = ("/", "/help", "/settings", "/language", "/recorded", "/status.json")
        if request.path in open_to_all or request.path.startswith("/static/"):
            return None
        if device_state(page) in ("new", "enrolling"):
            await guard.drain(request)
            return see("/")
        return None

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
        return Response({"refused": "SliceTooLarge", "max": guard.SLICE_BYTES_MAX}, 413)

    @app.errorhandler(404)
    async def not_there(request: Request) -> Response:
        await guard.drain(request)
        return html(home.trouble(page.ask(request, "trouble"), "NotFound"), 404)


def device_state(page: Page) -> str:
    return str(page.device.status()["state"])


def _add_reading(app: Microdot, page: Page) -> None:
    device = page.device

    @app.get("/")
    @page.safe
    async def first(request: Request) -> Response:
        if device_state(page) in ("new", "enrolling"):
            return html(home.enrol(page.ask(request, "enrol", "dock")))
        return html(home.home(page.ask(request, "home", "dock", "month", "when", "new")))

    @app.get("/status.json")
    @page.safe
    async def status(request: Request) -> Response:
        answer = Response(home.status_json(page.ask(request, "dock", "month", "when")))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.get("/help")
    @page.safe
    async def help_now(request: Request) -> Response:
        return html(home.help_now(page.ask(request, "help")))

    @app.get("/groups")
    @page.safe
    async def groups(request: Request) -> Response:
        return html(threads.groups(page.ask(request, "groups", "new")))

    @app.get("/group/<group_id>")
    @page.safe
    async def group(request: Request, group_id: str) -> Response:
        name = page.group_name(group_id)
        return html(threads.group(page.ask(request, "group", "new", "thread"), group_id, name, device.threads(group_id)))

    @app.get("/thread/<root>")
    @page.safe
    async def thread(request: Request, root: str) -> Response:
        key = id_of(root)
        _, title = page.find(key)
        messages = device.thread(key)
        for message in messages:
            if message["unread"]:
                device.mark_seen(message["item"])
        if page.opened != key:  # once a visit; reloading is not opening
            page.opened = key
            device.log("open", root)
        ask = page.ask(request, "thread", "way", "when", "month", "new")
        return html(threads.thread(ask, key, messages, title or ask.words("thread.untitled")))


def _add_own(app: Microdot, page: Page) -> None:
    device = page.device

    @app.get("/waiting")
    @page.safe
    async def waiting(request: Request) -> Response:
        items = device.waiting()
        shown = [item for item in items if item["state"] < 4]
        shown += [item for item in items if item["state"] >= 4][:DELIVERED_SHOWN_MAX]
        ask = page.ask(request, "waiting", "way", "when", "month", "thread", "home")
        return html(own.waiting(ask, shown, "saved" in request.args))

    @app.get("/back")
    @page.safe
    async def back(request: Request) -> Response:
        items = device.returned()
        answer = html(own.back(page.ask(request, "back", "reason", "hub", "when", "month", "waiting"), items))
        for item in items:
            if not item["seen"]:
                device.mark_seen(item["item"])
        return answer

    @app.get("/appeal/<item>")
    @page.safe
    async def appeal(request: Request, item: str) -> Response:
        return html(own.appeal(page.ask(request, "appeal", "waiting"), page.came_back(id_of(item))))

    @app.get("/recorded")
    @page.safe
    async def recorded(request: Request) -> Response:
        end = device.journal.next_seq
        before = str(request.args.get("before", ""))
        last = min(end, int(before)) if before.isdigit() and len(before) < 10 else end
        first = max(0, last - own.ENTRIES_A_PAGE)
        entries = list(device.journal_entries(first, last - first))
        entries.reverse()
        return html(own.recorded(page.ask(request, "recorded", "did", "when", "month"), entries, first))

    @app.get("/settings")
    @page.safe
    async def settings(request: Request) -> Response:
        return html(own.settings(page.ask(request, "settings"), "saved" in request.args))

    @app.post("/settings")
    @page.safe
    async def choose(request: Request) -> Response:
        page.site.choose(await guard.form(request))
        return see("/settings?saved=1")

    @app.post("/language")
    @page.safe
    async def language(request: Request) -> Response:
        fields = await guard.form(request)
        page.site.choose({"language": fields.get("language", "")})
        where = fields.get("back", "/")
        local = where[:1] == "/" and where[:2] != "//" and all([" " < c < "\x7f" and c != "\\" for c in where])
        return see(where if local else "/")


def _add_forms(app: Microdot, page: Page) -> None:
    device = page.device

    @app.get("/write")
    @page.safe
    async def write(request: Request) -> Response:
        again = request.args.get("again", "")
        if again:
            item = page.came_back(id_of(again))
            fields = {"group": item["group"], "to": item["parent"].hex() if item["parent"] else ""}
            place = page.place(fields)
            text = device.draft(place.key) or item["text"]
        else:
            place = page.place(request.args)
            text = device.draft(place.key)
        return html(compose.write(page.ask(request, "write"), place, text, page.token(), "", again))

    @app.post("/write")
    @page.safe
    async def send(request: Request) -> Response:
        fields = await guard.form(request)
        place = page.place(fields)
        text = fields.get("text", "").rstrip()
        if fields.get("do") == "keep":
            device.save_draft(place.key, text)
            return see(place.back)
        wrong = ""
        if not text.strip():
            wrong = "empty"
        elif len(text.encode()) > TEXT_BYTES_MAX:
            wrong = "long"
        else:
            try:
                if page.once(fields.get("token", "")):
                    device.write_post(place.group, place.root, text)
            except Refusal as refusal:
                page.done.remove(fields.get("token", ""))
                wrong = "refused." + refusal.name
        if wrong:
            device.save_draft(place.key, text)
            ask = page.ask(request, "write")
            if not ask.words.has("write." + wrong):
                wrong = "other"
            return html(compose.write(ask, place, text, page.token(), wrong, fields.get("again", "")), 422)
        device.save_draft(place.key, "")
        return see("/waiting?saved=1")

    @app.post("/draft")
    @page.safe
    async def draft(request: Request) -> Response:
        place = page.place(request.args)
        if request.content_length > guard.FORM_BYTES_MAX:
            raise guard.BadForm("a draft of " + str(request.content_length) + " bytes")
        text = guard.text_of(bytes(await guard.body(request, guard.FORM_BYTES_MAX)))
        device.save_draft(place.key, text)
        return Response({"kept": len(text)})


def _add_files(app: Microdot, page: Page) -> None:
    device = page.device

    @app.get("/static/<name>")
    @page.safe
    async def static(request: Request, name: str) -> Response:
        if name not in STATIC:
            raise NotFound(name[:40])
        headers = {"Content-Type": STATIC[name], "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(file_pieces(page.folder + "/static/" + name), 200, headers)

    @app.get("/media/<root>")
    @page.safe
    async def media(request: Request, root: str) -> Response:
        return send_range(request, device.media(id_of(root)))

    @app.get("/own/<item>")
    @page.safe
    async def own_media(request: Request, item: str) -> Response:
        return send_range(request, device.own_media(id_of(item)))


def file_pieces(path: str) -> "Iterator[bytes]":
    with open(path, "rb") as data:
        while True:
            piece = data.read(1024)
            if not piece:
                return
            yield piece


def range_of(header: str, size: int) -> "tuple[int, int] | None":
    """(first, end) of `bytes=a-b`, `a-` or `-n` in a body of `size` bytes; None when there is nothing to give."""
    if not header.startswith("bytes=") or "," in header:
        return 0, size  # a form that we do not take means the whole body (RFC 9110, 14.2)
    start, dash, last = header[6:].partition("-")
    if not dash or not (start or last) or not (start + last).isdigit() or len(start + last) > 20:
        return 0, size
    if not start:
        first, end = max(0, size - int(last)), size
    else:
        first, end = int(start), min(size, int(last) + 1) if last else size
    return (first, end) if first < end else None


def send_range(request: Request, found: "tuple") -> Response:
    """A video or a still, or the part of it that was asked for, read from storage in small pieces."""
    media_type, size, read = found
    headers = {"Content-Type": media_type, "Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    asked = request.headers.get("Range", "")
    part = range_of(asked, size)
    if part is None:
        headers["Content-Range"] = "bytes */" + str(size)
        return Response("", 416, headers)
    first, end = part
    status = 200
    if asked and (first, end) != (0, size) or asked.startswith("bytes=0-"):
        headers["Content-Range"] = "bytes " + str(first) + "-" + str(end - 1) + "/" + str(size)
        status = 206
    headers["Content-Length"] = str(end - first)
    return Response(media_pieces(read, first, end), status, headers)


def media_pieces(read, first: int, end: int) -> "Iterator[bytes]":
    while first < end:
        piece = read(first, min(MEDIA_PIECE_BYTES, end - first))
        if not piece:
            return
        first += len(piece)
        yield piece
    yield b""
