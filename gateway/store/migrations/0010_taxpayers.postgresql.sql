-- An administrator finds a taxpayer's filings by its code, whatever else the store holds. The summary is our own JSON,
-- without spaces: nothing within a string of it reads like this.

CREATE INDEX filing_taxpayer ON filing (("substring"(summary, '"taxpayer_code":"([^"]*)"'))) WHERE summary IS NOT NULL;
