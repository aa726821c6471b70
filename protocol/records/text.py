"""What text may stand in a record that people will read: checked before it is signed and before it is shown.

A device shows text with its own small fonts and no Unicode library, so the rule is a table of code point
ranges, not a property lookup: refused is whatever changes text without being seen (Unicode 16: Cc, Cf, Cs,
Co, Zl, Zp, Default_Ignorable_Code_Point, the non-characters and the blanks that are not spaces). Nothing
is repaired here: what is refused must be changed by a person or by the hub's canonical form.

Two joiners and the emoji selector are spelling, not formatting, in some places (Persian, Sinhala, emoji
families); they are taken only there, as RFC 5892 appendix A does for names.
"""

from protocol.cbor import utf8_valid
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

# pairs: first, last code point refused; ascending
_REFUSED = (
    (0x00, 0x09),  # controls; 0x0A, the newline, is asked for separately
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark (bidi)
    (0x070F, 0x070F),  # Syriac abbreviation mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors and vowel separator
    (0x200B, 0x200F),  # zero width space, joiners, left-to-right and right-to-left marks
    (0x2028, 0x202E),  # line and paragraph separator, bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates, deprecated formats
    (0x2800, 0x2800),  # Braille blank
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xF8FF),  # surrogates; private use: a font may draw anything
    (0xFDD0, 0xFDEF),  # non-characters
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFC),  # unassigned ignorables, interlinear annotation, object replacement
    (0xFFFE, 0xFFFF),
    (0x13430, 0x1345F),  # Egyptian hieroglyph format controls
    (0x16FE4, 0x16FE4),  # Khitan filler
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D159, 0x1D159),  # musical null notehead
    (0x1D173, 0x1D17A),  # musical beams and phrases
    (0xE0000, 0x10FFFF),  # tags, more selectors, private use
)

_NON_JOINER = 0x200C
_JOINER = 0x200D
_EMOJI_SELECTOR = 0xFE0F


class TextRefused(Refusal):
    """Text holds something that nobody could see, or is not the one right UTF-8."""


def _joins(point: int) -> bool:
    """Letters of Arabic to Sinhala, whose spelling needs the joiners."""
    return 0x0620 <= point <= 0x0DF3 or 0x1A20 <= point <= 0x1AAD


def _pictures(point: int) -> bool:
    """Pictographs and what may stand in the middle of an emoji sequence."""
    return (
        0x1F000 <= point <= 0x1FAFF
        or 0x2190 <= point <= 0x27FF
        or 0x2900 <= point <= 0x2BFF
        or point in (0x203C, 0x2049, 0x2122, 0x2139, 0x3030, 0x303D, 0x3297, 0x3299)
    )


def _refused(point: int) -> bool:
    if 0x20 <= point < 0x7F:
        return False
    low = 0
    high = len(_REFUSED)
    while low < high:
        middle = (low + high) // 2
        first, last = _REFUSED[middle]
        if point < first:
            high = middle
        elif point > last:
            low = middle + 1
        else:
            return True
    # the last two code points of every plane are non-characters
    return point & 0xFFFE == 0xFFFE


def _spelling(before: int, point: int, after: int) -> bool:
    """True where an otherwise refused code point is part of how the word or the emoji is written."""
    if point == _EMOJI_SELECTOR:
        return _pictures(before)
    if point == _NON_JOINER:
        return _joins(before) and _joins(after)
    if point == _JOINER:
        if _joins(before) and (_joins(after) or after in (0, 0x20, 0x0A)):
            return True
        return (_pictures(before) or before == _EMOJI_SELECTOR) and _pictures(after)
    return False


def points(raw: bytes) -> "Iterator[int]":
    """The code points of valid UTF-8, one by one.

    A string is not looked at character by character: MicroPython keeps every character that was ever
    taken out of one, and a reader of many scripts would fill a device's heap.
    """
    at = 0
    while at < len(raw):
        point = raw[at]
        size = 1 if point < 0x80 else 2 if point < 0xE0 else 3 if point < 0xF0 else 4
        if size > 1:
            point &= 0x7F >> size
            for more in raw[at + 1 : at + size]:
                point = point << 6 | more & 0x3F
        yield point
        at += size


_TELLS_PRINTABLE = hasattr("", "isprintable")  # CPython: nearly every text is plain, and found so in one step


def _plain(value: str, lines: bool) -> bool:
    """Whether there is nothing in it but printable ASCII, and newlines where they may be."""
    if lines:
        value = value.replace("\n", "")
    return value.isascii() and value.isprintable()


def check(value: str, lines: bool = True) -> str:
    """Return `value`; raise TextRefused, naming the code point, for anything that may not be shown.

    `lines` allows the newline, the only control character there is in a record.
    """
    try:
        raw = value.encode()
    except UnicodeError as error:  # a surrogate; MicroPython encodes it, and it is refused below
        start = int(getattr(error, "start", 0))
        raise TextRefused(f"U+{hex(ord(value[start]))[2:].upper()} at {start} may not be shown")
    if _TELLS_PRINTABLE and _plain(value, lines):
        return value
    before = -1
    held = -1  # refused, unless the one after it makes it part of a spelling
    index = -1
    for point in points(raw):
        if held >= 0:
            _must_spell(before, held, point, index)
            before, held = held, -1
        index += 1
        if _refused(point) and point != 0x0A:
            held = point
            continue
        if point == 0x0A and not lines:
            raise TextRefused(f"U+000A at {index}: one line only")
        before = point
    if held >= 0:
        _must_spell(before, held, 0, index)
    return value


def _must_spell(before: int, point: int, after: int, index: int) -> None:
    if not _spelling(before, point, after):
        raise TextRefused(f"U+{hex(point)[2:].upper()} at {index} may not be shown")


def check_bytes(data: bytes, lines: bool = True) -> str:
    """Decode UTF-8 strictly, then `check`. Returns the text."""
    # MicroPython's own decoder takes overlong forms and surrogates
    if not utf8_valid(data):
        raise TextRefused("not UTF-8")
    return check(data.decode("utf-8"), lines)
