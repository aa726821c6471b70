"""A live wing of real processes keeps the rules through a killed hub and a yanked wire, and leaves nothing running."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hub_daemon.keys import load_or_make
from sim.box.command import OK
from sim.box.kernel import HOUR_MS
from sim.box.live import Live, told
from sim.box.live_judging import Judging
from sim.box.plan import Event, Plan, Value
from sim.stages import Stages
from sim.wing import now_ms
from tests.kits.calm_wing import calm_plan

LEARNERS = ("l000", "l001")
WAY: dict[str, Value] = {"patience_s": 600, "reaction_s": 3, "stay_s_max": 120}


def short() -> Plan:
    """Two learners write and dock, the hub is killed and the wire yanked meanwhile; staff decide, both dock again."""
    words: dict[str, Value] = {"group": "g00", "bytes": 200, "reply": False, "pick": 0}
    events = [
        Event("f.yank", 0, "wire.yank", "l000.d00.dock1", {"direction": "up", "byte": 1_000, "away_ms": 300}),
        Event("f.crash", 0, "hub.crash", "hub", {"operation": 1, "down_ms": 200}),
    ]
    for number, learner in enumerate(LEARNERS):
        events.append(Event(f"{learner}.d00.write1", 8 * HOUR_MS + number, "write", learner, words))
        events.append(Event(f"{learner}.d00.dock1", 9 * HOUR_MS + number, "dock", learner, WAY))
    events.append(Event("m0.d00.shift1", 10 * HOUR_MS, "shift", "m0", {"until_ms": 12 * HOUR_MS}))
    events.sort(key=lambda event: (event.at_ms, event.id))
    plan = calm_plan()
    wing = replace(plan.wing, learners=LEARNERS, groups={"g00": LEARNERS})
    return replace(plan, wing=wing, events=tuple(events))


@pytest.mark.soak
def test_a_live_wing_loses_nothing_when_its_hub_is_killed_and_a_wire_is_yanked(tmp_path: Path) -> None:
    live = Live(short(), tmp_path, 60, Stages(Console(file=io.StringIO())))
    outcome = live.run()
    assert outcome.failures == []
    assert outcome.done("hub.crash") == outcome.done("wire.yank") == 1 and outcome.done("write") == 2
    assert told(outcome, tmp_path) == OK
    assert Plan.loads((tmp_path / "plan.toml").read_text()) == outcome.plan
    assert json.loads((tmp_path / "live.json").read_text())["did"] == outcome.did
    assert live.wing.hub is not None and not live.wing.hub.alive
    assert not any(one.device is not None and one.device.alive for one in live.wing.learners)
    other = broken(live, lambda bundle: bundle.write_bytes(bundle.read_bytes().replace(b"[l00", b"[l01")))
    assert other == {"S2", "L3"}
    assert broken(live, lambda bundle: bundle.unlink()) == {"L3"}


def broken(live: Live, harm: Callable[[Path], object]) -> set[str]:
    """The promises that fail when one stored message of a device is harmed."""
    judging = Judging("b-wing", live.wing.hub_data, load_or_make(live.wing.hub_data / "keys").x25519, bytes.hex)
    reader = live.wing.learners[1]
    harm(next((reader.data / "inbox").iterdir()))
    judging.device(reader.id, reader.data, now_ms() // 1000)
    return {invariant for invariant, _ in judging.failures}
