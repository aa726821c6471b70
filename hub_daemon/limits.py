"""Every bound of the hub in one place: the unit is last in the name, the reason beside it."""

# store
STORE_BUSY_WAIT_MS_MAX = 10_000  # another process (perch staff) holds the writing lock for milliseconds
STORE_CHECK_BYTES_MAX = 32 * 1024 * 1024  # checked before the start in 0.1 s; a larger one while the hub runs
LOG_DETAIL_CHARS_MAX = 400  # a log row says what happened; content stays with the item
LOG_PAGE_ROWS_MAX = 500  # rows of the log read at once

# docking
RESUME_MS_MAX = 24 * 3600 * 1000  # a device comes back within a day; longer, and a stolen ticket is worth keeping

# media
MEDIA_INPUT_BYTES_MAX = 4 * 1024 * 1024  # protocol's BLOB_BYTES_MAX: nothing larger can arrive
MEDIA_DURATION_S_MAX = 60  # two megabytes of rendition: two minutes of docking for a full list
MEDIA_BYTES_30S_MAX = 1_000_000  # a 30 s message is at most 1 MB on the wire
MEDIA_PIXELS_MAX = 1920 * 1088  # a full-HD camera with macroblock padding; larger is a bomb, not a face
MEDIA_FRAMES_DECODED_MAX = 60 * 121  # 120 pictures a second for a minute; a stream of empty frames ends here
MEDIA_PACKETS_MAX = 30_000  # a minute has 7,200 pictures and 6,000 sounds at most; more is padding
MEDIA_STILL_BYTES_MAX = 100_000  # a 320x240 JPEG has 20 kB
MEDIA_SHEET_BYTES_MAX = 500_000  # a 640x900 JPEG has 120 kB
MEDIA_RESULT_BYTES_MAX = 3_000_000  # the largest rendition with its pictures; a child that says more is killed
MEDIA_MEMORY_BYTES_MAX = 1024 * 1024 * 1024  # address space, of which a full-HD decode touches some 150 MB
MEDIA_CPU_S_MAX = 60  # a minute of video takes 5 s on a laptop and five times that on a Pi
MEDIA_WALL_S_MAX = 120  # a busy Pi gives the worker half a core
MEDIA_ATTEMPTS_MAX = 3  # an item that killed the worker three times is refused, so that the next gets its turn
MEDIA_JAIL_RECHECK_S = 60  # a machine without a jail is asked again this often; the item waits

# canonical text
COMBINING_MARKS_MAX = 4  # on one letter; Vietnamese has 2, pointed Hebrew 3, more is drawing over other lines
BLANK_LINES_MAX = 2  # in a row; more pushes what follows off the reader's screen
MARKS_PER_ITEM_MAX = 64  # what staff can read; the last mark says how many more there were

# moderation
LEASE_MS_MAX = 10 * 60 * 1000  # an item dealt and then left goes back to the queue before the next coffee is over
APPROVAL_DAYS = 90  # after that an approval stops display; the retention schedule of R6 has the same figure
APPEAL_DAYS = 20  # to ask another person to look
OVERDUE_MS = 3 * 24 * 3600 * 1000  # "needs attention"; age then beats every priority, so nothing starves
UNDO_S = 5  # a decision can be taken back before it is signed, never after
THREAD_ABOVE_MAX = 5  # earlier messages shown above an item: enough to understand an answer
QUEUE_ROWS_MAX = 200  # rows of the queue on one page
READING_AGAIN_MS = 10 * 60 * 1000  # a player asks for one video in many pieces: one reading in the log
TOLD_CHARS_MAX = 400  # who was told about an alert
WHY_CHARS_MAX = 200  # why somebody reads content that was not dealt to them

# staff accounts
PASS_PHRASE_CHARS_MIN = 12  # with Argon2id at the costs below: out of reach of whoever copies the database
PASS_PHRASE_CHARS_MAX = 1024  # more is an attempt to keep us busy
KDF_OPS = 3  # Argon2id passes; about 0.2 s on a Pi 5
KDF_MEMORY_BYTES = 64 * 1024 * 1024  # Argon2id memory: two logins at once fit beside everything else on a Pi
KDF_MEMORY_BYTES_MAX = 512 * 1024 * 1024  # an edited database must not be able to exhaust the hub
SESSION_S_MAX = 8 * 3600  # one shift; then the pass phrase again
LOGIN_FAILURES_MAX = 5  # then the account waits
LOGIN_COOL_OFF_S = 15 * 60  # how long

# broker
UNIX_PATH_BYTES_MAX = 100  # sockaddr_un has 108 on Linux
BROKER_PACKET_BYTES_MAX = 64 * 1024  # twice the protocol's packet: room for topics and retained health
BROKER_READY_S_MAX = 10  # mosquitto opens its sockets in 50 ms; ten seconds is a Pi with a tired card
BROKER_STOP_S_MAX = 3  # it holds nothing that needs saving
BROKER_RESTART_S_MIN = 0.1  # a killed broker is back before a learner notices
BROKER_RESTART_S_MAX = 5.0  # one that dies at once is not tried in a circle
BROKER_LINE_CHARS_MAX = 300  # of what the broker says, in our log

# configuration
CONFIG_BYTES_MAX = 64 * 1024  # a hundred bays with long names are 10 KiB
BAYS_MAX = 64  # serial ports of one Pi, with hubs of USB; TCP dockings count apart

# exchange and delivery
LIST_CLAIM_MAX = 1 << 40  # of a list's version, said by a device; a list each millisecond for 34 years comes so far
LIST_FRESH_S = 600  # an older list is issued again at a docking: its time decides on expiry
GATE_CACHE_ENTRIES_MAX = 50_000  # verified bundles of a wing; each costs two signatures to verify again
ARRIVING_PER_DEVICE_MAX = 64  # as many as a device's outbox holds
VAIN_WANTS_MAX = 8  # requests for a blob that brought nothing right: a minute and a half; then the next has its turn
REFUSALS_LOGGED_MAX = 100  # rows of one docking; a hostile device cannot fill the disk with its refusals
REFUSALS_PER_DOCKING_MAX = 2000  # then the docking is closed: nothing honest errs so often

# bays
FILTER_PACKETS_PER_S = 1000  # at 3 Mbaud a device sends 37 chunks a second; small packets have room
FILTER_BURST_PACKETS = 2000  # the receipts of a full list at once, and as much again
KEEPALIVE_S = 60  # the longest that the broker waits for a sign of a device
DEVICE_SILENT_MS_MAX = 10_000  # a device that verifies says nothing for seconds, and is not gone
DOCK_BUFFER_BYTES_MAX = 256 * 1024  # from the broker to one device: a window of chunks and a list
DOCK_BROKER_WAIT_S = 10  # a broker that restarts is waited for; then the device tries again
BROKER_READ_BYTES_MAX = 16384  # at once from the broker, for one device
PORT_AGAIN_S_MIN = 0.5  # a serial port that is not there is looked for again ...
PORT_AGAIN_S_MAX = 5.0  # ... up to this seldom
PORT_READ_BYTES_MAX = 65536  # at once from a port: a few milliseconds of 3 Mbaud
PORT_HELD_BYTES_MAX = 1024 * 1024  # what a port may be ahead of its bay: three seconds of 3 Mbaud
WIRE_NOTE_FIRST_S = 1  # damage on a wire is gathered for so long before it is said ...
WIRE_NOTE_S = 60  # ... and then said no more often: a bad cable does not fill the log
BAY_SLEEP_MS_MAX = 1000  # a bay looks around at least this often, whatever its wire does
BAY_RESTART_S = 1.0  # a bay that failed starts again after this; the others never notice
TCP_DOCKINGS_MAX = 64  # Ethernet dockings at once
TCP_IDLE_S_MAX = 20  # a TCP connection without a session for so long is closed
ENROL_POLL_MS = 250  # how soon a bay sees what staff confirmed, from whatever process

# enrolment
WINDOW_MINUTES_MAX = 60  # an open window is a door
WINDOW_MINUTES = 10  # long enough to fetch the second administrator
DEVICE_DAYS = 365  # then a device is enrolled again

# blobs
SYNC_CHUNKS = 8  # one wait for the disk for so many chunks of an arriving blob: half of what is asked for at a time

# daemon
MQTT_RETRY_S_MAX = 2  # the exchange looks for its broker this often
HEALTH_S = 15  # how often the hub says how it is
NEWS_MS = 500  # how soon what another process committed is noticed
TICK_MS = 1000  # how often missing chunks are asked for again
MEDIA_IDLE_S = 0.5  # the media worker looks for the next item this often
MEDIA_STOP_S_MAX = 2.0  # a stop waits this long for an item that is nearly done
MEDIA_FAILED_S = 5.0  # ... and waits this long after it failed
REPORT_CHARS_MAX = 400  # one line of the hub's log
REPORT_FILE_BYTES_MAX = 1024 * 1024  # and its files: ten megabytes in all on a small card
REPORT_FILES = 9
STOP_S_MAX = 8  # systemd kills after 90; a hub that stops clean needs one
