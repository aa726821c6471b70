"""The Noise Protocol Framework, revision 34, for 25519_ChaChaPoly_SHA256: the session's and the seal's keys.

Perch enrols with XX, docks with IK or IKpsk2 and seals with X; every fundamental pattern (section 7.4, 7.5)
and its pskN forms (section 9) run here, for the published vectors of all of them prove the same few lines.
No randomness of its own: it takes `e` or `random`, or asks the crypto backend.
"""

import hashlib

from protocol import crypto
from protocol.compat import TYPE_CHECKING
from protocol.errors import Misuse, Refusal
from protocol.limits import NOISE_MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    # a private key, or the pair (private, public) of one whose public half is known already
    Key = bytes | tuple[bytes, bytes]

_SUITE = "25519_ChaChaPoly_SHA256"
_NONCE_MAX = 0xFFFFFFFFFFFFFFFF  # never used to encrypt (section 5.1)

# a line each: name, static keys known before (of the initiator, of the responder; "-" for none), then the
# messages by turns, the initiator's first. One text: as tuples these would be 4 KB of a board's heap.
PATTERNS = """
N - s: e es
K s s: e es ss
X - s: e es s ss
NN - -: e, e ee
NK - s: e es, e ee
NX - -: e, e ee s es
KN s -: e, e ee se
KK s s: e es ss, e ee se
KX s -: e, e ee se s es
XN - -: e, e ee, s se
XK - s: e es, e ee, s se
XX - -: e, e ee s es, s se
IN - -: e s, e ee se
IK - s: e es s ss, e ee se
IX - -: e s, e ee se s es
"""


class NoiseError(Refusal):
    """A handshake or transport message that does not belong to this session."""


def pattern(base: str) -> "tuple[bool, bool, list[list[str]]]":
    """Whether each side's static key is known before, and the tokens of each message, of a pattern's line."""
    at = PATTERNS.find("\n" + base + " ") if base.isalpha() else -1
    if at < 0:
        raise Misuse("no such Noise pattern: " + base)
    line = PATTERNS[at + 1 : PATTERNS.index("\n", at + 1)]
    before, after = line.split(": ")
    _, initiator, responder = before.split(" ")
    return initiator == "s", responder == "s", [message.split(" ") for message in after.split(", ")]


def _parse_name(name: str) -> "tuple[bool, bool, list[list[str]]]":
    """The pre-messages and messages of a full protocol name, its psk modifiers put in."""
    parts = name.split("_", 2)
    if len(parts) != 3 or parts[0] != "Noise" or parts[2] != _SUITE:
        raise Misuse("not a Noise protocol of this suite: " + name)
    base = parts[1]
    modifiers = ""
    if "psk" in base:
        at = base.index("psk")
        base, modifiers = base[:at], base[at:]
    pre_initiator, pre_responder, messages = pattern(base)
    if modifiers:
        for modifier in modifiers.split("+"):
            number = modifier[3:]
            if modifier[:3] != "psk" or number not in ("0", "1", "2", "3") or int(number) > len(messages):
                raise Misuse("no such Noise modifier: " + name)
            if number == "0":
                messages[0].insert(0, "psk")
            else:
                messages[int(number) - 1].append("psk")
    return pre_initiator, pre_responder, messages


def hkdf(chosen: "crypto.Backend", chaining_key: bytes, material: bytes, count: int) -> "list[bytes]":
    """HKDF of the Noise specification, section 4.3: `count` outputs of 32 bytes, two or three."""
    secret = chosen.hmac_sha256(chaining_key, material)
    outputs: "list[bytes]" = []
    previous = b""
    for i in range(1, count + 1):
        previous = chosen.hmac_sha256(secret, previous + bytes([i]))
        outputs.append(previous)
    return outputs


class CipherState:
    """One direction of a session: a key and the number of the next message (section 5.1)."""

    def __init__(self, key: bytes, backend: "crypto.Backend") -> None:
        self._key = key
        self._backend = backend
        self.nonce = 0

    def _take_nonce(self) -> bytes:
        if self.nonce >= _NONCE_MAX:
            raise NoiseError("the nonces of this direction are used up")
        return b"\0\0\0\0" + self.nonce.to_bytes(8, "little")

    def seal(self, ad: bytes, plaintext: bytes) -> bytes:
        """Ciphertext and tag, 16 bytes longer; over 65535 bytes raises Misuse."""
        if len(plaintext) > NOISE_MESSAGE_BYTES_MAX - 16:
            raise Misuse("a Noise message is at most 65535 bytes")
        sealed = self._backend.seal(self._key, self._take_nonce(), ad, plaintext)
        self.nonce += 1
        return sealed

    def open(self, ad: bytes, sealed: bytes) -> bytes:
        """The plaintext; NoiseError for anything else, and the nonce then stays where it was."""
        if len(sealed) > NOISE_MESSAGE_BYTES_MAX:
            raise NoiseError("longer than a Noise message can be")
        nonce = self._take_nonce()
        try:
            plaintext = self._backend.open(self._key, nonce, ad, sealed)
        except crypto.CryptoError:
            raise NoiseError("the tag of a message does not match")
        self.nonce += 1
        return plaintext

    def close(self) -> None:
        """No message any more: the direction that a one-way pattern does not have."""
        self.nonce = _NONCE_MAX


class _Symmetric:
    """SymmetricState, section 5.2."""

    def __init__(self, name: str, chosen: "crypto.Backend") -> None:
        self.backend = chosen
        start = name.encode()
        self.hash = start + bytes(32 - len(start)) if len(start) <= 32 else chosen.sha256(start)
        self.chaining_key = self.hash
        self.cipher: "CipherState | None" = None

    def mix_hash(self, data: bytes) -> None:
        hasher = hashlib.sha256(self.hash)  # two steps: a small heap has no room for the sum of a long message
        hasher.update(data)
        self.hash = hasher.digest()

    def mix_key(self, material: bytes) -> None:
        self.chaining_key, key = hkdf(self.backend, self.chaining_key, material, 2)
        self.cipher = CipherState(key, self.backend)

    def mix_key_and_hash(self, material: bytes) -> None:
        self.chaining_key, mixed, key = hkdf(self.backend, self.chaining_key, material, 3)
        self.mix_hash(mixed)
        self.cipher = CipherState(key, self.backend)

    def seal(self, plaintext: bytes) -> bytes:
        sealed = self.cipher.seal(self.hash, plaintext) if self.cipher else plaintext
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        plaintext = self.cipher.open(self.hash, sealed) if self.cipher else sealed
        self.mix_hash(sealed)
        return plaintext


class Handshake:
    """One handshake, of either side (HandshakeState, section 5.3).

    `name` is the full protocol name, e.g. "Noise_XX_25519_ChaChaPoly_SHA256". `s` and `e` are private X25519
    keys, or pairs (private, public) to spare a multiplication; `e` is given in tests, or made while idle.
    `rs` is the peer's public static key where the pattern knows it before. `psk` is 32 bytes, or one such for
    each psk of the name. Without `e`, `random(n)` or the backend gives the ephemeral key.

    What we do wrong raises Misuse; what the peer does raises NoiseError, and the handshake is then dead.
    `.rs` is the peer's static key once it is known, `.hash` the handshake hash (channel binding).
    """

    def __init__(
        self,
        name: str,
        initiator: bool,
        prologue: bytes = b"",
        s: "Key | None" = None,
        e: "Key | None" = None,
        rs: "bytes | None" = None,
        psk: "bytes | list[bytes] | None" = None,
        backend: "crypto.Backend | None" = None,
        random: "Callable[[int], bytes] | None" = None,
    ) -> None:
        pre_initiator, pre_responder, self._messages = _parse_name(name)
        self._backend = backend or crypto.default()
        self._random = random or self._backend.random
        self.initiator = initiator
        self._s = self._pair(s)
        self._e = self._pair(e)
        self.rs = self._public(rs)
        self._re = b""
        self._psks = self._check_psks(psk)
        self._one_way = len(self._messages) == 1
        self._has_psk = bool(self._psks)
        self._turn = 0
        self._dead = False
        self._symmetric = _Symmetric(name, self._backend)
        self._symmetric.mix_hash(prologue)
        self._mix_pre_messages(pre_initiator, pre_responder)
        if self._s is None and any("s" in m for m in self._messages[0 if initiator else 1 :: 2]):
            raise Misuse("this pattern needs a static key of our own")

    def _pair(self, key: "Key | None") -> "tuple[bytes, bytes] | None":
        if key is None:
            return None
        if isinstance(key, tuple):
            private, public = key
        else:
            private = key
            public = self._backend.x25519(key, _BASE) if len(key) == 32 else b""
        if len(private) != 32 or len(public) != 32:
            raise Misuse("an X25519 key has 32 bytes")
        return bytes(private), bytes(public)

    @staticmethod
    def _public(key: "bytes | None") -> "bytes | None":
        if key is not None and len(key) != 32:
            raise Misuse("an X25519 key has 32 bytes")
        return None if key is None else bytes(key)

    def _check_psks(self, psk: "bytes | list[bytes] | None") -> "list[bytes]":
        given = [] if psk is None else list(psk) if isinstance(psk, (list, tuple)) else [psk]
        needed = sum([message.count("psk") for message in self._messages])
        if len(given) != needed or any(len(one) != 32 for one in given):
            raise Misuse(f"this pattern takes {needed} pre-shared keys of 32 bytes")
        return given

    def use_psk(self, psk: bytes) -> None:
        """Another 32 bytes in place of the next pre-shared key, while it is not mixed in yet.

        With psk2 a responder knows who asks before it needs the key, and both may agree on 32 zeros: "no key".
        """
        if not self._psks or len(psk) != 32:
            raise Misuse("no pre-shared key is to come, or it has not 32 bytes")
        self._psks[0] = bytes(psk)

    def _mix_pre_messages(self, pre_initiator: bool, pre_responder: bool) -> None:
        for known, mine in ((pre_initiator, self.initiator), (pre_responder, not self.initiator)):
            if not known:
                continue
            key = (self._s[1] if self._s else None) if mine else self.rs
            if key is None:
                raise Misuse("this pattern needs a static key known before")
            self._symmetric.mix_hash(key)

    @property
    def done(self) -> bool:
        """Whether every message of the pattern has passed."""
        return not self._dead and self._turn == len(self._messages)

    @property
    def hash(self) -> bytes:
        """The handshake hash h: 32 bytes; final, and the same on both sides, once `done`."""
        return self._symmetric.hash

    def _start(self, writing: bool) -> "list[str]":
        if self._dead or self._turn == len(self._messages):
            raise Misuse("this handshake is over")
        if writing != (self.initiator == (self._turn % 2 == 0)):
            raise Misuse("it is the other side's turn")
        return self._messages[self._turn]

    def write(self, payload: bytes = b"", only: "list[bytes] | None" = None) -> bytes:
        """Our next handshake message; more than 65535 bytes of it raise Misuse before anything is done.

        `only`: a list with the payload alone; it is emptied, so that a small heap has the room before it needs it.
        """
        tokens = self._start(True)
        if len(only[0] if only else payload) + 48 * tokens.count("s") + 48 > NOISE_MESSAGE_BYTES_MAX:
            raise Misuse("a Noise message is at most 65535 bytes")
        out: list[bytes] = []
        try:
            for token in tokens:
                if token == "e":
                    if self._e is None:
                        self._e = self._pair(self._random(32))
                    assert self._e is not None
                    out.append(bytes(self._e[1]))
                    self._mix_ephemeral(self._e[1])
                elif token == "s":
                    assert self._s is not None
                    out.append(bytes(self._symmetric.seal(self._s[1])))
                else:
                    self._mix_token(token)
            sealed = self._symmetric.seal(only.pop() if only else payload)
            out.append(sealed if isinstance(sealed, bytes) else bytes(sealed))
        except Refusal as error:
            self._dead = True
            raise NoiseError("the peer's keys are refused: " + str(error))
        self._turn += 1
        return b"".join(out)

    def read(self, message: bytes) -> bytes:
        """The payload of the peer's next message; NoiseError if it is not one, and it ends here."""
        tokens = self._start(False)
        try:
            if len(message) > NOISE_MESSAGE_BYTES_MAX:
                raise NoiseError("longer than a Noise message can be")
            message = bytes(message)
            for token in tokens:
                if token == "e":
                    self._re, message = _cut(message, 32)
                    self._mix_ephemeral(self._re)
                elif token == "s":
                    sealed, message = _cut(message, 48 if self._symmetric.cipher else 32)
                    self.rs = self._symmetric.open(sealed)
                else:
                    self._mix_token(token)
            payload = self._symmetric.open(message)
        except crypto.CryptoError as error:
            self._dead = True
            raise NoiseError("the peer's keys are refused: " + str(error))
        except NoiseError:
            self._dead = True
            raise
        self._turn += 1
        return payload

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        if self._has_psk:
            self._symmetric.mix_key(public)  # section 9.2: or a psk alone would key two messages alike

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            self._symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        # the first letter is the initiator's key, the second the responder's
        mine, theirs = (token[0], token[1]) if self.initiator else (token[1], token[0])
        pair = self._e if mine == "e" else self._s
        public = self._re if theirs == "e" else self.rs
        if pair is None or not public:
            raise Misuse("this pattern needs a key that was not given")
        self._symmetric.mix_key(self._backend.x25519(pair[0], public))

    def split(self) -> "tuple[CipherState, CipherState]":
        """(send, receive) of this side, once `done`. In a one-way pattern only the initiator may send."""
        if not self.done:
            raise Misuse("the handshake is not done")
        keys = hkdf(self._backend, self._symmetric.chaining_key, b"", 2)
        first = CipherState(keys[0], self._backend)
        second = CipherState(keys[1], self._backend)
        if self._one_way:
            second.close()
        return (first, second) if self.initiator else (second, first)

    def export(self, label: bytes) -> bytes:
        """32 more secret bytes that both sides have once `done`, for the use that `label` names.

        The third output of the HKDF (section 4.3) whose first two are the keys of split(): the same chaining key, so
        it is as secret as they are and tells nothing about them; then one HMAC over the label and the handshake hash.
        """
        if not self.done:
            raise Misuse("the handshake is not done")
        secret = hkdf(self._backend, self._symmetric.chaining_key, b"", 3)[2]
        return self._backend.hmac_sha256(secret, label + self.hash)


_BASE = b"\x09" + bytes(31)  # u = 9, RFC 7748 section 4.1
_SEAL = "Noise_X_" + _SUITE


def _cut(message: bytes, length: int) -> "tuple[bytes, bytes]":
    if len(message) < length:
        raise NoiseError("the message ends early")
    return message[:length], message[length:]


def public_of(private: bytes, backend: "crypto.Backend | None" = None) -> bytes:
    """The X25519 public key of a private one."""
    return (backend or crypto.default()).x25519(private, _BASE)


def seal_to(
    public: bytes,
    plaintext: "bytes | list[bytes]",
    s: "Key",
    random: "Callable[[int], bytes]",
    prologue: bytes = b"",
    backend: "crypto.Backend | None" = None,
) -> bytes:
    """One message that only the holder of `public` can open and that names `s` as its sender: 96 bytes more
    than the plaintext. As a list of one, the plaintext is let go of once it is sealed."""
    handshake = Handshake(_SEAL, True, prologue, s=s, rs=public, random=random, backend=backend)
    return handshake.write(only=[plaintext] if isinstance(plaintext, bytes) else plaintext)


def open_from(
    private: "Key", message: bytes, prologue: bytes = b"", backend: "crypto.Backend | None" = None
) -> "tuple[bytes, bytes]":
    """(plaintext, the sender's static public key) of a `seal_to` message; NoiseError for anything else."""
    handshake = Handshake(_SEAL, False, prologue, s=private, backend=backend)
    plaintext = handshake.read(message)
    assert handshake.rs is not None
    return plaintext, handshake.rs
