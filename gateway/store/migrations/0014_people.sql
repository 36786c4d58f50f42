-- The people of the administrators' door: no longer the settings' alone.

-- `roles`, `proposal`: JSON. `account`: of the operating system, so that who approves is known to be another person.
-- `suspended`: why. `said`: what the settings file last said of the person (JSON); NULL: never anything.
CREATE TABLE person (
    name TEXT PRIMARY KEY,
    roles TEXT NOT NULL,
    account TEXT,
    suspended TEXT,
    said TEXT,
    version INTEGER NOT NULL,
    proposal TEXT,
    changed_by TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE UNIQUE INDEX person_account ON person (account) WHERE account IS NOT NULL;

-- By which SHA-256 fingerprints they are known. `switched_by`: who last switched it on or off.
CREATE TABLE person_certificate (
    fingerprint TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    active INTEGER NOT NULL,
    switched_by TEXT NOT NULL
);
CREATE INDEX person_certificate_person ON person_certificate (person);
