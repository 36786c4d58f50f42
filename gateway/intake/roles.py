"""In which roles certificates speak, and when the T-VAN must sign. Who else must is the form's to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import signing
from gateway.filing.identifiers import VIETNAM
from gateway.ports import Provider
from schemas import Role


@dataclass(frozen=True, slots=True)
class DatedRule:
    """A rule in force on the days from `first` to `last` (inclusive; None: until further notice)."""

    first: date
    last: date | None
    clause: str


TVAN_SIGNS = (
    DatedRule(date(2021, 5, 3), date(2026, 6, 30), "TT 19/2021/TT-BTC"),
    DatedRule(date(2026, 7, 1), None, "TT 89/2026/TT-BTC"),
)
"""The T-VAN signs beside the taxpayer. Applied to the providers whose entry says `signs_filings`."""


def tvan_must_sign(provider: Provider, at: datetime) -> str | None:
    """The clause by which this provider's own signature is required at `at`, or None."""
    if not provider.signs_filings:
        return None
    day = at.astimezone(VIETNAM).date()
    rules = (rule for rule in TVAN_SIGNS if rule.first <= day and (rule.last is None or day <= rule.last))
    return next((rule.clause for rule in rules), None)


def roles_of(signer: signing.Signer, filer: str, agent: str | None, provider: Provider) -> set[Role]:
    """The roles in which this certificate's holder signs; none for a stranger to the document.

    A tax code in the certificate (mã số thuế: `UID=MST:…`, `O=MST:…`) decides, and one holder may be several: a T-VAN
    files its own returns too. An identity number is a tax code where the document bears it (TT 86/2024/TT-BTC
    article 5). A certificate without a tax code that names a person is else a PERSON; without either, a stranger's.
    """
    codes = set(signer.tax_codes)
    if signer.person_id is not None:
        codes.add(signer.person_id.rpartition(":")[2])
    named = ((filer, Role.FILER), (agent, Role.AGENT), (provider.tax_code, Role.TVAN))
    roles = {role for code, role in named if code and code in codes}
    return roles or ({Role.PERSON} if signer.person_id and not signer.tax_codes else set())
