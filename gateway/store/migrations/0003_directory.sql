-- Back-ends serve agencies of the directory; what a lead agency accepts is handed over to those that cooperate.

ALTER TABLE agency RENAME COLUMN forms TO serves;

-- The agency of the directory that leads, beside the back-end (`agency`) that serves it.
ALTER TABLE filing ADD COLUMN lead TEXT;
ALTER TABLE filing ADD COLUMN lead_name TEXT;

-- One row for each cooperating agency of an accepted filing, written with the verdict; `agency` and `office` are the
-- directory's. `detail` says why it is not joined or stuck, `answer` what the agency made of it, where it told.
CREATE TABLE handover (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    agency TEXT NOT NULL,
    office TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'delivered', 'not-joined', 'stuck')),
    detail TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    due_at REAL,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until REAL,
    UNIQUE (number, agency)
);
CREATE INDEX handover_due ON handover (due_at) WHERE due_at IS NOT NULL;
