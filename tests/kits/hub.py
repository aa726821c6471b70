"""A hub's data directory with a provisioned wing, for tests of the hub in this process and in processes of its own.

Rosters are signed by two administrators and go through the real store; approvals go through the real moderation. Only
Argon2id is left out: the people's keys are made here and stay in memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from pathlib import Path

from hub_daemon.blobs import BlobStore
from hub_daemon.exchange import Exchange
from hub_daemon.keys import load_or_make, write_secret
from hub_daemon.media.pipeline import Pipeline
from hub_daemon.moderation import Moderation
from hub_daemon.people import Signer
from hub_daemon.store import Store, items, rosters
from hub_daemon.wing import Wing
from protocol.records import signing
from protocol.records.certificate import Certificate
from protocol.records.roster import Device, Group, Learner, Register, Roster, Staff
from tests.kits.docked import WAIT_S_MAX, DeviceKeys, DockedDevice, wait_for

ROOT = Path(__file__).resolve().parents[2]
WING = "a-wing"
YEAR_S = 365 * 86400


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class HubWing:
    """Everything of one hub that is on the disk. `store` is open in this process as well.

    With `random` and `clock_ms` given, the same calls make the same bytes.
    """

    def __init__(
        self,
        data: Path,
        learners: tuple[str, ...] = ("ann", "ben", "cai"),
        random: Callable[[int], bytes] = os.urandom,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.data = data
        self.clock_ms = clock_ms
        data.mkdir(parents=True, exist_ok=True)
        if random is not os.urandom:
            (data / "keys").mkdir(exist_ok=True)
            write_secret(data / "keys" / "hub.key", random(64))
        self.keys = load_or_make(data / "keys")
        self.store = Store(data / "hub.sqlite3")
        self.blobs = BlobStore(data / "blobs")
        self.staff = {
            person: (Signer.of(person, random(32)), roles)
            for person, roles in {
                "ada": ["administrator"], "bob": ["administrator"], "may": ["moderator"], "moe": ["moderator"],
            }.items()
        }  # fmt: skip
        self.learners = learners
        self.groups = {"reading": list(learners)}
        self.devices: list[Device] = []
        self.roster: Roster | None = None
        self.new_roster()

    def new_roster(self) -> Roster:
        """The next version with staff, learners, groups and devices as they are now."""
        version = 1 if self.roster is None else self.roster.version + 1
        now_s = self.clock_ms() // 1000
        register = Register(devices=sorted(self.devices, key=lambda one: one.id))
        made = Roster(
            version=version, wing=WING, issued_s=now_s, hub_x25519=self.keys.x25519_public,
            hub_ed25519=self.keys.ed25519_public,
            staff=sorted(
                (
                    Staff(person=p, name=p, public=s.public, roles=roles, expires_s=now_s + YEAR_S)
                    for p, (s, roles) in self.staff.items()
                ),
                key=lambda one: one.public,
            ),
            learners=[Learner(id=one, name=one) for one in sorted(self.learners)],
            groups=[
                Group(id=name, name=name, version=version, members=sorted(members))
                for name, members in sorted(self.groups.items())
            ],
            register_digest=register.digest(),
        )  # fmt: skip
        body = made.encode()
        sign1s = [self.staff[one][0].sign(signing.ROSTER, body) for one in ("ada", "bob")]
        with self.store.write() as tx:
            rosters.put(tx, version, signing.pack_signed(body, sign1s), register.encode(), self.clock_ms())
        self.roster = made
        return made

    def enrol(self, learner: str) -> DeviceKeys:
        """A device that is in the register, without a conversation."""
        keys = DeviceKeys()
        self.certify(keys.ed25519, keys.x25519, learner)
        return keys

    def certify(self, ed25519: bytes, x25519: bytes, learner: str) -> bytes:
        """Put a device into the register with a new roster; returns its signed certificate."""
        now_s = self.clock_ms() // 1000
        device = signing.key_id(ed25519)
        self.devices.append(
            Device(
                id=device, ed25519=ed25519, x25519=x25519, learner=learner, expires_s=now_s + YEAR_S, revoked=False
            )
        )
        version = self.new_roster().version
        return Certificate(
            wing=WING, device=device, ed25519=ed25519, x25519=x25519, learner=learner, issued_s=now_s,
            roster_version=version,
        ).sign(self.keys.ed25519, self.keys.ed25519_public)  # fmt: skip

    def signed_rosters(self) -> list[bytes]:
        """Every roster from the first to the newest."""
        with self.store.read() as tx:
            return [one.signed for one in rosters.since(tx, 0)]

    def device(self, learner: str) -> DockedDevice:
        return DockedDevice(WING, self.enrol(learner), self.keys.x25519_public, learner)

    def exchange(self, per_day_max: int = 100) -> Exchange:
        """An exchange over this store, in this process."""
        return Exchange(self.store, self.keys, self.blobs, Wing(self.store, self.keys, WING), per_day_max)

    def ingest(self) -> None:
        """The media worker's work for everything that waits."""
        pipeline = Pipeline(self.store, self.blobs, self.keys, self.clock_ms)
        while pipeline.step():
            pass

    def moderation(self) -> Moderation:
        def roster() -> Roster:
            assert self.roster is not None
            return self.roster

        return Moderation(self.store, roster, self.blobs, self.clock_ms, lambda item: None)

    def approve(self, item: bytes) -> None:
        """Moderators read and approve `item`, which must wait in the queue."""
        moderation = self.moderation()
        for person in ("may", "moe"):
            dealt: list[bytes] = []
            while (found := moderation.deal(person)) is not None and found != item:
                dealt.append(found)
                with self.store.read() as tx:
                    entry = items.get(tx, found)
                assert entry is not None and len(dealt) < 50
                moderation.release(person, found, entry.version)
            assert found == item, "the item is not in the queue"
            view = moderation.view(person, item)
            signer = self.staff[person][0]
            if moderation.approve(person, item, view.item.version, signer, view.seen) == "approved":
                return
        raise AssertionError("two people were not enough")

    def item(self, item: bytes) -> items.Item | None:
        with self.store.read() as tx:
            return items.get(tx, item)


class Bayline:
    """One serial wire: a pty whose far end `fd` is the device's. The slave stays open, so that no end hangs up."""

    def __init__(self) -> None:
        self.fd, self._slave = os.openpty()
        tty.setraw(self._slave)
        tty.setraw(self.fd)
        self.path = os.ttyname(self._slave)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._slave)


class HubProcess:
    """A real `perch hub` on a data directory, with these bays; killed and started again at will."""

    def __init__(self, data: Path, bays: dict[str, str], *more: str) -> None:
        self.data = data
        self.argv = [
            sys.executable, "-m", "perch", "hub", "--data", str(data), "--wing", WING, "--page", "none", *more,
        ]  # fmt: skip
        for name, path in bays.items():
            self.argv += ["--bay", f"{name}={path}"]
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data / "test.log"

    def start(self) -> float:
        """Seconds until it said that it is up."""
        began = time.monotonic()
        out = self.log.open("ab")
        size = self.log.stat().st_size
        self.process = subprocess.Popen(self.argv, cwd=ROOT, stdout=out, stderr=out)
        out.close()
        up = wait_for(lambda: b"is up (" in self.log.read_bytes()[size:] or self.process.poll() is not None)
        assert up and self.process.poll() is None, self.log.read_text()[-2000:]
        return time.monotonic() - began

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WAIT_S_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode

    def broker_pid(self) -> int | None:
        """The supervised mosquitto of this hub, while there is one."""
        return self._child("mosquitto")

    def hold_transcode(self) -> int | None:
        """Stops the media worker's process where it is, so that its transcode never ends; None while there is none."""
        found = self._child("hub_daemon.media.worker")
        if found is None:
            return None
        try:
            os.kill(found, signal.SIGSTOP)
            stopped = wait_for(lambda: state_of(found) in "TZX")
        except OSError:
            return None  # it ended just then
        return found if stopped and state_of(found) == "T" else None

    def _child(self, words: str) -> int | None:
        """The process with these words in its command line that this hub started."""
        assert self.process is not None
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread or a process that ended just then
                for pid in task.read_text().split():
                    if words in Path(f"/proc/{pid}/cmdline").read_text():
                        return int(pid)
        return None


def state_of(pid: int) -> str:
    """The letter that Linux gives a process: R, S, T (stopped), Z; X when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
