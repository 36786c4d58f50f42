-- Papers that came beside a dossier, written with it; `place` is that in its signed list, from 1.

CREATE TABLE paper (
    number TEXT NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    encoding TEXT NOT NULL CHECK (encoding IN ('zstd', 'plain')),
    octets BLOB NOT NULL,
    PRIMARY KEY (number, place)
);

-- SHA-256 over the digests and names of all papers that came: with it the same bytes and other papers are told apart.
ALTER TABLE filing ADD COLUMN papers_digest BLOB;
