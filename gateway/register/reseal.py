"""Bodies under keys that are given up come under the key in use, beside the gateway that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.body_keys import begin_with, first_keys
from gateway.filing.findings import Text
from gateway.ports import Clock
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterRefused, active, found
from gateway.settings import Settings
from gateway.store.reseal import Note
from gateway.store.reseal_side import Progress
from gateway.store.rows import json_text

_NAMED = 20
"""So many of those that failed stand in the audit record by number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`entry`: under whose key they are now. `left`: bodies and papers that are not, and why some could not be."""

    entry: str
    resealed: int
    left: int
    failed: tuple[str, ...]


class Resealing:
    """What cannot be is refused by RegisterRefused."""

    def __init__(self, settings: Settings, register: Certificates, clock: Clock) -> None:
        self._settings = settings
        self._register = register
        self._clock = clock

    async def reseal(
        self, name: str | None, who: Who, told: Callable[[int, int], object] | None = None
    ) -> Outcome:
        """Bodies and papers that are under the key `name`, or under any other than the active, or under none.

        `told`: how many are done, and of how many. Cut off at any point it may be run again. Raises ConfigurationError
        where a key is not to be had, StoreUnavailable.
        """
        entries = await self._register.entries()
        current = _current(entries)
        only = None if name is None else _given_up(entries, name, current).subject
        await self._register.require_taken_over(current)
        store, at = self._register.store, self._clock()
        first = await asyncio.to_thread(first_keys, self._settings.bodies, entries, at)
        await asyncio.to_thread(begin_with, store.body_keys, first, entries)
        counts = await store.sealed_counts()
        under = [key for key in counts if key != current.subject and only in (None, key)]
        under += [None] if only is not None and None in counts else []
        whole = sum(counts[key] for key in under)
        await self._note("bodies.reseal", current, who, {"under": under, "count": whole, "why": who.why})
        total = Progress()
        for key in under:
            progress = await store.reseal(key, only, _counted(told, total.resealed, whole))
            total.resealed += progress.resealed
            total.failed += progress.failed
        left = {k: n for k, n in (await store.sealed_counts()).items() if k in under and k != current.subject}
        detail = {"resealed": total.resealed, "left": sum(left.values()), "failed": total.failed[:_NAMED]}
        await self._note("bodies.resealed", current, who, detail)
        return Outcome(current.id, total.resealed, sum(left.values()), tuple(total.failed))

    async def _note(self, act: str, entry: Entry, who: Who, detail: dict[str, object]) -> None:
        note = Note(act, entry.id, who.name, self._clock(), json_text(detail))
        await self._register.store.note_reseal(note)


def _counted(
    told: Callable[[int, int], object] | None, before: int, whole: int
) -> Callable[[int], object] | None:
    return None if told is None else lambda done: told(before + done, whole)


def _current(entries: list[Entry]) -> Entry:
    current = active(entries, Purpose.BODIES)
    if current is None:
        raise RegisterRefused(Text("Chưa có khóa nội dung đang dùng.", "No key of bodies is in use."))
    return current


def _given_up(entries: list[Entry], name: str, current: Entry) -> Entry:
    entry = found(entries, name)
    if entry.purpose is not Purpose.BODIES or entry.id == current.id:
        raise RegisterRefused(
            Text(
                f"{entry.id}: chỉ mã hóa lại nội dung của khóa khác với khóa đang dùng.",
                f"{entry.id}: only what is under another key than the one in use is sealed anew.",
            )
        )
    return entry
