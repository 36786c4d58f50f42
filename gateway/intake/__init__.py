"""The first corridor, while the sender waits: one verb a file, each takes what the one before it gives."""
