"""`make fuzz MINUTES=n`: every target under atheris, with the kept corpus; what is found is kept, a crash is shown.

    python -m tests.fuzz.run [--minutes N] [--targets NAME,NAME] [--jobs N]
    python -m tests.fuzz.run --replay tests/fuzz/found/NAME-DIGEST    run one input again
    python -m tests.fuzz.run --anew                                   choose the corpus again, from itself and the seeds
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.fuzz.keep import keep, smaller
from tests.fuzz.targets import FOUND, INPUT_BYTES_MAX, TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
KEPT_MAX = 6  # inputs of one target in the corpus, times its weight ...
KEPT_BYTES_MAX = 1200  # ... and bytes of one of them
SECONDS_MIN = 2.0
INPUT_S_MAX = 10  # one input that takes longer is a find
MEMORY_MB_MAX = 1500
STATUS = re.compile(rb"#(\d+)\s+\S+\s+cov: (\d+).*?corp: (\d+)/\S+.*?exec/s: (\d+)")


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class Run:
    """One target in one child process; `poll` reads what it says."""

    def __init__(self, chosen: Target, seconds: float, scratch: Path) -> None:
        self.target = chosen
        self.seconds = seconds
        self.state = "waiting"
        self.executions = self.coverage = self.inputs = self.rate = self.fresh = 0
        self.crash: Path | None = None
        self._scratch = scratch / chosen.name
        self._artifact = scratch / f"{chosen.name}.crash"
        self._log = scratch / f"{chosen.name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        self._scratch.mkdir()
        words = self._scratch.with_suffix(".words")
        words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word)}"\n' for word in
                                 self.target.words))  # fmt: skip
        folders = [str(self._scratch)] + ([str(self.target.folder)] if self.target.corpus() else [])
        command = [
            sys.executable, "-m", "tests.fuzz.child", self.target.module, self.target.name, *folders,
            f"-max_total_time={max(1, round(self.seconds))}", f"-max_len={INPUT_BYTES_MAX}", f"-timeout={INPUT_S_MAX}",
            f"-rss_limit_mb={MEMORY_MB_MAX}", f"-exact_artifact_path={self._artifact}", "-print_final_stats=0",
            "-verbosity=1",
        ]  # fmt: skip
        if self.target.words:
            command.append(f"-dict={words}")
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        self._started = time.monotonic()
        self.state = "running"

    def poll(self) -> bool:
        """Whether it is over."""
        assert self._child is not None
        code = self._child.poll()
        for found in STATUS.finditer(self._log.read_bytes()[-4000:]):
            self.executions, self.coverage, self.inputs, self.rate = (int(each) for each in found.groups())
        if code is None:
            if time.monotonic() - self._started < self.seconds + 3 * INPUT_S_MAX + 60:
                return False
            self._child.kill()
            code = self._child.wait()
        self.state = "crash" if code else "done"
        if code:
            self._save_crash()
        return True

    def _save_crash(self) -> None:
        FOUND.mkdir(exist_ok=True)
        data = self._artifact.read_bytes() if self._artifact.exists() else b""
        fails = failure(self.target, data)
        if fails:
            data = smaller(data, lambda less: failure(self.target, less) == fails)
        self.crash = FOUND / f"{self.target.name}-{digest_of(data)}"
        self.crash.write_bytes(data)
        self.crash.with_suffix(".log").write_bytes(self._log.read_bytes()[-20_000:])

    def merge(self) -> None:
        """Keep what is new, small."""
        fresh = (path.read_bytes() for path in self._scratch.iterdir())
        self.fresh = enter(self.target, (each for each in fresh if not failure(self.target, each)))

    def stop(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def failure(chosen: Target, data: bytes) -> str:
    """What an input does to its target: "" when nothing fails, else the kind of failure and where it was raised."""
    try:
        chosen(data)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return f"{type(error).__name__} at {trace.tb_lineno if trace else 0}"
    return ""


def enter(chosen: Target, fresh: Iterable[bytes], anew: bool = False) -> int:
    """Put what is worth it into the corpus, each named by its digest; returns how many inputs are new there.

    `anew`: what is there has to show its worth again, so that the corpus gets smaller where the code did.
    """
    there = {path.read_bytes(): path for path in chosen.corpus()}
    if anew:
        fresh = [*fresh, *there]
    added = 0
    wanted = keep(chosen.function, () if anew else there, fresh, KEPT_MAX * chosen.weight, KEPT_BYTES_MAX)
    for data, path in there.items():
        if data not in wanted:
            path.unlink()
    for data in wanted:
        if data not in there:
            chosen.folder.mkdir(parents=True, exist_ok=True)
            (chosen.folder / digest_of(data)).write_bytes(data)
            added += 1
    return added


def shares(chosen: list[Target], minutes: float, jobs: int) -> dict[str, float]:
    """Seconds of each target."""
    whole = sum(each.weight for each in chosen)
    return {each.name: max(SECONDS_MIN, 60 * minutes * jobs * each.weight / whole) for each in chosen}


def picture(runs: list[Run]) -> Table:
    table = Table(title="Fuzzing", title_justify="left", box=None)
    for name, justify in (("target", "left"), ("", "left"), ("seconds", "right"), ("inputs tried", "right"),
                          ("a second", "right"), ("edges", "right"), ("kept new", "right")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    colours = {"waiting": "dim", "running": "cyan", "done": "green", "crash": "bold red"}
    shown = [run for run in runs if run.state != "waiting"][-25:]
    for run in shown:
        table.add_row(run.target.name, f"[{colours[run.state]}]{run.state}[/]", f"{run.seconds:.0f}",
                      f"{run.executions:,}", f"{run.rate:,}", str(run.coverage), str(run.fresh))  # fmt: skip
    waiting = len(runs) - sum(run.state != "waiting" for run in runs)
    table.caption = f"{waiting} more to come" if waiting else ""
    return table


def fuzz(chosen: list[Target], minutes: float, jobs: int, console: Console) -> int:
    seconds = shares(chosen, minutes, jobs)
    with tempfile.TemporaryDirectory(prefix="perch-fuzz-") as folder:
        runs = [Run(each, seconds[each.name], Path(folder)) for each in chosen]
        waiting, busy = list(runs), list[Run]()
        try:
            with Live(picture(runs), console=console, refresh_per_second=2) as live:
                while waiting or busy:
                    while waiting and len(busy) < jobs:
                        busy.append(waiting.pop(0))
                        busy[-1].start()
                    time.sleep(0.2)
                    for run in [each for each in busy if each.poll()]:
                        busy.remove(run)
                        run.merge()
                    live.update(picture(runs))
        finally:
            for run in busy:
                run.stop()
    crashed = [run for run in runs if run.crash]
    for run in crashed:
        assert run.crash is not None
        console.print(f"[bold red]{run.target.name}[/] failed. Once more, alone (what it said: {run.crash.name}.log):")
        console.print(f"  {sys.executable} -m tests.fuzz.run --replay {run.crash.relative_to(ROOT)}", soft_wrap=True)
    total = sum(run.executions for run in runs)
    console.print(f"{total:,} inputs, {len(runs)} targets, {sum(run.fresh for run in runs)} inputs new in the corpus, "
                  f"{len(crashed)} found")  # fmt: skip
    return 1 if crashed else 0


def replay(path: Path) -> int:
    """Run one found input again; whatever it raises comes out."""
    TARGETS[path.name.rpartition("-")[0]](path.read_bytes())
    print("nothing failed")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--targets", default="", help="names or beginnings of names, with commas; all of them else")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--anew", action="store_true", help="choose the corpus again, from itself and the seeds")
    options = parser.parse_args()
    if options.replay:
        return replay(options.replay)
    wanted = tuple(name for name in options.targets.split(",") if name)
    chosen = [each for each in TARGETS.values() if not wanted or each.name.startswith(wanted)]
    if not chosen:
        parser.error(f"no such target; there are {', '.join(TARGETS)}")
    console = Console()
    if options.anew:
        for each in chosen:
            console.print(f"{each.name}: {enter(each, each.seeds(), anew=True)} new, {len(each.corpus())} kept")
        return 0
    return fuzz(sorted(chosen, key=lambda each: -each.weight), options.minutes, options.jobs, console)


if __name__ == "__main__":
    sys.exit(main())
