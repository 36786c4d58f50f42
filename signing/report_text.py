"""The verdict in words, Vietnamese or English: what a person reads first, then every check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Literal

from signing.report import Check, Covered, Indication, Outcome, Report, SignatureReport, TimestampReport

Language = Literal["vi", "en"]
_VIETNAM = timezone(timedelta(hours=7))
_MARKS = {Outcome.PASSED: "✓", Outcome.WARNING: "!", Outcome.INDETERMINATE: "?", Outcome.FAILED: "✗"}
_WORDS = {
    "vi": {
        Indication.PASSED: "Chữ ký hợp lệ",
        Indication.INDETERMINATE: "Chưa thể kết luận",
        Indication.FAILED: "Chữ ký không hợp lệ",
        "judged": "Thời điểm kiểm tra",
        "signature": "Chữ ký",
        "signer": "Người ký",
        "tax-codes": "Mã số thuế",
        "issuer": "Tổ chức cấp chứng thư",
        "claimed": "Thời điểm ký (người ký khai)",
        "proven": "Thời điểm ký được chứng minh",
        "policy": "Chính sách ký",
        "commitments": "Cam kết",
        "roles": "Vai trò (người ký khai)",
        "place": "Nơi ký (người ký khai)",
        "covered": "Phần được ký",
        "whole": "toàn bộ tài liệu",
        "timestamp": "Dấu thời gian",
        "nothing": "không có phần nào được chứng minh",
        "bytes": "byte",
    },
    "en": {
        Indication.PASSED: "The signature is valid",
        Indication.INDETERMINATE: "No conclusion can be drawn",
        Indication.FAILED: "The signature is not valid",
        "judged": "Judged as of",
        "signature": "Signature",
        "signer": "Signer",
        "tax-codes": "Tax codes",
        "issuer": "Issued by",
        "claimed": "Signing time (the signer's word)",
        "proven": "Proven to exist at",
        "policy": "Signature policy",
        "commitments": "Commitments",
        "roles": "Roles (the signer's word)",
        "place": "Place (the signer's word)",
        "covered": "Signed",
        "whole": "the whole document",
        "timestamp": "Time stamp",
        "nothing": "nothing is proven to be signed",
        "bytes": "octets",
    },
}


def text_report(report: Report, language: Language) -> str:
    """Lines of text, ending with a line break; times in Vietnam time with their offset."""
    return "\n".join(_lines(report, language)) + "\n"


def covered_name(covered: Covered) -> str:
    """What was signed, in short: "/" for the whole document, else the reference as written, or the place."""
    if not covered.path and covered.uri in ("", "#xpointer(/)"):
        return "/"
    if covered.uri:
        return covered.uri
    return "/*" + "".join(f"/*[{step + 1}]" for step in covered.path)


def _lines(report: Report, language: Language) -> Iterator[str]:
    words = _WORDS[language]
    sub = f" ({report.sub_indication})" if report.sub_indication else ""
    yield f"{report.indication.value}{sub}: {words[report.indication]}"
    yield f"{words['judged']}: {_time(report.at)}, {report.policy}"
    yield from _checks(report.checks, language, "  ")
    for number, signature in enumerate(report.signatures, 1):
        yield from _signature(number, signature, language)


def _signature(number: int, signature: SignatureReport, language: Language) -> Iterator[str]:
    words = _WORDS[language]
    sub = f" ({signature.sub_indication})" if signature.sub_indication else ""
    name = f" {signature.id}" if signature.id else ""
    yield ""
    yield f"{words['signature']} {number}{name}, {signature.profile}: {signature.indication.value}{sub}"
    if signature.signer is not None:
        yield f"  {words['signer']}: {signature.signer.subject}"
        if signature.signer.tax_codes:
            yield f"  {words['tax-codes']}: {', '.join(signature.signer.tax_codes)}"
        yield f"  {words['issuer']}: {signature.signer.issuer}"
    if signature.claimed_signing_time is not None:
        yield f"  {words['claimed']}: {_time(signature.claimed_signing_time)}"
    if signature.best_signature_time is not None:
        yield f"  {words['proven']}: {_time(signature.best_signature_time)}"
    said = signature.statements
    for word, texts in (
        ("policy", (said.signature_policy,) if said.signature_policy else ()),
        ("commitments", said.commitments),
        ("roles", said.claimed_roles),
        ("place", said.place),
    ):
        if texts:
            yield f"  {words[word]}: {', '.join(texts)}"
    for covered in signature.covered:
        name = covered_name(covered)
        what = words["whole"] if name == "/" else name
        yield f"  {words['covered']}: {what} ({len(covered.octets)} {words['bytes']})"
    if not signature.covered:
        yield f"  {words['covered']}: {words['nothing']}"
    yield from _checks(signature.checks, language, "  ")
    for timestamp in signature.timestamps:
        yield from _timestamp(timestamp, language)


def _timestamp(timestamp: TimestampReport, language: Language) -> Iterator[str]:
    when = _time(timestamp.generated_at) if timestamp.generated_at else "-"
    yield f"  {_WORDS[language]['timestamp']} ({timestamp.kind}) {when}: {timestamp.indication.value}"
    yield from _checks(timestamp.checks, language, "    ")


def _checks(checks: tuple[Check, ...], language: Language, indent: str) -> Iterator[str]:
    for check in checks:
        message = check.message_vi if language == "vi" else check.message_en
        remedy = check.remedy_vi if language == "vi" else check.remedy_en
        yield f"{indent}{_MARKS[check.outcome]} {message} [{check.clause}]"
        if remedy and check.outcome is not Outcome.PASSED:
            yield f"{indent}  → {remedy}"


def _time(value: datetime) -> str:
    return value.astimezone(_VIETNAM).isoformat(timespec="seconds")
