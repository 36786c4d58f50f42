-- How often an agency has repeated or contradicted its verdict: the story tells ever fewer of them.

ALTER TABLE verdict ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE verdict ADD COLUMN contradictions INTEGER NOT NULL DEFAULT 0;
