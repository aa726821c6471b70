"""Every plan that once broke a promise runs for ever: sim/regressions is where shrinking puts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.box.attempt import attempt
from sim.box.run_command import load_plan
from sim.box.shrink import REGRESSIONS

PLANS = sorted(REGRESSIONS.glob("*.toml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_what_was_broken_once_holds(path: Path) -> None:
    made = attempt(load_plan(path), 100)
    assert not made.outcome.failures, "\n".join(f"{name}: {words}" for name, words in made.outcome.failures)
