"""The strings of both languages."""

import json
import re
from pathlib import Path

import pytest

from firmware.page import app, html, words
from firmware.page.words import Words
from hub_daemon.media.pipeline import words_for
from hub_daemon.media.refusals import WORDS as REFUSALS
from hub_daemon.moderation.reasons import REASONS

PAGE = Path(app.__file__).parent
BOTH = {language: json.loads((PAGE / f"strings_{language}.json").read_text()) for language in ("en", "cy")}


def test_both_languages_have_the_same_keys_and_the_same_values_to_fill_in():
    assert set(BOTH["en"]) == set(BOTH["cy"])
    for key, text in BOTH["en"].items():
        assert sorted(re.findall(r"{(\w+)}", text)) == sorted(re.findall(r"{(\w+)}", BOTH["cy"][key])), key


@pytest.mark.parametrize("language", ["en", "cy"])
def test_no_string_is_empty_or_holds_markup(language):
    for key, text in BOTH[language].items():
        assert text.strip(), key
        assert not set(text) & set('<>&"\''), key


def test_welsh_is_not_english():
    same = {key for key in BOTH["en"] if BOTH["en"][key] == BOTH["cy"][key]}
    assert same == set()


def test_the_reasons_are_those_of_the_hub_in_both_languages():
    for entry in REASONS:
        for language in ("en", "cy"):
            assert BOTH[language][f"reason.{entry.code}"] == getattr(entry, language).replace("'", "’")


def test_everything_that_the_media_worker_refuses_has_the_hubs_words_in_both_languages():
    for name in [*REFUSALS, "EmptyText", "TextTooLong", "TextRefused"]:
        assert BOTH["en"]["refused." + name] == words_for(name).replace("'", "’")
        assert "refused." + name in BOTH["cy"]


def test_every_string_is_used_and_every_used_string_exists():
    source = "".join(path.read_text() for path in PAGE.glob("*.py"))
    used = set(re.findall(r'\bw(?:ords)?\("([a-z]\w*(?:\.\w+)*)"', source))
    assert used
    assert used - set(BOTH["en"]) == set()
    made = ("did.", "month.", "reason.", "refused.", "way.", "enrol.step.", "help.", "settings.", "trouble.", "write.",
            "record.", "dock.", "recorded.")  # keys that are put together
    unused = {key for key in BOTH["en"] if key not in source and not key.startswith(made)}
    assert {key for key in unused if not key.endswith((".tab", ".title"))} == set()


def test_a_line_of_the_file_is_one_string_and_sorted_so_that_a_device_finds_it_without_loading_the_others():
    for language in ("en", "cy"):
        lines = (PAGE / f"strings_{language}.json").read_text().strip().split("\n")
        assert len(lines) == len(BOTH[language]) + 2
        assert list(BOTH[language]) == sorted(BOTH[language])
        words = Words(str(PAGE), language)
        assert {key: words(key) for key in BOTH[language]} == BOTH[language]
        assert not words.has("home") and not words.has("") and not words.has("zz") and words.has("home.tab")


def test_values_are_escaped_when_they_are_put_into_a_string():
    words = Words(str(PAGE), "en")
    assert words("home.hello", name='<b>"\'&') == "Hello &lt;b&gt;&quot;&#39;&amp;"


def test_sentences_are_short_enough_for_a_reader_of_nine():
    """A rough guard in English: no sentence over 16 words, hardly a word over 11 letters."""
    for key, text in BOTH["en"].items():
        if key.startswith("reason."):
            continue  # the moderation core's words; its own tests read them
        for sentence in re.split(r"[.?!:]\s", text):
            assert len(sentence.split()) <= 18, (key, sentence)
    long = {word for text in BOTH["en"].values() for word in re.findall(r"[A-Za-z]{12,}", text)}
    assert long == set()


def test_nothing_a_person_wrote_survives_escaping_as_markup():
    hostile = "<script>alert(1)</script>\"' onload=x &amp; \u202eabc\u202c \x00\x1b"
    for text in (words.esc(hostile), html.prose(hostile)):
        assert "<script" not in text and '"' not in text.replace('class="odd"', "") and "'" not in text
    shown = html.prose(hostile)
    assert "\u202e" not in shown and "U+202E" in shown and "\x00" not in shown and "U+0000" in shown
    assert html.prose("می\u200cخواهم 👨\u200d👩") == "می\u200cخواهم 👨\u200d👩"
