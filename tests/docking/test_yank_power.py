"""The power goes before, in the middle of and after every write of either end in a docking, and all comes right.

On the device every operation of its storage; on the hub every COMMIT of its database and every file operation of its
blob store (sim/box/flash.py and disk.py say what a cut leaves). What was not synced is found again, or
is not: both are tried. Everything then starts from what the storage has.
"""

import pytest

from tests.kits.faulty_storage import AFTER, BEFORE, MOMENTS, TORN
from tests.kits.yank import DEVICE, HUB, Plan, PowerLoss, try_all, try_plans, whole

AGAIN = 5  # operations into the recovery from the first cut at which the power goes a second time


def every(end: str) -> list[Plan]:
    return [
        (PowerLoss(end, operation, moment, keep),)
        for operation in range(whole().operations[end])
        for moment in MOMENTS
        for keep in (True, False)
    ]


@pytest.mark.parametrize("end", [DEVICE, HUB])
def test_power_lost_at_any_write_of_a_docking_breaks_no_promise(end: str) -> None:
    plans: list[Plan] = [
        (PowerLoss(end, operation, MOMENTS[operation % 3], operation // 3 % 2 == 0),)
        for operation in range(whole().operations[end])
    ]
    assert try_plans(plans) == []


@pytest.mark.soak
@pytest.mark.parametrize("end", [DEVICE, HUB])
def test_power_lost_before_in_and_after_every_write_breaks_no_promise(end: str) -> None:
    assert try_all(every(end)) == []


@pytest.mark.soak
@pytest.mark.parametrize("end", [DEVICE, HUB])
@pytest.mark.parametrize("other", [DEVICE, HUB])
def test_power_lost_again_while_recovering_breaks_no_promise(end: str, other: str) -> None:
    plans = [
        (first, PowerLoss(other, again, moment, keep))
        for (first,) in every(end)
        for again in range(AGAIN)
        for moment, keep in ((BEFORE, True), (TORN, True), (AFTER, False))
        if first.moment != BEFORE  # that is AFTER the operation before it
    ]
    assert try_all(plans) == []
