"""Browser -> here -> app: which requests are taken at all, and their bodies in bounded pieces.

The page listens on the device's own screen only, but a browser carries other pages too one day: every
request must name the device by address (no DNS rebinding), every change must come from this page itself.
"""

from protocol.compat import TYPE_CHECKING, const
from protocol.errors import Refusal

if TYPE_CHECKING:
    from typing import Any

    from microdot import Request

SLICE_BYTES_MAX = const(8 * 1024)  # one piece of a recording: what the heap can give at any time
FORM_BYTES_MAX = const(14 * 1024)  # the longest post, every byte of it as %XX, and the other fields
FORM_FIELDS_MAX = const(16)  # the settings form has six
PIECE_BYTES = const(1024)  # of a recording that comes up
DRAIN_BYTES_MAX = const(64 * 1024)  # read away before a refusal, so that the browser hears it instead of a reset


class ForeignOrigin(Refusal):
    """A change that did not come from this device's own page."""


class ForeignHost(Refusal):
    """The page was asked for under a name that is not this device's."""


class SliceTooLarge(Refusal):
    """A piece of a recording longer than SLICE_BYTES_MAX."""


class BadForm(Refusal):
    """A form that is too long, has too many fields, or is not UTF-8."""


STATUS = {"ForeignOrigin": 403, "ForeignHost": 421, "SliceTooLarge": 413, "BadForm": 400}


def _is_address(host: str) -> bool:
    """localhost, dotted digits or a bracketed IPv6 address, with or without a port."""
    if host.startswith("["):
        inside = host[1:].split("]")[0]
        return bool(inside) and all([c in b"0123456789abcdefABCDEF:." for c in inside.encode()])
    name = host.split(":")[0]
    return name == "localhost" or bool(name) and all([c in b"0123456789." for c in name.encode()])


def check(request: "Request") -> None:
    """Raise ForeignHost or ForeignOrigin; return when the request is this page's own."""
    host = request.headers.get("Host", "")
    if not _is_address(host):
        raise ForeignHost(host[:80])
    if request.method in ("GET", "HEAD"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is None:
        raise ForeignOrigin("neither Origin nor Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise ForeignOrigin("Sec-Fetch-Site: " + site[:40])
    if origin is not None and origin != "http://" + host:
        raise ForeignOrigin("Origin: " + origin[:80])


def _stream(request: "Request") -> "Any":
    """The reader of a body; there always is one, because make_app sets max_body_length to 0."""
    return request.stream


async def drain(request: "Request") -> None:
    """Read away what is left of a body that is refused; never waits for what was read already."""
    left = min(max(request.content_length - getattr(request.g, "read", 0), 0), DRAIN_BYTES_MAX)
    try:
        while left > 0:
            got = await _stream(request).read(min(left, 1024))
            if not got:
                return
            left -= len(got)
    except OSError:
        return  # it went away: then there is nobody to tell


async def piece(request: "Request") -> bytes:
    """The next piece of the body, at most PIECE_BYTES; b"" after the last; BadForm when it ends early."""
    done = getattr(request.g, "read", 0)
    left = request.content_length - done
    if left <= 0:
        return b""
    got: bytes = await _stream(request).read(min(left, PIECE_BYTES))
    request.g.read = done + len(got) if got else request.content_length
    if not got:
        raise BadForm("the body ended " + str(left) + " bytes early")
    return got


async def body(request: "Request", bytes_max: int) -> bytearray:
    """The whole body, at most `bytes_max`; shorter when the browser went away (the caller checks)."""
    wanted = request.content_length
    whole = bytearray(wanted if 0 <= wanted <= bytes_max else 0)
    at = 0
    while at < len(whole):
        got = await _stream(request).read(min(len(whole) - at, 2048))
        if not got:
            request.g.read = wanted
            raise BadForm("the body ended after " + str(at) + " bytes")
        whole[at : at + len(got)] = got
        at += len(got)
        request.g.read = at
    given, whole, got = [whole], bytearray(), b""  # MicroPython's caller holds on to this frame for a while
    return given.pop()


def _hex(code: int) -> int:
    if 48 <= code <= 57:
        return code - 48
    code |= 32
    if 97 <= code <= 102:
        return code - 87
    raise BadForm("a percent sign without two hexadecimal digits")


def _unquote(data: bytearray, start: int, end: int) -> str:
    """One name or value; decoded in place, so that a long letter costs no list of its pieces."""
    put = start
    at = start
    while at < end:
        code = data[at]
        if code == 43:
            code = 32
        elif code == 37:
            if at + 2 >= end:
                raise BadForm("a percent sign at the end")
            code = _hex(data[at + 1]) * 16 + _hex(data[at + 2])
            at += 2
        data[put] = code
        put += 1
        at += 1
    return text_of(bytes(memoryview(data)[start:put]))


def text_of(data: bytes) -> str:
    """UTF-8 that is really UTF-8 (MicroPython's decoder takes surrogates and overlong forms), as text with \\n."""
    at = 0
    while at < len(data):
        lead = data[at]
        at += 1
        if lead < 0x80:
            continue
        more = 1 if 0xC2 <= lead <= 0xDF else 2 if 0xE0 <= lead <= 0xEF else 3 if 0xF0 <= lead <= 0xF4 else 0
        low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80  # no overlong form
        high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF  # no surrogate, nothing past U+10FFFF
        if not more or at + more > len(data) or not low <= data[at] <= high:
            raise BadForm("not UTF-8")
        for i in range(1, more):
            if data[at + i] & 0xC0 != 0x80:
                raise BadForm("not UTF-8")
        at += more
    return data.decode().replace("\r\n", "\n").replace("\r", "\n")


async def form(request: "Request") -> "dict[str, str]":
    """The fields of an urlencoded form; the first of each name."""
    kind = request.content_type or ""
    if kind.split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise BadForm("not a form")
    if request.content_length > FORM_BYTES_MAX:
        await drain(request)
        raise BadForm("longer than " + str(FORM_BYTES_MAX) + " bytes")
    data = await body(request, FORM_BYTES_MAX)
    fields: "dict[str, str]" = {}
    start = 0
    count = 0
    while start < len(data):
        end = data.find(b"&", start)
        if end < 0:
            end = len(data)
        middle = data.find(b"=", start, end)
        if middle < 0:
            middle = end
        count += 1
        if count > FORM_FIELDS_MAX:
            raise BadForm("more than " + str(FORM_FIELDS_MAX) + " fields")
        name = _unquote(data, start, middle)
        if name not in fields:
            fields[name] = _unquote(data, min(middle + 1, end), end)
        start = end + 1
    data = bytearray()  # as in body()
    return fields
