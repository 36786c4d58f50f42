-- Retention: what has been removed of a filing, what an operator keeps all the same, and what stays of a whole one.

-- `removed`: '', 'body', 'papers' or 'body,papers'; `kept`: why nothing of it may be removed.
ALTER TABLE filing ADD COLUMN removed TEXT NOT NULL DEFAULT '';
ALTER TABLE filing ADD COLUMN kept TEXT;
CREATE INDEX filing_received ON filing (removed, received_at);

-- Keys that came later with known bytes (`bound`) are found by the filing's number when it goes.
ALTER TABLE repeat_key ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;
UPDATE repeat_key SET bound = 1 WHERE kind = 'key' AND NOT EXISTS (
    SELECT 1 FROM filing f WHERE f.number = repeat_key.number AND f.idempotency_key = repeat_key.value);
CREATE INDEX repeat_key_bound ON repeat_key (number) WHERE bound = 1;

-- By what a document or a notice can still be told from a forgery: SHA-256 of both, `notices` as JSON by kind (hex).
CREATE TABLE removed_filing (
    number TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    notices TEXT NOT NULL,
    removed_at TEXT NOT NULL,
    rule TEXT NOT NULL
) WITHOUT ROWID;
