"""What the clock does: carry filings on, refresh revocation."""
