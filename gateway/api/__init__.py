"""The machines' door: HTTP over mutual TLS."""
