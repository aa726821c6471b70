"""SHA-512 in plain Python for the backend `pure`: Ed25519 needs it and MicroPython has none."""

from protocol.crypto.sha512_table import ROUNDS, START


def _words(table: bytes) -> "list[int]":
    return [int.from_bytes(table[i : i + 8], "big") for i in range(0, len(table), 8)]


def padding(length: int) -> bytes:
    """What follows a message of `length` bytes: a one, zeros, the length in bits (FIPS 180-4 5.1.2)."""
    tail = length % 128
    return b"\x80" + bytes((239 if tail >= 112 else 111) - tail) + (length * 8).to_bytes(16, "big")


def sha512(data: bytes) -> bytes:
    """FIPS 180-4 section 6.4: 64 bytes."""
    state = _words(START)
    constants = _words(ROUNDS)
    padded = bytes(data) + padding(len(data))
    for offset in range(0, len(padded), 128):
        _block(state, constants, padded, offset)
    return b"".join([word.to_bytes(8, "big") for word in state])


def _block(state: "list[int]", constants: "list[int]", data: bytes, offset: int) -> None:
    mask = 0xFFFFFFFFFFFFFFFF
    w = [int.from_bytes(data[offset + 8 * i : offset + 8 * i + 8], "big") for i in range(16)]
    a, b, c, d, e, f, g, h = state
    for i in range(80):
        if i >= 16:
            x = w[(i - 15) & 15]
            y = w[(i - 2) & 15]
            small0 = (x >> 1 | x << 63) ^ (x >> 8 | x << 56) ^ (x >> 7)
            small1 = (y >> 19 | y << 45) ^ (y >> 61 | y << 3) ^ (y >> 6)
            w[i & 15] = (w[i & 15] + (small0 & mask) + w[(i - 7) & 15] + (small1 & mask)) & mask
        big1 = ((e >> 14 | e << 50) ^ (e >> 18 | e << 46) ^ (e >> 41 | e << 23)) & mask
        t1 = h + big1 + ((e & f) ^ (~e & g)) + constants[i] + w[i & 15]
        big0 = ((a >> 28 | a << 36) ^ (a >> 34 | a << 30) ^ (a >> 39 | a << 25)) & mask
        t2 = big0 + ((a & b) ^ (a & c) ^ (b & c))
        h, g, f, e, d, c, b, a = g, f, e, (d + t1) & mask, c, b, a, (t1 + t2) & mask
    for i, word in enumerate((a, b, c, d, e, f, g, h)):
        state[i] = (state[i] + word) & mask
