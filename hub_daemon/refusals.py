"""What the exchange refuses, by name. The names go to the device, into the log and into the documents."""

from protocol.errors import Refusal


class DeviceUnknown(Refusal):
    """The device is not in the register."""


class DeviceRevoked(Refusal):
    """The device is in the register as revoked, or its time there is over."""


class SessionRefused(Refusal):
    """Bytes that belong to no session of ours: noise, a forgery, a replay, or another program on the wire."""


class FrameDamaged(Refusal):
    """Frames that failed their checksum: dropped, and sent again by whoever sent them in earnest."""


class FrameRefused(Refusal):
    """Whole frames that no honest peer sends just then: an old one again, or one that means nothing."""


class NotDocked(Refusal):
    """A message of a device that has no docking: a leftover, or somebody else on the broker."""


class HelloForeign(Refusal):
    """The hello names another device than the one whose key opened the session."""


class ListAhead(Refusal):
    """The hello claims a list of a version that no hub ever comes to."""


class NotMade(Refusal):
    """A list or a request that was due to one device could not be made; the others have theirs."""


class EnvelopeForeign(Refusal):
    """The envelope was handed over by another device before."""


class CounterReused(Refusal):
    """This device used this counter for another envelope: one of the two is forged, or the device was copied."""


class GroupUnknown(Refusal):
    """The envelope is for a group that is not in the roster."""


class NotInGroup(Refusal):
    """The author is not a member of the group."""


class ThreadUnknown(Refusal):
    """The thread is not one that the author's group can see."""


class TooManyToday(Refusal):
    """The device handed over its day's number of envelopes; the rest waits in its outbox."""


class TooManyArriving(Refusal):
    """More envelopes wait for their blobs than a device's outbox can hold."""


class BlobNotListed(Refusal):
    """The device wants a blob that is not part of anything on its delivery list, or in another size."""


class ItemNotListed(Refusal):
    """The device wants or confirms an item that is not on its delivery list."""


class StatementForeign(Refusal):
    """A receipt names a statement that is not about its item, or not for this device's learner."""


class KindUnknown(Refusal):
    """There is no such kind of message from a device."""


class TooManyRefusals(Refusal):
    """The device made so many errors in one docking that it was closed."""
