"""World -> here -> summary, sweep, [expect]: what a planner asks of a run, as one figure each.

The names are those of scenario_keys.MEASURES. Days of the warm-up are left out, by when a message was saved and when a
learner came to the docks. A figure of nothing (nobody came, nothing was approved) is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hub_daemon.store import items
from protocol.records.statement import Statement
from sim.box.kernel import DAY_MS, HOUR_MS
from sim.box.story import is_final
from sim.box.world import World

QUEUED = "pending"

Figure = float | None


def measures(world: World) -> dict[str, Figure]:
    """Every figure of a run that is over; `world` still stands, and its hub is on."""
    since = world.plan.warmup_days * DAY_MS
    until = world.plan.days * DAY_MS
    visits = [one for one in world.docks.all if since <= one.arrived_ms < until and one.over]
    waits = [(one.seated_ms - one.arrived_ms) / 1000 for one in visits if one.seated_ms is not None]
    custody, decided, read, queue_max = _times(world)
    saved = {one.id: one for one in world.ledger.messages.values() if one.saved_ms >= since}
    taken_h = [(decided[name] - custody[name]) / HOUR_MS for name in saved if name in decided and name in custody]
    seen_h = [(read[name] - saved[name].saved_ms) / HOUR_MS for name in saved if name in read]
    return {
        "delivered_p": _delivered(world, since),
        "wait_p50_s": percentile(waits, 0.5),
        "wait_p95_s": percentile(waits, 0.95),
        "wait_max_s": max(waits, default=None),
        "gave_up_p": 1 - len(waits) / len(visits) if visits else None,
        "queue_max": float(queue_max),
        "decided_p50_h": percentile(taken_h, 0.5),
        "decided_p95_h": percentile(taken_h, 0.95),
        "seen_p95_h": percentile(seen_h, 0.95),
    }


def percentile(values: Sequence[float], share: float) -> Figure:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _times(world: World) -> tuple[dict[str, int], dict[str, int], dict[str, int], int]:
    """By message: when the hub had it, when it was decided first, when somebody else first opened it; and the longest
    queue. Times are ms of the world."""
    custody: dict[str, int] = {}
    decided: dict[str, int] = {}
    read: dict[str, int] = {}
    waiting: dict[str, None] = {}
    queue_max = 0
    since, until = world.plan.warmup_days * DAY_MS, world.plan.days * DAY_MS
    for entry in world.trace.entries:
        name = str(entry.fields.get("item", ""))
        if entry.kind == "custody":
            custody.setdefault(name, entry.at_ms)
        elif entry.kind == QUEUED:
            waiting[name] = None
            if since <= entry.at_ms < until:
                queue_max = max(queue_max, len(waiting))
        elif is_final(entry):
            decided.setdefault(name, entry.at_ms)
            waiting.pop(name, None)
        elif entry.kind == "read_by":
            message = world.ledger.messages.get(name)
            if message is not None and message.device != entry.who:
                read.setdefault(name, entry.at_ms)
    return custody, decided, read, queue_max


def _delivered(world: World, since: int) -> Figure:
    """The share of messages, approved and not recalled, that every one of their readers who is still here received."""
    shares = [share for name, share in shares_delivered(world).items() if world.ledger.messages[name].saved_ms >= since]
    return sum(share == 1 for share in shares) / len(shares) if shares else None


def shares_delivered(world: World) -> dict[str, float]:
    """By message that is approved and not recalled: the share of its readers who are still here that received it."""
    received: dict[str, set[str]] = {}
    for entry in world.trace.entries:
        if entry.kind == "received" and entry.who in world.devices:
            received.setdefault(str(entry.fields["item"]), set()).add(world.devices[entry.who].learner)
    shares = {}
    with world.hub.store.read() as tx:
        for message in world.ledger.messages.values():
            item = items.get(tx, message.item)
            if item is None or item.state not in ("approved", "delivered") or item.statement is None:
                continue
            signed = items.statement(tx, item.statement)
            readers = [
                one for one in (Statement.decode(signed.body).audience.learners if signed is not None else ())
                if one != message.learner and one not in world.gone
            ]  # fmt: skip
            there = sum(one in received.get(message.id, ()) for one in readers)
            shares[message.id] = there / len(readers) if readers else 1.0
    return shares
