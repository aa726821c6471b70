"""Text that people will read holds nothing that they could not see."""

from protocol.errors import Refusal
from protocol.records import text


def refused(value, lines=True):
    try:
        text.check(value, lines)
    except text.TextRefused as refusal:
        return str(refusal)
    except Refusal as refusal:
        raise AssertionError(type(refusal).__name__)
    return None


def test_text_of_every_script_is_taken():
    for value in (
        "",
        "Plain text, 100 %.",
        "two\nlines",
        "Mae'n ddrwg gen i, ŵ ŷ",
        "Zażółć gęślą jaźń",
        "مرحبا بالعالم",
        "שלום",
        "你好",
        "こんにちは",
        "नमस्ते",
        "สวัสดี",
        "🙂 👍🏽",
        "a\u00a0b",
        "e\u0301",
    ):
        assert refused(value) is None, value
        assert text.check(value) == value
        assert text.check_bytes(value.encode()) == value


def test_control_and_bidi_and_invisible_characters_are_refused_by_their_number():
    for point in (
        0x00,
        0x07,
        0x09,
        0x0D,
        0x1B,
        0x7F,
        0x85,
        0xAD,
        0x34F,
        0x61C,
        0x115F,
        0x17B4,
        0x180E,
        0x200B,
        0x200E,
        0x200F,
        0x2028,
        0x2029,
        0x202A,
        0x202D,
        0x202E,
        0x2060,
        0x2063,
        0x2066,
        0x2069,
        0x206F,
        0x2800,
        0x3164,
        0xD800,
        0xDFFF,
        0xE000,
        0xFDD0,
        0xFE00,
        0xFEFF,
        0xFFA0,
        0xFFF9,
        0xFFFC,
        0xFFFE,
        0x1BCA0,
        0x1D173,
        0x1FFFE,
        0xE0001,
        0xE0041,
        0xE01EF,
        0xF0000,
        0x10FFFF,
    ):
        said = refused("a" + chr(point) + "b")
        assert said is not None and hex(point)[2:].upper() in said, hex(point)


def test_a_newline_is_for_texts_of_several_lines_only():
    assert refused("a\nb") is None
    assert refused("a\nb", lines=False) is not None


def test_joiners_are_taken_where_they_are_spelling():
    assert refused("می\u200cخواهم") is None  # Persian
    assert refused("ශ්\u200dරී") is None  # Sinhala
    assert refused("👨\u200d👩\u200d👧") is None
    assert refused("❤\ufe0f") is None
    assert refused("🏳\ufe0f\u200d🌈") is None


def test_joiners_are_refused_where_they_hide():
    for value in (
        "a\u200db",
        "a\u200cb",
        "\u200c",
        "\u200d👧",
        "a\ufe0f",
        "\ufe0f",
        "👨\u200d\u200d👩",
        "می\u200c\u200cخ",
        "👨\u200da",
    ):
        assert refused(value) is not None, value


def test_bytes_that_are_not_the_one_utf8_are_refused():
    for data in (
        b"\xff",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xe2\x82",
        b"\x80",
    ):
        try:
            text.check_bytes(data)
        except text.TextRefused:
            continue
        raise AssertionError(data)
