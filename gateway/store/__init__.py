"""Durable storage: each operation once (`operations.py`), one small driver an engine (`sqlite.py`)."""
