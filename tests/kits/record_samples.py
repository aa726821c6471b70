"""One good record of every kind, for tests on both interpreters."""

from protocol import enrol
from protocol.blob import Want
from protocol.records import journal
from protocol.records.certificate import Certificate
from protocol.records.delivery_list import Own
from protocol.records.envelope import Blob, Content
from protocol.records.hello import Hello, Status, Time
from protocol.records.journal import JournalBatch, JournalEntry
from protocol.records.receipt import Custody, Receipt
from tests.kits import records as made

D = made.digest(b"some digest")


def content(**changes):
    values = {
        "kind": "video",
        "device": made.keys("slate-1").kid,
        "counter": 12,
        "learner": "kit",
        "group": "art",
        "parent": None,
        "text": "My drawing",
        "blob": Blob(root=D, size=900_000, media_type="video/webm", key=made.digest(b"key")),
    }
    values.update(changes)
    return Content(**values)


def post(**changes):
    return content(kind="post", blob=None, **changes)


def entries(count, seq=0, prev=journal.FIRST_PREV):
    chain = []
    for number in range(seq, seq + count):
        entry = JournalEntry(seq=number, prev=prev, clock_s=made.NOW + number, action="open", detail="thread art")
        prev = entry.hash()
        chain.append(entry)
    return chain


def batch(count=3, seq=0, prev=journal.FIRST_PREV, name="slate-1"):
    keys = made.keys(name)
    return JournalBatch.decode(journal.pack_batch(entries(count, seq, prev), keys.seed, keys.public))


def samples():
    """One good record of every kind."""
    slate = made.keys("slate-1")
    sign1 = slate.sign("receipt", b"x")
    return [
        made.roster(),
        made.register(),
        Certificate(
            wing=made.WING,
            device=slate.kid,
            ed25519=slate.public,
            x25519=slate.x_public,
            learner="kit",
            issued_s=made.NOW,
            roster_version=1,
        ),
        content(),
        post(parent=D),
        made.statement(renditions=made.video_renditions()),
        made.returned(),
        made.bundle(made.statement(), "mia", "noor"),
        made.bundle(made.returned(), "mia", text=None),
        made.delivery_list(made.statement(), own=[Own(item=D, state=2)]),
        entries(1)[0],
        batch(),
        Receipt(item=D, statement=D, list_version=5, state=1),
        Custody(item=D, journal=None, refusal=None),
        Custody(item=None, journal=7, refusal="JournalBroken"),
        Hello(device=slate.kid, list_version=0, roster_version=1, journal_next=0, outbox=2, software="perch 0.1"),
        Status(phase="settled", sent=3, waiting=1, new=2, time_s=made.NOW),
        Time(time_s=made.NOW),
        Want(root=D, size=900_000, first=0, count=16),
        enrol.Reveal(nonce=D),
        enrol.Request(ed25519=slate.public, x25519=slate.x_public, proof=sign1, model="slate"),
        enrol.Answer(certificate=None, rosters=[], refusal="window closed"),
        enrol.Answer(certificate=b"c", rosters=[b"r"], refusal=None),
        enrol.Ack(committed=True),
    ]
