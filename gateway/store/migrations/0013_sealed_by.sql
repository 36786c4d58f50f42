-- The key that a body or paper is sealed with: its name, '' for none; NULL where a version before this one stored it and
-- nobody has looked yet. Indexed, since a key is given up once nothing is under it.

ALTER TABLE body ADD COLUMN sealed_by TEXT;
ALTER TABLE paper ADD COLUMN sealed_by TEXT;
CREATE INDEX body_sealed_by ON body (sealed_by, number);
CREATE INDEX paper_sealed_by ON paper (sealed_by, number, place);
