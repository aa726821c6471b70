"""Here -> safety, liveness, docs/invariants.md: every promise that a run is held to, in plain words.

Data alone; `markdown()` is the document, and a test keeps the two equal.
"""

from __future__ import annotations

from typing import NamedTuple


class Invariant(NamedTuple):
    """`id` is what a failure names; `when` it is checked, and `where`, the module that does it."""

    id: str
    says: str
    when: str
    where: str


SAFETY = (
    Invariant("S1", "Nothing unapproved is delivered. Before anybody but its author is told of a message, enough"
              " moderators have signed its approval and the hub has committed it, and nobody has recalled it.",
              "each list and bundle that the hub says, each bundle and list that a device stores, each item that"
              " becomes approved", "oracle.py, safety_device.py, safety_hub.py, safety_screens.py"),
    Invariant("S2", "What arrives is what was approved, and what was approved is what the author wrote: the same text,"
              " byte for byte, and media with the signed digest.",
              "each bundle said and stored, each medium that is complete on a device, each screen",
              "oracle.py, safety_device.py, safety_screens.py"),
    Invariant("S3", "Only the right people get it: the author's group as it was when staff decided, nobody else, and"
              " no revoked device.", "each decision, list, bundle and chunk",
              "oracle.py, safety_device.py, safety_hub.py, safety_screens.py"),
    Invariant("S4", "Once. An item is taken once, lies under its own name, and is shown once.",
              "each custody, each bundle stored, each screen", "safety_device.py, safety_hub.py, safety_screens.py"),
    Invariant("S5", "Custody is for ever. What the hub said it has is in its database then, later, and after a power"
              " cut at that moment; what a device said it received was on its disk.",
              "each custody, each start of the hub, samples of what a power cut would leave",
              "safety_device.py, safety_hub.py"),
    Invariant("S6", "Always held. From the moment a learner sees \"saved\", the sealed message and its recording are on"
              " the device or at the hub.", "each saving, each change of the outbox, after each power cut",
              "safety_device.py"),
    Invariant("S7", "One way. Every item moves by the table; what was returned, rejected or recalled stays so.",
              "each commit of the hub", "oracle.py, safety_hub.py"),
    Invariant("S8", "A journal only grows, every entry names the hash of the one before, nothing synced is written over"
              " or lost, and the hub has the very same entries.",
              "each write to a journal, after each power cut, at the end", "safety_device.py"),
    Invariant("S9", "Every envelope and every journal that the hub takes is signed by the device it is from, every"
              " roster by two administrators.", "each custody and roster, journals at the end",
              "oracle.py, safety_device.py, safety_hub.py"),
    Invariant("S10", "No plaintext in the open. The words of a message are nowhere on a wire, in the hub's log or its"
              " reports, or in the storage of a device that may not have it.",
              "each byte on a wire, each row, each change of storage; in runs that ask for it", "safety_secrets.py"),
    Invariant("S11", "No key and nonce ever seal two different things, whatever was cut or started again.",
              "each sealing; in runs that ask for it", "safety_secrets.py"),
    Invariant("S12", "Bounds. Outboxes, drafts, lists, arriving envelopes and a day's envelopes stay within their"
              " limits.", "each change", "safety_device.py, safety_hub.py"),
    Invariant("S13", "Honest screens. A device never says of a message more than has happened at the hub.",
              "each change of a message's state, each screen", "safety_device.py, safety_screens.py"),
    Invariant("S14", "Blast radius. With and without the attackers, honest learners have the same inboxes and"
              " journals.", "by running a plan twice", "comparing.py"),
    Invariant("S15", "Clocks decide nothing. With other clocks in the devices, decisions, their order and every inbox"
              " are the same.", "by running a plan twice", "comparing.py"),
    Invariant("S16", "One plan, one run: the same plan gives the same digest of everything that happened.",
              "by running a plan twice", "comparing.py"),
)  # fmt: skip

LIVENESS = (
    Invariant("L1", "When the faults are over, every outbox empties and everything that should arrive arrives.",
              "at the end, when promised", "liveness.py, world.py"),
    Invariant("L2", "A message is on the staff page within 5 s of its custody, and half a second for each that is"
              " before it.", "each custody while nothing is disturbed", "liveness.py"),
    Invariant("L3", "An approved message is on the list of each of its readers, and on the device at the end of their"
              " next undisturbed docking.", "each list; each docking while nothing is disturbed; each screen at the"
              " end", "liveness.py, safety_hub.py, safety_screens.py"),
    Invariant("L4", "A seated cable gives a session within 3 s.", "each docking while nothing is disturbed",
              "liveness.py"),
    Invariant("L5", "A hub that has power again serves every bay within 30 s, without anybody's help.",
              "each start of the hub, unless something else is wrong then", "liveness.py"),
    Invariant("L6", "The line is served in its order, and once everything is healed nobody gives up waiting.",
              "each seating", "liveness.py"),
    Invariant("L7", "Quiet. With nothing new, docked devices and the hub only keep their links alive: nothing is"
              " written, and less than 256 bytes a second move.", "at the end, when promised", "liveness.py"),
    Invariant("L8", "An attacker delays an honest docking, from its seat to settled, by at most 1 s.",
              "by running a plan twice", "comparing.py"),
    Invariant("L9", "Whoever cannot dock can read all of their own work and write more.", "at the end, every device",
              "safety_screens.py"),
)  # fmt: skip

INVARIANTS = (*SAFETY, *LIVENESS)
BY_ID = {one.id: one for one in INVARIANTS}


def markdown() -> str:
    """docs/invariants.md."""
    lines = [
        "# What every run is held to",
        "",
        "A simulated wing is watched from outside while it runs. `sim/box/oracle.py` is a model of the whole wing that",
        "shares no code with it: it reads the committed bytes by itself and says what a device may hold and show. Each",
        "promise below has a name, and a run that breaks one fails with that name, the message, the device and the",
        "moment. This page is made from `sim/box/invariants.py`.",
        "",
        "After a fault that a run marks as beyond the promise (a rotten card, an old backup, an edited database) the",
        "checks of what is stored there are left out; what devices are told and show is judged all the same.",
    ]
    for title, rows in (("Safety", SAFETY), ("Liveness", LIVENESS)):
        lines += ["", f"## {title}", "", "| | promise | when it is checked | where (`sim/box/`) |", "|---|---|---|---|"]
        lines += [f"| {one.id} | {one.says} | {one.when} | {one.where} |" for one in rows]
    return "\n".join(lines) + "\n"
