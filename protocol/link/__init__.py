"""Link: the second layer over the wire; a reliable ordered byte stream from frames that may be lost."""

from protocol.link.link import Link

__all__ = ["Link"]
