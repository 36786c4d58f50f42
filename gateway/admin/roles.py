"""Roles of administrators and the rights that each has: one table, and nothing is allowed that does not stand in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from gateway.filing.findings import Text


class Role(StrEnum):
    """What an administrator is. The words are public: settings, docs/admin.md, audit record."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    CERTIFICATE_ADMIN = "certificate-admin"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What a route or a command needs. `….read` changes nothing; the others leave an entry in the audit record."""

    QUEUE_READ = "queue.read"
    QUEUE_ACT = "queue.act"
    FILING_READ = "filing.read"
    DEADLINES_READ = "deadlines.read"
    AGENCIES_READ = "agencies.read"
    AGENCIES_ACT = "agencies.act"
    INCIDENTS_READ = "incidents.read"
    INCIDENTS_ACT = "incidents.act"
    CERTIFICATES_READ = "certificates.read"
    CERTIFICATES_ACT = "certificates.act"
    CERTIFICATES_APPROVE = "certificates.approve"
    PROVIDERS_READ = "providers.read"
    PROVIDERS_ACT = "providers.act"
    PEOPLE_READ = "people.read"
    PEOPLE_ACT = "people.act"
    AUDIT_READ = "audit.read"


_SEEN_BY_ALL = frozenset(
    {
        Right.QUEUE_READ,
        Right.FILING_READ,
        Right.DEADLINES_READ,
        Right.AGENCIES_READ,
        Right.INCIDENTS_READ,
        Right.CERTIFICATES_READ,
        Right.PROVIDERS_READ,
    }
)

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: _SEEN_BY_ALL,
    Role.OPERATOR: _SEEN_BY_ALL | {Right.QUEUE_ACT, Right.AGENCIES_ACT, Right.INCIDENTS_ACT},
    Role.CERTIFICATE_ADMIN: frozenset(
        {
            Right.AGENCIES_READ,
            Right.CERTIFICATES_READ,
            Right.CERTIFICATES_ACT,
            Right.CERTIFICATES_APPROVE,
            Right.PROVIDERS_READ,
            Right.PROVIDERS_ACT,
            Right.PEOPLE_READ,
            Right.PEOPLE_ACT,
        }
    ),
    Role.AUDITOR: _SEEN_BY_ALL | {Right.PEOPLE_READ, Right.AUDIT_READ},
}
"""Who changes certificates sees no filing, who works on filings changes no certificate, who audits changes nothing."""

ROLE_WORDS: Mapping[Role, Text] = {
    Role.VIEWER: Text("người xem", "viewer"),
    Role.OPERATOR: Text("cán bộ vận hành", "operator"),
    Role.CERTIFICATE_ADMIN: Text("quản trị chứng thư số", "certificate administrator"),
    Role.AUDITOR: Text("kiểm toán viên", "auditor"),
}


def may(roles: Iterable[Role], right: Right) -> bool:
    """Whether one of these roles gives the right."""
    return any(right in RIGHTS[role] for role in roles)
