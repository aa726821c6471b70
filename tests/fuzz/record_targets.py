"""Fuzzing: every record kind there is, what carries their signatures, and the enrolment.

The kinds are found, not listed: every class under protocol/ that is a Record becomes a target, so a new one cannot be
forgotten.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

import protocol
from protocol import cbor, enrol, noise
from protocol.errors import Refusal
from protocol.records import (
    bundle,
    certificate,
    delivery_list,
    envelope,
    gate,
    journal,
    receipt,
    roster,
    schema,
    signing,
)
from protocol.records.schema import Record, RecordRefused
from tests.fuzz.feed import Feed, piece
from tests.fuzz.registry import target
from tests.kits import records as made
from tests.kits.record_samples import batch, entries, post, samples

NOT_HERE = ("viper",)  # modules that only MicroPython's compiler can read


def kinds() -> list[type[Record]]:
    """Every record and row of protocol/, by name."""
    for module in pkgutil.walk_packages(protocol.__path__, "protocol."):
        if not any(word in module.name for word in NOT_HERE):
            importlib.import_module(module.name)
    found: dict[str, type[Record]] = {}
    waiting = list(Record.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.FIELDS and kind.__module__.startswith("protocol."):
            if found.setdefault(kind.__name__, kind) is not kind:
                raise ValueError(f"two kinds are named {kind.__name__}")
    return [found[name] for name in sorted(found)]


def rows_of(record: Record) -> list[Record]:
    """The record and every row inside it."""
    out = [record]
    for name, _ in record.FIELDS:
        value = getattr(record, name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Record):
                out += rows_of(each)
    return out


@cache
def good() -> dict[str, list[bytes]]:
    """Encodings of every kind in the kit of samples, the rows inside them too."""
    out: dict[str, list[bytes]] = {}
    for sample in samples():
        for record in rows_of(sample):
            encoded = cbor.dumps(record.plain())
            known = out.setdefault(type(record).__name__, [])
            if encoded not in known and len(encoded) < 1500:
                known.append(encoded)
    return out


def minimal(kind: type[Record]) -> bytes:
    """A map or array of the right keys and no right values: for kinds that the kit has no sample of."""
    if issubclass(kind, schema.Row):
        return cbor.dumps([0] * len(kind.FIELDS))
    return cbor.dumps({index + 1: 0 for index in range(len(kind.FIELDS))})


def record_target(kind: type[Record]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        try:
            record = kind.decode(data)
        except RecordRefused as refusal:
            assert type(refusal) is kind.REFUSAL and len(refusal.field) < 100 and len(str(refusal)) < 400
            return
        assert record.encode() == data, "two encodings of one record"
        assert kind.decode(data) == record
        assert len(repr(record)) < 4000 + 8 * len(data)

    return check


for _kind in kinds():
    target(
        "record_" + _kind.__name__,
        (lambda kind: lambda: [*good().get(kind.__name__, [])[:4], minimal(kind)])(_kind),
        1,
        (b"\x58\x20", b"\xf6", b"\x1b\0\0\0", b"\x80", b"\xf5"),
    )(record_target(_kind))


def signed_seeds() -> list[bytes]:
    hub, slate = made.keys("hub"), made.keys("slate-1")
    by_name = {type(each).__name__: each for each in samples()}
    return [
        made.signed("roster", made.roster(learners=[], groups=[]).encode(), "ada", "ben"),
        made.delivery_list(made.statement()).sign(hub.seed, hub.public),
        by_name["Certificate"].sign(hub.seed, hub.public),  # type: ignore[attr-defined]
        by_name["Receipt"].sign(slate.seed, slate.public),  # type: ignore[attr-defined]
        made.signed("decision", b"body", "mia", "noor"),
    ]


@cache
def genuine() -> frozenset[bytes]:
    return frozenset(signing.unpack_signed(each)[0] for each in signed_seeds())


@target("signed", signed_seeds, 3, (b"\x82\x58", b"\x81\x58", b"\xd2\x84\x58", b"\x58\x40", b"\x58\x73"))
def signed(data: bytes) -> None:
    """[body, signatures] in its one encoding; nothing is accepted that its signers did not sign."""
    try:
        body, sign1s = signing.unpack_signed(data)
    except signing.SignedRefused:
        body, sign1s = b"", []
    else:
        assert signing.pack_signed(body, sign1s) == data
        for sign1 in sign1s:
            with contextlib.suppress(signing.SignatureRefused):
                assert len(signing.signer(sign1)) <= len(sign1)
    slate, hub = made.keys("slate-1"), made.keys("hub")
    takers: list[Callable[[], object]] = [
        lambda: roster.accept(None, data),
        lambda: roster.accept(made.roster(version=1), data),
        lambda: delivery_list.accept(None, data, hub.public, made.keys("slate-2").kid, made.WING),
        lambda: certificate.accept(data, hub.public),
        lambda: receipt.accept(data, slate.public),
        lambda: signing.open_signed("list", hub.public, data),
    ]
    for index, take in enumerate(takers):
        try:
            take()
        except Refusal as refusal:
            assert len(refusal.name) > 5
        else:
            # anybody may sign a roster for a device that has none: what binds it is the enrolment
            assert index == 0 or body in genuine(), "accepted, and nobody signed it"


@target("journal", lambda: [batch().encode(), batch(1).encode(), batch(2, 5).encode()], 2, (b"\x85", b"\x58\x20"))
def journal_batch(data: bytes) -> None:
    """A batch that follows and is signed, or a named refusal: only the device's own passes."""
    try:
        made_batch = journal.JournalBatch.decode(data)
        head = journal.check(made_batch, 0, journal.FIRST_PREV, made.keys("slate-1").public)
    except (journal.JournalRefused, journal.JournalBroken, signing.SignatureRefused):
        return
    chain = entries(3)
    assert head in [entry.hash() for entry in chain]


@cache
def sealed_envelope() -> bytes:
    slate, hub = made.keys("slate-1"), made.keys("hub")
    return envelope.make(
        post(), slate.seed, slate.public, slate.x_private, hub.x_public, made.counting_random()
    )  # fmt: skip


@target("envelope", lambda: [b"\0" + sealed_envelope(), b"\1" + post().encode(), b"\1" + bytes(40)], 3)
def sealed(data: bytes) -> None:
    """A sealed envelope opens as it was sealed; whatever a device seals, the hub takes it or refuses it by name."""
    feed = Feed(data)
    forged = feed.byte() & 1
    body = feed.rest()
    slate, hub = made.keys("slate-1"), made.keys("hub")
    if forged:  # a device that says what it likes, well sealed and well signed
        plain = signing.pack_signed(body, [slate.sign("envelope", body)]) if len(body) % 2 else body
        message = noise.seal_to(hub.x_public, plain, slate.x_private, made.counting_random(), b"perch/envelope/1")
    else:
        message = body
    register = made.register().device(slate.kid)
    assert register is not None
    try:
        content, inner, sign1, sender = envelope.open_sealed(message, hub.x_private)
        envelope.verify(content, inner, sign1, sender, register)
    except (envelope.EnvelopeRefused, signing.SignedRefused, signing.SignatureRefused):
        return
    assert forged or message == sealed_envelope()
    assert content.device == slate.kid and content.encode() == inner


def bundle_seeds() -> list[bytes]:
    one = made.statement()
    return [made.bundle(one, "mia").encode(), made.bundle(one, "mia", "noor").encode(),
            made.bundle(made.returned(), "mia", text=None).encode()]  # fmt: skip


@target("gate", bundle_seeds, 3, (b"\x58\x20", b"text/plain", b"video/webm", b"\x83\x64text"))
def the_gate(data: bytes) -> None:
    """Nothing passes the gate but the statement on the list, with the text that was signed."""
    allowed = made.statement()
    try:
        parcel = bundle.Bundle.decode(data)
        shown = gate.check(parcel, made.roster(), made.delivery_list(allowed), "lee", made.WING)
    except Refusal:
        return
    assert shown == allowed and parcel.text == made.TEXT
    signing.require_people("decision", allowed.encode(), parcel.signatures, made.roster(), "moderator", 1, made.NOW)


def length_prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def enrol_seeds() -> list[bytes]:
    slate = made.keys("slate-1")
    proof = slate.sign("enrol", bytes(32))
    request = enrol.Request(ed25519=slate.public, x25519=slate.x_public, proof=proof, model="slate").encode()
    refusal = enrol.Answer(certificate=None, rosters=[], refusal="no").encode()
    grant = enrol.Answer(certificate=b"c", rosters=[b"r"], refusal=None).encode()
    hub = made.counting_random()
    reveal = enrol.Reveal(nonce=hub(32)).encode()
    ack = enrol.Ack(committed=True).encode()
    return [
        b"\0" + b"".join(piece(length_prefixed(each)) for each in (request, ack)),
        b"\1" + b"".join(piece(length_prefixed(each)) for each in (reveal, refusal)),
        b"\1" + b"".join(piece(length_prefixed(each)) for each in (reveal, grant)),
        b"\2" + b"".join(piece(length_prefixed(each)) for each in (request, ack)),
    ]


@target("enrol", enrol_seeds, 3, (b"\xa1\x01\x58\x20", b"\xa4\x01\x58\x20", b"\0\0\0", b"\xa1\x01\xf5"))
def enrolment(data: bytes) -> None:
    """Either side of an enrolment: one refusal ends it, and nobody is granted or asked for without a proof."""
    feed = Feed(data)
    which = feed.byte() % 3
    slate = made.keys("slate-1")
    if which != 1:
        side: enrol.EnrolHub | enrol.EnrolDevice = enrol.EnrolHub(made.counting_random())
        side.start(bytes(32), bytes(32), slate.x_public)
    else:
        side = enrol.EnrolDevice(made.counting_random(40), slate.seed, slate.public, slate.x_public, "slate")
        side.start(bytes(32), enrol.commitment_to(made.counting_random()(32)), made.keys("hub").x_public)
    allowed = (enrol.EnrolRefused, enrol.EnrolOutOfTurn, enrol.CommitmentBroken, enrol.PossessionRefused,
               enrol.GrantRefused, signing.SignedRefused, signing.SignatureRefused, RecordRefused)  # fmt: skip
    names: list[str] = []
    while feed.left:
        try:
            side.receive(feed.piece())
        except allowed:
            assert side.closed
        if which == 2 and isinstance(side, enrol.EnrolHub) and side.request is not None and not side.closed:
            with contextlib.suppress(Refusal):
                side.refuse("for a test")
        while (event := side.next_event()) is not None:
            names.append(event[0])
            assert event[0] != "granted", "nobody signed a grant"
            if event[0] == "request":
                assert event[1].ed25519 == slate.public, "a proof was forged"
    assert len(names) <= 3 and names.count("digits") <= 1 and len(side.to_send()) < 2000


