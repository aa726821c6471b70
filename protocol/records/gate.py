"""The check that everything serves: nothing is shown that staff did not sign for exactly this learner.

bundle + roster + delivery list -> gate -> a statement whose item may be shown, or one named refusal.

A device runs it before an item is first displayed, the hub before it lists one. It trusts nothing in the
bundle: the list (the hub's signature) must name exactly this statement, and the statement must be signed by
enough different people who are moderators on the roster (staff's signatures). Time is the list's, which is
the hub's: a device's clock decides nothing.
"""

from protocol.compat import TYPE_CHECKING
from protocol.errors import Refusal
from protocol.records import signing
from protocol.records import text as texts
from protocol.records.bundle import Bundle
from protocol.records.roster import MODERATOR
from protocol.records.signing import (
    SignatureRefused,
    SignerExpired,
    SignerRole,
    TooFewSigners,
    TooManySignatures,
    UnknownSigner,
)
from protocol.records.statement import RECALL, TEXT, Statement, StatementRefused
from protocol.records.text import TextRefused

if TYPE_CHECKING:
    from protocol.records.delivery_list import DeliveryList
    from protocol.records.roster import Roster

__all__ = [
    "ActionRefused",
    "Expired",
    "NotInAudience",
    "NotOnList",
    "RenditionDiffers",
    "RosterOutdated",
    "SignatureRefused",
    "SignerExpired",
    "SignerRole",
    "StatementDigestDiffers",
    "StatementRefused",
    "TextRefused",
    "TooFewSigners",
    "TooManySignatures",
    "UnknownSigner",
    "WrongWing",
    "check",
    "check_text",
]


class NotOnList(Refusal):
    """The item is not on the delivery list: never allowed here, or recalled since."""


class StatementDigestDiffers(Refusal):
    """The list allows the item under another statement."""


class WrongWing(Refusal):
    """The statement, the list or the roster is another wing's."""


class RosterOutdated(Refusal):
    """The list or the statement stands on a newer roster than the one we hold."""


class Expired(Refusal):
    """The statement's time is over, by the hub's clock in the list."""


class NotInAudience(Refusal):
    """The learner of this device is not among those the statement names."""


class ActionRefused(Refusal):
    """The statement's action is nothing to show."""


class RenditionDiffers(Refusal):
    """The bytes are not those that were signed."""


def check(bundle: Bundle, roster: "Roster", delivery_list: "DeliveryList", learner: str, wing: str) -> Statement:
    """The statement under which `learner` of `wing` may see the bundle's item; else a named refusal.

    `roster` and `delivery_list` must have been accepted before (`roster.accept`, `delivery_list.accept`).
    What is cheap is checked first, the signatures last. The text that travels in the bundle is checked
    here; media are checked by the caller, as they arrive, against the roots in the statement's renditions.
    """
    statement = Statement.decode(bundle.statement)
    _check_listed(statement, bundle.statement, delivery_list)
    if not (statement.wing == delivery_list.wing == roster.wing == wing):
        raise WrongWing(f"{statement.wing}, list {delivery_list.wing}, roster {roster.wing}, not {wing}")
    newest = max(statement.roster_version, delivery_list.roster_version)
    if newest > roster.version:
        raise RosterOutdated(f"roster {newest} is needed, {roster.version} is held")
    if statement.expires_s <= delivery_list.issued_s:
        raise Expired(f"at {statement.expires_s}, and it is {delivery_list.issued_s}")
    # returns and rejections name the author alone (Statement.rules): this holds them to that device
    if learner not in statement.audience.learners:
        raise NotInAudience(f"{learner} is not in the audience")
    if statement.action == RECALL:
        raise ActionRefused("a recall is nothing to show")
    check_text(statement, bundle.text)
    signing.require_people(
        signing.DECISION,
        bundle.statement,
        bundle.signatures,
        roster,
        MODERATOR,
        statement.people_needed(),
        delivery_list.issued_s,
    )
    return statement


def _check_listed(statement: Statement, body: bytes, delivery_list: "DeliveryList") -> None:
    listed = delivery_list.statement_of(statement.item)
    if listed is None:
        raise NotOnList(f"item {statement.item.hex()} is not on list {delivery_list.version}")
    if listed != signing.digest(body):
        raise StatementDigestDiffers(f"item {statement.item.hex()} is listed under another statement")


def check_text(statement: Statement, text: "bytes | None") -> str:
    """The text that may be shown under `statement`: "" when it has none. `text` is UTF-8.

    Raises RenditionDiffers unless these are exactly the signed bytes, TextRefused when they hold what
    nobody could see (which staff should never have been able to sign).
    """
    rendition = statement.rendition(TEXT)
    if rendition is None:
        if text is not None:
            raise RenditionDiffers("a text where none was signed")
        return ""
    if text is None:
        raise RenditionDiffers("the signed text is missing")
    if len(text) != rendition.length or signing.digest(text) != rendition.digest:
        raise RenditionDiffers("the text is not the signed one")
    return texts.check_bytes(text)
