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
from adapters.exchangeable import Exchangeable, exchangeable
from adapters.greeting import Greeting, greet
from adapters.kinds import KINDS, WITH_CERTIFICATE, open_adapter

__all__ = [
    "KINDS",
    "WITH_CERTIFICATE",
    "Adapter",
    "ConfigError",
    "Exchangeable",
    "Greeting",
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
    "exchangeable",
    "greet",
    "open_adapter",
]
