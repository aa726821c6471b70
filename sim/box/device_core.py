"""World <-> here <-> firmware: one production device as a simulated wing drives it, in this process or in MicroPython.

Runs on both interpreters. Everything that goes in and comes out is plain (integers, text, bytes, lists, dicts with text
keys), so that the same calls can be made across a pipe. What the learner does is done as the page does it.
"""

from firmware.device import Device
from firmware.dock import Dock
from firmware.outbox import name_of
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.records.hello import Hello

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware.storage import Storage

    Plain = Any

VIDEO_TYPE = "video/webm"
PIECE_BYTES = 2048  # of a recording, as the page hands it over


class DeviceCore:
    """A device that has power: made from its storage, gone when the power is."""

    def __init__(self, storage: "Storage", entropy: "Callable[[int], bytes]", clock_s: int) -> None:
        self.clock_s = clock_s
        self.device = Device(storage, entropy, lambda: self.clock_s)
        self.dock = Dock(self.device, entropy)

    # the wire

    def step(self, now: int, clock_s: int, pieces: "list[bytes]", room_bytes: int) -> "list[Plain]":
        """[bytes for the wire..., as a list], the next deadline or None, whether there is more to say, the status."""
        self.clock_s = clock_s
        dock = self.dock
        for piece in pieces:
            dock.receive(piece, now)
        dock.tick(now)
        out = []
        more = False
        while True:
            if room_bytes <= 0:
                more = True
                break
            data = dock.to_send(now)
            if not data:
                break
            out.append(data)
            room_bytes -= len(data)
        return [out, dock.next_deadline(), more, self.status()]

    def status(self) -> "list[Plain]":
        """[whether the link or session stands, phase, can lift, sent, new, digits or "", why the last docking ended]"""
        device = self.device
        linked = self.dock.stack.link.up or self.dock.stack.up
        return [linked, device.phase, device.can_lift, device.sent, device.new, device.digits or "", self.dock.refused]

    def restart(self) -> None:
        """The device's port was opened anew."""
        self.dock.restart()

    def close(self) -> None:
        """Nothing of it lies outside of this object."""

    # the learner

    def act(self, clock_s: int, name: str, values: "dict[str, Plain]") -> "dict[str, Plain]":
        """Do what the learner does; {"refused": name} where the device says no."""
        self.clock_s = clock_s
        try:
            if name == "write":
                item = self.device.write_post(values["group"], values["parent"], values["text"])
                return {"item": item}
            if name == "record":
                return {"item": self._record(values)}
            if name == "draft":
                self.device.save_draft("words", values["text"])
                return {}
            if name == "read":
                return self._read()
            if name == "threads":
                return {"threads": [row["id"] for row in self.device.threads(values["group"])]}
            if name == "agree":
                self.device.confirm_digits(values["digits"], values["same"])
                return {}
            if name == "say":
                return {"said": self._say(values)}
            return self._look()
        except Refusal as refusal:
            return {"refused": refusal.name}

    def _say(self, values: "dict[str, Plain]") -> bool:
        """Publish what this firmware would not, as one of another version does; False where nobody is docked.

        Without a payload it is a hello that names other software.
        """
        sync = self.dock._sync
        if sync is None:
            return False
        payload = values.get("payload")
        if payload is None:
            payload = self._hello(values["software"])
        return sync._client.publish("up/" + values["kind"], payload)

    def _hello(self, software: str) -> bytes:
        device = self.device
        listed, roster = device.inbox.list, device.identity.roster
        hello = Hello(
            device=device.identity.device,
            list_version=0 if listed is None else listed.version,
            roster_version=0 if roster is None else roster.version,
            journal_next=max(1, device.journal.next_seq),
            outbox=len(device.outbox.unsent()),
            software=software,
        )
        return hello.encode()

    def _record(self, values: "dict[str, Plain]") -> bytes:
        recording = self.device.begin_video(values["group"], values["parent"], values["text"], VIDEO_TYPE)
        data = memoryview(values["data"])
        for at in range(0, len(data), PIECE_BYTES):
            recording.append(data[at : at + PIECE_BYTES])
        return recording.save()

    def _read(self) -> "dict[str, Plain]":
        """Open every thread with something new, play what came with it, read what came back."""
        device = self.device
        seen: "list[bytes]" = []
        for group, _ in device.groups():
            for thread in device.threads(group):
                if thread["unread"]:
                    self._open(thread["id"], seen)
        for row in device.returned():
            if not row["seen"]:
                device.mark_seen(row["item"])
                seen.append(row["item"])
        return {"seen": seen}

    def _open(self, thread: bytes, seen: "list[bytes]") -> None:
        device = self.device
        for message in device.thread(thread):
            if not message["unread"]:
                continue
            device.mark_seen(message["item"])
            seen.append(message["item"])
            if message["video"] is not None:
                try:
                    device.media(message["video"])
                except Refusal:
                    pass  # journaled by the device, and fetched again
        device.log("open", name_of(thread))

    def _look(self) -> "dict[str, Plain]":
        """Everything that the page would show now, and what waits: for whoever judges the device from outside."""
        device = self.device
        shown = []
        for group, _ in device.groups():
            for thread in device.threads(group):
                for row in device.thread(thread["id"]):
                    shown.append([row["item"], row["mine"], row["text"], row["state"], row["video"]])
        returned = [[row["item"], row["words"], row["code"]] for row in device.returned()]
        waiting = [[row["item"], row["state"]] for row in device.waiting()]
        return {
            "shown": shown,
            "returned": returned,
            "waiting": waiting,
            "unsent": [own.item for own in device.outbox.unsent()],
            "missing": len(device.inbox.missing()) + len(device.inbox.blobs_missing()),
            "journal": device.journal.waiting(),
            "enrolled": device.identity.enrolled,
        }
