"""How values become rows and rows become values. The only place that knows the columns' encodings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import zstandard

from gateway.calendar import Window, read_windows
from gateway.filing.attachments import FiledPaper
from gateway.filing.filing import Filing, NoticeKind, SignedNotice, Summary
from gateway.filing.findings import Finding
from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.status import Status
from gateway.filing.verdict import Verdict
from gateway.ports import Agency, Provider

Row = Sequence[Any]

FILING_COLUMNS = (
    "number, provider, status, received_at, digest, size, idempotency_key, "
    "summary, findings, agency, agency_reference, lead, lead_name, dossier_code, papers_digest"
)
PAPER_COLUMNS = "place, kind, name, media_type, size, digest"
AGENCY_COLUMNS = "id, name, adapter, config, serves, poll_seconds"
HANDOVER_COLUMNS = "agency, office, name, status, detail, answer, backend"
PROVIDER_COLUMNS = "id, name, tax_code, active, signs_filings, suspended"

_COMPRESSION_LEVEL = 3
_PAYS = 0.9
"""A paper that compression makes no smaller than this share is kept as it is."""
_json = msgspec.json.Encoder()
_summary = msgspec.json.Decoder(Summary)
_findings = msgspec.json.Decoder(tuple[Finding, ...])
_verdict = msgspec.json.Decoder(Verdict)


def time_text(at: datetime) -> str:
    """An aware time as ISO 8601 UTC text, microseconds always written, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of_seconds(seconds: float) -> datetime:
    """From the database's clock."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=256)
def windows_of(text: str) -> tuple[Window, ...]:
    """An agency's maintenance windows, from the JSON list of their texts."""
    return read_windows(msgspec.json.decode(text))


def json_text(value: object) -> str:
    """A dataclass, list or dict as JSON text."""
    return _json.encode(value).decode()


def verdict_of(text: str) -> Verdict:
    """The reverse of `json_text` for a verdict."""
    return _verdict.decode(text)


def filing_row(filing: Filing) -> Row:
    """In the order of FILING_COLUMNS."""
    return (
        filing.number,
        filing.provider,
        filing.status.value,
        time_text(filing.received_at),
        filing.digest,
        filing.size,
        filing.idempotency_key,
        None if filing.summary is None else json_text(filing.summary),
        json_text(filing.findings),
        filing.agency,
        filing.agency_reference,
        *(filing.lead or (None, None)),
        filing.dossier_code,
        filing.papers_digest,
    )


def filing_of(row: Row) -> Filing:
    """From a row in the order of FILING_COLUMNS."""
    return Filing(
        number=row[0],
        provider=row[1],
        status=Status(row[2]),
        received_at=datetime.fromisoformat(row[3]),
        digest=row[4],
        size=row[5],
        idempotency_key=row[6],
        summary=None if row[7] is None else _summary.decode(row[7]),
        findings=_findings.decode(row[8]),
        agency=row[9],
        agency_reference=row[10],
        lead=None if row[11] is None else (row[11], row[12]),
        dossier_code=row[13],
        papers_digest=row[14],
    )


def paper_row(paper: FiledPaper) -> Row:
    """In the order of PAPER_COLUMNS."""
    return (paper.place, paper.kind, paper.name, paper.media_type, paper.size, paper.digest)


def paper_of(row: Row) -> FiledPaper:
    """From a row in the order of PAPER_COLUMNS."""
    return FiledPaper(*row)


def notice_row(number: str, notice: SignedNotice) -> Row:
    """number, kind, issued_at, document."""
    return (number, notice.kind.value, time_text(notice.issued_at), notice.document)


def notice_of(row: Row) -> SignedNotice:
    """From kind, issued_at, document."""
    return SignedNotice(NoticeKind(row[0]), datetime.fromisoformat(row[1]), row[2])


def handover_row(handover: Handover) -> Row:
    """In the order of HANDOVER_COLUMNS."""
    about = (handover.agency, handover.office, handover.name)
    return (*about, handover.status.value, handover.detail, handover.answer, handover.backend)


def handover_of(row: Row) -> Handover:
    """From a row in the order of HANDOVER_COLUMNS."""
    return Handover(row[0], row[1], row[2], HandoverStatus(row[3]), row[4], row[5], row[6])


def agency_of(row: Row) -> Agency:
    """From a row in the order of AGENCY_COLUMNS."""
    return Agency(
        row[0], row[1], row[2], msgspec.json.decode(row[3]), tuple(msgspec.json.decode(row[4])), row[5]
    )


def provider_of(row: Row) -> Provider:
    """From a row in the order of PROVIDER_COLUMNS; one that is suspended is not active, whatever a file says."""
    return Provider(row[0], row[1], row[2], bool(row[3]) and row[5] is None, bool(row[4]))


def pack(octets: bytes) -> bytes:
    """Bodies and evidence lie compressed (zstd)."""
    return zstandard.compress(octets, _COMPRESSION_LEVEL)


def pack_paper(octets: bytes) -> tuple[str, bytes]:
    """Encoding ("zstd", "plain") and octets: scans and signed PDFs are compressed already, and lie as they are."""
    packed = pack(octets)
    return ("zstd", packed) if len(packed) < _PAYS * len(octets) else ("plain", octets)


def unpack_paper(encoding: str, octets: bytes) -> bytes:
    """The reverse of `pack_paper`, byte for byte."""
    return unpack(octets) if encoding == "zstd" else octets


def unpack(octets: bytes) -> bytes:
    """The reverse of `pack`, byte for byte."""
    return zstandard.decompress(octets)
