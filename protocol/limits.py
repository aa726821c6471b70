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

# shapes of the records
RECORD_BYTES_MAX = const(28 * 1024)  # one record and its signatures fit one MQTT packet
REGISTER_BYTES_MAX = const(256 * 1024)  # the hub's own list of devices; never travels to a device
TIME_S_MAX = const(1 << 40)  # unix seconds; later is nonsense, and every database holds it
COUNT_MAX = const(1 << 48)  # versions and counters: one a microsecond for nine years
MEDIA_TYPE_BYTES_MAX = const(64)  # "video/webm;codecs=vp8,opus" and some room
SIGN1_BYTES_MAX = const(160)  # an Ed25519 COSE_Sign1 over a digest is about 115 bytes
STAFF_MAX = const(48)  # keys of one wing's staff
LEARNERS_MAX = const(200)  # one wing
GROUPS_MAX = const(32)  # courses and groups of one wing
DEVICES_MAX = const(400)  # every learner's device and as many spare, lost and revoked
RENDITIONS_MAX = const(3)  # text, video, still
SIGNERS_MAX = const(4)  # people one decision can need
OWN_ITEMS_MAX = const(200)  # a device's own envelopes whose state the hub still reports
SEALED_BYTES_MAX = const(6 * 1024)  # an envelope: TEXT_BYTES_MAX, its fields, one signature, the Noise message
JOURNAL_DETAIL_BYTES_MAX = const(200)  # what one journal entry says beside its action
CODE_CHARS_MAX = const(64)  # names of refusals, actions and phases on the wire
SOFTWARE_CHARS_MAX = const(64)  # a device's software name and version
MANIFEST_BYTES_MAX = const(BLOB_BYTES_MAX // CHUNK_BYTES * 32)  # one leaf a chunk
WANT_WAIT_MS = const(4000)  # nothing of what was wanted came for so long: ask again
ENROL_MESSAGE_BYTES_MAX = const(64 * 1024)  # a grant: one certificate and the rosters it stands on
GRANT_ROSTERS_MAX = const(8)  # rosters of one grant: from one that names its own signers to the newest

# cbor
CBOR_BYTES_MAX = const(1024 * 1024)  # far above any record; what is longer is a blob, not a record
CBOR_DEPTH_MAX = const(16)  # the deepest record nests 6; a board's stack holds this many calls easily

# noise
NOISE_MESSAGE_BYTES_MAX = const(65535)  # the Noise specification, section 3
