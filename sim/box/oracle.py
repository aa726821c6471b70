"""Bytes of hub and devices -> here -> judges: an independent model of a wing, with the rules and none of our code.

It is told what was committed, as bytes, and reads and verifies all of it by itself with cbor2 and PyNaCl. Then it
answers: may this device hold these bytes, what must it show, what must have become of an item. Format of every record:
protocol/records/records.cddl. Times are unix seconds of the hub's clock.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Any, NamedTuple

import cbor2
import nacl.bindings
import nacl.exceptions

APPROVE, RETURN, REJECT, RECALL = 1, 2, 3, 4
STATE_OF = {APPROVE: "approved", RETURN: "returned", REJECT: "rejected", RECALL: "recalled"}
SEAL = b"Noise_X_25519_ChaChaPoly_SHA256\0"


class Wrong(Exception):
    """A promise is broken: `invariant` which ("S1"), and in words how."""

    def __init__(self, invariant: str, words: str) -> None:
        super().__init__(f"{invariant}: {words}")
        self.invariant, self.words = invariant, words


class Letter(NamedTuple):
    """What an author signed."""

    item: bytes
    device: bytes
    learner: str
    group: str
    parent: bytes | None
    text: str


class Roster(NamedTuple):
    """`staff`: key id -> key, person, roles, expiry. `groups`: id -> members."""

    version: int
    hub: bytes
    staff: dict[bytes, tuple[bytes, str, list[str], int]]
    groups: dict[str, list[str]]


class Decision(NamedTuple):
    """A statement as staff signed it. `renditions`: role -> (digest, length)."""

    digest: bytes
    item: bytes
    action: int
    renditions: dict[str, tuple[bytes, int]]
    group: str | None
    learners: list[str]
    author: str
    parent: bytes | None
    needed: int
    expires_s: int
    words: str
    decided_s: int


class Oracle:
    """One wing. Facts go in with `roster`, `letter`, `decided`; every method raises Wrong at what breaks a promise."""

    def __init__(self, wing: str, hub_x25519: bytes) -> None:
        self.wing = wing
        self.rosters: dict[int, Roster] = {}
        self.newest = 0
        self.devices: dict[bytes, tuple[bytes, str, bool, int]] = {}  # id -> Ed25519, learner, revoked, expiry
        self.letters: dict[bytes, Letter] = {}
        self.in_force: dict[bytes, Decision] = {}
        self.once: dict[bytes, Decision] = {}  # by digest: every statement that ever was in force
        self.state: dict[bytes, str] = {}  # of items that were decided
        self.of_learner: dict[str, set[bytes]] = {}  # items that somebody may hold
        self.met: set[tuple[str, str]] = set()  # who reached whom by an earlier approval, both ways
        self._hub = hub_x25519
        self._good: dict[bytes, bool] = {}  # what was verified before

    # what it is told

    def roster(self, signed: bytes, register: bytes) -> None:
        """The next roster with its register: signed by two administrators of the one before (the first, by its own)."""
        body, sign1s = cbor2.loads(signed)
        row = cbor2.loads(body)
        staff = {_kid(key): (key, person, roles, expiry) for person, _, key, roles, expiry in row[6]}
        made = Roster(row[1], row[5], staff, {one[0]: one[3] for one in row[8]})
        if row[2] != self.wing or made.version != self.newest + 1:
            raise Wrong("S9", f"roster {made.version} of {row[2]} follows roster {self.newest} of {self.wing}")
        if len(self._people(b"perch/roster/1", body, sign1s, "administrator", row[3], made)) < 2:
            raise Wrong("S9", f"roster {made.version} is in force without two administrators")
        if hashlib.sha256(register).digest() != row[9]:
            raise Wrong("S9", f"the register of roster {made.version} is not the signed one")
        self.devices = {one[0]: (one[1], one[3], one[5], one[4]) for one in cbor2.loads(register)[1]}
        self.rosters[made.version] = made
        self.newest = made.version

    def letter(self, sealed: bytes, device: bytes) -> Letter:
        """An envelope that the hub took from this device."""
        item = hashlib.sha256(sealed).digest()
        key, learner, _, _ = self.devices.get(device, (b"", "", True, 0))
        try:
            body, sign1s = cbor2.loads(_open(sealed, self._hub))
            row = cbor2.loads(body)
        except (ValueError, nacl.exceptions.CryptoError) as error:
            raise Wrong("S9", f"an envelope was taken that does not open: {error}") from None
        good = len(sign1s) == 1 and self._verifies(key, b"perch/envelope/1", body, sign1s[0])
        if not good or (row[2], row[4]) != (device, learner):
            raise Wrong("S9", f"an envelope of {row[4]} was taken that the device of {learner} did not sign")
        made = Letter(item, device, learner, row[5], row[6], row[7])
        self.letters[item] = made
        return made

    def decided(self, body: bytes, sign1s: list[bytes]) -> Decision:
        """A statement as it stands committed, with all of its signatures so far; it may come to be in force by that."""
        said = decision(body)
        if said.item not in self.letters:
            raise Wrong("S1", "a decision about what nobody handed over")
        people = self._people(b"perch/decision/1", body, sign1s, "moderator", said.decided_s)
        if not people:
            raise Wrong("S1", f"a decision, {STATE_OF[said.action]}, that no moderator signed")
        strangers = any((said.author, one) not in self.met for one in said.learners)
        needed = max(said.needed, 2 if strangers or set(said.renditions) != {"text"} else 1)
        if said.digest not in self.once and len(people) >= (needed if said.action == APPROVE else 1):
            if said.action != RECALL:
                self._fits(said, self.letters[said.item])
            self._set(said)
        return said

    def _set(self, said: Decision) -> None:
        before, after = self.state.get(said.item, ""), STATE_OF[said.action]
        if (before, after) != ("approved", "recalled") and (before or after == "recalled"):
            raise Wrong("S7", f"an item that was {before or 'undecided'} is {after}")
        old = self.in_force.pop(said.item, None)
        for learner in [] if old is None else old.learners:
            self.of_learner[learner].discard(said.item)
        self.state[said.item] = after
        if said.action != RECALL:
            self.in_force[said.item] = self.once[said.digest] = said
            for learner in said.learners:  # of what is returned the author, who has met nobody by that
                self.of_learner.setdefault(learner, set()).add(said.item)
                self.met |= {(said.author, learner), (learner, said.author)}

    def _fits(self, said: Decision, letter: Letter) -> None:
        """The statement is about this letter, and reaches exactly the people whom it may reach."""
        if (said.author, said.parent) != (letter.learner, letter.parent):
            raise Wrong("S2", f"a decision names {said.author} as the author of what {letter.learner} wrote")
        readers = [letter.learner]
        if said.action == APPROVE:
            members = self.rosters[self.newest].groups.get(letter.group, [])
            readers = [one for one in sorted(members) if one != letter.learner]
        if sorted(said.learners) != readers:
            raise Wrong("S3", f"approved for {said.learners}, and the group of the message is {readers}")

    # what it is asked

    def listed(self, device: bytes, signed: bytes) -> dict[bytes, bytes]:
        """The hub's delivery list for this device: item -> statement's digest. The hub's own signature is verified."""
        body, sign1s = cbor2.loads(signed)
        row = cbor2.loads(body)
        if row[1] != self.wing or row[2] != device:
            raise Wrong("S3", f"a delivery list for device {row[2].hex()} of {row[1]}")
        if len(sign1s) != 1 or not self._verifies(self.rosters[self.newest].hub, b"perch/list/1", body, sign1s[0]):
            raise Wrong("S1", "a delivery list that the hub did not sign")
        return {one[0]: one[1] for one in row[6]}

    def may_hold(self, learner: str, item: bytes, digest: bytes) -> Decision:
        """The decision under which this learner's device may hold the item now."""
        said = self.in_force.get(item)
        if said is None:
            raise Wrong("S1", f"an item that is {self.state.get(item, 'undecided')}")
        if said.digest != digest:
            raise Wrong("S1", "an item under a statement that is not in force")
        self._meant_for(said, learner)
        return said

    def may_keep(self, learner: str, bundle: bytes) -> Decision:
        """As `may_hold` once was: what came before a recall may lie on a device until its next docking."""
        row = cbor2.loads(bundle)
        said = self.once.get(hashlib.sha256(row[1]).digest())
        if said is None:
            raise Wrong("S1", "a statement that was never in force")
        people = self._people(b"perch/decision/1", row[1], row[2], "moderator", said.decided_s)
        if len(people) < max(said.needed, 1 if set(said.renditions) <= {"text"} else 2):
            raise Wrong("S1", f"a statement signed by {len(people)} people")
        self._meant_for(said, learner)
        self.same_text(said, row[3])
        return said

    def _meant_for(self, said: Decision, learner: str) -> None:
        if learner not in said.learners:
            raise Wrong("S3", f"an item for {said.learners}, not for {learner or 'nobody'}")

    def same_text(self, said: Decision, text: bytes | None) -> None:
        """The text is the one that staff signed, and what they signed is what the author wrote."""
        signed = said.renditions.get("text")
        if (None if text is None else (hashlib.sha256(text).digest(), len(text))) != signed:
            raise Wrong("S2", "a text that is not the signed one")
        letter = self.letters[said.item]
        if text is not None and not _same(letter.text, text.decode()):
            raise Wrong("S2", f"a text that is not what {letter.learner} wrote")

    def shown_to(self, learner: str, now_s: int) -> dict[bytes, Decision]:
        """What other people's messages this learner's device shows, once it has docked."""
        groups = self.rosters[self.newest].groups
        held = {item: self.in_force[item] for item in self.of_learner.get(learner, ())}
        mine = {group for group in groups if learner in groups[group]}
        return {
            item: said for item, said in held.items()
            if said.action == APPROVE and said.group in mine and said.expires_s > now_s
        }  # fmt: skip

    def signed_by(self, device: bytes, aad: bytes, body: bytes, sign1: bytes) -> bool:
        """Whether this device signed these bytes as this kind of record."""
        return device in self.devices and self._verifies(self.devices[device][0], aad, body, sign1)

    def _people(self, aad: bytes, body: bytes, sign1s: list[bytes], role: str, at_s: int,
                first: Roster | None = None) -> set[str]:  # fmt: skip
        """The different people with this role on the newest roster (or the first one) whose signatures hold."""
        by = self.rosters.get(self.newest, first)
        found, staff = set(), {} if by is None else by.staff
        for sign1 in sign1s:
            key, person, roles, expiry = staff.get(_kid_of(sign1), (b"", "", [], 0))
            if role in roles and expiry > at_s and self._verifies(key, aad, body, sign1):
                found.add(person)
        return found

    def _verifies(self, key: bytes, aad: bytes, body: bytes, sign1: bytes) -> bool:
        """A COSE_Sign1 with EdDSA over the digest of `body` (RFC 9052 section 4.4)."""
        known = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in (key, aad, body, sign1))).digest()
        if known not in self._good:
            self._good[known] = _verifies(key, aad, body, sign1)
        return self._good[known]


def decision(body: bytes) -> Decision:
    """A statement's fields; nothing is verified."""
    row: dict[int, Any] = cbor2.loads(body)
    shown = {role: (digest, length) for role, digest, length, _ in row[5]}
    group, _, learners = row[6]
    return Decision(hashlib.sha256(body).digest(), row[2], row[4], shown, group, learners,
                    row[7], row[8], row[9], row[10], row[12], row[14])  # fmt: skip


def _same(wrote: str, shown: str) -> bool:
    """Ordinary text byte for byte; what the hub made canonical, by its letters and digits."""
    if wrote.isprintable() and unicodedata.is_normalized("NFC", wrote):
        return wrote.strip() == shown
    both = [unicodedata.normalize("NFKC", text) for text in (wrote, shown)]
    return len({"".join(one for one in text if unicodedata.category(one)[0] in "LN") for text in both}) == 1


def _kid(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:8]


def _kid_of(sign1: bytes) -> bytes:
    return bytes(cbor2.loads(cbor2.loads(sign1).value[0])[4])


def _verifies(key: bytes, aad: bytes, body: bytes, sign1: bytes) -> bool:
    try:
        protected, _, payload, signature = cbor2.loads(sign1).value
        nacl.bindings.crypto_sign_open(signature + cbor2.dumps(["Signature1", protected, aad, payload]), key)
        return bool(payload == hashlib.sha256(body).digest() and cbor2.loads(protected)[1] == -8)
    except (ValueError, AttributeError, LookupError, nacl.exceptions.CryptoError):
        return False


def _open(sealed: bytes, private: bytes) -> bytes:
    """What was sealed to this X25519 key with Noise_X (Noise specification, revision 34, section 5)."""
    digest = chaining = SEAL
    key = b""

    def mix_hash(data: bytes) -> None:
        nonlocal digest
        digest = hashlib.sha256(digest + data).digest()

    def mix_key(public: bytes) -> None:
        nonlocal chaining, key
        secret = hmac.digest(chaining, nacl.bindings.crypto_scalarmult(private, public), "sha256")
        chaining = hmac.digest(secret, b"\1", "sha256")
        key = hmac.digest(secret, chaining + b"\2", "sha256")

    def take(data: bytes) -> bytes:
        opened = nacl.bindings.crypto_aead_chacha20poly1305_ietf_decrypt(data, digest, bytes(12), key)
        mix_hash(data)
        return opened

    for known in (b"perch/envelope/1", nacl.bindings.crypto_scalarmult_base(private), sealed[:32]):
        mix_hash(known)
    mix_key(sealed[:32])
    mix_key(take(sealed[32:80]))
    return take(sealed[80:])
