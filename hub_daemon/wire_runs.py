"""perch wire, the runs: a file sent, files received, a check. Each steps its end, shows it, and ends in a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from hub_daemon.wire_check import Check, Checking
from hub_daemon.wire_diagnosis import CHECK, RECEIVE, SEND, diagnose
from hub_daemon.wire_end import LIFTED_MS, End
from hub_daemon.wire_figures import Course, add_verdict, figures
from hub_daemon.wire_files import Receiving, Sending
from hub_daemon.wire_report import Reporter
from hub_daemon.wire_serial import Port
from hub_daemon.wire_verdict import amount, will_do
from hub_daemon.wire_view import DRAW_S, State, View


@dataclass(frozen=True)
class Options:
    """What the installer gave; `wait_s` 0: wait for the other end for ever."""

    patience_s: float = 30.0
    wait_s: float = 0.0
    once: bool = False
    ms: int = 0
    size: int = 0


@dataclass
class Progress:
    """How far the work of a run is; `start_s` is when its first byte could go, by the end's clock."""

    words: str = ""
    done: int = 0
    total: int = 0
    share: float | None = None
    start_s: float | None = None
    alarms: list[str] = field(default_factory=list)


class Run:
    """What the runs have in common; `interrupted` may be called at any time for a summary so far."""

    command = ""
    role = 0
    gives_up = True  # when the other end was away for longer than patience

    def __init__(self, port: Port, options: Options, console: Console, reporter: Reporter) -> None:
        self.port = port
        self.options = options
        self.reporter = reporter
        self.view = View(console, quiet=reporter.as_json)
        self.end = End(port, self.role, options.patience_s)
        self.course = Course()
        self.progress = Progress()

    def run(self) -> int:
        """Until it is done; the exit code."""
        raise NotImplementedError

    def payload(self) -> tuple[int, float]:
        """Bytes that arrived, and in how many seconds."""
        raise NotImplementedError

    def close(self) -> None:
        if self.end.work is not None:
            self.end.work.close()

    def result(self, finished: bool, **more: Any) -> dict[str, Any]:
        found = figures(self.end, self.command, *self.payload())
        found["finished"] = finished
        found.update(more)
        add_verdict(found)
        return found

    def interrupted(self) -> None:
        self.reporter.tell(self.result(False), "interrupted; so far")

    def step(self) -> str:
        """One step, shown; returns why it cannot go on, "" while it can."""
        self.end.step(DRAW_S)
        now_s = self.end.now() / 1000
        why = ""
        if not self.end.stack.up or self.end.lost_for_ms() > LIFTED_MS:
            why = self._why_not(now_s)
        elif self.progress.alarms:
            self.progress.alarms = []
        if self.view.due(now_s):
            self.view.show(self.state(now_s))
        return why

    def _why_not(self, now_s: float) -> str:
        """What keeps the ends apart: into the alarms, and returned where it is time to give up."""
        heard = self.end.silence()
        found = diagnose(heard) if heard is not None else None
        if found is not None and found.final:
            return found.words
        self.progress.alarms = [found.words] if found is not None else []
        if self.gives_up and self.end.out_of_patience():
            words = found.words if found is not None else ""
            return f"nothing came from the other end for {self.options.patience_s:g} s. {words}".strip()
        if self.options.wait_s and not self.end.sessions and now_s >= self.options.wait_s and heard is not None:
            last = diagnose(heard, after_ms=0)
            return last.words if last is not None else "no connection came about"
        return ""

    def state(self, now_s: float) -> State:
        progress = self.progress
        seen = figures(self.end, self.command, *self.payload())
        self.course.look(self.end.now(), seen)
        remaining = None
        if progress.share and progress.start_s is not None:
            remaining = (now_s - progress.start_s) * (1 - progress.share) / progress.share
        done = amount(progress.done) + (f" of {amount(progress.total)}" if progress.total else "")
        return State(
            title=f"perch wire {self.command}  {self.port.baud:,} baud  {self.port.path}",
            words=self._words(), elapsed_s=now_s, baud=self.port.baud, figures=seen, course=self.course,
            share=progress.share, done=done, remaining_s=remaining,
            connected=self.end.stack.up and self.port.is_open, alarms=progress.alarms,
        )  # fmt: skip

    def _words(self) -> str:
        if not self.port.is_open:
            return "the port is gone, waiting for it"
        if not self.end.stack.up:
            return "waiting for the other end"
        if self.end.lost_for_ms() > LIFTED_MS:
            return "nothing comes from the other end"
        return self.progress.words


class SendFile(Run):
    """One file to the other end."""

    command = "send"
    role = SEND

    def __init__(self, port: Port, options: Options, console: Console, reporter: Reporter, file: Path) -> None:
        super().__init__(port, options, console, reporter)
        self.sending = Sending(file, self.end.stack, self.end.own, port.baud)
        self.end.work = self.sending
        self.progress = Progress(f"sending {self.sending.name}", total=self.sending.size)
        self._seconds: float | None = None

    def arrived(self) -> int:
        return max(0, self.sending.at - self.end.stack.unacked())

    def payload(self) -> tuple[int, float]:
        start = self.progress.start_s
        first = min(self.sending.resumed_from[:1] or [0])
        if self._seconds is not None:
            return self.sending.size - first, self._seconds
        return max(0, self.arrived() - first), self.end.now() / 1000 - start if start is not None else 0.0

    def run(self) -> int:
        sending, progress = self.sending, self.progress
        with self.view:
            while not sending.done:
                why = self.step() or sending.failed
                if progress.start_s is None and sending.resumed_from:
                    progress.start_s = self.end.now() / 1000
                progress.done = self.arrived()
                progress.share = progress.done / sending.size if sending.size else 1.0
                if why:
                    break
            if sending.done:
                self._seconds = self.end.now() / 1000 - (progress.start_s or 0.0)
                result = self.result(True, file=sending.name, sha256=sending.digest.hex())
                self.end.goodbye()
        if not sending.done:
            again = "Start it again at both ends: it goes on from what has arrived."
            self.reporter.fail(f"{sending.name} was not finished: {why} {again}", self.result(False, file=sending.name))
            return 1
        self.reporter.tell(result, f"{sending.name}: {sending.size:,} bytes arrived and are verified")
        return 0


class ReceiveFiles(Run):
    """Files from the other end, and answers to its checks."""

    command = "receive"
    role = RECEIVE

    def __init__(self, port: Port, options: Options, console: Console, reporter: Reporter, folder: Path) -> None:
        super().__init__(port, options, console, reporter)
        self.folder = folder
        self.receiving = Receiving(folder, self.end.stack, self.end.own, port.baud)
        self.end.work = self.receiving
        self.progress = Progress("waiting for a file")
        self._files = 0
        self._reported: Check | None = None

    def payload(self) -> tuple[int, float]:
        receiving, start = self.receiving, self.progress.start_s
        if receiving.check is not None:
            return receiving.check.in_bytes, receiving.check.in_s
        if start is None:
            return 0, 0.0
        return max(0, receiving.at - receiving.first_at), self.end.now() / 1000 - start

    def run(self) -> int:
        self.gives_up = self.options.once
        while True:
            with self.view:
                why = ""
                found = None
                while not why and found is None:
                    why = self.step()
                    found = self._look()
                if found is not None and self.options.once:
                    self.end.goodbye()
            if found is None:
                words = f"{why} What arrived is in {self.folder} and the next run goes on from there."
                self.reporter.fail(words, self.result(False))
                return 1
            self.reporter.tell(*found)
            if self.options.once:
                return 0

    def _look(self) -> tuple[dict[str, Any], str] | None:
        """Keep the progress; the result and its headline when a file or a check was completed."""
        receiving, progress = self.receiving, self.progress
        check = receiving.check
        if receiving.files > self._files:
            self._files = receiving.files
            result = self.result(True, file=str(receiving.saved), sha256=receiving.digest.hex())
            self.progress = Progress("waiting for a file")
            return result, f"{receiving.saved}: {receiving.size:,} bytes, verified"
        if check is not None:
            if check.done and check is not self._reported:
                self._reported = check
                return check_result(self, check), "the check of the other end"
            follow(progress, check, self.end)
            return None
        if receiving.busy:
            if progress.start_s is None:
                progress.start_s = self.end.now() / 1000
            progress.words = f"receiving {receiving.name}"
            progress.done, progress.total = receiving.at, receiving.size
            progress.share = receiving.at / receiving.size if receiving.size else None
        return None

class CheckWire(Run):
    """Generated bytes in both directions, and a verdict."""

    command = "check"
    role = CHECK

    def __init__(self, port: Port, options: Options, console: Console, reporter: Reporter) -> None:
        super().__init__(port, options, console, reporter)
        self.checking = Checking(self.end.stack, self.end.own, port.baud, options.ms, options.size)
        self.end.work = self.checking

    def payload(self) -> tuple[int, float]:
        check = self.checking.check
        return check.out_bytes, check.out_s or check.elapsed_s()

    def run(self) -> int:
        check = self.checking.check
        with self.view:
            while not check.done:
                why = self.step() or check.failed
                follow(self.progress, check, self.end)
                if why:
                    break
            if check.done:
                result = check_result(self, check)
                self.end.goodbye()
        if not check.done or check.failed:
            self.reporter.fail(f"the check was not finished: {check.failed or why}", self.result(False))
            return 1
        self.reporter.tell(result, f"checked {amount(check.in_bytes + check.out_bytes)} in both directions")
        return 0 if will_do(result["verdict_word"]) else 1


def follow(progress: Progress, check: Check, end: End) -> None:
    """The progress of a check."""
    if check.loaded_at is None:
        progress.words = "measuring the round trip" if end.stack.up else ""
        return
    if progress.start_s is None:
        progress.start_s = end.now() / 1000 - check.elapsed_s()
    progress.words = "checking: bytes in both directions"
    progress.done, progress.total, progress.share = check.in_bytes + check.out_bytes, 0, check.share


def check_result(run: Run, check: Check) -> dict[str, Any]:
    """The result of a check that is done: the rate of each direction for itself."""
    line = run.port.baud / 10
    here = check.in_bytes / check.in_s / line if check.in_s else 0.0
    there = check.out_bytes / check.out_s / line if check.out_s else 0.0
    return run.result(
        True, command="check", bytes=check.out_bytes, seconds=round(check.out_s, 3),
        bytes_per_second=round(there * line), goodput_of_line_rate=round(there, 4),
        bytes_in=check.in_bytes, seconds_in=round(check.in_s, 3), goodput_in_of_line_rate=round(here, 4),
    )  # fmt: skip
