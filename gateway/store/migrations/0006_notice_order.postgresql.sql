-- SQLite numbers all rows by itself; the notices of a filing are told apart by it.

ALTER TABLE notice ADD COLUMN rowid BIGINT GENERATED ALWAYS AS IDENTITY;
