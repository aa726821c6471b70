"""perch wire, the figures of a run: what --json prints and what the verdict judges; and their course for the live view.

Names without a prefix are this end's, `peer_` those of the other one, as it said them last.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from hub_daemon.wire_end import End
from hub_daemon.wire_serial import latency_timer_ms
from hub_daemon.wire_verdict import Estimate, judge

COUNTS = ("frames", "damaged", "repaired", "resent", "refused", "bytes_sent", "bytes_received", "frame_bytes")
OF_THE_PORT = ("hangups", "down_ms", "sessions", "silences", "silent_ms", "damaged_before_up")
LAST_S = 60  # what the sparkline shows


def figures(end: End, command: str, payload: int, seconds: float) -> dict[str, Any]:
    """What a run says about the wire; `payload` is the bytes that arrived in `seconds`."""
    own = end.own()
    peer = end.work.peer if end.work is not None else {}
    baud = end.port.baud
    rate = payload / seconds if seconds > 0 else 0.0
    result: dict[str, Any] = {
        "command": command,
        "port": end.port.path,
        "bytes": payload,
        "seconds": round(seconds, 3),
        "seconds_since_open": round(end.now() / 1000, 3),
        "bytes_per_second": round(rate),
        "baud": baud,
        "goodput_of_line_rate": round(rate * 10 / baud, 4),
        "round_trip_ms": end.stack.link.counters["round_trip_ms"],
        "round_trip_ms_min": end.round_trip_ms_min,
        "round_trip_ms_max": end.round_trip_ms_max,
    }
    for name in COUNTS + OF_THE_PORT:
        result[name] = own.get(name, 0)
        if name in peer:
            result["peer_" + name] = peer[name]
    result["yanks"] = result["hangups"] + result.get("peer_hangups", 0)
    timer = latency_timer_ms(end.port.path)
    if timer >= 0:
        result["latency_timer_ms"] = timer
    trips = end.work.round_trips_ms if end.work is not None else []
    if trips:
        result["idle_round_trip_ms"] = round(statistics.median(trips), 2)
        result["idle_round_trip_ms_min"] = round(min(trips), 2)
        result["idle_round_trip_ms_max"] = round(max(trips), 2)
    return result


def add_verdict(result: dict[str, Any]) -> None:
    """Enter the verdict: verdict (sentence), verdict_word, advice, and the estimates of both directions."""
    verdict = judge(result)
    result["verdict"], result["verdict_word"], result["advice"] = verdict.sentence, verdict.word, verdict.advice
    for name, one in (("bit_error_rate", verdict.here), ("peer_bit_error_rate", verdict.there)):
        if one is not None:
            result[name] = rate_fields(one)


def rate_fields(one: Estimate) -> dict[str, Any]:
    return {"rate": one.rate, "low": one.low, "high": one.high, "kind": one.kind, "bytes": one.carried}


class Course:
    """Figures second by second: `rates` a direction over the last minute, and what the last second added to a count."""

    def __init__(self) -> None:
        self._at_ms: int | None = None
        self._before: dict[str, int] = {}
        self._added: dict[str, float] = {}
        self.rates: dict[str, deque[float]] = {
            "bytes_received": deque(maxlen=LAST_S), "bytes_sent": deque(maxlen=LAST_S)
        }  # fmt: skip

    def look(self, now_ms: int, seen: Mapping[str, Any]) -> bool:
        """Call as often as you like, with figures; True when another second is in."""
        counts = {name: value for name, value in seen.items() if type(value) is int}
        if self._at_ms is None:
            self._at_ms, self._before = now_ms, counts
            return False
        span_ms = now_ms - self._at_ms
        if span_ms < 1000:
            return False
        # a count that fell is a new one: the other end was started again
        self._added = {
            name: max(0, value - self._before.get(name, 0)) * 1000 / span_ms for name, value in counts.items()
        }
        for name, rates in self.rates.items():
            rates.append(self._added.get(name, 0.0))
        self._at_ms, self._before = now_ms, counts
        return True

    def a_second(self, name: str) -> float:
        """By how much a count grew in the last whole second."""
        return self._added.get(name, 0.0)
