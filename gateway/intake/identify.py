"""identify: is this a new message, or one that has its answer already?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import schemas
from gateway.errors import PapersDiffer
from gateway.filing.attachments import FiledPaper
from gateway.filing.filing import Recorded
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
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
        PapersDiffer: the bytes are those of a filing, the papers beside them are not: it says which.
    """
    provider, key = received.provider.id, received.idempotency_key
    try:
        repeat = await filings.find_repeat(provider, key, received.digest, received.papers_digest)
    except PapersDiffer as differ:
        kept = await filings.papers(differ.number)
        raise PapersDiffer(differ.number, tuple(_differences(kept, received.papers))) from None
    return repeat if repeat is not None else Identified(received)


def _differences(kept: Sequence[FiledPaper], sent: Sequence[schemas.Paper]) -> Iterator[Finding]:
    """By digest: what is missing, and what is other than it was."""
    ours = {paper.digest.hex(): paper.name for paper in kept}
    theirs = {paper.sha256: paper.name for paper in sent}
    for digest in ours.keys() - theirs.keys():
        yield _finding("papers.missing", _MISSING, ours[digest])
    for digest in theirs.keys() - ours.keys():
        yield _finding("papers.other", _OTHER, theirs[digest])


def _finding(code: str, message: Text, name: str) -> Finding:
    return Finding(code, Severity.ERROR, Stage.IDENTIFY, message, _REMEDY, value=name)


_MISSING = Text(
    "Thiếu một tệp đã nộp cùng hồ sơ này, hoặc nội dung tệp khác với tệp đã nộp.",
    "A file that was filed with these bytes is missing, or its content is another.",
)
_OTHER = Text(
    "Tệp này không có trong số các tệp đã nộp cùng hồ sơ này.",
    "This file is none of those that were filed with these bytes.",
)
_REMEDY = Text(
    "Hồ sơ gốc vẫn giữ nguyên. Để nộp lại, gửi đúng các tệp đã nộp; để thay tệp, lập và ký hồ sơ mới.",
    "The original stands. To repeat it send the same files; to exchange a file make and sign a new dossier.",
)
