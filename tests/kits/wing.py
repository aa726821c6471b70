"""A small wing in memory: keys, a roster signed by two administrators, decisions, bundles, delivery lists.

For every test that needs signed records; runs on both interpreters. Everything comes from one seed,
so the same test makes the same bytes. Nothing here is a double of production code: the records are
made by protocol/records, as the hub makes them.
"""

from protocol import crypto, noise
from protocol.records import envelope, signing
from protocol.records.bundle import Bundle
from protocol.records.certificate import Certificate
from protocol.records.delivery_list import DeliveryList, Listed, Own
from protocol.records.roster import (
    ADMINISTRATOR,
    MODERATOR,
    Device,
    Group,
    Learner,
    Register,
    Roster,
    Staff,
)
from protocol.records.statement import APPROVE, Audience, Rendition, Statement

START_S = 1_800_000_000
YEAR_S = 365 * 86400


class Seeded:
    """Random bytes that are the same in every run."""

    def __init__(self, seed):
        self._seed = seed if isinstance(seed, bytes) else str(seed).encode()
        self._count = 0

    def __call__(self, count):
        out = b""
        while len(out) < count:
            self._count += 1
            out += crypto.default().sha256(self._seed + self._count.to_bytes(8, "big"))
        return out[:count]


class Key:
    """One Ed25519 key: seed and public."""

    def __init__(self, seed):
        self.seed = seed
        self.public = crypto.default().public_key(seed)


class Person:
    """A member of staff with one key."""

    def __init__(self, person, roles, random):
        self.person = person
        self.roles = sorted(roles)
        self.key = Key(random(32))


class Wing:
    """`wing.roster` is the newest; `wing.signed_rosters` all of them, first to newest."""

    def __init__(self, wing="a-wing", learners=("ann", "ben", "cai"), seed="wing"):
        self.wing = wing
        self.random = Seeded(seed)
        self.hub_private = self.random(32)
        self.hub_x25519 = noise.public_of(self.hub_private)
        self.hub = Key(self.random(32))
        self.staff = {}
        for person, roles in (
            ("ada", (ADMINISTRATOR,)),
            ("bob", (ADMINISTRATOR,)),
            ("may", (MODERATOR,)),
            ("moe", (MODERATOR,)),
        ):
            self.staff[person] = Person(person, roles, self.random)
        self.now_s = START_S
        self.learners = list(learners)
        self.groups = {"reading": list(learners)}
        self.devices = {}
        self.rosters = []
        self.signed_rosters = []
        self.list_versions = {}
        self.new_roster()

    @property
    def roster(self):
        return self.rosters[-1]

    def new_roster(self, signers=("ada", "bob")):
        """The next version, with the staff, learners, groups and devices as they are now; signed."""
        version = len(self.rosters) + 1
        roster = Roster(
            version=version,
            wing=self.wing,
            issued_s=self.now_s,
            hub_x25519=self.hub_x25519,
            hub_ed25519=self.hub.public,
            staff=sorted(
                [
                    Staff(
                        person=p.person,
                        name=p.person,
                        public=p.key.public,
                        roles=p.roles,
                        expires_s=self.now_s + YEAR_S,
                    )
                    for p in self.staff.values()
                ],
                key=lambda row: row.public,
            ),
            learners=[Learner(id=id, name=id[0].upper() + id[1:]) for id in sorted(self.learners)],
            groups=[
                Group(id=id, name=id, version=version, members=sorted(self.groups[id])) for id in sorted(self.groups)
            ],
            register_digest=self.register().digest(),
        )
        body = roster.encode()
        sign1s = [signing.sign(signing.ROSTER, self.staff[s].key.seed, self.staff[s].key.public, body) for s in signers]
        signed = signing.pack_signed(body, sign1s)
        self.rosters.append(roster)
        self.signed_rosters.append(signed)
        return signed

    def register(self):
        return Register(devices=sorted(self.devices.values(), key=lambda row: row.id))

    def certify(self, ed25519, x25519, learner):
        """Register a device for a learner in a new roster; returns its signed certificate."""
        id = signing.key_id(ed25519)
        self.devices[id] = Device(
            id=id, ed25519=ed25519, x25519=x25519, learner=learner, expires_s=self.now_s + YEAR_S, revoked=False
        )
        self.new_roster()
        return Certificate(
            wing=self.wing,
            device=id,
            ed25519=ed25519,
            x25519=x25519,
            learner=learner,
            issued_s=self.now_s,
            roster_version=self.roster.version,
        ).sign(self.hub.seed, self.hub.public)

    def enrol(self, device, learner):
        """Enrol a firmware Device without a wire: certificate and rosters, as the dock commits them."""
        certificate = self.certify(device.identity.ed25519, device.identity.x25519, learner)
        device.commit_enrolment(certificate, self.signed_rosters)

    def open(self, sealed):
        """(content, item) of an envelope, verified as the hub does it."""
        content, body, sign1, sender = envelope.open_sealed(sealed, self.hub_private)
        envelope.verify(content, body, sign1, sender, self.devices[content.device])
        return content, envelope.item_id(sealed)

    def statement(
        self,
        item,
        author,
        text=None,
        media=(),
        audience=None,
        group="reading",
        parent=None,
        action=APPROVE,
        reason=0,
        words="",
        signers_needed=1,
        expires_s=None,
    ):
        """A decision about an item; `media` is [(role, root, size, media type)]."""
        renditions = [
            Rendition(role=role, digest=root, length=size, media_type=kind) for role, root, size, kind in media
        ]
        if text is not None and action == APPROVE:
            data = text.encode()
            renditions.append(
                Rendition(role="text", digest=signing.digest(data), length=len(data), media_type="text/plain")
            )
        if action != APPROVE:
            audience, group = [author], None
        members = self.groups[group] if audience is None else audience
        return Statement(
            wing=self.wing,
            item=item,
            item_version=1,
            action=action,
            renditions=sorted(renditions, key=lambda row: row.role),
            audience=Audience(
                group=group,
                membership_version=0 if group is None else self.roster.group(group).version,
                learners=sorted(members),
            ),
            author=author,
            parent=parent,
            signers_needed=signers_needed,
            expires_s=self.now_s + YEAR_S if expires_s is None else expires_s,
            reason=reason,
            words=words,
            roster_version=self.roster.version,
            decided_s=self.now_s,
        )

    def bundle(self, statement, text=None, signers=("may", "moe")):
        """The encoded bundle of a statement, signed by those members of staff."""
        body = statement.encode()
        sign1s = [
            signing.sign(signing.DECISION, self.staff[s].key.seed, self.staff[s].key.public, body) for s in signers
        ]
        return Bundle(statement=body, signatures=sign1s, text=None if text is None else text.encode()).encode()

    def delivery_list(self, device, statements=(), own=(), version=None):
        """The signed delivery list of a device id: statements it may hold, [(item, state)] of its own."""
        if version is None:
            version = self.list_versions.get(device, 0) + 1
        self.list_versions[device] = max(version, self.list_versions.get(device, 0))
        items = [Listed(item=s.item, statement=s.digest()) for s in statements]
        return DeliveryList(
            wing=self.wing,
            device=device,
            version=version,
            issued_s=self.now_s,
            roster_version=self.roster.version,
            items=sorted(items, key=lambda row: row.item),
            own=sorted([Own(item=item, state=state) for item, state in own], key=lambda row: row.item),
        ).sign(self.hub.seed, self.hub.public)
