"""Small plans for tests of the simulator's commands, and one way to break production code in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware.inbox import Inbox
from sim.box.plan import Plan
from sim.box.planning import make_plan
from sim.box.scenario import Scenario

SMALL = Path(__file__).with_name("small.toml")


def never_settled() -> Plan:
    """A plan with a message and no time to settle: L1 fails."""
    plan = make_plan(Scenario.load(SMALL), "1")
    return replace(plan, events=tuple(event for event in plan.events if event.do == "write"), settle_ms=1)


def broken_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose inbox cannot be looked into."""

    def shown(inbox: Inbox) -> list[object]:
        raise ZeroDivisionError("no edge expects this")

    monkeypatch.setattr(Inbox, "shown", shown)
