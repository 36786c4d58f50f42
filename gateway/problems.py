"""The only map from errors to HTTP answers: problem details (RFC 9457) in Vietnamese and English."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Busy,
    CrossSite,
    Forbidden,
    GatewayError,
    KeyReused,
    NotFound,
    NotPossible,
    PapersDiffer,
    Removed,
    Stranger,
    StrangerReason,
    Unreadable,
    VerdictConflict,
    WrongMediaType,
)
from gateway.filing.findings import Finding, Text

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer: HTTP status, stable type, title and detail in both languages, findings, extra members."""

    status: int
    type: str
    title: Text
    detail: Text | None = None
    findings: Sequence[Finding] = ()
    extra: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None

    def as_json(self, language: str) -> dict[str, Any]:
        """RFC 9457 members; `title` and `detail` in `language` ("vi" or "en"), `titles` and findings in both."""
        members: dict[str, Any] = {
            "type": f"urn:efile:problem:{self.type}",
            "title": getattr(self.title, language),
            "status": self.status,
            "titles": asdict(self.title),
        }
        if self.detail is not None:
            members["detail"] = getattr(self.detail, language)
            members["details"] = asdict(self.detail)
        members["findings"] = [finding_json(finding) for finding in self.findings]
        members.update(self.extra or {})
        return members


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as the API, the CLI and the dry run print it; absent members are left out."""
    members: dict[str, Any] = {
        "code": finding.code,
        "severity": finding.severity.value,
        "stage": finding.stage.value,
        "message": {"vi": finding.message.vi, "en": finding.message.en},
        "remedy": {"vi": finding.remedy.vi, "en": finding.remedy.en},
    }
    where = {name: getattr(finding, name) for name in ("line", "path", "indicator", "value")}
    return members | {name: value for name, value in where.items() if value is not None}


REFUSED = Text("Hồ sơ bị từ chối", "The document is refused")
INTERNAL = Problem(
    500,
    "internal",
    Text("Lỗi nội bộ của cổng tiếp nhận", "Internal error of the gateway"),
    Text(
        "Chưa có gì được ghi nhận. Hãy gửi lại cùng tệp và cùng Idempotency-Key.",
        "Nothing has been promised. Send the same file with the same Idempotency-Key again.",
    ),
)


def problem_of(error: GatewayError) -> Problem:
    """The answer to an error."""
    for kind, make in _PROBLEMS:
        if isinstance(error, kind):
            return make(error)
    return INTERNAL


_OCTETS = re.compile(r"[:\n]| ?b?['\"]")
"""Where aiohttp's text goes on with what was sent."""
_HTTP = {
    404: Text("Không có địa chỉ này", "There is no such address"),
    405: Text("Địa chỉ này không nhận phương thức đó", "That method is not allowed at this address"),
}


def http_problem(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Problem:
    """What aiohttp itself answers to a request; `reason` where we have no words of our own."""
    return Problem(status, f"http-{status}", _HTTP.get(status, Text(reason, reason)), headers=headers)


def malformed_request(reason: str) -> Problem:
    """What HTTP's own syntax forbids (RFC 9112); of `reason` only what is not the sender's octets."""
    return Problem(
        400,
        "http-malformed",
        Text("Yêu cầu HTTP sai cú pháp", "The HTTP request is malformed"),
        Text(
            "Độ dài khai báo phải đúng với nội dung gửi, các dòng tiêu đề đúng RFC 9112. Chưa có gì được ghi nhận.",
            "The declared length must be that of the body, the headers as in RFC 9112. Nothing has been recorded.",
        ),
        extra={"reason": _OCTETS.split(reason, 1)[0][:100]},
    )


def _unreadable(error: Any) -> Problem:
    return Problem(
        400,
        "unreadable",
        Text("Không đọc được hồ sơ", "The document cannot be read"),
        Text("Chưa có gì được ghi nhận.", "Nothing has been recorded."),
        findings=error.findings,
    )


def _too_large(error: Any) -> Problem:
    return Problem(
        413,
        "too-large",
        Text("Hồ sơ quá lớn", "The document is too large"),
        Text(
            f"Tối đa {error.limit:,} byte. Chưa có gì được ghi nhận.".replace(",", "."),
            f"At most {error.limit:,} bytes. Nothing has been recorded.",
        ),
        extra={"limit": error.limit},
    )


def _media_type(error: Any) -> Problem:
    return Problem(
        415,
        "media-type",
        Text("Kiểu nội dung không được hỗ trợ", "Unsupported media type"),
        Text(
            f"Nhận được: {error}. Cần application/xml, UTF-8, không nén; có giấy tờ gửi kèm thì "
            "multipart/form-data hoặc multipart/related.",
            f"Got {error}; application/xml in UTF-8, uncompressed, is needed, or with papers beside it "
            "multipart/form-data or multipart/related.",
        ),
        headers={
            "Accept": "application/xml, multipart/form-data, multipart/related",
            "Accept-Encoding": "identity",
        },
    )


def _bad_request(error: Any) -> Problem:
    return Problem(400, error.code, Text("Yêu cầu không hợp lệ", "Bad request"), error.detail)


def _timeout(_: Any) -> Problem:
    return Problem(
        408,
        "body-timeout",
        Text("Gửi quá chậm hoặc bị ngắt giữa chừng", "Sent too slowly, or cut off"),
        Text("Chưa có gì được ghi nhận. Hãy gửi lại.", "Nothing has been recorded. Send it again."),
        headers={"Connection": "close"},
    )


def _key_reused(error: Any) -> Problem:
    return Problem(
        409,
        "idempotency-key-reused",
        Text("Idempotency-Key đã dùng cho nội dung khác", "The Idempotency-Key names other content already"),
        Text(
            f"Khóa này thuộc về hồ sơ {error.number}. Mỗi nội dung cần một khóa riêng.",
            f"This key belongs to filing {error.number}. Each content needs a key of its own.",
        ),
        extra={"number": error.number},
    )


def _papers_differ(error: Any) -> Problem:
    return Problem(
        409,
        "papers-differ",
        Text("Hồ sơ này đã được nộp với giấy tờ khác", "This document was filed with other papers"),
        Text(
            f"Tệp XML là của hồ sơ {error.number}, nhưng giấy tờ gửi kèm không phải là giấy tờ của hồ sơ đó. "
            "Chưa có gì được ghi nhận.",
            f"The XML is that of filing {error.number}, the papers beside it are not. Nothing has been recorded.",
        ),
        findings=error.findings,
        extra={"number": error.number},
    )


def _stranger(error: Any) -> Problem:
    return Problem(
        403,
        "client-refused",
        Text("Chứng thư số kết nối không được chấp nhận", "The client certificate is not accepted"),
        Text(_STRANGERS[error.reason], error.reason),
        extra={"reason": error.reason},
    )


_STRANGERS: dict[StrangerReason, str] = {
    "no client certificate": "không có chứng thư số kết nối",
    "not registered": "chứng thư số chưa được đăng ký",
    "revoked": "chứng thư số đã bị thu hồi",
    "expired": "chứng thư số đã hết hạn",
    "suspended": "đơn vị đang bị tạm ngừng",
    "not for this door": "chứng thư số không dùng cho chức năng này",
    "authority not trusted": "tổ chức cấp chứng thư số không còn được tin cậy",
}


def _forbidden(error: Any) -> Problem:
    return Problem(
        403,
        "admin.forbidden",
        Text("Vai trò của bạn không có quyền này", "Your roles do not give this right"),
        Text(f"Cần quyền {error.right}.", f"The right {error.right} is needed."),
        extra={"right": error.right},
    )


def _cross_site(_: Any) -> Problem:
    return Problem(
        403,
        "admin.cross-site",
        Text(
            "Yêu cầu không đến từ trang của cổng này",
            "The request does not come from this gateway's own page",
        ),
        Text(
            "Chưa có gì thay đổi. Hãy mở lại trang và thử lại.",
            "Nothing has been changed. Open the page again and try once more.",
        ),
    )


def _not_possible(error: Any) -> Problem:
    return Problem(
        409, "admin.not-possible", Text("Không thực hiện được", "This cannot be done"), error.detail
    )


def _not_found(_: Any) -> Problem:
    return Problem(404, "not-found", Text("Không tìm thấy", "Not found"))


def _removed(error: Any) -> Problem:
    return Problem(
        410,
        "removed",
        Text("Nội dung đã hết thời hạn lưu giữ", "Its term of retention is over"),
        Text(
            f"Nội dung hồ sơ {error} không còn được lưu; trạng thái và các thông báo vẫn còn.",
            f"What was filed as {error} is no longer kept; its status and notices are.",
        ),
    )


def _busy(error: Any) -> Problem:
    return Problem(
        503,
        "busy",
        Text("Hệ thống đang quá tải hoặc tạm gián đoạn", "The gateway is busy or interrupted"),
        Text(
            "Chưa có gì được xác nhận. Hãy gửi lại cùng tệp và cùng Idempotency-Key.",
            "Nothing has been promised. Send the same file with the same Idempotency-Key again.",
        ),
        headers={"Retry-After": str(error.retry_after)},
    )


def _conflict(error: Any) -> Problem:
    return Problem(
        409,
        "verdict-conflict",
        Text("Kết quả trái với kết quả đã ghi nhận", "The verdict contradicts the recorded one"),
        Text(f"Hồ sơ {error} giữ kết quả đầu tiên.", f"Filing {error} keeps its first verdict."),
    )


_PROBLEMS: tuple[tuple[type[GatewayError], Callable[[Any], Problem]], ...] = (
    (Unreadable, _unreadable),
    (BodyTooLarge, _too_large),
    (WrongMediaType, _media_type),
    (BadRequest, _bad_request),
    (BodyTimeout, _timeout),
    (KeyReused, _key_reused),
    (PapersDiffer, _papers_differ),
    (Stranger, _stranger),
    (Forbidden, _forbidden),
    (CrossSite, _cross_site),
    (NotPossible, _not_possible),
    (NotFound, _not_found),
    (Removed, _removed),
    (VerdictConflict, _conflict),
    (Busy, _busy),
)
