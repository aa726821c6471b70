"""A whole wing in real processes on this machine: one hub, its broker, and MicroPython devices on ptys.

The demonstration, the figures, the screenshots and the tests of the whole all start it from here.
"""

import atexit
import functools
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from firmware.build import build
from hub_daemon import people
from hub_daemon.keys import load_or_make
from hub_daemon.people import People, Signer
from hub_daemon.store import Store
from sim.processes import Child, device_argv, free_port, hub_argv
from sim.pty_wire import PtyWire

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
PASS_PHRASE_WORDS = 5  # of three syllables: 92 bits
HUB_PAGE_PORT, DEVICE_PAGE_PORT = 8700, 8701


def random_pass_phrase() -> str:
    """Five made-up words: easy to copy from a terminal, and nobody's default."""

    def word() -> str:
        return "".join(secrets.choice(CONSONANTS) + secrets.choice(VOWELS) for _ in range(3))

    return "-".join(word() for _ in range(PASS_PHRASE_WORDS))


@dataclass(frozen=True)
class Account:
    person: str
    name: str
    roles: tuple[str, ...]
    pass_phrase: str = field(repr=False)


def default_accounts() -> list[Account]:
    """Two administrators and two moderators: the fewest that every rule of two people needs."""
    wanted = [
        ("dilys", "Dilys Parry", ("administrator",)),
        ("marek", "Marek Nowak", ("administrator",)),
        ("sofia", "Sofia Hughes", ("moderator",)),
        ("tom", "Tom Adeyemi", ("moderator", "safer-custody")),
    ]
    return [Account(person, name, roles, random_pass_phrase()) for person, name, roles in wanted]


@dataclass
class Learner:
    """A learner, their device and their dock. `device` is None while it is switched off."""

    id: str
    name: str
    bay: str
    wire: PtyWire
    data: Path
    page_port: int
    device: Child | None = None
    seated: bool = False

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"


class ProcessWing:
    """`provision()` once for a new data directory, then `start()`; `close()` always."""

    def __init__(
        self,
        data: Path,
        learners: tuple[tuple[str, str], ...] = (("ann", "Ann Rees"), ("ben", "Ben Okafor")),
        baud: int = 3_000_000,
        wing: str = "b-wing",
    ) -> None:
        self.data, self.wing = data, wing
        self.hub_data = data / "hub"
        self.hub_data.mkdir(parents=True, exist_ok=True)
        self.accounts = default_accounts()
        self.hub: Child | None = None
        self.hub_page_port = free_port(HUB_PAGE_PORT)
        self.learners: list[Learner] = []
        for number, (learner, name) in enumerate(learners, 1):
            bay = f"bay{number}"
            wire = PtyWire(baud=baud, process=True)
            wire.lift()
            port = free_port(DEVICE_PAGE_PORT + number - 1)
            self.learners.append(Learner(learner, name, bay, wire, data / "devices" / learner, port))

    @property
    def staff_page(self) -> str:
        return f"http://127.0.0.1:{self.hub_page_port}"

    def account(self, role: str, number: int = 0) -> Account:
        """The account with this role, the first or another one."""
        return [account for account in self.accounts if role in account.roles][number]

    # what a governor would do on the first day

    def provision(self) -> None:
        """Accounts, the first roster, learners and their group; every change signed by two administrators."""
        store = Store(self.hub_data / "hub.sqlite3")
        try:
            staff = People(store, now_ms)
            for account in self.accounts:
                staff.create(account.person, account.name, account.roles, account.pass_phrase)
            first, second = self._administrators(staff)
            staff.bootstrap(self.wing, load_or_make(self.hub_data / "keys"), first, second)
            everybody = [people.with_learner(learner.id, learner.name) for learner in self.learners]
            members = tuple(learner.id for learner in self.learners)
            group = people.with_group("writing", "Creative writing", members)
            change = staff.propose(first, people.all_of(*everybody, group), "the first learners and their group")
            staff.countersign(change, second)
        finally:
            store.close()

    def _administrators(self, staff: People) -> tuple[Signer, Signer]:
        pair = [self.account("administrator", number) for number in (0, 1)]
        first, second = [staff.unlock(account.person, account.pass_phrase) for account in pair]
        return first, second

    # processes

    def start(self) -> None:
        self.build()
        self.start_hub()
        for learner in self.learners:
            self.start_device(learner)

    def build(self) -> None:
        self.firmware = built()

    def start_hub(self) -> None:
        bays = {learner.bay: learner.wire.a_path for learner in self.learners}
        argv = hub_argv(self.hub_data, self.hub_page_port, bays, self.wing)
        self.hub = Child("the hub", argv, self.data / "log" / "hub.log")
        self.hub.wait_for_page(self.staff_page + "/login")

    def start_device(self, learner: Learner) -> None:
        port = learner.wire.b_fd  # each is a descriptor of its own
        argv = device_argv(self.firmware, learner.data, port, learner.page_port)
        learner.data.mkdir(parents=True, exist_ok=True)
        learner.device = Child(
            f"{learner.name}'s device", argv, self.data / "log" / f"device-{learner.id}.log",
            pass_fds=(port,),
        )  # fmt: skip
        learner.device.wait_for_page(learner.page + "/")

    # hands

    def seat(self, learner: Learner) -> None:
        learner.wire.seat()
        learner.seated = True

    def lift(self, learner: Learner) -> None:
        learner.wire.lift()
        learner.seated = False

    def close(self) -> None:
        for child in [*(learner.device for learner in self.learners), self.hub]:
            if child is not None:
                child.stop()
        for learner in self.learners:
            learner.wire.close()


@functools.cache
def built() -> Path:
    """The device's program, compiled once for all wings of this process; it goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="perch-firmware-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build(folder)
    return folder


def now_ms() -> int:
    return time.time_ns() // 1_000_000
