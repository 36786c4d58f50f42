"""Agencies that files are put down for: what kinds "folder" and "sftp" have in common. The files: `drop_wire.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import msgspec

from adapters import drop_wire as wire
from adapters.base import (
    Hear,
    MalformedCallback,
    Parcel,
    Pending,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.http import Seconds
from adapters.told import printable, read_verdict

Folder = Literal["out", "answers", "done", "refused"]
"""Where filings are put down; where answers lie; where those go that have been read, and those that are none."""

MOST_NAMES = 100_000
"""So many files of a folder are looked at in one round."""

Stamp = tuple[int, int]
"""A file's size and time of change: it is another file where either differs."""


class DropConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`timeout_s` bounds each call. The answers are looked at every `look_s`; one that breaks off in the middle is
    left alone, until it has not changed for `settle_s`. A larger one than `max_answer_bytes` is none."""

    timeout_s: Seconds = 30.0
    max_answer_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 << 20)] = 1 << 20
    look_s: Seconds = 5.0
    settle_s: Seconds = 60.0

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:  # noqa: ARG003 - a form's contract
        """Nothing that the types do not say."""
        return []


class NoFile(Exception):
    """What bears the name cannot be read as a file: a link, a folder, or one beyond the limit. Fit for a log."""


class Place(Protocol):
    """Folders somewhere. Every call raises Unavailable where they are out of reach."""

    async def put(self, folder: Folder, name: str, octets: bytes) -> None:
        """Whole and durable under its name on return, never in part: written beside, synced, renamed."""
        ...

    async def names(self, folder: Folder) -> Mapping[str, Stamp]:
        """At most MOST_NAMES names in it, whatever they are."""
        ...

    async def read(self, folder: Folder, name: str, limit: int) -> bytes | None:
        """The file's octets, None where there is none. No link is followed. Raises NoFile."""
        ...

    async def move(self, name: str, to: Folder) -> None:
        """From the answers; what bears the name there already is replaced. What is gone already is no fault."""
        ...

    async def close(self) -> None:
        """May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class _Left:
    """An answer left alone: as it was then, and since when by the loop's time."""

    stamp: Stamp
    since: float


class DropAdapter:
    """Fulfils `adapters.base.Adapter` and `adapters.base.Listener` over any `Place`.

    A filing is handed over once document, papers and manifest lie there. The agency answers before it takes the
    manifest away: what is neither there nor answered, it has never seen.
    """

    carries_papers = True

    def __init__(self, config: DropConfig, place: Place) -> None:
        self._config = config
        self._place = place

    @property
    def longest_call_s(self) -> float:
        return self._config.timeout_s

    async def submit(self, parcel: Parcel) -> Submitted:
        document, manifest = wire.names(parcel.key, parcel.media_type)
        async with self._in_time():
            lying = await self._lying(manifest)
            answer = await self._answer(parcel.key)
            if lying is not None and lying.digest != parcel.digest_hex:
                raise Rejected("another document lies there under this key")
            if answer is not None and answer.digest != parcel.digest_hex:
                raise Rejected("the agency has another document under this key")
            if answer is not None:
                verdict = read_verdict(answer.verdict) if answer.verdict else None
                return Submitted(answer.reference, duplicate=True, verdict=verdict)
            if lying is None:
                await self._place.put("out", document, parcel.document)
                for name, paper in zip(wire.paper_names(parcel), parcel.papers, strict=True):
                    await self._place.put("out", name, paper.content)
                await self._place.put("out", manifest, wire.manifest(parcel))
        return Submitted(None, duplicate=lying is not None)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        _, manifest = wire.names(check_key(key), "")
        async with self._in_time():
            lying = await self._lying(manifest)  # before the answer, which is written before it is taken away
            answer = await self._answer(key)
        if answer is None:
            return Unknown() if lying is None else Pending()
        if answer.state == "refused":
            raise Rejected(f"the agency refuses the filing: {printable(answer.error)}")
        return Pending(answer.reference) if answer.verdict is None else read_verdict(answer.verdict)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:  # noqa: ARG002
        raise MalformedCallback("this agency answers through files")

    async def listen(self, hear: Hear) -> None:
        left: dict[str, _Left] = {}
        while True:
            async with self._in_time():
                names = await self._place.names("answers")
            found = {name: names[name] for name in sorted(names) if wire.ANSWER.fullmatch(name)}
            for name in left.keys() - found.keys():
                del left[name]
            for name, stamp in found.items():
                known = left.get(name)
                if known is not None and known.stamp == stamp and not self._is_overdue(known):
                    continue
                if await self._take(name, hear, overdue=known is not None and known.stamp == stamp):
                    left.pop(name, None)
                else:
                    left[name] = _Left(stamp, asyncio.get_running_loop().time())
            await asyncio.sleep(self._config.look_s)

    async def close(self) -> None:
        await self._place.close()

    async def _take(self, name: str, hear: Hear, *, overdue: bool) -> bool:
        """One answer: heard and put away, or put aside with the reason; False where it is left alone.

        What breaks off may still be written, and what is pending will be replaced. `overdue`: it has been left alone
        for long, and has not changed.
        """
        try:
            async with self._in_time():
                octets = await self._place.read("answers", name, self._config.max_answer_bytes)
            if octets is None:
                return True
            answer = wire.read_answer(octets, name.removesuffix(".json"))
        except NoFile as error:
            await self._put_aside(name, str(error))
            return True
        except wire.NotOfTheForm as error:
            if error.cut_off and not overdue:
                return False
            await self._put_aside(name, f"not of the agreed form: {printable(str(error))}")
            return True
        if answer.state == "refused":
            await self._put_aside(name, f"the agency refuses the filing: {printable(answer.error)}")
        elif answer.verdict is None:
            return False
        elif await hear(answer.key, read_verdict(answer.verdict)):
            async with self._in_time():
                await self._place.move(name, "done")
        else:
            await self._put_aside(name, "no filing of this agency has its key")
        return True

    def _is_overdue(self, known: _Left) -> bool:
        return asyncio.get_running_loop().time() - known.since >= self._config.settle_s

    async def _put_aside(self, name: str, reason: str) -> None:
        async with self._in_time():
            await self._place.put("refused", f"{name}.reason", reason.encode())
            await self._place.move(name, "refused")

    async def _lying(self, manifest: str) -> wire.Manifest | None:
        """Ours, as long as the agency has not taken it away; what is none of ours under its name is replaced."""
        try:
            octets = await self._place.read("out", manifest, self._config.max_answer_bytes)
        except NoFile as error:
            raise Unavailable(f"what lies there under the filing's name is no file: {error}") from error
        return None if octets is None else wire.read_manifest(octets)

    async def _answer(self, key: str) -> wire.Answer | None:
        name = f"{key}.json"
        for folder in ("answers", "done"):  # in this order: it may be moved meanwhile
            try:
                octets = await self._place.read(folder, name, self._config.max_answer_bytes)
                if octets is not None:
                    return wire.read_answer(octets, key)
            except NoFile as error:
                raise Unavailable(f"the agency's answer is {error}") from error
            except wire.NotOfTheForm as error:
                words = printable(str(error))
                raise Unavailable(f"the agency's answer is not of the agreed form: {words}") from error
        return None

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                yield
        except TimeoutError as error:
            raise Unavailable("the agency's folders did not answer in time") from error
