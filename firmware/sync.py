"""One docking as a conversation with the hub: what goes up, what comes down, in the order that recalls need.

    hello -> rosters and list -> journal up -> envelopes and blobs up -> bundles and blobs down -> settled

Sans-IO, over protocol.mqtt: `receive(data, now)`, `tick(now)`, `next_deadline()`, `to_send(now, room)`.
It produces one packet at a time and only when the wire takes it, so that a device never holds more
than a chunk. All its state is the device's own: after a yank at any byte the next docking goes on
where the durable things end.
"""

from firmware import limits, outbox
from firmware.fetching import Fetching
from firmware.sending import Sending
from protocol import blob, mqtt
from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.records import topics
from protocol.records.hello import Hello, Status, Time
from protocol.records.receipt import Custody, Receipt

if TYPE_CHECKING:
    from firmware.device import Device

SOFTWARE = "perch 0.1.0"

CONNECTING = "connecting"
LISTING = "listing"
JOURNAL = "journal"
SENDING = "sending"
RECEIVING = "receiving"
SETTLED = "settled"


class Sync:
    """One docking. `closed` says why when the broker ended it; the dock then starts a new session.

    `room` is where a chunk is gathered: a block of limits.ROOM_BYTES that the heap may not have when one comes.
    """

    def __init__(self, device: "Device", room: "bytearray | None" = None) -> None:
        self.device = device
        self.closed = ""
        self.phase = CONNECTING
        name = outbox.name_of(device.identity.device)
        self._client = mqtt.Client(name, limits.KEEPALIVE_S, view_bytes_min=limits.VIEW_BYTES_MIN, room=room)
        self._client.connect()
        self._deadline: "int | None" = None
        self._hub_s = 0
        self._tries = 0
        self._journal_asked = -1
        self._receipts_sent: "set[bytes]" = set()
        self.sending = Sending(device, self._publish)
        self.fetching = Fetching(device, self._publish)
        device.sent = device.new = 0
        device.docked, device.can_lift = True, False
        self._enter(CONNECTING)

    def _publish(self, kind: str, payload: bytes) -> bool:
        return self._client.publish(topics.own(topics.UP, kind), payload)

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._deadline = None
        self._tries = 0
        self._journal_asked = -1
        self._tell()

    def _tell(self) -> None:
        device = self.device
        device.phase = self.phase
        device.can_lift = self.phase == SETTLED
        device.sent = self.sending.taken
        device.new = self.fetching.new
        device.progress = (
            self.sending.done_bytes + self.fetching.done_bytes(),
            self.sending.total_bytes() + self.fetching.total_bytes(),
        )

    # -- bytes ------------------------------------------------------------------------------

    def receive(self, data: bytes, now: int) -> None:
        """Bytes of the session's stream. What the hub gets wrong is refused, journaled and costs nothing else."""
        # in small pieces: what the client gathers is then one packet and little more
        for at in range(0, len(data), limits.READ_BYTES_MAX):
            self._client.receive(data[at : at + limits.READ_BYTES_MAX], now)
            event = self._client.next_event()
            while event is not None:
                self._take(event, now)
                event = self._client.next_event()

    def tick(self, now: int) -> None:
        self._client.tick(now)
        event = self._client.next_event()
        if event is not None:
            self._take(event, now)

    def next_deadline(self) -> "int | None":
        """When `to_send` should be called even if nothing comes."""
        due = None
        for deadline in (self._deadline, self._client.next_deadline(), self.sending.deadline,
                         self.fetching.next_deadline()):
            if deadline is not None and (due is None or deadline < due):
                due = deadline
        return due

    def to_send(self, now: int, room: int) -> bytes:
        """The next bytes for the session's stream, at most `room`."""
        if room <= 0:
            return b""
        if self.closed:
            return b""
        if not self.sending.answering:
            data = self._client.to_send(now, room)
            if data:
                return data
        if self.phase != CONNECTING and room >= limits.HEAD_BYTES_MAX:
            data = self.sending.answer(now, room)
            if data or self.sending.answering:
                self._tell()
                return data
        self._produce(now)
        return self._client.to_send(now, room)

    # -- what to do next --------------------------------------------------------------------

    def _produce(self, now: int) -> None:
        """Do the next thing there is to do: each phase ends when it has nothing left."""
        if self.phase == CONNECTING or self.sending.answering:
            return
        if self.phase == LISTING:
            if self._deadline is None:
                self._deadline = now + limits.LIST_WAIT_MS
            elif now >= self._deadline:
                self._enter(JOURNAL)
        if self.phase == JOURNAL and not self._step_journal(now):
            self._enter(SENDING)
        if self.phase == SENDING and not self.sending.step(now):
            self._enter(RECEIVING)
        if self.phase == RECEIVING and not self._step_receipts() and not self.fetching.step(now):
            self._settle(now)
        elif self.phase == SETTLED and self._deadline is not None and now >= self._deadline:
            self._look_again(now)
        self._tell()

    def _settle(self, now: int) -> None:
        self._enter(SETTLED)
        self._deadline = now + limits.REST_MS
        self.device.saved_at_s = self._hub_s or self.device.clock_s()

    def _look_again(self, now: int) -> None:
        """Settled for a while: was something saved, recorded, or left unanswered meanwhile?"""
        self._deadline = now + limits.REST_MS
        if self.device.outbox_changed:
            self._hello()  # so that the hub knows how many to expect
            self._enter(LISTING)
        elif self.device.journal.waiting():
            self._enter(JOURNAL)
        elif self.fetching.has_work():
            self._enter(RECEIVING)

    def _step_journal(self, now: int) -> bool:
        """True while there is journal to hand over."""
        journal = self.device.journal
        if self._deadline is not None and now < self._deadline and self._journal_asked >= journal.custody_next:
            return True
        if self._journal_asked >= journal.custody_next:  # asked, and no custody in time
            self._tries += 1
        if self._tries >= limits.CUSTODY_TRIES or not journal.waiting():
            return False
        batch = journal.batch(self.device.identity)
        if batch is None or not self._publish("journal", batch[0]):
            return batch is not None
        self._journal_asked = batch[1]
        self._deadline = now + limits.CUSTODY_WAIT_MS
        return True

    def _step_receipts(self) -> bool:
        """Publish one receipt that the hub has not got in this docking; True when there was one."""
        listed = self.device.inbox.list
        if listed is None:
            return False
        identity = self.device.identity
        for item, statement, state in self.device.inbox.receipts():
            if item in self._receipts_sent:
                continue
            receipt = Receipt(item=item, statement=statement, list_version=listed.version, state=state)
            if self._publish("receipt", receipt.sign(identity.seed, identity.ed25519)):
                self._receipts_sent.add(item)
            return True
        return False

    # -- what came --------------------------------------------------------------------------

    def _take(self, event: "tuple[object, ...]", now: int) -> None:
        if event[0] == "connected":
            self._client.subscribe(topics.own_filter(topics.DOWN))
        elif event[0] == "subscribed":
            if event[2] != 0:
                self.closed = "the hub does not let this device listen"
                return
            self._hello()
            self._enter(LISTING)
        elif event[0] == "closed":
            self.closed = str(event[1])
        elif event[0] == "message":
            topic, payload = event[1], event[2]
            assert isinstance(topic, str) and isinstance(payload, (bytes, memoryview))
            try:
                self._message(topic, payload, now)
            except Refusal as refusal:
                self._refused(topic, refusal)
        self._tell()

    def _hello(self) -> None:
        device = self.device
        device.outbox_changed = False
        listed, roster = device.inbox.list, device.identity.roster
        self.sending.begin()
        self._publish("hello", Hello(
            device=device.identity.device,
            list_version=0 if listed is None else listed.version,
            roster_version=0 if roster is None else roster.version,
            journal_next=max(1, device.journal.next_seq),
            outbox=len(self.sending.sendable()),
            software=SOFTWARE,
        ).encode())  # fmt: skip

    def _refused(self, topic: str, refusal: Refusal) -> None:
        """Bundles are journaled where they are checked; chunks and wants are repeated by the transfer itself."""
        kind = topic[topic.rfind("/") + 1 :]
        if kind in ("roster", "list"):
            self.device.log("refused", kind + " " + refusal.name)

    def _message(self, topic: str, view: "bytes | memoryview", now: int) -> None:
        direction, kind = topics.parse_own(topic)
        if direction != topics.DOWN:
            raise topics.TopicRefused("going up")
        if kind == "chunk":
            self.fetching.chunk(view, now)
            return
        payload = bytes(view)
        if kind == "want":
            self.sending.want(blob.Want.decode(payload), now)
        elif kind == "bundle":
            self.fetching.bundle(payload)
        elif kind == "receipt":
            self._custody(Custody.decode(payload), now)
        elif kind == "list":
            self._list(payload)
        elif kind == "roster":
            self.device.accept_roster(payload)
        elif kind == "time":
            self._hub_s = Time.decode(payload).time_s
        elif kind == "hello":
            self._status(Status.decode(payload))

    def _list(self, payload: bytes) -> None:
        expected = len(self.sending.sendable())
        try:
            self.device.accept_list(payload)
            newest = self.device.inbox.list
            self._hub_s = max(self._hub_s, 0 if newest is None else newest.issued_s)
            self._receipts_sent.clear()
            self.fetching.list_changed()
            if len(self.sending.sendable()) < expected:
                self._hello()  # the list says what a lost custody record did not: the hub waits for fewer
        finally:
            if self.phase == LISTING:
                self._enter(JOURNAL)
            elif self.phase == SETTLED:
                self._enter(RECEIVING)

    def _custody(self, custody: Custody, now: int) -> None:
        if custody.journal is not None:
            if custody.refusal is None:
                self.device.journal.custody(custody.journal)
            else:
                self.device.journal.rewind(custody.journal)
                self._tries += 1
                self._journal_asked = -1
            if self.phase == JOURNAL:
                self._deadline = now
        elif custody.item is not None:
            self.device.custody(custody.item, custody.refusal, self._hub_s or self.device.clock_s())
            self.sending.custody(custody.item, custody.refusal)

    def _status(self, status: Status) -> None:
        self._hub_s = status.time_s
        if status.phase != SENDING:
            self.sending.handled()
        if self.phase == SETTLED:
            self.device.saved_at_s = status.time_s
        if status.phase == SETTLED:
            # the hub answers every receipt with a status; "settled" says that it has them
            for item in sorted(self._receipts_sent):
                self.device.inbox.receipt_confirmed(item)
