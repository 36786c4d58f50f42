"""Errors inside the gateway. `problems.py` alone turns them into answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.filing.findings import Finding, Text


class GatewayError(Exception):
    """Base of all errors that a door can answer."""


class Unreadable(GatewayError):
    """The bytes are not a document we can even look at: nothing is recorded, `findings` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(", ".join(finding.code for finding in findings))
        self.findings = tuple(findings)


class BodyTooLarge(GatewayError):
    """The body exceeds the limit of `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"body larger than {limit} bytes")
        self.limit = limit


class WrongMediaType(GatewayError):
    """The declared media type is not XML."""


class BadRequest(GatewayError):
    """A header or a parameter is malformed. `code` is stable, `detail` says which."""

    def __init__(self, code: str, detail: Text) -> None:
        super().__init__(detail.en)
        self.code = code
        self.detail = detail


class BodyTimeout(GatewayError):
    """The sender was too slow; nothing is recorded."""


class KeyReused(GatewayError):
    """The idempotency key names another message already (other bytes or papers). `number` is that filing's."""

    def __init__(self, number: str) -> None:
        super().__init__(f"idempotency key already used for {number}")
        self.number = number


class PapersDiffer(GatewayError):
    """The bytes are those of filing `number`, the papers beside them are others. `findings` say which, if known."""

    def __init__(self, number: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(f"other papers than those of {number}")
        self.number = number
        self.findings = tuple(findings)


StrangerReason = Literal[
    "no client certificate",
    "not registered",
    "revoked",
    "expired",
    "suspended",
    "not for this door",
    "authority not trusted",
]


class Stranger(GatewayError):
    """The client certificate is nobody's we serve. `reason` is for the log and the client alike."""

    def __init__(self, reason: StrangerReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Forbidden(GatewayError):
    """The administrator is known, and none of its roles gives the right; `right` is its word."""

    def __init__(self, right: str) -> None:
        super().__init__(right)
        self.right = right


class CrossSite(GatewayError):
    """A page of another origin, or one that is out of date, asks in the administrator's name."""


class NotPossible(GatewayError):
    """What an administrator asks for cannot be, as things stand; `detail` says why."""

    def __init__(self, detail: Text) -> None:
        super().__init__(detail.en)
        self.detail = detail


class NumberTaken(GatewayError):
    """A dossier's notice names a number that another dossier has got meanwhile: nothing is recorded, sign again."""


class NotFound(GatewayError):
    """There is no such filing for this caller. Other providers' filings look the same as none."""


class Removed(GatewayError):
    """What was filed is no longer kept: its term is over. The filing's record still stands."""


class Busy(GatewayError):
    """We cannot take more in just now; nothing is recorded. `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: int = 2) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class StoreUnavailable(Busy):
    """The store cannot make anything durable now (disk full, I/O error, locked): nothing is promised."""


class SignerUnavailable(Busy):
    """No notice can be signed now (token gone, signing service down): nothing is promised."""


class VerdictConflict(GatewayError):
    """The agency now says the opposite of its recorded verdict. The first stays; the contradiction is kept."""


class ConfigurationError(GatewayError):
    """The installation is wrong in `faults` (all of them); the gateway does not start."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
