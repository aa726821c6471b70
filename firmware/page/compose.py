"""ask -> here -> html: writing and recording. The page keeps nothing itself; drafts are the device's."""

from firmware.page.html import esc, heading, icon, page, prose
from firmware.page.threads import crumb
from protocol.compat import TYPE_CHECKING
from protocol.limits import BLOB_BYTES_MAX, TEXT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware.page.ask import Ask

RECORD_SECONDS = 30  # a message that people watch to its end; at most 1 MB on the wire
RECORD_SECONDS_MAX = 60  # what a wing can allow


class Place:
    """Where the words will go: a new thread of `group`, or a reply to `root`."""

    def __init__(self, group: str, name: str, root: "bytes | None", title: str) -> None:
        self.group = group
        self.name = name
        self.root = root
        self.title = title

    @property
    def key(self) -> str:
        """The name of the draft for this place."""
        return "to-" + self.root.hex()[:24] if self.root else "new-" + self.group

    @property
    def back(self) -> str:
        return "/thread/" + self.root.hex() if self.root else "/group/" + self.group

    def fields(self) -> str:
        to = self.root.hex() if self.root else ""
        return (
            '<input type="hidden" name="group" value="' + esc(self.group) + '">'
            '<input type="hidden" name="to" value="' + to + '">'
        )


def write(ask: "Ask", place: Place, text: str, token: str, wrong: str = "", again: str = "") -> "Iterator[str]":
    """`wrong`: the key of what was wrong with the last try; `again`: hex of the item that came back."""
    title = ask.words("write.title")
    if wrong:
        title = ask.words("write.wrong") + " " + title
    yield from page(ask, "write", _write(ask, place, text, token, wrong, again), title)


def _write(ask: "Ask", place: Place, text: str, token: str, wrong: str, again: str) -> "Iterator[str]":
    w = ask.words
    yield crumb(esc(place.back), w("write.away"))
    yield from _where(ask, place, "write.reply" if place.root else "write.new")
    if wrong:
        yield '<p class="notice wrong" id="wrong" role="alert">' + w("write." + wrong) + "</p>"
    yield '<form method="post" action="/write" id="write-form" data-draft="' + esc(place.key) + '">' + place.fields()
    yield '<input type="hidden" name="token" value="' + esc(token) + '"><input type="hidden" name="again" value="' + esc(again) + '">'
    yield '<label for="text">' + w("write.label") + '</label><p class="hint" id="hint">'
    yield (w("write.hint.reply") if place.root else w("write.hint.new")) + "</p>"
    yield '<textarea id="text" name="text" rows="8" dir="auto" spellcheck="false" data-max="' + str(TEXT_BYTES_MAX)
    yield '" aria-describedby="hint room promise"' + (' aria-invalid="true"' if wrong else "") + ">\n" + esc(text) + "</textarea>"
    yield '<p class="hint row"><span id="room" data-words="' + w("write.room", left="#") + '">'
    yield w("write.room", left=max(0, TEXT_BYTES_MAX - len(text.encode()))) + '</span> <span id="kept" role="status" data-kept="'
    yield w("write.kept") + '" data-keeping="' + w("write.keeping") + '" data-lost="' + w("write.lost") + '"></span></p>'
    yield '<p class="promise" id="promise">' + w("write.promise") + "</p>"
    yield '<div class="pair"><button id="send" class="button" name="do" value="send">' + icon("waiting") + w("write.send") + "</button>"
    yield '<button id="keep-draft" class="button second" name="do" value="keep">' + w("write.keep") + "</button></div></form>"


def _where(ask: "Ask", place: Place, key: str) -> "Iterator[str]":
    yield heading(ask.words(key))
    yield '<p class="lead" dir="auto">' + prose(place.title if place.root else place.name) + "</p>"


def record(ask: "Ask", place: Place, text: str, seconds: int) -> "Iterator[str]":
    yield from page(ask, "record", _record(ask, place, text, seconds))


def _record(ask: "Ask", place: Place, text: str, seconds: int) -> "Iterator[str]":
    w = ask.words
    yield crumb(esc(place.back), w("write.away"))
    yield from _where(ask, place, "record.reply" if place.root else "record.new")
    yield '<p class="promise">' + w("write.promise") + "</p>"
    yield '<noscript><p class="notice">' + w("record.noscript") + "</p></noscript>"
    yield '<div id="recorder" data-seconds="' + str(seconds) + '" data-max="' + str(BLOB_BYTES_MAX) + '" data-group="'
    yield esc(place.group) + '" data-to="' + (place.root.hex() if place.root else "") + '" data-phase="start"'
    for word in ("ready", "go", "on", "look", "saving", "nocamera", "toobig", "empty", "failed", "notvideo", "left"):
        yield " data-" + word + '="' + w("record." + word) + '"'
    yield '><div class="stage"><video id="self" muted playsinline width="320" height="240" aria-label="'
    yield w("record.self") + '"></video><video id="look" class="message-video" controls playsinline width="320" height="240" hidden aria-label="'
    yield w("record.lookat") + '"></video><svg class="ring" viewBox="0 0 120 120" aria-hidden="true"><circle class="track" cx="60" cy="60" r="54"/>'
    yield '<circle id="ring" cx="60" cy="60" r="54" pathLength="100" stroke-dasharray="0 100"/></svg><p id="big" class="big" aria-hidden="true"></p>'
    yield '<p id="live" class="live" hidden><span aria-hidden="true"></span>' + w("record.live") + "</p></div>"
    yield '<p id="say" class="lead" role="status"></p><progress id="save-bar" max="1" value="0" hidden aria-label="' + w("record.saving") + '"></progress>'
    yield '<label for="text">' + w("record.label") + '</label><p class="hint" id="hint">' + w("record.hint") + "</p>"
    yield '<input id="text" type="text" dir="auto" maxlength="200" autocomplete="off" aria-describedby="hint" value="' + esc(text) + '">'
    yield '<div class="pair controls"><button type="button" id="record-start" class="button">' + icon("record") + w("record.start") + "</button>"
    yield '<button type="button" id="record-stop" class="button stop" hidden>' + w("record.stop") + "</button>"
    yield '<button type="button" id="record-keep" class="button" hidden>' + icon("waiting") + w("record.keep") + "</button>"
    yield '<button type="button" id="record-again" class="button second" hidden>' + w("record.again") + "</button></div>"
    yield '<div class="upload"><label for="record-file">' + w("record.file") + '</label>'
    yield '<input type="file" id="record-file" accept="video/*"></div></div>'
    yield '<script src="' + ask.static("record.js") + '" defer></script>'
