"""What operations are made of: statements in the SQL that both engines share, and the few words in which they differ.

Parameters are `?`, or `?1` where one comes twice. Columns are compared with values of their own type: an INTEGER
that is a flag with 1, a condition that is a parameter with True.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.store.rows import Row

NOW = "<now>"
"""The database's clock in seconds since 1970, the same throughout a statement."""

SKIP_LOCKED = "<skip locked>"
"""After a SELECT from one table: its rows are this transaction's until it ends; others' rows are left out."""

FOR_UPDATE = "<for update>"
"""After a SELECT from one table: its rows are this transaction's until it ends; others' are waited for."""

TAXPAYER = "<taxpayer>"
"""The tax code in a filing's summary, as its index has it; beside `summary IS NOT NULL`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text, executed once for each row of parameters; `fetch` asks for the rows of each execution."""

    sql: str
    rows: Sequence[Row]
    fetch: bool = False


Steps = Generator[Statement, list[list[Row]], Sequence[Any]]
Part = Generator[Statement, list[list[Row]], None]
Operation = Callable[[Sequence[Any]], Steps]


class Driver(Protocol):
    """An engine. Of one event loop; what it raises for one item concerns no other."""

    async def write(self, operation: Operation, item: Any) -> Any:
        """Run one item of an operation; returns after the commit is durable.

        Raises:
            StoreUnavailable: nothing is known to be durable; repeating the same item is safe.
        """
        ...

    async def read(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """Rows of a query, as of the newest commit. Raises StoreUnavailable."""
        ...

    async def survey(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """The same for a query that may take long: nothing else waits for it. Raises StoreUnavailable."""
        ...

    def fault(self) -> str | None:
        """Why no promise can be kept now, in a word: the last write failed, or one hangs. None when fine."""
        ...

    async def probe(self) -> None:
        """After a bad write: try whether a small one is taken. Raises what is wrong."""
        ...

    async def tend(self, code: str, at: datetime) -> int:
        """What the engine itself needs now and then, for filings whose numbers begin with `code`; how much was done."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close."""
        ...
