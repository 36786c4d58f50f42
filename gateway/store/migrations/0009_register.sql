-- The register of certificates and keys; who has taken which generation of it; an administrator's suspension of a provider.

-- Times are ISO 8601 in UTC. `octets`: the certificate, or of purpose `crl` the list, in DER. `location`: where the key
-- lives (JSON), never the key. `rehearsal`, `proposal`: JSON.
CREATE TABLE certificate (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    party TEXT NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to TEXT NOT NULL,
    octets BLOB NOT NULL,
    location TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'retired', 'revoked')),
    version INTEGER NOT NULL,
    starts_at TEXT,
    ends_at TEXT,
    rehearsal TEXT,
    proposal TEXT,
    changed_by TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    why TEXT NOT NULL
);

-- One row for each process that serves: the epoch that it has taken over, and what of it it could not (JSON). `at`:
-- seconds by the database's clock.
CREATE TABLE taken_over (
    process TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    faults TEXT NOT NULL,
    at REAL NOT NULL
);

ALTER TABLE provider ADD COLUMN suspended TEXT;
