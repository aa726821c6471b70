"""Every fuzz target in the normal run: its kept corpus, its seeds, what hypothesis makes of them; without atheris."""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import protocol
from tests.fuzz import keep, planted, run
from tests.fuzz.targets import CORPUS, TARGETS, Target

ROOT = Path(protocol.__file__).parent
EXAMPLES = 30  # of hypothesis, a target
CORPUS_BYTES_MAX = 1_000_000
CORPUS_FILES_MAX = 800

# the ways in: functions of protocol/ that take what somebody else made
WAY_IN = re.compile(
    r"(parse|decode|loads|unpack|open|receive|read|feed|accept|verify|check|key_id|signer|points|utf8_valid|begin)(_\w+|\d)?"
)
# ... and those that are no layer of their own
NOT_A_WAY_IN = {
    "protocol.crypto": "primitives: every backend runs the published vectors, and each other's results",
    "protocol.records.cddl": "writes a document; reads nothing",
    "protocol.blob.Builder.feed": "what we make ourselves",
    "protocol.blob.open_chunk": "the AEAD alone: tests/protocol/both/test_blob.py",
    "protocol.blob.open_chunk_in_place": "the AEAD alone: tests/protocol/both/test_blob.py",
    "protocol.enrol.check_grant": "needs a grant that somebody signed: tests/protocol/both/test_enrol.py",
    "protocol.records.schema.Record.read": "the inner half of decode",
    "protocol.records.schema.Shape.read": "abstract",
}

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


def inputs(target: Target) -> list[bytes]:
    return [path.read_bytes() for path in target.corpus()] + list(target.seeds())


@each_target
def test_every_input_that_was_ever_worth_keeping_still_does_what_it_should(target: Target) -> None:
    assert target.corpus(), "no corpus: python -m tests.fuzz.run --anew"
    for data in inputs(target):
        target(data)


@each_target
def test_no_input_that_hypothesis_makes_breaks_what_must_hold(target: Target) -> None:
    good = inputs(target)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
    @given(st.data())
    def check(draw: st.DataObject) -> None:
        data = bytearray(draw.draw(st.binary(max_size=300) | st.sampled_from(good)))
        for _ in range(draw.draw(st.integers(0, 3))):
            at = draw.draw(st.integers(0, len(data)))
            data[at : at + draw.draw(st.integers(0, 4))] = draw.draw(
                st.binary(max_size=4) | st.sampled_from([*target.words, b"\0"])
            )
        target(bytes(data))

    check()


def test_the_corpus_is_small_and_every_input_in_it_belongs_to_a_target() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < CORPUS_FILES_MAX and sum(path.stat().st_size for path in files) < CORPUS_BYTES_MAX
    assert {path.parent.name for path in files} == set(TARGETS)
    for path in files:
        assert path.name == run.digest_of(path.read_bytes())


# nothing is forgotten


def classes_of_records() -> set[str]:
    """The names of the record kinds as the files have them: whatever has FIELDS and a base of the schema."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.bases and any(
                isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "FIELDS" for line in node.body
            ):  # fmt: skip
                found.add(node.name)
    return found


def test_every_record_kind_in_the_files_has_a_target_and_samples_that_decode() -> None:
    kinds = classes_of_records()
    assert len(kinds) > 25
    assert {name.removeprefix("record_") for name in TARGETS if name.startswith("record_")} == kinds


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(protocol.__path__, "protocol."):
        if "viper" not in module.name and not module.name.startswith("protocol.crypto"):
            yield module.name


def ways_in() -> dict[CodeType, str]:
    """Every function and method of protocol/ that takes what somebody else made, by its code."""
    found = {}
    for name in modules():
        module = importlib.import_module(name)
        owners = [module, *(each for each in vars(module).values() if inspect.isclass(each))]
        for owner in owners:
            for function in vars(owner).values():
                function = getattr(function, "__func__", function)
                if not isinstance(function, FunctionType) or function.__module__ != name:
                    continue
                full = f"{name}.{function.__qualname__}"
                if WAY_IN.fullmatch(function.__name__) and not full.startswith(tuple(NOT_A_WAY_IN)):
                    found[function.__code__] = full
    return found


def test_every_way_into_protocol_is_run_by_some_target() -> None:
    wanted = ways_in()
    assert len(wanted) > 40
    run_codes: set[CodeType] = set()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            run_codes.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        for target in TARGETS.values():
            for data in inputs(target):
                target(data)
    finally:
        sys.setprofile(before)
    assert sorted(name for code, name in wanted.items() if code not in run_codes) == []


# the tool


def test_a_planted_mistake_is_seen_named_and_cut_down_to_what_it_needs() -> None:
    found = b"much before it and key and more behind it"
    fails = run.failure(planted.PLANTED, found)
    assert fails.startswith("ValueError at ")
    assert run.failure(planted.PLANTED, b"keyhole") == ""
    least = keep.smaller(found, lambda less: run.failure(planted.PLANTED, less) == fails)
    assert len(least) == len(planted.WORD) + 1 and least.endswith(planted.WORD)


def test_an_input_is_kept_when_it_runs_what_none_before_ran_and_is_cut_down() -> None:
    cbor = TARGETS["cbor"]
    kept = keep.keep(cbor.function, [b"\x01"], [b"\x02", b"\x81\x81\x81\x61a", b"\x64abcd"], 9, 100)
    assert kept[0] == b"\x01" and b"\x02" not in kept
    assert len(kept) == 2 and kept[1][0] >> 5 == 3 and len(kept[1]) < 4, "the first text, less than it was"


@pytest.mark.soak
def test_a_planted_mistake_is_found_by_the_fuzzer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "FOUND", tmp_path / "found")
    one = run.Run(planted.PLANTED, 60, tmp_path)
    one.start()
    while not one.poll():
        pass
    assert one.state == "crash" and one.crash is not None
    assert one.crash.name == f"planted-{run.digest_of(one.crash.read_bytes())}"
    with pytest.raises(ValueError, match="planted"):
        planted.mistaken(one.crash.read_bytes())


@pytest.mark.soak
def test_minutes_of_fuzzing_find_nothing() -> None:
    from rich.console import Console

    assert run.fuzz(list(TARGETS.values()), 4, 2, Console()) == 0
