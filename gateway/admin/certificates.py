"""The register of certificates and the providers as administrators see them, and what they do with an entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import signing
from gateway.admin.people import Person
from gateway.admin.times import local
from gateway.errors import ConfigurationError, NotPossible
from gateway.filing.findings import Text
from gateway.ports import Provider
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterRefused
from gateway.register.in_words import unusable
from gateway.register.plan import Step


class CertificateAct(StrEnum):
    """What is done with an entry; what brings files in, or goes against a rehearsal, is the command line's alone."""

    REHEARSE = "rehearse"
    ACTIVATE = "activate"
    RETIRE = "retire"
    REVOKE = "revoke"
    APPROVE = "approve"


async def act(
    register: Certificates, what: CertificateAct, id: str, who: Who, at: datetime | None = None
) -> Entry:
    """`at`: when it takes over, or retires. Raises NotPossible, with the register's own reason."""
    if at is not None and what not in (CertificateAct.ACTIVATE, CertificateAct.RETIRE):
        raise NotPossible(Text("Thao tác này có hiệu lực ngay.", "This act takes effect at once."))
    try:
        match what:
            case CertificateAct.REHEARSE:
                return await register.rehearse(id, who)
            case CertificateAct.ACTIVATE:
                return await register.activate(id, who, at=at)
            case CertificateAct.RETIRE:
                return await register.retire(id, who, at=at)
            case CertificateAct.REVOKE:
                return await register.revoke(id, who)
            case CertificateAct.APPROVE:
                return await register.approve(id, who)
    except RegisterRefused as error:
        raise refused(error) from error
    except (signing.KeyRefused, ConfigurationError, ValueError) as error:
        raise NotPossible(unusable(error)) from error


def refused(error: RegisterRefused) -> NotPossible:
    """The register's refusal as a door answers it."""
    return NotPossible(
        Text("; ".join(text.vi for text in error.texts), "; ".join(text.en for text in error.texts))
    )


async def sealed_by(register: Certificates, entries: Iterable[Entry]) -> dict[str | None, int]:
    """How many bodies and papers are under each key of theirs, by its name; None: not looked at yet. Counted only where
    there is such a key."""
    keys = any(entry.purpose is Purpose.BODIES for entry in entries)
    return await register.store.sealed_counts() if keys else {}


def entry_json(entry: Entry, at: datetime, sealed: Mapping[str | None, int] | None = None) -> dict[str, Any]:
    """An entry for machines, without its octets. `sealed`: see above; of a key of bodies it is told."""
    last, proposal = entry.rehearsal, entry.proposal
    counts = {}
    if sealed is not None and entry.purpose is Purpose.BODIES:
        counts = {"seals": sealed.get(entry.subject, 0), "notLookedAt": sealed.get(None, 0)}
    return counts | {
        "id": entry.id,
        "purpose": entry.purpose.value,
        "party": entry.party or None,
        "subject": entry.subject,
        "issuer": entry.issuer,
        "serial": entry.serial,
        "fingerprint": entry.fingerprint,
        "location": dict(entry.location) or None,
        "validFrom": local(entry.valid_from),
        "validTo": None if entry.endless else local(entry.valid_to),
        "daysLeft": entry.days_left(at),
        "state": entry.state.value,
        "version": entry.version,
        "startsAt": _local(entry.starts_at),
        "endsAt": _local(entry.ends_at),
        "rehearsal": None
        if last is None
        else {
            "green": entry.rehearsed,
            "at": local(last.at),
            "by": last.by,
            "faults": [{"vi": fault.vi, "en": fault.en} for fault in last.faults],
            "doubts": [{"vi": doubt.vi, "en": doubt.en} for doubt in last.doubts],
        },
        "proposal": None
        if proposal is None
        else {"to": proposal.to.value, "by": proposal.by, "why": proposal.why, "at": local(proposal.at)},
        "changedBy": entry.changed_by,
        "changedAt": _local(entry.changed_at),
        "why": entry.why,
    }


def person_json(person: Person) -> dict[str, Any]:
    """An administrator for machines; `suspended`: why."""
    proposal = person.proposal
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "account": person.account,
        "suspended": person.suspended,
        "version": person.version,
        "proposal": None
        if proposal is None
        else {
            "roles": None if proposal.wanted.roles is None else sorted(proposal.wanted.roles),
            "account": proposal.wanted.account,
            "suspended": proposal.wanted.suspended,
            "by": proposal.by,
            "why": proposal.why,
            "at": local(proposal.at),
        },
        "changedBy": person.changed_by,
        "changedAt": _local(person.changed_at),
        "why": person.why,
    }


def step_json(step: Step) -> dict[str, Any]:
    """A step of the timeline for machines."""
    return {
        "at": local(step.at),
        "act": step.act.value,
        "entry": step.entry,
        "text": {"vi": step.text.vi, "en": step.text.en},
        "toDo": step.ours,
        "late": step.late,
    }


def provider_json(provider: Provider, suspended: str | None) -> dict[str, Any]:
    """A provider for machines; `suspended`: why."""
    return {
        "id": provider.id,
        "name": provider.name,
        "taxCode": provider.tax_code,
        "active": provider.active,
        "signsFilings": provider.signs_filings,
        "suspended": suspended,
    }


def _local(at: datetime | None) -> str | None:
    return None if at is None else local(at)
