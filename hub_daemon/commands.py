"""`perch enrol`: an enrolment from the terminal: window, digits, two administrators. The bay does the rest.

    perch enrol --data DIR --bay bay1 --learner ann [--minutes 10] [--first PERSON] [--second PERSON]
                [--pass-phrase-stdin] [--json]

With --pass-phrase-stdin, standard input is read line by line: the first administrator's pass phrase, then "yes" when
the digits agree, then the second administrator's pass phrase. With --json every step is one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from hub_daemon.enrolment import Enrolment, EnrolmentRefused, SamePerson, Window
from hub_daemon.keys import load_or_make
from hub_daemon.limits import WINDOW_MINUTES
from hub_daemon.people import People, Signer
from hub_daemon.staff_commands import Asker
from hub_daemon.store import Store
from hub_daemon.wing import Wing
from protocol.errors import Refusal

POLL_S = 0.2


class Steps:
    """What the person at the terminal sees: words, or one JSON object a line."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._waiting = False

    def say(self, event: str, words: str, **values: Any) -> None:
        self.done_waiting()
        print(json.dumps({"event": event, **values}) if self.as_json else words, flush=True)

    def wait(self, words: str) -> None:
        """A line that is rewritten while we wait, on a terminal only."""
        if not self.as_json and sys.stdout.isatty():
            print(f"\r\033[K{words}", end="", flush=True)
            self._waiting = True

    def done_waiting(self) -> None:
        if self._waiting:
            print("\r\033[K", end="", flush=True)
            self._waiting = False


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _wait(enrolment: Enrolment, number: int, states: tuple[str, ...], steps: Steps, words: str) -> Window:
    """Follow an enrolment until it is in one of `states`; raises EnrolmentRefused when it ended otherwise."""
    while True:
        window = enrolment.get(number)
        if window.state in states:
            steps.done_waiting()
            return window
        if window.state in ("refused", "expired", "done"):
            raise EnrolmentRefused(f"the enrolment on {window.bay} is {window.state}")
        left = max(0, (window.expires_ms - now_ms()) // 1000)
        shown = f", digits {window.digits}" if window.digits else ""
        steps.wait(f"{words}{shown} ({left // 60}:{left % 60:02d} left)")
        time.sleep(POLL_S)


def _signer(people: People, person: str | None, which: str, asker: Asker) -> Signer:
    if person is None:
        person = input(f"{which} administrator (account name): ").strip()
    return people.unlock(person, asker.ask(f"Pass phrase of {person}"))


def enrol(argv: list[str]) -> int:
    """Run one enrolment; 0 when the device has committed its certificate."""
    parser = argparse.ArgumentParser(prog="perch enrol", description="Enrol the device that docks next on a bay.")
    parser.add_argument("--data", type=Path, default=Path("/var/lib/perch"), metavar="DIR", help="the hub's data")
    parser.add_argument("--bay", required=True, help="the bay, as the hub names it; ethernet for TCP")
    parser.add_argument("--learner", required=True, help="who will hold the device")
    parser.add_argument("--minutes", type=int, default=WINDOW_MINUTES, help="how long the window stays open")
    parser.add_argument("--first", metavar="PERSON", help="the administrator who compares the digits")
    parser.add_argument("--second", metavar="PERSON", help="the one who countersigns")
    parser.add_argument("--pass-phrase-stdin", action="store_true", help="read answers from standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args(argv)
    steps = Steps(given.json)
    if given.pass_phrase_stdin and (given.first is None or given.second is None):
        parser.error("--pass-phrase-stdin needs --first and --second")
    if not (given.data / "hub.sqlite3").exists():
        print(f"perch enrol: there is no hub in {given.data}: start perch hub once, or give --data", file=sys.stderr)
        return 1
    store: Store | None = None
    try:
        store = Store(given.data / "hub.sqlite3")
        return _enrol(given, store, steps)
    except (Refusal, EOFError) as refusal:
        name = type(refusal).__name__
        steps.say("refused", f"perch enrol: {name}: {refusal}", refusal=name, why=str(refusal))
        return 1
    finally:
        if store is not None:
            store.close()


def _enrol(given: argparse.Namespace, store: Store, steps: Steps) -> int:
    people = People(store, now_ms)
    roster = people.roster()
    keys = load_or_make(given.data / "keys")
    enrolment = Enrolment(store, Wing(store, keys, roster.wing), keys, now_ms)
    asker = Asker(given.pass_phrase_stdin)
    first = _signer(people, given.first, "First", asker)
    number = enrolment.open_window(given.bay, given.learner, first.person, given.minutes)
    try:
        words = f"The window on {given.bay} is open for {given.minutes} minutes. Dock the new device there."
        steps.say("open", words, enrolment=number, bay=given.bay, learner=given.learner)
        window = _wait(enrolment, number, ("digits",), steps, "Waiting for the device")
        _agree(enrolment, window, steps, asker, given.pass_phrase_stdin)
        enrolment.confirm(number, first)
        steps.say("confirmed", f"{first.person} confirmed. A second administrator must sign.", person=first.person)
        if given.second == first.person:
            raise SamePerson("the second administrator must be another person")
        second = _signer(people, given.second, "Second", asker)
        enrolment.countersign(number, second)
    except (Refusal, EOFError, KeyboardInterrupt):
        _give_up(enrolment, number, first.person)
        raise
    words = f"{second.person} signed. The device takes its certificate once somebody there pressed 'They are the same'."
    steps.say("granted", words, person=second.person)
    window = _wait(enrolment, number, ("done",), steps, "Waiting for the person at the device")
    steps.say(
        "done", f"Device {window.device_hex} is {given.learner}'s.", device=window.device_hex, learner=given.learner
    )
    return 0


def _agree(enrolment: Enrolment, window: Window, steps: Steps, asker: Asker, stdin: bool) -> None:
    """A person compares the digits; raises EnrolmentRefused unless they agree."""
    digits = window.digits or ""
    shown = f"{digits[:3]} {digits[3:]}"
    words = f"The device shows six digits. Here they are {shown} (model {window.model})."
    steps.say("digits", words, digits=digits, device=window.device_hex, model=window.model)
    if stdin:
        answer = asker.ask("whether the digits agree")
    else:
        answer = input("Are they the same on the device? yes/no: ")
    if answer.strip().lower() not in ("yes", "y"):
        raise EnrolmentRefused("the digits do not agree: nothing was enrolled. Somebody may be on the wire")


def _give_up(enrolment: Enrolment, number: int, person: str) -> None:
    try:
        enrolment.refuse(number, person)
    except EnrolmentRefused:
        return  # it is over already
