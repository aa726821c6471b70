"""Goodput on the simulated serial wire, as a share of the line rate: Perch beside its peers in the same run.

Every case has its own wire (`sim.pty_wire`, in a process of its own) and as many runs as it says, each with another
seed; what a row shows is their median. At 3 Mbaud one wire runs alone; the slower ones leave the processor idle and run
side by side. Every run is bounded in time, what a program cannot do is a result, and each result is saved at once:
an interrupted bench goes on with `--resume`.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sim import bench_case, bench_peers, bench_perch
from sim.bench_case import MEMORY, PEERS, PERCH, PULL, RNS, ZMODEM, Case
from sim.bench_peers import NotFinished, stop_programs
from sim.bench_results import KEY, Row, Run, load, rows_of, save, share, versions

KEPT = Path(__file__).resolve().parent.parent / "build" / "bench"
Programs = dict[str, Callable[[Case, int], dict[str, Any]]]
PROGRAMS: Programs = {
    PERCH: bench_perch.perch, PULL: bench_perch.pulled, MEMORY: bench_perch.in_memory,
    ZMODEM: bench_peers.zmodem, RNS: bench_peers.reticulum,
}  # fmt: skip
AT_ONCE = {921_600: 2, 115_200: 4}  # wires side by side; any other rate runs alone
GIVE_UP_RUNS = 2  # a peer that finished none of its first two runs is not asked again
Say = Callable[[str], None]


def rows(quick: bool, say: Say = print, resume: bool = False, folder: Path = KEPT) -> list[Row]:
    """Run what is not kept yet, keep it, and give all rows. In little (`quick`), no row has a limit."""
    cases = bench_case.quick() if quick else bench_case.full()
    bench = Bench(cases, say, folder / ("wire-quick.json" if quick else "wire.json"), resume)
    bench.run()
    return rows_of(bench.in_order(), limits=not quick)


def kept(folder: Path = KEPT) -> dict[str, Any]:
    """The runs of the last whole bench, and what they were made with."""
    return load(folder / "wire.json")


def shown(rows: list[Row]) -> list[Row]:
    """The rows as they fit a terminal."""
    found = []
    for row in rows:
        case = Case(**{name: row[name] for name in KEY})
        result = "-"
        if row["finished"]:
            result = f"{row['MB/s']:.1f} MB/s" if "MB/s" in row else f"{row['share']:.4f}"
        if "ms a cut" in row:
            result += f", {row['ms a cut']:.0f} ms a cut, {row['bytes ratio']:.3f} x bytes"
        finished = f"{row['finished']} of {row['runs']}"
        line = {"what": case.words(), "result": result, "finished": finished, "limit": str(row.get("limit", "-"))}
        found.append({**line, "holds": row.get("holds")})
    return found


class Bench:
    """The cases, the runs that are done, and the file that holds them."""

    def __init__(
        self, cases: list[Case], say: Say, kept: Path, resume: bool, programs: Programs = PROGRAMS,
        about: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._cases = cases
        self._say = say
        self._kept = kept
        self._lock = threading.Lock()
        self._stopping = False
        self._programs = programs
        self._about = versions() if about is None else about
        self._runs: list[Run] = []
        earlier = load(kept) if resume else {"about": {}, "runs": []}
        if earlier["runs"] and earlier["about"] != self._about:
            say("The kept runs are of other versions: all is measured anew.")
        elif earlier["runs"]:
            self._runs = earlier["runs"]
            say(f"{len(self._runs)} runs are kept from before.")

    def run(self) -> None:
        alone = [job for job in self._jobs() if job[0].baud not in AT_ONCE]
        beside = {baud: [job for job in self._jobs() if job[0].baud == baud] for baud in AT_ONCE}
        for case, seed in alone:
            self._one(case, seed)
        pools = [ThreadPoolExecutor(count) for count in AT_ONCE.values()]
        try:
            waiting = [
                pool.submit(self._one, case, seed)
                for pool, baud in zip(pools, AT_ONCE)
                for case, seed in beside[baud]
            ]
            for future in waiting:
                future.result()
        except BaseException:
            self._stopping = True
            stop_programs()
            raise
        finally:
            for pool in pools:
                pool.shutdown(cancel_futures=True)

    def _jobs(self) -> list[tuple[Case, int]]:
        """Every run, Perch's of all wires before the peers' long ones."""
        return [
            (case, seed)
            for peers in (False, True)
            for case in self._cases
            if (case.program in PEERS) is peers
            for seed in range(1, case.runs + 1)
        ]

    def _one(self, case: Case, seed: int) -> None:
        with self._lock:
            done = self._of(case)
        if any(run["seed"] == seed for run in done):
            return
        if len(done) >= GIVE_UP_RUNS and case.program in PEERS and not any(run["finished"] for run in done):
            return
        run: Run = {**case.key(), "seed": seed, "load": round(os.getloadavg()[0], 2)}
        begin = time.monotonic()
        try:
            run |= self._programs[case.program](case, seed)
        except NotFinished as why:
            run |= {"finished": False, "why": str(why)}
        except Exception as error:  # a fault in one run never ends the bench
            run |= {"finished": False, "why": f"{type(error).__name__}: {error}"}
        run["run_s"] = round(time.monotonic() - begin, 1)
        with self._lock:
            if self._stopping:
                return  # ended by us: says nothing about the program
            self._runs.append(run)
            save(self._kept, {"about": self._about, "runs": self.in_order()})
            total = sum(case.runs for case in self._cases)
            self._say(f"{len(self._runs):3d} of {total}  {case.words()}, seed {seed}: {outcome(run)}")

    def in_order(self) -> list[Run]:
        """The runs of this bench's cases, in the order of the cases."""
        found = []
        for case in self._cases:
            found += sorted(self._of(case), key=lambda run: int(run["seed"]))
        return found

    def _of(self, case: Case) -> list[Run]:
        """The runs of one case that are done."""
        key = case.key()
        return [run for run in self._runs if all(run[name] == value for name, value in key.items())]


def outcome(run: Run) -> str:
    if not run["finished"]:
        return f"not finished: {run['why']}"
    if not run["baud"]:
        return f"{run['size'] / run['seconds'] / 1e6:.1f} MB/s"
    return f"{share(run):.4f} in {run['seconds']:.2f} s"
