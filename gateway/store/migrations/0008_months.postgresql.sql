-- What grows lies in a table a month, by the filing's number, which begins with the gateway's code and the day of
-- receipt in Vietnam: `body` and so on are partitioned by ranges of it, in the order of its octets. So the number stays
-- the key over all months, and who knows it finds the month. store/months.py makes the months ahead; what none is for
-- lies in `…_rest`, what was there before in `…_before`.

ALTER TABLE filing ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE delivery ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE handover ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE repeat_key ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE verdict ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE body ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE paper ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE notice ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE evidence ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE event ALTER COLUMN number TYPE TEXT COLLATE "C";
ALTER TABLE attempt ALTER COLUMN number TYPE TEXT COLLATE "C";

-- Rows get their place in the order from sequences of our own: identities are the partitions', and theirs alone.
CREATE SEQUENCE notice_order;
CREATE SEQUENCE evidence_order;
CREATE SEQUENCE event_order;
CREATE SEQUENCE attempt_order;

DO '
DECLARE
    of_month TEXT; counted TEXT; key TEXT; last TEXT; bound TEXT; month TIMESTAMP; given RECORD;
BEGIN
    FOR of_month, counted, key IN VALUES
        (''body'', NULL, ''(number)''), (''paper'', NULL, ''(number, place)''), (''notice'', ''rowid'', ''(number, kind)''),
        (''evidence'', ''seq'', NULL), (''event'', ''seq'', NULL), (''attempt'', ''seq'', NULL)
    LOOP
        IF counted IS NOT NULL THEN
            EXECUTE format(''ALTER TABLE %I ALTER COLUMN %I DROP IDENTITY'', of_month, counted);
            EXECUTE format(''ALTER TABLE %I ALTER COLUMN %I SET DEFAULT nextval(%L)'', of_month, counted, of_month || ''_order'');
            EXECUTE format(''SELECT setval(%L, GREATEST(max(%I), 1), max(%I) IS NOT NULL) FROM %I'',
                of_month || ''_order'', counted, counted, of_month);
        END IF;
        IF key IS NULL THEN
            EXECUTE format(''ALTER TABLE %I DROP CONSTRAINT %I'', of_month, of_month || ''_pkey'');
        ELSE
            EXECUTE format(''ALTER INDEX %I RENAME TO %I'', of_month || ''_pkey'', of_month || ''_before_pkey'');
        END IF;
        EXECUTE format(''ALTER TABLE %I RENAME TO %I'', of_month, of_month || ''_before'');
        EXECUTE format(''CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)
            PARTITION BY RANGE (number)'', of_month, of_month || ''_before'');
        IF key IS NOT NULL THEN
            EXECUTE format(''ALTER TABLE %I ADD PRIMARY KEY %s'', of_month, key);
        END IF;
        IF counted IS NOT NULL THEN
            EXECUTE format(''ALTER SEQUENCE %I OWNED BY %I.%I'', of_month || ''_order'', of_month, counted);
        END IF;
        FOR given IN SELECT p.privilege_type, p.grantee::regrole AS whom FROM pg_class c, aclexplode(c.relacl) p
            WHERE c.oid = (of_month || ''_before'')::regclass AND p.grantee <> 0 AND p.grantee <> c.relowner
        LOOP
            EXECUTE format(''GRANT %s ON %I TO %s'', given.privilege_type, of_month, given.whom);
            IF counted IS NOT NULL AND given.privilege_type = ''INSERT'' THEN
                EXECUTE format(''GRANT USAGE ON SEQUENCE %I TO %s'', of_month || ''_order'', given.whom);
            END IF;
        END LOOP;
        EXECUTE format(''SELECT max(number) FROM %I'', of_month || ''_before'') INTO last;
        IF last IS NULL THEN
            EXECUTE format(''DROP TABLE %I'', of_month || ''_before'');
        ELSE
            bound := last || ''~'';
            IF last ~ ''^[A-Z][A-Z0-9]{1,5}-[0-9]{4}(0[1-9]|1[0-2])[0-9]{2}-'' THEN
                month := to_timestamp(substr(split_part(last, ''-'', 2), 1, 6), ''YYYYMM'');
                month := greatest(month, date_trunc(''month'', now() + interval ''7 hours'')) + interval ''1 month'';
                bound := split_part(last, ''-'', 1) || ''-'' || to_char(month, ''YYYYMM'');
            END IF;
            EXECUTE format(''ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)'',
                of_month, of_month || ''_before'', bound);
        END IF;
        EXECUTE format(''CREATE TABLE %I PARTITION OF %I DEFAULT'', of_month || ''_rest'', of_month);
    END LOOP;
END
';

-- As they were; what is made of a month has them, too. By `seq` alone only versions before this one look.
ALTER INDEX IF EXISTS body_blob RENAME TO body_before_blob;
ALTER INDEX IF EXISTS evidence_number RENAME TO evidence_before_number;
ALTER INDEX IF EXISTS event_number RENAME TO event_before_number;
ALTER INDEX IF EXISTS attempt_number RENAME TO attempt_before_number;
CREATE INDEX body_blob ON body (blob) WHERE blob IS NOT NULL;
CREATE INDEX evidence_number ON evidence (number, seq);
CREATE INDEX event_number ON event (number, seq);
CREATE INDEX event_seq ON event (seq);
CREATE INDEX attempt_number ON attempt (number, seq);
CREATE INDEX attempt_seq ON attempt (seq);
