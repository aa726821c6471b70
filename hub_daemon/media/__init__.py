"""Media on its way from envelope to queue: what a device sent is decoded in a jail and encoded again."""

from hub_daemon.media.refusals import JailUnavailable, MediaRefused, Rendition

__all__ = ["JailUnavailable", "MediaRefused", "Rendition"]
