"""No deaf state: from any prefix of any bytes, the first clean frame after one zero is taken. Exhaustive, bounded."""

from protocol import frame

MOST = 4  # payload bytes of the reader's longest frame: what is longer is skipped after eleven bytes
PAYLOAD = b"z\0z"
CLEAN = frame.encode(PAYLOAD)
# a byte of every class: the delimiter, code bytes that end inside, at and beyond a segment, a mark without a value and
# with all of it, the longest run, and the bytes of a frame that is really said
ALPHABET = (0, 1, 2, 5, 0x80, 0xFF, CLEAN[1], CLEAN[-2])
HALF = len(CLEAN) // 2
FLIPPED = CLEAN[:2] + bytes((CLEAN[2] ^ 4,)) + CLEAN[3:]
# what a wire says in one breath: whole frames, halves, frames with a flip, with a zero hit or lost, too long, nothing
TOKENS = (
    b"\0", b"\0\0", CLEAN, CLEAN[1:], CLEAN[:-1], CLEAN[1:-1], CLEAN[:HALF], CLEAN[HALF:], FLIPPED, FLIPPED[1:-1],
    b"\x01" + CLEAN[1:], CLEAN[:-1] + b"\x80", b"\x01" * 40, frame.encode(b""), b"\xff",
)  # fmt: skip


def taken(pieces, repair):
    """What a fresh reader makes of these pieces."""
    reader = frame.Reader(MOST)
    out = []
    for piece in pieces:
        out += reader.read(piece, repair)
    return out, (reader.taken, reader.repaired, reader.damaged)


def is_heard(prefix, splits):
    """Assert that the clean frame after `prefix` and one zero is taken, whole, in bytes, and split in two anywhere."""
    wire = prefix + b"\0" + CLEAN[1:]
    for repair in (True, False):
        first, counts = taken([wire], repair)
        assert first and first[-1] == (PAYLOAD, False), prefix
        ways = [[wire[at : at + 1] for at in range(len(wire))]]
        if splits:
            ways += [[wire[:at], wire[at:]] for at in range(1, len(wire))]
        for pieces in ways:
            assert taken(pieces, repair) == (first, counts), (prefix, pieces)


def prefixes(parts, length):
    """Every sequence of exactly so many of the parts, joined."""
    if length == 0:
        yield b""
        return
    for rest in prefixes(parts, length - 1):
        for part in parts:
            yield rest + part


def every_prefix_is_survived(bytes_max, tokens_max, splits_max):
    count = 0
    for parts, most in (([bytes((byte,)) for byte in ALPHABET], bytes_max), (TOKENS, tokens_max)):
        for length in range(most + 1):
            for prefix in prefixes(parts, length):
                is_heard(prefix, length <= splits_max)
                count += 1
    return count


def test_after_every_short_prefix_and_one_zero_the_first_clean_frame_is_taken():
    assert every_prefix_is_survived(3, 2, 2) == 1 + 8 + 64 + 512 + 1 + 15 + 225


def test_the_zero_of_one_frame_is_enough_for_the_next():
    for token in TOKENS:
        got, _ = taken([token, b"\0" + CLEAN[1:], CLEAN[1:], CLEAN], True)
        assert got[-3:] == [(PAYLOAD, False)] * 3
