"""Asking for time stamps (RFC 3161): over HTTP from an allow-listed authority, or from one of one's own."""

from signing.tsa.client import (
    HttpTimestampClient,
    TimestampClient,
    TimestampRefused,
    TimestampUnavailable,
    require_proof,
)
from signing.tsa.local import LocalTimestampAuthority

__all__ = [
    "HttpTimestampClient",
    "LocalTimestampAuthority",
    "TimestampClient",
    "TimestampRefused",
    "TimestampUnavailable",
    "require_proof",
]
