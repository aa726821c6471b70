"""strings_<language>.json -> here -> views: the words of a page, read from disk when they are wanted.

A file has one string on each line, sorted by key, so that it is valid JSON and can also be searched
line by line: the heap holds where the lines begin and never the words themselves. Strings hold no
markup and no double quotes (a test keeps it); values put into them are escaped here.
"""

import json
from array import array

LANGUAGES = ("en", "cy")


def esc(value: object) -> str:
    """Any text, safe between tags and inside a quoted attribute."""
    text = str(value)
    for bad, good in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        if bad in text:
            text = text.replace(bad, good)
    return text


def _key(line: bytes) -> str:
    return line[1 : line.find(b'"', 1)].decode()


class Words:
    """The strings of one language; one of them lives as long as the page."""

    def __init__(self, folder: str, language: str) -> None:
        self.language = language
        self._path = folder + "/strings_" + language + ".json"
        self._lines = array("H")  # where each string's line begins: the files are far shorter than 64 KiB
        at = 0
        with open(self._path, "rb") as lines:
            while True:
                line = lines.readline()
                if not line:
                    break
                if line[:1] == b'"':
                    self._lines.append(at)
                at += len(line)

    def _find(self, key: str) -> "str | None":
        low = 0
        high = len(self._lines)
        with open(self._path, "rb") as lines:
            while low < high:
                middle = (low + high) // 2
                lines.seek(self._lines[middle])
                line = lines.readline()
                found = _key(line)
                if found == key:
                    return str(json.loads(line[len(key) + 3 :].strip().rstrip(b",").decode()))
                if found < key:
                    low = middle + 1
                else:
                    high = middle
        return None

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`, safe in HTML, with the values put in and escaped."""
        text = self._find(key)
        if text is None:
            raise KeyError(key)
        if values:
            return text.format(**{name: esc(value) for name, value in values.items()})
        return text

    def has(self, key: str) -> bool:
        return self._find(key) is not None
