"""app -> here -> views: one request as the views see it: device, words, the learner's settings, time."""

import json
import time

from firmware.page.words import LANGUAGES, Words
from protocol.compat import TYPE_CHECKING

if TYPE_CHECKING:
    from microdot import Request

    from firmware.device import Device

SETTINGS_KEY = "settings"
CHOICES = {  # the first of each is what a new device shows
    "language": ("",) + LANGUAGES,
    "size": ("m", "l", "xl"),
    "space": ("n", "w"),
    "colour": ("light", "cream", "dark"),
    "read": ("no", "yes"),
}
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0  # some boards count from 2000


class Site:
    """What lives as long as the page: the device, where its files are, and the settings read once."""

    def __init__(self, device: "Device", folder: str, versions: "dict[str, str]") -> None:
        self.device = device
        self.folder = folder
        self.versions = versions
        self.choice = self._load()
        self._words: "Words | None" = None

    def _load(self) -> "dict[str, str]":
        choice = {name: allowed[0] for name, allowed in CHOICES.items()}
        try:
            saved = json.loads(self.device.draft(SETTINGS_KEY) or "{}")
        except ValueError:
            saved = {}  # settings of another Perch: the learner chooses again
        for name, allowed in CHOICES.items():
            if isinstance(saved, dict) and saved.get(name) in allowed:
                choice[name] = saved[name]
        return choice

    def words(self, language: str) -> Words:
        """The words of a language; the last one asked for stays."""
        if self._words is None or self._words.language != language:
            self._words = Words(self.folder, language)
        return self._words

    def choose(self, wanted: "dict[str, str]") -> None:
        """Take the settings that exist, leave the others as they were, and make it durable."""
        for name, allowed in CHOICES.items():
            if wanted.get(name) in allowed:
                self.choice[name] = wanted[name]
        rows = [json.dumps(name) + ": " + json.dumps(self.choice[name]) for name in sorted(self.choice)]
        self.device.save_draft(SETTINGS_KEY, "{" + ", ".join(rows) + "}")


class Ask:
    """One request."""

    def __init__(self, site: Site, request: "Request") -> None:
        self.site = site
        self.device = site.device
        self.path = request.url if request.method == "GET" else "/"
        self.args = request.args
        self.choice = site.choice
        self.status = site.device.status()
        language = self.choice["language"] or self.status["language"]
        self.language = language if language in LANGUAGES else "en"
        self.words = site.words(self.language)
        self.enrolled = self.status["state"] not in ("new", "enrolling")

    def static(self, name: str) -> str:
        """The path of a file that a browser may keep for ever: its digest is in the query."""
        return "/static/" + name + "?v=" + self.site.versions[name]

    def counts(self, place: str) -> int:
        """The number beside a tab; 0 shows none."""
        if place == "back":
            return self._came_back()
        if place == "waiting":
            return sum(self.on_the_way())
        return 0

    def _came_back(self) -> int:
        """How many came back and were not looked at: counted without opening one of them (every page asks)."""
        count = 0
        for own in self.device.outbox.own.values():
            if own.refusal is not None and not own.seen:
                count += 1
        for held in self.device.inbox.held.values():
            if held.action in (2, 3) and held.seen_s is None:
                count += 1
        return count

    def on_the_way(self) -> "tuple[int, int]":
        """(saved here only, handed over and not yet decided): own items that nobody else can see yet."""
        here = 0
        handed = 0
        for own in self.device.outbox.own.values():
            if own.state == 0:
                here += 1
            elif own.state < 3:
                handed += 1
        return here, handed

    def oldest_s(self) -> "int | None":
        """Since when the longest waiting of them waits."""
        times = [own.times[0] for own in self.device.outbox.own.values() if own.state < 3 and own.times[0]]
        return min(times) if times else None

    def when(self, at_s: "int | None") -> str:
        """14:02 today; 3 March, 14:02 on another day; words when it is not known."""
        if not at_s:
            return self.words("when.unknown")
        then = time.localtime(at_s - EPOCH_S)
        now = time.localtime(self.device.clock_s() - EPOCH_S)
        clock = "{:02d}:{:02d}".format(then[3], then[4])  # noqa: UP032
        if then[:3] == now[:3]:
            return clock
        return str(then[2]) + " " + self.words("month." + str(then[1])) + ", " + clock
