"""SHA-512 (FIPS 180-4) in MicroPython's viper, each 64-bit word as two halves of 32, upper first.

Sums are taken in pieces of 16 bits, so that neither a 32-bit int (a board) nor a 64-bit one (a PC) overflows.
"""

import micropython


@micropython.viper
def big_endian(out: ptr32, at: int, data: ptr8, start: int, count: int):
    """`count` 32-bit words from big-endian bytes."""
    for i in range(count):
        j = start + 4 * i
        out[at + i] = data[j] << 24 | data[j + 1] << 16 | data[j + 2] << 8 | data[j + 3]


@micropython.viper
def schedule(w: ptr32):
    """The next sixteen words of the message schedule over the last ones: w is 32 halves, a ring."""
    for i in range(0, 32, 2):
        j = (i + 2) & 31
        h = uint(w[j])
        l = uint(w[j + 1])
        h0 = (h >> 1 | l << 31) ^ (h >> 8 | l << 24) ^ (h >> 7)
        l0 = (l >> 1 | h << 31) ^ (l >> 8 | h << 24) ^ (l >> 7 | h << 25)
        j = (i + 28) & 31
        h = uint(w[j])
        l = uint(w[j + 1])
        h1 = (h >> 19 | l << 13) ^ (l >> 29 | h << 3) ^ (h >> 6)
        l1 = (l >> 19 | h << 13) ^ (h >> 29 | l << 3) ^ (l >> 6 | h << 26)
        j = (i + 18) & 31
        h = uint(w[j])
        l = uint(w[j + 1])
        ho = uint(w[i])
        lo = uint(w[i + 1])
        s = (l0 & 0xFFFF) + (l1 & 0xFFFF) + (l & 0xFFFF) + (lo & 0xFFFF)
        t = (l0 >> 16 & 0xFFFF) + (l1 >> 16 & 0xFFFF) + (l >> 16 & 0xFFFF) + (lo >> 16 & 0xFFFF) + (s >> 16)
        w[i + 1] = (t & 0xFFFF) << 16 | (s & 0xFFFF)
        w[i] = h0 + h1 + h + ho + (t >> 16)


@micropython.viper
def rounds(s: ptr32, w: ptr32, k: ptr32, at: int):
    """Sixteen rounds: s holds a..h as 16 halves, k the constants as 160."""
    for i in range(0, 32, 2):
        eh = uint(s[8])
        el = uint(s[9])
        fh = uint(s[10])
        fl = uint(s[11])
        gh = uint(s[12])
        gl = uint(s[13])
        h = (eh >> 14 | el << 18) ^ (eh >> 18 | el << 14) ^ (el >> 9 | eh << 23)
        l = (el >> 14 | eh << 18) ^ (el >> 18 | eh << 14) ^ (eh >> 9 | el << 23)
        ch = gh ^ (eh & (fh ^ gh))
        cl = gl ^ (el & (fl ^ gl))
        x = uint(s[15])
        y = uint(k[at + i + 1])
        z = uint(w[i + 1])
        low = (l & 0xFFFF) + (cl & 0xFFFF) + (x & 0xFFFF) + (y & 0xFFFF) + (z & 0xFFFF)
        l = (l >> 16 & 0xFFFF) + (cl >> 16 & 0xFFFF) + (x >> 16 & 0xFFFF) + (y >> 16 & 0xFFFF)
        l += (z >> 16 & 0xFFFF) + (low >> 16)
        t1h = h + ch + uint(s[14]) + uint(k[at + i]) + uint(w[i]) + (l >> 16)
        t1l = (l & 0xFFFF) << 16 | (low & 0xFFFF)
        # d + t1 becomes e; h, g, f take the words above them
        s[15] = gl
        s[14] = gh
        s[13] = fl
        s[12] = fh
        s[11] = el
        s[10] = eh
        x = uint(s[7])
        low = (x & 0xFFFF) + (t1l & 0xFFFF)
        l = (x >> 16 & 0xFFFF) + (t1l >> 16 & 0xFFFF) + (low >> 16)
        s[9] = (l & 0xFFFF) << 16 | (low & 0xFFFF)
        s[8] = uint(s[6]) + t1h + (l >> 16)
        ah = uint(s[0])
        al = uint(s[1])
        fh = uint(s[2])
        fl = uint(s[3])
        gh = uint(s[4])
        gl = uint(s[5])
        h = (ah >> 28 | al << 4) ^ (al >> 2 | ah << 30) ^ (al >> 7 | ah << 25)
        l = (al >> 28 | ah << 4) ^ (ah >> 2 | al << 30) ^ (ah >> 7 | al << 25)
        ch = (ah & fh) | (gh & (ah | fh))
        cl = (al & fl) | (gl & (al | fl))
        low = (l & 0xFFFF) + (cl & 0xFFFF) + (t1l & 0xFFFF)
        l = (l >> 16 & 0xFFFF) + (cl >> 16 & 0xFFFF) + (t1l >> 16 & 0xFFFF) + (low >> 16)
        s[7] = gl
        s[6] = gh
        s[5] = fl
        s[4] = fh
        s[3] = al
        s[2] = ah
        s[1] = (l & 0xFFFF) << 16 | (low & 0xFFFF)
        s[0] = h + ch + t1h + (l >> 16)


@micropython.viper
def accumulate(state: ptr32, s: ptr32):
    """state += s, eight words of 64 bits."""
    for i in range(0, 16, 2):
        x = uint(state[i + 1])
        y = uint(s[i + 1])
        low = (x & 0xFFFF) + (y & 0xFFFF)
        l = (x >> 16 & 0xFFFF) + (y >> 16 & 0xFFFF) + (low >> 16)
        state[i + 1] = (l & 0xFFFF) << 16 | (low & 0xFFFF)
        state[i] = uint(state[i]) + uint(s[i]) + (l >> 16)


@micropython.viper
def to_bytes(out: ptr8, state: ptr32):
    for i in range(16):
        v = uint(state[i])
        out[4 * i] = v >> 24
        out[4 * i + 1] = v >> 16
        out[4 * i + 2] = v >> 8
        out[4 * i + 3] = v
