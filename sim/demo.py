"""`perch demo`: a wing on this machine: the hub, the staff page, and two learners' devices on their docks."""

import argparse
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sim.auto import Travelled, play
from sim.browser import chromium
from sim.enrolling import enrol
from sim.landing import Landing, Place
from sim.processes import free_port
from sim.stages import StageFailed, Stages
from sim.wing import Learner, ProcessWing

LANDING_PORT = 8710
PIPE_COLUMNS = 140


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="perch demo", description=__doc__)
    made.add_argument("--auto", action="store_true", help="play one message from cell to cell, then stop")
    made.add_argument("--video", type=Path, metavar="FILE", help="with --auto: send this file")
    made.add_argument("--data", type=Path, metavar="DIR", help="keep everything here, after the end too")
    made.add_argument("--baud", type=int, default=3_000_000, help="rate of the simulated wires (default 3000000)")
    return made


def main(argv: list[str]) -> int:
    given = parser().parse_args(argv)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_COLUMNS)  # the table in a file or a pipe
    if given.video and not given.video.is_file():
        console.print(f"[red]There is no file {given.video}.[/] Give --video the path of a WebM or MP4 file.")
        return 2
    if given.data and given.data.exists() and any(given.data.iterdir()):
        console.print(f"[red]{given.data} is not empty.[/] The demonstration starts a new wing: give it a new folder.")
        return 2
    data = given.data or Path(tempfile.mkdtemp(prefix="perch-demo-"))
    data.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stages, wing = Stages(console), ProcessWing(data, baud=given.baud)
    try:
        with stages.stage("the wing is made: accounts, roster, learners, one group"):
            wing.provision()
        with stages.stage("the hub, its broker and two devices start"):
            wing.start()
        if given.auto:
            with chromium() as browser:
                travelled = play(wing, browser, stages, given.video)
            console.print(table_of(travelled))
        else:
            stay(wing, stages)
        return 0
    except StageFailed as failed:
        console.print("\n[bold red]The demonstration failed.[/]", escape(str(failed)), highlight=False)
        console.print(f"The logs are in {data / 'log'}.")
        given.data = data  # they are needed now
        return 1
    finally:
        wing.close()
        if not given.data:
            shutil.rmtree(data, ignore_errors=True)


def stay(wing: ProcessWing, stages: Stages) -> None:
    """Enrol both devices, say where to look, and go on until interrupted."""
    for learner in wing.learners:
        with stages.stage(f"{learner.name}'s device is enrolled: six digits, two administrators"):
            enrol(wing, learner)
    landing = Landing([place_of(wing, learner) for learner in wing.learners], wing.staff_page, free_port(LANDING_PORT))
    try:
        stages.console.print(where_to_look(wing, landing))
        stages.console.print("Ctrl-C ends it.")
        threading.Event().wait()
    except KeyboardInterrupt:
        stages.console.print("\nThe wing is taken down.")
    finally:
        landing.close()


def place_of(wing: ProcessWing, learner: Learner) -> Place:
    return Place(
        learner.bay, learner.name, learner.page,
        seated=lambda: learner.seated, seat=lambda: wing.seat(learner), lift=lambda: wing.lift(learner),
    )  # fmt: skip


def where_to_look(wing: ProcessWing, landing: Landing) -> Table:
    table = Table(title="A wing is running on this machine", show_header=False, title_justify="left")
    for learner in wing.learners:
        table.add_row(f"{learner.name}'s device", learner.page)
    table.add_row("The docks: plug in and lift", landing.url)
    table.add_row("The staff page", wing.staff_page)
    for account in wing.accounts:
        table.add_row(f"  {account.person} ({', '.join(account.roles)})", account.pass_phrase)
    table.add_row("", "These pass phrases were made for this run and are shown once.")
    return table


def table_of(travelled: list[Travelled]) -> Table:
    """What travelled: item, digest, bytes, and the seconds at each stage."""
    table = Table(title="What travelled", title_justify="left")
    steps = [("docked", "custody"), ("custody", "approved"), ("approved", "delivered"), ("delivered", "seen")]
    heads = ["item", "rendition", "digest: held = signed", "bytes up", "bytes down"]
    for name in heads + [f"{end} s" for _, end in steps]:
        table.add_column(name, justify="right" if name.endswith((" s", "up", "down")) else "left", overflow="fold")
    for mail in travelled:
        seconds = [f"{mail.at[end] - mail.at[begin]:.1f}" for begin, end in steps]
        for number, (role, digest) in enumerate(sorted(mail.digests.items(), reverse=True)):
            shown = [f"{mail.what} {mail.item.hex()[:8]}", role, digest.hex()[:16]]
            more = [str(mail.bytes_up), str(mail.bytes_down), *seconds] if number == 0 else [""] * 6
            table.add_row(*shown, *more)
    return table
