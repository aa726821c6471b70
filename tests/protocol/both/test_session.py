"""The session: both patterns carry the stream, and nothing that does not belong to it opens anything."""

from protocol.errors import Misuse
from protocol.limits import SESSION_HANDSHAKE_BYTES_MAX, SESSION_PLAIN_BYTES_MAX
from protocol.noise import Handshake, public_of
from protocol.session import Session
from sim.memory_wire import Lcg

HUB = bytes(range(1, 33))
DEVICE = bytes(range(101, 133))
HUB_PUBLIC = public_of(HUB)
DEVICE_PUBLIC = public_of(DEVICE)


def pair(pattern, seed=1, accept=None, hub=HUB_PUBLIC):
    remote = hub if pattern == "IK" else None
    a = Session(True, DEVICE, Lcg(seed).bytes, pattern, remote, b"from device")
    b = Session(False, HUB, Lcg(seed + 1).bytes, payload=b"from hub", accept=accept)
    return a, b


def back(device_ticket, hub_ticket, seed=1, accept=None):
    """A device that comes back with a ticket, and the hub with what it holds of this device."""
    a = Session(True, DEVICE, Lcg(seed).bytes, "IKpsk2", HUB_PUBLIC, b"from device", ticket=device_ticket)
    b = Session(
        False, HUB, Lcg(seed + 1).bytes, payload=b"from hub", accept=accept,
        find_ticket=lambda static: hub_ticket if static == DEVICE_PUBLIC else None,
    )  # fmt: skip
    return a, b


def keys(session):
    """The transport keys: of either direction, not yet used for anything after the handshake."""
    return [session._sender._key, session._receiver._key]


def drain(session):
    out = []
    data = session.to_send()
    while data:
        out.append(data)
        data = session.to_send()
    return b"".join(out)


def exchange(a, b, piece=0):
    moved = True
    while moved:
        moved = False
        for one, other in ((a, b), (b, a)):
            data = drain(one)
            moved = moved or len(data) > 0
            for at in range(0, len(data), piece or len(data) or 1):
                other.receive(data[at : at + (piece or len(data))])


def events(session):
    out = []
    event = session.next_event()
    while event is not None:
        out.append(event)
        event = session.next_event()
    return out


def test_both_patterns_come_up_and_tell_each_end_who_the_other_is():
    for pattern in ("XX", "IK"):
        a, b = pair(pattern)
        exchange(a, b)
        (up_a,) = events(a)
        (up_b,) = events(b)
        assert up_a[:4] == ("up", pattern, HUB_PUBLIC, b"from hub")
        assert up_b[:4] == ("up", pattern, DEVICE_PUBLIC, b"from device")
        assert up_a[4] == up_b[4] and len(up_a[4]) == 32


def test_the_stream_arrives_whole_when_every_byte_comes_alone():
    a, b = pair("XX")
    exchange(a, b, 1)
    assert b.up
    events(b)
    sent = Lcg(3).bytes(3000)
    at = 0
    got = b""
    while len(got) < len(sent):
        at += a.write(sent[at : at + 700])
        exchange(a, b, 1)
        got += b"".join([event[1] for event in events(b)])
    assert got == sent


def test_write_takes_no_more_than_two_records_and_nothing_before_the_session_is_up():
    a, b = pair("IK")
    assert a.write(b"early") == 0 and a.room() == 0
    exchange(a, b)
    big = bytes(3 * SESSION_PLAIN_BYTES_MAX)
    assert a.write(big) == a.pending() == 2 * SESSION_PLAIN_BYTES_MAX
    assert a.write(b"x") == 0
    first = a.to_send()
    assert len(first) == 2 + SESSION_PLAIN_BYTES_MAX + 16
    assert a.write(b"x") == 1


def test_a_peer_that_is_not_accepted_is_closed_before_anything_is_said():
    asked = []

    def accept(pattern, remote_static, payload):
        asked.append((pattern, remote_static, payload))
        return False

    for pattern in ("XX", "IK"):
        a, b = pair(pattern, accept=accept)
        exchange(a, b)
        assert events(b) == [("closed", "peer is not accepted")]
        assert asked.pop() == (pattern, DEVICE_PUBLIC, b"from device")
        assert b.to_send() == b"" and b.write(b"x") == 0


def test_a_replayed_first_message_of_ik_opens_nothing():
    a, b = pair("IK")
    recorded = drain(a)
    a, b = pair("IK", seed=9)
    b.receive(recorded)
    assert drain(b) != b""  # it answers, to a key that the replayer does not have
    assert events(b) == [] and not b.up
    b.receive(b"\x00\x10" + bytes(16))
    assert events(b) == [("closed", "record does not belong to this session")]


def docked_ticket(seed=1):
    a, b = pair("IK", seed)
    exchange(a, b)
    assert a.ticket == b.ticket and len(a.ticket) == 32
    return a.ticket


def test_a_docking_leaves_both_ends_one_ticket_and_an_enrolment_none():
    assert docked_ticket(1) != docked_ticket(5)
    a, b = pair("XX")
    exchange(a, b)
    assert a.up and b.up and a.ticket == b.ticket == b""


def test_with_the_same_ticket_both_ends_resume_in_one_round_trip_and_get_the_next_one():
    ticket = docked_ticket()
    a, b = back(ticket, ticket, 3)
    b.receive(drain(a))
    a.receive(drain(b))
    assert a.up  # one message each way
    confirm = drain(a)
    b.receive(confirm)
    assert b.up and len(confirm) == 18
    (up_a,), (up_b,) = events(a), events(b)
    assert up_a[:4] == ("up", "IKpsk2", HUB_PUBLIC, b"from hub")
    assert up_b[:4] == ("up", "IKpsk2", DEVICE_PUBLIC, b"from device")
    assert up_a[4] == up_b[4] and a.ticket == b.ticket and a.ticket != ticket
    a.write(b"and it carries the stream")
    exchange(a, b)
    assert events(b) == [("data", b"and it carries the stream")]


def test_a_ticket_that_the_hub_does_not_hold_costs_no_round_trip_and_no_session():
    ticket = docked_ticket()
    for held in (None, b"", docked_ticket(7)):
        a, b = back(ticket, held, 3)
        b.receive(drain(a))
        a.receive(drain(b))
        b.receive(drain(a))
        assert [event[1] for event in events(a) + events(b)] == ["IK", "IK"]
        assert a.ticket == b.ticket and a.ticket not in (ticket, held)
    a, b = back(ticket, None, 3)
    b._find_ticket = None  # a responder that keeps no tickets
    exchange(a, b)
    assert a.up and b.up


def test_a_hub_is_asked_for_a_ticket_only_of_a_device_that_it_accepts():
    asked = []
    a, b = back(docked_ticket(), None, accept=lambda pattern, static, payload: asked.append(payload) or False)
    b._find_ticket = asked.append
    exchange(a, b)
    assert asked == [b"from device"] and events(b) == [("closed", "peer is not accepted")]


def test_the_ticket_of_another_device_resumes_nothing():
    ticket = docked_ticket()
    thief = Session(True, bytes(range(201, 233)), Lcg(3).bytes, "IKpsk2", HUB_PUBLIC, ticket=ticket)
    _, b = back(ticket, ticket, 3)
    exchange(thief, b)
    assert [event[1] for event in events(b)] == ["IK"]


def test_whoever_changes_what_the_hub_says_of_the_ticket_gets_no_session():
    ticket = docked_ticket()
    for held in (ticket, None):
        for said in (0, 1, 2, 255):
            a, b = back(ticket, held, 3)
            b.receive(drain(a))
            answer = bytearray(drain(b))
            if answer[2] == said:
                continue
            answer[2] = said
            a.receive(bytes(answer))
            assert events(a) == [("closed", "handshake refused")] and drain(a) == b""
            assert not b.up


def test_a_changed_byte_anywhere_in_a_resumption_never_brings_both_ends_up():
    ticket = docked_ticket()
    a, b = back(ticket, ticket, 3)
    first = drain(a)
    b.receive(first)
    second = drain(b)
    for whole, step in ((first, 5), (second, 3)):
        for at in range(0, len(whole), step):
            a, b = back(ticket, ticket, 3)
            changed = bytearray(whole)
            changed[at] ^= 0x20
            sent = drain(a)
            b.receive(bytes(changed) if whole is first else sent)
            answer = drain(b)
            a.receive(bytes(changed) if whole is second else answer)
            b.receive(drain(a))
            assert not (a.up and b.up), at


def test_replayed_messages_of_a_resumption_open_nothing():
    ticket = docked_ticket()
    a, b = back(ticket, ticket, 3)
    first = drain(a)
    b.receive(first)
    second = drain(b)
    a.receive(second)
    third = drain(a)
    b.receive(third)
    assert a.up and b.up
    # to the hub, in the next session and with the very ticket still there
    _, b = back(ticket, ticket, 11)
    b.receive(first)
    assert drain(b) != second and not b.up
    b.receive(third)
    assert events(b) == [("closed", "record does not belong to this session")]
    # to the device
    a, _ = back(ticket, ticket, 21)
    drain(a)
    a.receive(second)
    assert events(a) == [("closed", "handshake refused")]


def test_one_ticket_used_again_after_a_power_cut_or_a_backup_never_gives_the_same_keys():
    ticket = docked_ticket()
    seen = []
    for seed in range(30, 60, 2):
        a, b = back(ticket, ticket, seed)
        exchange(a, b)
        assert [event[1] for event in events(a)] == ["IKpsk2"]
        assert keys(a) == keys(b)[::-1]
        seen.extend(keys(a))
        seen.append(a.ticket)
    assert len(set(seen)) == len(seen) and ticket not in seen


def test_ik_to_another_hub_is_refused_by_it():
    a, b = pair("IK", hub=public_of(bytes(range(51, 83))))
    exchange(a, b)
    assert events(b) == [("closed", "handshake refused")]
    assert not a.up


def test_a_changed_byte_anywhere_closes_the_session():
    a, b = pair("IK")
    exchange(a, b)
    a.write(b"hello")
    record = drain(a)
    for at in range(len(record)):
        a, b = pair("IK")
        exchange(a, b)
        events(b)
        changed = bytearray(record)
        changed[at] ^= 0x10
        b.receive(bytes(changed))
        b.receive(bytes(5000))
        got = events(b)
        assert len(got) == 1 and got[0][0] == "closed", (at, got)


def test_a_changed_byte_anywhere_in_the_handshake_never_brings_both_ends_up():
    a, b = pair("XX")
    first = drain(a)
    for at in range(0, len(first), 3):
        a, b = pair("XX")
        drain(a)
        changed = bytearray(first)
        changed[at] ^= 0x40
        b.receive(bytes(changed))
        exchange(a, b)
        assert not (a.up and b.up), at


def test_impossible_beginnings_close_by_name():
    for data, reason in (
        (b"\x00", "unknown handshake pattern"),
        (b"\xff" + bytes(100), "unknown handshake pattern"),
        (b"\x01\x00\x00", "record of an impossible length"),
        (b"\x01\xff\xff", "record of an impossible length"),
        (b"\x01" + bytes(((SESSION_HANDSHAKE_BYTES_MAX + 1) >> 8, 1)), "record of an impossible length"),
        (b"\x01\x00\x05hello", "handshake refused"),
        (b"\x02\x00\x60" + bytes(96), "handshake refused"),
        (b"\x03\x00\x68" + bytes(104), "handshake refused"),
        (b"\x04\x00\x60" + bytes(96), "unknown handshake pattern"),
        (b"\x01\x00\x25" + bytes([9]) + bytes(31) + b"clear", "payload in the clear"),
        (b"\x01\x00\x20" + bytes(32), "peer's keys are refused"),
    ):
        _, b = pair("XX")
        b.receive(data)
        got = events(b)
        assert got == [("closed", reason)], (data[:4], got)
        b.receive(b"more")
        assert events(b) == [] and b.to_send() == b""


def test_a_prologue_of_another_protocol_does_not_fit():
    _, b = pair("IK")
    other = Handshake("Noise_IK_25519_ChaChaPoly_SHA256", True, b"perch/session/2/IK", s=DEVICE, rs=HUB_PUBLIC)
    message = other.write(b"")
    b.receive(b"\x02\x00" + bytes([len(message)]) + message)
    assert events(b) == [("closed", "handshake refused")]


def test_nonces_that_are_used_up_close_the_session():
    a, b = pair("IK")
    exchange(a, b)
    events(a)
    a._sender.nonce = 0xFFFFFFFFFFFFFFFF
    a.write(b"x")
    assert a.to_send() == b""
    assert events(a) == [("closed", "nonces used up")]


def test_coming_back_without_a_ticket_is_a_mistake_of_ours():
    for ticket in (b"", bytes(31)):
        try:
            Session(True, DEVICE, Lcg(1).bytes, "IKpsk2", HUB_PUBLIC, ticket=ticket)
        except Misuse:
            continue
        raise AssertionError("taken")
