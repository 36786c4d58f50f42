"""What of a repeated event is written into a filing's story."""

from __future__ import annotations


def told(event: str, failures: int) -> str | None:
    """The event after `failures` equal ones in a row: the first ones and then ever fewer are written down, so
    that an outage of days, or an agency that never stops calling, does not fill the store."""
    return event if failures & (failures - 1) == 0 else None
