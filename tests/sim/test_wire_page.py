"""docs/wire.md says what the code does: the bytes of each layer, and the shares that follow from them."""

import random
import re
from pathlib import Path

from protocol import blob, mqtt
from protocol.frame import CHECK_BYTES, encode
from protocol.limits import CHUNK_BYTES, LEAF_BYTES, LINK_DATA_BYTES_MAX, SESSION_PLAIN_BYTES_MAX
from protocol.link.packets import HEADER_BYTES, data_frame
from protocol.records import topics
from protocol.session import TAG_BYTES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire.md").read_text()
NOISE = random.Random(1)


def on_wire(size: int) -> list[int]:
    return [len(encode(data_frame(NOISE.getrandbits(24), at, NOISE.randbytes(size), False))) for at in range(400)]


def cells(start: str) -> list[str]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("| ").split("|")]


def test_the_bytes_of_each_layer_are_those_of_the_code() -> None:
    average = sum(on_wire(LINK_DATA_BYTES_MAX)) / 400 - LINK_DATA_BYTES_MAX
    frame = 2 + CHECK_BYTES
    publish = len(mqtt.publish(topics.own(topics.UP, "chunk"), bytes(blob.HEADER_BYTES + CHUNK_BYTES)))
    expected = {
        "frame: two zeros": (frame, LINK_DATA_BYTES_MAX),
        "frame: COBS": (round(average - frame - HEADER_BYTES), LINK_DATA_BYTES_MAX),
        "link:": (HEADER_BYTES, LINK_DATA_BYTES_MAX),
        "session:": (2 + TAG_BYTES, SESSION_PLAIN_BYTES_MAX),
        "MQTT:": (publish - blob.HEADER_BYTES - CHUNK_BYTES, CHUNK_BYTES),
        "chunk:": (blob.HEADER_BYTES, CHUNK_BYTES),
        "blob:": (32, LEAF_BYTES),
    }
    for start, (own, payload) in expected.items():
        _, said, of, share = cells(start)
        assert (int(said), int(of)) == (own, payload), start
        assert abs(float(share.removesuffix("%")) - 100 * own / (payload + own)) <= 0.015, start


def test_the_bytes_of_frames_on_the_wire_are_those_of_the_code() -> None:
    for size in (256, 512, 1024, 2048, 4096):
        _, average, worst = (int(cell) for cell in cells(f"{size} "))
        measured = on_wire(size)
        assert abs(sum(measured) / len(measured) - average) <= 1
        assert worst == len(encode(data_frame(0x010101, 0x0101, b"\1" * size, False))) >= max(measured)


def test_the_shares_follow_from_the_bytes() -> None:
    found = re.search(r"at most ([\d.]+) of its rate as the payload of a session, and ([\d.]+) as a video", PAGE)
    assert found
    frame = sum(on_wire(LINK_DATA_BYTES_MAX)) / 400
    session = LINK_DATA_BYTES_MAX / frame * SESSION_PLAIN_BYTES_MAX / (SESSION_PLAIN_BYTES_MAX + 2 + TAG_BYTES)
    packet = len(mqtt.publish(topics.own(topics.UP, "chunk"), bytes(blob.HEADER_BYTES + CHUNK_BYTES)))
    video = session * CHUNK_BYTES / packet * LEAF_BYTES / (LEAF_BYTES + 32)
    assert abs(session - float(found.group(1))) < 0.001 and abs(video - float(found.group(2))) < 0.001
