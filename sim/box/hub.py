"""Bay <-> here <-> staff: the whole hub of a simulated wing in one process, on a disk whose power can fail.

The rooms, the bays and the exchange are the daemon's own; only what the daemon does with sockets and threads is done
here with calls in virtual time, and the decoder's jail, which is a process, is a function. A hub without power has only
its disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub_daemon.bay_core import BayCore
from hub_daemon.broker import Account
from hub_daemon.exchange_mqtt import answer, down
from hub_daemon.keys import HubKeys
from hub_daemon.limits import BAY_RESTART_S, LOG_PAGE_ROWS_MAX, MEDIA_FAILED_S, MEDIA_IDLE_S, TICK_MS
from hub_daemon.media.refusals import MediaRefused, Rendition
from hub_daemon.rooms import Rooms
from hub_daemon.store import Store, log
from protocol.errors import Refusal
from protocol.records.roster import Device
from sim.box.broker import Broker, Client, Connection
from sim.box.disk import Disk
from sim.box.flash import PowerCut
from sim.box.kernel import DAY_MS, START_MS, Kernel
from sim.box.ports import Port, Step

ACCOUNT = Account("bay", "")
KILLS_DECODERS = b"\x1a\x45\xdf\xa3poison"  # how a recording begins that a decoder dies of
TRANSCODE_MS = 900  # a short video on a Pi
Entropy = Callable[[int], bytes]


def stand_in_transcode(data: bytes, media_type: str = "") -> Rendition:
    """A rendition without the decoder: other bytes than came in, always the same for the same recording.

    Where the worker of a real jail would die, so the refusal says here.
    """
    if data.startswith(KILLS_DECODERS):
        raise MediaRefused("WorkerDied", "killed by signal 11")
    body = hashlib.sha256(data).digest()
    video = (body * (len(data) // len(body) + 1))[: max(64, len(data) * 3 // 4)]
    return Rendition(video, "video/mp4", b"\xff\xd8still" + body, b"\xff\xd8sheet" + body, 5000, 320, 240, True)


class BayBox:
    """One bay: the daemon's own core behind a simulated port."""

    def __init__(self, name: str, hub: HubBox) -> None:
        self.name = name
        self.path = name  # what the hub calls the port
        self.hub = hub
        self.down = 0  # so many things keep the port away
        self.core: BayCore | None = None
        self.connection: Connection | None = None
        self.device: Device | None = None
        self.port = Port(hub.kernel, self)
        self._opened = 0

    @property
    def dead(self) -> bool:
        return self.down > 0

    @property
    def linked(self) -> bool:
        return self.core is not None and (self.core.stack.link.up or self.core.device is not None)

    def counters(self) -> dict[str, int]:
        """What this bay's link sent again, mended and found damaged, since its port was opened."""
        counts = {} if self.core is None else self.core.stack.link.counters
        return {name: counts.get(name, 0) for name in ("resent", "repaired", "damaged")}

    def open(self) -> None:
        """The port is opened: by a hub that has just started, or after a fault of this bay."""
        self._opened += 1
        entropy = self.hub.entropy(f"{self.name}/port{self._opened}/{self.hub.boots}")
        self.core = BayCore(self.path, self.hub.rooms, entropy, now=self.hub.kernel.now)
        self.port.wake(self.hub.kernel.now)

    def unplug(self) -> None:
        """The port goes away, as the hub sees it."""
        self.down += 1
        self.port.lose_arrivals()
        if self.core is not None:
            self.hub.guard(lambda: self.lift("the port went away"))
            self.core = None

    def plug(self) -> None:
        """The port is there again, as far as this goes."""
        self.down -= 1
        if not self.down and self.hub.on:
            self.open()

    def step(self, now: int, pieces: list[bytes], room_bytes: int) -> Step:
        if self.core is None or self.dead or not self.hub.on:
            return Step([], None, False)
        if now < self.hub.stalled_until:
            for piece in pieces:
                self.port.arrive(self.hub.stalled_until, piece)
            return Step([], self.hub.stalled_until, False)
        made: list[Step] = []
        self.hub.guard(lambda: made.append(self._step(now, pieces, room_bytes)))
        return made[0] if made else Step([], None, False)

    def _step(self, now: int, pieces: list[bytes], room_bytes: int) -> Step:
        core = self.core
        assert core is not None
        try:
            for piece in pieces:
                self.hub.take_memory()
                core.receive(piece, now)
            core.tick(now)
            self._follow(now)
            out = []
            while room_bytes > 0 and (data := core.to_send(now)):
                out.append(data)
                room_bytes -= len(data)
            self._follow(now)
            return Step(out, core.next_deadline(), room_bytes <= 0)
        except Exception as error:  # as the daemon: this bay starts again, and nothing else notices
            self.hub.fault(self.name, error)
            self.lift("the bay failed")
            self.core = None
            self.hub.kernel.after(int(BAY_RESTART_S * 1000), self._open_again)
            return Step([], None, False)

    def _open_again(self) -> None:
        if self.hub.on and self.core is None:
            self.open()

    def _follow(self, now: int) -> None:
        """Device -> broker -> exchange and back, and the core's events, until nothing moves."""
        core = self.core
        assert core is not None
        while True:
            data = core.to_broker()
            if data and self.connection is not None:
                self.connection.send(data)
            event = core.next_event()
            if event is None:
                if not self._down(core, now) and not data:
                    return
            elif event[0] == "dock":
                self._dock(event[1], event[2], event[3], now)
            else:
                self.lift(event[2])

    def _down(self, core: BayCore, now: int) -> bool:
        """What the broker has for the device, as far as there is room; whether anything moved."""
        connection = self.connection
        if connection is None:
            return False
        moved = False
        while core.down_room() > 0 and (data := connection.take()):
            core.from_broker(data, now)
            moved = True
        if connection.closed:
            self.connection = None
            core.broker_ended(connection.closed, now)
            moved = True
        return moved

    def _dock(self, device: Device, ticket: bytes, resumed: bool, now: int) -> None:
        core = self.core
        assert core is not None
        if not self.hub.broker_up:
            core.close("the broker is not there", now)
            return
        self.hub.claim(self, device)
        try:
            self.hub.rooms.exchange.docked(device.id, self.hub.clock(), ticket)
        except Refusal as refusal:
            core.refuse(refusal, now)
            return
        self.device = device
        self.hub.broker.tick(now)  # its clock stood while nobody was docked
        self.connection = self.hub.broker.connect_device()
        core.open_docking(ACCOUNT, now)
        self.hub.on_docked(self.name, device, resumed)
        self.hub.start_ticks()

    def lift(self, reason: str) -> None:
        """The docking is over, for the broker and for the exchange."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        device, self.device = self.device, None
        if device is not None:
            self.hub.lifted(self, device, reason)


class HubBox:
    """One hub. `report(what, words)` is its log's line; `on_row(entry)` is told of each row of its Merkle log."""

    def __init__(
        self,
        kernel: Kernel,
        directory: Path,
        keys: HubKeys,
        wing: str,
        bays: list[str],
        entropy: Callable[[str], Entropy],
        envelopes_per_day_max: int,
    ) -> None:
        self.kernel = kernel
        self.keys = keys
        self.wing = wing
        self.entropy = entropy
        self.clock_ahead_ms = 0
        self.stalled_until = 0
        self.boots = 0
        self.cut_disk: Disk | None = None  # that the hub had when its power was last cut in the middle of its work
        self.moved: dict[tuple[int, str], list[int]] = {}  # (day, "up/envelope") -> [messages, bytes] of the exchange
        self.memory_refusals = 0  # so many of the next pieces that come find no memory
        self.watchers: list[Callable[[], None]] = []  # called after each piece of its work
        self.on = False
        self.broker_up = True
        self.faults: list[str] = []
        self.report: Callable[[str, str], None] = lambda what, words: None
        self.on_row: Callable[[log.Entry], None] = lambda entry: None
        self.on_commit: Callable[[], None] = lambda: None
        self.on_docked: Callable[[str, Device, bool], None] = lambda bay, device, resumed: None
        self.on_lifted: Callable[[str, Device, str], None] = lambda bay, device, reason: None
        self.on_lost_power: Callable[[], None] = lambda: None
        self.on_start: Callable[[], None] = lambda: None
        self.on_say: Callable[[str, bytes], None] = lambda topic, payload: None  # the exchange is about to say this
        self._directory = directory
        self._disks = 0
        self._envelopes_per_day_max = envelopes_per_day_max
        self._committed = False
        self._rows = 0
        self._slow_until = 0  # the exchange waits for its disk
        self._refresh_asked = self._media_asked = self._ticking = False
        self._docked: dict[bytes, BayBox] = {}
        self.disk = Disk(directory / "disk0", {})
        self.bays = {name: BayBox(name, self) for name in bays}

    def clock(self) -> int:
        """Unix ms of the hub's own clock."""
        return START_MS + self.kernel.now + self.clock_ahead_ms

    # power

    def turn_on(self) -> None:
        """Start from the disk alone, as the daemon does."""
        if not self.on:
            self.guard(self._start)

    def _start(self) -> None:
        self.boots += 1
        self.disk.on_commit = self._note_commit
        self.store: Store = self.disk.open_store()
        self.rooms = Rooms(
            self.disk.directory, self.store, self.keys, self.wing, self.clock, self._said, self.news,
            self._close_device, self._envelopes_per_day_max, stand_in_transcode,
        )  # fmt: skip
        self.on = True
        with self.store.read() as tx:
            self._rows = min(self._rows, log.size(tx))  # a copy from before has fewer
        self._committed = True  # what was committed as the power went has been seen by nobody
        self.start_broker()
        for bay in self.bays.values():
            bay.open()
        self.work_media()
        with self.store.read() as tx:
            self._rows = min(self._rows, log.size(tx))  # an older disk has fewer
        self.on_start()

    def start_broker(self) -> None:
        """A broker that begins: it knows nothing of the one before."""
        self.broker = Broker(self.wing)
        self.broker_up = True
        self._client = self.broker.client(f"wing/{self.wing}/device/+/up/+", self._message)

    def stop_broker(self) -> None:
        """The broker died. Every docking starts anew, as the daemon has it."""
        self.broker_up = False
        self.broker.restart()
        self._dock_anew()

    def lose_session(self) -> None:
        """The broker ended the exchange's connection and knows nothing of it any more."""
        self._client.end("the session was lost")
        self._dock_anew()

    def find_session(self) -> None:
        self._client.reconnect()

    def say(self, topic: str, payload: bytes) -> None:
        """Publish something as the exchange would."""
        self.guard(lambda: self._client.publish(topic, payload))
        self._wake_docked()

    def hold_broker(self, broker: Broker, held: bool) -> None:
        """Hold what this broker carries, or let it go on; nothing when it is not the hub's any more."""
        if self.on and broker is self.broker:
            self.guard(lambda: broker.hold(held))
            self._wake_docked()

    def _dock_anew(self) -> None:
        for bay in self.bays.values():
            if bay.core is not None and bay.device is not None:
                bay.core.close("the broker started again", self.kernel.now)
                bay.port.wake(self.kernel.now)

    def turn_off(self, keep_unsynced: bool = True) -> None:
        """The power goes."""
        if not self.on:
            return
        self._power_off(keep_unsynced)

    def _power_off(self, keep_unsynced: bool) -> None:
        self.on = False
        files = self.disk.survivors(keep_unsynced)
        for docking in self.rooms.exchange.dockings.values():
            if docking.part is not None:
                docking.part.close()
        self.rooms.exchange.dockings.clear()
        self.disk.dead = False
        self.store.close()
        for bay in self.bays.values():
            bay.core = bay.connection = bay.device = None
        self._docked.clear()
        self.replace_disk(files)

    def replace_disk(self, files: dict[str, bytes]) -> None:
        """The hub, which is off, is given these files: what its disk kept, or a backup."""
        self._disks += 1
        before = self.disk
        before.remove()
        self.disk = Disk(self._directory / f"disk{self._disks}", files)
        self.disk.full, self.disk.slow_sync_ms = before.full, before.slow_sync_ms

    def close(self) -> None:
        """The end of the run: nothing is kept."""
        if self.on:
            self.turn_off()
        self.disk.remove()

    def guard(self, call: Callable[[], object]) -> None:
        """Run something of the hub on its disk; then show what it committed. A power cut inside turns it off."""
        try:
            with self.disk.mounted():
                call()
        except PowerCut:
            self.cut_disk = self.disk
            self._power_off(self.disk.keep_unsynced)
            self.on_lost_power()
            return
        self._show()
        for watcher in list(self.watchers):
            watcher()

    def take_memory(self) -> None:
        """Raises MemoryError where a fault says that there is none."""
        if self.memory_refusals:
            self.memory_refusals -= 1
            raise MemoryError("refused")

    def _note_commit(self) -> None:
        self._committed = True

    def _show(self) -> None:
        """Rows of the log that are new, to whoever observes."""
        if not self._committed or not self.on:
            return
        self._committed = False
        custody = False
        more = True
        while more:
            with self.store.read() as tx:
                found = log.since(tx, self._rows)
            for entry in found:
                self._rows = entry.seq + 1
                custody |= entry.action == "custody"
                self.on_row(entry)
            more = len(found) == LOG_PAGE_ROWS_MAX
        self.on_commit()
        if custody:
            self.work_media()

    def fault(self, where: str, error: BaseException) -> None:
        """A part of the hub failed by a mistake of ours, or by a disk that does not take anything."""
        self.faults.append(f"{where}: {type(error).__name__}: {error}")
        self.report("fault", self.faults[-1])

    # what the rooms ask

    def _said(self, what: str, words: str) -> None:
        self.report(what, words)

    def news(self, *about: object) -> None:
        """Something was decided: lists may have changed."""
        if not self._refresh_asked:
            self._refresh_asked = True
            self.kernel.after(1, self._refresh)

    def _close_device(self, device: bytes, reason: str) -> None:
        bay = self._docked.get(device)
        if bay is not None and bay.core is not None:
            core = bay.core
            self.kernel.after(0, lambda: self._close(bay, core, reason))

    def _close(self, bay: BayBox, core: BayCore, reason: str) -> None:
        if bay.core is core and self.on:
            self.guard(lambda: core.close(reason, self.kernel.now))
            bay.port.wake(self.kernel.now)

    def claim(self, bay: BayBox, device: Device) -> None:
        """`bay` is this device's only docking: the newest wins."""
        before = self._docked.get(device.id)
        if before is not None and before is not bay and before.core is not None:
            before.core.close(f"docked on {bay.name}", self.kernel.now)
            before.device = None  # its end is the older docking's, and says nothing about this one
            before.port.wake(self.kernel.now)
        self._docked[device.id] = bay

    def lifted(self, bay: BayBox, device: Device, reason: str) -> None:
        if self._docked.get(device.id) is bay:
            del self._docked[device.id]
            self.rooms.lifted(device)
            self.on_lifted(bay.name, device, reason)

    # the exchange

    def _message(self, topic: str, payload: bytes) -> None:
        self._count(topic, payload)
        syncs = self.disk.syncs
        answers = answer(self.rooms.exchange, topic, payload, self.clock(), self.report)
        self._show_said(answers)
        now = self.kernel.now
        self._slow_until = max(self._slow_until, now) + (self.disk.syncs - syncs) * self.disk.slow_sync_ms
        if self._slow_until > now:  # the exchange waits for its disk, and its answers with it
            client = self._client
            self.kernel.at(self._slow_until, lambda: self._say(client, answers))
        else:
            self._say(self._client, answers)

    def _say(self, client: Client, messages: list[tuple[str, bytes]]) -> None:
        for where, what in messages:
            client.publish(where, what)
        self._wake_docked()

    def _publish(self, ask: Callable[[int], list[Any]]) -> None:
        try:
            messages = ask(self.clock())
        except Exception as error:
            self.report("exchange-failed", f"{type(error).__name__}: {error}"[:300])
            return
        said = down(self.wing, messages)
        self._show_said(said)
        self._say(self._client, said)

    def _show_said(self, messages: list[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            self._count(topic, payload)
            self.on_say(topic, payload)

    def _count(self, topic: str, payload: bytes) -> None:
        way, _, kind = topic.rpartition("/")
        moved = self.moved.setdefault((self.kernel.now // DAY_MS, way.rpartition("/")[2] + "/" + kind), [0, 0])
        moved[0] += 1
        moved[1] += len(payload)

    def _wake_docked(self) -> None:
        for bay in self._docked.values():
            if bay.connection is not None and bay.connection.waiting:
                bay.port.wake(self.kernel.now)

    def _refresh(self) -> None:
        self._refresh_asked = False
        if self.kernel.now < self.stalled_until:
            self.news()
        elif self.on and self.broker_up:
            self.guard(lambda: self._publish(self.rooms.exchange.refresh))

    def start_ticks(self) -> None:
        if not self._ticking:
            self._ticking = True
            self.kernel.after(TICK_MS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if self.kernel.now < self.stalled_until:
            self.start_ticks()
        elif self.on and self._docked:
            self.broker.tick(self.kernel.now)
            self.guard(lambda: self._publish(self.rooms.exchange.tick))
            self.start_ticks()

    # media

    def work_media(self, wait_s: float = MEDIA_IDLE_S) -> None:
        """Look whether an item waits for its renditions; soon, and once."""
        if not self._media_asked:
            self._media_asked = True
            self.kernel.after(int(wait_s * 1000), self._media)

    def _media(self) -> None:
        self._media_asked = False
        if self.on:
            if self.kernel.now < self.stalled_until:
                self.work_media()
                return
            self.guard(self._media_step)

    def _media_step(self) -> None:
        try:
            worked = self.rooms.pipeline.step()
        except Exception as error:
            self.fault("media", error)
            self.work_media(MEDIA_FAILED_S)
            return
        if worked:
            self.news()
            self.work_media()
