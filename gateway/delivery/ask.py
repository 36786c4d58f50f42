"""ask: one call to an agency, timed, its errors as values: what was asked is written down whatever came of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

import adapters
from gateway.filing.attempt import Attempt, AttemptResult

T = TypeVar("T", adapters.Submitted, adapters.Pending | adapters.Unknown | adapters.Verdict)

RESULTS: dict[type, AttemptResult] = {
    adapters.Submitted: AttemptResult.TAKEN,
    adapters.Pending: AttemptResult.PENDING,
    adapters.Unknown: AttemptResult.UNKNOWN,
    adapters.Verdict: AttemptResult.VERDICT,
    adapters.Unavailable: AttemptResult.UNREACHABLE,
    adapters.Rejected: AttemptResult.REFUSED,
}


async def ask(
    step: str, agency: str, call: Awaitable[T]
) -> tuple[T | adapters.Unavailable | adapters.Rejected, Attempt]:
    """The answer, or the adapter's error, and the attempt for the record."""
    began = time.monotonic()
    answer: T | adapters.Unavailable | adapters.Rejected
    try:
        answer = await call
    except (adapters.Unavailable, adapters.Rejected) as error:
        answer = error
    told = getattr(answer, "verdict", None) or answer  # an agency may decide as it takes the filing in
    return answer, Attempt(
        step,
        agency,
        RESULTS[type(told)],
        _said(told),
        time.monotonic() - began,
        getattr(answer, "retry_after", None),
    )


def _said(answer: object) -> str:
    if isinstance(answer, Exception):
        return str(answer)
    progress = getattr(getattr(answer, "progress", None), "status", None)
    told = [f"portal status {progress}"] if progress else []
    told += [str(said) for name in ("outcome", "reference") if (said := getattr(answer, name, None))]
    return " ".join(told)
