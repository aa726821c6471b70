"""Figures -> here -> report, sweep, explain, watch: how times, amounts and shares are said, everywhere alike."""

from __future__ import annotations

from protocol.errors import Misuse
from sim.box.kernel import DAY_MS, HOUR_MS

WEEKDAYS = ("Fri", "Sat", "Sun", "Mon", "Tue", "Wed", "Thu")  # day 0 is a Friday
UNITS = ((86400.0, "day"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def lasts(seconds: float | None) -> str:
    """A length of time in one unit: "34 s", "2.5 min", "16 h", "3 days"; "-" for none."""
    if seconds is None:
        return "–"
    if seconds < 0:
        raise Misuse("a length of time is not negative")
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    size, unit = next((one for one in UNITS if seconds >= one[0]), UNITS[-1])
    amount = seconds / size
    said = f"{amount:.0f}" if amount >= 10 or unit == "s" and amount == round(amount) else f"{amount:.1f}"
    said = said.removesuffix(".0")
    return f"{said} {unit}{'s' if unit == 'day' and said != '1' else ''}"


def moment(at_ms: int, seconds: bool = False) -> str:
    """"day 3 12:10", as scenarios have it."""
    return f"day {at_ms // DAY_MS} {clock(at_ms, seconds)}"


def clock(at_ms: int, seconds: bool = False) -> str:
    """"12:10" or "12:10:07"."""
    within = at_ms % DAY_MS
    said = f"{within // HOUR_MS:02d}:{within // 60_000 % 60:02d}"
    return f"{said}:{within // 1000 % 60:02d}" if seconds else said


def weekday(at_ms: int) -> str:
    return WEEKDAYS[at_ms // DAY_MS % 7]


def size(count: float | None) -> str:
    """Bytes: "812 B", "1.4 kB", "3.2 MB" of 1000."""
    if count is None:
        return "–"
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.3g} {unit}"
    return f"{count:.0f} B"


def share(part: float | None) -> str:
    """A share in per cent; what is nearly all or nearly nothing does not look like all or nothing."""
    if part is None:
        return "–"
    if 0 < part < 0.001:
        return "less than 0.1 %"
    if 0.999 < part < 1:
        return "more than 99.9 %"
    return f"{part * 100:.3g} %"


def many(count: int, one: str, more: str = "") -> str:
    """"1 dock", "3 docks", "no docks"."""
    return f"{count if count else 'no'} {one if count == 1 else more or one + 's'}"
