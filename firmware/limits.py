"""Every bound of the device in one place: the unit is last in the name, the reason beside it."""

from protocol.compat import const

# what is kept
JOURNAL_SEGMENT_ENTRIES_MAX = const(64)  # one file of the journal; reading the newest at start stays under 20 KiB
JOURNAL_SEGMENTS_KEPT = const(8)  # after the hub has them: so the learner can read about the last weeks
DRAFT_BYTES_MAX = const(16 * 1024)  # four times the longest post: cutting it down is the writer's own business
DRAFTS_MAX = const(64)  # text drafts kept at once
OWN_ENTRIES_MAX = const(400)  # a year of writing; the index of it stays under 100 KiB of heap
RECEIPTS_MAX = const(400)  # one delivery list gone and one come between two dockings

# docking
TICK_MS_MAX = const(1000)  # the runner looks up at least this often, so that a missed deadline costs a second
LIFT_QUIET_MS = const(3000)  # settled and silent so long: the device says that it can be lifted
BUSY_PAUSE_MS = const(20)  # between looks at a port that takes nothing
READ_BYTES_MAX = const(1024)  # one read of the port: about 3 ms at 3 Mbaud
WRITE_AHEAD_BYTES = const(12 * 1024)  # one chunk and its packet in the session's buffer; more only costs heap
BUNDLES_WANTED_MAX = const(4)  # bundles asked for at once: four texts of TEXT_BYTES_MAX and their signatures
WANT_RETRY_MS = const(15000)  # nothing came for so long: ask again

# the page's view
TITLE_CHARS_MAX = const(80)  # a thread's title stays in memory for every post that is kept

# wires
SERIAL_BAUD = const(3_000_000)  # the fastest that USB serial adapters and their cables keep at 1 m
