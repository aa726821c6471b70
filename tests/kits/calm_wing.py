"""One small wing in a box on one quiet day, and ways to show its judges something that never happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from protocol import cbor
from protocol.records import signing
from protocol.records.delivery_list import DeliveryList, Listed
from sim.box import safety
from sim.box.devices import DeviceBox
from sim.box.flash import Flash
from sim.box.kernel import DAY_MS
from sim.box.ledger import Message
from sim.box.plan import Event, Plan, WingPlan
from sim.box.safety import Watch
from sim.box.world import Outcome, World

Look = Callable[[World], None]
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
LEARNERS = ("l000", "l001", "l002")
GROUPS = {"g00": LEARNERS, "g01": ("l000", "l001")}


def calm_plan(seed: str = "calm", days: int = 1) -> Plan:
    """Everybody writes, l000 also to a group without l002 and with a video; staff approve, and recall one item."""
    events = []
    for day in range(days):
        at = day * DAY_MS
        for place, learner in enumerate(LEARNERS):
            group = {"group": "g00", "bytes": 150 + place, "reply": day > 0, "pick": place}
            when = at + 8 * HOUR_MS + place * 1000
            events.append(Event(f"{learner}.d{day:02d}.write1", when, "write", learner, group))
            for number, hour in enumerate((9, 14)):
                name, when = f"{learner}.d{day:02d}", at + hour * HOUR_MS + place * 10_000
                events.append(Event(f"{name}.dock{number}", when, "dock", learner,
                                    {"patience_s": 600, "reaction_s": 2, "stay_s_max": 300}))  # fmt: skip
                events.append(Event(f"{name}.read{number}", when + 30 * MINUTE_MS, "read", learner, {}))
        group = {"group": "g01", "bytes": 90, "reply": False, "pick": 0}
        events.append(Event(f"l000.d{day:02d}.write2", at + 8 * HOUR_MS + MINUTE_MS, "write", "l000", group))
        video = {"group": "g01", "bytes": 20_000, "words": 60, "reply": False, "pick": 0}
        events.append(Event(f"l000.d{day:02d}.record1", at + 8 * HOUR_MS + 2 * MINUTE_MS, "record", "l000", video))
        for person in ("m0", "m1"):
            until = {"until_ms": at + 12 * HOUR_MS}
            events.append(Event(f"{person}.d{day:02d}.shift1", at + 10 * HOUR_MS, "shift", person, until))
    last = (days - 1) * DAY_MS + 20 * HOUR_MS
    events.append(Event("m0.recall", last, "recall", "m0", {"pick": 0}))
    wing = WingPlan(
        name="calm", learners=LEARNERS, arriving=(), groups=GROUPS, attackers={}, docks=2, moderators=("m0", "m1"),
        administrators=("a0", "a1"), baud=3_000_000, envelopes_per_day_max=100, hand_ms=5000, approve_p=1.0,
        return_p=0.0, decision_s="20",
    )  # fmt: skip
    ordered = tuple(sorted(events, key=lambda one: (one.at_ms, one.id)))
    return Plan("calm", seed, days, 0, 8 * HOUR_MS, "full", wing, ordered)


def run_plan(plan: Plan, before: Look = lambda world: None, after: Look = lambda world: None,
             secrets: bool = False) -> Outcome:  # fmt: skip
    """A plan without faults, judged."""
    with World(plan) as world:
        watch = safety.watch(world, secrets)
        before(world)
        outcome = world.run()
        watch.end()
        outcome.failures = list(world.failures)
        after(world)
        return outcome


class Wing:
    """A world that has run, with its judges. `broken(act)` are the promises that fail when they are shown `act`."""

    def __init__(self, world: World, watch: Watch) -> None:
        self.world = world
        self.watch = watch

    def broken(self, act: Callable[[], object]) -> set[str]:
        """What fails by this alone."""
        before = len(self.world.failures)
        self.watch.forget()
        act()
        found = self.world.failures[before:]
        del self.world.failures[before:]
        return {invariant for invariant, _ in found}

    def message(self, event: str) -> Message:
        return self.world.ledger.messages[event]

    def box(self, name: str) -> DeviceBox:
        return self.world.devices[name]

    def stored(self, name: str, message: Message) -> list[Any]:
        """[statement's digest, staff, [statement, signatures, text]] of a bundle on a device."""
        digest, staff, bundle = cbor.loads(self.box(name).flash.files["inbox/" + message.item.hex()][:-4])
        row = cbor.loads(bundle)
        return [digest, staff, [row[1], row[2], row[3]]]

    def write_bundle(self, name: str, item: bytes, stored: list[Any]) -> None:
        """As if the device had just written this bundle."""
        statement, sign1s, text = stored[2]
        bundle = cbor.dumps({1: statement, 2: sign1s, 3: text})
        data = cbor.dumps([stored[0], stored[1], bundle]) + bytes(4)
        self.watch.devices.change(self.box(name), ("write", "inbox/" + item.hex(), 0, data))

    def list_of(self, name: str, items: dict[bytes, bytes], version: int = 1 << 20) -> bytes:
        """A delivery list of these items, signed by the hub."""
        keys = self.world.provision.keys
        rows = [Listed(item=item, statement=items[item]) for item in sorted(items)]
        made = DeliveryList(
            wing=self.world.plan.wing.name, device=self.box(name).id, version=version,
            issued_s=self.world.hub.clock() // 1000, roster_version=1, items=rows[:200], own=[],
        )  # fmt: skip
        if len(rows) <= 200:
            return made.sign(keys.ed25519, keys.ed25519_public)
        return self._longer(made, rows)

    def _longer(self, made: DeliveryList, rows: list[Listed]) -> bytes:
        """A list that no hub would make."""
        keys = self.world.provision.keys
        row = cbor.loads(made.encode())
        row[6] = [[one.item, one.statement] for one in rows]
        body = cbor.dumps(row)
        return signing.pack_signed(body, [signing.sign(signing.LIST, keys.ed25519, keys.ed25519_public, body)])

    def say(self, name: str, kind: str, payload: bytes) -> None:
        """As if the hub said this to the device."""
        device = self.box(name).id.hex()
        self.watch.hub.said(f"wing/calm/device/{device}/down/{kind}", payload)

    @contextmanager
    def edited(self, *statements: tuple[str, tuple[Any, ...]]) -> Iterator[None]:
        """While this lasts, the hub's database is another one; each statement with what takes it back after it."""
        half = len(statements) // 2
        with self.world.hub.disk.mounted():
            for sql, values in statements[:half]:
                with self.world.hub.store.write() as tx:
                    tx.execute(sql, values)
            try:
                yield
            finally:
                for sql, values in statements[half:]:
                    with self.world.hub.store.write() as tx:
                        tx.execute(sql, values)

    def without(self, name: str, file: str) -> Flash:
        """The device's storage as a power cut would leave it that loses one file."""
        left = self.box(name).flash.survivors(True)
        left.remove(file)
        left.take_changes()
        return left
