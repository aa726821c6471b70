-- The hub's tables. Times in *_ms are unix milliseconds of the hub's clock, in *_s unix seconds.
-- Bytes that came from a device or a person are stored as they were signed, never re-made.

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What staff signed about the wing. `signed` is the signed roster, `register` the body whose digest it names.
CREATE TABLE rosters (
    version INTEGER PRIMARY KEY,
    signed BLOB NOT NULL,
    register BLOB NOT NULL,
    committed_ms INTEGER NOT NULL
);

-- A staff account's signing key, sealed under the person's pass phrase. Roles and names live in the roster.
CREATE TABLE people (
    person TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,             -- words separated by one space
    public BLOB NOT NULL UNIQUE,     -- Ed25519
    sealed_seed BLOB NOT NULL,       -- SecretBox under Argon2id(pass phrase)
    kdf BLOB NOT NULL,               -- deterministic CBOR: salt and costs
    created_ms INTEGER NOT NULL
);

-- A change of the roster that waits for a second administrator.
CREATE TABLE roster_proposals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    base_version INTEGER NOT NULL,
    body BLOB NOT NULL,
    register BLOB NOT NULL,
    why TEXT NOT NULL,
    person TEXT NOT NULL,
    sign1 BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'refused', 'outdated'))
);

-- What the hub knows about one device beyond the register.
CREATE TABLE devices (
    device BLOB PRIMARY KEY,
    counter_max INTEGER NOT NULL DEFAULT -1,
    journal_next INTEGER NOT NULL DEFAULT 0,
    journal_head BLOB,
    list_version INTEGER NOT NULL DEFAULT 0,
    list_signed BLOB,
    list_issued_s INTEGER NOT NULL DEFAULT 0,
    list_content BLOB,
    docked_ms INTEGER
);

-- Envelopes in custody. `device, counter` is taken once: reuse with another digest is a refusal with a name.
CREATE TABLE envelopes (
    item BLOB PRIMARY KEY,
    device BLOB NOT NULL,
    counter INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    blob_root BLOB,
    blob_size INTEGER,
    media_type TEXT,
    received_ms INTEGER NOT NULL,
    UNIQUE (device, counter)
);

-- An envelope whose blob is still on its way: not yet in custody, no item yet.
CREATE TABLE arriving (
    item BLOB PRIMARY KEY,
    device BLOB NOT NULL,
    counter INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    blob_root BLOB NOT NULL,
    blob_size INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    UNIQUE (device, counter)
);

CREATE TABLE items (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('post', 'video')),
    author_learner TEXT NOT NULL,
    device BLOB NOT NULL,
    group_id TEXT,
    parent BLOB,
    received_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ingested', 'refused', 'pending', 'claimed', 'awaiting_second', 'escalated',
        'approved', 'delivered', 'returned', 'rejected', 'recalled')),
    version INTEGER NOT NULL DEFAULT 1,
    text TEXT NOT NULL,              -- as the learner wrote it; the rendition is the canonical text
    blob_root BLOB,
    refusal TEXT,                    -- name of the technical refusal
    changed_ms INTEGER NOT NULL,
    statement BLOB                   -- digest of the statement in force, NULL while there is none
);
CREATE INDEX items_by_state ON items (state, received_ms);
CREATE INDEX items_by_author ON items (author_learner, received_ms);
CREATE INDEX items_by_thread ON items (parent, received_ms);

CREATE TABLE renditions (
    item BLOB NOT NULL REFERENCES items (id),
    role TEXT NOT NULL CHECK (role IN ('text', 'video', 'still', 'contact')),
    digest BLOB NOT NULL,
    length INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    body BLOB,                       -- the text itself; NULL for what is a blob
    PRIMARY KEY (item, role)
) WITHOUT ROWID;

-- Machine marks of an item (watch words, hidden characters): they order and point, they decide nothing.
CREATE TABLE marks (
    item BLOB NOT NULL REFERENCES items (id),
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (item, name, detail)
) WITHOUT ROWID;

-- The bodies that staff sign, and who signed. All signers of one statement sign the same bytes.
CREATE TABLE statements (
    digest BLOB PRIMARY KEY,
    item BLOB NOT NULL REFERENCES items (id),
    item_version INTEGER NOT NULL,
    action INTEGER NOT NULL,
    body BLOB NOT NULL,
    decided_ms INTEGER NOT NULL
);
CREATE INDEX statements_by_item ON statements (item);

CREATE TABLE signatures (
    statement BLOB NOT NULL REFERENCES statements (digest),
    person TEXT NOT NULL,
    sign1 BLOB NOT NULL,
    signed_ms INTEGER NOT NULL,
    PRIMARY KEY (statement, person)
) WITHOUT ROWID;

-- Blobs that are complete on the disk (hub_daemon.blobs holds the bytes).
CREATE TABLE blobs (
    root BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    use TEXT NOT NULL CHECK (use IN ('envelope', 'rendition')),
    item BLOB,
    committed_ms INTEGER NOT NULL
);

-- The newest verified receipt of one device for one item.
CREATE TABLE receipts (
    device BLOB NOT NULL,
    item BLOB NOT NULL,
    statement BLOB NOT NULL,
    state INTEGER NOT NULL,          -- 1 committed, 2 removed
    list_version INTEGER NOT NULL,
    signed BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (device, item)
) WITHOUT ROWID;

-- The journals of devices, as they came; `hash` is of the entry's bytes, chained by the device.
CREATE TABLE journal (
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    entry BLOB NOT NULL,
    hash BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (device, seq)
) WITHOUT ROWID;

CREATE TABLE journal_heads (
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    sign1 BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (device, seq)
) WITHOUT ROWID;

-- One enrolment: from the opened window to the certificate.
CREATE TABLE enrolments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bay TEXT NOT NULL,
    learner TEXT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'digits', 'confirmed', 'granted', 'done', 'refused', 'expired')),
    digits TEXT,
    device BLOB,
    ed25519 BLOB,
    x25519 BLOB,
    model TEXT,
    base_version INTEGER,
    roster_body BLOB,
    register BLOB,
    person_a TEXT,
    sign1_a BLOB,
    person_b TEXT,
    certificate BLOB,
    changed_ms INTEGER NOT NULL
);
CREATE INDEX enrolments_by_bay ON enrolments (bay, state);

-- Everything that was done to any item, in order. Rows are never changed: the triggers below refuse it, and the
-- leaf hashes make an edit behind SQLite's back visible to whoever kept an earlier root.
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    item BLOB,
    detail TEXT NOT NULL,
    leaf BLOB NOT NULL
);
CREATE INDEX log_by_item ON log (item);
CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_is_not_cut BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
