-- An administrator finds a taxpayer's filings by its code, whatever else the store holds.

CREATE INDEX filing_taxpayer ON filing (json_extract(summary, '$.taxpayer_code')) WHERE summary IS NOT NULL;
