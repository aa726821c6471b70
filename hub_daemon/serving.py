"""Store -> here -> device: bundles and media of what is on the device's list, and the receipts that come back."""

from __future__ import annotations

from dataclasses import dataclass

from hub_daemon import refusals
from hub_daemon.blobs import BlobStore
from hub_daemon.delivery import Delivery
from hub_daemon.docking import Docking, Message
from hub_daemon.store import Tx, items, lists, log
from protocol import blob as blob_records
from protocol.blob import Want
from protocol.records import receipt as receipt_records
from protocol.records.receipt import COMMITTED
from protocol.records.statement import Statement


@dataclass(frozen=True)
class Kept:
    """What a receipt changed: `fresh`, the device has something new; `delivered`, the item reached somebody.

    `receipt` is what the store has for the item now.
    """

    receipt: lists.Receipt | None
    fresh: bool
    delivered: bool


def chunks(docking: Docking, want: Want, blobs: BlobStore) -> list[Message]:
    """The chunks of a medium that is on the device's list; raises BlobNotListed or BlobMissing."""
    size = None if docking.issued is None else docking.issued.blobs.get(want.root)
    if size is None or size != want.size:
        raise refusals.BlobNotListed(f"blob {want.root.hex()[:16]} of {want.size} bytes")
    answers = blob_records.answer(want, blobs.leaves(want.root), blobs.reader(want.root))
    return [(docking.device.id, "chunk", make()) for make in answers]


def bundle(tx: Tx, docking: Docking, wanted: bytes, delivery: Delivery) -> Message:
    """The bundle of a listed item, exactly under the statement that the list names; raises ItemNotListed."""
    listed = None if docking.issued is None else docking.issued.list.statement_of(wanted)
    item = items.get(tx, wanted)
    if listed is None or item is None or item.statement != listed:
        raise refusals.ItemNotListed(f"item {wanted.hex()[:16]}")
    made = delivery.bundle(tx, item)
    if made is None:
        raise refusals.ItemNotListed(f"item {wanted.hex()[:16]}")
    return docking.device.id, "bundle", made.encode()


def take_receipt(tx: Tx, docking: Docking, payload: bytes, now_ms: int) -> Kept:
    """Verify and keep a receipt; raises a named refusal.

    An item is delivered at the first receipt, under the statement in force, of a learner who is not its author.
    """
    device = docking.device
    receipt = receipt_records.accept(payload, device.ed25519)
    item = items.get(tx, receipt.item)
    signed = items.statement(tx, receipt.statement)
    if item is None or signed is None or signed.item != receipt.item:
        raise refusals.StatementForeign(f"item {receipt.item.hex()[:16]}")
    statement = Statement.decode(signed.body)
    if device.learner not in statement.audience.learners:
        raise refusals.StatementForeign(f"item {receipt.item.hex()[:16]} is not for {device.learner}")
    before = lists.receipt_of(tx, device.id, receipt.item)
    now = (receipt.statement, receipt.state)
    repeated = before is not None and (before.statement, before.state) == now
    kept = lists.Receipt(device.id, receipt.item, *now, receipt.list_version, payload, now_ms)
    lists.put_receipt(tx, kept)
    committed = receipt.state == COMMITTED
    if not repeated:
        word = "received" if committed else "removed"
        log.append(tx, now_ms, f"device:{device.id.hex()}", word, receipt.item)
    delivered = False
    if committed and item.statement == receipt.statement and device.learner != item.author_learner:
        delivered = items.delivered(tx, item.id, now_ms)
    return Kept(lists.receipt_of(tx, device.id, receipt.item), committed and not repeated, delivered)


def is_missing(tx: Tx, docking: Docking) -> bool:
    """Whether the device has not yet confirmed everything on its list."""
    if docking.issued is None:
        return True
    if docking.receipts is None:
        docking.receipts = lists.receipts_of_device(tx, docking.device.id)
    for listed in docking.issued.list.items:
        receipt = docking.receipts.get(listed.item)
        if receipt is None or (receipt.statement, receipt.state) != (listed.statement, COMMITTED):
            return True
    return False
