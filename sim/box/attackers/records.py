"""Attack -> here -> exchange: enrolled devices whose records are forged, replayed, foreign, or no records at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import mqtt, noise
from protocol.blob import Want
from protocol.limits import SEALED_BYTES_MAX
from protocol.records import receipt, signing, topics
from protocol.records.envelope import Blob, item_id
from protocol.records.journal import JournalEntry, pack_batch
from protocol.records.want import BundleWant
from sim.box.attackers.speaker import Keys, Speaker
from sim.box.attackers.spoken import Spoken
from sim.box.provision import HOSTILE_GROUP

FOREIGN_ENVELOPES = "SELECT sealed FROM envelopes WHERE device != ? ORDER BY received_ms DESC, item LIMIT 8"
FOREIGN_VIDEOS = (
    "SELECT blob_root, blob_size FROM envelopes WHERE device != ? AND blob_root IS NOT NULL ORDER BY item LIMIT 4"
)
STATEMENTS = (  # of others than the attackers
    "SELECT s.item, s.digest FROM statements s JOIN items i ON i.id = s.item WHERE i.group_id != ?"
    " ORDER BY s.decided_ms DESC, s.digest LIMIT 32"
)
BLOBS = "SELECT root, size FROM blobs ORDER BY committed_ms DESC, root LIMIT 16"


class ForgedSignature(Spoken):
    """Envelopes, receipts and journals under another key than the device's."""

    def strike(self, speaker: Speaker) -> None:
        for _ in range(self.whole("times")):
            stranger = Keys(self.entropy(32), self.entropy(32))
            speaker.say("envelope", speaker.seal(speaker.content(text="not signed by me"), stranger))
            broken = bytearray(speaker.seal(speaker.content(text="one bit is another")))
            broken[-1 - self.random.randrange(16)] ^= 1 << self.random.randrange(8)
            speaker.say("envelope", bytes(broken))
            for item, digest in self.stored(STATEMENTS, HOSTILE_GROUP)[:1]:
                speaker.say("receipt", speaker.receipt(item, digest, signer=stranger))
            entry = JournalEntry(seq=0, prev=bytes(32), clock_s=1, action="open", detail="")
            speaker.say("journal", pack_batch([entry], stranger.seed, stranger.ed25519))

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"taken": list(speaker.answers.values()).count("")}


class ReplayedRecord(Spoken):
    """One envelope of its own again and again, and those of others in its own name."""

    def strike(self, speaker: Speaker) -> None:
        mine = speaker.seal(speaker.content(text="said again and again"))
        self.item = item_id(mine)
        others = [one[0] for one in self.stored(FOREIGN_ENVELOPES, speaker.keys.id)]
        for number in range(self.whole("times") + 1):
            speaker.say("envelope", mine)
            for sealed in others[number : number + 1]:
                speaker.say("envelope", sealed)

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"items": len(self.stored("SELECT id FROM items WHERE id = ?", self.item))}


class JunkCbor(Spoken):
    """What decoders choke on, as every kind of record and inside of a sealed envelope."""

    def strike(self, speaker: Speaker) -> None:
        junk = SHAPES[str(self.event.args["shape"])](speaker)
        for kind in ("hello", "journal", "want", "receipt", "chunk"):
            speaker.say(kind, junk)
        sealed = noise.seal_to(
            speaker.hub_x25519, junk[:4000], speaker.keys.x_private, speaker.random, b"perch/envelope/1"
        )
        speaker.say("envelope", sealed)
        speaker.say("envelope", bytes(SEALED_BYTES_MAX + 1))


SHAPES: dict[str, Callable[[Speaker], bytes]] = {
    "deep": lambda speaker: b"\x81" * 5000 + b"\0",
    "long": lambda speaker: b"\x82\x5b" + b"\x7f" * 8 + b"\x01",
    "duplicate_keys": lambda speaker: b"\xa2" + speaker.hello()[1:11] * 2,
    "not_shortest": lambda speaker: b"\xb8\x06" + speaker.hello()[1:],
    "cut": lambda speaker: speaker.hello()[:-1],
}


class CanaryExfiltration(Spoken):
    """Asks for another learner's words and media by their ids, and listens to everything that comes."""

    def strike(self, speaker: Speaker) -> None:
        wanted = [one.item for one in self.victims(self.whole("pick"))] or [self.entropy(32)]
        speaker.say("want", BundleWant(items=sorted(wanted)).encode())
        for root, size in self.stored(BLOBS) or [(self.entropy(32), 5000)]:
            speaker.say("want", Want(root=root, size=size, first=0, count=1).encode())

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        texts = [one.text.encode() for one in self.world.ledger.messages.values()]
        heard = b"\n".join(payload for _, payload in speaker.heard)
        return {"leaked": sum(text in heard for text in texts), "heard_bytes": len(heard)}


class IdCollision(Spoken):
    """Names what others have: a device's id, a counter that is taken, a journal's place, somebody's recording."""

    def strike(self, speaker: Speaker) -> None:
        devices = [one[0] for one in self.stored("SELECT device FROM devices ORDER BY device")]
        others = [one for one in devices if one != speaker.keys.id] or [self.entropy(8)]
        other = others[self.whole("pick") % len(others)]
        speaker.say("hello", speaker.hello(device=other))
        speaker.say("envelope", speaker.seal(speaker.content(device=other)))
        first = speaker.content(text="the first with this counter")
        speaker.say("envelope", speaker.seal(first))
        speaker.say("envelope", speaker.seal(speaker.content(counter=first.counter, text="the second with it")))
        for detail in ("one", "another"):
            entry = JournalEntry(seq=0, prev=bytes(32), clock_s=1, action="open", detail=detail)
            speaker.say("journal", pack_batch([entry], speaker.keys.seed, speaker.keys.ed25519))
        for root, size in self.stored(FOREIGN_VIDEOS, speaker.keys.id)[:1]:
            named = Blob(root=root, size=size, media_type="video/webm", key=self.entropy(32))
            speaker.say("envelope", speaker.seal(speaker.content(kind="video", blob=named, text="")))


class ForeignTopic(Spoken):
    """Publishes and subscribes where another device does: a new session for each attempt."""

    def strike(self, speaker: Speaker) -> None:
        boxes = self.world.of_learner
        learners = sorted(boxes)
        other = boxes[learners[self.whole("pick") % len(learners)]].id if learners else self.entropy(8)
        prefix = topics.prefix(self.world.plan.wing.name, other)
        attempts = [
            mqtt.publish(prefix + topics.own(topics.UP, "hello"), speaker.hello(device=other)),
            mqtt.subscribe(1, [(prefix + topics.own_filter(topics.DOWN), 0)]),
            mqtt.subscribe(1, [("#", 0)]),
            mqtt.publish(topics.own(topics.DOWN, "list"), b"for myself"),
        ]

        def again() -> None:
            if attempts:
                speaker.raw.append(attempts.pop(0))

        again()
        speaker.on_up = again


class WideAudience(Spoken):
    """Writes to groups and threads that are not its own, and names readers where nobody may."""

    def strike(self, speaker: Speaker) -> None:
        groups = sorted(self.world.plan.wing.groups) or ["g00"]
        group = groups[self.whole("pick") % len(groups)]
        speaker.say("envelope", speaker.seal(speaker.content(group=group)))
        speaker.say("envelope", speaker.seal(speaker.content(group="everybody")))
        for one in self.victims(self.whole("pick"))[:1]:
            speaker.say("envelope", speaker.seal(speaker.content(parent=one.item)))
            speaker.say("envelope", speaker.seal(speaker.content(group=group, parent=one.item)))
        plain = speaker.content().encode()
        widened = bytes([plain[0] + 1]) + plain[1:] + b"\x09\x81\x64l000"  # one more field: readers
        keys = speaker.keys
        signed = signing.pack_signed(widened, [signing.sign(signing.ENVELOPE, keys.seed, keys.ed25519, widened)])
        speaker.say("envelope", noise.seal_to(
            speaker.hub_x25519, signed, keys.x_private, speaker.random, b"perch/envelope/1"
        ))  # fmt: skip

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"taken": list(speaker.answers.values()).count("")}


class FalseReceipt(Spoken):
    """Receipts for what went to others, and for what went to nobody."""

    def strike(self, speaker: Speaker) -> None:
        found = self.stored(STATEMENTS, HOSTILE_GROUP)
        self.before = self._delivered()
        for number in range(self.whole("times")):
            item, digest = found[number % len(found)] if found else (self.entropy(32), self.entropy(32))
            state = (receipt.COMMITTED, receipt.REMOVED)[number % 2]
            speaker.say("receipt", speaker.receipt(item, digest, state))
            speaker.say("receipt", speaker.receipt(self.entropy(32), digest))

    def _delivered(self) -> list[tuple[Any, ...]]:
        sql = "SELECT device, item, statement, state FROM receipts WHERE device = ? ORDER BY item"
        return self.stored(sql, Keys.of(self.box.flash).id)

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"receipts": len(self._delivered()) - len(self.before)}


class EnvelopeFlood(Spoken):
    """More envelopes in one visit than a day allows."""

    stay_ms = 20_000

    def strike(self, speaker: Speaker) -> None:
        for number in range(self.whole("times")):
            speaker.say("envelope", speaker.seal(speaker.content(text=f"number {number}")))

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        return {"taken": list(speaker.answers.values()).count("")}
