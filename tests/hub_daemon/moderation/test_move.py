"""The one UPDATE by itself: version, state and lease are its own conditions, whatever the code around it checks."""

from __future__ import annotations

import pytest

from hub_daemon.moderation import transitions
from hub_daemon.store import queue


@pytest.fixture
def held(wing):
    item = wing.post("hello")
    assert wing.moderation.deal("ann") == item
    with wing.store.read() as tx:
        return wing, item, queue.item(tx, item)["version"]


def move(wing, item, event, source, version, person, later_ms=0):
    step = transitions.find(event, source)
    now = wing.clock() + later_ms
    with wing.store.write() as tx:
        done = queue.move(tx, step, item, version, person, now, now + 1000)
        return done, dict(queue.item(tx, item))


def test_the_update_moves_what_is_as_it_was_seen(held):
    wing, item, version = held
    done, row = move(wing, item, "return", "claimed", version, "ann")
    assert done and row["state"] == "returned" and row["version"] == version + 1
    assert row["lease_owner"] is None and row["lease_until_ms"] == 0


@pytest.mark.parametrize(
    ("event", "source", "stale", "person", "later_ms"),
    [
        ("return", "claimed", -1, "ann", 0),
        ("return", "claimed", 1, "ann", 0),
        ("return", "awaiting_second", 0, "ann", 0),
        ("return", "claimed", 0, "ben", 0),
        ("return", "claimed", 0, "ann", 11 * 60 * 1000),
        ("deal", "claimed", 0, "ben", 0),
        ("deal", "pending", 0, "ben", 0),
    ],
)
def test_the_update_changes_nothing_otherwise(held, event, source, stale, person, later_ms):
    wing, item, version = held
    with wing.store.read() as tx:
        before = dict(queue.item(tx, item))
    done, row = move(wing, item, event, source, version + stale, person, later_ms)
    assert not done and row == before


def test_a_lease_that_ended_can_be_taken(held):
    wing, item, version = held
    done, row = move(wing, item, "deal", "claimed", version, "ben", 11 * 60 * 1000)
    assert done and row["lease_owner"] == "ben"
