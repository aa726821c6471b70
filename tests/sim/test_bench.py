"""The bench of the wire: what is read from its runs, what it writes into docs/, and that docs/ holds nothing else."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sim import bench, bench_case, bench_docs, bench_picture
from sim.bench_case import (
    BAUDS,
    LEAST_SHARE,
    MEMORY,
    PEERS,
    PERCH,
    PROGRAMS,
    PULL,
    RNS,
    RUNS,
    UNTHROTTLED_MB_S,
    YANK_S,
    YANKS,
    ZMODEM,
    Case,
)  # fmt: skip
from sim.bench_peers import NotFinished
from sim.bench_results import KEY, load, rows_of, versions
from sim.bench_wire import Bench

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORD = DOCS / "goodput.json"
recorded = pytest.mark.skipif(not RECORD.exists(), reason="no bench is recorded yet")


def run_of(case: Case, seed: int, share: float, **more: Any) -> dict[str, Any]:
    seconds = case.size * 10 / (case.baud or 1) / share
    return {**case.key(), "seed": seed, "finished": True, "seconds": seconds, "bytes_arrived": case.size, **more}


def not_finished(case: Case, seed: int) -> dict[str, Any]:
    return {**case.key(), "seed": seed, "finished": False, "why": "not in 35 s"}


PLAIN = Case("errors", PERCH, 3_000_000, 1 << 20)


# rows


def test_a_row_is_the_median_of_its_runs_and_misses_its_limit_by_it() -> None:
    shares = [0.99, 0.97, 0.976]
    row = rows_of([run_of(PLAIN, seed, share) for seed, share in enumerate(shares)])[0]
    assert (row["share"], row["least"], row["most"]) == (0.976, 0.97, 0.99)
    assert row["limit"] == 0.975 and row["holds"] is True
    row = rows_of([run_of(PLAIN, seed, share) for seed, share in enumerate([0.99, 0.97, 0.974])])[0]
    assert row["holds"] is False


def test_a_row_of_perch_with_a_run_that_did_not_finish_does_not_hold() -> None:
    row = rows_of([run_of(PLAIN, 1, 0.98), run_of(PLAIN, 2, 0.98), not_finished(PLAIN, 3)])[0]
    assert (row["finished"], row["runs"], row["holds"]) == (2, 3, False)


def test_the_blobs_limit_is_perchs_own_share_less_a_hundredth() -> None:
    pull = Case("errors", PULL, 3_000_000, 1 << 20)
    for share, holds in ((0.971, True), (0.969, False)):
        row = rows_of([run_of(PLAIN, 1, 0.98), run_of(pull, 1, share)])[1]
        assert row["limit"] == 0.97 and row["holds"] is holds


def test_where_bits_flip_the_blobs_limit_is_the_goal_less_a_hundredth() -> None:
    plain, pull = (Case("errors", program, 3_000_000, 1 << 20, 1e-4) for program in (PERCH, PULL))
    for share, holds in ((0.741, True), (0.739, False)):
        row = rows_of([run_of(plain, 1, 0.92), run_of(pull, 1, share)])[1]
        assert row["limit"] == 0.74 and row["holds"] is holds


def test_what_a_cut_costs_is_beyond_its_own_time_and_beside_the_clean_run() -> None:
    cut = Case("hang-ups", PERCH, 3_000_000, 1 << 20, cuts=YANKS, down_s=YANK_S)
    clean = run_of(PLAIN, 1, 0.98)
    one = {**run_of(cut, 1, 1.0), "seconds": clean["seconds"] + 5.2 + 2.0, "downs": 100, "down_total_s": 5.2}
    row = rows_of([clean, {**one, "bytes_arrived": int(1.02 * (1 << 20))}])[1]
    assert row["ms a cut"] == pytest.approx(20, abs=0.1) and row["bytes ratio"] == pytest.approx(1.02, abs=1e-4)
    assert row["holds"] is True
    assert rows_of([clean, {**one, "bytes_arrived": int(1.04 * (1 << 20))}])[1]["holds"] is False
    assert rows_of([clean, {**one, "seconds": clean["seconds"] + 5.2 + 3.1}])[1]["holds"] is False


# the bench


class Counting:
    """A table of programs that need no wire and no time: one never finishes, one has a fault, one is interrupted."""

    def __init__(self) -> None:
        self.called: list[tuple[str, int, float, int]] = []
        self.interrupt_after = -1
        self.table = dict.fromkeys((*PROGRAMS, MEMORY), self.run)

    def run(self, case: Case, seed: int) -> dict[str, Any]:
        if len(self.called) == self.interrupt_after:
            raise KeyboardInterrupt
        self.called.append((case.words(), case.baud, case.ber, seed))
        if case.program == RNS:
            raise NotFinished("never")
        if case.program == ZMODEM and case.ber:
            raise OSError("a fault in the run itself")
        return {"finished": True, "seconds": 1.0, "bytes_arrived": 1, "downs": 1, "down_total_s": 0.1}

    def bench(self, folder: Path, resume: bool = False, about: str = "this") -> tuple[Bench, list[str]]:
        said: list[str] = []
        one = Bench(bench_case.full(), said.append, folder / "wire.json", resume, self.table, {"Perch": about})
        return one, said


def test_a_failing_peer_never_ends_the_bench_and_is_given_up_after_two_runs(tmp_path: Path) -> None:
    programs = Counting()
    one, said = programs.bench(tmp_path)
    one.run()
    rows = rows_of(one.in_order())
    assert len(rows) == len(bench_case.full()) and len(said) == len(programs.called)
    slow = [row for row in rows if row["program"] == RNS and not row["cuts"]]
    assert len(slow) == 12 and all(row["finished"] == 0 and row["runs"] in (2, 3) for row in slow)
    assert all(row["runs"] == 2 for row in slow if row["baud"] == 3_000_000)  # the others run side by side
    assert all(row["finished"] == row["runs"] == RUNS for row in rows if row["program"] == PERCH)
    assert any("a fault in the run itself" in line for line in said)


def test_an_interrupted_bench_keeps_its_runs_and_goes_on(tmp_path: Path) -> None:
    programs = Counting()
    programs.interrupt_after = 20
    one, _ = programs.bench(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert len(load(tmp_path / "wire.json")["runs"]) == 20
    programs.interrupt_after = -1
    one, _ = programs.bench(tmp_path, resume=True)
    one.run()
    assert len(set(programs.called)) == len(programs.called) == len(one.in_order())
    again, said = programs.bench(tmp_path, resume=True)
    again.run()
    assert again.in_order() == one.in_order() and len(said) == 1  # nothing was left to do


def test_kept_runs_of_other_versions_are_not_mixed_in(tmp_path: Path) -> None:
    programs = Counting()
    one, _ = programs.bench(tmp_path)
    one.run()
    before = len(programs.called)
    other, said = programs.bench(tmp_path, resume=True, about="another")
    other.run()
    assert len(programs.called) >= before + len(one.in_order()) - 12 and "other versions" in said[0]


def test_the_whole_bench_has_every_rate_three_times_at_every_baud() -> None:
    found = {(case.program, case.baud, case.ber) for case in bench_case.full() if case.kind == "errors"}
    assert found == {(program, baud, ber) for program in PROGRAMS for baud in BAUDS for ber in LEAST_SHARE}
    assert all(case.runs >= 3 for case in bench_case.full() if case.program not in PEERS)
    for case in bench_case.full():
        if case.baud:  # what must be reached has time enough
            assert case.wait_s > 1.5 * (case.size * 10 / case.baud / 0.75 + case.cuts * (case.down_s + 0.03))


def test_little_runs_and_parts_of_the_bench_are_not_recorded() -> None:
    for words in (["--record", "--quick"], ["--record", "--only", "media"], ["--only", "nothing"]):
        with pytest.raises(SystemExit):
            bench.arguments(words)


# docs


def made_up() -> dict[str, Any]:
    runs = []
    for case in bench_case.full():
        for seed in range(1, case.runs + 1):
            if case.program == RNS and case.ber == 1e-4:
                runs.append(not_finished(case, seed))
            else:
                run = run_of(case, seed, 0.9 + seed / 100, downs=case.cuts, down_total_s=1.0)
                runs.append({**run, "seconds": run["seconds"] + case.cuts * (case.down_s + 0.02)})
    return {"about": versions(), "runs": runs}


def test_a_record_gives_the_same_bytes_again_and_says_every_version(tmp_path: Path) -> None:
    shutil.copy(DOCS / "figures.md", tmp_path)
    results = made_up()
    first = [path.read_bytes() for path in bench_docs.record(results, tmp_path)]
    second = [path.read_bytes() for path in bench_docs.record(load(tmp_path / "goodput.json"), tmp_path)]
    assert first == second and len(first) == 4
    page = (tmp_path / "figures.md").read_text()
    for name in ("Perch", "lrzsz", "rns", "Python", "MicroPython", "kernel"):
        assert f"{name} {results['about'][name]}" in page
    assert "0.920 (0.910 to 0.930)" in page and "not finished (0 of 3)" in page
    for name, points in (("goodput.svg", bench_picture.goodput_points), ("goodput-cuts.svg", bench_picture.cut_points)):
        assert bench_picture.data_of(tmp_path / "pictures" / name) == points(rows_of(results["runs"]))
    assert page.partition(bench_docs.BEGIN)[0] == (DOCS / "figures.md").read_text().partition(bench_docs.BEGIN)[0]


def test_pictures_have_a_title_and_axes_with_units_and_no_date(tmp_path: Path) -> None:
    for path in bench_picture.draw(made_up(), tmp_path):
        text = path.read_text()
        assert "<dc:title>Goodput over" in text and "<dc:date>" not in text
        data = bench_picture.data_of(path)
        assert data and PERCH in json.dumps(data)


@recorded
def test_the_tables_in_the_docs_are_those_of_the_recorded_runs() -> None:
    page = (DOCS / "figures.md").read_text()
    made = page.partition(bench_docs.BEGIN)[2].partition(bench_docs.END)[0]
    assert made.strip() == bench_docs.tables(load(RECORD)).strip()


@recorded
def test_the_pictures_in_the_docs_show_the_recorded_runs() -> None:
    rows = rows_of(load(RECORD)["runs"])
    shown = bench_picture.data_of(DOCS / "pictures" / "goodput.svg")
    assert shown == bench_picture.goodput_points(rows)
    shown = bench_picture.data_of(DOCS / "pictures" / "goodput-cuts.svg")
    assert shown == bench_picture.cut_points(rows)


@recorded
def test_every_recorded_row_holds_its_limit_with_three_runs_or_more() -> None:
    rows = rows_of(load(RECORD)["runs"])
    own = [row for row in rows if row["program"] in (PERCH, PULL, MEMORY)]
    for row in own:
        assert row["finished"] == row["runs"] >= 3 and row["holds"] is not False, row
        seeds = [run["seed"] for run in load(RECORD)["runs"] if all(run[name] == row[name] for name in KEY)]
        assert len(set(seeds)) == row["runs"]
    shares = {(row["baud"], row["ber"]) for row in own if row["kind"] == "errors" and row["program"] == PERCH}
    assert shares == {(baud, ber) for baud in BAUDS for ber in LEAST_SHARE}
    assert {row["program"] for row in rows if row["kind"] == "errors"} == set(PROGRAMS)
    assert any(row["cuts"] == YANKS and row["limit"] and row["holds"] for row in own)
    assert all(row["MB/s"] >= UNTHROTTLED_MB_S for row in own if row["kind"] == "unthrottled")


def test_nothing_stands_between_the_marks_that_was_not_recorded() -> None:
    made = (DOCS / "figures.md").read_text().partition(bench_docs.BEGIN)[2].partition(bench_docs.END)[0]
    assert RECORD.exists() or not re.search(r"\d", made)
