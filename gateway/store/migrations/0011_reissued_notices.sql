-- Notices whose key was compromised after they were signed: as they were given, once others stand in their place.
CREATE TABLE superseded_notice (
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    issued_at TEXT NOT NULL,
    document BLOB NOT NULL,
    superseded_at TEXT NOT NULL,
    PRIMARY KEY (number, kind, superseded_at)
);
