"""The wing roster: who the staff, the learners and the groups are. Signed by two administrators, versioned.

A device pins the first roster at enrolment and then follows the chain: each next version is signed by two
different administrators of the one before. The register of devices is the hub's own; the roster binds it
by digest, so that two administrators stand behind every device too.
"""

from protocol.limits import (
    AUDIENCE_LEARNERS_MAX,
    DEVICES_MAX,
    GROUPS_MAX,
    LEARNERS_MAX,
    REGISTER_BYTES_MAX,
    STAFF_MAX,
)
from protocol.records import signing
from protocol.records.schema import (
    DEVICE_ID,
    DIGEST,
    IDENT,
    KEY,
    NAME,
    TIME_S,
    VERSION,
    Flag,
    ListOf,
    Record,
    RecordRefused,
    Row,
    RowOf,
    Unfit,
    Word,
    distinct,
    names,
)

MODERATOR = "moderator"
ADMINISTRATOR = "administrator"
GOVERNOR = "governor"
SAFER_CUSTODY = "safer-custody"
ROLES = (ADMINISTRATOR, GOVERNOR, MODERATOR, SAFER_CUSTODY)

ADMINISTRATORS_NEEDED = 2


class RosterRefused(RecordRefused):
    """A roster is out of shape, or does not follow from the one we hold."""


class RegisterRefused(RecordRefused):
    """A register of devices is out of shape."""


class Staff(Row):
    """One key of one member of staff. A person may have two keys for a while; people are what is counted."""

    person: str
    name: str
    public: bytes
    roles: "list[str]"
    expires_s: int
    FIELDS = (
        ("person", IDENT),
        ("name", NAME),
        ("public", KEY),
        ("roles", ListOf(Word(ROLES), len(ROLES), key="")),
        ("expires_s", TIME_S),
    )
    __slots__ = names(FIELDS)


class Learner(Row):
    """A learner and the display name that staff gave."""

    id: str
    name: str
    FIELDS = (("id", IDENT), ("name", NAME))
    __slots__ = names(FIELDS)


class Group(Row):
    """A course or group; `version` counts its changes of membership."""

    id: str
    name: str
    version: int
    members: "list[str]"
    FIELDS = (
        ("id", IDENT),
        ("name", NAME),
        ("version", VERSION),
        ("members", ListOf(IDENT, AUDIENCE_LEARNERS_MAX, key="")),
    )
    __slots__ = names(FIELDS)


class Roster(Record):
    """The roster of one wing: staff by public key, learners and groups by id, all ascending."""

    version: int
    wing: str
    issued_s: int
    hub_x25519: bytes
    hub_ed25519: bytes
    staff: "list[Staff]"
    learners: "list[Learner]"
    groups: "list[Group]"
    register_digest: bytes
    FIELDS = (
        ("version", VERSION),
        ("wing", IDENT),
        ("issued_s", TIME_S),
        ("hub_x25519", KEY),
        ("hub_ed25519", KEY),
        ("staff", ListOf(RowOf(Staff), STAFF_MAX, 2, key="public")),
        ("learners", ListOf(RowOf(Learner), LEARNERS_MAX, key="id")),
        ("groups", ListOf(RowOf(Group), GROUPS_MAX, key="id")),
        ("register_digest", DIGEST),
    )
    __slots__ = names(FIELDS)
    REFUSAL = RosterRefused

    def rules(self) -> None:
        # 8 bytes of a hash can be made to collide by work; a signature must name one key only
        distinct(self.staff, lambda staff: signing.key_id(staff.public), "staff")
        known = {learner.id for learner in self.learners}
        for group in self.groups:
            for member in group.members:
                if member not in known:
                    raise Unfit("groups", f"{group.id} has a member who is no learner")

    def staff_by_key(self, kid: bytes) -> "Staff | None":
        """The entry whose key has the id `kid` (8 bytes)."""
        for staff in self.staff:
            if signing.key_id(staff.public) == kid:
                return staff
        return None

    def learner(self, id: str) -> "Learner | None":
        for learner in self.learners:
            if learner.id == id:
                return learner
        return None

    def group(self, id: str) -> "Group | None":
        for group in self.groups:
            if group.id == id:
                return group
        return None


class Device(Row):
    """One device of the wing: its two public keys and the learner who holds it."""

    id: bytes
    ed25519: bytes
    x25519: bytes
    learner: str
    expires_s: int
    revoked: bool
    FIELDS = (
        ("id", DEVICE_ID),
        ("ed25519", KEY),
        ("x25519", KEY),
        ("learner", IDENT),
        ("expires_s", TIME_S),
        ("revoked", Flag()),
    )
    __slots__ = names(FIELDS)

    def rules(self) -> None:
        if self.id != signing.key_id(self.ed25519):
            raise Unfit("id", "not that of the key")


class Register(Record):
    """Every device of the wing, ascending by id. Stays in the hub; its digest stands in the roster."""

    devices: "list[Device]"
    FIELDS = (("devices", ListOf(RowOf(Device), DEVICES_MAX, key="id")),)
    __slots__ = names(FIELDS)
    REFUSAL = RegisterRefused
    BYTES_MAX = REGISTER_BYTES_MAX

    def rules(self) -> None:
        distinct(self.devices, lambda device: device.x25519, "devices")

    def device(self, id: bytes) -> "Device | None":
        for device in self.devices:
            if device.id == id:
                return device
        return None

    def digest(self) -> bytes:
        """What the roster's register_digest must be."""
        return signing.digest(self.encode())


def accept(current: "Roster | None", signed: bytes) -> Roster:
    """The roster in `signed`, if it may follow `current`.

    With `current` None it is the first one this device sees, trusted because the enrolment is; it must
    still be signed by two administrators that it names itself. Otherwise it is the next version of the
    same wing, signed by two different administrators of `current` whose keys had not expired when it was
    issued. Raises RosterRefused, SignedRefused or one of the signature refusals.
    """
    body, sign1s = signing.unpack_signed(signed)
    roster = Roster.decode(body)
    judge = roster
    if current is not None:
        judge = current
        if roster.wing != current.wing:
            raise RosterRefused("wing", f"{roster.wing}, not {current.wing}")
        if roster.version <= current.version:
            raise RosterRefused("version", f"{roster.version} is not newer than {current.version}")
        if roster.version != current.version + 1:
            raise RosterRefused("version", f"{roster.version} does not follow {current.version}")
    signing.require_people(signing.ROSTER, body, sign1s, judge, ADMINISTRATOR, ADMINISTRATORS_NEEDED, roster.issued_s)
    return roster
