"""The stages of a demonstration: each is shown while it runs, timed, and named when it fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class StageFailed(Exception):
    """`stage` is what was under way; the cause is chained."""

    def __init__(self, stage: str, why: str) -> None:
        super().__init__(f"{stage}: {why}")
        self.stage = stage


class Stages:
    """A list of stages on the terminal. `seconds` holds how long each took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        try:
            quiet = not self.console.is_terminal
            with Progress(*columns, console=self.console, transient=True, disable=quiet) as progress:
                progress.add_task(name, total=None)
                yield
        except StageFailed:
            raise
        except Exception as error:
            self.console.print(f"[red]failed[/]  {name}")
            raise StageFailed(name, f"{type(error).__name__}: {error}") from error
        self.seconds[name] = time.monotonic() - start
        self.console.print(f"[green]done[/]    {name} [dim]{self.seconds[name]:.1f} s[/]")


def wait_until(what: str, true: Callable[[], object], seconds: float, every_s: float = 0.2) -> None:
    """Poll the callable `true` until it answers something true; raise TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds:.0f} s")
        time.sleep(every_s)
