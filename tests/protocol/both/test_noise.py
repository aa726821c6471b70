"""Noise: the published handshakes, every pattern with itself, and what a peer may do wrong."""

from protocol import crypto, noise
from protocol.errors import Misuse
from protocol.noise import Handshake, NoiseError
from tests.kits.vectors import load, raises

unhex = bytes.fromhex
SUITE = "_25519_ChaChaPoly_SHA256"
KEYS = [bytes([i + 1]) * 32 for i in range(4)]
PSK = b"\x5a" * 32
TOO_LONG = bytes(65536)  # made while the heap is in one piece


def key(vector, name):
    return unhex(vector[name]) if name in vector else None


def pair(v, backend):
    psks = [unhex(psk) for psk in v["init_psks"]]
    name = v["protocol_name"]
    initiator = Handshake(
        name,
        True,
        key(v, "init_prologue"),
        s=key(v, "init_static"),
        e=key(v, "init_ephemeral"),
        rs=key(v, "init_remote_static"),
        psk=psks,
        backend=backend,
    )
    responder = Handshake(
        name,
        False,
        key(v, "resp_prologue"),
        s=key(v, "resp_static"),
        e=key(v, "resp_ephemeral"),
        rs=key(v, "resp_remote_static"),
        psk=psks,
        backend=backend,
    )
    return initiator, responder


def check_vector(v, backend):
    initiator, responder = pair(v, backend)
    messages = v["messages"]
    turn = 0
    writer, reader = initiator, responder
    while not initiator.done:
        payload = unhex(messages[turn]["payload"])
        message = writer.write(payload)
        assert message == unhex(messages[turn]["ciphertext"]), (v["protocol_name"], turn)
        assert reader.read(message) == payload
        writer, reader = reader, writer
        turn += 1
    assert responder.done
    assert initiator.hash == responder.hash
    if "handshake_hash" in v:
        assert initiator.hash == unhex(v["handshake_hash"])
    ours, theirs = initiator.split(), responder.split()
    one_way = turn == 1
    for i in range(turn, len(messages)):
        payload = unhex(messages[i]["payload"])
        from_initiator = one_way or i % 2 == 0
        send, receive = (ours[0], theirs[1]) if from_initiator else (theirs[0], ours[1])
        message = send.seal(b"", payload)
        assert message == unhex(messages[i]["ciphertext"]), (v["protocol_name"], i)
        assert receive.open(b"", message) == payload


def test_the_published_handshakes_come_out_byte_for_byte():
    for name in ("pure", crypto.default().name):
        backend = crypto.backend(name)
        count = 0
        for file_name in ("noise_snow.json", "noise_snow_psk.json", "noise_cacophony_psk.json"):
            for v in load(file_name)["vectors"]:
                check_vector(v, backend)
                count += 1
        assert count == 5


def handshakes(pattern, psk=None, prologue=b""):
    name = "Noise_" + pattern + SUITE
    base = pattern.split("psk")[0]
    pre_initiator, pre_responder, _ = noise.pattern(base)
    return (
        Handshake(
            name,
            True,
            prologue,
            s=KEYS[0] if base[0] in "KXI" else None,
            e=KEYS[2],
            rs=noise.public_of(KEYS[1]) if pre_responder else None,
            psk=psk,
        ),
        Handshake(
            name,
            False,
            prologue,
            s=KEYS[1] if base[-1] in "KX" or len(base) == 1 else None,
            e=KEYS[3],
            rs=noise.public_of(KEYS[0]) if pre_initiator else None,
            psk=psk,
        ),
    )


def run(initiator, responder):
    writer, reader = initiator, responder
    while not initiator.done:
        assert reader.read(writer.write(b"payload")) == b"payload"
        writer, reader = reader, writer
    assert responder.done and initiator.hash == responder.hash


def test_every_pattern_agrees_with_itself_and_learns_the_static_keys():
    names = [line.split(" ")[0] for line in noise.PATTERNS.strip().split("\n")]
    assert len(names) == 15
    for base in names:
        count = len(noise.pattern(base)[2])
        modifiers = ["", "psk0", "psk" + str(count), "psk0+psk1"]
        for modifier in modifiers:
            number = modifier.count("psk")
            psk = [PSK, KEYS[0]][:number]
            initiator, responder = handshakes(base + modifier, psk)
            run(initiator, responder)
            if base[0] in "KXI":
                assert responder.rs == noise.public_of(KEYS[0])
            if base[-1] in "KX":
                assert initiator.rs == noise.public_of(KEYS[1])
            send, _ = initiator.split()
            _, receive = responder.split()
            assert receive.open(b"ad", send.seal(b"ad", b"text")) == b"text"


def test_both_directions_carry_and_a_one_way_pattern_has_one():
    initiator, responder = handshakes("IK")
    run(initiator, responder)
    (a, b), (c, d) = initiator.split(), responder.split()
    assert d.open(b"", a.seal(b"", b"there")) == b"there"
    assert b.open(b"", c.seal(b"", b"back")) == b"back"
    initiator, responder = handshakes("X")
    run(initiator, responder)
    (a, b), (c, d) = initiator.split(), responder.split()
    assert d.open(b"", a.seal(b"", b"there")) == b"there"
    assert raises(NoiseError, c.seal, b"", b"back")
    assert raises(NoiseError, b.open, b"", bytes(16))


def test_names_of_other_suites_patterns_and_modifiers_are_misuse():
    for name in (
        "",
        "Noise",
        "Noise_XX_25519_AESGCM_SHA256",
        "Noise_XX_448_ChaChaPoly_SHA256",
        "noise_XX_25519_ChaChaPoly_SHA256",
        "Noise_XX_25519_ChaChaPoly_SHA256_",
        "Noise_ZZ" + SUITE,
        "Noise_" + SUITE,
        "Noise_e" + SUITE,
        "Noise_N -" + SUITE,
        "Noise_XXpsk4" + SUITE,
        "Noise_NNpsk3" + SUITE,
        "Noise_XXpsk" + SUITE,
        "Noise_XXpsk0+" + SUITE,
        "Noise_XXpsk0psk1" + SUITE,
        "Noise_XXfallback" + SUITE,
    ):
        assert raises(Misuse, Handshake, name, True, b"", KEYS[0]), name


def test_missing_or_misshapen_keys_are_misuse():
    xx, ik = "Noise_XX" + SUITE, "Noise_IK" + SUITE
    assert raises(Misuse, Handshake, xx, True)
    assert raises(Misuse, Handshake, xx, False)
    assert raises(Misuse, Handshake, ik, True, b"", KEYS[0])
    assert raises(Misuse, Handshake, ik, False)
    assert raises(Misuse, Handshake, xx, True, b"", KEYS[0][:31])
    assert raises(Misuse, Handshake, xx, True, b"", KEYS[0], KEYS[1] + b"\0")
    assert raises(Misuse, Handshake, ik, True, b"", KEYS[0], None, KEYS[1][:5])
    assert raises(Misuse, Handshake, xx, True, b"", KEYS[0], None, None, PSK)
    for psk in (None, [], PSK[:31], [PSK, PSK]):
        assert raises(Misuse, Handshake, "Noise_XXpsk3" + SUITE, True, b"", KEYS[0], None, None, psk)


def test_a_call_out_of_turn_is_misuse():
    initiator, responder = handshakes("XX")
    assert raises(Misuse, initiator.read, bytes(32))
    assert raises(Misuse, responder.write)
    assert raises(Misuse, initiator.split)
    message = initiator.write()
    assert raises(Misuse, initiator.write)
    responder.read(message)
    initiator.read(responder.write())
    responder.read(initiator.write())
    assert initiator.done and responder.done
    assert raises(Misuse, initiator.write)
    assert raises(Misuse, responder.read, b"")


def test_any_changed_byte_of_a_handshake_is_refused_and_ends_it():
    plain = len(handshakes("IK")[0].write(b"hello"))
    for i in range(0, plain, 7):
        initiator, responder = handshakes("IK")
        message = bytearray(initiator.write(b"hello"))
        message[i] ^= 1
        assert raises(NoiseError, responder.read, bytes(message)), i
        assert not responder.done
        assert raises(Misuse, responder.read, bytes(message))
        assert raises(Misuse, responder.write)


def test_a_handshake_message_cut_short_or_too_long_is_refused():
    for length in (0, 1, 31, 32, 79, 80, 95):
        initiator, responder = handshakes("IK")
        message = initiator.write()
        assert len(message) == 96
        assert raises(NoiseError, responder.read, message[:length]), length
    initiator, responder = handshakes("IK")
    assert raises(NoiseError, responder.read, TOO_LONG)
    initiator, responder = handshakes("IK")
    assert raises(Misuse, initiator.write, memoryview(TOO_LONG)[: 65535 - 95])
    assert not initiator.done
    assert responder.read(initiator.write(b"still")) == b"still"


def test_another_prologue_psk_or_static_key_is_refused():
    initiator, responder = handshakes("IK")[0], handshakes("IK", prologue=b"x")[1]
    assert raises(NoiseError, responder.read, initiator.write())
    initiator, responder = handshakes("IKpsk2", PSK)[0], handshakes("IKpsk2", KEYS[0])[1]
    responder.read(initiator.write())
    assert raises(NoiseError, initiator.read, responder.write())
    other = Handshake("Noise_IK" + SUITE, False, s=KEYS[3])
    assert raises(NoiseError, other.read, handshakes("IK")[0].write())


def test_a_key_that_makes_a_zero_secret_is_refused():
    initiator, responder = handshakes("NN")
    initiator.write()
    assert raises(NoiseError, initiator.read, bytes(32) + bytes(16))
    assert raises(Misuse, initiator.read, bytes(48))
    responder.read(bytes(32))
    assert raises(NoiseError, responder.write)


def transport():
    initiator, responder = handshakes("NN")
    run(initiator, responder)
    return initiator.split()[0], responder.split()[1]


def test_transport_messages_are_taken_once_and_in_order():
    send, receive = transport()
    first, second = send.seal(b"", b"1"), send.seal(b"", b"2")
    assert raises(NoiseError, receive.open, b"", second)
    assert receive.open(b"", first) == b"1"
    assert raises(NoiseError, receive.open, b"", first)
    assert raises(NoiseError, receive.open, b"ad", second)
    assert receive.open(b"", second) == b"2"
    assert raises(NoiseError, receive.open, b"", b"")


def test_transport_messages_end_at_their_bound():
    send, receive = transport()
    assert raises(Misuse, send.seal, b"", memoryview(TOO_LONG)[:65520])
    assert raises(NoiseError, receive.open, b"", TOO_LONG)
    assert receive.open(b"", send.seal(b"", b"x")) == b"x"


def test_nonces_are_never_used_twice():
    send, receive = transport()
    send.nonce = receive.nonce = 2**64 - 2
    assert receive.open(b"", send.seal(b"", b"last")) == b"last"
    assert raises(NoiseError, send.seal, b"", b"more")
    assert raises(NoiseError, receive.open, b"", bytes(16))


def test_fresh_ephemeral_keys_come_from_the_caller_or_the_backend():
    calls = []

    def random(count):
        calls.append(count)
        return KEYS[3]

    message = Handshake("Noise_NN" + SUITE, True, random=random).write()
    assert calls == [32]
    assert message[:32] == noise.public_of(KEYS[3])
    one = Handshake("Noise_NN" + SUITE, True).write()
    assert one != Handshake("Noise_NN" + SUITE, True).write()


def test_a_key_pair_made_before_gives_the_same_bytes():
    private = KEYS[2]
    made = (private, noise.public_of(private))
    name = "Noise_XX" + SUITE
    assert Handshake(name, True, s=KEYS[0], e=made).write() == Handshake(name, True, s=KEYS[0], e=private).write()


def test_a_sealed_message_opens_only_for_its_recipient_and_names_its_sender():
    sealed = noise.seal_to(noise.public_of(KEYS[1]), b"letter", KEYS[0], crypto.default().random, b"perch")
    assert len(sealed) == len(b"letter") + 96
    assert noise.open_from(KEYS[1], sealed, b"perch") == (b"letter", noise.public_of(KEYS[0]))
    assert raises(NoiseError, noise.open_from, KEYS[2], sealed, b"perch")
    assert raises(NoiseError, noise.open_from, KEYS[1], sealed, b"other")
    assert raises(NoiseError, noise.open_from, KEYS[1], sealed + b"\0", b"perch")
    assert raises(NoiseError, noise.open_from, KEYS[1], b"", b"perch")
    again = noise.seal_to(noise.public_of(KEYS[1]), b"letter", KEYS[0], crypto.default().random, b"perch")
    assert again != sealed


def test_what_is_exported_is_the_same_on_both_sides_and_nothing_else_of_the_handshake():
    initiator, responder = handshakes("IK")
    assert raises(Misuse, initiator.export, b"use")
    run(initiator, responder)
    made = initiator.export(b"use")
    assert made == responder.export(b"use") and len(made) == 32
    send, receive = initiator.split()
    assert len({made, initiator.export(b"other use"), initiator.hash, send._key, receive._key}) == 5
    other, its = handshakes("IK", prologue=b"another")
    run(other, its)
    assert other.export(b"use") != made


def test_a_pre_shared_key_is_exchanged_only_before_it_is_mixed_in():
    initiator, responder = handshakes("IKpsk2", PSK)
    assert raises(Misuse, responder.use_psk, bytes(31))
    responder.read(initiator.write())
    initiator.use_psk(KEYS[0])
    responder.use_psk(KEYS[0])
    initiator.read(responder.write())
    assert initiator.done and initiator.hash == responder.hash
    assert raises(Misuse, initiator.use_psk, PSK) and raises(Misuse, responder.use_psk, PSK)
    initiator, responder = handshakes("IKpsk2", PSK)
    responder.read(initiator.write())
    responder.use_psk(bytes(32))
    assert raises(NoiseError, initiator.read, responder.write())
