"""Faults of staff: nobody comes, a button is pressed twice, two disagree, a page is old, all is waved through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.box.faults.fault import Fault
from sim.box.kernel import DAY_MS
from sim.box.plan import Event
from sim.box.staff import Officer

if TYPE_CHECKING:
    from hub_daemon.moderation.queue import View
    from sim.box.world import World

OPPOSITE = {"approve": "reject", "reject": "approve", "return": "approve", "release": "approve"}


def _officer(fault: Fault) -> Officer:
    return fault.world.officers[fault.event.who]


def _on_decisions(fault: Fault, told: Callable[[str, View], None]) -> None:
    """Be told of the officer's decisions until the fault is over."""
    decided = _officer(fault).on_decided
    decided.append(told)
    fault.on_end(lambda: decided.remove(told))


def _absent_days(world: World, event: Event) -> None:
    fault = Fault(world, event)
    officer = _officer(fault)

    def back() -> None:
        officer.absent_until_ms = 0
        officer.begin_anew()

    fault.begin()
    until_ms = world.kernel.now + fault.whole("days") * DAY_MS
    officer.absent_until_ms = max(officer.absent_until_ms, until_ms)
    officer.begin_anew()
    fault.on_end(back)
    fault.after(fault.whole("days") * DAY_MS, fault.end)


def _double_click(world: World, event: Event) -> None:
    """The next decisions are each sent a second time."""
    fault = Fault(world, event)
    left = [fault.whole("times")]

    def again(verdict: str, view: View) -> None:
        fault.begin()
        if _officer(fault).again(verdict, view):
            world.fail("double click", f"{world.ledger.name(view.item.id)} was decided twice on one page")
        left[0] -= 1
        if not left[0]:
            fault.end()

    _on_decisions(fault, again)


def _two_staff_disagree(world: World, event: Event) -> None:
    """Somebody else has the same items open, and decides the other way a moment later."""
    fault = Fault(world, event)
    others = [one for one in world.officers.values() if one is not _officer(fault)]
    left = [fault.whole("times")]

    def object_to(verdict: str, view: View) -> None:
        other = others[left[0] % len(others)]
        fault.begin()
        other.again(OPPOSITE[verdict], view)  # on the page from before: refused
        disputed[view.item.id] = OPPOSITE[verdict]  # and where it is asked for a second opinion, this is it
        left[0] -= 1
        if not left[0]:
            fault.end()

    disputed: dict[bytes, str] = {}
    if not others:
        fault.end()
        return
    for other in others:
        _disputing(fault, other, disputed)
    _on_decisions(fault, object_to)


def _disputing(fault: Fault, other: Officer, disputed: dict[bytes, str]) -> None:
    """Whatever this officer would have said of a disputed item: it is the opposite, for as long as the plan lasts."""
    before = other.verdict

    def verdict(item: bytes) -> str:
        return before(item) if fault.world.healed else disputed.get(item) or before(item)

    other.verdict = verdict


def _approve_then_revoke(world: World, event: Event) -> None:
    """The next approval is taken back a while later."""
    fault = Fault(world, event)
    officer = _officer(fault)
    waiting: list[bytes] = []

    def approved(verdict: str, view: View) -> None:
        if verdict == "approve" and not waiting:
            waiting.append(view.item.id)
            fault.after(fault.whole("ms"), recall)

    def recall() -> None:
        if officer.recall(waiting[0]):
            fault.begin()
        fault.end()

    _on_decisions(fault, approved)


def _stale_page(world: World, event: Event) -> None:
    """The next page that is opened lies there for long before somebody decides on it."""
    fault = Fault(world, event)
    officer = _officer(fault)
    before = officer.leaves_open

    def left_open() -> int:
        if fault.begun or fault.over:
            return before()
        fault.begin()
        fault.after(fault.whole("ms"), fault.end)
        return fault.whole("ms")

    def closed() -> None:
        if fault.begun and world.healed:
            officer.begin_anew()

    officer.leaves_open = left_open
    fault.on_end(closed)


def _bulk_approve(world: World, event: Event) -> None:
    """The next items are approved at once, whatever they are."""
    fault = Fault(world, event)
    officer = _officer(fault)
    left = [fault.whole("times")]

    def waved_through(verdict: str, view: View) -> None:
        fault.begin()
        left[0] -= 1
        if not left[0]:
            fault.end()

    def slower() -> None:
        officer.hasty = False

    if officer.hasty:
        fault.end()
        return
    officer.hasty = True
    fault.on_end(slower)
    _on_decisions(fault, waved_through)


HANDLERS = {
    "staff.absent_days": _absent_days,
    "staff.double_click": _double_click,
    "staff.two_staff_disagree": _two_staff_disagree,
    "staff.approve_then_revoke": _approve_then_revoke,
    "staff.stale_page": _stale_page,
    "staff.bulk_approve": _bulk_approve,
}
