"""Plan -> here -> world: every kind of attacker of sim/box/catalogue.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.box.attackers import database, docks, held, media, pairs, records, staff, wires
from sim.box.attackers.attack import Attack
from sim.box.plan import Event

if TYPE_CHECKING:
    from sim.box.world import Handler, World

ATTACKERS: dict[str, type[Attack]] = {
    "malice.forged_signature": records.ForgedSignature,
    "malice.replayed_record": records.ReplayedRecord,
    "malice.cloned_device": held.ClonedDevice,
    "malice.oversize_frame": wires.OversizeFrame,
    "malice.zip_of_small_frames": wires.ZipOfSmallFrames,
    "malice.handshake_flood": wires.HandshakeFlood,
    "malice.wrong_key": wires.WrongKey,
    "malice.downgrade": wires.Downgrade,
    "malice.lying_clock": held.LyingClock,
    "malice.junk_cbor": records.JunkCbor,
    "malice.canary_exfiltration": records.CanaryExfiltration,
    "malice.id_collision": records.IdCollision,
    "malice.slow_loris": wires.SlowLoris,
    "malice.hub_impostor": docks.HubImpostor,
    "malice.foreign_topic": records.ForeignTopic,
    "malice.wide_audience": records.WideAudience,
    "malice.poisoned_video": media.PoisonedVideo,
    "malice.false_chunks": media.FalseChunks,
    "malice.counter_rewind": held.CounterRewind,
    "malice.list_rollback": docks.ListRollback,
    "malice.unapproved_bundle": docks.UnapprovedBundle,
    "malice.envelope_flood": records.EnvelopeFlood,
    "malice.false_receipt": records.FalseReceipt,
    "malice.colluding_pair": pairs.ColludingPair,
    "malice.bought_key": staff.BoughtKey,
    "malice.edited_database": database.EditedDatabase,
}


def begin(world: World, event: Event) -> None:
    """An attacker's attempt."""
    if not world.healed:
        ATTACKERS[str(event.args["kind"])](world, event).start()


HANDLERS: dict[str, Handler] = {"attack": begin}

# what attackers have kept from the first instant on
PREPARE: dict[str, Handler] = {"attack": docks.keep_lists}
