"""The canonical text: what people read, and what staff are told was hidden in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_daemon.limits import COMBINING_MARKS_MAX, MARKS_PER_ITEM_MAX
from hub_daemon.media import text
from protocol.errors import Refusal
from protocol.limits import TEXT_BYTES_MAX
from protocol.records import text as shown

RLO, ZWSP, ZWNJ, ZWJ, VS16 = "\u202e", "\u200b", "\u200c", "\u200d", "\ufe0f"


def canonical(value: str) -> str:
    return text.canonical(value)[0].decode()


def test_plain_text_comes_out_as_it_went_in() -> None:
    assert text.canonical("Hello Sam,\n\nsee you on Tuesday.") == (b"Hello Sam,\n\nsee you on Tuesday.", [])


def test_text_is_composed() -> None:
    assert canonical("cafe\u0301") == "caf\u00e9"


def test_every_newline_is_one_newline() -> None:
    assert canonical("a\r\nb\rc\u2028d\u0085e") == "a\nb\nc\nd\ne"


def test_space_at_the_ends_of_lines_goes() -> None:
    assert canonical("  a  \nb\t\n\n\n\n\n\nc\n\n") == "  a\nb\n\n\nc"


def test_a_bidi_override_is_taken_out_and_told_with_its_place() -> None:
    data, marks = text.canonical(f"pay {RLO}evil")
    assert data == b"pay evil"
    assert [(mark.kind, mark.position) for mark in marks] == [("hidden character", 4)]
    assert marks[0].detail == "U+202E RIGHT-TO-LEFT OVERRIDE at 4"


def test_invisible_characters_are_taken_out_and_told() -> None:
    for letter in (ZWSP, "\u00ad", "\ufeff", "\u2060", "\u3164", "\u2800", "\x07", "\U000e0041", "\ue000"):
        data, marks = text.canonical(f"ab{letter}cd")
        assert data == b"abcd", hex(ord(letter))
        assert [(mark.position, mark.code_point) for mark in marks] == [(2, ord(letter))]


def test_taking_out_what_is_hidden_between_two_letters_lets_them_compose() -> None:
    assert canonical(f"e{ZWSP}\u0301") == "\u00e9"


def test_joiners_stay_where_a_script_spells_with_them() -> None:
    persian = f"\u0645\u06cc{ZWNJ}\u062e\u0648\u0627\u0647\u0645"
    hindi = f"\u0915\u094d{ZWJ}\u0937"
    for word in (persian, hindi):
        assert text.canonical(word) == (word.encode(), [])


def test_emoji_sequences_stay_whole() -> None:
    family = f"\U0001f468{ZWJ}\U0001f469{ZWJ}\U0001f467"
    for emoji in (family, f"\u2764{VS16}", f"\u2764{VS16}{ZWJ}\U0001f525"):
        assert text.canonical(emoji) == (emoji.encode(), []), ascii(emoji)


def test_joiners_between_latin_letters_are_hidden_characters() -> None:
    data, marks = text.canonical(f"dr{ZWJ}ug{ZWNJ}s")
    assert data == b"drugs"
    assert [mark.position for mark in marks] == [2, 5]


def test_marks_cannot_be_stacked_over_other_lines() -> None:
    data, marks = text.canonical("Z" + "\u0334\u0315" * 20 + "a")
    kept = data.decode()
    assert sum(unicodedata.combining(letter) > 0 for letter in kept) == COMBINING_MARKS_MAX
    assert kept[0] == "Z" and kept[-1] == "a"
    assert [mark.kind for mark in marks] == ["stacked marks"]


def test_vietnamese_and_pointed_hebrew_are_not_stacks() -> None:
    for word in ("Việt ngữ ổn", "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd"):
        data, marks = text.canonical(word)
        assert marks == [] and data.decode() == unicodedata.normalize("NFC", word)


def test_spaces_of_odd_widths_are_plain_and_told() -> None:
    data, marks = text.canonical("a\u2003b\u00a0c")
    assert data == b"a b c"
    assert [(mark.kind, mark.position) for mark in marks] == [("unusual space", 1)]


def test_text_of_nothing_is_refused_by_name_and_a_caption_may_be_empty() -> None:
    for nothing in ("", "   \n ", ZWSP * 5, f"{RLO}\n"):
        with pytest.raises(text.EmptyText) as caught:
            text.canonical(nothing)
        assert "write" in caught.value.words
        assert text.canonical(nothing, may_be_empty=True)[0] == b""


def test_text_that_grows_over_the_limit_is_refused_by_name() -> None:
    with pytest.raises(text.TextTooLong):
        text.canonical("\ufb2c" * (TEXT_BYTES_MAX // 3))  # one letter of 3 bytes composes to three of 6


def test_the_list_of_marks_is_bounded_and_says_so() -> None:
    marks = text.canonical("a" + ZWSP * 1000 + "b")[1]
    assert len(marks) == MARKS_PER_ITEM_MAX
    assert marks[-1].name == f"{1000 - MARKS_PER_ITEM_MAX + 1} more"


TRICKS = f"{RLO}{ZWSP}{ZWJ}{ZWNJ}{VS16}"
TROUBLE = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from(f"{TRICKS}\r\n \u00a0\u0301\u0334\u0345\u0915\u094d\u0645\u2764\U0001f468e"),
    ),
    max_size=60,
)


@settings(max_examples=1500, deadline=None)
@given(TROUBLE)
def test_whatever_comes_the_result_may_be_shown_and_is_its_own_canonical_form(value: str) -> None:
    try:
        data, marks = text.canonical(value)
    except Refusal:
        return
    result = shown.check_bytes(data)
    assert unicodedata.is_normalized("NFC", result)
    assert text.canonical(result) == (data, [])
    assert all(0 <= mark.position < len(value) for mark in marks)


@settings(max_examples=500, deadline=None)
@given(TROUBLE)
def test_nothing_that_can_be_seen_is_lost(value: str) -> None:
    try:
        data, marks = text.canonical(value)
    except Refusal:
        return

    def letters(some: str) -> list[str]:
        return [one for one in unicodedata.normalize("NFC", some) if unicodedata.category(one)[0] in "LNPS"]

    removed = {mark.position for mark in marks if mark.kind != text.SPACE}
    left = "".join(letter for index, letter in enumerate(value) if index not in removed)
    if not any(mark.kind in (text.STACKED, text.MORE) for mark in marks):
        assert letters(left) == letters(data.decode())
