"""Run, campaign -> here -> terminal: how far it is; a bar on a terminal, now and then a line anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


class Bar:
    """`at(done, words)`, as often as wanted, with `done` from 0 to `whole`. Everything goes to stderr."""

    def __init__(self, title: str, whole: float, quiet: bool = False) -> None:
        self._title = title
        self._whole = max(whole, 0.001)
        self._quiet = quiet
        self._line_at = time.monotonic() + LINE_EVERY_S
        self._bar: Progress | None = None
        if sys.stderr.isatty() and not quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(title, total=self._whole, words="")

    def at(self, done: float, words: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=min(done, self._whole), words=words)
        elif not self._quiet and time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_EVERY_S
            print(f"{self._title}: {words}", file=sys.stderr, flush=True)

    def __enter__(self) -> Bar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
