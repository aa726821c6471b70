"""Staff page -> here -> statement: the coded grounds of a return or a rejection, with their plain words.

Codes are never deleted and never change their meaning: a statement from years ago still names one. A ground that is no
longer used gets `retired=True`. Criticism of the prison is not a ground (R3). Plain words are for a reader of nine
(R12), in English and Welsh.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.errors import Refusal

RETURN = "return"
REJECT = "reject"
RECALL = "recall"


class UnknownReason(Refusal):
    """A decision named a ground that does not exist, is retired, or is not for this kind of decision."""


class Reason(NamedTuple):
    """One ground. `use`: which decisions may name it. `staff`: the short name on the page."""

    code: int
    use: tuple[str, ...]
    staff: str
    en: str
    cy: str
    retired: bool = False


BOTH = (RETURN, REJECT, RECALL)

REASONS = (
    Reason(
        1, BOTH, "Points to a real person",
        "Your message has a name, an address or a number that could point to a real person. "
        "Take it out and send it again.",
        "Mae eich neges yn cynnwys enw, cyfeiriad neu rif a allai bwyntio at berson go iawn. "
        "Tynnwch ef allan ac anfonwch hi eto.",
    ),
    Reason(
        2, BOTH, "Threat, insult or bullying",
        "Part of your message could hurt or frighten someone. Change that part and send it again.",
        "Gallai rhan o'ch neges frifo neu ddychryn rhywun. Newidiwch y rhan honno ac anfonwch hi eto.",
    ),
    Reason(
        3, BOTH, "Sexual content",
        "Part of your message is sexual. It cannot go to other learners here. Take it out and send it again.",
        "Mae rhan o'ch neges yn rhywiol. Ni all fynd at ddysgwyr eraill yma. Tynnwch hi allan ac anfonwch eto.",
    ),
    Reason(
        4, BOTH, "Crime, drugs, weapons, escape",
        "Part of your message is about planning something against the law. We cannot pass it on.",
        "Mae rhan o'ch neges yn sôn am gynllunio rhywbeth yn erbyn y gyfraith. Ni allwn ei hanfon ymlaen.",
    ),
    Reason(
        5, BOTH, "Cannot be seen or understood",
        "We could not see, hear or understand your message well enough. Please record or write it again.",
        "Nid oeddem yn gallu gweld, clywed na deall eich neges yn ddigon da. Recordiwch neu ysgrifennwch hi eto.",
    ),
    Reason(
        6, BOTH, "Another person in the video",
        "Someone else can be seen or heard in your video. Record it again with only you in it.",
        "Gellir gweld neu glywed rhywun arall yn eich fideo. Recordiwch ef eto gyda chi yn unig ynddo.",
    ),
    Reason(
        7, BOTH, "Hidden message or code",
        "Part of your message looks hidden or coded. Say it in plain words and send it again.",
        "Mae rhan o'ch neges yn edrych yn gudd neu mewn cod. Dywedwch hi mewn geiriau plaen ac anfonwch eto.",
    ),
    Reason(
        8, BOTH, "Not available in this group",
        "This message is not available to send in this group. You can write to another group.",
        "Nid yw'r neges hon ar gael i'w hanfon yn y grŵp hwn. Gallwch ysgrifennu at grŵp arall.",
    ),
    Reason(
        9, BOTH, "Other: in your words below",
        "Please read what staff wrote below.",
        "Darllenwch yr hyn a ysgrifennodd staff isod.",
    ),
)

NONE = 0  # an approval has no ground
OTHER = 9  # needs words of one's own


def reason(code: int, use: str) -> Reason:
    """The ground with this code for this kind of decision; UnknownReason otherwise."""
    for entry in REASONS:
        if entry.code == code and use in entry.use and not entry.retired:
            return entry
    raise UnknownReason(f"there is no ground {code} for a decision to {use}")


def known(code: int) -> Reason | None:
    """The ground with this code for display, retired or not; None for 0 and for codes of a newer Perch."""
    for entry in REASONS:
        if entry.code == code:
            return entry
    return None


def choices(use: str) -> list[Reason]:
    """What the page offers."""
    return [entry for entry in REASONS if use in entry.use and not entry.retired]


APPEAL_EN = "You can ask another person to look at this. Ask before {until}, at the dock or on paper."
APPEAL_CY = "Gallwch ofyn i berson arall edrych ar hyn. Gofynnwch cyn {until}, wrth y doc neu ar bapur."


def words_for_learner(code: int, own: str, until: str, language: str = "en") -> str:
    """What the learner reads: the ground in plain words, what the person typed, how to appeal and by when."""
    entry = known(code)
    parts = []
    if entry is not None:
        parts.append(entry.cy if language == "cy" else entry.en)
    if own.strip():
        parts.append(own.strip())
    if until:
        parts.append((APPEAL_CY if language == "cy" else APPEAL_EN).format(until=until))
    return "\n".join(parts)
