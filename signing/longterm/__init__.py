"""XAdES in time (EN 319 132-1 clauses 5.2.5, 5.3-5.5, annex A): time stamps, values, references."""
