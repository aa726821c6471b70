"""In a docking: the hub asks for an own recording again and again. What it was given is not what it was told of."""

from firmware import limits, outbox
from firmware.storage import Storage
from protocol import blob


def is_whole(storage: Storage, root: bytes, size: int) -> bool:
    """Whether the recording is what was saved; then its manifest is made again. If not, it must be recorded anew."""
    name = outbox.name_of(root)
    builder = blob.Builder()
    piece = storage.blob_read("blob/" + name, 0, limits.PIECE_BYTES)
    while piece and builder.size < size:
        builder.feed(piece)
        piece = storage.blob_read("blob/" + name, builder.size, limits.PIECE_BYTES)
    if builder.size != size or builder.root() != root:
        return False
    storage.write("leaves/" + name, builder.leaves)
    return True
