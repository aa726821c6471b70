"""The transition table is data: it is whole, it draws the documentation, and nothing else moves an item."""

from __future__ import annotations

import re
from pathlib import Path

from hub_daemon.moderation import transitions

ROOT = Path(__file__).parents[3]


def test_the_table_is_unambiguous_and_names_known_states_only():
    transitions.check()


def test_the_documentation_shows_the_table_as_it_is():
    page = (ROOT / "docs" / "staff.md").read_text("utf-8")
    assert transitions.markdown() in page
    assert transitions.mermaid() in page


def test_every_state_that_is_not_an_end_can_be_left():
    ends = {transitions.REFUSED, transitions.RETURNED, transitions.REJECTED, transitions.RECALLED}
    for state in transitions.STATES:
        assert bool(transitions.events_of(state)) == (state not in ends)


def test_approval_is_reached_only_by_approve_and_only_with_the_lease():
    into = [row for row in transitions.TABLE if row.target == transitions.APPROVED]
    assert into and all(row.event == "approve" and row.lease == transitions.OWN for row in into)


def test_only_one_statement_of_the_queue_changes_a_state():
    source = (ROOT / "hub_daemon" / "store" / "queue.py").read_text("utf-8")
    assert len(re.findall(r"UPDATE items SET\s+state\b", source)) == 1
    for path in (ROOT / "hub_daemon" / "moderation").glob("*.py"):
        assert ".execute(" not in path.read_text("utf-8")


def test_the_hub_moves_items_outside_the_queue_only_as_the_table_says():
    source = (ROOT / "hub_daemon" / "store" / "items.py").read_text("utf-8")
    flat = re.sub(r"[\"\s]+", " ", source)
    moves = re.findall(r"SET state = '(\w+)'.{0,160}?AND state = '(\w+)'", flat)
    assert len(moves) == 3
    known = {(row.source, row.target) for row in transitions.TABLE if row.who == transitions.HUB}
    assert {(source, target) for target, source in moves} <= known
