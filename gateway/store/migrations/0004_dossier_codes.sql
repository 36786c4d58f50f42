-- Dossier codes: the last number of each day by agency code, raised in the transaction that records the dossier.

CREATE TABLE dossier_counter (
    agency TEXT NOT NULL,
    day TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (agency, day)
) WITHOUT ROWID;

ALTER TABLE filing ADD COLUMN dossier_code TEXT;
CREATE UNIQUE INDEX filing_dossier_code ON filing (dossier_code) WHERE dossier_code IS NOT NULL;
