"""Providers, suspended and served again by an administrator: it stands over what the settings file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import NotFound
from gateway.filing.findings import Text
from gateway.register.entry import RegisterRefused
from gateway.store.audit import HOLD_AUDIT, append_audit
from gateway.store.statements import Statement, Steps

READ_PROVIDERS = "SELECT id, name, tax_code, active, signs_filings, suspended FROM provider ORDER BY id"

_ALREADY = Text("Nhà cung cấp đã bị tạm ngừng.", "The provider is suspended already.")
_NOT_YET = Text("Nhà cung cấp không bị tạm ngừng.", "The provider is not suspended.")


@dataclass(frozen=True, slots=True)
class Suspension:
    """Of one provider; `suspended` False ends it."""

    provider: str
    suspended: bool
    actor: str
    at: datetime
    why: str


def suspend(batch: Sequence[Suspension]) -> Steps:
    """From its next request on, at every process, the provider is refused, or served again."""
    results: list[NotFound | RegisterRefused | None] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        (rows,) = yield Statement(
            "SELECT suspended FROM provider WHERE id = ?", [(one.provider,)], fetch=True
        )
        if not rows:
            results.append(NotFound(f"no provider {one.provider}"))
        elif (rows[0][0] is not None) is one.suspended:
            results.append(RegisterRefused(_ALREADY if one.suspended else _NOT_YET))
        else:
            said = one.why if one.suspended else None
            yield Statement("UPDATE provider SET suspended = ? WHERE id = ?", [(said, one.provider)])
            act = "provider.suspend" if one.suspended else "provider.resume"
            yield from append_audit(one.at, one.actor, act, one.provider, one.why)
            yield Statement("UPDATE epoch SET value = value + 1", [()])
            results.append(None)
    return results
