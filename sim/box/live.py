"""`perch sim live`: real processes, real wires between ptys, real kills; the same rules, and no promise to repeat.

The events of a plan are done one after the other, as fast as they go, until the time is over: learners by the pages of
their devices, staff through the hub's rooms, faults as live_faults.py can do them. Then everything is healed, goes on
until all has arrived, and is stopped; live_judging.py looks at the files. What was done is written down, and as a plan
of the same events, which the wing in one process can try: there it is the same each time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from hub_daemon.blobs import BlobStore
from hub_daemon.keys import load_or_make
from hub_daemon.moderation import Moderation
from hub_daemon.people import People, Signer
from hub_daemon.store import Store
from protocol.errors import Refusal
from sim import recordings
from sim.box.catalogue import CATALOGUE
from sim.box.command import BROKEN, FAILED, OK, Parser
from sim.box.learners import text_of
from sim.box.live_faults import BEFORE, MS_MAX, WITHIN, Later
from sim.box.live_judging import Failure, Judging
from sim.box.plan import Event, Plan
from sim.box.planning import make_plan
from sim.box.scenario import Scenario
from sim.box.staff import REASON
from sim.box.streams import stream
from sim.enrolling import enrol
from sim.learner_page import page_text, save_post, save_video, settled, status
from sim.stages import StageFailed, Stages
from sim.wing import Learner, ProcessWing, now_ms

LEARNERS_MAX = 6
DOCK_S_MAX = 20.0  # then the learner lifts the device, whatever the page says
SETTLE_S_MAX = 120.0
NOTICE_S = 3.0  # until a device has noticed that it was lifted
GROUP, GROUP_OF_PLAN = "writing", "g00"
DECISIONS_MAX = 200  # of one person in one go
LATER_S = (0.05, 1.2)  # after the device was seated, a fault begins
MINUTES_MAX = 600.0
DONE = "done"  # how the account of something that was done begins


@dataclass
class Outcome:
    """How it ended. `did` is what was done, in order; `plan` has the same events for the wing in one process."""

    plan: Plan
    did: list[dict[str, Any]]
    failures: list[Failure] = field(default_factory=list)

    def done(self, do: str) -> int:
        """How often this was done."""
        return sum(one["do"] == do and one["how"].startswith(DONE) for one in self.did)


class Live:
    """One run of `plan` in `directory`. `run` is all there is; it leaves no process behind."""

    def __init__(self, plan: Plan, directory: Path, seconds: float, stages: Stages) -> None:
        self.plan = plan
        self.wing = ProcessWing(
            directory / "wing", tuple((one, f"Learner {one}") for one in plan.wing.learners), plan.wing.baud
        )
        self.did: list[dict[str, Any]] = []
        self.failures: list[Failure] = []
        self.saved: dict[bytes, str] = {}  # item -> event, of what a page said was saved
        self._stages = stages
        self._seconds = seconds
        self._began = time.monotonic()
        self._of = {learner.id: learner for learner in self.wing.learners}
        self._waiting: dict[str, list[Event]] = {}  # faults, by docking or learner; "" for the next docking of anybody
        self.later = Later(lambda words: self.failures.append(("live", words)))
        self._video = b""
        self._acts = {
            "write": self._write, "record": self._record, "dock": self._dock, "read": self._read, "shift": self._shift
        }  # fmt: skip

    def run(self) -> Outcome:
        """Raises StageFailed where the wing itself could not be had."""
        stage = self._stages.stage
        try:
            with stage(f"a wing of {len(self._of)} learners starts: hub, broker, devices"):
                self.wing.provision()
                self.wing.start()
            for learner in self.wing.learners:
                with stage(f"the device of {learner.id} is enrolled"):
                    enrol(self.wing, learner)
                    self._lift(learner)
            with stage("learners write and dock, staff decide, things break"):
                self._days()
            with stage("everything heals"):
                self.heal()
            with stage("everything that should arrive arrives"):
                self._settle()
        finally:
            self._stop()
        with stage("what hub and devices have stored is judged"):
            self._judge()
        done = {one["event"] for one in self.did if one["how"].startswith(DONE)}
        events = tuple(event for event in self.plan.events if event.id in done)
        return Outcome(replace(self.plan, events=events), self.did, self.failures)

    # the days

    def _days(self) -> None:
        end = time.monotonic() + self._seconds
        for event in self.plan.events:
            if time.monotonic() > end:
                return
            if event.do in CATALOGUE:
                self._arm(event)
            elif event.do in self._acts:
                try:
                    how = self._acts[event.do](event)
                except (OSError, ValueError, KeyError, TimeoutError) as error:
                    how = f"not done: {type(error).__name__}: {error}"  # no power, or a page that does not answer
                self._note(event, how)

    def _note(self, event: Event, how: str) -> None:
        at = round(time.monotonic() - self._began, 3)
        self.did.append(
            {"at_s": at, "event": event.id, "do": event.do, "who": event.who, "args": dict(event.args), "how": how}
        )

    def _write(self, event: Event) -> str:
        text = text_of(self.plan.seed, event.id, int(event.args["bytes"]))
        self.saved[bytes.fromhex(save_post(self._of[event.who], text, GROUP))] = event.id
        return DONE

    def _record(self, event: Event) -> str:
        self._video = self._video or recordings.make(seconds=1.0, size=(160, 120))
        self.saved[bytes.fromhex(save_video(self._of[event.who], self._video))] = event.id
        return DONE

    def _read(self, event: Event) -> str:
        """Open every thread of the group."""
        learner = self._of[event.who]
        for part in page_text(learner, f"/group/{GROUP}").split('"/thread/')[1:]:
            page_text(learner, "/thread/" + part[:64])
        return DONE

    def _shift(self, event: Event) -> str:
        return f"{DONE}, {self._decide()} decisions"

    # docking

    def _arm(self, event: Event) -> None:
        if event.do not in BEFORE and event.do not in WITHIN:
            self._note(event, "left out: it cannot be done to real processes here")
            return
        target = CATALOGUE[event.do].target
        self._waiting.setdefault(event.who if target in ("docking", "device") else "", []).append(event)

    def _dock(self, event: Event) -> str:
        learner = self._of[event.who]
        faults = [fault for who in (event.id, event.who, "") for fault in self._waiting.pop(who, ())]
        draw = stream(self.plan.seed, event.id, "live")
        for fault in faults:
            if fault.do in BEFORE:
                BEFORE[fault.do](self, learner, fault)
                self._note(fault, DONE)
        self.wing.seat(learner)
        for fault in faults:
            if fault.do in WITHIN:
                self.later.after(draw.uniform(*LATER_S), self._beginning(learner, fault))
        if faults:
            time.sleep(LATER_S[1])
        how = self._until_settled(learner)
        self._lift(learner, bool(faults))
        return how

    def _beginning(self, learner: Learner, fault: Event) -> Callable[[], None]:
        def begin() -> None:
            WITHIN[fault.do](self, learner, fault)
            self._note(fault, DONE)

        return begin

    def _until_settled(self, learner: Learner) -> str:
        end = time.monotonic() + DOCK_S_MAX
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if settled(learner):
                    return DONE
            time.sleep(0.1)
        return f"{DONE}, and gave up"

    def _lift(self, learner: Learner, again: bool = False) -> None:
        """Back to the cell. A wire that was yanked comes back by itself a little later: then once more."""
        self.wing.lift(learner)
        if again:
            learner.wire.disturb()
            time.sleep(MS_MAX / 1000)
            self.wing.lift(learner)
        end = time.monotonic() + NOTICE_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if status(learner)["state"] != "settled":
                    return
            time.sleep(0.1)

    # faults

    def disturb(self, learner: Learner, **rates: float) -> None:
        """Another wire, until the device is lifted."""
        learner.wire.disturb(len(self.did) + 1, **rates)

    def device_on(self, learner: Learner) -> None:
        if learner.device is None or not learner.device.alive:
            self.wing.start_device(learner)

    def hub_on(self) -> None:
        if self.wing.hub is None or not self.wing.hub.alive:
            self.wing.start_hub()

    def heal(self) -> None:
        """No fault is on any more, and everything runs."""
        self._waiting.clear()
        self.later.now()
        for learner in self.wing.learners:
            learner.wire.disturb()
            self.wing.lift(learner)
            self.device_on(learner)
        self.hub_on()

    # staff

    def _decide(self) -> int:
        """Both moderators work the queue until nothing is dealt to them; how many decisions that were."""
        store = Store(self.wing.hub_data / "hub.sqlite3")
        try:
            staff = People(store, now_ms)
            blobs = BlobStore(self.wing.hub_data / "blobs")
            moderation = Moderation(store, staff.roster, blobs, now_ms, lambda *about: None)
            accounts = [self.wing.account("moderator", number) for number in (0, 1)]
            return sum(
                self._decide_as(moderation, one.person, staff.unlock(one.person, one.pass_phrase)) for one in accounts
            )
        finally:
            store.close()

    def _decide_as(self, moderation: Moderation, person: str, signer: Signer) -> int:
        for count in range(DECISIONS_MAX):
            item = moderation.deal(person)
            if item is None:
                return count
            view = moderation.view(person, item)
            for rendition in view.renditions:
                if rendition.body is None:
                    moderation.open_media(person, item, rendition.role)
            version = view.item.version
            try:
                if self._verdict(item) == "approve":
                    moderation.approve(person, item, version, signer, view.seen)
                else:
                    moderation.return_(person, item, version, signer, REASON, "Please say it another way.")
            except Refusal as refusal:  # somebody else was at it, as on the page
                self.did.append({"at_s": 0, "do": "decide", "who": person, "event": "", "how": refusal.name})
        return DECISIONS_MAX

    def _verdict(self, item: bytes) -> str:
        drawn = stream(self.plan.seed, "decision", self._name(item)).random()
        return "approve" if drawn < self.plan.wing.approve_p else "return"

    def _name(self, item: bytes) -> str:
        return self.saved.get(item, item.hex()[:16])

    # the end

    def _settle(self) -> None:
        end = time.monotonic() + SETTLE_S_MAX
        pending = "nothing was looked at"
        while time.monotonic() < end:
            for learner in self.wing.learners:
                self.wing.seat(learner)
                self._until_settled(learner)
                self._lift(learner)
            self._decide()
            if not (pending := self._pending()):
                return
        self.failures.append(("L1", pending))

    def _pending(self) -> str:
        """What has not arrived yet, in words."""
        store = Store(self.wing.hub_data / "hub.sqlite3")
        try:
            with store.read() as tx:
                rows = tx.execute("SELECT id, state, author_learner FROM items WHERE parent IS NULL").fetchall()
        finally:
            store.close()
        known = {bytes(row[0]): (row[1], row[2]) for row in rows}
        for item, event in self.saved.items():
            if item not in known:
                return f"{event} is not at the hub"
        pages = {one.id: page_text(one, f"/group/{GROUP}") for one in self.wing.learners}
        for item, (state, author) in known.items():
            if state in ("ingested", "pending", "claimed", "awaiting_second"):
                return f"{self._name(item)} is {state}"
            for learner, page in pages.items():
                if state in ("approved", "delivered") and learner != author and f"/thread/{item.hex()}" not in page:
                    return f"{self._name(item)} is not shown to {learner}"
        return ""

    def _stop(self) -> None:
        self.later.now(all_of_them=False)
        self.wing.close()

    def _judge(self) -> None:
        keys = load_or_make(self.wing.hub_data / "keys")
        judging = Judging(self.wing.wing, self.wing.hub_data, keys.x25519, self._name)
        tried = [f"[{event.id}]" for event in self.plan.events if event.do == "write"]
        judging.saved(self.saved, lambda text: text == "a figure" or any(text.startswith(one) for one in tried))
        for learner in self.wing.learners:
            judging.device(learner.id, learner.data, now_ms() // 1000)
        self.failures += judging.failures


def live_plan(scenario: Scenario, seed: str, learners: int) -> Plan:
    """The scenario's plan for so many learners in one group, with new threads only, and nobody hostile."""
    plan = make_plan(scenario.variant({"wing.learners": learners, "wing.groups": 1}), seed)
    wing = replace(plan.wing, groups={GROUP_OF_PLAN: plan.wing.learners}, attackers={}, arriving=())
    known = ("write", "record", "dock", "read", "shift", *CATALOGUE)
    events = [event for event in plan.events if event.do in known]
    return replace(plan, wing=wing, events=tuple(_alone(event) for event in events))


def _alone(event: Event) -> Event:
    return replace(event, args={**event.args, "reply": False}) if "reply" in event.args else event


def command(arguments: list[str]) -> int:
    """`perch sim live [SCENARIO] --minutes M --seed N`."""
    parser = Parser("live")
    parser.add_argument("scenario", nargs="?", default="storm", help="whose days and faults are taken (default storm)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of days; starting and settling come on top")
    parser.add_argument("--seed", default="1", help="chooses the days and the faults; it does not repeat the run")
    parser.add_argument("--learners", type=int, default=2, help=f"2 to {LEARNERS_MAX}, each a device (default 2)")
    parser.add_argument("--out", help="where the run's files go (default build/sim/live-SCENARIO-SEED)")
    options = parser.parse_args(arguments)
    if not 2 <= options.learners <= LEARNERS_MAX or not 0 < options.minutes <= MINUTES_MAX:
        parser.error(f"--learners is 2 to {LEARNERS_MAX}, --minutes above 0 and at most {MINUTES_MAX:.0f}")
    plan = live_plan(Scenario.load(options.scenario), options.seed, options.learners)
    directory = Path(options.out or f"build/sim/live-{plan.scenario}-{plan.seed}")
    shutil.rmtree(directory / "wing", ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(BROKEN))  # whatever was started ends with this process
    try:
        outcome = Live(plan, directory, options.minutes * 60, Stages(console)).run()
    except StageFailed as failed:
        print(f"perch sim live: {failed}; the logs are in {directory / 'wing' / 'log'}", file=sys.stderr)
        return BROKEN
    return told(outcome, directory)


def told(outcome: Outcome, directory: Path) -> int:
    """Write it down and say it; the exit code."""
    (directory / "live.json").write_text(
        json.dumps({"did": outcome.did, "failures": outcome.failures}, indent=1) + "\n", encoding="utf-8"
    )
    (directory / "plan.toml").write_text(outcome.plan.dumps(), encoding="utf-8")
    count = sum(outcome.done(do) for do in CATALOGUE)
    print(f"{len(outcome.did)} things were tried; {count} faults were done. All of it is in {directory / 'live.json'}.")
    for invariant, words in outcome.failures:
        print(f"FAILED {invariant}: {words}")
    print(f"The same events in one process: perch sim replay {directory / 'plan.toml'}")
    return FAILED if outcome.failures else OK
