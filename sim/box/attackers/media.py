"""Attack -> here -> exchange, media: recordings that are no videos, and pieces that are not what was named."""

from __future__ import annotations

from protocol.blob import MANIFEST_INDEX, parse_chunk
from protocol.records.envelope import item_id
from sim.box.attackers.speaker import Speaker
from sim.box.attackers.spoken import Spoken
from sim.box.hub import KILLS_DECODERS

FALSE_BYTES = 40_000


class PoisonedVideo(Spoken):
    """A file that decoders die of."""

    stay_ms = 15_000

    def strike(self, speaker: Speaker) -> None:
        size = self.whole("bytes") - len(KILLS_DECODERS)
        sealed = speaker.seal(speaker.video(KILLS_DECODERS + self.random.randbytes(size)))
        self.item = item_id(sealed)
        speaker.say("envelope", sealed)

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        found = self.stored("SELECT state, refusal FROM items WHERE id = ?", self.item)
        return {"state": str(found[0][0]), "why": str(found[0][1])} if found else {"state": "none", "why": ""}


class FalseChunks(Spoken):
    """Some chunks are other bytes than the manifest says, then the right ones come."""

    stay_ms = 40_000

    def strike(self, speaker: Speaker) -> None:
        self._left = self.whole("times")
        speaker.chunk = self._spoil
        sealed = speaker.seal(speaker.video(self.random.randbytes(FALSE_BYTES)))
        self.item = item_id(sealed)
        speaker.say("envelope", sealed)

    def _spoil(self, payload: bytes) -> bytes:
        if not self._left or parse_chunk(payload)[1] == MANIFEST_INDEX:
            return payload
        self._left -= 1
        return payload[:-1] + bytes([payload[-1] ^ 1])

    def came(self, speaker: Speaker) -> dict[str, int | str]:
        taken = speaker.answers.get(self.item)
        return {"left": self._left, "answer": "none" if taken is None else taken or "custody"}
