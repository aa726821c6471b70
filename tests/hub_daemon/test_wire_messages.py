"""perch wire's messages: whatever the other end sends is taken or refused by name, and costs bounded memory."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_daemon.wire_check import Checking
from hub_daemon.wire_files import Receiving, Sending
from hub_daemon.wire_messages import (
    FIGURE_MAX,
    FIGURES,
    FIGURES_MAX,
    FILL,
    LAST,
    PING,
    PLAN,
    PONG,
    READY,
    WAITING_BYTES_MAX,
    Exchange,
    Messages,
    WireRefused,
    figures_of,
)
from protocol import cbor
from protocol.errors import Refusal
from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack

VALUES = st.recursive(
    st.one_of(st.integers(-(1 << 63), 1 << 63), st.booleans(), st.binary(max_size=40), st.text(max_size=5), st.none()),
    lambda inner: st.dictionaries(st.one_of(st.integers(0, 4), st.text(max_size=9)), inner, max_size=4),
    max_leaves=6,
)
CONTENT = st.one_of(st.binary(max_size=60), VALUES.map(cbor.dumps))
MESSAGES = st.lists(st.tuples(st.integers(0, 14), CONTENT), max_size=12)


def stack(leads: bool = True) -> Stack:
    return Stack(Link(os.urandom(8)), lambda: Session(leads, os.urandom(32), os.urandom, "XX" if leads else None))


def framed(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


def ends(folder: Path) -> "list[Callable[[], Exchange]]":
    file = folder / "file"
    file.write_bytes(b"content")
    return [
        lambda: Sending(file, stack(), dict, 115200),
        lambda: Receiving(folder / "out", stack(False), dict, 115200),
        lambda: Checking(stack(), dict, 115200, 1000, 0),
    ]


@given(st.integers(0, 2), MESSAGES, st.booleans())
def test_whatever_the_other_end_says_is_taken_or_refused_by_name(
    which: int, messages: list[tuple[int, bytes]], reconnect: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "out").mkdir()
        end = ends(Path(name))[which]()
        end.connected()
        for kind, content in messages:
            try:
                end.receive(framed(kind, content))
                end.pump()
            except Refusal:
                end.connected()
        if reconnect:
            end.connected()
            end.pump()
        end.close()


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(said: list[tuple[int, bytes]], size: int) -> None:
    stream = b"".join(framed(kind, content) for kind, content in said)
    messages = Messages(stack())
    found = []
    for at in range(0, len(stream), size):
        found += messages.receive(stream[at : at + size])
    assert found == said


def test_a_message_of_impossible_length_is_refused_before_it_is_held() -> None:
    with pytest.raises(WireRefused):
        Messages(stack()).receive(b"\3\xff\xff\xff\xff")


def test_an_end_that_asks_and_never_takes_is_refused() -> None:
    end = Checking(stack(), dict, 115200, 1000, 0)
    end.connected()
    pings = framed(PING, bytes(8)) * 1000
    with pytest.raises(WireRefused, match="more than it takes"):
        for _ in range(WAITING_BYTES_MAX // len(pings) + 2):
            end.receive(pings)


@given(VALUES)
def test_figures_of_the_other_end_are_counts_and_few(value: Any) -> None:
    try:
        found = figures_of(value)
    except WireRefused:
        return
    assert all(type(name) is str and 0 <= count <= FIGURE_MAX for name, count in found.items())


def test_too_many_figures_are_cut() -> None:
    end = Checking(stack(), dict, 115200, 1000, 0)
    end.connected()
    end.receive(framed(FIGURES, cbor.dumps({f"name {number}": number for number in range(200)})))
    assert len(end.peer) == FIGURES_MAX


@pytest.mark.parametrize("baud", [9600, 115_200, 3_000_000])
def test_figures_take_at_most_a_four_hundredth_of_the_line(baud: int) -> None:
    """Beside the first ones, which are whole; what has not changed is not said again."""
    now = 0.0
    counts = {f"a count of {number}": 0 for number in range(25)}
    end = Checking(stack(), lambda: dict(counts), baud, 1000, 0, lambda: now)
    sent: list[tuple[float, dict[str, int]]] = []
    total = 0

    def send(kind: int, content: bytes) -> None:
        nonlocal total
        if kind == FIGURES:
            total += 5 + len(content)
            sent.append((now, cbor.loads(content)))

    end.messages.send = send  # type: ignore[method-assign]
    end.connected()
    while now < 600:
        now += 0.25
        for number in range(4):
            counts[f"a count of {number}"] += 100_000
        end.pump()
    first = sent[0][1]
    assert first.keys() == counts.keys() and all(message.keys() == set(list(counts)[:4]) for _, message in sent[1:])
    whole = 5 + len(cbor.dumps(first))
    assert total - whole <= (now - 1) * baud / 10 / 400 + 100
    assert all(later - earlier >= 1 for (earlier, _), (later, _) in zip(sent, sent[1:]))
    assert len(sent) > 10 * baud / 9600 or len(sent) > 400  # and a live view lives


def test_figures_of_the_other_end_are_kept_until_others_come_and_stay_few() -> None:
    end = Checking(stack(), lambda: {"frames": 3}, 3_000_000, 1000, 0)
    end.receive(framed(FIGURES, cbor.dumps({"frames": 7, "damaged": 0})))
    end.receive(framed(FIGURES, cbor.dumps({"frames": 8})))
    assert end.peer == {"frames": 8, "damaged": 0}
    for number in range(9):
        end.receive(framed(FIGURES, cbor.dumps({f"name {number} {count}": count for count in range(20)})))
    assert len(end.peer) == FIGURES_MAX


def test_a_new_connection_is_told_all_figures_again() -> None:
    now = 0.0
    end = Checking(stack(), lambda: {"frames": 3}, 3_000_000, 1000, 0, lambda: now)
    said: list[int] = []
    end.messages.send = lambda kind, content: said.append(kind)  # type: ignore[method-assign]
    for _ in range(2):
        end.connected()
        for _ in range(5):
            now += 2
            end.pump()
    assert said.count(FIGURES) == 2


@pytest.mark.parametrize(
    "kind, content",
    [
        (PONG, bytes(8)), (PING, b"short"), (FILL, b"early"), (READY, b""), (LAST, cbor.dumps({1: 0, 2: b""})),
        (PLAN, cbor.dumps({1: -1, 2: 0})), (PLAN, cbor.dumps({1: 0, 2: 1 << 50})), (PLAN, cbor.dumps({1: True, 2: 0})),
        (99, b""),
    ],
)  # fmt: skip
def test_what_is_out_of_turn_or_impossible_is_refused(kind: int, content: bytes) -> None:
    end = Checking(stack(), dict, 115200, 1000, 0)
    end.connected()
    with pytest.raises(WireRefused):
        end.receive(framed(kind, content))
