"""Every bound of the wing in a box, with its reason."""

# broker: what mosquitto has where the hub's configuration says nothing else
BROKER_INFLIGHT_MAX = 20  # QoS 1 messages that one client has not acknowledged; mosquitto's max_inflight_messages
BROKER_QUEUED_MAX = 1000  # ... and that wait behind them; then new ones are dropped: its max_queued_messages
BROKER_CONSUMER_BYTES_MAX = 4 * 1024 * 1024  # that one client has not taken: a thousand packets of a chunk each
BROKER_HELD_BYTES_MAX = 1024 * 1024  # of one client while the broker is held: eight windows of chunks
BROKER_FIRST_S_MAX = 90  # a connection without a CONNECT; mosquitto's keep-alive of a minute, and half of it
TOPICS_KNOWN_MAX = 4096  # topics whose subscribers are remembered: those of every device of two wings

# capture
CAPTURE_BYTES_MAX = 256 * 1024 * 1024  # one file; Wireshark opens it in some seconds
