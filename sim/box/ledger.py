"""Learner -> here -> report and judges: what was meant, beside what came of it.

A message is named by the event that made it ("l007.d03.write1"); its item id is known once a device has saved it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Message:
    """One thing that a learner saved. Times are ms of the world; `item` its id (32 bytes)."""

    id: str
    learner: str
    device: str
    group: str
    parent: bytes | None
    kind: str  # "post" or "video"
    text: str
    item: bytes
    saved_ms: int
    video_bytes: int = 0
    custody_ms: int | None = None
    decided_ms: int | None = None
    decision: str = ""  # "approve", "return", "reject", "recall", or the name of a refusal
    arrived_ms: dict[str, int] = field(default_factory=dict)  # device -> when its bundle was durable there
    read_ms: dict[str, int] = field(default_factory=dict)


class Ledger:
    """Every message of the run, by its name and by its item."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.by_item: dict[bytes, Message] = {}

    def add(self, message: Message) -> None:
        self.messages[message.id] = message
        self.by_item[message.item] = message

    def note(self, action: str, item: bytes | None, detail: str, now: int) -> None:
        """A row of the hub's log; an approval counts once the last signature that it needs is there."""
        message = None if item is None else self.by_item.get(item)
        if message is None:
            return
        if action == "custody":
            message.custody_ms = now
        elif action in ("approve", "return", "reject", "recall"):
            _, _, counts = detail.rpartition("signature ")
            have, _, need = counts.partition(" of ")
            if action != "approve" or have == need:
                message.decision, message.decided_ms = action, now

    def name(self, item: bytes | None) -> str:
        """What an item is called in traces and reports."""
        if item is None:
            return ""
        found = self.by_item.get(item)
        return found.id if found is not None else "item " + item.hex()[:16]
