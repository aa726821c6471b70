"""The configuration: the default is itself valid, and every mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_daemon import config
from hub_daemon.config import Bay, ConfigRefused


def test_the_commented_default_is_what_an_empty_file_means() -> None:
    assert config.parse(config.default_text()) == config.parse("") == config.defaults()


def test_every_option_is_explained_in_the_default() -> None:
    text = config.default_text()
    for option in config.OPTIONS:
        assert f"\n{option.key} = " in text and option.comment in text and option.allowed in text


def test_values_arrive_where_they_belong() -> None:
    made = config.build(
        config.parse(
            '[wing]\nname="b-wing"\n[bays]\nports=["/dev/ttyUSB0", "left=/dev/b", "/run/bay7"]\ntcp="0.0.0.0:9000"\n'
        )
    )
    assert made.wing == "b-wing"
    assert made.bays == (
        Bay("bay-1", "/dev/ttyUSB0"),
        Bay("left", "/dev/b"),
        Bay("bay7", "/run/bay7"),
    )
    assert made.tcp == ("0.0.0.0", 9000)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[wing]\nname = 'a'\n\nnmae = 'b'\n", 4, "no key 'nmae' in [wing]"),
        ("\n[wings]\nname = 'a'\n", 2, "no section [wings]"),
        ("[bays]\nports = []\nbaud = 3\n", 3, "from 9600 to 12000000"),
        ("[bays]\nbaud = true\n", 2, "from 9600 to 12000000"),
        ("[wing]\nname = 'A Wing'\n", 2, "a-z"),
        ("[page]\nlisten = 'localhost'\n", 2, "HOST:PORT"),
        ("[page]\nlisten = 'localhost:70000'\n", 2, "HOST:PORT"),
        ("[bays]\nports = ['/dev/a', '/dev/a']\n", 2, "stands twice"),
        ("[broker]\nkind = 'rabbit'\n", 2, "mosquitto"),
        ("[media]\nenabled = 1\n", 2, "true or false"),
        ("# nothing\nwing = 3\n", 2, "no section [wing]"),
        ("[wing]\nname = 'a'\nname = 'b'\n", 3, "overwrite"),
        ("[wing\n", 1, "hub.toml"),
        ("[bays.ports]\nx = 1\n", 1, "allowed is"),
        ("wing.nmae = 'a'\n", 1, "no key"),
    ],
)
def test_a_mistake_is_refused_with_its_line_and_what_is_allowed(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        config.parse(text)
    assert words in str(refused.value)
    assert f"line {line}" in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match="print-config"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "hub.toml").write_bytes(b"[wing]\n\xff\n")
    with pytest.raises(ConfigRefused, match="line 2"):
        config.load(tmp_path / "hub.toml")


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_refusal(text: str) -> None:
    try:
        config.build(config.parse(text))
    except ConfigRefused as refusal:
        assert len(str(refusal)) < 1000
