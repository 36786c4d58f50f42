"""`efile`, the command line: a file per command."""
