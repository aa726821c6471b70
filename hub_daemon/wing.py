"""Who belongs to the wing: newest roster and register, taken from the store only when signatures hold.

The database is not trusted: the whole chain of rosters is verified from the first, and the register must have the
digest that the roster names. A row somebody edited is a refusal with a name, not a new member of the wing.
"""

from __future__ import annotations

from hub_daemon.keys import HubKeys
from hub_daemon.store import Store, Tx, rosters
from protocol.errors import Refusal
from protocol.records import roster as roster_records
from protocol.records.roster import Device, Register, Roster


class WingRefused(Refusal):
    """The stored roster is another wing's, another hub's, or no chain of signed rosters."""


class RegisterEdited(Refusal):
    """The stored register of devices is not the one whose digest two administrators signed."""


class NoRoster(Refusal):
    """The wing has no roster yet: two administrators must be made first (perch staff add)."""


class Wing:
    """The verified roster and register of `wing`. `load` looks for newer ones and verifies only those."""

    def __init__(self, store: Store, keys: HubKeys, wing: str) -> None:
        self.store = store
        self.keys = keys
        self.wing = wing
        self._roster: Roster | None = None
        self._register: Register | None = None

    def load(self, tx: Tx | None = None) -> bool:
        """Take what is new in the store; True when something was. Raises WingRefused or RegisterEdited."""
        if tx is None:
            with self.store.read() as reading:
                return self.load(reading)
        version = 0 if self._roster is None else self._roster.version
        newest = rosters.newest_version(tx)
        if newest == version:
            return False
        if newest < version:
            raise WingRefused(f"the store holds roster {newest}, and {version} was in force: it was put back")
        current, register = self._roster, self._register
        for stored in rosters.since(tx, version, newest - version):
            try:
                current = roster_records.accept(current, stored.signed)
            except Refusal as refusal:
                raise WingRefused(
                    f"roster {stored.version} in the store: {refusal.name}: {refusal}"
                ) from refusal
            register = self._register_of(current, stored)
        assert current is not None
        self._check(current)
        self._roster, self._register = current, register
        return True

    def _register_of(self, roster: Roster, stored: rosters.StoredRoster) -> Register:
        try:
            register = Register.decode(stored.register)
        except Refusal as refusal:
            raise RegisterEdited(f"register of roster {stored.version}: {refusal}") from refusal
        if register.digest() != roster.register_digest:
            raise RegisterEdited(f"the register of roster {stored.version} is not the signed one")
        return register

    def _check(self, roster: Roster) -> None:
        if roster.wing != self.wing:
            raise WingRefused(f"the roster is of wing {roster.wing}, the configuration says {self.wing}")
        if (roster.hub_x25519, roster.hub_ed25519) != (self.keys.x25519_public, self.keys.ed25519_public):
            raise WingRefused("the roster names another hub's keys: put back the backup of DATA/keys")

    @property
    def known(self) -> bool:
        return self._roster is not None

    @property
    def roster(self) -> Roster:
        """The roster in force; raises NoRoster."""
        if self._roster is None:
            raise NoRoster("there is no roster yet: make two administrators with perch staff add")
        return self._roster

    @property
    def register(self) -> Register:
        """The register in force; raises NoRoster."""
        if self._register is None:
            raise NoRoster("there is no roster yet: make two administrators with perch staff add")
        return self._register

    def device_by_static(self, x25519: bytes) -> Device | None:
        """The registered device that has this X25519 key, revoked or not."""
        if self._register is None:
            return None
        for device in self._register.devices:
            if device.x25519 == x25519:
                return device
        return None
