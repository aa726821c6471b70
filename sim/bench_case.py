"""What `make bench` measures on the wire: the cases, their limits, and how long each run may take."""

from dataclasses import asdict, dataclass
from typing import Any

PERCH, PULL, ZMODEM, RNS = "Perch", "Perch + MQTT + blob", "ZMODEM", "Reticulum"
MEMORY = "Perch in memory"
PROGRAMS = (PERCH, PULL, ZMODEM, RNS)
PEERS = (ZMODEM, RNS)
BAUDS = (3_000_000, 921_600, 115_200)
# bit error rate -> the least share of the line rate that Perch must reach, at every baud rate
LEAST_SHARE = {0.0: 0.975, 1e-6: 0.975, 1e-5: 0.96, 1e-4: 0.75}
PULL_COSTS = 0.01  # MQTT and pulling by blob may cost this much more of the line
UNTHROTTLED_MB_S = 10.0
# A hundred yanks, each of a fifth of a second: nobody pulls and plugs a cable faster. What a shorter one costs is
# measured too, without a limit.
YANKS, YANK_S, YANK_BYTES_RATIO, YANK_MS = 100, 0.2, 1.03, 30.0
RUNS = 3
KIB, MIB = 1 << 10, 1 << 20
# At 115200 a MiB takes 91 s; a peer's start weighs little even in less of it
PERCH_BYTES = {3_000_000: MIB, 921_600: MIB, 115_200: 512 * KIB}
ZMODEM_BYTES = {3_000_000: MIB, 921_600: MIB, 115_200: 256 * KIB}
RNS_BYTES = {3_000_000: 256 * KIB, 921_600: 256 * KIB, 115_200: 256 * KIB}
PULL_BYTES = {3_000_000: MIB, 921_600: MIB, 115_200: 384 * KIB}
SIZES = {PERCH: PERCH_BYTES, PULL: PULL_BYTES, ZMODEM: ZMODEM_BYTES, RNS: RNS_BYTES}
WAIT_S = 120.0
PEER_WAIT_S = {3_000_000: 30.0, 921_600: 60.0, 115_200: 90.0}  # 9, 5 and 4 times what the line needs for ZMODEM's file
PEER_CUTS_WAIT_S = 40.0  # the line and the cuts take 8 s


def rate(ber: float) -> str:
    """A bit error rate as people write it: 0, 1e-6."""
    return f"{ber:.0e}".replace("e-0", "e-") if ber else "0"


@dataclass(frozen=True)
class Case:
    """One program on one wire. `kind`: "errors", "lifts", "hang-ups" or "unthrottled"."""

    kind: str
    program: str
    baud: int  # 0: no throttle
    size: int  # payload bytes
    ber: float = 0.0  # bit error rate
    cuts: int = 0
    down_s: float = 0.0  # how long each of them lasts
    runs: int = RUNS
    wait_s: float = 60.0  # what has not finished then is "not finished"

    def key(self) -> dict[str, Any]:
        """What makes two runs comparable, as it stands in the results."""
        return {name: value for name, value in asdict(self).items() if name not in ("runs", "wait_s")}

    def words(self) -> str:
        wire = f"{self.baud:,} baud" if self.baud else "no throttle"
        damage = f", bit errors {rate(self.ber)}" if self.ber else ""
        cuts = f", {self.cuts} {self.kind} of {self.down_s * 1000:.0f} ms" if self.cuts else ""
        return f"{self.program}, {wire}, {self.size >> 10} KiB{damage}{cuts}"


def full() -> list[Case]:
    """Every case, what matters most first."""
    cases = []
    for baud in BAUDS:
        for ber in LEAST_SHARE:
            for program in (PERCH, PULL, ZMODEM, RNS):
                wait_s = PEER_WAIT_S[baud] if program in PEERS else WAIT_S
                cases.append(Case("errors", program, baud, SIZES[program][baud], ber, wait_s=wait_s))
    fast = BAUDS[0]
    cases += [Case("hang-ups", PERCH, fast, MIB, cuts=YANKS, down_s=down_s) for down_s in (YANK_S, 0.05)]
    for kind in ("hang-ups", "lifts"):
        for program in (PERCH, ZMODEM, RNS):
            runs, wait_s = (1, PEER_CUTS_WAIT_S) if program in PEERS else (RUNS, WAIT_S)
            size = SIZES[program][fast]
            cases.append(Case(kind, program, fast, size, cuts=20, down_s=YANK_S, runs=runs, wait_s=wait_s))
    cases += [Case("unthrottled", program, 0, 16 * MIB) for program in (MEMORY, PERCH, ZMODEM)]
    return cases


def quick() -> list[Case]:
    """About a minute: each program and each kind of wire once, in little."""
    fast, slow, half = BAUDS[0], BAUDS[-1], 512 * KIB
    cases = [Case("errors", program, fast, half, ber, runs=1) for ber in (0.0, 1e-5) for program in (PERCH, PULL)]
    cases += [Case("errors", ZMODEM, fast, half, ber, runs=1, wait_s=15) for ber in (0.0, 1e-5)]
    cases.append(Case("errors", RNS, fast, 64 * KIB, runs=1, wait_s=15))
    cases += [Case("errors", program, slow, 64 * KIB, runs=1) for program in (PERCH, ZMODEM)]
    cases.append(Case("hang-ups", PERCH, fast, half, cuts=20, down_s=0.05, runs=1, wait_s=20))
    cases.append(Case("lifts", PERCH, fast, half, cuts=5, down_s=0.05, runs=1, wait_s=20))
    cases += [Case("unthrottled", program, 0, 4 * MIB, runs=1) for program in (MEMORY, PERCH, ZMODEM)]
    return cases
