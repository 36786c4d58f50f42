"""Values for tests of the store and the delivery; no documents needed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from gateway.filing.attachments import FiledPaper, NewPaper
from gateway.filing.filing import Filing, NewFiling, NoticeKind, SignedNotice, Summary
from gateway.filing.identifiers import new_filing_number
from gateway.filing.status import Status
from gateway.filing.verdict import Payable, Reason, Verdict
from gateway.ports import Prepared
from gateway.store.rows import pack, pack_paper

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def summary(taxpayer: str = "5500123457", period: str = "Q2/2026") -> Summary:
    return Summary(
        family="tax-declaration",
        form_code="842",
        form_version="2.8.3",
        kind="C",
        form_label="01/GTGT",
        form_name="TỜ KHAI THUẾ GIÁ TRỊ GIA TĂNG",
        tax_name="Thuế giá trị gia tăng",
        period=period,
        submission_no=0,
        taxpayer_code=taxpayer,
        taxpayer_name="CÔNG TY TNHH THỬ NGHIỆM",
        taxpayer_address="Sơn La",
        agent_code=None,
        agent_name=None,
        office_code="20500",
        office_name="Thuế tỉnh Sơn La",
    )


def new_filing(
    body: bytes = b"<a/>",
    *,
    key: str | None = None,
    provider: str = "alpha",
    status: Status = Status.ACKNOWLEDGED,
    taxpayer: str = "5500123457",
    period: str = "Q2/2026",
    papers: tuple[bytes, ...] = (),
) -> NewFiling:
    filing = Filing(
        number=new_filing_number("SLA", AT),
        provider=provider,
        status=status,
        received_at=AT,
        digest=hashlib.sha256(body).digest(),
        size=len(body),
        idempotency_key=key,
        summary=summary(taxpayer, period),
        papers_digest=hashlib.sha256(b"|".join(papers)).digest() if papers else None,
    )
    kind = NoticeKind.REFUSAL if status is Status.REFUSED else NoticeKind.RECEIPT
    notice = SignedNotice(kind, AT, f"<receipt>{filing.number}</receipt>".encode())
    kept = tuple(
        NewPaper(
            FiledPaper(
                2 * n, "giay-to", f"giấy {n}.pdf", "application/pdf", len(one), hashlib.sha256(one).digest()
            ),
            one,
        )
        for n, one in enumerate(papers, 1)
    )
    return NewFiling(filing, body, b"{}", notice, kept)


def prepared(*arguments: Any, **how: Any) -> Prepared:
    """`new_filing`, ready to be added to any store."""
    new = new_filing(*arguments, **how)
    return Prepared(
        new, pack(new.document), pack(new.evidence), tuple(pack_paper(one.content) for one in new.papers)
    )


def verdict(status: Status = Status.ACCEPTED) -> Verdict:
    reasons = (Reason("E1", "nhóm", "lỗi", "cách sửa"),) if status is Status.REJECTED else ()
    payables = (Payable("VND1", 21_507_864, "VND"),) if status is Status.ACCEPTED else ()
    return Verdict(status, "TCT-1", AT, reasons, payables)


def verdict_notice(text: str = "<verdict/>") -> SignedNotice:
    return SignedNotice(NoticeKind.VERDICT, AT, text.encode())
