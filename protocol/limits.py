"""Every bound of the protocol in one place: the unit is last in the name, the reason beside it."""

from protocol.compat import const

# frame and link
FRAME_PAYLOAD_BYTES_MAX = const(4096)  # longer frames lose more to one flipped bit than they save in headers

# blobs
CHUNK_BYTES = const(8192)  # two of them fit a device's buffers; the header is then 0.6 % of the wire
BLOB_BYTES_MAX = const(4 * 1024 * 1024)  # four 30 s messages' worth; a device's card and a hub's jail stay bounded
WANT_CHUNKS_MAX = const(16)  # outstanding chunks of one transfer: what a device's card can lag behind

# MQTT
TOPIC_BYTES_MAX = const(128)  # the longest topic of the design is 70 bytes
PACKET_BYTES_MAX = const(32 * 1024)  # the largest record is a delivery list of LIST_ITEMS_MAX entries

# records
TEXT_BYTES_MAX = const(4000)  # a long letter; a post and its decision fit one packet with room to spare
WORDS_BYTES_MAX = const(600)  # the reason a member of staff types to a learner
NAME_BYTES_MAX = const(96)  # a display name in any script
ID_CHARS_MAX = const(32)  # learner, person, group and wing identifiers
LIST_ITEMS_MAX = const(200)  # entries of one delivery list: 16 KiB of CBOR
AUDIENCE_LEARNERS_MAX = const(200)  # one wing
SIGNATURES_MAX = const(8)  # signatures of one signed record; more is an attempt to make us verify for ever
JOURNAL_BATCH_ENTRIES_MAX = const(32)  # journal entries in one packet
OUTBOX_ENVELOPES_MAX = const(64)  # what waits on one device
