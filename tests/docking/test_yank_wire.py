"""A yank at every byte: the wire of a whole docking is lifted at each offset of each direction, and all comes right.

The docking is complete: handshake, roster, list with a recall, journal, a post and a video up, a post and a video with
its still down, receipts. Both ends are the production code, with real SQLite and real files (tests/kits/yank.py). The
one part left out is the broker between bay and exchange: its messages go over at once and in order; the real broker is
in tests/hub_daemon and tests/whole. What must hold is in tests/kits/yank_witness.py.

`make test` yanks at the end of every frame and at a stride; `make soak` at every byte of both directions, once so that
the link survives it and once so that it does not.
"""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.kits.faulty_storage import MOMENTS
from tests.kits.yank import (
    DEVICE,
    DOWN,
    HUB,
    REOPENED,
    SEATS,
    SILENCE,
    SOON,
    UP,
    Plan,
    PowerLoss,
    WireCut,
    run,
    try_all,
    try_plans,
    whole,
)

STRIDE = 1009  # a prime, so that it falls into step with no frame
HANDSHAKE_BYTES = 600  # of either direction: hello of the link, handshake, the first records
TURNS = (REOPENED, DEVICE, HUB)


def frame_ends(direction: str) -> list[int]:
    """Where each frame of the visit that nothing cuts is complete."""
    wire = bytes(whole().wire[direction])
    return [at + 1 for at in range(1, len(wire)) if wire[at] == 0 and wire[at - 1] != 0]


def in_turn(offsets: list[tuple[str, int]]) -> list[Plan]:
    """One yank at each offset, seated again in each of the ways in turn."""
    return [(WireCut(direction, at, SEATS[place % len(SEATS)]),) for place, (direction, at) in enumerate(offsets)]


def test_the_docking_that_is_cut_is_a_complete_one() -> None:
    visit = whole()
    assert visit.cuts == 0
    assert len(visit.wire[UP]) > 10_000 and len(visit.wire[DOWN]) > 10_000
    assert visit.operations[DEVICE] > 20 and visit.operations[HUB] > 20
    assert set(visit.witness.kinds) == {
        "up hello", "up journal", "up envelope", "up want", "up chunk", "up receipt", "down time", "down roster",
        "down list", "down want", "down chunk", "down bundle", "down receipt", "down hello",
    }  # fmt: skip


def test_the_same_cut_is_the_same_run() -> None:
    cut = WireCut(DOWN, 9000, SILENCE)
    assert run(cut).wire == run(cut).wire and run().wire == whole().wire


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_yank_at_the_end_of_any_frame_breaks_no_promise(direction: str) -> None:
    ends = frame_ends(direction)
    assert len(ends) > 30
    assert try_plans(in_turn([(direction, at) for at in ends])) == []


def test_a_yank_in_a_docking_without_a_ticket_breaks_no_promise() -> None:
    assert whole().hub.patterns == ["IKpsk2"] and whole(ticket=False).hub.patterns == ["IK"]
    assert try_plans(in_turn([(UP, at) for at in range(0, 600, 53)]), ticket=False) == []
    assert try_plans(in_turn([(DOWN, at) for at in range(0, 400, 53)]), ticket=False) == []


def test_a_yank_here_and_there_breaks_no_promise() -> None:
    offsets = [(direction, at) for direction in (UP, DOWN) for at in range(0, len(whole().wire[direction]), STRIDE)]
    assert try_plans(in_turn(offsets)) == []


wire_cuts = st.builds(WireCut, st.sampled_from([UP, DOWN]), st.integers(0, 15_000), st.sampled_from(SEATS))
power_losses = st.builds(
    PowerLoss, st.sampled_from([DEVICE, HUB]), st.integers(0, 45), st.sampled_from(MOMENTS), st.booleans()
)
several = st.lists(st.one_of(wire_cuts, power_losses), min_size=2, max_size=4)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(several)
@example([WireCut(DOWN, 7000, SOON), WireCut(UP, 40, SOON), WireCut(DOWN, 90, SILENCE)])
@example([PowerLoss(DEVICE, 20, "after", False), PowerLoss(DEVICE, 0, "torn", False), PowerLoss(HUB, 1, "after", True)])
@example([PowerLoss(DEVICE, 2, "before", False), WireCut(UP, 0, SOON)])  # the hub answered the device before this one
def test_several_cuts_of_any_kind_in_one_visit_break_no_promise(cuts: list[WireCut | PowerLoss]) -> None:
    run(*cuts)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(several)
def test_many_visits_with_several_cuts_break_no_promise(cuts: list[WireCut | PowerLoss]) -> None:
    run(*cuts)


@pytest.mark.soak
@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("seat", [SOON, SILENCE])
def test_a_yank_at_every_byte_breaks_no_promise(direction: str, seat: str) -> None:
    assert try_all((WireCut(direction, at, seat),) for at in range(len(whole().wire[direction]) + 1)) == []


@pytest.mark.soak
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_new_beginning_of_one_end_or_both_at_every_third_byte_breaks_no_promise(direction: str) -> None:
    offsets = range(0, len(whole().wire[direction]) + 1, 3)
    assert try_all((WireCut(direction, at, TURNS[at // 3 % 3]),) for at in offsets) == []


@pytest.mark.soak
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_yank_at_every_byte_of_a_handshake_without_a_ticket_breaks_no_promise(direction: str) -> None:
    plans = [(WireCut(direction, at, seat),) for at in range(HANDSHAKE_BYTES) for seat in SEATS]
    assert try_all(plans, ticket=False) == []
