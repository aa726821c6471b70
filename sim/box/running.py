"""Plan -> here -> outcome: a world with its faults, its attackers and its judges, run once."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

from sim.box import attackers, faults, safety
from sim.box.devices import MakeCore, in_this_process
from sim.box.plan import Plan
from sim.box.world import Outcome, World

Look = Callable[[World], None]
COLLECT_AFTER = (50_000, 20, 50)  # a run makes few circles; to look for them as often as usual takes a tenth of it


@contextlib.contextmanager
def _seldom_collecting() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def run_plan(plan: Plan, before: Look = lambda world: None, after: Look = lambda world: None,
             make_core: MakeCore = in_this_process, secrets: bool = False) -> Outcome:  # fmt: skip
    """Run a whole plan. `before` is shown the world at its first instant, `after` at its last, while it still stands.
    `secrets`: every byte on the wires and every sealing is looked at as well, which takes time.

    A mistake of ours in the middle (an exception that no edge would survive) is a failure of the run.
    """
    with _seldom_collecting(), World(plan, make_core) as world:
        watch = safety.watch(world, secrets)
        before(world)
        outcome = world.run({**faults.HANDLERS, **attackers.HANDLERS}, {**faults.PREPARE, **attackers.PREPARE})
        watch.end()
        outcome.failures = list(world.failures)
        after(world)
        return outcome
