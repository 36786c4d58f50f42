"""Speaks with agencies: one contract (`base.Adapter`), one file a kind, and a simulated tax authority."""

from adapters.base import (
    Adapter,
    ConfigError,
    Hear,
    Listener,
    MalformedCallback,
    Paper,
    Parcel,
    Payable,
    Pending,
    Progress,
    Reason,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
)
from adapters.kinds import KINDS, open_adapter

__all__ = [
    "KINDS",
    "Adapter",
    "ConfigError",
    "Hear",
    "Listener",
    "MalformedCallback",
    "Paper",
    "Parcel",
    "Payable",
    "Pending",
    "Progress",
    "Reason",
    "Rejected",
    "Submitted",
    "Unavailable",
    "Unknown",
    "Verdict",
    "open_adapter",
]
