"""Machine instructions of what a device does, counted by callgrind and so the same in every run on every machine.

    python -m sim.bench_instructions [--record]

They are those of the unix port on x86-64, which are not a board's; but what makes one grow makes a board slower. They
are exact for the same sources; a change elsewhere moves the small ones by up to 3 %, since MicroPython finds names by
their numbers, and a new name moves those.
`instructions.json` keeps the last counts that were recorded, and the interpreter they are of.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("instructions.json")
GROWTH_MAX = 1.1  # more than the recorded count times this is told as a miss


def counted() -> dict[str, int]:
    """{act: instructions}, without those of the marks."""
    counting = importlib.import_module("tests.kits.counting")
    script = "from tests.kits import measured_acts\nmeasured_acts.main(mark)\n"
    names, counts = counting.named_counts(script)
    nothing = counts[names.index("nothing")]
    return {name: count - nothing for name, count in zip(names, counts, strict=True) if name != "nothing"}


def rows(quick: bool) -> list[dict[str, Any]]:
    """One row an act, beside what was recorded; nothing is timed, so a quick run is the same as any."""
    del quick
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    version = importlib.import_module("tests.kits.counting").version()
    same = kept["micropython"] == version
    found = []
    for act, count in counted().items():
        before = kept["instructions"].get(act) if same else None
        row: dict[str, Any] = {"act": act, "instructions": count, "recorded": before}
        if before is not None:
            row |= {"change %": round(100 * (count / before - 1), 2), "holds": count <= before * GROWTH_MAX}
        found.append(row)
    return found


def main(argv: "list[str] | None" = None) -> int:
    made = argparse.ArgumentParser(prog="python -m sim.bench_instructions", description=__doc__)
    made.add_argument("--record", action="store_true", help="keep these counts as the ones to compare with")
    given = made.parse_args(argv)
    if given.record:
        version = importlib.import_module("tests.kits.counting").version()
        text = json.dumps({"micropython": version, "instructions": counted()}, indent=1)
        KEPT.write_text(text + "\n", encoding="utf-8")
        print(text)
        return 0
    for row in rows(False):
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
