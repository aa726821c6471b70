"""`perch staff` as an operator or a script runs it: real processes, real pass phrases on standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ANN, BEN, CAT = "heron moss lantern quay", "copper violin thaw meadow", "granite kestrel plum ferry"


def run(data, *arguments, phrases=(), **named):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from hub_daemon.staff_commands import staff; sys.exit(staff(sys.argv[1:]))",
         *arguments, "--data", str(data), "--pass-phrase-stdin", "--json"],
        input="".join(phrase + "\n" for phrase in phrases), capture_output=True, text=True, cwd=ROOT, timeout=60,
    )
    if named.get("fails"):
        assert done.returncode == 1, done.stdout
        return done.stderr
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_administrators_begin_a_wing_and_change_it_only_together(tmp_path):
    both = ("--role", "administrator", "--role", "moderator")
    run(tmp_path, "add", "ann", "--name", "Ann Archer", *both, "--wing", "a-wing", phrases=[ANN])
    assert run(tmp_path, "list")["roster"] == 0
    made = run(tmp_path, "add", "ben", "--name", "Ben Boyd", *both, "--wing", "a-wing", phrases=[BEN, ANN])
    assert made["roster"] == 1
    by = ("--by", "ann", "--by", "ben")
    run(tmp_path, "learner", "add", "dai", "--name", "Dai P", *by, phrases=[ANN, BEN])
    run(tmp_path, "group", "add", "writers", "--name", "Writers", "--member", "dai", *by, phrases=[ANN, BEN])
    run(tmp_path, "add", "cat", "--name", "Cat Cole", "--role", "moderator", *by, phrases=[CAT, ANN, BEN])
    shown = run(tmp_path, "list")
    assert shown["roster"] == 4 and [one["id"] for one in shown["learners"]] == ["dai"]
    assert all(one["on_roster"] and one["works"] for one in shown["staff"])
    words = run(tmp_path, "learner", "add", "eve", "--name", "Eve", "--by", "ann", "--by", "ann",
                phrases=[ANN, ANN], fails=True)
    assert "two administrators" in words
    words = run(tmp_path, "learner", "add", "eve", "--name", "Eve", "--by", "ann", "--by", "cat",
                phrases=[ANN, CAT], fails=True)
    assert "not an administrator" in words
    words = run(tmp_path, "learner", "add", "eve", "--name", "Eve", *by, phrases=[ANN, CAT], fails=True)
    assert "not right" in words
    run(tmp_path, "remove", "cat", *by, phrases=[ANN, BEN])
    shown = run(tmp_path, "list")
    assert {one["person"]: one["works"] for one in shown["staff"]} == {"ann": True, "ben": True, "cat": False}
    assert shown["roster"] == 5


def test_weak_common_and_missing_pass_phrases_make_no_account(tmp_path):
    for phrase in ("short", "111111111111", "abcabcabcabcabc", "ann archer ann", ""):
        run(tmp_path, "add", "ann", "--name", "Ann Archer", phrases=[phrase], fails=True)
    assert "standard input ended" in run(tmp_path, "add", "ann", fails=True)
    assert run(tmp_path, "list")["staff"] == []


def test_names_that_are_none_are_refused_in_plain_words(tmp_path):
    for person in ("Ann", "a" * 40, "ann archer", "../ann"):
        assert "person" in run(tmp_path, "add", person, phrases=[ANN], fails=True)
    assert run(tmp_path, "list")["staff"] == []


def test_a_pass_phrase_can_be_changed_and_the_key_stays(tmp_path):
    run(tmp_path, "add", "ann", "--role", "administrator", phrases=[ANN])
    run(tmp_path, "pass-phrase", "ann", phrases=[ANN, BEN])
    assert "not right" in run(tmp_path, "pass-phrase", "ann", phrases=[ANN, CAT], fails=True)
    run(tmp_path, "pass-phrase", "ann", phrases=[BEN, CAT])


def test_the_database_holds_no_pass_phrase_and_no_open_key(tmp_path):
    run(tmp_path, "add", "ann", "--role", "administrator", phrases=[ANN])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert ANN.encode() not in path.read_bytes()


def test_a_directory_that_cannot_be_written_is_said_in_words(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    words = run(file, "list", fails=True)
    assert "perch staff:" in words and "Traceback" not in words
