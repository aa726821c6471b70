"""The ChaCha20 block function (RFC 8439 section 2.3) in MicroPython's viper, for `viper.py`.

Written out, because indices cost as much as the arithmetic: half the time of a loop, for 1 KB of machine code.
Viper's int is 32 bits on a board and 64 on a PC: `mask` cuts every sum and rotation to 32.
"""

import micropython


@micropython.viper
def chacha_block(out: ptr32, key: ptr32):
    """One block of key stream into out[0:16] from the 16 words of `key`, whose counter (word 12) grows."""
    mask = uint(1) << 31
    mask = mask + mask - 1
    x0 = uint(key[0])
    x1 = uint(key[1])
    x2 = uint(key[2])
    x3 = uint(key[3])
    x4 = uint(key[4])
    x5 = uint(key[5])
    x6 = uint(key[6])
    x7 = uint(key[7])
    x8 = uint(key[8])
    x9 = uint(key[9])
    x10 = uint(key[10])
    x11 = uint(key[11])
    x12 = uint(key[12])
    x13 = uint(key[13])
    x14 = uint(key[14])
    x15 = uint(key[15])
    for _ in range(10):
        # column 0
        x0 = x0 + x4 & mask
        x12 = x12 ^ x0
        x12 = (x12 << 16 | x12 >> 16) & mask
        x8 = x8 + x12 & mask
        x4 = x4 ^ x8
        x4 = (x4 << 12 | x4 >> 20) & mask
        x0 = x0 + x4 & mask
        x12 = x12 ^ x0
        x12 = (x12 << 8 | x12 >> 24) & mask
        x8 = x8 + x12 & mask
        x4 = x4 ^ x8
        x4 = (x4 << 7 | x4 >> 25) & mask
        # column 1
        x1 = x1 + x5 & mask
        x13 = x13 ^ x1
        x13 = (x13 << 16 | x13 >> 16) & mask
        x9 = x9 + x13 & mask
        x5 = x5 ^ x9
        x5 = (x5 << 12 | x5 >> 20) & mask
        x1 = x1 + x5 & mask
        x13 = x13 ^ x1
        x13 = (x13 << 8 | x13 >> 24) & mask
        x9 = x9 + x13 & mask
        x5 = x5 ^ x9
        x5 = (x5 << 7 | x5 >> 25) & mask
        # column 2
        x2 = x2 + x6 & mask
        x14 = x14 ^ x2
        x14 = (x14 << 16 | x14 >> 16) & mask
        x10 = x10 + x14 & mask
        x6 = x6 ^ x10
        x6 = (x6 << 12 | x6 >> 20) & mask
        x2 = x2 + x6 & mask
        x14 = x14 ^ x2
        x14 = (x14 << 8 | x14 >> 24) & mask
        x10 = x10 + x14 & mask
        x6 = x6 ^ x10
        x6 = (x6 << 7 | x6 >> 25) & mask
        # column 3
        x3 = x3 + x7 & mask
        x15 = x15 ^ x3
        x15 = (x15 << 16 | x15 >> 16) & mask
        x11 = x11 + x15 & mask
        x7 = x7 ^ x11
        x7 = (x7 << 12 | x7 >> 20) & mask
        x3 = x3 + x7 & mask
        x15 = x15 ^ x3
        x15 = (x15 << 8 | x15 >> 24) & mask
        x11 = x11 + x15 & mask
        x7 = x7 ^ x11
        x7 = (x7 << 7 | x7 >> 25) & mask
        # diagonal 0
        x0 = x0 + x5 & mask
        x15 = x15 ^ x0
        x15 = (x15 << 16 | x15 >> 16) & mask
        x10 = x10 + x15 & mask
        x5 = x5 ^ x10
        x5 = (x5 << 12 | x5 >> 20) & mask
        x0 = x0 + x5 & mask
        x15 = x15 ^ x0
        x15 = (x15 << 8 | x15 >> 24) & mask
        x10 = x10 + x15 & mask
        x5 = x5 ^ x10
        x5 = (x5 << 7 | x5 >> 25) & mask
        # diagonal 1
        x1 = x1 + x6 & mask
        x12 = x12 ^ x1
        x12 = (x12 << 16 | x12 >> 16) & mask
        x11 = x11 + x12 & mask
        x6 = x6 ^ x11
        x6 = (x6 << 12 | x6 >> 20) & mask
        x1 = x1 + x6 & mask
        x12 = x12 ^ x1
        x12 = (x12 << 8 | x12 >> 24) & mask
        x11 = x11 + x12 & mask
        x6 = x6 ^ x11
        x6 = (x6 << 7 | x6 >> 25) & mask
        # diagonal 2
        x2 = x2 + x7 & mask
        x13 = x13 ^ x2
        x13 = (x13 << 16 | x13 >> 16) & mask
        x8 = x8 + x13 & mask
        x7 = x7 ^ x8
        x7 = (x7 << 12 | x7 >> 20) & mask
        x2 = x2 + x7 & mask
        x13 = x13 ^ x2
        x13 = (x13 << 8 | x13 >> 24) & mask
        x8 = x8 + x13 & mask
        x7 = x7 ^ x8
        x7 = (x7 << 7 | x7 >> 25) & mask
        # diagonal 3
        x3 = x3 + x4 & mask
        x14 = x14 ^ x3
        x14 = (x14 << 16 | x14 >> 16) & mask
        x9 = x9 + x14 & mask
        x4 = x4 ^ x9
        x4 = (x4 << 12 | x4 >> 20) & mask
        x3 = x3 + x4 & mask
        x14 = x14 ^ x3
        x14 = (x14 << 8 | x14 >> 24) & mask
        x9 = x9 + x14 & mask
        x4 = x4 ^ x9
        x4 = (x4 << 7 | x4 >> 25) & mask
    out[0] = x0 + uint(key[0])
    out[1] = x1 + uint(key[1])
    out[2] = x2 + uint(key[2])
    out[3] = x3 + uint(key[3])
    out[4] = x4 + uint(key[4])
    out[5] = x5 + uint(key[5])
    out[6] = x6 + uint(key[6])
    out[7] = x7 + uint(key[7])
    out[8] = x8 + uint(key[8])
    out[9] = x9 + uint(key[9])
    out[10] = x10 + uint(key[10])
    out[11] = x11 + uint(key[11])
    out[12] = x12 + uint(key[12])
    out[13] = x13 + uint(key[13])
    out[14] = x14 + uint(key[14])
    out[15] = x15 + uint(key[15])
    key[12] = key[12] + 1
