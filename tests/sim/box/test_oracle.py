"""The independent model of a wing: it shares no code with what it judges, and says no where it must."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import nacl.signing
import pytest

from protocol import crypto
from protocol.records import envelope
from sim.box.oracle import Oracle, Wrong, decision

ROOT = Path(__file__).parents[3]
PATH = ROOT / "sim/box/oracle.py"
HUB_X25519 = bytes(range(32))
KEYS = {name: nacl.signing.SigningKey(hashlib.sha256(name.encode()).digest()) for name in
        ("hub", "a0", "a1", "m0", "m1", "d0", "d1", "d2")}  # fmt: skip


def public(name: str) -> bytes:
    return bytes(KEYS[name].verify_key)


def kid(name: str) -> bytes:
    return hashlib.sha256(public(name)).digest()[:8]


def sign1(name: str, kind: str, body: bytes) -> bytes:
    """A COSE_Sign1 made here, with nothing of ours."""
    protected = cbor2.dumps({1: -8, 4: kid(name)}, canonical=True)
    payload = hashlib.sha256(body).digest()
    signed = cbor2.dumps(["Signature1", protected, f"perch/{kind}/1".encode(), payload])
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, KEYS[name].sign(signed).signature]))


def signed(body: bytes, kind: str, *names: str) -> bytes:
    return cbor2.dumps([body, [sign1(name, kind, body) for name in names]])


def register(revoked: str = "") -> bytes:
    rows = [[kid(one), public(one), bytes(32), f"l{one[1]}", 1 << 39, one == revoked] for one in ("d0", "d1", "d2")]
    return cbor2.dumps({1: rows})


def roster(version: int = 1, groups: dict[str, list[str]] | None = None, devices: bytes = register(),
           by: tuple[str, ...] = ("a0", "a1")) -> tuple[bytes, bytes]:  # fmt: skip
    staff = [[one, one, public(one), ["administrator" if one[0] == "a" else "moderator"], 1 << 39]
             for one in ("a0", "a1", "m0", "m1")]  # fmt: skip
    members = groups or {"g": ["l0", "l1"], "all": ["l0", "l1", "l2"]}
    body = cbor2.dumps({
        1: version, 2: "wing", 3: 5, 4: bytes(32), 5: public("hub"), 6: staff,
        7: [[one, one] for one in ("l0", "l1", "l2")], 8: [[name, name, 1, members[name]] for name in members],
        9: hashlib.sha256(devices).digest(),
    })  # fmt: skip
    return signed(body, "roster", *by), devices


def sealed(by: str = "d0", text: str = "a word", group: str = "g", learner: str = "", counter: int = 1) -> bytes:
    """An envelope as a device makes it, by the production code: the oracle must open it by itself."""
    backend = crypto.default()
    seed = bytes(KEYS[by])
    content = envelope.Content(kind="post", device=kid(by), counter=counter, learner=learner or f"l{by[1]}",
                               group=group, parent=None, text=text, blob=None)  # fmt: skip
    hub = backend.x25519(HUB_X25519, b"\x09" + bytes(31))
    return envelope.make(content, seed, backend.public_key(seed), b"\7" * 32, hub, lambda count: b"\5" * count)


def statement(item: bytes, action: int = 1, text: str = "a word", **other: Any) -> bytes:
    learners = other.get("learners", ["l1"] if action in (1, 4) else ["l0"])
    shown = [["text", hashlib.sha256(text.encode()).digest(), len(text), "text/plain"]] if action == 1 else []
    return cbor2.dumps({
        1: "wing", 2: item, 3: 1, 4: action, 5: other.get("shown", shown),
        6: ["g" if action in (1, 4) else None, 1, learners], 7: other.get("author", "l0"), 8: None,
        9: other.get("needed", 1), 10: 1 << 39, 11: 0 if action == 1 else 2, 12: "" if action == 1 else "words",
        13: 1, 14: other.get("decided_s", 9),
    })  # fmt: skip


@pytest.fixture
def oracle() -> Oracle:
    made = Oracle("wing", HUB_X25519)
    made.roster(*roster())
    return made


@pytest.fixture
def item(oracle: Oracle) -> bytes:
    return oracle.letter(sealed(), kid("d0")).item


def refused(invariant: str, call: Callable[..., object], *args: Any) -> str:
    with pytest.raises(Wrong) as caught:
        call(*args)
    assert caught.value.invariant == invariant
    return caught.value.words


def approve(oracle: Oracle, item: bytes, by: tuple[str, ...] = ("m0", "m1"), **other: Any) -> bytes:
    body = statement(item, **other)
    oracle.decided(body, [sign1(one, "decision", body) for one in by])
    return body


def test_it_shares_no_code_with_what_it_judges() -> None:
    found = set()
    for node in ast.walk(ast.parse(PATH.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or ".").partition(".")[0])
    assert found <= {"__future__", "hashlib", "hmac", "typing", "unicodedata", "cbor2", "nacl"}


def test_it_stays_as_short_as_a_second_opinion_must_be() -> None:
    assert len(PATH.read_text("utf-8").splitlines()) <= 300


def test_it_opens_and_verifies_an_envelope_by_itself(oracle: Oracle) -> None:
    letter = oracle.letter(sealed(text="good morning"), kid("d0"))
    assert (letter.text, letter.learner, letter.group) == ("good morning", "l0", "g")


def test_it_refuses_an_envelope_of_another_device_learner_or_hand(oracle: Oracle) -> None:
    refused("S9", oracle.letter, sealed(), kid("d1"))
    refused("S9", oracle.letter, sealed(learner="l1"), kid("d0"))
    refused("S9", oracle.letter, sealed() + b"x", kid("d0"))
    refused("S9", oracle.letter, b"short", kid("d0"))


def test_it_follows_the_chain_of_rosters_and_nothing_else(oracle: Oracle) -> None:
    refused("S9", oracle.roster, *roster(3))
    refused("S9", oracle.roster, *roster(2, by=("a0",)))
    refused("S9", oracle.roster, *roster(2, by=("a0", "a0")))
    refused("S9", oracle.roster, *roster(2, by=("a0", "m0")))
    refused("S9", oracle.roster, roster(2)[0], register("d1"))
    oracle.roster(*roster(2, devices=register("d1")))
    assert oracle.devices[kid("d1")][2]


def test_an_approval_takes_two_people_where_two_learners_have_not_met(oracle: Oracle, item: bytes) -> None:
    approve(oracle, item, ("m0",))
    assert oracle.state == {}
    approve(oracle, item, ("m0", "m0"))
    assert oracle.state == {}
    approve(oracle, item)
    assert oracle.state == {item: "approved"}
    second = oracle.letter(sealed(counter=2), kid("d0")).item
    approve(oracle, second, ("m1",))  # now they have met
    assert oracle.state[second] == "approved"
    third = oracle.letter(sealed(counter=3), kid("d0")).item
    video = [["text", hashlib.sha256(b"a word").digest(), 6, "text/plain"], ["video", bytes(32), 9, "video/mp4"]]
    approve(oracle, third, ("m1",), shown=video)
    assert third not in oracle.state


def test_only_moderators_signatures_decide(oracle: Oracle, item: bytes) -> None:
    body = statement(item)
    refused("S1", oracle.decided, body, [sign1(one, "decision", body) for one in ("a0", "a1")])
    refused("S1", oracle.decided, body, [sign1(one, "roster", body) for one in ("m0", "m1")])
    refused("S1", oracle.decided, body, [sign1(one, "decision", body + b"x") for one in ("m0", "m1")])
    refused("S1", oracle.decided, body, [sign1(one, "decision", body) for one in ("d0", "d1")])
    late = statement(item, decided_s=1 << 39)
    refused("S1", oracle.decided, late, [sign1(one, "decision", late) for one in ("m0", "m1")])
    refused("S1", oracle.decided, statement(bytes(32)), [])


def test_an_approval_reaches_the_authors_group_and_nobody_else(oracle: Oracle, item: bytes) -> None:
    for learners in (["l2"], ["l1", "l2"], [], ["l0", "l1"]):
        body = statement(item, learners=learners)
        refused("S3", oracle.decided, body, [sign1(one, "decision", body) for one in ("m0", "m1")])
    body = statement(item, author="l1", learners=["l0"])
    refused("S2", oracle.decided, body, [sign1(one, "decision", body) for one in ("m0", "m1")])
    oracle.roster(*roster(2, {"g": ["l0", "l1", "l2"]}))
    body = statement(item)
    refused("S3", oracle.decided, body, [sign1(one, "decision", body) for one in ("m0", "m1")])


def test_what_is_decided_stays_so_and_an_approval_can_only_be_recalled(oracle: Oracle, item: bytes) -> None:
    digest = hashlib.sha256(approve(oracle, item)).digest()
    assert oracle.may_hold("l1", item, digest).author == "l0"
    assert list(oracle.shown_to("l1", 10)) == [item]
    for action in (2, 3):
        body = statement(item, action)
        refused("S7", oracle.decided, body, [sign1("m0", "decision", body)])
    recall = statement(item, 4)
    oracle.decided(recall, [sign1("m0", "decision", recall)])
    refused("S1", oracle.may_hold, "l1", item, digest)
    assert oracle.shown_to("l1", 10) == {}
    again = statement(item, decided_s=11)
    refused("S7", oracle.decided, again, [sign1(one, "decision", again) for one in ("m0", "m1")])


def test_what_is_returned_is_for_its_author_alone(oracle: Oracle, item: bytes) -> None:
    body = statement(item, 2)
    oracle.decided(body, [sign1("m0", "decision", body)])
    said = oracle.may_hold("l0", item, decision(body).digest)
    assert said.words == "words" and oracle.shown_to("l0", 10) == {}
    refused("S3", oracle.may_hold, "l1", item, decision(body).digest)


def test_a_bundle_may_be_kept_by_its_readers_with_its_text_and_its_signatures(oracle: Oracle, item: bytes) -> None:
    body = approve(oracle, item)
    sign1s = [sign1(one, "decision", body) for one in ("m0", "m1")]

    def bundle(text: bytes | None = b"a word", by: list[bytes] = sign1s, what: bytes = body) -> bytes:
        return cbor2.dumps({1: what, 2: by, 3: text})

    assert oracle.may_keep("l1", bundle()).item == item
    refused("S3", oracle.may_keep, "l2", bundle())
    refused("S2", oracle.may_keep, "l1", bundle(b"a Word"))
    refused("S2", oracle.may_keep, "l1", bundle(None))
    refused("S1", oracle.may_keep, "l1", bundle(by=sign1s[:0]))
    refused("S1", oracle.may_keep, "l1", bundle(what=statement(item, decided_s=10)))


def test_approved_text_is_what_the_author_wrote(oracle: Oracle) -> None:
    item = oracle.letter(sealed(text="a  letter\r\n\n\nwith lines"), kid("d0")).item
    body = approve(oracle, item, text="a letter\n\nwith lines")
    sign1s = [sign1(one, "decision", body) for one in ("m0", "m1")]
    assert oracle.may_keep("l1", cbor2.dumps({1: body, 2: sign1s, 3: b"a letter\n\nwith lines"}))
    other = oracle.letter(sealed(text="another", counter=2), kid("d0")).item
    body = approve(oracle, other, text="an other")
    sign1s = [sign1(one, "decision", body) for one in ("m0", "m1")]
    refused("S2", oracle.may_keep, "l1", cbor2.dumps({1: body, 2: sign1s, 3: b"an other"}))


def test_a_list_is_the_hubs_own_for_this_device(oracle: Oracle) -> None:
    body = cbor2.dumps({1: "wing", 2: kid("d1"), 3: 1, 4: 9, 5: 1, 6: [[bytes(32), b"\1" * 32]], 7: []})
    assert oracle.listed(kid("d1"), signed(body, "list", "hub")) == {bytes(32): b"\1" * 32}
    refused("S3", oracle.listed, kid("d2"), signed(body, "list", "hub"))
    refused("S1", oracle.listed, kid("d1"), signed(body, "list", "m0"))
    refused("S1", oracle.listed, kid("d1"), signed(body, "receipt", "hub"))
