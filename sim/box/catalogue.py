"""Here -> scenario, planning, faults, attackers: each fault and attack by name, its arguments, what must survive it.

Data alone. A fault that is `beyond` may break more than the wing promises: a run with one of them is checked for safety
(nothing unapproved is shown) and not for liveness (everything arrives).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from random import Random

from sim.box.values import DAY_MS, SECOND_MS

DAY_S = DAY_MS // SECOND_MS
PICK_MAX = (1 << 30) - 1

TARGETS = ("docking", "device", "hub", "bay", "broker", "staff", "wing")
FAMILIES = ("wire", "power", "clock", "flash", "disk", "hub", "broker", "staff", "learner", "version")


@dataclass(frozen=True)
class ArgSpec:
    """One argument: kind "whole" (least to most), "number", "word" (one of words), "flag", or "learner", "group",
    "text" in events. `spread` says how whole numbers are drawn: "even", or "log" for all sizes alike."""

    kind: str
    least: int = 0
    most: int = 0
    words: tuple[str, ...] = ()
    spread: str = "log"
    needed: bool = True

    def draw(self, random: Random) -> int | str | bool:
        """A value from the stream; one call of random() whatever the kind."""
        share = random.random()
        if self.kind == "flag":
            return share < 0.5
        if self.kind == "word":
            return self.words[int(share * len(self.words))]
        if self.spread == "even":
            return self.least + int(share * (self.most - self.least + 1))
        span = log(self.most - self.least + 1)
        return min(self.least + int(exp(share * span)) - 1, self.most)

    def allowed(self) -> str:
        if self.kind == "whole":
            return f"a whole number from {self.least} to {self.most}"
        if self.kind == "number":
            return f"a number from {self.least} to {self.most}"
        if self.kind == "word":
            return "one of " + ", ".join(self.words)
        return {"flag": "true or false", "learner": "a learner", "group": "a group", "text": "a text"}[self.kind]


@dataclass(frozen=True)
class FaultSpec:
    """One kind of fault, what it is done to, and the promise that must survive it."""

    name: str
    family: str
    target: str
    promise: str
    beyond: bool = False
    args: Mapping[str, ArgSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class AttackSpec:
    """One kind of attack: `by` whom ("device", "wire", "staff", "administrator"), and what must come of it.

    `enrolled`: the attacker has a device that the wing trusts. `args` are drawn for each attempt."""

    name: str
    by: str
    enrolled: bool
    promise: str
    args: Mapping[str, ArgSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class VerbSpec:
    """What a scenario's [[event]] may do besides faults and attacks: `who` is a kind of target."""

    name: str
    who: str
    says: str
    args: Mapping[str, ArgSpec] = field(default_factory=dict)


def _whole(least: int, most: int, spread: str = "log") -> ArgSpec:
    return ArgSpec("whole", least, most, spread=spread)


def _word(*words: str) -> ArgSpec:
    return ArgSpec("word", words=words)


_DIRECTION = _word("up", "down")
_BYTE = _whole(0, 100_000)  # of that direction, in this docking; a shorter docking never meets it
_OPERATION = _whole(0, 300)  # the n-th changing operation of the storage from now on
_MOMENT = _word("before", "torn", "after")
_KEEP = ArgSpec("flag")  # whether bytes that were written and not synced are still there
_PICK = _whole(0, PICK_MAX, "even")  # chooses among what there is then
_ARRIVES = "what was on its way arrives at a later docking, once"


def _fault(name: str, target: str, promise: str, beyond: bool = False, **args: ArgSpec) -> FaultSpec:
    return FaultSpec(name, name.partition(".")[0], target, promise, beyond, args)


_WIRE = (
    _fault("wire.yank", "docking", f"A device lifted at any byte loses nothing: {_ARRIVES}.",
           direction=_DIRECTION, byte=_BYTE, away_ms=_whole(10, 20_000)),
    _fault("wire.half_open", "docking", "With one direction dead nobody shows a success that did not happen.",
           direction=_DIRECTION, byte=_BYTE, ms=_whole(50, 20_000)),
    _fault("wire.bit_flip", "docking", "Flipped bits cost bytes or time, never a wrong byte.",
           one_in_bits=_whole(5_000, 10_000_000)),
    _fault("wire.burst_error", "docking", "A burst of wrong bytes is found and sent again.",
           direction=_DIRECTION, byte=_BYTE, bytes=_whole(2, 2_000)),
    _fault("wire.byte_drop", "docking", "Lost bytes are found and sent again.", one_in_bytes=_whole(500, 100_000)),
    _fault("wire.byte_insert", "docking", "Bytes from nowhere are thrown away.", one_in_bytes=_whole(500, 100_000)),
    _fault("wire.duplicate_read", "docking", "What a port reads twice counts once.", one_in_reads=_whole(5, 1_000)),
    _fault("wire.trickle", "docking", "One byte in a read is as good as many.", bytes=_whole(1, 16)),
    _fault("wire.glue", "docking", "Many frames in one read are as good as one.", ms=_whole(5, 200)),
    _fault("wire.stall", "docking", f"A wire that pauses resumes, or {_ARRIVES}.",
           direction=_DIRECTION, byte=_BYTE, ms=_whole(20, 20_000)),
    _fault("wire.wrong_baud", "docking", "Ends of different speeds never take noise for a record.",
           ms=_whole(100, 20_000)),
    _fault("wire.swap_devices", "docking", "A cable that goes to another device in mid-session ends the session:"
           " nothing of one learner reaches the other.", direction=_DIRECTION, byte=_BYTE, pick=_PICK),
    _fault("wire.bounce", "docking", "A chattering contact leaves the device no worse than before.",
           times=_whole(2, 12), gap_ms=_whole(5, 400)),
    _fault("wire.noise_before_sync", "docking", "Noise before the first frame only costs time.",
           bytes=_whole(1, 4_000)),
    _fault("wire.replay_old_session", "docking", "Bytes of an earlier docking open no session and do nothing twice.",
           bytes=_whole(200, 20_000)),
)  # fmt: skip

_POWER = (
    _fault("power.device_cut", "device", "After a cut at any write, what was said to be saved is there.",
           operation=_OPERATION, moment=_MOMENT, keep=_KEEP),
    _fault("power.brown_out", "device", "A device that resets again and again comes up with everything saved.",
           times=_whole(2, 8), operation=_whole(0, 40)),
    _fault("power.battery_empty_days", "device", "A device without power for days goes on where it stopped.",
           days=_whole(1, 10)),
    _fault("power.dock_rail_cut", "wing", f"When every dock loses its power, {_ARRIVES}.", ms=_whole(50, 60_000)),
)  # fmt: skip

_CLOCK = (
    _fault("clock.drift", "device", "A device's clock decides nothing: only displayed times change.",
           ppm=_whole(-500, 500, "even")),
    _fault("clock.rollback", "device", "A clock that went back decides nothing.", s=_whole(1, 30 * DAY_S)),
    _fault("clock.jump_forward", "device", "A clock that went ahead decides nothing.", s=_whole(1, 3_650 * DAY_S)),
    _fault("clock.epoch_zero", "device", "A device that lost the date works until the hub tells it the time."),
    _fault("clock.tick_wrap", "device", "No timer hangs or fires early when the tick counter wraps.",
           ms=_whole(1, 60_000)),
    _fault("clock.hub_ntp_step", "hub", "A step of the hub's clock changes no decision and no order.",
           s=_whole(-3_600, 3_600, "even")),
)  # fmt: skip

_FLASH = (
    _fault("flash.bit_rot", "device", "A rotten byte is found by its digest and never shown.", beyond=True,
           pick=_PICK, bit=_whole(0, PICK_MAX, "even")),
    _fault("flash.torn_page", "device", "Half a page of a large file is found and fetched or written again.",
           operation=_OPERATION),
    _fault("flash.full", "device", "A full device says so; what was saved stays, and it still docks.",
           bytes=_whole(0, 65_536), ms=_whole(60_000, 2 * DAY_MS)),
    _fault("flash.worn_out_block", "device", "A write that fails is not reported as saved.",
           operation=_OPERATION, times=_whole(1, 4)),
    _fault("flash.slow_erase", "device", "Slow storage costs time; no acknowledgement comes before its write.",
           ms=_whole(5, 500), times=_whole(1, 200)),
)  # fmt: skip

_DISK = (
    _fault("disk.full", "hub", "A full disk refuses new work by name; nothing acknowledged is lost.",
           ms=_whole(1_000, 4 * 3_600_000)),
    _fault("disk.torn_write", "hub", "After half a write the hub starts from its last commit.", operation=_OPERATION),
    _fault("disk.lost_unsynced", "hub", "What the hub acknowledged was synced: losing the rest loses nothing.",
           operation=_OPERATION),
    _fault("disk.read_error", "hub", "A failing read stops one bay's work, not the hub.",
           operation=_OPERATION, times=_whole(1, 4)),
    _fault("disk.slow_sync", "hub", "A stalled card delays custody acks, never link acks, and loses nothing.",
           ms=_whole(20, 20_000), times=_whole(1, 50)),
    _fault("disk.stale_copy_restored", "hub", "After an old backup nothing unapproved is shown, and devices dock"
           " on; what was recalled since the copy comes back until it is recalled again.", beyond=True,
           days=_whole(1, 30)),
)  # fmt: skip

_HUB = (
    _fault("hub.power_cut", "hub", "A cut at any write loses nothing that was acknowledged.",
           operation=_OPERATION, moment=_MOMENT, keep=_KEEP),
    _fault("hub.crash", "hub", "A killed hub serves every bay again without a human step.",
           operation=_OPERATION, down_ms=_whole(200, 60_000)),
    _fault("hub.stall", "hub", f"A hub that hangs for a while goes on, or {_ARRIVES}.", ms=_whole(50, 30_000)),
    _fault("hub.restart_loop", "hub", "A hub that dies again and again loses nothing and comes up in the end.",
           times=_whole(2, 8), up_ms=_whole(100, 10_000)),
    _fault("hub.bay_dead", "bay", "A dead bay stops nobody: the other bays serve all.",
           ms=_whole(60_000, 90 * DAY_MS)),
    _fault("hub.bay_swapped", "bay", "Ports that change their names mix up no devices.", pick=_PICK),
    _fault("hub.memory_low", "hub", "Refused memory costs one docking, not the hub.", times=_whole(1, 4)),
)  # fmt: skip

_BROKER = (
    _fault("broker.restart", "broker", f"The broker is a pipe: when it restarts, {_ARRIVES}.",
           down_ms=_whole(50, 20_000)),
    _fault("broker.lost_session", "broker", "A broker that forgot its subscribers loses nothing for good."),
    _fault("broker.duplicate_publish", "broker", "What the broker says twice counts once.", times=_whole(1, 50)),
    _fault("broker.delayed_puback", "broker", "A slow broker delays and loses nothing.", ms=_whole(20, 10_000),
           times=_whole(1, 50)),
    _fault("broker.full_queue", "broker", "What a full broker drops is sent again.", times=_whole(1, 50)),
)  # fmt: skip

_STAFF = (
    _fault("staff.absent_days", "staff", "Without staff nothing is approved by itself and nothing is lost.",
           days=_whole(1, 5)),
    _fault("staff.double_click", "staff", "A decision sent twice is one decision.", times=_whole(1, 5)),
    _fault("staff.two_staff_disagree", "staff", "While two people disagree nothing is shown.", times=_whole(1, 5)),
    _fault("staff.approve_then_revoke", "staff", "What was recalled before it left is never shown; later it goes"
           " at the next docking.", ms=_whole(1_000, DAY_MS)),
    _fault("staff.stale_page", "staff", "A decision about an older state is refused by name.",
           ms=_whole(1_000, 8 * 3_600_000)),
    _fault("staff.bulk_approve", "staff", "Approvals in haste are one by one, over exactly their bytes.",
           times=_whole(2, 50)),
)  # fmt: skip

_LEARNER = (
    _fault("learner.writes_bursts", "device", "A burst meets a limit by name; what was saved before is kept.",
           posts=_whole(5, 80), bytes=_whole(1, 4_000)),
    _fault("learner.transfers_wing", "device", "Who left gets nothing more and is nobody's audience."),
    _fault("learner.released", "device",
           "A returned device is revoked and wiped; the learner's work at the hub stays."),
    _fault("learner.shares_device", "device", "Another person at the device sees no more than its learner may.",
           pick=_PICK),
    _fault("learner.docks_for_two_seconds", "docking", "A docking of two seconds never leaves the device worse.",
           ms=_whole(100, 4_000, "even")),
    _fault("learner.never_docks_90_days", "device",
           "Without a docking all work stays readable and writable."),
)  # fmt: skip

_VERSION = (
    _fault("version.old_firmware_new_hub", "device", "An older device docks, or is told by name to update; it loses"
           " nothing."),
    _fault("version.new_firmware_old_hub", "device",
           "A newer device docks with an older hub, or waits. It loses nothing."),
    _fault("version.schema_migration_crash", "hub", "A migration that dies is before or after, never between.",
           operation=_OPERATION),
    _fault("version.unknown_record_type", "device", "A record of an unknown kind is refused by name and stops nothing"
           " else.", times=_whole(1, 5)),
)  # fmt: skip

CATALOGUE: dict[str, FaultSpec] = {
    one.name: one for one in (*_WIRE, *_POWER, *_CLOCK, *_FLASH, *_DISK, *_HUB, *_BROKER, *_STAFF, *_LEARNER, *_VERSION)
}


def _attack(name: str, by: str, enrolled: bool, promise: str, **args: ArgSpec) -> AttackSpec:
    return AttackSpec(f"malice.{name}", by, enrolled, promise, args)


ATTACKS: dict[str, AttackSpec] = {
    one.name: one
    for one in (
        _attack("forged_signature", "device", True, "A record whose signature is not its author's is refused.",
                times=_whole(1, 5)),
        _attack("replayed_record", "device", True, "A record sent again, its own or another's, has no second effect.",
                times=_whole(1, 5)),
        _attack("cloned_device", "device", True, "A copied device shows in the log and reads no more than the first.",
                pick=_PICK),
        _attack("oversize_frame", "wire", False, "Frames over the bound are dropped and cost no memory.",
                bytes=_whole(8_193, 1_000_000)),
        _attack("zip_of_small_frames", "wire", False, "Thousands of tiny frames starve no other bay.",
                frames=_whole(100, 20_000)),
        _attack("handshake_flood", "wire", False, "A flood of handshakes delays an honest bay by at most a second.",
                times=_whole(10, 2_000)),
        _attack("wrong_key", "device", False, "A device with a key that nobody enrolled gets no session."),
        _attack("downgrade", "wire", False, "Offers of weaker or older protocols are refused."),
        _attack("lying_clock", "device", True, "A record's own time decides nothing.",
                s=_whole(-3_650 * DAY_S, 3_650 * DAY_S, "even")),
        _attack("junk_cbor", "device", True, "Deep nesting and huge lengths are refused before they cost memory.",
                shape=_word("deep", "long", "duplicate_keys", "not_shortest", "cut")),
        _attack("canary_exfiltration", "device", True, "Another learner's words are nowhere on this device's wire.",
                pick=_PICK),
        _attack("id_collision", "device", True, "An id that another record has takes nothing from that record.",
                pick=_PICK),
        _attack("slow_loris", "wire", False, "A session fed byte by byte holds its own bay and no other.",
                gap_ms=_whole(50, 1_500)),
        _attack("hub_impostor", "wire", False, "A false dock gets no plaintext and no grant, and shows nothing."),
        _attack("foreign_topic", "device", True, "Topics of another device are refused and close the session.",
                pick=_PICK),
        _attack("wide_audience", "device", True, "An audience that is not the author's to choose is refused.",
                pick=_PICK),
        _attack("poisoned_video", "device", True, "A video that breaks decoders costs one jailed worker.",
                bytes=_whole(100, 100_000)),
        _attack("false_chunks", "device", True, "A chunk that does not match its digest is not kept.",
                times=_whole(1, 20)),
        _attack("counter_rewind", "device", True, "Used counters and cut journals are refused and show in the log.",
                back=_whole(1, 50)),
        _attack("list_rollback", "wire", False, "An older delivery list or roster, honestly signed, is refused.",
                back=_whole(1, 20)),
        _attack("unapproved_bundle", "wire", False, "A bundle without its approvals is not shown, whoever sends it."),
        _attack("envelope_flood", "device", True, "More envelopes than a day allows wait outside; others' go through.",
                times=_whole(101, 400)),
        _attack("false_receipt", "device", True, "A receipt for what was not sent changes nobody else's delivery.",
                times=_whole(1, 10)),
        _attack("colluding_pair", "device", True, "Two devices that pool what they have show no third one anything.",
                pick=_PICK),
        _attack("bought_key", "staff", True, "One member of staff's key alone approves no video and no roster."),
        _attack("edited_database", "administrator", True, "An edited database shows nobody anything unapproved, and the"
                " log tells.", table=_word("items", "decisions", "bundles", "lists", "roster", "log")),
    )
}  # fmt: skip

_LEARNER_ARG = ArgSpec("learner")
_GROUP_ARG = ArgSpec("group")
_BYTES = _whole(1, 4_000)

VERBS: dict[str, VerbSpec] = {
    one.name: one
    for one in (
        VerbSpec("write", "learner", "Writes a post; `reply` answers a thread that the device shows.",
                 {"group": ArgSpec("group", needed=False), "bytes": _BYTES, "reply": ArgSpec("flag", needed=False),
                  "pick": ArgSpec("whole", 0, PICK_MAX, needed=False)}),
        VerbSpec("record", "learner", "Records a video of `bytes`, with `words` bytes of text beside it.",
                 {"group": ArgSpec("group", needed=False), "bytes": _whole(1, 4 << 20), "words": _BYTES,
                  "reply": ArgSpec("flag", needed=False), "pick": ArgSpec("whole", 0, PICK_MAX, needed=False)}),
        VerbSpec("dock", "learner", "Goes to the docks, inside or outside of the windows.",
                 {"patience_s": ArgSpec("number", 0, DAY_S, needed=False),
                  "reaction_s": ArgSpec("number", 0, DAY_S, needed=False),
                  "stay_s_max": ArgSpec("number", 1, DAY_S, needed=False)}),
        VerbSpec("read", "learner", "Opens what is new on the device."),
        VerbSpec("draft", "learner", "Keeps a draft.", {"bytes": _BYTES}),
        VerbSpec("shift", "moderator", "Works the queue, for `ms` from then.", {"ms": _whole(1, DAY_MS)}),
        VerbSpec("recall", "moderator", "Recalls one approved item.", {"pick": _PICK}),
        VerbSpec("roster", "wing", "Two administrators sign a new roster.",
                 {"what": _word("join", "leave", "new_group"), "group": _GROUP_ARG,
                  "learner": ArgSpec("learner", needed=False)}),
        VerbSpec("enrol", "learner", "Somebody who arrives gets a device, enrolled at a dock."),
        VerbSpec("replace", "learner", "The device is gone: it is revoked, and a new one enrolled at a dock."),
        VerbSpec("revoke", "learner", "The device is revoked and taken away."),
        VerbSpec("transfer", "learner", "Leaves the wing: out of every group, the device revoked and wiped."),
    )
}  # fmt: skip
