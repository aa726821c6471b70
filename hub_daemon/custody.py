"""Exchange -> here -> store: whether an envelope may be taken, and the one transaction that takes it.

Judged before anything is kept: seal, keys, learner, counter, group, thread, the day's number. Taken means that the
envelope, its item and its blob stand in the database and on the disk; only then may anybody say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon import refusals
from hub_daemon.keys import HubKeys
from hub_daemon.limits import ARRIVING_PER_DEVICE_MAX
from hub_daemon.store import Tx, blobs, envelopes, items, lists, log
from protocol.records import envelope as records
from protocol.records.envelope import Content
from protocol.records.roster import Device, Roster

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Judged:
    """A verified envelope: who made it is proven, and it may be taken."""

    item: bytes
    sealed: bytes
    content: Content


def already_taken(tx: Tx, item: bytes, device: bytes) -> bool:
    """Whether this very envelope of this device is in custody; raises EnvelopeForeign for another's."""
    taken = envelopes.get(tx, item)
    if taken is None:
        return False
    if taken.device != device:
        raise refusals.EnvelopeForeign(f"item {item.hex()[:16]} came from device {taken.device.hex()}")
    return True


def judge(
    tx: Tx, sealed: bytes, device: Device, roster: Roster, keys: HubKeys, per_day_max: int, now_ms: int
) -> Judged:
    """Open and verify an envelope that `device` hands over; raises a named refusal.

    `device` is the register's entry for the key that authenticated the session, never what the envelope says.
    """
    content, body, sign1, sender = records.open_sealed(sealed, keys.x25519)
    records.verify(content, body, sign1, sender, device)
    item = records.item_id(sealed)
    other = envelopes.at_counter(tx, device.id, content.counter)
    if other is not None and other != item:
        raise refusals.CounterReused(f"counter {content.counter} was item {other.hex()[:16]}")
    group = roster.group(content.group)
    if group is None:
        raise refusals.GroupUnknown(f"group {content.group}")
    if device.learner not in group.members:
        raise refusals.NotInGroup(f"{device.learner} is not in {content.group}")
    if content.parent is not None:
        root = items.get(tx, content.parent)
        # one refusal for all reasons: nobody learns what else there is
        if (
            root is None
            or root.parent is not None
            or root.group_id != content.group
            or root.state not in ("approved", "delivered")
        ):
            raise refusals.ThreadUnknown(f"thread {content.parent.hex()[:16]}")
    if envelopes.count_since(tx, device.id, now_ms - DAY_MS) >= per_day_max:
        raise refusals.TooManyToday(f"{per_day_max} in 24 hours")
    return Judged(item, sealed, content)


def note_arriving(tx: Tx, judged: Judged, now_ms: int) -> None:
    """Remember an envelope whose blob must come first; it is not in custody yet."""
    blob = judged.content.blob
    assert blob is not None
    waiting = envelopes.arriving_of(tx, judged.content.device)
    if len(waiting) >= ARRIVING_PER_DEVICE_MAX and all(one.item != judged.item for one in waiting):
        raise refusals.TooManyArriving(f"{len(waiting)} envelopes wait for their blobs")
    envelopes.put_arriving(
        tx,
        envelopes.Arriving(
            judged.item,
            judged.content.device,
            judged.content.counter,
            judged.sealed,
            blob.root,
            blob.size,
            now_ms,
        ),
    )


def take(tx: Tx, judged: Judged, now_ms: int) -> None:
    """Custody: envelope, item, blob and log row in this transaction. The blob must be complete on the disk."""
    content = judged.content
    blob = content.blob
    envelopes.insert(
        tx,
        envelopes.Envelope(
            judged.item,
            content.device,
            content.counter,
            judged.sealed,
            None if blob is None else blob.root,
            None if blob is None else blob.size,
            None if blob is None else blob.media_type,
            now_ms,
        ),
    )
    items.insert(
        tx,
        items.Item(
            judged.item,
            content.kind,
            content.learner,
            content.device,
            content.group,
            content.parent,
            now_ms,
            "ingested",
            1,
            content.text,
            None if blob is None else blob.root,
            None,
            now_ms,
            None,
        ),
    )
    if blob is not None:
        blobs.put(tx, blob.root, blob.size, "envelope", judged.item, now_ms)
    lists.raise_counter(tx, content.device, content.counter)
    log.append(tx, now_ms, f"device:{content.device.hex()}", "custody", judged.item, f"counter {content.counter}")
