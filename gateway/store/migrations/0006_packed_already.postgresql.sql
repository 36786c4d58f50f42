-- What comes compressed is not compressed again.

ALTER TABLE body ALTER COLUMN octets SET STORAGE EXTERNAL;
ALTER TABLE evidence ALTER COLUMN report SET STORAGE EXTERNAL;
