"""Enrolment without a browser: two administrators compare the digits of the device's page with the hub's."""

from hub_daemon.enrolment import Enrolment
from hub_daemon.keys import load_or_make
from hub_daemon.people import People
from hub_daemon.store import Store
from hub_daemon.wing import Wing
from sim.learner_page import say_same, settled, status
from sim.stages import wait_until
from sim.wing import Learner, ProcessWing, now_ms

WAIT_S = 60


def enrol(wing: ProcessWing, learner: Learner) -> None:
    """As `perch enrol` does it, from another process than the hub's; ends when the first docking is settled.

    Raises AssertionError where the two screens show different digits, TimeoutError where nothing comes.
    """
    store = Store(wing.hub_data / "hub.sqlite3")
    try:
        keys = load_or_make(wing.hub_data / "keys")
        table = Enrolment(store, Wing(store, keys, wing.wing), keys, now_ms)
        staff = People(store, now_ms)
        pair = [wing.account("administrator", number) for number in (0, 1)]
        first, second = [staff.unlock(account.person, account.pass_phrase) for account in pair]
        number = table.open_window(learner.bay, learner.id, first.person)
        wing.seat(learner)
        wait_until(f"digits on {learner.name}'s device", lambda: status(learner).get("digits"), WAIT_S)
        wait_until("digits at the hub", lambda: table.get(number).digits, WAIT_S)
        digits = str(status(learner)["digits"])
        if digits != table.get(number).digits:
            raise AssertionError("the device and the hub show different digits: somebody is on the wire")
        say_same(learner, digits)
        table.confirm(number, first)
        table.countersign(number, second)
        wait_until(f"the first docking of {learner.name}'s device", lambda: settled(learner), WAIT_S)
    finally:
        store.close()
