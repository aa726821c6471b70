"""Scenario files: what is read, and what a person is told whose file has something wrong."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.box import values
from sim.box.catalogue import ATTACKS, CATALOGUE, FAMILIES, TARGETS
from sim.box.scenario import Scenario, ScenarioRefused, bundled
from sim.box.scenario_docs import START, reference
from sim.box.scenario_keys import KEYS, NEEDED
from sim.box.toml_lines import lines

ROOT = Path(__file__).resolve().parents[3]
HEAD = '[scenario]\nname = "small"\ntitle = "A small one"\ndays = 5\n'


def refused(text: str) -> list[tuple[int, str]]:
    """The problems of a file that is refused: (line, words)."""
    with pytest.raises(ScenarioRefused) as caught:
        Scenario.loads(text, "small.toml")
    assert str(caught.value).count("small.toml") == len(caught.value.problems)
    return [(one.line, one.words) for one in caught.value.problems]


def test_every_bundled_scenario_is_read_and_says_what_it_is_for() -> None:
    assert {"calm_week", "inspection_week", "lockdown", "dead_bay", "transfer_day", "restored_backup",
            "hostile_landing", "storm", "month", "two_windows"} <= set(bundled())  # fmt: skip
    page = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    for name in bundled():
        assert Scenario.load(name).name == name
        assert f"| `{name}` |" in page
        text = (ROOT / f"sim/scenarios/{name}.toml").read_text(encoding="utf-8")
        assert text.startswith("# ") and "# What must hold:" in text


def test_the_file_of_the_documentation_is_read() -> None:
    page = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    block = page.split("## A file\n")[1].split("\nWhat is wrong")[0]
    text = "\n".join(line[4:] for line in block.strip("\n").split("\n"))
    scenario = Scenario.loads(text)
    assert (scenario.wing.learners, scenario.events[0].args["ms"]) == (12, 1_200_000)
    assert len(list(scenario.variants())) == 3
    wrong = text.replace("docks = 1", "docs = 1").replace("wire.yank", "wire.yanc")
    for line, words in refused(wrong):
        assert f"    small.toml:{line}: {words}\n" in page


def test_the_reference_in_the_documentation_is_the_one_of_the_tables() -> None:
    page = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    assert page[page.index(START) :] == reference(), "print it again: python -m sim.box.scenario"


def test_every_default_is_allowed_by_its_own_key() -> None:
    for key in KEYS.values():
        if key.default is NEEDED or key.default is None:
            continue
        for one in key.default if key.kind.many else [key.default]:  # type: ignore[attr-defined]
            key.kind.read(one)


def test_the_catalogue_has_every_family_and_a_promise_for_each_fault() -> None:
    assert {one.family for one in CATALOGUE.values()} == set(FAMILIES)
    for name, spec in CATALOGUE.items():
        assert name == spec.name and spec.target in TARGETS and spec.promise.endswith("."), name
    assert len(ATTACKS) >= 18 and all(one.promise.endswith(".") for one in ATTACKS.values())


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + "[wing]\ndoks = 3\n", 6, "did you mean docks?"),
        (HEAD + "[wings]\n", 5, "did you mean wing?"),
        (HEAD + "[wing]\ndocks = 0\n", 6, "a whole number from 1 to 64"),
        (HEAD + "[wing]\ndocks = true\n", 6, "a whole number from 1 to 64"),
        (HEAD + '[wing]\ndocks = "2"\n', 6, "a whole number from 1 to 64"),
        (HEAD + "wing = 3\n", 5, "is no key of [scenario]"),
        ('[scenario]\nname = "small"\ntitle = "x"\n', 1, "[scenario] has no days"),
        (HEAD + 'warmup_days = 5\n', 5, "allowed is 0 to 4"),
        (HEAD + '[timetable]\nwindows = [\n  "12:00-12:45",\n  "18:00-17:00 p=0.5",\n]\n', 8, "ends at or before"),
        (HEAD + '[timetable]\nwindows = ["12:00-12:45", "12:30-13:00"]\n', 6, "overlap"),
        (HEAD + '[timetable]\nwindows = ["12:00-12:45 p=1.5"]\n', 6, "probability from 0 to 1"),
        (HEAD + '[timetable]\nwindows = "12:00-12:45"\n', 6, "a list of"),
        (HEAD + '[timetable]\nlockdown = ["day 5"]\n', 6, "allowed is day 0 to day 4"),
        (HEAD + '[staff]\nabsent = ["m7 day 1"]\n', 6, "allowed is m0 to m1"),
        (HEAD + "[staff]\napprove_p = 0.9\nreturn_p = 0.2\n", 7, "at most 1"),
        (HEAD + '[traffic]\npost_bytes = "normal(3, 4)"\n', 6, "lognormal(MEDIAN, SIGMA)"),
        (HEAD + '[faults]\n"wire.yanc" = 0.1\n', 6, "did you mean wire.yank?"),
        (HEAD + "[faults]\nyank = 0.1\n", 6, "did you mean wire.yank?"),
        (HEAD + '[faults]\n"hub.power_cut" = 0.1\n', 6, "1 per 5 days"),
        (HEAD + '[faults]\n"hub.power_cut" = "1 per 5 weeks"\n', 6, "1 per 5 days"),
        (HEAD + '[faults]\n\nflash.bit_rot = "1 per 5 days"\n', 7, 'promise = "beyond"'),
        (HEAD + '[attackers]\nkinds = [\n"malice.wrong_key",\n"malice.wrong_kee"]\n', 8, "did you mean malice.wrong_k"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "hub.bay_dead"\nwho = "bay2"\n', 8, "bay0 to bay1"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "hub.bay_dad"\nwho = "bay0"\n', 7, "did you mean hub.bay_dead?"),
        (HEAD + '[[event]]\nat = "day 9 10:00"\ndo = "read"\nwho = "l000"\n', 6, "day 0 to day 4"),
        (HEAD + '[[event]]\nat = "day 1 25:00"\ndo = "read"\nwho = "l000"\n', 6, "00:00 to 24:00"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "read"\nwho = "l099"\n', 8, "l000 to l023"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "draft"\nwho = "l000"\n', 5, "needs args.bytes"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "hub.stall"\nargs = { mss = 4 }\n', 8, "did you mean ms?"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "hub.stall"\nargs = { ms = "3 weeks" }\n', 8, "50 to 30000"),
        (HEAD + '[[event]]\nat = "day 1 10:00"\ndo = "wire.yank"\nwho = "l000.d01.dok1"\n', 8, "l000.d00.dock1"),
        (HEAD + '[expect]\nwait_p95 = "<= 3"\n', 6, "did you mean wait_p95_s?"),
        (HEAD + "[expect]\nwait_p95_s = 3\n", 6, ">= 0.999"),
        (HEAD + '[sweep]\n"wing.doks" = [1]\n', 6, "did you mean wing.docks?"),
        (HEAD + '[sweep]\n"wing.docks" = [\n1,\n0]\n', 8, "a whole number from 1 to 64"),
        (HEAD + "[wing]\nmoderators = 1\n", 6, "two different people"),
        (HEAD + "[wing]\ngroups = 3\ngroup_size = 4\n", 7, "cannot both stand"),
        (HEAD + "[wing\n", 5, "this is not TOML"),
        (HEAD + 'title = "again"\n', 5, "this is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line_and_what_is_allowed(text: str, line: int, words: str) -> None:
    problems = refused(text)
    assert len(problems) == 1, problems
    assert problems[0][0] == line and words in problems[0][1], problems


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = HEAD + '[wing]\nlerners = 3\n[faults]\nswarm = 1\n[traffic]\nreply_p = 2\n[expect]\nx = ">= 1"\n'
    assert [line for line, _ in refused(text)] == [6, 8, 10, 12]


def test_an_unknown_scenario_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ScenarioRefused, match="did you mean calm_week"):
        Scenario.load("calm_wek")
    with pytest.raises(ScenarioRefused, match="cannot be read"):
        Scenario.load(tmp_path / "none.toml")


def test_a_change_from_outside_wins_over_the_file_and_is_checked_as_it() -> None:
    scenario = Scenario.loads(HEAD + "[faults]\nwire.yank = 0.1\n", changes={"faults.wire.yank": 0.5, "wing.docks": 7})
    assert scenario.faults.rates["wire.yank"].p == 0.5
    assert scenario.wing.docks == 7
    with pytest.raises(ScenarioRefused, match="1 to 64"):
        scenario.variant({"wing.docks": 65})


def test_values_mean_what_they_say() -> None:
    assert values.duration_ms("1.5 h") == 5_400_000
    assert values.moment_ms("day 3 12:10:05") == 3 * 86_400_000 + 43_805_000
    assert values.rate("1 per 5 days").per_day == pytest.approx(0.2)
    assert values.rate("2 per h").per_day == pytest.approx(48)
    assert values.comparison("<= 3").holds(3) and not values.comparison("> 3").holds(3)
    assert 2 in values.days("day 1-2") and 3 not in values.days("day 1-2")
    for text in ("lognormal(400, 1.2)", "uniform(20, 400)", "exponential(30)", "12"):
        assert str(values.distribution(text)) == text


# the lines

KEY = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), st.text('abz .[]#="\n{,', min_size=1, max_size=4))
LEAF = st.one_of(st.integers(), st.booleans(), st.text("ab\"'#[]{},=\n\\", max_size=8))
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=6
)
TABLE = st.dictionaries(KEY, VALUE, max_size=4)


class Writer:
    """Writes TOML in all its styles, and knows on which line each path begins."""

    def __init__(self, data: st.DataObject) -> None:
        self.text = ""
        self.lines: dict[tuple[Any, ...], int] = {}
        self._data = data

    def choose(self, *texts: str) -> str:
        return self._data.draw(st.sampled_from(texts))

    def note(self, path: tuple[Any, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, key: str) -> str:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        return key if bare and self.choose("bare", "quoted") == "bare" else json.dumps(key)

    def leaf(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        style = self.choose("basic", "long", "plain")
        if style == "plain" and "'" not in value and "\n" not in value:
            return f"'{value}'"
        if style == "long":
            return (
                '"""\n'
                + value.replace("\\", "\\\\").replace('"""', '""\\"')
                + ('\\n"""' if value[-1:] == '"' else '"""')
            )
        return json.dumps(value)

    def value(self, path: tuple[Any, ...], value: Any) -> None:
        if isinstance(value, list):
            self.text += "["
            for place, one in enumerate(value):
                self.text += self.choose("", " ", "\n  ", " # a comment ] \" '\n")
                self.note((*path, place))
                self.value((*path, place), one)
                self.text += self.choose(",", " ,", "\n,") if place < len(value) - 1 else self.choose("", ",", "\n")
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{"
            for place, (key, one) in enumerate(value.items()):
                self.text += ", " if place else " "
                self.pair(path, key, one)
            self.text += " }"
        else:
            self.text += self.leaf(value)

    def pair(self, path: tuple[Any, ...], key: str, value: Any) -> None:
        self.note((*path, key))
        self.text += self.key(key) + self.choose("=", " = ")
        self.value((*path, key), value)

    def table(self, path: tuple[Any, ...], table: dict[str, Any]) -> None:
        for key, value in table.items():
            self.pair(path, key, value)
            self.text += self.choose("\n", " # note\n", "\n\n", "\r\n")


@settings(max_examples=60, deadline=None)
@given(st.data(), TABLE, st.dictionaries(KEY, TABLE | st.lists(TABLE, min_size=1, max_size=3), max_size=3))
def test_the_line_of_every_key_is_found_whatever_the_style(data: st.DataObject, top: dict, tables: dict) -> None:
    writer = Writer(data)
    writer.table((), top)
    for name, table in tables.items():
        if name in top:
            continue
        for place, one in enumerate(table if isinstance(table, list) else [table]):
            many = isinstance(table, list)
            writer.note((name,))
            path = (name, place) if many else (name,)
            writer.note(path)
            writer.text += ("[[{}]]" if many else "[{}]").format(writer.key(name)) + writer.choose("\n", " # x\n")
            writer.table(path, one)
    text = writer.text.replace("\r\n", "\n")
    tomllib.loads(text)
    assert lines(text) == {(): 1, **writer.lines}
