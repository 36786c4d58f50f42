"""identify: is this a new message, or one that has its answer already?"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.filing.filing import Recorded
from gateway.intake.receive import Received
from gateway.ports import Filings


@dataclass(frozen=True, slots=True)
class Identified:
    """A message that has not been recorded before, as far as the last commit knows."""

    received: Received


async def identify(received: Received, filings: Filings) -> Identified | Recorded:
    """Find the original recording of a repeated message, so that a repeat costs no check and no doubt.

    Two equal messages at the same moment both pass here; `record` settles which one was first.

    Raises:
        KeyReused: the idempotency key names other bytes.
    """
    repeat = await filings.find_repeat(received.provider.id, received.idempotency_key, received.digest)
    return repeat if repeat is not None else Identified(received)
