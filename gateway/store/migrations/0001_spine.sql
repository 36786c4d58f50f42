-- The first tables. Times of business are ISO 8601 text in UTC; times of the queue are seconds by the
-- database's own clock.

CREATE TABLE epoch (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT INTO epoch VALUES (1, 1);

CREATE TABLE provider (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    tax_code TEXT NOT NULL,
    active INTEGER NOT NULL,
    signs_filings INTEGER NOT NULL
);

CREATE TABLE agency (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    adapter TEXT NOT NULL,
    config TEXT NOT NULL,
    forms TEXT NOT NULL,
    poll_seconds REAL NOT NULL
);

CREATE TABLE client_certificate (
    fingerprint TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('provider', 'agency')),
    party TEXT NOT NULL,
    active INTEGER NOT NULL,
    subject TEXT NOT NULL,
    not_after TEXT NOT NULL
);

CREATE TABLE signing_key (
    fingerprint TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    certificate BLOB NOT NULL,
    location TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'retired', 'revoked'))
);

CREATE TABLE limits (name TEXT PRIMARY KEY, value REAL NOT NULL);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE filing (
    number TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    received_at TEXT NOT NULL,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    idempotency_key TEXT,
    summary TEXT,
    findings TEXT NOT NULL,
    agency TEXT,
    agency_reference TEXT
) WITHOUT ROWID;

CREATE TABLE body (
    number TEXT PRIMARY KEY,
    encoding TEXT NOT NULL CHECK (encoding IN ('zstd')),
    octets BLOB NOT NULL
);

-- What each judgement of a filing's signatures rested on (JSON, zstd): one at intake, one more after a recheck.
CREATE TABLE evidence (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    at TEXT NOT NULL,
    report BLOB NOT NULL
);
CREATE INDEX evidence_number ON evidence (number);

CREATE TABLE notice (
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    issued_at TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (number, kind)
);

-- What makes a message a repeat: the provider's idempotency key, or the bytes of an accepted filing.
CREATE TABLE repeat_key (
    provider TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('key', 'bytes')),
    value TEXT NOT NULL,
    number TEXT NOT NULL,
    PRIMARY KEY (provider, kind, value)
) WITHOUT ROWID;

-- One row for each filing that waits for a next step. `holds`: later filings of the same order key wait.
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE,
    order_key TEXT NOT NULL,
    holds INTEGER NOT NULL,
    due_at REAL,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until REAL
);
CREATE INDEX delivery_due ON delivery (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_order ON delivery (order_key, seq) WHERE holds = 1;

CREATE TABLE verdict (number TEXT PRIMARY KEY, verdict TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    at TEXT NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX event_number ON event (number, seq);
