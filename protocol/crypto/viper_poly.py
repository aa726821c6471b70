"""Poly1305 (RFC 8439 section 2.5) in MicroPython's viper, for `viper.py`, and the XOR of a stream.

Viper's int is 32 bits on a board and 64 on a PC; every sum here stays below 2^32 and is then a `uint`. Limbs of
13 bits and the order of the carries are those of poly1305-donna-16 (Andrew Moon, public domain).
"""

import micropython


@micropython.viper
def xor(data: ptr8, start: int, stream: ptr8, count: int):
    """data[start : start + count] ^= stream[:count]"""
    for i in range(count):
        data[start + i] = data[start + i] ^ stream[i]


@micropython.viper
def poly_begin(state: ptr32, key: ptr8):
    """The sum is zero, and the factor is the first sixteen bytes of the one-time key, clamped (section 2.5)."""
    for i in range(49):
        state[i] = 0
    bits = 0
    held = 0
    k = 10
    for i in range(16):
        byte = key[i]
        if i & 3 == 3:
            byte = byte & 15
        if i & 3 == 0 and i > 0:
            byte = byte & 252
        held = held | byte << bits
        bits += 8
        if bits >= 13:
            state[k] = held & 0x1FFF
            k += 1
            held = held >> 13
            bits -= 13
    state[k] = held


@micropython.viper
def poly_tag(out: ptr8, state: ptr32, pad: ptr8):
    """out[0:16] = the sum modulo 2^130 - 5, and pad added to that modulo 2^128."""
    carry = 0
    for i in range(10):
        v = state[i] + carry
        state[i] = v & 0x1FFF
        carry = v >> 13
    carry = carry * 5
    for i in range(10):
        v = state[i] + carry
        state[i] = v & 0x1FFF
        carry = v >> 13
    # 2^130 - 5 or more if 5 more reach 2^130: then that goes, by adding 5 and leaving bit 130 out
    carry = 5
    for i in range(10):
        carry = (state[i] + carry) >> 13
    carry = carry * 5
    for i in range(10):
        v = state[i] + carry
        state[i] = v & 0x1FFF
        carry = v >> 13
    held = 0
    bits = 0
    k = 0
    carry = 0
    for i in range(16):
        if bits < 8:
            held = held | state[k] << bits
            bits += 13
            k += 1
        carry = carry + (held & 0xFF) + pad[i]
        out[i] = carry
        carry = carry >> 8
        held = held >> 8
        bits -= 8


@micropython.viper
def poly_blocks(state: ptr32, data: ptr8, start: int, count: int):
    """`count` blocks of 16 bytes into the sum.

    state[0:10] is h, state[10:20] r, state[20:30] the block, state[30:49] a row of 5 r[1:10] and r, in which
    the factors of one column of the product stand side by side.
    """
    m = ptr32(uint(state) + 80)
    r = ptr32(uint(state) + 40)
    t = ptr32(uint(state) + 120)
    for i in range(10):
        t[9 + i] = r[i]
    for i in range(1, 10):
        t[i - 1] = r[i] * 5
    for block in range(count):
        at = start + block * 16
        bits = 0
        held = 0
        k = 0
        for i in range(16):
            held = held | data[at + i] << bits
            bits += 8
            if bits >= 13:
                m[k] = held & 0x1FFF
                k += 1
                held = held >> 13
                bits -= 13
        m[9] = held | 0x800
        h0 = state[0] + m[0]
        h1 = state[1] + m[1]
        h2 = state[2] + m[2]
        h3 = state[3] + m[3]
        h4 = state[4] + m[4]
        h5 = state[5] + m[5]
        h6 = state[6] + m[6]
        h7 = state[7] + m[7]
        h8 = state[8] + m[8]
        h9 = state[9] + m[9]
        carry = uint(0)
        w = t
        for i in range(10):
            d = carry + uint(h0 * w[9] + h1 * w[8] + h2 * w[7] + h3 * w[6] + h4 * w[5])
            carry = d >> 13
            d = (d & 0x1FFF) + uint(h5 * w[4] + h6 * w[3] + h7 * w[2] + h8 * w[1] + h9 * w[0])
            carry += d >> 13
            state[i] = d & 0x1FFF
            w = ptr32(uint(w) + 4)
        carry = carry * 5 + uint(state[0])
        state[0] = carry & 0x1FFF
        state[1] = uint(state[1]) + (carry >> 13)
