"""Plan -> here -> hub and devices: who belongs to the wing on its first morning, and what changes later.

The first roster is made and signed by two administrators with the production records; devices get their certificates as
an enrolment would leave them. Later changes go through the hub's own rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub_daemon.keys import HubKeys, from_seeds
from hub_daemon.people import Signer
from hub_daemon.store import Store, rosters
from protocol.records import roster as records
from protocol.records import signing
from protocol.records.certificate import Certificate
from protocol.records.roster import Device, Group, Learner, Register, Roster, Staff
from protocol.records.schema import ascending
from sim.box.device_core import DeviceCore
from sim.box.devices import DeviceBox
from sim.box.kernel import START_MS, START_S
from sim.box.plan import WingPlan
from sim.box.streams import entropy

YEAR_S = 365 * 86400
HOSTILE_GROUP = "x"


class Provision:
    """Keys of a wing, all from its seed. `signers` are the members of staff with their keys open."""

    def __init__(self, wing: WingPlan, seed: str) -> None:
        self.wing = wing
        secrets = entropy(seed, "hub/keys")
        self.keys: HubKeys = from_seeds(secrets(32), secrets(32))
        self.signers = {
            person: Signer.of(person, entropy(seed, f"{person}/key")(32))
            for person in (*wing.administrators, *wing.moderators)
        }
        self._seed = seed

    def role_of(self, person: str) -> str:
        return records.ADMINISTRATOR if person in self.wing.administrators else records.MODERATOR

    def first_roster(self, devices: list[DeviceBox], store: Store, hostile: Sequence[DeviceBox] = ()) -> None:
        """Roster 1 with everybody, into the store; every device gets its certificate.

        The learners of the `hostile` devices are in a group of their own: what is approved of theirs reaches them.
        """
        devices = [*devices, *hostile]
        register = Register(devices=ascending([self._registered(box) for box in devices], "id"))
        strangers = [box.learner for box in hostile]
        learners = [Learner(id=one, name=one) for one in sorted([*self.wing.learners, *strangers])]
        groups = {**self.wing.groups, **({HOSTILE_GROUP: strangers} if strangers else {})}
        made = Roster(
            version=1, wing=self.wing.name, issued_s=START_S, hub_x25519=self.keys.x25519_public,
            hub_ed25519=self.keys.ed25519_public, staff=ascending([self._staff(one) for one in self.signers], "public"),
            learners=learners,
            groups=[
                Group(id=name, name=name, version=1, members=sorted(members))
                for name, members in sorted(groups.items())
            ],
            register_digest=register.digest(),
        )  # fmt: skip
        signed = self.put(store, made, register)
        for box, device in ((box, self._registered(box)) for box in devices):
            certificate = Certificate(
                wing=self.wing.name, device=device.id, ed25519=device.ed25519, x25519=device.x25519,
                learner=box.learner, issued_s=START_S, roster_version=1,
            ).sign(self.keys.ed25519, self.keys.ed25519_public)  # fmt: skip
            self._core(box).device.commit_enrolment(certificate, [signed])
            box.flash.take_changes()

    def put(self, store: Store, roster: Roster, register: Register) -> bytes:
        """A roster and its register, signed by the two administrators; returns it signed."""
        body = roster.encode()
        sign1s = [self.signers[one].sign(signing.ROSTER, body) for one in self.wing.administrators[:2]]
        signed = signing.pack_signed(body, sign1s)
        with store.write() as tx:
            rosters.put(tx, roster.version, signed, register.encode(), START_MS)
        return signed

    def _core(self, box: DeviceBox) -> DeviceCore:
        """The device as the factory turns it on: its keys are made at its first start."""
        return DeviceCore(box.flash, entropy(self._seed, f"{box.name}/factory"), START_S)

    def _registered(self, box: DeviceBox) -> Device:
        identity = self._core(box).device.identity
        return Device(
            id=identity.device, ed25519=identity.ed25519, x25519=identity.x25519, learner=box.learner,
            expires_s=START_S + YEAR_S, revoked=False,
        )  # fmt: skip

    def _staff(self, person: str) -> Staff:
        signer = self.signers[person]
        return Staff(
            person=person, name=person, public=signer.public, roles=[self.role_of(person)], expires_s=START_S + YEAR_S
        )


Change = Callable[[Roster], Roster]


def changed(roster: Roster, register: Register, now_s: int, change: Change = lambda roster: roster) -> Roster:
    """The next roster: `change` of the one in force, over this register."""
    made = change(roster)
    return Roster(
        version=roster.version + 1, wing=roster.wing, issued_s=now_s, hub_x25519=roster.hub_x25519,
        hub_ed25519=roster.hub_ed25519, staff=made.staff, learners=made.learners, groups=made.groups,
        register_digest=register.digest(),
    )  # fmt: skip


def revoked(register: Register, device: bytes) -> Register:
    """The register in which this device is revoked."""
    rows = []
    for row in register.devices:
        mine = row.id == device
        rows.append(Device(id=row.id, ed25519=row.ed25519, x25519=row.x25519, learner=row.learner,
                           expires_s=row.expires_s, revoked=row.revoked or mine))  # fmt: skip
    return Register(devices=rows)
