-- The queue: who holds which item, who read it, what was decided, which alerts are open.

ALTER TABLE items ADD COLUMN lease_owner TEXT;                       -- person who was dealt the item
ALTER TABLE items ADD COLUMN lease_until_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;    -- larger is dealt earlier
ALTER TABLE items ADD COLUMN open_statement BLOB;                    -- signed once, waiting for another person

-- A staff account that may not log in any more. Never deleted: old decisions name it.
ALTER TABLE people ADD COLUMN disabled_ms INTEGER;

-- Every reading of content, written before the bytes are shown (R8).
CREATE TABLE readings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item BLOB NOT NULL REFERENCES items (id),
    item_version INTEGER NOT NULL,
    person TEXT NOT NULL,
    what TEXT NOT NULL,              -- 'item', 'video', 'still', 'contact'
    why TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX readings_by_item ON readings (item, person);

-- What staff decided, in the words of the page. The signed truth is in statements and signatures.
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item BLOB NOT NULL REFERENCES items (id),
    item_version INTEGER NOT NULL,   -- the version that was decided on
    person TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('approve', 'return', 'reject', 'recall')),
    reason INTEGER NOT NULL,
    words TEXT NOT NULL,
    statement BLOB NOT NULL REFERENCES statements (digest),
    at_ms INTEGER NOT NULL,
    dropped_ms INTEGER,              -- an approval that lapsed because audience or roster changed
    dropped_why TEXT
);
CREATE INDEX decisions_by_item ON decisions (item);
CREATE INDEX decisions_by_person ON decisions (person, at_ms);

-- Who passed an item back unread or undecided; they are dealt it last.
CREATE TABLE skips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item BLOB NOT NULL REFERENCES items (id),
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX skips_by_item ON skips (item, person);

-- Which learners have reached which by an approved item: the first time needs two people (R9).
CREATE TABLE contacts (
    author TEXT NOT NULL,
    reader TEXT NOT NULL,
    item BLOB NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (author, reader)
) WITHOUT ROWID;

-- A person may be in danger (R10). Only ever raised; closed with who was told and by a second person.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item BLOB REFERENCES items (id),
    learner TEXT NOT NULL,
    raised_by TEXT NOT NULL,
    raised_ms INTEGER NOT NULL,
    acknowledged_by TEXT,
    acknowledged_ms INTEGER,
    told TEXT,
    closed_by TEXT,
    closed_ms INTEGER,
    second_by TEXT,
    second_ms INTEGER
);
