-- Warnings to people: one row for each matter at each of its levels, and each channel that is to tell it.

-- `matter`: JSON. `raised_at`, `sent_at`: ISO 8601 in UTC. `due_at`: seconds by the database's clock, from when it is to
-- be sent; while `owner` sends it, when its claim ends; NULL once it has been sent, or was given up. `fault`: of the last
-- attempt.
CREATE TABLE warning (
    id TEXT NOT NULL,
    channel TEXT NOT NULL,
    matter TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    due_at REAL,
    owner TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    sent_at TEXT,
    PRIMARY KEY (id, channel)
);
CREATE INDEX warning_due ON warning (channel, due_at) WHERE due_at IS NOT NULL;
