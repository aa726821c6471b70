"""The device's small table of refused code points, against Unicode's own properties."""

import sys
import unicodedata

from protocol.records import text

# Default_Ignorable_Code_Point of Unicode 16 that has no category of its own to be found by
IGNORABLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x3164, 0xFFA0}
IGNORABLE |= set(range(0x180B, 0x1810)) | set(range(0xFE00, 0xFE10)) | set(range(0xFFF0, 0xFFF9))
IGNORABLE |= set(range(0xE0000, 0xE1000))
BLANK = {0x2800, 0xFFFC, 0x16FE4, 0x1D159}
# prepended concatenation marks and the like: category Cf, but they have a shape of their own
SEEN = set(range(0x0600, 0x0606)) | {0x06DD, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}


def is_refused(point: int) -> bool:
    try:
        text.check(chr(point))
    except text.TextRefused:
        return True
    return False


def test_every_invisible_code_point_is_refused_and_no_visible_one() -> None:
    wrong = []
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        hidden = category in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or point in IGNORABLE or point in BLANK
        hidden = (hidden and point not in SEEN and point != 0x0A) or point & 0xFFFE == 0xFFFE
        if category == "Cn" and not hidden:
            continue  # not a character yet
        if category in ("Cn", "Mn") and 0x13430 <= point <= 0x1345F:
            continue  # format controls of a later Unicode than this Python's
        if is_refused(point) != hidden:
            wrong.append(hex(point))
    assert not wrong, wrong[:20]
