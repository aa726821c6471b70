"""X25519 (RFC 7748) in MicroPython's viper, without a branch or an index that depends on a secret.

A field element is 20 signed limbs of 13 bits in a `ptr32` array: a product of two sums of reduced elements,
20 * 2^13 * 2^13, fits 32 bits with its sign, and 2^260 = 608 mod p folds the upper half. Reduced limbs lie in
-4096..4095, the first three a little outside. Viper's int is 32 bits on a board and 64 on a PC: a negative
limb reads as 2^32 more there, which a store cuts off again, and carries are taken from `uint`s moved up
by 2^31.
"""

import micropython


@micropython.viper
def reduce(out: ptr32, r: ptr32):
    """out = r mod p from 40 columns below 2^31 in size, of which the upper 20 are reduced limbs already."""
    big = uint(1) << 31
    carry = 0
    for i in range(20):
        out[i] = r[i] + r[i + 20] * 608 + carry + int(big) + 4096
        v = uint(out[i])
        out[i] = int(v & 0x1FFF) - 4096
        carry = int(v >> 13) - 262144
    # what passes 2^260 comes in again at the bottom, and two limbs take it up
    out[0] = out[0] + carry * 608 + int(big) + 4096
    v = uint(out[0])
    out[0] = int(v & 0x1FFF) - 4096
    out[1] = out[1] + int(v >> 13) - 262144 + int(big) + 4096
    v = uint(out[1])
    out[1] = int(v & 0x1FFF) - 4096
    out[2] = out[2] + int(v >> 13) - 262144


@micropython.viper
def multiply(out: ptr32, a: ptr32, b: ptr32, work: ptr32):
    """out = a * b. `work` holds 40 columns, then b between 4 and 5 words of zeros."""
    for i in range(40):
        work[i] = 0
    for i in range(20):
        work[44 + i] = b[i]
    row = 0
    while row < 20:
        a0 = a[row]
        a1 = a[row + 1]
        a2 = a[row + 2]
        a3 = a[row + 3]
        a4 = a[row + 4]
        r = ptr32(uint(work) + uint(row * 4))
        w = ptr32(uint(work) + uint(160))
        for _ in range(6):
            r[0] = r[0] + a0 * w[4] + a1 * w[3] + a2 * w[2] + a3 * w[1] + a4 * w[0]
            r[1] = r[1] + a0 * w[5] + a1 * w[4] + a2 * w[3] + a3 * w[2] + a4 * w[1]
            r[2] = r[2] + a0 * w[6] + a1 * w[5] + a2 * w[4] + a3 * w[3] + a4 * w[2]
            r[3] = r[3] + a0 * w[7] + a1 * w[6] + a2 * w[5] + a3 * w[4] + a4 * w[3]
            r = ptr32(uint(r) + uint(16))
            w = ptr32(uint(w) + uint(16))
        row += 5
    big = uint(1) << 31
    carry = 0
    for i in range(20, 39):
        work[i] = work[i] + carry + int(big) + 4096
        v = uint(work[i])
        work[i] = int(v & 0x1FFF) - 4096
        carry = int(v >> 13) - 262144
    work[39] = carry  # at most 2^13: nothing is above it
    reduce(out, work)


@micropython.viper
def add(out: ptr32, a: ptr32, b: ptr32):
    for i in range(20):
        out[i] = a[i] + b[i]


@micropython.viper
def subtract(out: ptr32, a: ptr32, b: ptr32):
    for i in range(20):
        out[i] = a[i] - b[i]


@micropython.viper
def multiply_small_add(out: ptr32, a: ptr32, b: ptr32, work: ptr32):
    """out = a + 121665 * b, 121665 being (486662 - 2) / 4 of the curve."""
    for i in range(20):
        work[i] = a[i] + b[i] * 121665
        work[i + 20] = 0
    reduce(out, work)


@micropython.viper
def swap(a: ptr32, b: ptr32, bit: int):
    """Exchanges a and b where bit is 1, and does the same work where it is 0."""
    mask = 0 - bit
    for i in range(20):
        t = mask & (a[i] ^ b[i])
        a[i] = a[i] ^ t
        b[i] = b[i] ^ t


@micropython.viper
def ladder(k: ptr8, x1, x2, z2, x3, z3, a, b, c, d, work):
    """The Montgomery ladder of RFC 7748 section 5 over the 255 low bits of k."""
    held = 0
    t = 254
    while t >= 0:
        bit = (k[t >> 3] >> (t & 7)) & 1
        held = held ^ bit
        swap(x2, x3, held)
        swap(z2, z3, held)
        held = bit
        add(a, x2, z2)
        subtract(b, x2, z2)
        add(c, x3, z3)
        subtract(d, x3, z3)
        multiply(d, d, a, work)
        multiply(c, c, b, work)
        multiply(a, a, a, work)
        multiply(b, b, b, work)
        multiply(x2, a, b, work)
        subtract(b, a, b)
        multiply_small_add(a, a, b, work)
        multiply(z2, a, b, work)
        add(a, d, c)
        subtract(b, d, c)
        multiply(x3, a, a, work)
        multiply(b, b, b, work)
        multiply(z3, x1, b, work)
        t -= 1
    swap(x2, x3, held)
    swap(z2, z3, held)


@micropython.viper
def unpack(out: ptr32, data: ptr8):
    """The 255 low bits of 32 bytes, behind which two more can be read, as limbs of 0..8191; the last has 8 bits."""
    for i in range(20):
        bits = i * 13
        at = bits >> 3
        out[i] = ((data[at] | data[at + 1] << 8 | data[at + 2] << 16) >> (bits & 7)) & 0x1FFF
    out[19] = out[19] & 0xFF


@micropython.viper
def pack(out: ptr8, a: ptr32):
    """The 32 bytes of a, the least that is not negative modulo p; a is left as the limbs of them."""
    # a + 32 p, of which no limb is negative: 32 p = 2^260 - 608
    carry = 7584 - 8191
    for i in range(20):
        v = (a[i] + 8191 + carry) & 0x7FFF
        a[i] = v & 0x1FFF
        carry = v >> 13
    # what is above 2^255 comes in again at the bottom: 2^255 = 19 and 2^260 = 608 mod p
    carry = (carry << 5 | a[19] >> 8) * 19
    a[19] = a[19] & 0xFF
    for i in range(20):
        v = a[i] + carry
        a[i] = v & 0x1FFF
        carry = v >> 13
    # below 2^255 + 1216 now, and p or more if 19 more reach 2^255: then p goes, by adding 19 and leaving bit 255 out
    carry = 19
    for i in range(19):
        carry = (a[i] + carry) >> 13
    carry = ((a[19] + carry) >> 8) * 19
    for i in range(20):
        v = a[i] + carry
        a[i] = v & 0x1FFF
        carry = v >> 13
    a[19] = a[19] & 0xFF
    held = 0
    bits = 0
    k = 0
    for i in range(32):
        if bits < 8:
            held = held | a[k] << bits
            bits += 13
            k += 1
        out[i] = held
        held = held >> 8
        bits -= 8
