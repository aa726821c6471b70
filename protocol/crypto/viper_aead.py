"""ChaCha20 and Poly1305 (RFC 8439) in MicroPython's viper; `viper.py` puts them together.

Viper's int is 32 bits on a board and 64 on a PC. Whatever may pass 32 bits goes through a `ptr32`, which cuts
it, or is masked; then both give the same bytes. Constants stay below 2^30: larger ones are objects on a board.
"""

import micropython


@micropython.viper
def chacha_block(out: ptr32, key: ptr32):
    """One block of key stream into out[0:16] from the 16 words of `key`, whose counter (word 12) then grows."""
    for i in range(16):
        out[i] = key[i]
    for half in range(20):
        turn = half & 1
        for i in range(4):
            b = 4 + ((i + turn) & 3)
            c = 8 + ((i + turn + turn) & 3)
            d = 12 + ((i + turn + turn + turn) & 3)
            out[i] = out[i] + out[b]
            v = uint(out[d] ^ out[i])
            out[d] = v << 16 | v >> 16
            out[c] = out[c] + out[d]
            v = uint(out[b] ^ out[c])
            out[b] = v << 12 | v >> 20
            out[i] = out[i] + out[b]
            v = uint(out[d] ^ out[i])
            out[d] = v << 8 | v >> 24
            out[c] = out[c] + out[d]
            v = uint(out[b] ^ out[c])
            out[b] = v << 7 | v >> 25
    for i in range(16):
        out[i] = out[i] + key[i]
    key[12] = key[12] + 1


@micropython.viper
def xor(data: ptr8, start: int, stream: ptr8, count: int):
    """data[start : start + count] ^= stream[:count]"""
    for i in range(count):
        data[start + i] = data[start + i] ^ stream[i]


@micropython.viper
def limbs(out: ptr32, at: int, data: ptr8, start: int):
    """Sixteen bytes as ten limbs of 13 bits, little-endian, into out[at : at + 10]; the last has 11 bits."""
    bits = 0
    held = 0
    for i in range(16):
        held = held | data[start + i] << bits
        bits += 8
        if bits >= 13:
            out[at] = held & 0x1FFF
            at += 1
            held = held >> 13
            bits -= 13
    out[at] = held


@micropython.viper
def poly_blocks(state: ptr32, data: ptr8, start: int, count: int):
    """`count` blocks of 16 bytes into the sum: state[0:10] is h, state[10:20] r, state[20:30] the block.

    The limbs and the order of the carries are those of poly1305-donna-16 (Andrew Moon, public domain).
    """
    m = ptr32(uint(state) + 80)
    r = ptr32(uint(state) + 40)
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
        for i in range(10):
            state[i] = state[i] + m[i]
        carry = uint(0)
        for i in range(10):
            d = carry
            for j in range(5):
                if j > i:
                    d += uint(state[j] * 5 * r[i + 10 - j])
                else:
                    d += uint(state[j] * r[i - j])
            carry = d >> 13
            d = d & 0x1FFF
            for j in range(5, 10):
                if j > i:
                    d += uint(state[j] * 5 * r[i + 10 - j])
                else:
                    d += uint(state[j] * r[i - j])
            carry += d >> 13
            m[i] = d & 0x1FFF
        carry = carry * 5 + uint(m[0])
        state[0] = carry & 0x1FFF
        state[1] = uint(m[1]) + (carry >> 13)
        for i in range(2, 10):
            state[i] = m[i]
