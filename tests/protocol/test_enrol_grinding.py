"""Why the six digits are not simply taken from the handshake hash: the attack, in miniature.

Somebody in the middle of the wire runs one XX session with the device and one with the hub, and wants both
screens to show the same digits. Two digits stand for six here: a hundred tries for a million.
"""

import random as randoms
from collections.abc import Callable

from protocol import enrol
from protocol.noise import Handshake
from tests.kits import records as made

XX = "Noise_XX_25519_ChaChaPoly_SHA256"
DIGITS = 2


def plain_digits(handshake_hash: bytes) -> str:
    """What a simpler design would show."""
    return f"{int.from_bytes(handshake_hash, 'big') % 10**DIGITS:0{DIGITS}}"


def finish(
    initiator: Handshake, responder: Handshake, second: bytes = b"", third: bytes = b""
) -> "tuple[bytes, bytes]":
    """Run XX; -> the payloads that the initiator and the responder received."""
    responder.read(initiator.write())
    got_second = initiator.read(responder.write(second))
    got_third = responder.read(initiator.write(third))
    assert initiator.hash == responder.hash
    return got_second, got_third


def session_with_device(rng: randoms.Random) -> Handshake:
    """The attacker as the hub: the device is the initiator. -> the device's finished handshake."""
    device = Handshake(XX, True, s=made.keys("slate-1").x_private, e=rng.randbytes(32))
    finish(device, Handshake(XX, False, s=rng.randbytes(32), e=rng.randbytes(32)))
    return device


def grind(shown_by_device: str, rng: randoms.Random, most: int) -> "tuple[str, int]":
    """The attacker as the device. -> (digits that the real hub shows, how many static keys were tried)."""
    hub_e, attacker_e = rng.randbytes(32), rng.randbytes(32)
    for tries in range(1, most + 1):
        # up to the third message nothing depends on the static key, so the hub sees one session only
        hub = Handshake(XX, False, s=made.keys("hub").x_private, e=hub_e)
        attacker = Handshake(XX, True, s=rng.randbytes(32), e=attacker_e)
        finish(attacker, hub)
        assert hub.hash is not None
        if plain_digits(hub.hash) == shown_by_device:
            return plain_digits(hub.hash), tries
    return "", most


def test_digits_of_the_plain_handshake_hash_can_be_ground_by_trying_static_keys() -> None:
    rng = randoms.Random(7)
    device = session_with_device(rng)
    assert device.hash is not None
    shown = plain_digits(device.hash)
    reached, tries = grind(shown, rng, most=2000)
    assert reached == shown, "both screens agree, with somebody in between"
    assert tries > 1


def matches(rounds: int, attack: "Callable[[randoms.Random], bool]") -> int:
    rng = randoms.Random(11)
    return sum(attack(rng) for _ in range(rounds))


def digits(handshake_hash: bytes, nonce_h: bytes, nonce_d: bytes) -> str:
    return enrol.digits_of(handshake_hash, nonce_h, nonce_d, DIGITS)


def test_with_commitments_the_one_in_the_middle_has_one_guess_a_session() -> None:
    """He does his best: the device's session first, its digits known, then all he may choose towards the hub."""

    def attack(rng: randoms.Random) -> bool:
        # towards the device: he commits to a nonce before he learns the device's
        mine = rng.randbytes(32)
        device = session_with_device(rng)
        assert device.hash is not None
        shown = digits(device.hash, mine, rng.randbytes(32))
        # towards the hub: its commitment is known, its nonce is not, and the third message ends his choices.
        # He grinds against a nonce that he makes up, which is all he can do.
        hub_nonce, made_up = rng.randbytes(32), rng.randbytes(32)
        hub_hash, nonce = rng.randbytes(32), b""
        for _ in range(300):
            nonce = rng.randbytes(32)
            if digits(hub_hash, made_up, nonce) == shown:
                break
        return digits(hub_hash, hub_nonce, nonce) == shown

    rounds = 400
    # one guess in a hundred: 4 expected; grinding would give nearly all of them
    assert matches(rounds, attack) <= 16


def test_were_the_nonce_known_in_advance_grinding_would_work() -> None:
    """The test above can fail: without the commitment the same attacker wins nearly always."""

    def attack(rng: randoms.Random) -> bool:
        shown = digits(rng.randbytes(32), rng.randbytes(32), rng.randbytes(32))
        hub_nonce, hub_hash, nonce = rng.randbytes(32), rng.randbytes(32), b""
        for _ in range(300):
            nonce = rng.randbytes(32)
            if digits(hub_hash, hub_nonce, nonce) == shown:
                break
        return digits(hub_hash, hub_nonce, nonce) == shown

    assert matches(100, attack) >= 80


def test_the_real_sides_over_a_real_handshake_show_the_same_digits_and_a_middle_is_seen() -> None:
    rng = randoms.Random(3)
    slate, hub_keys = made.keys("slate-1"), made.keys("hub")

    def device_side() -> enrol.EnrolDevice:
        return enrol.EnrolDevice(rng.randbytes, slate.seed, slate.public, slate.x_public, "slate")

    def run(a: Handshake, b: Handshake, device: enrol.EnrolDevice, hub: enrol.EnrolHub) -> None:
        commitment, nonce = finish(a, b, hub.commitment, device.nonce)
        assert a.hash is not None and b.hash is not None and a.rs is not None and b.rs is not None
        device.start(a.hash, commitment, a.rs)
        hub.start(b.hash, nonce, b.rs)
        device.receive(hub.to_send())

    def initiator(static: bytes) -> Handshake:
        return Handshake(XX, True, s=static, e=rng.randbytes(32))

    def responder(static: bytes) -> Handshake:
        return Handshake(XX, False, s=static, e=rng.randbytes(32))

    device, hub = device_side(), enrol.EnrolHub(rng.randbytes)
    run(initiator(slate.x_private), responder(hub_keys.x_private), device, hub)
    assert device.digits == hub.digits
    hub.receive(device.to_send())
    assert hub.request is not None

    # somebody in the middle plays the hub to the device and a device to the hub
    device, hub = device_side(), enrol.EnrolHub(rng.randbytes)
    middle = rng.randbytes(32)
    run(initiator(slate.x_private), responder(middle), device, enrol.EnrolHub(rng.randbytes))
    run(initiator(middle), responder(hub_keys.x_private), device_side(), hub)
    assert device.digits != hub.digits
