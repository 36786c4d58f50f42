"""In which order the operations of one transaction run: no two transactions wait for each other's rows.

Repeat keys come first, then rows of filings and queues, then agencies' rows, then the epoch's. A deadlock that is left
costs the second in which PostgreSQL finds it, and the batch is run again.
"""

from __future__ import annotations

from gateway.store import claims, handovers, operations, orders, outcomes, seeds
from gateway.store.statements import Operation

_TURNS: dict[Operation, int] = {
    operations.add: 0,
    operations.bind_key: 0,
    outcomes.record_outcome: 2,
    handovers.record_handover: 2,
    claims.claim_due: 3,
    claims.claim_handovers: 3,
    orders.hold_agency: 4,
    orders.release_agency: 4,
    seeds.seed: 4,
    operations.probe: 4,
}
_ROWS_OF_FILINGS = 1
"""What locks nothing else, such as a heartbeat or a verdict."""


def turn(operation: Operation) -> int:
    """The lower is run first; those of one number in the order in which they came."""
    return _TURNS.get(operation, _ROWS_OF_FILINGS)
