"""Makes the picture of docs/operator.md from a real run: python -m tests.hub_daemon.wire_picture

A check over a simulated 3 Mbaud cable with a worn conductor: bit errors, and one hang-up.
"""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

from rich.console import Console

from hub_daemon import wire_runs
from hub_daemon.wire_report import Reporter
from hub_daemon.wire_serial import Port
from hub_daemon.wire_view import draw
from sim.wire import PtyWire

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "pictures" / "operator-wire.svg"
SECONDS = 12
# rich's own frame names a font on a server; ours names none
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>perch wire check: the live view</title>
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">
{matrix}
</g></g>
</svg>
"""


def picture() -> str:
    """The live view as SVG, ten seconds into the check."""
    screen = Console(width=80, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    options = wire_runs.Options(ms=SECONDS * 1000)
    with PtyWire(3_000_000, ber=8e-6, process=True) as wire:
        runs = []
        for path in (wire.a_path, wire.b_path):
            port = Port(path, 3_000_000)
            port.open()
            quiet = Console(file=io.StringIO())
            runs.append(wire_runs.CheckWire(port, options, quiet, Reporter(quiet, io.StringIO(), as_json=True)))
        threads = [threading.Thread(target=run.run) for run in runs]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 2)
        wire.hangup("b", 0.4)
        time.sleep(SECONDS / 2 - 1)
        state = runs[0].state(runs[0].end.now() / 1000)
        for thread in threads:
            thread.join()
    state.title = state.title.replace(runs[0].port.path, "/dev/ttyUSB0")
    screen.print(draw(state))
    return screen.export_svg(title="perch wire", code_format=FORMAT, unique_id="wire")


if __name__ == "__main__":
    FILE.write_text("\n".join(row.rstrip() for row in picture().splitlines()) + "\n", encoding="utf-8")
    print(FILE.relative_to(ROOT))
