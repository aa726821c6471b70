"""`perch sim run` and `replay`: files, exit codes, the first and the last line, and one digest for one seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import perch
from protocol.errors import Misuse
from sim.box import command, running
from sim.box.command import BROKEN, FAILED, MISSED, OK, USAGE
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.run_command import cut
from sim.box.scenario import Scenario
from sim.box.world import World
from tests.sim.box.small import SMALL, broken_when_read, never_settled


def test_a_run_says_its_command_first_and_its_digest_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert perch.main(["sim", "run", str(SMALL), "--seed", "7", "--twice", "--out", str(tmp_path)]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"perch sim run {SMALL} --seed 7"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert lines[-1] == f"digest: {summary['digest']}"
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert len((tmp_path / "trace.jsonl").read_text().splitlines()) == sum(summary["kinds"].values())

    assert command.main(["replay", str(tmp_path), "--out", str(tmp_path / "again"), "--json", "--pcapng"]) == OK
    again = json.loads(capsys.readouterr().out)
    assert again["digest"] == summary["digest"]
    assert (tmp_path / "again" / "wire.pcapng").read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"


def test_one_seed_gives_one_digest_under_any_hash_seed(tmp_path: Path) -> None:
    found = set()
    for hash_seed in "01":
        out = str(tmp_path / hash_seed)
        done = subprocess.run(
            [sys.executable, "-m", "perch", "sim", "run", str(SMALL), "--seed", "3", "--out", out],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout.splitlines()[-1])
    assert len(found) == 1


def test_a_broken_promise_is_exit_1_and_its_command_comes_first_and_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(never_settled().dumps())
    assert command.main(["replay", str(plan), "--out", str(tmp_path / "out")]) == FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[-1] == f"perch sim replay {plan}"
    assert any(line.startswith("FAILED L1: ") for line in lines) and lines[-2].startswith("digest: ")


def test_a_missed_expectation_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "hasty.toml"
    scenario.write_text(SMALL.read_text().replace('delivered_p = ">= 1"', 'decided_p95_h = "< 0"'))
    assert command.main(["run", str(scenario), "--out", str(tmp_path / "out")]) == MISSED
    assert "MISSED decided_p95_h" in capsys.readouterr().out


def test_a_mistake_of_the_simulator_is_exit_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(world: World) -> None:
        raise Misuse("nobody thought of this")

    monkeypatch.setattr("sim.box.world.World._settle", fails)
    assert command.main(["run", str(SMALL), "--out", str(tmp_path)]) == BROKEN
    assert "FAILED simulator.Misuse.run: Misuse: nobody thought of this in sim/" in capsys.readouterr().out


def test_an_exception_that_no_edge_survives_is_a_failure_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_when_read(monkeypatch)
    assert command.main(["run", str(SMALL), "--out", str(tmp_path)]) == FAILED
    assert "FAILED crash.ZeroDivisionError." in capsys.readouterr().out


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["run", str(SMALL), "--minutes-max", "0", "--out", str(tmp_path)]) == BROKEN
    assert "after 0 s and was ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage: perch sim COMMAND"),
        (["walk"], "there is no command 'walk'"),
        (["run"], "the following arguments are required: scenario"),
        (["run", "calm_weak"], "did you mean calm_week?"),
        (["run", str(SMALL), "--until", "noon"], 'a time such as "day 3 12:10"'),
        (["replay", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
)
def test_wrong_usage_is_exit_5_and_says_what_is_right(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == USAGE
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == OK
    said = capsys.readouterr().out
    assert all(f"perch sim {name}" in said for name in command.COMMANDS)
    assert all(f"{code} " in command.EXITS for code in range(6))


def test_a_plan_that_is_cut_has_nothing_after_the_cut() -> None:
    plan: Plan = make_plan(Scenario.load("calm_week"), "1")
    until_ms = 2 * 86_400_000 + 1
    shorter = cut(plan, until_ms)
    assert shorter.days == 3
    assert shorter.events == tuple(event for event in plan.events if event.at_ms <= until_ms)


def test_a_watched_run_is_the_run_that_nobody_watches() -> None:
    """The clock of the machine is looked at between calls, and that changes nothing."""
    plan = make_plan(Scenario.load(SMALL), "5")
    looks: list[int] = []

    def before(world: World) -> None:
        world.kernel.between = lambda: looks.append(world.kernel.now)

    assert running.run_plan(plan).digest == running.run_plan(plan, before).digest
    assert looks == sorted(looks) and looks
