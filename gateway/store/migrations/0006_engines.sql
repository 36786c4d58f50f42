-- Two engines, several nodes: whether versions that do not know a migration may run after it.

ALTER TABLE migration ADD COLUMN breaking INTEGER NOT NULL DEFAULT 0;
