"""perch wire, the verdict: what the figures of a run say about the cable, in words. Pure: figures in, words out.

The bit error rate of a direction is estimated from its receiving end's counts. A repaired frame had one wrong bit; a
damaged one had more, on average as many as independent errors at that rate would leave (two at least). Where frames are
damaged and hardly any is repaired, errors are not single bits: bytes are lost, or come in bursts. The interval is that
of the count of bad frames (Poisson, 95 %; Wilson and Hilferty's approximation of Garwood's exact limits).

A yank cuts frames too: two bad ones in each direction are laid to each, and what came before the first connection
(another baud, the click of a plug) counts for nothing.

    word     bit error rate, the worse direction     the port vanished
    good     up to 1e-6                              never
    usable   up to 1e-5: full speed, but not clean   once
    worn     up to 5e-5: slower                      two to nine times
    bad      more                                    ten times or more

Less than 40 KB without an error say too little of a direction. Where that is so of both, the word is "usable" at best;
where nothing was carried it is "unknown".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WORDS = ("good", "usable", "worn", "bad")
UNKNOWN = "unknown"
RATES = (1e-6, 1e-5, 5e-5)  # the bit error rate up to which a wire is good, usable, worn
YANKS = (0, 1, 9)  # ... and how often its port may have vanished
TELLING_BYTES_MIN = 40_000  # without an error in so many bytes the rate is below 1e-5, with 95 % confidence
CUT_FRAMES = 2  # bad frames that a yank leaves in one direction
LOST_SHARE = 0.25  # fewer repaired frames than this share of what single bits would leave: bytes are lost
LATENCY_MS = 10.0  # an idle round trip of more than this is an adapter's timer (16 ms from the factory), not the wire
COUNT_MAX = 1 << 62  # a count that arithmetic still likes
SLOW_SHARE = 0.8  # a clean line that carries less than this of its rate waits for something

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """Bit errors of one direction: the rate, its 95 % interval, and whether they are `bits`, `bytes` or `none`."""

    carried: int
    events: int
    rate: float
    low: float
    high: float
    kind: str

    @property
    def place(self) -> int:
        """Its place among WORDS."""
        return sum(self.rate > limit for limit in RATES)

    @property
    def telling(self) -> bool:
        """Whether so much was carried, or so little was right, that it says something."""
        return self.events > 0 or self.carried >= TELLING_BYTES_MIN

    def words(self) -> str:
        if not self.events:
            return f"no error in {amount(self.carried)}, better than {rounded_up(self.high)}"
        if self.kind == "bytes":
            apart = amount(max(1, self.carried // self.events))
            return f"one damaged place in {apart}"
        return f"{self.rate:.1e} ({self.low:.1e} to {self.high:.1e}), about one bit in {round(1 / self.rate):,}"


@dataclass
class Verdict:
    """`word` is one of WORDS; `advice` is what to do, the most useful first."""

    word: str
    sentence: str
    advice: list[str] = field(default_factory=list)
    here: Estimate | None = None  # towards this end
    there: Estimate | None = None  # towards the other end


def count(figures: Figures, name: str) -> int:
    """A count that may be missing or nonsense: then 0."""
    value = figures.get(name, 0)
    return min(value, COUNT_MAX) if type(value) is int and value > 0 else 0


def estimate(carried: int, frames: int, repaired: int, damaged: int) -> Estimate:
    """`carried` bytes came as `frames` good frames, `repaired` among them, and `damaged` ones. Never raises."""
    carried, repaired, damaged = max(0, carried), max(0, repaired), max(0, damaged)
    bits = 8 * max(carried, 1)
    events = repaired + damaged
    clean = max(0, frames - repaired)
    # the mean number of wrong bits a frame, from the share of frames without any
    each = math.log((clean + events) / clean) if clean else math.log(events + 1) + 1
    lost = damaged > 2 and repaired < LOST_SHARE * (clean + events) * each * math.exp(-each)
    weight = 1.0 if lost else _bits_of_a_damaged_frame(each)
    errors = repaired + weight * damaged
    low, high = interval(events)
    scale = errors / events if events else 1.0
    kind = "none" if not events else "bytes" if lost else "bits"
    rate, least, most = (min(1.0, number / bits) for number in (errors, low * scale, high * scale))
    return Estimate(carried, events, rate, least, most, kind)


def _bits_of_a_damaged_frame(each: float) -> float:
    """The mean of a Poisson count of mean `each` that is known to be two or more."""
    if each < 0.01:
        return 2.0
    return each * (1 - math.exp(-each)) / (1 - math.exp(-each) * (1 + each))


def interval(events: int) -> tuple[float, float]:
    """The 95 % interval of the mean of a Poisson count; for 0 its one-sided upper limit, 3."""
    if events <= 0:
        return 0.0, 3.0
    n = float(events)
    low = n * (1 - 1 / (9 * n) - 1.96 / (3 * math.sqrt(n))) ** 3
    m = n + 1
    high = m * (1 - 1 / (9 * m) + 1.96 / (3 * math.sqrt(m))) ** 3
    return max(0.0, low), high


def judge(figures: Figures) -> Verdict:
    """The cable in words. Any figures will do, also none: what is not known is not judged."""
    here, there = directions(figures)
    known = [one for one in (here, there) if one is not None]
    yanks = count(figures, "hangups") + count(figures, "peer_hangups")
    if not known:
        verdict = Verdict(UNKNOWN, "Nothing was carried, so nothing is known of the wire.")
        _advise(verdict, figures, known, yanks, False)
        return verdict
    place = max(one.place for one in known)
    place = max(place, sum(yanks > limit for limit in YANKS))
    short = not any(one.telling for one in known)
    if short:
        place = max(place, 1)
    word = WORDS[place]
    verdict = Verdict(word, f"The wire is {word}: {_what(here, there, short)}.", here=here, there=there)
    _advise(verdict, figures, known, yanks, short)
    return verdict


def directions(figures: Figures) -> tuple[Estimate | None, Estimate | None]:
    """(towards this end, towards the other end); None where nothing is known of it."""
    cuts = count(figures, "hangups") + count(figures, "peer_hangups") + count(figures, "silences")
    found: list[Estimate | None] = []
    for who in ("", "peer_"):
        carried = count(figures, who + "bytes_received")
        if not carried:
            found.append(None)
            continue
        repaired, damaged = count(figures, who + "repaired"), count(figures, who + "damaged")
        # what a yank or the time before the first connection left behind is no fault of the conductor
        excused = CUT_FRAMES * cuts + count(figures, who + "damaged_before_up")
        forgiven = min(damaged, excused)
        repaired = max(0, repaired - min(excused - forgiven, count(figures, who + "damaged_before_up")))
        found.append(estimate(carried, count(figures, who + "frames"), repaired, damaged - forgiven))
    return found[0], found[1]


def will_do(word: str) -> bool:
    """Whether a wire of this word may stay."""
    return word in ("good", "usable")


def _what(here: Estimate | None, there: Estimate | None, short: bool) -> str:
    if here is None or there is None:
        one = here or there
        assert one is not None
        if not one.events:
            return f"clean, {one.words()}" + ("; too little to say more" if short else "")
        return f"{_errors(one)}: {one.words()}"
    if not here.events and not there.events:
        if here.telling != there.telling:
            one, where = (here, "towards this end") if here.telling else (there, "towards the other end")
            return f"clean {where}, {one.words()}; the other way too little was carried to say more"
        both = f"clean in both directions, no error in {amount(here.carried + there.carried)}"
        sure = f", better than {rounded_up(max(here.high, there.high))}"
        return both + sure + ("; too little to say more" if short else "")
    worse, where = (here, "towards this end") if here.rate >= there.rate else (there, "towards the other end")
    better = there if worse is here else here
    only = "only " if worse.low > 2 * better.high else "mostly " if worse.low > better.high else ""
    return f"{_errors(worse)} {only + where if only else 'in both directions'}: {worse.words()}"


def _errors(one: Estimate) -> str:
    return "bytes are lost" if one.kind == "bytes" else "bit errors"


def _advise(verdict: Verdict, figures: Figures, known: list[Estimate], yanks: int, short: bool) -> None:
    say = verdict.advice.append
    if yanks:
        times = "once" if yanks == 1 else f"{yanks} times"
        away = count(figures, "down_ms") + count(figures, "peer_down_ms")
        verdict.sentence += f" The port vanished {times} ({away / 1000:.1f} s in sum): check the plug."
        say("The plug: a port that vanishes has a loose plug, a worn socket or a supply that drops. Fix it in place.")
    silences = count(figures, "silences")
    if silences:
        verdict.sentence += f" The line fell silent {silences} time{'s' if silences > 1 else ''}."
        say("The line fell silent while the port stayed: a loose contact between the ends. Move both plugs and look.")
    if any(one.kind == "bytes" for one in known):
        say(
            "Bytes are lost or damaged in bursts: overrun, another baud or missing flow control. Try half the baud "
            "rate at both ends; if that is clean, an end does not keep up. If not, look for a motor or lamp nearby."
        )
    elif verdict.word != "good" and any(one.events for one in known):
        say("Clean the contacts, then try another cable, shorter or shielded. Until then a lower baud rate helps.")
    elif any(one.events for one in known):
        say("Damage is rare and repaired on the way: leave it, and measure again at the next visit.")
    if any(one.events for one in known) and "only " in verdict.sentence:
        mine = "towards this end" in verdict.sentence
        say(f"Look at one conductor: {'RX here, TX' if mine else 'TX here, RX'} at the other end, and the ground.")
    if short:
        say("Too few bytes to be sure: run `perch wire check` for ten seconds or more.")
    _advise_on_speed(say, figures, verdict)


def _advise_on_speed(say: Any, figures: Figures, verdict: Verdict) -> None:
    timer, idle = figures.get("latency_timer_ms"), figures.get("idle_round_trip_ms")
    slow_timer = type(timer) is int and timer > 2
    slow_trip = isinstance(idle, (int, float)) and math.isfinite(idle) and idle >= LATENCY_MS
    if slow_timer or slow_trip:
        name = str(figures.get("port", "/dev/ttyUSB0")).rpartition("/")[2]
        how = f"an idle round trip takes {idle:.0f} ms" if slow_trip else f"its latency timer is {timer} ms"
        say(
            f"An adapter holds bytes back ({how}; 16 ms is an FTDI's setting from the factory). "
            f"`setserial {figures.get('port', '/dev/ttyUSB0')} low_latency`, or write 1 to "
            f"/sys/class/tty/{name}/device/latency_timer, at both ends."
        )
    share = figures.get("goodput_of_line_rate")
    measured = figures.get("command") == "check" and not count(figures, "hangups")
    if measured and isinstance(share, (int, float)) and share < SLOW_SHARE and will_do(verdict.word):
        say(
            f"The wire is not what slows it: {share:.0%} of the line rate. An adapter or a computer does not keep up, "
            "or flow control holds it back."
        )


def amount(size: int) -> str:
    """Bytes for people, in tens."""
    for unit, word in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {word}"
    return f"{size} bytes"


def rounded_up(rate: float) -> str:
    """One digit of a rate, upwards: a bound stays a bound."""
    if rate <= 0 or rate >= 1:
        return "1"
    power = math.floor(math.log10(rate))
    digit = math.ceil(rate / 10**power - 1e-9)
    return f"{digit}e{power}" if digit < 10 else f"1e{power + 1}"
