"""Scenario text -> here -> refusals: the line on which each key and each element of a TOML text stands.

tomllib gives values without their places. This walks over a text that tomllib has accepted, and notes where each key,
table and element of an array begins; it understands nothing else of a value than where it ends.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!"")|"(?="""))*"""', re.S),
    re.compile(r"'''(?:[^']|'(?!'')|'(?='''))*'''", re.S),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_PLAIN = re.compile(r"[^,\]}#\n\r]+")


def lines(text: str) -> dict[Path, int]:
    """Path of each key, table and element -> its first line, from 1. `text` must be TOML that tomllib accepts.

    The elements of an array and of an array of tables have their number in the path: ("event", 0, "at").
    """
    return _Walk(text).found


class _Walk:
    def __init__(self, text: str) -> None:
        self.found: dict[Path, int] = {(): 1}
        self._text = text
        self._at = 0
        self._counted = (0, 1)  # a place and its line
        self._counts: dict[Path, int] = {}  # of each array of tables
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _skip(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if found is None:
            raise ValueError(f"line {self._line()} is not read as TOML")
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        place, line = self._counted
        self._counted = (self._at, line + self._text.count("\n", place, self._at))
        return self._counted[1]

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.found.setdefault(path[:length], line)

    def _header(self) -> Path:
        """[a.b] or [[a.b]] -> the path of what follows."""
        line, many = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        keys = self._keys()
        self._at += 2 if many else 1
        path: Path = ()
        for place, key in enumerate(keys):
            path += (key,)
            last = place == len(keys) - 1
            if last and many:
                self._counts[path] = self._counts.get(path, 0) + 1
                self._note(path, line)
            if path in self._counts:
                path += (self._counts[path] - 1,)
        self._note(path, line)
        return path

    def _keys(self) -> list[str]:
        """a . "b" . 'c' -> its parts."""
        keys = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                keys.append(str(tomllib.loads("k = " + self._string())["k"]))
            else:
                keys.append(self._skip(_BARE))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = (*table, *self._keys())
        self._note(path, line)
        self._at += 1  # =
        self._skip(_SPACE)
        self._value(path)

    def _string(self) -> str:
        for kind in _STRINGS:
            found = kind.match(self._text, self._at)
            if found:
                self._at = found.end()
                return found[0]
        raise ValueError(f"line {self._line()} is not read as TOML")

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._inside("]", path)
        elif first == "{":
            self._inside("}", path)
        else:
            self._skip(_PLAIN)

    def _inside(self, end: str, path: Path) -> None:
        """The elements of an array, or the pairs of an inline table."""
        self._at += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == end:
                self._at += 1
                return
            if end == "}":
                self._pair(path)
            else:
                self._note((*path, number), self._line())
                self._value((*path, number))
            number += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
