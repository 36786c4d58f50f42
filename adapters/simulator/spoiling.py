"""What a spoilt answer is made of, whatever it travels over."""

GARBAGE = b"<html><body>Bad gateway of somebody on the way</body></html>"
HUGE = 17 << 20
"""Octets of padding: no adapter may be told to take more than 16 MiB."""
