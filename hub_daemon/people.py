"""`perch staff` and the staff page -> here -> store: accounts, their signing keys, and changes of the roster.

A person's Ed25519 seed is kept only sealed under Argon2id of their pass phrase; whoever opens it is that
person. Accounts can be made by the operator, but they mean nothing until the roster names them, and the
roster takes two different administrators: nobody, the operator included, makes staff alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import nacl.exceptions
import nacl.pwhash.argon2id as argon2id
import nacl.secret

from hub_daemon.keys import HubKeys
from hub_daemon.limits import (
    KDF_MEMORY_BYTES,
    KDF_MEMORY_BYTES_MAX,
    KDF_OPS,
    PASS_PHRASE_CHARS_MAX,
    PASS_PHRASE_CHARS_MIN,
)
from hub_daemon.store import Store, Tx, log, people, queue, rosters
from hub_daemon.store.people import Person, Proposal
from protocol import cbor, crypto
from protocol.errors import Refusal
from protocol.records import roster as record
from protocol.records import signing
from protocol.records.roster import Group, Learner, Register, Roster, Staff
from protocol.records.schema import ascending

STAFF_KEY_DAYS = 730  # a staff key lapses unless two administrators renew it
DAY_S = 86400


class WrongPassPhrase(Refusal):
    """The account is unknown, disabled, or its key does not open: the caller is not told which."""


class WeakPassPhrase(Refusal):
    """The pass phrase is too easily guessed; the message says what to do."""


class PersonRefused(Refusal):
    """An account cannot be made or used so; the message says why."""


class ChangeRefused(Refusal):
    """A roster change cannot be made, signed or taken; the message says why."""


@dataclass(frozen=True, repr=False)
class Signer:
    """A person with their key open. Lives as long as one request or one command."""

    person: str
    public: bytes
    seed: bytes

    @classmethod
    def of(cls, person: str, seed: bytes) -> Signer:
        return cls(person, crypto.default().public_key(seed), seed)

    def sign(self, kind: str, body: bytes) -> bytes:
        return signing.sign(kind, self.seed, self.public, body)

    def __repr__(self) -> str:
        return f"Signer({self.person})"


def check_pass_phrase(pass_phrase: str, person: str, name: str) -> None:
    """Raise WeakPassPhrase unless it is long, varied and not made of the account's own name."""
    if len(pass_phrase) < PASS_PHRASE_CHARS_MIN:
        raise WeakPassPhrase(f"The pass phrase needs at least {PASS_PHRASE_CHARS_MIN} letters: use three or four words")
    if len(pass_phrase) > PASS_PHRASE_CHARS_MAX:
        raise WeakPassPhrase(f"The pass phrase is longer than {PASS_PHRASE_CHARS_MAX} letters")
    if len(set(pass_phrase.lower())) < 6:
        raise WeakPassPhrase("The pass phrase repeats the same few letters: use three or four different words")
    plain = pass_phrase.lower()
    rest = plain.replace(person.lower(), "")
    for part in name.lower().split():
        rest = rest.replace(part, "")
    if len(rest) < PASS_PHRASE_CHARS_MIN // 2:
        raise WeakPassPhrase("The pass phrase is little more than the name: use three or four other words")


def _stretch(pass_phrase: str, salt: bytes, ops: int, memory: int) -> bytes:
    return argon2id.kdf(nacl.secret.SecretBox.KEY_SIZE, pass_phrase.encode(), salt, ops, memory)


def seal_seed(seed: bytes, pass_phrase: str, memory: int = KDF_MEMORY_BYTES) -> tuple[bytes, bytes]:
    """(sealed seed, CBOR of salt and costs)."""
    salt = os.urandom(argon2id.SALTBYTES)
    key = _stretch(pass_phrase, salt, KDF_OPS, memory)
    return bytes(nacl.secret.SecretBox(key).encrypt(seed)), cbor.dumps({1: salt, 2: KDF_OPS, 3: memory})


def open_seed(sealed: bytes, kdf: bytes, pass_phrase: str) -> bytes:
    """The seed; WrongPassPhrase. Costs from the database are bounded: an edited row must not exhaust the hub."""
    try:
        values = cbor.loads(kdf)
        salt, ops, memory = values[1], values[2], values[3]
        if not (isinstance(salt, bytes) and 1 <= ops <= 16 and 8192 <= memory <= KDF_MEMORY_BYTES_MAX):
            raise WrongPassPhrase("the account's record is damaged")
        return bytes(nacl.secret.SecretBox(_stretch(pass_phrase, salt, ops, memory)).decrypt(sealed))
    except (nacl.exceptions.CryptoError, cbor.CborError, KeyError, TypeError, ValueError):
        raise WrongPassPhrase("the name or the pass phrase is not right") from None


class People:
    """Accounts and roster of one hub. `clock()` is unix milliseconds; `on_roster()` runs after a new roster.

    `memory` is Argon2id's cost for new accounts; only simulations of many people give a smaller one.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        on_roster: Callable[[], object] = lambda: None,
        memory: int = KDF_MEMORY_BYTES,
    ) -> None:
        self.memory = memory
        self.store = store
        self.clock = clock
        self.on_roster = on_roster
        self._cache: tuple[int, Roster] | None = None

    # accounts

    def create(self, person: str, name: str, roles: tuple[str, ...], pass_phrase: str) -> bytes:
        """A new account with a new key; returns the public key. The roster does not name it yet."""
        check_pass_phrase(pass_phrase, person, name)
        seed = os.urandom(32)
        public = crypto.default().public_key(seed)
        entry = staff_of(person, name, public, roles, self.clock() // 1000)
        sealed, kdf = seal_seed(seed, pass_phrase, self.memory)
        now = self.clock()
        with self.store.write() as tx:
            if people.get(tx, person) is not None:
                raise PersonRefused(f"there is an account {person} already")
            people.insert(tx, Person(person, name, tuple(entry.roles), public, sealed, kdf, now))
            log.append(tx, now, "hub", "account made", None, f"{person}: {' '.join(entry.roles)}")
        return public

    def unlock(self, person: str, pass_phrase: str) -> Signer:
        """Open the person's key; WrongPassPhrase takes as long for an unknown name as for a known one."""
        with self.store.read() as tx:
            found = people.get(tx, person)
            closed = queue.person_disabled(tx, person)
        if found is None or closed:
            _stretch(pass_phrase[:PASS_PHRASE_CHARS_MAX], bytes(argon2id.SALTBYTES), KDF_OPS, self.memory)
            raise WrongPassPhrase("the name or the pass phrase is not right")
        seed = open_seed(found.sealed_seed, found.kdf, pass_phrase)
        signer = Signer.of(person, seed)
        if signer.public != found.public:
            raise WrongPassPhrase("the name or the pass phrase is not right")
        return signer

    def change_pass_phrase(self, person: str, old: str, new: str) -> None:
        """The same key under a new pass phrase."""
        signer = self.unlock(person, old)
        with self.store.read() as tx:
            found = people.get(tx, person)
        check_pass_phrase(new, person, found.name if found else "")
        sealed, kdf = seal_seed(signer.seed, new, self.memory)
        with self.store.write() as tx:
            people.set_sealed_seed(tx, person, sealed, kdf)
            log.append(tx, self.clock(), person, "pass phrase changed")

    def disable(self, person: str, by: str) -> None:
        """The account cannot log in from now on. One person may: it is the safe direction."""
        now = self.clock()
        with self.store.write() as tx:
            if not queue.disable_person(tx, person, now):
                raise PersonRefused(f"there is no working account {person}")
            log.append(tx, now, by, "account disabled", None, person)

    def active(self, person: str) -> bool:
        with self.store.read() as tx:
            return people.get(tx, person) is not None and not queue.person_disabled(tx, person)

    def everybody(self) -> list[tuple[Person, bool]]:
        """All accounts, each with whether it works."""
        with self.store.read() as tx:
            return [(entry, not queue.person_disabled(tx, entry.person)) for entry in people.everybody(tx)]

    # the roster

    def roster_or_none(self) -> Roster | None:
        """The roster in force, or None before the first two administrators made one."""
        with self.store.read() as tx:
            version = rosters.newest_version(tx)
            if version == 0:
                return None
            if self._cache is None or self._cache[0] != version:
                # the database is not trusted: the chain of signatures is, from the first roster on
                found: Roster | None = None
                for stored in rosters.since(tx, 0, version):
                    found = record.accept(found, stored.signed)
                assert found is not None
                self._cache = (version, found)
            return self._cache[1]

    def roster(self) -> Roster:
        found = self.roster_or_none()
        if found is None:
            raise ChangeRefused("the wing has no roster yet: make two administrators with `perch staff add`")
        return found

    def register(self) -> Register:
        with self.store.read() as tx:
            stored = rosters.newest(tx)
        return Register(devices=[]) if stored is None else Register.decode(stored.register)

    def bootstrap(self, wing: str, keys: HubKeys, first: Signer, second: Signer) -> Roster:
        """Roster 1 with every account made so far, signed by two administrators it names."""
        now = self.clock()
        if first.person == second.person:
            raise ChangeRefused("the first roster takes two different administrators")
        register = Register(devices=[])
        with self.store.read() as tx:
            staff = [
                staff_of(one.person, one.name, one.public, one.roles, now // 1000) for one in people.everybody(tx)
            ]
        made = Roster(
            version=1, wing=wing, issued_s=now // 1000, hub_x25519=keys.x25519_public,
            hub_ed25519=keys.ed25519_public, staff=ascending(staff, "public"), learners=[], groups=[],
            register_digest=register.digest(),
        )
        body = made.encode()
        signed = signing.pack_signed(body, [one.sign(signing.ROSTER, body) for one in (first, second)])
        record.accept(None, signed)
        with self.store.write() as tx:
            if rosters.newest_version(tx):
                raise ChangeRefused("this wing has a roster already; change it with two administrators")
            self._commit(tx, made, signed, register.encode(), f"{first.person} and {second.person}", now)
        self.on_roster()
        return made

    def propose(self, signer: Signer, change: Callable[[Roster], Roster], why: str) -> int:
        """One administrator signs the next roster, made by `change` from the one in force; a second one must too."""
        now = self.clock()
        current = self.roster()
        self._administrator(current, signer)
        with self.store.read() as tx:
            stored = rosters.newest(tx)
        assert stored is not None
        made = change(current)
        made = Roster(
            version=current.version + 1, wing=current.wing, issued_s=now // 1000, hub_x25519=current.hub_x25519,
            hub_ed25519=current.hub_ed25519, staff=made.staff, learners=made.learners, groups=made.groups,
            register_digest=current.register_digest,
        )
        body = made.encode()
        with self.store.write() as tx:
            sign1 = signer.sign(signing.ROSTER, body)
            proposal = Proposal(0, current.version, body, stored.register, why, signer.person, sign1, now, "open")
            number = people.propose(tx, proposal)
            log.append(tx, now, signer.person, "roster proposed", None, f"{made.version}: {why}")
        return number

    def countersign(self, number: int, signer: Signer) -> Roster:
        """The second administrator: the same bytes, then the new roster is in force."""
        now = self.clock()
        current = self.roster()
        self._administrator(current, signer)
        outdated = False
        with self.store.write() as tx:
            proposal = people.proposal(tx, number)
            if proposal is None or proposal.state != "open":
                raise ChangeRefused("this change is no longer open: somebody signed or refused it")
            if proposal.person == signer.person:
                raise ChangeRefused("you proposed this change; the second signature is another administrator's")
            made = Roster.decode(proposal.body)
            if proposal.base_version != rosters.newest_version(tx):
                people.close_proposal(tx, number, "outdated")
                outdated = True
            else:
                sign1s = [proposal.sign1, signer.sign(signing.ROSTER, proposal.body)]
                signed = signing.pack_signed(proposal.body, sign1s)
                record.accept(current, signed)
                people.close_proposal(tx, number, "done")
                self._commit(tx, made, signed, proposal.register, f"{proposal.person} and {signer.person}", now)
        if outdated:
            raise ChangeRefused("the roster changed since this was proposed: propose it again")
        self.on_roster()
        return made

    def refuse(self, number: int, person: str) -> None:
        """Withdraw or refuse an open change; one administrator may."""
        with self.store.write() as tx:
            if not people.close_proposal(tx, number, "refused"):
                raise ChangeRefused("this change is no longer open")
            log.append(tx, self.clock(), person, "roster change refused", None, str(number))

    def proposals(self) -> list[Proposal]:
        """What waits for a second administrator and still can be signed."""
        with self.store.read() as tx:
            base = rosters.newest_version(tx)
            return [one for one in people.open_proposals(tx) if one.base_version == base]

    def _commit(self, tx: Tx, made: Roster, signed: bytes, register: bytes, who: str, now: int) -> None:
        rosters.put(tx, made.version, signed, register, now)
        log.append(tx, now, who, "roster in force", None, f"version {made.version}")

    def _administrator(self, roster: Roster, signer: Signer) -> None:
        for member in roster.staff:
            if member.public == signer.public and member.person == signer.person:
                if record.ADMINISTRATOR in member.roles:
                    return
        raise ChangeRefused(f"{signer.person} is not an administrator in the roster in force")


def staff_of(person: str, name: str, public: bytes, roles: tuple[str, ...], now_s: int) -> Staff:
    """A roster entry; PersonRefused for an unknown role."""
    unknown = [role for role in roles if role not in record.ROLES]
    if unknown or not roles:
        raise PersonRefused(f"roles are {', '.join(record.ROLES)}; not {', '.join(unknown) or 'none'}")
    expires_s = now_s + STAFF_KEY_DAYS * DAY_S
    entry = Staff(person=person, name=name, public=public, roles=sorted(set(roles)), expires_s=expires_s)
    try:
        Staff.read(entry.plain())
    except Exception as unfit:
        raise PersonRefused(str(unfit)) from None
    return entry


# changes: each makes the next roster's lists from the one in force


def _with(roster: Roster, **lists: object) -> Roster:
    values = {name: getattr(roster, name) for name, _ in Roster.FIELDS}
    values.update(lists)
    return Roster(**values)


def with_staff(entry: Staff) -> Callable[[Roster], Roster]:
    """Add a key, or put new roles, name and expiry to the same key."""

    def change(roster: Roster) -> Roster:
        rest = [one for one in roster.staff if one.public != entry.public]
        return _with(roster, staff=ascending([*rest, entry], "public"))

    return change


def without_staff(person: str) -> Callable[[Roster], Roster]:
    def change(roster: Roster) -> Roster:
        if all(one.person != person for one in roster.staff):
            raise ChangeRefused(f"the roster names no {person}")
        return _with(roster, staff=[one for one in roster.staff if one.person != person])

    return change


def with_learner(learner: str, name: str, groups: tuple[str, ...] = ()) -> Callable[[Roster], Roster]:
    """Add a learner, or give one a new name; and put them into groups."""

    def change(roster: Roster) -> Roster:
        rest = [one for one in roster.learners if one.id != learner]
        made = _with(roster, learners=ascending([*rest, Learner(id=learner, name=name)], "id"))
        for group in groups:
            found = made.group(group)
            if found is None:
                raise ChangeRefused(f"there is no group {group}")
            made = with_group(group, found.name, tuple({*found.members, learner}))(made)
        return made

    return change


def with_group(group: str, name: str, members: tuple[str, ...]) -> Callable[[Roster], Roster]:
    """Add a group or change one; its version counts changes of membership."""

    def change(roster: Roster) -> Roster:
        before = roster.group(group)
        unknown = [member for member in members if roster.learner(member) is None]
        if unknown:
            raise ChangeRefused(f"no learner {', '.join(unknown)} in the roster")
        wanted = sorted(set(members))
        version = 1 if before is None else before.version + (wanted != list(before.members))
        rest = [one for one in roster.groups if one.id != group]
        made = Group(id=group, name=name, version=version, members=wanted)
        return _with(roster, groups=ascending([*rest, made], "id"))

    return change


def all_of(*changes: Callable[[Roster], Roster]) -> Callable[[Roster], Roster]:
    """Several changes under one pair of signatures."""

    def change(roster: Roster) -> Roster:
        for one in changes:
            roster = one(roster)
        return roster

    return change
