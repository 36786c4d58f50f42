"""How certificates and keys are exchanged, as dated data: warnings, overlaps, sizes of keys, four eyes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.errors import ConfigurationError
from gateway.register.entry import Purpose

OWN_POLICY = Path(__file__).with_name("data") / "policy.toml"
Days = Annotated[int, Meta(ge=0, le=3650)]


class RegisterPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of one time; `data/policy.toml` says what each means."""

    start: date = msgspec.field(name="from")
    warn_days: tuple[Days, ...]
    plan_days: Days
    rehearsal_hours: Annotated[int, Meta(ge=1)]
    rsa_bits: Annotated[int, Meta(ge=2048)]
    curves: frozenset[str]
    four_eyes: frozenset[Purpose] = frozenset()
    stale_crl_hours: Annotated[int, Meta(ge=0)]
    overlap_days: dict[Purpose, Days]

    @property
    def overlaps(self) -> dict[Purpose, timedelta]:
        """How long the entry before stays valid beside a new one; not at all where nothing is said."""
        return {purpose: timedelta(days=days) for purpose, days in self.overlap_days.items()}

    def rehearsed_since(self, at: datetime) -> datetime:
        """Older rehearsals do not count at `at`."""
        return at - timedelta(hours=self.rehearsal_hours)


class _Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    policy: Annotated[tuple[RegisterPolicy, ...], Meta(min_length=1)]


def policy_at(file: Path, at: datetime) -> RegisterPolicy:
    """The rules in force on the day of `at` (UTC). Raises ConfigurationError, naming the fault."""
    found = [one for one in _read(file, file.stat().st_mtime_ns) if one.start <= at.astimezone(UTC).date()]
    if not found:
        raise ConfigurationError([f"{file}: no policy is in force on {at:%Y-%m-%d}"])
    return max(found, key=lambda one: one.start)


@lru_cache(maxsize=4)
def _read(file: Path, changed: int) -> tuple[RegisterPolicy, ...]:  # noqa: ARG001 - another time, another reading
    try:
        return msgspec.toml.decode(file.read_bytes(), type=_Policies).policy
    except (msgspec.MsgspecError, OSError) as error:
        raise ConfigurationError([f"{file}: {error}"]) from error
