"""SHA-512 in plain Python, for Ed25519 where there is no C one: MicroPython has none."""

_K = None  # the 80 round constants, made on first use: 0.6 ms, and no 640-byte literal to keep


def _constants() -> "tuple[list[int], list[int]]":
    """First 64 bits of the fractions of the cube and square roots of the first 80 and 8 primes."""
    primes: list[int] = []
    candidate = 2
    while len(primes) < 80:
        if all(candidate % p for p in primes):
            primes.append(candidate)
        candidate += 1
    cubes = [_root(p << 192, 3) & 0xFFFFFFFFFFFFFFFF for p in primes]
    squares = [_root(p << 128, 2) & 0xFFFFFFFFFFFFFFFF for p in primes[:8]]
    return cubes, squares


def _root(value: int, power: int) -> int:
    low, high = 0, 1 << 72
    while low < high:
        middle = (low + high + 1) >> 1
        if middle**power <= value:
            low = middle
        else:
            high = middle - 1
    return low


def sha512(data: bytes) -> bytes:
    """FIPS 180-4: 64 bytes."""
    global _K
    if _K is None:
        _K = _constants()
    constants, start = _K
    state = start[:]
    tail = len(data) % 128
    padding = b"\x80" + bytes((239 if tail >= 112 else 111) - tail) + (len(data) * 8).to_bytes(16, "big")
    whole = len(data) - tail
    for offset in range(0, whole, 128):
        _block(state, constants, data, offset)
    last = bytes(data[whole:]) + padding
    for offset in range(0, len(last), 128):
        _block(state, constants, last, offset)
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
