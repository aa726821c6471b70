"""Ed25519 (RFC 8032) over Python integers, for the backends `pure` and `viper`, which bring their SHA-512.

Integers of Python take a time that depends on their values. What is signed on a device is signed in a
learner's own hands or in a dock; no stranger times it. Points are extended coordinates (X, Y, Z, T) with
x = X/Z, y = Y/Z, xy = T/Z; formulas are those of Hisil, Wong, Carter and Dawson (2008) for a = -1.
"""

from protocol.compat import TYPE_CHECKING
from protocol.crypto import CryptoError
from protocol.crypto.ed25519_table import BASE_COMB, BASE_ODD

if TYPE_CHECKING:
    from collections.abc import Callable

    Point = tuple[int, int, int, int]
    Cached = tuple[int, int, int, int]

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
_2D = 2 * _D % P
_ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1
_KNOWN_KEYS_MAX = 8  # proven keys kept, 32 bytes each: hub, the wing's moderators on duty

_known_keys: "list[bytes]" = []


def _double(p: "Point") -> "Point":
    x, y, z, _ = p
    a = x * x % P
    b = y * y % P
    e = (x + y) * (x + y) - a - b
    g = b - a
    f = g - 2 * z * z
    h = -a - b
    return e * f % P, g * h % P, f * g % P, e * h % P


def _add(p: "Point", q: "Cached") -> "Point":
    """p + q, q as (Y+X, Y-X, 2Z, 2dT)."""
    x, y, z, t = p
    a = (y - x) * q[1] % P
    b = (y + x) * q[0] % P
    c = t * q[3] % P
    d = z * q[2] % P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _subtract(p: "Point", q: "Cached") -> "Point":
    return _add(p, (q[1], q[0], q[2], P - q[3]))


def _cache(p: "Point") -> "Cached":
    x, y, z, t = p
    return y + x, y - x, 2 * z, t * _2D % P


def _from_table(table: bytes, index: int) -> "Cached":
    at = index * 96
    return (
        int.from_bytes(table[at : at + 32], "little"),
        int.from_bytes(table[at + 32 : at + 64], "little"),
        2,
        int.from_bytes(table[at + 64 : at + 96], "little"),
    )


def _encode(p: "Point") -> bytes:
    x, y, z, _ = p
    inverse = pow(z, P - 2, P)
    x = x * inverse % P
    y = y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data: bytes) -> "Point | None":
    """RFC 8032 section 5.1.3, canonical encodings only."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= P:
        return None
    u = (y * y - 1) % P
    v = (_D * y % P * y + 1) % P
    v3 = v * v % P * v % P
    x = u * v3 % P * pow(u * v3 % P * v3 % P * v % P, (P - 5) // 8, P) % P
    check = v * x % P * x % P
    if check == P - u and u:
        x = x * _ROOT % P
    elif check != u:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _multiply_base(scalar: int) -> "Point":
    """scalar * B by a comb of four teeth, 64 bits apart (Lim and Lee, 1994)."""
    p = (0, 1, 1, 0)
    for i in range(63, -1, -1):
        p = _double(p)
        index = (
            (scalar >> i & 1)
            | (scalar >> (i + 64) & 1) << 1
            | (scalar >> (i + 128) & 1) << 2
            | (scalar >> (i + 192) & 1) << 3
        )
        if index:
            p = _add(p, _from_table(BASE_COMB, index - 1))
    return p


def _digits(scalar: int) -> bytearray:
    """The width-5 non-adjacent form, lowest first, each digit plus 16: one byte each, no list on the heap."""
    digits = bytearray(b"\x10" * 257)
    i = 0
    while scalar:
        if scalar & 1:
            digit = scalar & 31
            if digit > 15:
                digit -= 32
            scalar -= digit
            digits[i] = digit + 16
        scalar >>= 1
        i += 1
    return digits


def _odd_multiples(p: "Point") -> "list[Cached]":
    table = [_cache(p)]
    twice = _cache(_double(p))
    for _ in range(7):
        p = _add(p, twice)
        table.append(_cache(p))
    return table


def _multiply_two(base_scalar: int, scalar: int, table: "list[Cached]") -> "Point":
    """base_scalar * B + scalar * A, A given by its odd multiples (Straus, 1964)."""
    base_digits = _digits(base_scalar)
    digits = _digits(scalar)
    p = (0, 1, 1, 0)
    for i in range(256, -1, -1):
        p = _double(p)
        digit = digits[i] - 16
        if digit > 0:
            p = _add(p, table[digit >> 1])
        elif digit < 0:
            p = _subtract(p, table[-digit >> 1])
        digit = base_digits[i] - 16
        if digit > 0:
            p = _add(p, _from_table(BASE_ODD, digit >> 1))
        elif digit < 0:
            p = _subtract(p, _from_table(BASE_ODD, -digit >> 1))
    return p


def _is_neutral(p: "Point") -> bool:
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


def _in_main_subgroup(public: bytes, point: "Point", table: "list[Cached]") -> bool:
    """Whether the point has order L. Costs as much as a verification, so proven keys are remembered."""
    if public in _known_keys:
        return True
    if _is_neutral(point) or not _is_neutral(_multiply_two(0, L, table)):
        return False
    if len(_known_keys) >= _KNOWN_KEYS_MAX:
        _known_keys.pop(0)
    _known_keys.append(bytes(public))
    return True


def _expand(seed: bytes, sha512: "Callable[[bytes], bytes]") -> "tuple[int, bytes]":
    if len(seed) != 32:
        raise CryptoError("an Ed25519 seed has 32 bytes")
    digest = sha512(bytes(seed))
    scalar = int.from_bytes(digest[:32], "little")
    scalar = (scalar & ((1 << 254) - 8)) | (1 << 254)
    return scalar % L, digest[32:]


def public_key(seed: bytes, sha512: "Callable[[bytes], bytes]") -> bytes:
    """RFC 8032 section 5.1.5: 32 bytes; a seed of another length raises CryptoError."""
    return _encode(_multiply_base(_expand(seed, sha512)[0]))


def is_public_key(public: bytes) -> bool:
    """Whether these bytes are the one encoding of a point of the main subgroup, the neutral one excepted."""
    if len(public) != 32:
        return False
    public = bytes(public)
    point = _decode(public)
    return point is not None and _in_main_subgroup(public, point, _odd_multiples(point))


def sign(seed: bytes, message: bytes, sha512: "Callable[[bytes], bytes]") -> bytes:
    """RFC 8032 section 5.1.6: 64 bytes."""
    scalar, prefix = _expand(seed, sha512)
    public = _encode(_multiply_base(scalar))
    nonce = int.from_bytes(sha512(prefix + message), "little") % L
    commitment = _encode(_multiply_base(nonce))
    challenge = int.from_bytes(sha512(commitment + public + message), "little") % L
    return commitment + ((nonce + challenge * scalar) % L).to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes, sha512: "Callable[[bytes], bytes]") -> bool:
    """RFC 8032 section 5.1.7 without the cofactor, for keys of the main subgroup only."""
    if len(public) != 32 or len(signature) != 64:
        return False
    public = bytes(public)
    signature = bytes(signature)
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    point = _decode(public)
    if point is None:
        return False
    table = _odd_multiples(point)
    if not _in_main_subgroup(public, point, table):
        return False
    hashed = sha512(signature[:32] + public + message)
    challenge = int.from_bytes(hashed, "little") % L
    expected = _multiply_two(s, L - challenge, table)
    return not _is_neutral(expected) and _encode(expected) == signature[:32]
