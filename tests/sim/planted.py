"""A line of the production code is broken -> here -> found, and cut down: proof that the simulator would have told.

Each bug is one line of one module, as data. A child process (`python -m tests.sim.planted NAME`) imports that module
with the line replaced, runs the bug's small scenario with one seed after the other until a promise is broken, cuts the
plan down, and prints what it found as JSON. Nothing on the disk is changed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]

HEAD = """
[scenario]
name = "planted"
title = "A small wing for a planted bug"
days = {days}
settle_min = 1440
promise = "{promise}"
[wing]
learners = {learners}
groups = {groups}
docks = 1
moderators = 2
envelopes_per_day_max = {per_day}
[timetable]
windows = ["09:00-09:30", "15:00-15:30"]
[traffic]
posts_per_day = {posts}
video_p = {video_p}
video_kb = "uniform(9, 20)"
read_p = 1
[staff]
hours = ["09:00-12:00", "13:00-16:30"]
approve_p = {approve_p}
return_p = 0
recall_p = {recall_p}
"""
USUAL = {
    "days": 1, "learners": 2, "groups": 1, "per_day": 100, "posts": 1.5, "video_p": 0, "approve_p": 1, "recall_p": 0,
    "promise": "full",
}  # fmt: skip


@dataclass(frozen=True)
class Bug:
    """One broken line. `invariants` are those that may name it; `wing` changes USUAL, `more` is added to HEAD."""

    name: str
    says: str
    file: str
    old: str
    new: str
    invariants: tuple[str, ...]
    wing: tuple[tuple[str, object], ...] = ()
    more: str = ""
    secrets: bool = False
    seeds: int = 4
    fast: bool = False  # runs in every test run, not only in the soak

    @property
    def module(self) -> str:
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def scenario(self) -> str:
        return HEAD.format(**{**USUAL, **dict(self.wing)}) + self.more


BUGS = (
    Bug("custody_not_stored", "The hub says that it has an envelope which it judged and did not keep.",
        "hub_daemon/exchange.py",
        "                custody.take(tx, judged, now_ms)\n            else:",
        "                custody.already_taken(tx, item, device.id)\n            else:",
        ("S5", "S6"), fast=True),
    Bug("blob_not_synced", "A recording is in custody before its bytes are on the disk.",
        "hub_daemon/blobs.py", "            os.fdatasync(self._file)\n", "            os.fstat(self._file)\n",
        ("S5",), (("posts", 1), ("video_p", 1))),
    Bug("envelope_gone_at_send", "The outbox lets an envelope go when it is sent, not when the hub has it.",
        "firmware/sending.py", '            if self._publish("envelope", sealed):\n',
        '            if self._publish("envelope", sealed) and self._device.outbox.custody(own.item, None, 0):\n',
        ("S6", "S13"), fast=True),
    Bug("saved_not_written", "\"Saved\" is said of what is only in memory.",
        "firmware/outbox.py", "        put(self._storage, FOLDER + name_of(item), cbor.pieces(entry))\n        self.own",
        "        self.own", ("S6",), fast=True),
    Bug("receipt_before_durable", "A receipt is given for a bundle that is only in memory.",
        "firmware/inbox.py", "        put(self._storage, FOLDER + name, cbor.dumps([digest, staff, data]))\n        self.held",
        "        self.held", ("S5",)),
    Bug("audience_not_checked", "An approval reaches everybody on the wing instead of the author's group.",
        "hub_daemon/moderation/statements.py",
        "sorted(member for member in group.members if member != item.author_learner)",
        "sorted(row.id for row in roster.learners if row.id != item.author_learner)",
        ("S3",), (("groups", 2), ("learners", 4))),
    Bug("list_of_everybody", "A delivery list has what is for any learner of the wing.",
        "hub_daemon/in_force.py", "        return sorted(self._of.get(learner, {}).values(), reverse=True)\n",
        "        return sorted({one for of in self._of.values() for one in of.values()}, reverse=True)\n",
        ("S3",), (("groups", 2), ("learners", 4))),
    Bug("second_signature_not_needed", "A video goes out with one signature.",
        "hub_daemon/moderation/statements.py", "        return 2\n    return 2 if strangers else 1\n",
        "        return 1\n    return 1\n", ("S1",), (("posts", 1), ("video_p", 1))),
    Bug("approved_at_once", "An item is approved with the first of two signatures.",
        "hub_daemon/moderation/queue.py", "        target = transitions.APPROVED if enough else transitions.AWAITING_SECOND\n",
        "        target = transitions.APPROVED\n", ("S1",)),
    Bug("recall_stays_on_list", "A recalled item stays on the hub's delivery lists.",
        "hub_daemon/in_force.py", "        for reader in self._readers.pop(item, ()):\n",
        "        for reader in ():\n", ("S1",), (("days", 2), ("recall_p", 1))),
    Bug("recall_ignored_on_device", "A device goes on showing what its list no longer names.",
        "firmware/inbox.py",
        "            if listed.get(held.item) != held.statement or held.expires_s <= self.list.issued_s:\n",
        "            if held.expires_s <= self.list.issued_s:\n",
        ("S1",), (("days", 2), ("recall_p", 1))),
    Bug("list_not_refreshed", "A delivery list stays as it was after a decision.",
        "hub_daemon/delivery.py",
        "        if state.list_signed is not None and state.list_content == content and fresh:\n",
        "        if state.list_signed is not None and fresh:\n", ("L3", "S1"), (("days", 2),)),
    Bug("revoked_device_docks_on", "A device that was revoked is served as before.",
        "hub_daemon/bay_core.py", "            if device.revoked or device.expires_s * 1000 <= self.rooms.clock():\n",
        "            if device.expires_s * 1000 <= self.rooms.clock():\n", ("S3",)),
    Bug("journal_not_chained", "A journal entry does not name the one before.",
        "firmware/journal.py", "        self.head = entry.hash()\n        self.next_seq += 1\n",
        "        self.next_seq += 1\n", ("S8",), fast=True),
    Bug("journal_entry_dropped", "The hub keeps a handed-over journal without its first entry.",
        "hub_daemon/store/journal.py", "    for seq, entry, digest in entries:\n",
        "    for seq, entry, digest in entries[1:]:\n", ("S8", "S5")),
    Bug("screen_ahead", "A device says \"approved\" of what the hub has only taken.",
        "firmware/outbox.py", "            self._rewrite(item, {_STATE: HANDED_OVER, _TIMES: times}, drop_sealed=True)\n",
        "            self._rewrite(item, {_STATE: APPROVED, _TIMES: times}, drop_sealed=True)\n", ("S13",), fast=True),
    Bug("deferred_for_ever", "Yesterday's envelopes count against today's number.",
        "hub_daemon/custody.py", "    if envelopes.count_since(tx, device.id, now_ms - DAY_MS) >= per_day_max:\n",
        "    if envelopes.count_since(tx, device.id, 0) >= per_day_max:\n", ("L1",), (("posts", 3), ("per_day", 1))),
    Bug("counter_reused", "Two envelopes of a device have one counter.",
        "firmware/identity.py", "        self._counter = counter + 1\n        return counter\n", "        return counter\n",
        ("S6", "L1", "L9", "S4"), (("posts", 3),)),
    Bug("nonce_reused", "Two records of a session are sealed with one nonce.",
        "protocol/noise.py",
        "        sealed = self._backend.seal(self._key, self._take_nonce(), ad, plaintext)\n        self.nonce += 1\n",
        "        sealed = self._backend.seal(self._key, self._take_nonce(), ad, plaintext)\n        self.nonce |= 1\n",
        ("S11",), secrets=True),
    Bug("words_in_the_log", "The hub's log has the words of a message.",
        "hub_daemon/custody.py", 'judged.item, f"counter {content.counter}")\n', "judged.item, content.text)\n",
        ("S10",), secrets=True),
)  # fmt: skip
BY_NAME = {bug.name: bug for bug in BUGS}


class NotThere(Exception):
    """The line that was to be broken is not in the module exactly once."""


class Planter(MetaPathFinder):
    """Imports one module with its line replaced. `planted` says whether it did."""

    def __init__(self, bug: Bug) -> None:
        self.bug = bug
        self.planted = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.bug.module:
            return None
        file = str(ROOT / self.bug.file)
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, file, self))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, planter: Planter) -> None:
        super().__init__(fullname, path)
        self._planter = planter

    def get_code(self, fullname: str) -> CodeType:
        bug, source = self._planter.bug, Path(self.path).read_text(encoding="utf-8")
        if source.count(bug.old) != 1:
            raise NotThere(f"{bug.name}: the old line is {source.count(bug.old)} times in {bug.file}")
        self._planter.planted = True
        code = compile(source.replace(bug.old, bug.new), self.path, "exec")
        assert isinstance(code, CodeType)
        return code


def hunt(bug: Bug, seconds_max: float) -> dict[str, object]:
    """Plant the bug in this process, find it and cut it down; what `find` returns."""
    planter = Planter(bug)
    sys.meta_path.insert(0, planter)
    from sim.box.attempt import attempt
    from sim.box.planning import make_plan
    from sim.box.scenario import Scenario
    from sim.box.shrink import shrink

    importlib.import_module(bug.module)
    if not planter.planted:
        raise NotThere(f"{bug.name}: {bug.module} was imported before the bug could be planted")
    scenario, started, seen = Scenario.loads(bug.scenario, "planted.toml"), time.monotonic(), list[str]()
    for seed in range(1, bug.seeds + 1):
        plan = make_plan(scenario, str(seed))
        made = attempt(plan, seconds_max, secrets=bug.secrets)
        seen += made.invariants
        wanted = next((name for name in made.invariants if name in bug.invariants), "")
        if wanted:
            found_s = time.monotonic() - started
            found = shrink(made, wanted, 60, seconds_max, secrets=bug.secrets)
            return {
                "bug": bug.name, "invariant": wanted, "words": found.words, "seed": seed,
                "events": len(found.plan.events), "from": len(plan.events), "learners": len(found.plan.wing.learners),
                "runs": found.runs, "found_s": round(found_s, 1), "seconds": round(time.monotonic() - started, 1),
                "plan": found.plan.dumps(),
            }  # fmt: skip
    return {"bug": bug.name, "invariant": "", "seen": seen, "seconds": round(time.monotonic() - started, 1)}


def find(bug: Bug, seconds_max: float = 60.0) -> dict[str, object]:
    """As `hunt`, in a child process: {"invariant": "" when nothing was found, "events": after cutting down, ...}."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.planted", bug.name, str(seconds_max)],
        cwd=ROOT, capture_output=True, text=True, timeout=4 * seconds_max + 60,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{bug.name}: {done.stderr[-2000:]}")
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    print(json.dumps(hunt(BY_NAME[sys.argv[1]], float(sys.argv[2]))))
