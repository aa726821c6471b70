"""`perch hub`: one process that starts everything of a wing and keeps each part alive on its own.

broker, exchange, bays, media worker, staff page: a fault in one restarts that one. asyncio at the edges, one writer to
the database, slow work in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from typing import Any

from hub_daemon import config as configuration
from hub_daemon.bay import Bay
from hub_daemon.broker import Account, BrokerFailed, choose
from hub_daemon.config import Config, ConfigRefused
from hub_daemon.exchange_mqtt import ExchangeMqtt
from hub_daemon.keys import load_or_make
from hub_daemon.limits import (
    BAY_RESTART_S,
    HEALTH_S,
    MEDIA_FAILED_S,
    MEDIA_IDLE_S,
    MEDIA_STOP_S_MAX,
    NEWS_MS,
    PORT_AGAIN_S_MAX,
    PORT_AGAIN_S_MIN,
    STOP_S_MAX,
    TCP_DOCKINGS_MAX,
    TCP_IDLE_S_MAX,
    TICK_MS,
)
from hub_daemon.media import watch
from hub_daemon.options import arguments, configure
from hub_daemon.report import Reporter
from hub_daemon.rooms import Rooms
from hub_daemon.store import Store, items, log
from hub_daemon.wire_port import WireClosed, open_serial, tcp_listener
from protocol.errors import Refusal
from protocol.records.roster import Device

ETHERNET = "ethernet"  # the bay that TCP dockings enrol on


class Daemon:
    """One hub. The staff page is handed this object: `.store .blobs .moderation .enrolment .people .bays() .health()`.
    """

    def __init__(self, config: Config, report: Reporter) -> None:
        self.config = config
        self.report = report
        self.data = config.data
        self.started_ms = self.clock()
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self.keys = load_or_make(self.data / "keys")
        self.store = Store(self.data / "hub.sqlite3")
        rooms = self.rooms = Rooms(
            self.data, self.store, self.keys, config.wing, self.clock, report, self.news, self._close_device,
            config.envelopes_per_day_max,
        )  # fmt: skip
        self.blobs, self.wing, self.people = rooms.blobs, rooms.wing, rooms.people
        self.moderation, self.enrolment = rooms.moderation, rooms.enrolment
        self.exchange, self.pipeline = rooms.exchange, rooms.pipeline
        self.broker = choose(config.broker, self.data / "broker", config.wing, report)
        self.mqtt = ExchangeMqtt(self.exchange, self.broker, self.clock, report, self._broker_lost)
        self.faults: dict[str, int] = {}
        self.page: Any = None
        self.tcp_port = 0
        self.dockings = self.resumed = 0  # sessions with a device since the start, and those of them with a ticket
        self._bays: dict[str, Bay] = {one.name: Bay(one.name, self) for one in config.bays}
        self._tcp_bays: dict[str, Bay] = {}
        self._docked: dict[bytes, Bay] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._stop_media = threading.Event()
        self._media = threading.Thread(target=self._work_media, name="media", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []

    # what the rooms ask of the hub

    def clock(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    @property
    def bay_account(self) -> Account:
        return self.broker.accounts.bay

    def news(self, *about: object) -> None:
        """Something was decided: delivery lists may have changed. From any thread."""
        self._soon(self._news.set)

    def _soon(self, call: Any, *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, *arguments)

    def _close_device(self, device: bytes, reason: str) -> None:
        def close() -> None:
            bay = self._docked.get(device)
            if bay is not None:
                bay.close_docking(reason)

        self._soon(close)

    def _broker_lost(self) -> None:
        def close() -> None:
            for bay in self._docked.values():
                bay.close_docking("the broker started again")

        self._soon(close)

    # the bays' side

    def find_ticket(self, device: Device) -> bytes | None:
        """What this device may come back with, if it is still good."""
        return self.rooms.find_ticket(device)

    async def dock(self, bay: Bay, device: Device, ticket: bytes, resumed: bool) -> None:
        """Make `bay` the device's only docking: the newest wins, an older one is closed."""
        if not self.mqtt.ready.is_set():
            raise ConnectionError("the exchange is not on the broker yet")
        before = self._docked.get(device.id)
        if before is not None and before is not bay:
            before.close_docking(f"docked on {bay.name}")
        self._docked[device.id] = bay
        await asyncio.to_thread(self.exchange.docked, device.id, self.clock(), ticket)
        self.dockings += 1
        self.resumed += resumed
        self.report("docked", f"{bay.name} {device.id.hex()} {device.learner}" + (" resumed" if resumed else ""))

    async def lift(self, bay: Bay, device: Device) -> None:
        if self._docked.get(device.id) is bay:
            del self._docked[device.id]
            await asyncio.to_thread(self.rooms.lifted, device)

    async def open_broker(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.broker.bay_socket))

    # the staff page's side

    def bays(self) -> list[dict[str, Any]]:
        """Every dock and who is in it: bay, state, device (hex), learner, progress (words), refusal."""
        rows = []
        for bay in [*self._bays.values(), *list(self._tcp_bays.values())]:
            rows.append(self._row(bay))
        if self.config.tcp is not None and not any(row["bay"] == ETHERNET for row in rows):
            rows.append({"bay": ETHERNET, "state": "waiting", "device": None, "learner": None, "progress": ""})
        return rows

    def _row(self, bay: Bay) -> dict[str, Any]:
        device = bay.device
        state = bay.state if bay.port_open else "no port"
        progress = ""
        if device is not None:
            phase, done, whole = self.exchange.progress(device.id)
            progress = f"{phase} {done * 100 // whole} %" if whole else phase
        return {
            "bay": bay.name,
            "state": state,
            "device": None if device is None else device.id.hex(),
            "learner": None if device is None else device.learner,
            "progress": progress,
            "refusal": bay.last_refusal,
        }

    def health(self) -> dict[str, Any]:
        """How the hub is, in figures; published retained and shown to staff."""
        with self.store.read() as tx:
            counts = items.counts(tx)
            rows = log.size(tx)
        free = os.statvfs(self.data)
        return {
            "wing": self.config.wing,
            "up_s": (self.clock() - self.started_ms) // 1000,
            "broker": self.broker.name if self.broker.running() else "down",
            "broker_restarts": self.broker.restarts,
            "docked": len(self._docked),
            "dockings": self.dockings,
            "resumed": self.resumed,
            "messages": self.exchange.counters["messages"],
            "custody": self.exchange.counters["custody"],
            "refused": self.exchange.counters["refused"],
            "items": dict(sorted(counts.items())),
            "log_rows": rows,
            "media": self.pipeline.jail_fault or "ok",
            "faults": dict(self.faults),
            "free_bytes": free.f_bavail * free.f_frsize,
        }

    # running

    async def run(self, ready: Any = None) -> None:
        """Start everything, serve until `stop`, end everything. Raises BrokerFailed or OSError at the start."""
        self._loop = asyncio.get_running_loop()
        try:
            await self.broker.start()
            self.mqtt.start()
            for one in self.config.bays:
                self._keep(f"bay {one.name}", self._serve_serial(self._bays[one.name], one.port))
            if self.config.tcp is not None:
                await self._start_tcp(*self.config.tcp)
            self._keep("news", self._follow_news())
            self._keep("ticks", self._follow_time())
            self._keep("health", self._say_health())
            if self.config.media:
                self.pipeline.hold_videos("")  # until the watch has seen the jail hold
                self._media.start()
            if self.config.page is not None:
                await asyncio.to_thread(self._start_page, *self.config.page)
            self._keep("check", self._check_store())
            self.report("up", f"wing {self.config.wing}, broker {self.broker.name}")
            if self.config.media:
                threading.Thread(target=self._watch_jail, name="jail", daemon=True).start()
            if ready is not None:
                ready(self)
            await self._stop.wait()
        finally:
            await self._end()

    def stop(self) -> None:
        """From the event loop's thread."""
        self._stop.set()

    async def _end(self) -> None:
        self._stop_media.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S_MAX)
        await asyncio.to_thread(self.mqtt.stop)
        await self.broker.stop()
        if self.page is not None:
            await asyncio.to_thread(self.page.close)
        if self._media.is_alive():
            await asyncio.to_thread(self._media.join, MEDIA_STOP_S_MAX)
        self.store.close()
        self.report("stopped", f"wing {self.config.wing}")

    def _keep(self, name: str, work: Any) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)

    def fault(self, where: str, error: BaseException) -> None:
        """A part of the hub failed by a mistake of ours: said, counted, and that part starts again."""
        self.faults[where] = self.faults.get(where, 0) + 1
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        self.report("fault", f"{where}: {type(error).__name__}: {error}{place}")

    async def _serve_serial(self, bay: Bay, path: str) -> None:
        """One serial port for ever: opened when it is there, opened again when it comes back."""
        pause, told = PORT_AGAIN_S_MIN, ""
        while True:
            try:
                with open_serial(path, self.config.baud) as descriptor:
                    self.report("port", f"{bay.name}: {path} is open")
                    pause, told = PORT_AGAIN_S_MIN, ""
                    await bay.run(descriptor)
            except (WireClosed, OSError) as error:
                words = f"{bay.name}: {path}: {error}"
                if words != told:
                    self.report("port", words)
                told = words
                await asyncio.sleep(pause)
                pause = min(2 * pause, PORT_AGAIN_S_MAX)
            except Exception as error:
                self.fault(bay.name, error)
                await asyncio.sleep(BAY_RESTART_S)

    async def _start_tcp(self, host: str, port: int) -> None:
        listener = tcp_listener(host, port)
        self.tcp_port = int(listener.getsockname()[1])
        self._keep("ethernet", self._accept_tcp(listener))
        if self.config.announce:
            self._keep("announce", self._announce(host))

    async def _accept_tcp(self, listener: Any) -> None:
        loop = asyncio.get_running_loop()
        serving: set[asyncio.Task[None]] = set()
        try:
            while True:
                connection, _ = await loop.sock_accept(listener)
                free = next(n for n in range(1, TCP_DOCKINGS_MAX + 2) if f"tcp-{n}" not in self._tcp_bays)
                if free > TCP_DOCKINGS_MAX:
                    connection.close()
                    continue
                bay = Bay(f"tcp-{free}", self, ETHERNET)
                self._tcp_bays[bay.name] = bay
                task = asyncio.create_task(self._serve_tcp(bay, connection), name=bay.name)
                serving.add(task)
                task.add_done_callback(serving.discard)
        finally:
            for task in serving:
                task.cancel()
            listener.close()

    async def _serve_tcp(self, bay: Bay, connection: Any) -> None:
        try:
            await bay.run(connection.fileno(), TCP_IDLE_S_MAX)
        except (WireClosed, OSError):
            pass
        except Exception as error:
            self.fault(bay.name, error)
        finally:
            connection.close()
            self._tcp_bays.pop(bay.name, None)

    async def _announce(self, host: str) -> None:
        from hub_daemon.announce import Announcer

        announcer = Announcer(self.config.wing, host, self.tcp_port)
        try:
            await announcer.start()
            await asyncio.Event().wait()
        except (OSError, ValueError) as error:
            self.report("announce", f"not announced: {error}")
        finally:
            with contextlib.suppress(Exception):
                await announcer.stop()

    async def _follow_news(self) -> None:
        """New lists when something was decided here, or committed by another process."""
        seen = self.store.data_version()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), NEWS_MS / 1000)
            version = self.store.data_version()
            if not self._news.is_set() and version == seen:
                continue
            self._news.clear()
            seen = version
            await asyncio.to_thread(self.mqtt.refresh)

    async def _follow_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            await asyncio.to_thread(self.mqtt.tick)

    async def _say_health(self) -> None:
        while True:
            try:
                if self.mqtt.ready.is_set():
                    self.mqtt.retain("health", await asyncio.to_thread(self.health))
                    self.mqtt.retain("state", {"bays": self.bays()})
            except Exception as error:
                self.fault("health", error)
            await asyncio.sleep(HEALTH_S if self.mqtt.ready.is_set() else 0.5)

    def _work_media(self) -> None:
        """One item after the other; a failure costs a pause, never the worker.

        In a thread of its own that nobody waits for: a transcode may take a minute, a stop may not. The item it was at
        stays 'ingested' and is done again.
        """
        while not self._stop_media.is_set():
            try:
                worked = self.pipeline.step()
            except Exception as error:
                if self._stop_media.is_set():
                    return
                self.fault("media", error)
                self._stop_media.wait(MEDIA_FAILED_S)
                continue
            if worked:
                self.news()
            else:
                self._stop_media.wait(MEDIA_IDLE_S)

    def _watch_jail(self) -> None:
        """Whether videos may be decoded on this machine; in a thread of its own, after the start."""
        try:
            watch.keep_watch(self.pipeline, self.report, self._stop_media)
        except Exception as error:
            self.pipeline.hold_videos("the jail could not be tried; see the log")
            self.fault("jail", error)

    async def _check_store(self) -> None:
        """Read the whole database once; a damaged one is said at every health until somebody acts."""
        try:
            await asyncio.to_thread(self.store.check)
        except Refusal as refusal:
            self.fault("store", refusal)

    def _start_page(self, host: str, port: int) -> None:
        """Django is imported here, so that docking does not wait for it."""
        importlib.import_module("hub_daemon.staff.context").set(self)
        wsgi = importlib.import_module("hub_daemon.staff.wsgi")
        self.page = wsgi.serve(host, port, self.config.page_threads)


def where_to_look(hub: Daemon) -> str:
    """What the operator sees when the hub is up."""
    config = hub.config
    lines = [f"perch hub: wing {config.wing} is up ({(hub.clock() - hub.started_ms) / 1000:.1f} s)"]
    if hub.page is not None:
        lines.append(f"  staff page   http://{hub.page.host}:{hub.page.port}/")
    lines.append(f"  data         {hub.data}")
    for one in config.bays:
        lines.append(f"  dock         {one.name} on {one.port}")
    if config.tcp is not None:
        lines.append(f"  ethernet     {config.tcp[0]}:{hub.tcp_port}")
    lines.append(f"  broker       {hub.broker.name}; to watch it: {hub.broker.directory / 'operator.txt'}")
    if not hub.wing.known:
        lines.append("  no roster    nobody can dock yet. Next: perch staff add, for two administrators")
    return "\n".join(lines)


async def serve(config: Config, report: Reporter) -> None:
    hub = Daemon(config, report)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hub.stop)
    await hub.run(lambda made: print(where_to_look(made), flush=True))


def main(argv: list[str]) -> int:
    given = arguments(argv)
    if given.print_config:
        sys.stdout.write(configuration.default_text())
        return 0
    try:
        config = configure(given)
        config.data.mkdir(parents=True, exist_ok=True)
        report = Reporter(config.data / "log")
        asyncio.run(serve(config, report))
    except (ConfigRefused, BrokerFailed, Refusal) as refusal:
        print(f"perch hub: {refusal.name}: {refusal}", file=sys.stderr)
        return 2 if isinstance(refusal, ConfigRefused) else 1
    except OSError as error:
        print(f"perch hub: {error}. See the message above for the file or address.", file=sys.stderr)
        return 1
    return 0
