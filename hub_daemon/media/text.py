"""From what a learner typed to what people read: the canonical text, and marks of what was hidden.

The rendition is NFC, has one kind of newline and one kind of space, no character that changes text without
being seen, at most COMBINING_MARKS_MAX marks on a letter and BLANK_LINES_MAX blank lines in a row. What was
taken out is listed for staff with its place in the learner's own text: hiding something is seldom an
accident, and a text that said something else to the eye than to a search must be seen as it came.

Which characters may not be shown is protocol/records/text.py's table, the same on the device that shows the text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from hub_daemon.limits import BLANK_LINES_MAX, COMBINING_MARKS_MAX, MARKS_PER_ITEM_MAX
from protocol.errors import Refusal
from protocol.limits import TEXT_BYTES_MAX
from protocol.records import text as shown

ROUNDS_MAX = 4  # taking a character out can let two others compose; two rounds were the most ever seen
NEWLINES = ("\r", "\n", "\v", "\f", "\x85", "\u2028", "\u2029")
HIDDEN, STACKED, SPACE, MORE = "hidden character", "stacked marks", "unusual space", "more marks"


class EmptyText(Refusal):
    """Nothing is left that could be read."""

    words = "There was nothing to read in the message. Please write it again."


class TextTooLong(Refusal):
    """The canonical form has more than TEXT_BYTES_MAX bytes (it can be longer than what was typed)."""

    words = "The message was too long. Please write it in two parts."


@dataclass(frozen=True)
class Mark:
    """One thing staff should know. `position` counts code points of the learner's own text, from 0."""

    kind: str
    position: int
    code_point: int
    name: str

    @property
    def detail(self) -> str:
        """`U+202E RIGHT-TO-LEFT OVERRIDE at 12`"""
        return f"U+{self.code_point:04X} {self.name} at {self.position}"


def canonical(text: str, may_be_empty: bool = False) -> tuple[bytes, list[Mark]]:
    """The canonical text as UTF-8, and the marks in order of their positions.

    Raises EmptyText (unless `may_be_empty`: a video's caption), TextTooLong, or protocol's TextRefused for
    what no repair helps. `canonical` of its own result is the same text with no mark.
    """
    marks: list[Mark] = []
    letters = list(enumerate(_newlines(text)))
    letters = _without_hidden(letters, marks)
    letters = _spaces(letters, marks)
    letters = _without_stacks(letters, marks)
    result = "".join(letter for _, letter in letters)
    for _ in range(ROUNDS_MAX):
        before, result = result, _lines(unicodedata.normalize("NFC", result))
        again = _without_stacks(_without_hidden(list(enumerate(result)), []), [])
        result = "".join(letter for _, letter in again)
        if result == before:
            break
    shown.check(result)
    data = result.encode("utf-8")
    if not data and not may_be_empty:
        raise EmptyText("nothing is left of the text")
    if len(data) > TEXT_BYTES_MAX:
        raise TextTooLong(f"{len(data)} bytes, more than {TEXT_BYTES_MAX}")
    return data, _bounded(sorted(marks, key=lambda mark: mark.position))


def _newlines(text: str) -> list[str]:
    """One element for every code point of `text`; the second half of CR LF becomes an empty one."""
    letters = list(text)
    for index, letter in enumerate(letters):
        if letter == "\n" and index and text[index - 1] == "\r":
            letters[index] = ""
        elif letter in NEWLINES:
            letters[index] = "\n"
        elif letter == "\t":
            letters[index] = " "
    return letters


def _name(letter: str) -> str:
    point = ord(letter)
    if point < 0x20 or 0x7F <= point < 0xA0:
        return "control character"
    if 0xE0000 <= point < 0xE0080:
        return "TAG " + unicodedata.name(chr(point - 0xE0000), "control")
    return unicodedata.name(letter, "no name")


def _may_stand(before: list[str], letter: str, after: str) -> bool:
    """Whether protocol's table takes `letter` here. `before` is valid text already."""
    start = max(0, len(before) - 4)
    while start and _alone_refused(before[start]):
        start -= 1
    try:
        shown.check("".join(before[start:]) + letter + after)
    except shown.TextRefused:
        return False
    return True


def _alone_refused(letter: str) -> bool:
    try:
        shown.check(letter)
    except shown.TextRefused:
        return True
    return False


def _without_hidden(letters: list[tuple[int, str]], marks: list[Mark]) -> list[tuple[int, str]]:
    """Take out what cannot be seen, unless it is how the word or the emoji is spelt."""
    kept: list[tuple[int, str]] = []
    plain: list[str] = []
    for index, (position, letter) in enumerate(letters):
        if not letter:
            continue
        if _alone_refused(letter):
            after = next((other for _, other in letters[index + 1 : index + 3] if other), "")
            if after and _alone_refused(after):
                # an emoji selector between picture and joiner is judged with the joiner's own neighbour
                after = ""
            if not _may_stand(plain, letter, after):
                marks.append(Mark(HIDDEN, position, ord(letter), _name(letter)))
                continue
        kept.append((position, letter))
        plain.append(letter)
    return kept


def _spaces(letters: list[tuple[int, str]], marks: list[Mark]) -> list[tuple[int, str]]:
    """Every space that is not U+0020 becomes one: widths of spaces can carry a message nobody reads."""
    result = []
    for position, letter in letters:
        if letter != " " and unicodedata.category(letter) == "Zs":
            if letter not in ("\u00a0", "\u3000"):  # what keyboards make is no mark
                marks.append(Mark(SPACE, position, ord(letter), _name(letter)))
            letter = " "
        result.append((position, letter))
    return result


def _without_stacks(letters: list[tuple[int, str]], marks: list[Mark]) -> list[tuple[int, str]]:
    """At most COMBINING_MARKS_MAX combining marks in a row, counted decomposed: NFC changes nothing."""
    result = []
    count, told = 0, False
    for position, letter in letters:
        parts = unicodedata.normalize("NFD", letter)
        combining = [part for part in parts if unicodedata.category(part) in ("Mn", "Me")]
        if len(combining) < len(parts):
            count, told = len(combining), False
        else:
            count += len(combining)
        if count > COMBINING_MARKS_MAX and len(combining) == len(parts):
            count -= len(combining)
            if not told:
                marks.append(Mark(STACKED, position, ord(letter), _name(letter)))
            told = True
            continue
        result.append((position, letter))
    return result


def _lines(text: str) -> str:
    """No spaces at the ends of lines, no blank lines at the ends of the text, few in between."""
    result: list[str] = []
    blank = 0
    for line in text.split("\n"):
        line = line.rstrip(" ")
        blank = 0 if line else blank + 1
        if blank <= BLANK_LINES_MAX:
            result.append(line)
    return "\n".join(result).strip("\n")


def _bounded(marks: list[Mark]) -> list[Mark]:
    if len(marks) <= MARKS_PER_ITEM_MAX:
        return marks
    kept = marks[: MARKS_PER_ITEM_MAX - 1]
    return [*kept, Mark(MORE, marks[len(kept)].position, 0, f"{len(marks) - len(kept)} more")]
