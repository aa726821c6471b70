"""Pulling bundles: the device names the items of its delivery list that it does not hold.

It travels up as kind "want", beside the wants for chunks of blobs (protocol/blob.py); the two are told
apart by their shape: this one has a single field, a list of items.
"""

from protocol.limits import LIST_ITEMS_MAX
from protocol.records.schema import DIGEST, ListOf, Record, RecordRefused, names


class BundleWantRefused(RecordRefused):
    """A want for bundles is out of shape."""


class BundleWant(Record):
    """Up: send the bundles of these items, ascending; the hub answers each that is on the device's list."""

    items: "list[bytes]"
    FIELDS = (("items", ListOf(DIGEST, LIST_ITEMS_MAX, 1, key="")),)
    __slots__ = names(FIELDS)
    REFUSAL = BundleWantRefused
