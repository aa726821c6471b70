"""X25519 and the cipher of a board take the same instructions whatever their secrets: counted, to the instruction.

A branch that depends on a secret would lead past different instructions; here every secret is seen to lead past the
same number of them. That a branch would be seen is shown with loops that have one.
"""

import platform
import random

import pytest

from tests.kits import counting

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="MicroPython makes machine code here on x86-64 only"),
    pytest.mark.timeout(600),
]
SOURCE = random.Random(13)
WARM = 8  # cases before those that count: names are looked up for the first time in them
EXTREMES = [
    bytes(32),
    b"\xff" * 32,
    b"\x55" * 32,
    b"\xaa" * 32,
    b"\xff\0" * 16,
    b"\x01" + bytes(31),
    bytes(31) + b"\x80",
]
POINTS = [b"\x09" + bytes(31), b"\x02" + bytes(31), b"\xfe" * 32]

HEAD = """
from protocol.crypto import CryptoError, viper, viper_x25519

gc.disable()
K, P, N, D = bytearray(32), bytearray(32), bytearray(12), b""
"""
# `act` is what is measured, on the buffers K, P, N and D; what it leaves behind is the same before each measurement
LOOP = """
{act}

def run(cases):
    global D
    D = bytearray(len(cases[0][2]))
    for case in cases:
        K[:], P[:], D[:] = cases[0]
        act()
        K[:], P[:], D[:] = case
        gc.collect()
        mark()
        act()
        mark()

run({cases})
"""
X25519 = "def act():\n    viper.x25519(K, P)\n"
SEAL = 'def act():\n    viper.seal(K, N, b"ad", D)\n'
OPEN = """
def act():
    try:
        viper.open(K, N, b"ad", D)
    except CryptoError:
        pass
"""
# the same with a branch on a bit of the scalar, and with a comparison that stops where tags differ
BRANCHING_X25519 = """
with open(viper_x25519.__file__) as file:
    text = file.read()
swaps = "        swap(x2, x3, held)\\n        swap(z2, z3, held)\\n        held = bit\\n"
assert text.count(swaps) == 1
place = {}
branch = "        if held:\\n            swap(x2, x3, 1)\\n            swap(z2, z3, 1)\\n        held = bit\\n"
exec(text.replace(swaps, branch), place)
viper_x25519.ladder = place["ladder"]
""" + X25519  # fmt: skip
STOPPING_OPEN = """
def same(a, b):
    for i in range(len(a)):
        if a[i] != b[i]:
            return False
    return True

viper.same = same
""" + OPEN  # fmt: skip
Case = tuple[bytes, bytes, bytes]


def counted(*blocks: tuple[str, list[Case]]) -> list[list[int]]:
    """The instructions of each case of each (act, cases)."""
    script = HEAD
    for act, cases in blocks:
        script += LOOP.format(act=act, cases=repr(cases[:1] * WARM + cases))
    found = counting.counts(script)
    taken = []
    for _, cases in blocks:
        taken.append(found[WARM : WARM + len(cases)])
        found = found[WARM + len(cases) :]
    assert not found
    return taken


def scalars(count: int) -> list[Case]:
    some = EXTREMES[: min(count, len(EXTREMES))] + [SOURCE.randbytes(32) for _ in range(count - len(EXTREMES))]
    points = POINTS + [SOURCE.randbytes(32) for _ in range(count)]
    return [(scalar, points[i], b"") for i, scalar in enumerate(some)]


def plain_texts(count: int) -> list[Case]:
    keys = EXTREMES + [SOURCE.randbytes(32) for _ in range(count)]
    texts = [bytes(1000), b"\xff" * 1000] + [SOURCE.randbytes(1000) for _ in range(count)]
    return [(keys[i], bytes(32), texts[i % len(texts)]) for i in range(count)]


def wrong_tags(count: int) -> list[Case]:
    """Sealed texts whose tags are wrong in the first byte, the last, one between, or altogether."""
    from protocol.crypto import nacl

    found: list[Case] = []
    for key, _, text in plain_texts(count):
        sealed = nacl.seal(key, bytes(12), b"ad", text[:200])
        for place in (0, 7, 15):
            wrong = bytearray(sealed)
            wrong[-16 + place] ^= 1 << SOURCE.randrange(8)
            found.append((key, bytes(32), bytes(wrong)))
        found.append((key, bytes(32), sealed[:-16] + bytes(16)))
    return found


def right_tags(count: int) -> list[Case]:
    from protocol.crypto import nacl

    return [(key, bytes(32), nacl.seal(key, bytes(12), b"ad", text)) for key, _, text in plain_texts(count)]


def differences(blocks: dict[str, tuple[str, list[Case]]]) -> dict[str, list[int]]:
    """The acts whose counts are not all the same, and these."""
    return {
        name: counts for name, counts in zip(blocks, counted(*blocks.values()), strict=True) if len(set(counts)) > 1
    }


def everything(count: int) -> dict[str, tuple[str, list[Case]]]:
    return {
        "X25519, any scalar and point": (X25519, scalars(count * 2 // 3)),
        "sealing, any key and text": (SEAL, plain_texts(count)),
        "opening, any key and text": (OPEN, right_tags(count)),
        "opening, a tag wrong anywhere": (OPEN, wrong_tags(count // 2)),
    }


def test_no_secret_takes_an_instruction_more_or_less() -> None:
    assert differences(everything(12)) == {}


def test_a_branch_on_the_scalar_and_a_comparison_that_stops_early_are_seen() -> None:
    ladder, opening = counted(
        (BRANCHING_X25519, [(one, POINTS[0], b"") for one in (b"\xff" * 32, b"\x55" * 32, b"\xff\0" * 16)]),
        (STOPPING_OPEN, wrong_tags(1)),
    )
    assert len(set(ladder)) == 3, ladder
    assert opening[0] < opening[1] < opening[2], opening


def test_the_same_script_takes_the_same_instructions_every_time() -> None:
    block = (SEAL, plain_texts(2))
    assert counted(block) == counted(block)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_secret_of_hundreds_takes_an_instruction_more_or_less() -> None:
    assert differences(everything(200)) == {}
