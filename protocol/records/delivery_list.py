"""The delivery list: the hub's signed word on what one device may hold now. What is not on it is recalled."""

from protocol.errors import Refusal
from protocol.limits import LIST_ITEMS_MAX, OWN_ITEMS_MAX
from protocol.records import signing
from protocol.records.schema import (
    DEVICE_ID,
    DIGEST,
    IDENT,
    TIME_S,
    VERSION,
    Choice,
    ListOf,
    Record,
    RecordRefused,
    Row,
    RowOf,
    names,
)

HANDED_OVER = 1
BEING_READ = 2
APPROVED = 3
DELIVERED = 4
RETURNED = 5
REJECTED = 6
STATES = ("handed over", "being read", "approved", "delivered", "returned", "rejected")


class ListRefused(RecordRefused):
    """A delivery list is out of shape, or is not this device's."""


class ListOlder(Refusal):
    """A delivery list is older than the one held: a recall could be undone by it."""


class ListForked(Refusal):
    """Two different delivery lists have one version: the hub or somebody between says two things."""


class Listed(Row):
    """An item that the device may hold, by the digest of the statement that allows it."""

    item: bytes
    statement: bytes
    FIELDS = (("item", DIGEST), ("statement", DIGEST))
    __slots__ = names(FIELDS)


class Own(Row):
    """What has become of an envelope of this device."""

    item: bytes
    state: int
    FIELDS = (("item", DIGEST), ("state", Choice(STATES)))
    __slots__ = names(FIELDS)


class DeliveryList(Record):
    """`issued_s` is the hub's time; it is the only time that decides on expiry."""

    wing: str
    device: bytes
    version: int
    issued_s: int
    roster_version: int
    items: "list[Listed]"
    own: "list[Own]"
    FIELDS = (
        ("wing", IDENT),
        ("device", DEVICE_ID),
        ("version", VERSION),
        ("issued_s", TIME_S),
        ("roster_version", VERSION),
        ("items", ListOf(RowOf(Listed), LIST_ITEMS_MAX, key="item")),
        ("own", ListOf(RowOf(Own), OWN_ITEMS_MAX, key="item")),
    )
    __slots__ = names(FIELDS)
    REFUSAL = ListRefused

    def statement_of(self, item: bytes) -> "bytes | None":
        """The statement digest that `item` may be shown under, or None when it may not be held."""
        for listed in self.items:
            if listed.item == item:
                return listed.statement
        return None

    def state_of(self, item: bytes) -> "int | None":
        for own in self.own:
            if own.item == item:
                return own.state
        return None

    def sign(self, seed: bytes, public: bytes) -> bytes:
        """The signed list, by the hub's release key."""
        body = self.encode()
        return signing.pack_signed(body, [signing.sign(signing.LIST, seed, public, body)])


def accept(current: "DeliveryList | None", signed: bytes, hub_ed25519: bytes, device: bytes, wing: str) -> DeliveryList:
    """The list in `signed`, if it may take the place of `current`.

    Raises ListRefused (shape, another device, another wing), ListOlder, ListForked, SignedRefused or
    SignatureRefused. The same list again is taken: a docking that was cut repeats it.
    """
    made = DeliveryList.decode(signing.open_signed(signing.LIST, hub_ed25519, signed))
    if made.device != device:
        raise ListRefused("device", f"{made.device.hex()}, not {device.hex()}")
    if made.wing != wing:
        raise ListRefused("wing", f"{made.wing}, not {wing}")
    if current is not None:
        if made.version < current.version:
            raise ListOlder(f"version {made.version}, older than {current.version}")
        if made.version == current.version and made != current:
            raise ListForked(f"two lists of version {made.version}")
    return made
