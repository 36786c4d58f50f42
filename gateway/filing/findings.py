"""What is wrong with a document, in words a person can act on. Findings are values, reported all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.filing.stages import Stage


class Severity(StrEnum):
    """ERROR refuses the document; WARNING and INFO travel with the receipt."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages of the house."""

    vi: str
    en: str

    def __str__(self) -> str:
        return f"{self.vi} / {self.en}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: stable code, severity, the step that found it, where, what is wrong, what to do."""

    code: str
    severity: Severity
    stage: Stage
    message: Text
    remedy: Text
    line: int | None = None
    path: str | None = None
    indicator: str | None = None
    value: str | None = None


def refuses(findings: Iterable[Finding]) -> bool:
    """Whether any finding is an error, so that the document cannot be accepted."""
    return any(finding.severity is Severity.ERROR for finding in findings)
