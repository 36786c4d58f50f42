"""The simulated authority behind two folders, as `adapters/drop_wire.py` has it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from adapters import drop_wire as wire
from adapters.simulator.authority import AnswerLost, Authority, Failure, Handed, HandedPaper, Simulated
from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Entry
from adapters.simulator.calling import messages
from adapters.simulator.spoiling import GARBAGE, HUGE
from adapters.told import Verdict

_LOOK_S = 0.02
_BOMB = b"[" * 500_000


class DropAuthority(Simulated):
    """`async with DropAuthority(out, answers, behaviour) as authority:`; the folders are made where they are missing.

    What is down looks at nothing. An answer that is lost is not written, though the filing is taken in and away.
    """

    def __init__(self, out: Path, answers: Path, behaviour: Behaviour, *, books: Path | None = None) -> None:
        self.out, self.answers = out, answers
        self._authority = Authority(books, behaviour, 0, lambda: datetime.now(UTC))
        self._tasks: set[asyncio.Task[None]] = set()
        for folder in (out, answers):
            folder.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Look into the folder from now on."""
        self._spawn(self._look())

    async def stop(self) -> None:
        """Look no more. May be called twice."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._authority.books.close()

    async def __aenter__(self) -> DropAuthority:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def put_aside(self) -> list[tuple[str, bytes]]:
        """What the gateway has put aside, with its reason."""
        found = []
        for reason in sorted(self.answers.glob("refused/*.reason")):
            beside = reason.with_suffix("")
            octets = beside.read_bytes() if beside.is_file() and not beside.is_symlink() else b""
            found.append((reason.read_text(encoding="utf-8"), octets))
        return found

    async def _look(self) -> None:
        while True:
            if not self.behaviour.down:
                for manifest in sorted(self.out.glob("[!.]*.json")):
                    await asyncio.sleep(self.behaviour.delay_s)
                    await self._take(manifest)
            await asyncio.sleep(_LOOK_S)

    async def _take(self, path: Path) -> None:
        found = self._read(path)
        if found is None:
            return  # not ours to mend
        manifest, document, papers = found
        try:
            taken = await self._authority.take_in(_handed(manifest, document, papers))
        except AnswerLost:
            pass
        except Failure as failure:
            refused = wire.Answer(manifest.key, manifest.digest, "refused", error=failure.words)
            self._write(refused, manifest.key)
        else:
            self._write(self._answer(taken.entry, taken.verdict), manifest.key)
            if taken.fresh:
                self._spawn(self._tell_when_decided(taken.entry))
        for file in (path, self._file(manifest.file), *(self._file(paper.file) for paper in manifest.papers)):
            file.unlink()

    def _file(self, name: str) -> Path:
        return self.out / Path(name).name

    def _read(self, path: Path) -> tuple[wire.Manifest, bytes, list[bytes]] | None:
        try:
            manifest = wire.read_manifest(path.read_bytes())
            if manifest is None:
                return None
            papers = [self._file(paper.file).read_bytes() for paper in manifest.papers]
            return manifest, self._file(manifest.file).read_bytes(), papers
        except OSError:
            return None

    async def _tell_when_decided(self, entry: Entry) -> None:
        """First in the place of the first answer; what it says further once the one before has been fetched."""
        await asyncio.sleep(max(0.0, (entry.decides_at - datetime.now(UTC)).total_seconds()))
        for number, verdict in enumerate(messages(entry.verdict, self.behaviour)):
            while number and self._lies(entry.key):  # noqa: ASYNC110 - a folder announces nothing
                await asyncio.sleep(_LOOK_S)
            self._write(self._answer(entry, verdict), entry.key)
            await self._authority.books.called_back(entry.key)

    def _answer(self, entry: Entry, verdict: Verdict | None) -> wire.Answer:
        state = "decided" if verdict else "pending"
        return msgspec.convert(
            {"key": entry.key, "digest": entry.digest, "state": state, "reference": entry.reference}
            | ({"verdict": msgspec.to_builtins(verdict)} if verdict else {}),
            wire.Answer,
        )

    def _write(self, answer: wire.Answer, key: str) -> None:
        """Spoilt as told; whole under its name, or not at all."""
        behaviour = self.behaviour
        octets = msgspec.json.encode(answer)
        if behaviour.garbage:
            octets = GARBAGE
        elif behaviour.bomb:
            octets = _BOMB
        elif behaviour.huge:
            octets += b" " * HUGE
        written = self.answers / f".{key}.tmp"
        written.write_bytes(octets)
        os.replace(written, self.answers / f"{key}.json")

    def _lies(self, key: str) -> bool:
        return (self.answers / f"{key}.json").exists()

    def _spawn(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _handed(manifest: wire.Manifest, document: bytes, papers: Sequence[bytes]) -> Handed:
    return Handed(
        wire="drop",
        key=manifest.key,
        agency=manifest.agency,
        number=manifest.number,
        digest=manifest.digest,
        document=document,
        papers=tuple(
            HandedPaper(paper.name, paper.digest, content)
            for paper, content in zip(manifest.papers, papers, strict=True)
        ),
    )
