"""A device that comes back: with the ticket of its last docking, or as well without it."""

from firmware.device import Device
from firmware.dock import Dock
from firmware.identity import TICKET
from firmware.storage import MemoryStorage
from tests.kits.device import enrolled
from tests.kits.memory_hub import HubSide, Kept, join
from tests.kits.wing import Seeded, Wing


class Visit:
    """One docking after the other of the same device, in virtual time."""

    def __init__(self):
        self.wing, self.device = enrolled()
        self.kept = Kept(self.wing)
        self.now = 0
        self.seed = 0
        self.dock = None
        self.new_dock()

    def new_dock(self):
        """The device starts anew from its storage."""
        self.seed += 1
        self.device = Device(self.device.storage, Seeded("device" + str(self.seed)), lambda: 1000)
        self.dock = Dock(self.device, Seeded("dock" + str(self.seed)))

    def seat(self, accept=None, greet=True):
        """Dock until settled, and lift; returns the milliseconds that it took.

        `accept` is the hub's in place of its own; without `greet` its link is of the first version.
        """
        self.seed += 1
        hub = HubSide(self.kept, Seeded("hub" + str(self.seed)))
        if accept is not None:
            hub._accept = accept
        if not greet:
            hub.stack.link.greet = None
        begun = self.now
        self.now, _ = join(
            self.dock, hub, lambda: self.device.phase == "settled" and self.device.can_lift, self.now
        )
        self.dock.restart()
        return self.now - begun


def test_a_device_that_is_lifted_and_seated_again_resumes_each_time():
    visit = Visit()
    for _ in range(3):
        visit.seat()
    assert visit.kept.ups == ["IK", "IKpsk2", "IKpsk2"]
    assert visit.kept.tickets[visit.device.identity.x25519] == visit.device.identity.ticket


def test_a_device_that_was_off_resumes_from_its_storage():
    visit = Visit()
    visit.seat()
    visit.new_dock()
    visit.seat()
    assert visit.kept.ups == ["IK", "IKpsk2"]


def test_a_device_or_a_hub_put_back_from_a_backup_docks_as_quickly_and_resumes_the_time_after():
    visit = Visit()
    first = visit.seat()
    old_device = visit.device.storage.read(TICKET)
    old_hub = dict(visit.kept.tickets)
    visit.seat()
    visit.device.storage.write(TICKET, old_device)
    visit.new_dock()
    assert visit.seat() <= first
    visit.seat()
    visit.kept.tickets = old_hub
    assert visit.seat() <= first
    visit.seat()
    visit.kept.tickets = {}
    assert visit.seat() <= first
    visit.seat()
    assert visit.kept.ups == ["IK", "IKpsk2", "IK", "IKpsk2", "IK", "IKpsk2", "IK", "IKpsk2"]
    assert visit.dock.refused == ""


def test_what_is_no_ticket_is_not_offered():
    visit = Visit()
    visit.seat()
    for stored in (b"", bytes(31), bytes(33)):
        visit.device.storage.write(TICKET, stored)
        visit.new_dock()
        assert visit.device.identity.ticket == b""
    visit.seat()
    assert visit.kept.ups == ["IK", "IK"]


def test_a_hub_of_before_there_were_tickets_costs_one_more_try_and_locks_nobody_out():
    visit = Visit()
    visit.seat()
    asked = []

    def accept(pattern, static, payload):
        asked.append(pattern)
        return pattern == "IK"

    assert visit.seat(accept, greet=False) < 2000
    assert asked == ["IKpsk2", "IK"] and visit.kept.ups == ["IK", "IK"]
    visit.seat()
    assert visit.kept.ups[2:] == ["IKpsk2"]


def test_a_device_that_is_refused_both_ways_goes_on_asking_both_ways():
    visit = Visit()
    visit.seat()
    asked = []

    def accept(pattern, static, payload):
        asked.append(pattern)
        return len(asked) > 4

    visit.seat(accept, greet=False)
    assert asked == ["IKpsk2", "IK", "IKpsk2", "IK", "IKpsk2"]
    assert visit.kept.ups == ["IK", "IKpsk2"]


def test_an_enrolment_begins_without_a_ticket():
    wing = Wing()
    storage = MemoryStorage()
    storage.write(TICKET, bytes(range(32)))
    device = Device(storage, Seeded("device"), lambda: 1000)
    assert device.identity.ticket == b""
    wing.enrol(device, "ann")
    assert storage.read(TICKET) is None and device.identity.ticket == b""


def test_a_hub_that_started_anew_answers_a_stale_session_at_once_and_under_fresh_keys():
    visit = Visit()
    hub = HubSide(visit.kept, Seeded("before"))
    settled = lambda: visit.device.phase == "settled" and visit.device.can_lift  # noqa: E731
    now, _ = join(visit.dock, hub, settled)
    stale = hub.stack.session
    hub = HubSide(visit.kept, Seeded("after"))  # the device is not told
    begun = now
    now, _ = join(visit.dock, hub, lambda: hub.hello is not None and settled(), now)
    assert now - begun < 1000
    assert visit.kept.ups == ["IK", "IKpsk2"]
    keys = [one._key for session in (stale, hub.stack.session) for one in (session._sender, session._receiver)]
    assert len(set(keys)) == 4


def test_a_device_that_started_anew_ends_the_hubs_stale_session_at_once_and_under_fresh_keys():
    visit = Visit()
    hub = HubSide(visit.kept, Seeded("hub"))
    now, _ = join(visit.dock, hub, lambda: visit.device.phase == "settled" and visit.device.can_lift)
    stale = hub.stack.session
    visit.new_dock()  # the power went and came
    begun = now
    now, _ = join(visit.dock, hub, lambda: visit.device.phase == "settled" and visit.device.can_lift, now)
    assert now - begun < 1000
    assert visit.kept.ups == ["IK", "IKpsk2"]
    keys = [one._key for session in (stale, hub.stack.session) for one in (session._sender, session._receiver)]
    assert len(set(keys)) == 4
