-- Bodies over a limit lie in a folder, by the SHA-256 of the document; `octets` is empty then.

ALTER TABLE body ADD COLUMN blob TEXT;
CREATE INDEX body_blob ON body (blob) WHERE blob IS NOT NULL;
