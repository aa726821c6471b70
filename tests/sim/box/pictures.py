"""Makes the pictures of docs/simulator.md from a real run and a real sweep: python -m tests.sim.box.pictures"""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from sim.box import command
from sim.box.planning import make_plan
from sim.box.running import run_plan
from sim.box.scenario import Scenario
from sim.box.values import moment_ms
from sim.box.watch import Pace, Stopped
from sim.box.watch_view import Looks, draw
from sim.box.world import World
from sim.browser import chromium
from tests.hub_daemon.wire_picture import FORMAT

SCENARIO = Path(__file__).with_name("pictures.toml")
FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"
WATCHED = "day 2 12:01"
WIDTH, HEIGHT, NARROW = 1180, 1270, 400


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        assert command.main(["run", str(SCENARIO), "--out", str(out / "run")]) in (command.OK, command.MISSED)
        command.main(["sweep", str(SCENARIO), "--out", str(out / "sweep")])
        (FOLDER / "sim-sweep.svg").write_bytes((out / "sweep" / "sweep.svg").read_bytes())
        (FOLDER / "sim-watch.svg").write_text(stripped(watch_picture()), encoding="utf-8")
        with chromium() as browser:
            for file, width, scheme in (("sim-report.png", WIDTH, "light"), ("sim-report-dark.png", NARROW, "dark")):
                context = browser.new_context(viewport={"width": width, "height": HEIGHT})
                page = context.new_page()
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                page.goto((out / "run" / "report.html").as_uri())
                page.screenshot(path=FOLDER / file)
                context.close()


def stripped(text: str) -> str:
    return "".join(row.rstrip() + "\n" for row in text.splitlines())


def watch_picture() -> str:
    """What `perch sim watch` shows at one moment, as SVG."""
    plan = make_plan(Scenario.load(SCENARIO), "1")
    screen = Console(width=92, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    pace = Pace(0, moment_ms(WATCHED))

    def before(world: World) -> None:
        looks = Looks(world)

        def look() -> None:
            if world.docks.seated and len(world.docks.line) > 1:
                screen.print(draw(looks, 600, False))
                raise Stopped

        pace.step_ms = lambda hurries: 500  # type: ignore[method-assign]
        pace.watch(world, look, lambda seconds: "")

    with suppress(Stopped):
        run_plan(plan, before)
    made = screen.export_svg(title="perch sim watch", code_format=FORMAT, unique_id="watch")
    return made.replace("perch wire check: the live view", "perch sim watch: the live view")


if __name__ == "__main__":
    main()
