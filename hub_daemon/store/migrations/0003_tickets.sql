-- What a device and this hub kept of their last docking, so that the device may come back with it (protocol.session).
-- A secret, but not one that opens anything alone: without the static keys of both ends it is worth nothing.
CREATE TABLE tickets (
    device BLOB PRIMARY KEY,
    ticket BLOB NOT NULL,
    seen_ms INTEGER NOT NULL         -- when it was made, or when the docking that made it ended
) WITHOUT ROWID;
