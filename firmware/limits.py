"""Every bound of the device in one place: the unit is last in the name, the reason beside it."""

from protocol.compat import const

# what is kept
JOURNAL_SEGMENT_ENTRIES_MAX = const(64)  # one file of the journal; reading the newest at start stays under 20 KiB
JOURNAL_LOST_BYTES_MAX = const(512)  # looked through for the next whole entry behind a damaged one
JOURNAL_BATCH_ENTRIES = const(8)  # handed over at a time: a batch is one packet, and has to fit a torn heap
JOURNAL_SEGMENTS_KEPT = const(8)  # after the hub has them: so the learner can read about the last weeks
UNLOGGED_MAX = const(64)  # actions that wait for a full card to have room for them
DRAFT_BYTES_MAX = const(16 * 1024)  # four times the longest post: cutting it down is the writer's own business
DRAFTS_MAX = const(64)  # text drafts kept at once
OWN_ENTRIES_MAX = const(400)  # a year of writing; the index of it stays under 100 KiB of heap
RECEIPTS_MAX = const(400)  # one delivery list gone and one come between two dockings

# docking
TICK_MS_MAX = const(1000)  # the runner looks up at least this often, so that a missed deadline costs a second
READ_BYTES_MAX = const(1024)  # one read of the port: about 3 ms at 3 Mbaud
BUNDLES_WANTED_MAX = const(4)  # bundles asked for at once: four texts of TEXT_BYTES_MAX and their signatures

# the page's view
TITLE_CHARS_MAX = const(80)  # a thread's title stays in memory for every post that is kept

# wires
SERIAL_BAUD = const(3_000_000)  # the fastest that USB serial adapters and their cables keep at 1 m

# the conversation of a docking
KEEPALIVE_S = const(30)  # a broker that says nothing for so long is taken for gone
LIST_WAIT_MS = const(5000)  # for the hub's list; after it the device goes on with the one that it has
CUSTODY_WAIT_MS = const(15000)  # from the last byte that the hub asked for to its custody; it asks again after 10 s
CUSTODY_TRIES = const(2)  # of one envelope in one docking; it stays in the outbox for the next
BUNDLE_WAIT_MS = const(6000)  # for a bundle that was asked for; then it is asked for once more
FULL_REST_MS = const(30000)  # after a docking that a full card ended, before the next
REST_MS = const(3000)  # between two looks for new work once everything is settled
ANSWERS_MAX = const(33)  # what the hub asked for and has not got: a manifest and WANT_CHUNKS_MAX chunks
WANTS_AGAIN_MAX = const(6)  # of the hub for what it has been given; then the recording is looked at for damage
VAIN_WANTS_MAX = const(4)  # wants for chunks that nothing answered; then the blob waits for the next docking
EVENT_TURNS_MAX = const(64)  # events taken before the wire has its turn again
ROOM_BYTES = const(4096 + 6)  # a chunk and its header, kept for life: a torn heap may have no such block later
VIEW_BYTES_MIN = const(512)  # payloads from here on are gathered there; shorter ones are taken as they are
PIECE_BYTES = const(2048)  # of a blob, read and sealed at once: costs 0.9 % of the wire, spares large blocks
HEAD_BYTES_MAX = const(32)  # a chunk's packet before its bytes: topic, mark, index
LINK_WINDOW_BYTES = const(8192)  # what may come before it is taken: 27 ms of 3 Mbaud, more than one storage write
LINK_SEND_BYTES = const(6144)  # what is kept until it is acked: 20 ms of 3 Mbaud
LINK_FRAME_BYTES = const(1024)  # a frame and a burst: four times less heap than the longest, for 0.9 % of the wire
