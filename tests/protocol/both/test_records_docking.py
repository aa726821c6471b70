"""Certificate, envelope, delivery list, journal, receipt: what passes between one device and its hub."""

from protocol.errors import Refusal
from protocol.records import certificate, delivery_list, envelope, journal, receipt, signing
from protocol.records.certificate import Certificate
from protocol.records.delivery_list import Own
from protocol.records.journal import JournalBatch
from protocol.records.receipt import Custody, Receipt
from tests.kits import records as made
from tests.kits.record_samples import batch, content, entries, post

D = made.digest(b"some digest")


def raised(error, function, *arguments):
    """The refusal of exactly this class that the call raises."""
    try:
        function(*arguments)
    except Refusal as refusal:
        assert type(refusal) is error, f"{type(refusal).__name__}: {refusal}"
        return refusal
    raise AssertionError("taken, where it must be " + error.__name__)


def test_a_certificate_is_the_hubs_word_and_nobody_elses():
    slate = made.keys("slate-1")
    of = Certificate(
        wing=made.WING,
        device=slate.kid,
        ed25519=slate.public,
        x25519=slate.x_public,
        learner="kit",
        issued_s=made.NOW,
        roster_version=1,
    )
    hub = made.keys("hub")
    assert certificate.accept(of.sign(hub.seed, hub.public), hub.public) == of
    mia = made.keys("mia")
    raised(signing.SignatureRefused, certificate.accept, of.sign(mia.seed, mia.public), hub.public)


def sealed(of, name="slate-1", start=0):
    keys = made.keys(name)
    hub = made.keys("hub").x_public
    return envelope.make(of, keys.seed, keys.public, keys.x_private, hub, made.counting_random(start))


def test_the_hub_opens_an_envelope_and_holds_it_to_its_device():
    of = content()
    opened = envelope.open_sealed(sealed(of), made.keys("hub").x_private)
    assert opened[0] == of and opened[3] == made.keys("slate-1").x_public
    envelope.verify(*opened, made.device("slate-1", "kit"))


def test_a_changed_or_misaddressed_envelope_is_refused():
    data = sealed(post())
    private = made.keys("hub").x_private
    for index in (0, 40, 90, len(data) - 1):
        damaged = bytearray(data)
        damaged[index] ^= 1
        raised(envelope.EnvelopeRefused, envelope.open_sealed, bytes(damaged), private)
    raised(envelope.EnvelopeRefused, envelope.open_sealed, data, made.keys("slate-2").x_private)
    raised(envelope.EnvelopeRefused, envelope.open_sealed, b"", private)


def test_an_envelope_that_claims_another_device_or_learner_is_refused():
    private = made.keys("hub").x_private
    mine = made.device("slate-1", "kit")
    opened = envelope.open_sealed(sealed(post(device=made.keys("slate-2").kid)), private)
    assert raised(envelope.EnvelopeRefused, envelope.verify, *opened, mine).field == "device"
    opened = envelope.open_sealed(sealed(post(learner="lee")), private)
    assert raised(envelope.EnvelopeRefused, envelope.verify, *opened, mine).field == "learner"
    # slate-2 seals what names slate-1
    opened = envelope.open_sealed(sealed(post(), name="slate-2"), private)
    assert raised(envelope.EnvelopeRefused, envelope.verify, *opened, mine).field == "sealed"
    thief = made.device("slate-1", "kit", x25519=made.keys("slate-2").x_public)
    raised(signing.SignatureRefused, envelope.verify, *opened, thief)


def test_the_same_content_sealed_twice_is_two_items():
    assert envelope.item_id(sealed(post())) != envelope.item_id(sealed(post(), start=100))


def accept(current, of, device="slate-2", wing=made.WING, signer="hub"):
    keys = made.keys(signer)
    signed = of.sign(keys.seed, keys.public)
    return delivery_list.accept(current, signed, made.keys("hub").public, made.keys(device).kid, wing)


def test_a_newer_delivery_list_takes_the_place_of_an_older_one():
    five, six = made.delivery_list(made.statement()), made.delivery_list(version=6)
    assert accept(None, five) == five
    assert accept(five, six) == six
    assert accept(six, six) == six


def test_an_older_delivery_list_is_refused():
    raised(delivery_list.ListOlder, accept, made.delivery_list(version=6), made.delivery_list(made.statement()))


def test_two_delivery_lists_of_one_version_are_refused():
    raised(delivery_list.ListForked, accept, made.delivery_list(), made.delivery_list(made.statement()))


def test_another_devices_wings_or_signers_delivery_list_is_refused():
    of = made.delivery_list()
    assert raised(delivery_list.ListRefused, accept, None, of, "slate-1").field == "device"
    assert raised(delivery_list.ListRefused, accept, None, of, "slate-2", "wing-c").field == "wing"
    raised(signing.SignatureRefused, accept, None, of, "slate-2", made.WING, "mia")


def test_a_delivery_list_answers_for_its_items():
    of = made.delivery_list(made.statement(), own=[Own(item=D, state=5)])
    assert of.statement_of(made.ITEM) == made.statement().digest()
    assert of.statement_of(D) is None and of.state_of(D) == 5 and of.state_of(made.ITEM) is None


def test_batches_of_a_journal_follow_from_each_other():
    key = made.keys("slate-1").public
    head = journal.check(batch(3), 0, journal.FIRST_PREV, key)
    head = journal.check(batch(2, 3, head), 3, head, key)
    assert head == entries(2, 3, journal.check(batch(3), 0, journal.FIRST_PREV, key))[-1].hash()


def test_a_journal_with_a_missing_changed_or_swapped_entry_is_refused():
    key = made.keys("slate-1").public
    good = batch(4)
    raised(journal.JournalBroken, journal.check, good, 1, journal.FIRST_PREV, key)
    raised(journal.JournalBroken, journal.check, good, 0, D, key)
    gone = JournalBatch(entries=good.entries[:1] + good.entries[2:], signature=good.signature)
    raised(journal.JournalBroken, journal.check, gone, 0, journal.FIRST_PREV, key)
    swapped = [good.entries[1], good.entries[0]] + good.entries[2:]
    swapped = JournalBatch(entries=swapped, signature=good.signature)
    raised(journal.JournalBroken, journal.check, swapped, 0, journal.FIRST_PREV, key)
    # the last entry has none after it that would notice: the signature does
    cut = JournalBatch(entries=good.entries[:3], signature=good.signature)
    raised(signing.SignatureRefused, journal.check, cut, 0, journal.FIRST_PREV, key)
    raised(signing.SignatureRefused, journal.check, good, 0, journal.FIRST_PREV, made.keys("slate-2").public)


def test_a_receipt_is_the_devices_word():
    of = Receipt(item=D, statement=D, list_version=5, state=1)
    slate = made.keys("slate-1")
    assert receipt.accept(of.sign(slate.seed, slate.public), slate.public) == of
    raised(
        signing.SignatureRefused,
        receipt.accept,
        of.sign(slate.seed, slate.public),
        made.keys("slate-2").public,
    )


def test_a_custody_ack_is_for_one_thing():
    for item, seq in ((None, None), (D, 3)):
        raised(receipt.ReceiptRefused, Custody(item=item, journal=seq, refusal=None).encode)
