"""perch wire loop: one end and a loop-back plug; moves the loop's frames through the port, and shows and judges it."""

from __future__ import annotations

import os
import time
from typing import Any

from rich.console import Console

from hub_daemon.wire_figures import Course, add_verdict
from hub_daemon.wire_loop import FRAME_BYTES, Loop
from hub_daemon.wire_report import Reporter
from hub_daemon.wire_serial import Port, latency_timer_ms
from hub_daemon.wire_verdict import amount, will_do
from hub_daemon.wire_view import State, View

NOTHING_S = 5.0  # with nothing back for so long there is no plug
BURST_BYTES = 4096
POLL_S = 0.05


class LoopRun:
    """Same face as the other runs: run, interrupted, close."""

    def __init__(self, port: Port, ms: int, size: int, console: Console, reporter: Reporter) -> None:
        self.port = port
        self._ms = ms
        self._size = size
        self._reporter = reporter
        self._view = View(console, quiet=reporter.as_json)
        self._loop = Loop(os.urandom(8), port.baud)
        self._course = Course()
        self._start = time.monotonic()
        self._unsent = b""

    def close(self) -> None:
        """Nothing is held but the port."""

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._start

    def run(self) -> int:
        """Until its time or its bytes are over; the exit code."""
        with self._view:
            while not self._over():
                self._step()
                now_s = self._elapsed_s()
                if self._view.due(now_s):
                    self._view.show(self._state(now_s))
        result = self.result(self._loop.returned > 0)
        if not self._loop.returned:
            self._reporter.fail(self._why_nothing(), result)
            return 1
        self._reporter.tell(result, f"{amount(result['bytes'])} came back through the loop")
        return 0 if will_do(result["verdict_word"]) else 1

    def _over(self) -> bool:
        elapsed_s = self._elapsed_s()
        if not self._loop.returned and elapsed_s >= NOTHING_S:
            return True
        return elapsed_s * 1000 >= self._ms and self._loop.returned * FRAME_BYTES >= self._size

    def _step(self) -> None:
        port, loop = self.port, self._loop
        if not port.is_open and port.reopen():
            self._unsent = b""
            loop.lost_port()
        now = int(self._elapsed_s() * 1000)
        while len(self._unsent) < BURST_BYTES:
            wire = loop.to_send(now)
            if not wire:
                break
            self._unsent += wire
        readable, writable = port.wait(bool(self._unsent), POLL_S)
        if writable:
            self._unsent = self._unsent[port.write(self._unsent) :]
        if readable:
            loop.receive(port.read(), int(self._elapsed_s() * 1000))

    def _why_nothing(self) -> str:
        counts = self._loop.counts()
        seconds = f"{self._elapsed_s():.1f} s"
        if not counts["bytes_received"]:
            return (
                f"not one byte came back in {seconds}: there is no loop-back plug in this port, its TX and RX are not "
                "joined, or this is the wrong port. `perch wire list` shows the ports."
            )
        if counts["strangers"]:
            return (
                "frames arrive, but not ours: another end is at work on this wire. Put a loop-back plug in its place, "
                "or measure the cable between two ends with `perch wire check` at both."
            )
        return (
            f"{counts['bytes_received']:,} bytes came back in {seconds}, but no frame of ours: noise, or this adapter "
            "cannot run at this baud rate. Try a lower --baud."
        )

    def result(self, finished: bool) -> dict[str, Any]:
        found = self._figures()
        found["finished"] = finished
        found["damaged"] = max(found["damaged"], found["missing"] - found["repaired"])
        add_verdict(found)
        return found

    def interrupted(self) -> None:
        self._reporter.tell(self.result(False), "interrupted; so far")

    def _figures(self) -> dict[str, Any]:
        seconds = self._elapsed_s()
        payload = self._loop.returned * FRAME_BYTES
        rate = self._loop.bytes_received / seconds if seconds > 0 else 0.0
        found: dict[str, Any] = {
            "command": "loop", "port": self.port.path, "baud": self.port.baud, "bytes": payload,
            "seconds": round(seconds, 3), "seconds_since_open": round(seconds, 3), "bytes_per_second": round(rate),
            "goodput_of_line_rate": round(payload / max(seconds, 1e-6) * 10 / self.port.baud, 4),
            "round_trip_ms": -1, "resent": 0, "sessions": 0,
            "hangups": self.port.hangups, "down_ms": self.port.down_ms, "yanks": self.port.hangups,
        }  # fmt: skip
        found.update(self._loop.counts())
        found.update(self._loop.round_trips())
        timer = latency_timer_ms(self.port.path)
        if timer >= 0:
            found["latency_timer_ms"] = timer
        return found

    def _state(self, now_s: float) -> State:
        figures = self._figures()
        self._course.look(int(now_s * 1000), figures)
        shares = [now_s * 1000 / self._ms] if self._ms else []
        shares += [self._loop.returned * FRAME_BYTES / self._size] if self._size else []
        share = min(1.0, min(shares, default=0.0))
        back = bool(self._loop.returned)
        words = "frames come back" if back else "waiting for the first frame to come back"
        return State(
            title=f"perch wire loop  {self.port.baud:,} baud  {self.port.path}",
            words=words if self.port.is_open else "the port is gone, waiting for it",
            elapsed_s=now_s, baud=self.port.baud, figures=figures, course=self._course, share=share,
            done=amount(figures["bytes"]), remaining_s=now_s * (1 - share) / share if share else None,
            connected=back and self.port.is_open, loop=True,
        )  # fmt: skip
