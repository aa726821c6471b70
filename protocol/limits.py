"""Every bound of the protocol in one place: the unit is last in the name, the reason beside it."""

from protocol.compat import const

# frame and link
FRAME_PAYLOAD_BYTES_MAX = const(8192)  # CRC-32 keeps its distance of 4 up to 11 KB; the link stays far below
LINK_DATA_BYTES_MAX = const(4096)  # longer frames lose more to one flipped bit than they save in headers
LINK_WINDOW_BYTES = const(262144)  # a hub's buffer each way: 0.9 s of 3 Mbaud; two losses in a row idle no line
LINK_DEVICE_WINDOW_BYTES = const(16384)  # a device's buffer for what comes: 50 ms of 3 Mbaud
LINK_DEVICE_SEND_BYTES = const(8192)  # ... and for what it sends: acks of a hub come within 20 ms
LINK_DEVICE_DATA_BYTES_MAX = const(1024)  # a device's frames: four times less heap at 0.9 % of the wire
LINK_WINDOW_BYTES_MAX = const(1 << 22)  # what a peer may promise to hold; offsets travel as 24 bits
LINK_BURST_BYTES = const(8192)  # to_send hands out at least a frame, then up to this: resends stay prompt
LINK_ACK_BYTES = const(16384)  # an ack this often in a stream: 0.1 % of the way back
LINK_RANGES_MAX = const(64)  # received pieces one ack can name, and a receiver keeps apart
LINK_FLIGHT_FRAMES_MAX = const(2048)  # frames in flight: tiny writes must not grow the list without end
LINK_CLAIM_BLOCK_BYTES = const(64)  # of a damaged frame, as much is right or wrong together: two flips spoil 128 bytes
LINK_CLAIMS_MAX = const(4)  # damaged frames asked about at once; more of them come again whole
LINK_CLAIM_FLIGHTS_MAX = const(128)  # a claim is about one of the oldest frames in flight: 100 ms of the shortest ones
LINK_QUIET_MS_MIN = const(100)  # a stream whose acks stop for so long pauses: what it sends now may go nowhere
LINK_QUIET_ASK_MS = const(25)  # ... and asks this often whether the wire is back: 11 bytes each
LINK_ACK_WAIT_MS_MAX = const(20)  # received bytes wait this long for company before they are acked
LINK_KEEP_MS = const(300)  # an idle line carries an ack this often
LINK_DEAD_MS = const(1500)  # five of them missing: the device was lifted
LINK_TAIL_MS_MIN = const(8)  # an unacked tail is repeated no sooner: a scheduler's tick
LINK_TAIL_MS_MAX = const(50)  # ... and probed at least this often: what a reseated device waits at worst
LINK_CREDIT_ASK_MS = const(100)  # out of credit, the peer is asked this often in case its news was lost
LINK_TAIL_START_MS = const(60)  # before the round trip is known
LINK_HELLO_MS_MIN = const(20)  # first repetition of a HELLO; doubles up to ...
LINK_HELLO_MS_MAX = const(250)  # ... this, the longest that two idle ends take to find each other
LINK_GREETING_BYTES_MAX = const(256)  # what a HELLO carries for the session: a handshake's first or second message
LINK_STALL_MS = const(30000)  # frames in flight and no ack that helps for this long: the peer does not follow
LINK_REFUSALS_MAX = const(64)  # valid frames of impossible content in one connection; noise makes none

# session
SESSION_PLAIN_BYTES_MAX = const(4096)  # plaintext of one record: 0.44 % of the wire goes to length and tag
SESSION_HANDSHAKE_BYTES_MAX = const(1024)  # the longest handshake message, payload included
SESSION_PENDING_BYTES_MAX = const(8192)  # plaintext that waits to be sealed; two records
SESSION_RECORD_MS_MAX = const(15000)  # a record that has begun and of which nothing more comes belongs to nobody
SESSION_RETRY_MS_MIN = const(250)  # after a refused or broken session the link rests this long, twice ...
SESSION_RETRY_MS_MAX = const(8000)  # ... up to this: a refused device asks eight times a minute

# blobs
CHUNK_BYTES = const(4096)  # a board seals and checks one in buffers that a fragmented heap can still give
LEAF_BYTES = const(2 * CHUNK_BYTES)  # what one digest covers: digests are then 0.4 % of a blob's way, not 0.8 %
BLOB_BYTES_MAX = const(4 * 1024 * 1024)  # four 30 s messages' worth; a device's card and a hub's jail stay bounded
WANT_CHUNKS_MAX = const(32)  # outstanding chunks of one transfer: what a device's card can lag behind

# MQTT
TOPIC_BYTES_MAX = const(128)  # the longest topic of the design is 70 bytes
PACKET_BYTES_MAX = const(32 * 1024)  # the largest record is a delivery list of LIST_ITEMS_MAX entries
FILTERS_MAX = const(16)  # topic filters in one SUBSCRIBE; a device needs one
CREDENTIAL_BYTES_MAX = const(256)  # client id, user name and password of a CONNECT, each
MQTT_PENDING_BYTES_MAX = const(12 * 1024)  # what a client holds unsent: one chunk and a few small packets

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
MANIFEST_BYTES_MAX = const(BLOB_BYTES_MAX // LEAF_BYTES * 32)  # the digests of the longest blob
WANT_WAIT_MS = const(10000)  # nothing of what was wanted came for so long: ask again; 115200 baud may stall for 4 s
ENROL_MESSAGE_BYTES_MAX = const(64 * 1024)  # a grant: one certificate and the rosters it stands on
GRANT_ROSTERS_MAX = const(8)  # rosters of one grant: from one that names its own signers to the newest

# cbor
CBOR_BYTES_MAX = const(1024 * 1024)  # far above any record; what is longer is a blob, not a record
CBOR_DEPTH_MAX = const(16)  # the deepest record nests 6; a board's stack holds this many calls easily

# noise
NOISE_MESSAGE_BYTES_MAX = const(65535)  # the Noise specification, section 3
