-- Attempts as rows; limits, breaker and hold of an agency in its row; deadlines that warn; incidents.

-- One row for each attempt at an agency. Equal ones in a row by one node share it: `times`, from `first_at` to `last_at`.
-- `handover`: the cooperating agency, '' for the filing itself. `seconds`: of the last one; NULL: the node never wrote.
CREATE TABLE attempt (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    handover TEXT NOT NULL,
    step TEXT NOT NULL,
    agency TEXT NOT NULL,
    node TEXT NOT NULL,
    result TEXT NOT NULL,
    answer TEXT NOT NULL,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    seconds REAL,
    times INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX attempt_number ON attempt (number, seq);

-- What the settings file says of an agency …
ALTER TABLE agency ADD COLUMN max_in_flight INTEGER NOT NULL DEFAULT 16;
ALTER TABLE agency ADD COLUMN per_second REAL NOT NULL DEFAULT 0;
ALTER TABLE agency ADD COLUMN maintenance TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agency ADD COLUMN breaker_failures INTEGER NOT NULL DEFAULT 5;
ALTER TABLE agency ADD COLUMN breaker_seconds REAL NOT NULL DEFAULT 15;
-- … and what all processes know of it: failures in a row, until when the breaker lets nobody call and how long that was,
-- until when the agency asked for peace, the bucket of calls, and why an operator holds it. Times are seconds by the
-- database's clock.
ALTER TABLE agency ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agency ADD COLUMN closed_until REAL;
ALTER TABLE agency ADD COLUMN pause REAL NOT NULL DEFAULT 0;
ALTER TABLE agency ADD COLUMN asked_until REAL;
ALTER TABLE agency ADD COLUMN tokens REAL NOT NULL DEFAULT 0;
ALTER TABLE agency ADD COLUMN filled_at REAL NOT NULL DEFAULT 0;
ALTER TABLE agency ADD COLUMN held TEXT;

-- `agency`: the back-end that the next step speaks to, '' for none. `held`: why an operator holds the filing; it has
-- no due time then. `lost_owner`, `lost_at`: whose lease ran out before the present claim. `warn_at`: when the next
-- warning of a deadline is due, ISO 8601 in UTC, NULL where not reckoned yet; `warned`: the last level that was told.
ALTER TABLE delivery ADD COLUMN agency TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN held TEXT;
ALTER TABLE delivery ADD COLUMN claimed_at REAL;
ALTER TABLE delivery ADD COLUMN lost_owner TEXT;
ALTER TABLE delivery ADD COLUMN lost_at REAL;
ALTER TABLE delivery ADD COLUMN warn_at TEXT;
ALTER TABLE delivery ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
UPDATE delivery SET agency = COALESCE(
    (SELECT f.agency FROM filing f WHERE f.number = delivery.number AND f.status IN ('delivering', 'delivered')), '');
CREATE INDEX delivery_agency ON delivery (agency, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_leased ON delivery (agency) WHERE owner IS NOT NULL;
CREATE INDEX delivery_unreckoned ON delivery (seq) WHERE warn_at IS NULL;
CREATE INDEX delivery_warn ON delivery (warn_at) WHERE warn_at IS NOT NULL;
CREATE INDEX delivery_warned ON delivery (warned) WHERE warned > 0;
DROP INDEX delivery_due;

ALTER TABLE handover ADD COLUMN backend TEXT NOT NULL DEFAULT '';
ALTER TABLE handover ADD COLUMN claimed_at REAL;
ALTER TABLE handover ADD COLUMN lost_owner TEXT;
ALTER TABLE handover ADD COLUMN lost_at REAL;
CREATE INDEX handover_backend ON handover (backend, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX handover_leased ON handover (backend) WHERE owner IS NOT NULL;
DROP INDEX handover_due;

-- By which calendar and terms the warnings were reckoned: other ones have them reckoned anew.
CREATE TABLE reckoned (one INTEGER PRIMARY KEY CHECK (one = 1), basis TEXT NOT NULL);
INSERT INTO reckoned VALUES (1, '');

-- An agency (its back-end) that could not be reached, as an operator declares it; `until_at` NULL: it goes on.
CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    agency TEXT NOT NULL,
    from_at TEXT NOT NULL,
    until_at TEXT,
    why TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at TEXT NOT NULL
);
