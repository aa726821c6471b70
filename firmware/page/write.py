"""Path -> here -> html and device.write_post: writing. The page keeps nothing; drafts are the device's."""

from firmware.page import guard
from firmware.page.app import html, id_of, see, to_script
from firmware.page.html import crumb, heading, icon, page, prose
from firmware.page.words import esc
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.limits import TEXT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from microdot import Request, Response

    from firmware.page.app import Page, Place
    from firmware.page.ask import Ask


async def write(site: "Page", request: "Request", rest: str) -> "Response":
    """`?group=` for a new thread, `?to=` for a reply, `?again=` for one that came back."""
    again = request.args.get("again", "")
    if again:
        item = site.came_back(id_of(again))
        place = site.place({"group": item["group"], "to": item["parent"].hex() if item["parent"] else ""})
        text = site.device.draft(place.key) or item["text"]
    else:
        place = site.place(request.args)
        text = site.device.draft(place.key)
    ask = site.ask(request)
    return html(page(ask, "write", _write(ask, place, text, site.token(), "")))


async def send(site: "Page", request: "Request", rest: str) -> "Response":
    fields = await guard.form(request)
    place = site.place(fields)
    text = fields.pop("text", "").replace("\t", " ").rstrip()
    if fields.get("do") == "keep":
        site.device.save_draft(place.key, text)
        return see(place.back)
    wrong = _post(site, place, text, fields.get("token", ""))
    if wrong != "refused.CardFull":  # then the words are on the screen, and the draft before them is left
        site.device.save_draft(place.key, text if wrong else "")
    if not wrong:
        return see("/waiting?saved=1")
    ask = site.ask(request)
    if not ask.words.has("write." + wrong):
        wrong = "other"
    title = ask.words("write.wrong") + " " + ask.words("write.title")
    return html(page(ask, "write", _write(ask, place, text, site.token(), wrong), title), 422)


def _post(site: "Page", place: "Place", text: str, token: str) -> str:
    """Save it to send; returns what is wrong with it, or "". A form that was sent twice is saved once."""
    if not text.strip():
        return "empty"
    if len(text.encode()) > TEXT_BYTES_MAX:
        return "long"
    if token in site.sent:
        return ""
    try:
        site.device.write_post(place.group, place.root, text)
    except Refusal as refusal:
        return "refused." + refusal.name
    site.sent.append(token)
    del site.sent[:-16]
    return ""


async def draft(site: "Page", request: "Request", rest: str) -> "Response":
    """The raw text, as page.js sends it while one writes."""
    place = site.place(request.args)
    if request.content_length > guard.FORM_BYTES_MAX:
        raise guard.BadForm("a draft of " + str(request.content_length) + " bytes")
    text = guard.text_of(bytes(await guard.body(request, guard.FORM_BYTES_MAX)))
    site.device.save_draft(place.key, text)
    return to_script({"kept": len(text)})


def _write(ask: "Ask", place: "Place", text: str, token: str, wrong: str) -> "Iterator[str]":
    """`wrong`: the key of what was wrong with the last try."""
    w = ask.words
    yield crumb(esc(place.back), w("write.away"))
    yield heading(w("write.reply") if place.root else w("write.new"))
    yield f'<p class="lead" dir="auto">{prose(place.title if place.root else place.name)}</p>'
    if wrong:
        yield f'<p class="notice wrong" id="wrong" role="alert">{w("write." + wrong)}</p>'
    yield '<form method="post" action="/write" id="write-form">'
    for name, value in (("group", place.group), ("to", place.to), ("token", token)):
        yield f'<input type="hidden" name="{name}" value="{esc(value)}">'
    hint = w("write.hint.reply") if place.root else w("write.hint.new")
    yield f'<label for="text">{w("write.label")}</label><p class="hint" id="hint">{hint}</p>'
    yield '<textarea id="text" name="text" rows="8" dir="auto" spellcheck="false" aria-describedby="hint room promise"'
    yield f' data-max="{TEXT_BYTES_MAX}"{" aria-invalid=true" if wrong else ""}>\n'
    yield esc(text)
    left = max(0, TEXT_BYTES_MAX - len(text.encode()))
    yield f'</textarea><p class="hint row"><span id="room" data-words="{w("write.room", left="#")}">'
    yield f'{w("write.room", left=left)}</span> <span id="kept" role="status"'
    for word in ("kept", "keeping", "lost"):
        yield f' data-{word}="{w("write." + word)}"'
    yield f'></span></p><p class="promise" id="promise">{w("write.promise")}</p>'
    yield '<div class="pair"><button id="send" class="button" name="do" value="send">'
    yield f'{icon("waiting")}{w("write.send")}</button>'
    yield f'<button id="keep-draft" class="button second" name="do" value="keep">{w("write.keep")}</button>'
    yield "</div></form>"
