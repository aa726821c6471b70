"""A small wing as records, for tests on both interpreters: keys from fixed seeds, good defaults."""

import hashlib

from protocol import crypto
from protocol.records import signing
from protocol.records.bundle import Bundle
from protocol.records.delivery_list import DeliveryList, Listed
from protocol.records.roster import Device, Group, Learner, Register, Roster, Staff
from protocol.records.schema import ascending
from protocol.records.statement import Audience, Rendition, Statement

WING = "wing-b"
NOW = 1_800_000_000
YEAR = 365 * 86400


def digest(data):
    return hashlib.sha256(data).digest()


class Keys:
    """An Ed25519 and an X25519 key pair made from a name."""

    def __init__(self, name):
        backend = crypto.default()
        self.name = name
        self.seed = digest(b"ed25519 " + name.encode())
        self.public = backend.public_key(self.seed)
        self.kid = signing.key_id(self.public)
        self.x_private = digest(b"x25519 " + name.encode())
        self.x_public = backend.x25519(self.x_private, b"\x09" + bytes(31))

    def sign(self, kind, body):
        return signing.sign(kind, self.seed, self.public, body)


_made = {}


def keys(name):
    """The same keys for the same name, made once."""
    if name not in _made:
        _made[name] = Keys(name)
    return _made[name]


def counting_random(start=0):
    """A `random(n)` that never repeats and never surprises."""
    state = [start]

    def random(count):
        out = b""
        while len(out) < count:
            state[0] += 1
            out += digest(b"random" + state[0].to_bytes(8, "big"))
        return out[:count]

    return random


def staff(name, roles=("moderator",), person=None, expires_s=NOW + YEAR):
    return Staff(
        person=person or name,
        name=name[0].upper() + name[1:],
        public=keys(name).public,
        roles=list(roles),
        expires_s=expires_s,
    )


STAFF = (
    ("ada", ("administrator", "moderator")),
    ("ben", ("administrator",)),
    ("mia", ("moderator",)),
    ("noor", ("moderator",)),
)


def roster(version=1, more=(), without=(), **changes):
    """ada and ben are administrators; ada, mia and noor moderators; kit, lee and max learners."""
    people = [staff(name, roles) for name, roles in STAFF if name not in without] + list(more)
    values = {
        "version": version,
        "wing": WING,
        "issued_s": NOW,
        "hub_x25519": keys("hub").x_public,
        "hub_ed25519": keys("hub").public,
        "staff": ascending(people, "public"),
        "learners": [Learner(id=name, name=name[0].upper() + name[1:]) for name in ("kit", "lee", "max")],
        "groups": [Group(id="art", name="Art", version=3, members=["kit", "lee"])],
        "register_digest": register().digest(),
    }
    values.update(changes)
    return Roster(**values)


def device(name, learner, **changes):
    values = {
        "id": keys(name).kid,
        "ed25519": keys(name).public,
        "x25519": keys(name).x_public,
        "learner": learner,
        "expires_s": NOW + YEAR,
        "revoked": False,
    }
    values.update(changes)
    return Device(**values)


def register():
    return Register(devices=ascending([device("slate-1", "kit"), device("slate-2", "lee")], "id"))


def signed(kind, body, *names):
    return signing.pack_signed(body, [keys(name).sign(kind, body) for name in names])


TEXT = b"Hello\nHow did the drawing go?"
ITEM = digest(b"item")


def text_rendition(text=TEXT):
    return Rendition(role="text", digest=digest(text), length=len(text), media_type="text/plain")


def video_renditions():
    return [
        Rendition(role="still", digest=digest(b"still"), length=9000, media_type="image/jpeg"),
        text_rendition(),
        Rendition(role="video", digest=digest(b"video"), length=900_000, media_type="video/webm"),
    ]


def statement(**changes):
    """An approval of kit's post for lee, decided an hour ago."""
    values = {
        "wing": WING,
        "item": ITEM,
        "item_version": 1,
        "action": 1,
        "renditions": [text_rendition()],
        "audience": Audience(group="art", membership_version=3, learners=["lee"]),
        "author": "kit",
        "parent": None,
        "signers_needed": 1,
        "expires_s": NOW + YEAR,
        "reason": 0,
        "words": "",
        "roster_version": 1,
        "decided_s": NOW - 3600,
    }
    values.update(changes)
    return Statement(**values)


def returned(**changes):
    """kit's post comes back to kit."""
    values = {
        "action": 2,
        "renditions": [],
        "audience": Audience(group=None, membership_version=0, learners=["kit"]),
        "reason": 7,
        "words": "Please leave out the surname.",
    }
    values.update(changes)
    return statement(**values)


def bundle(of, *names, text=TEXT):
    """The bundle of a statement with these members of staff's signatures."""
    body = of if isinstance(of, bytes) else of.encode()
    return Bundle(statement=body, signatures=[keys(name).sign("decision", body) for name in names], text=text)


def delivery_list(*statements, **changes):
    """The list of lee's device with these statements on it."""
    values = {
        "wing": WING,
        "device": keys("slate-2").kid,
        "version": 5,
        "issued_s": NOW,
        "roster_version": 1,
        "items": ascending([Listed(item=each.item, statement=each.digest()) for each in statements], "item"),
        "own": [],
    }
    values.update(changes)
    return DeliveryList(**values)
