"""strings_<language>.json -> here -> views: the words of a page, read from disk for that page only.

A file has one string on each line, so that it is valid JSON and can also be read line by line: the heap
holds the words of one page and never a whole language. Strings hold no markup and no double quotes
(a test keeps it); values put into them are escaped here.
"""

import json

LANGUAGES = ("en", "cy")
COMMON = ("home.tab", "groups.tab", "waiting.tab", "back.tab", "settings.tab", "help.link", "recorded.link")


def esc(value: object) -> str:
    """Any text, safe between tags and inside a quoted attribute."""
    text = str(value)
    for bad, good in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        if bad in text:
            text = text.replace(bad, good)
    return text


class Words:
    """The strings of `language` for every page: those without a dot, those of COMMON and those under `rooms`."""

    def __init__(self, folder: str, language: str, rooms: "tuple[str, ...]") -> None:
        self.language = language
        self.strings: "dict[str, str]" = {}
        starts = ['"' + room + "." for room in rooms]
        with open(folder + "/strings_" + language + ".json", encoding="utf-8") as lines:
            for line in lines:
                line = line.strip()
                end = line.find('"', 1)
                if line[:1] != '"' or end < 0:
                    continue
                key = line[1:end]
                if "." not in key or key in COMMON or any([line.startswith(start) for start in starts]):
                    self.strings[key] = json.loads("[" + line[end + 2 :].rstrip(",") + "]")[0]

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`, safe in HTML, with the values put in and escaped."""
        text = self.strings[key]
        if values:
            return text.format(**{name: esc(value) for name, value in values.items()})
        return text

    def has(self, key: str) -> bool:
        return key in self.strings
