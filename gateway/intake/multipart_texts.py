"""What may be wrong with a multipart request, in words. Nothing of such a request is recorded."""

from __future__ import annotations

from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage

_AGAIN = Text(
    "Gửi lại yêu cầu multipart đúng RFC 2046 (thư viện HTTP thường tự tạo).",
    "Send the request again as RFC 2046 has it (an HTTP library usually makes it).",
)
_MOST_SHOWN = 80


def _error(code: str, message: Text, remedy: Text = _AGAIN, value: str | None = None) -> Finding:
    shown = None if value is None else value.encode("unicode_escape").decode("ascii")[:_MOST_SHOWN]
    if value is not None and value.isprintable():
        shown = value[:_MOST_SHOWN]
    return Finding(code, Severity.ERROR, Stage.RECEIVE, message, remedy, value=shown)


def content_type(header: str) -> Finding:
    """Parameters that cannot be read."""
    message = Text(
        "Không đọc được tham số của Content-Type.", "The parameters of Content-Type cannot be read."
    )
    return _error("multipart.content-type", message, value=header)


def boundary(found: str) -> Finding:
    """None, too long, or with other characters."""
    message = Text(
        "Content-Type không có boundary hợp lệ (1 đến 70 ký tự ASCII theo RFC 2046).",
        "Content-Type has no usable boundary (1 to 70 ASCII characters by RFC 2046).",
    )
    return _error("multipart.boundary", message, value=found or None)


def no_parts() -> Finding:
    """The boundary stands nowhere."""
    message = Text(
        "Không có phần nào trong nội dung gửi lên: không thấy dòng boundary đã khai.",
        "There is no part in the body: the declared boundary stands nowhere.",
    )
    return _error("multipart.no-parts", message)


def boundary_line() -> Finding:
    """More on the line than the boundary."""
    message = Text(
        "Sau boundary còn ký tự khác trên cùng một dòng.", "Other characters follow the boundary on its line."
    )
    return _error("multipart.boundary-line", message)


def stray() -> Finding:
    """Octets that belong to no part."""
    message = Text(
        "Có nội dung nằm ngoài các phần: trước boundary đầu tiên hoặc sau boundary kết thúc.",
        "Something stands outside all parts: before the first boundary, or after the last.",
    )
    return _error("multipart.stray", message)


def cut_off() -> Finding:
    """No closing boundary."""
    message = Text(
        "Nội dung bị cắt: thiếu boundary kết thúc.", "The body is cut off: its closing boundary is missing."
    )
    return _error("multipart.cut-off", message)


def part_header() -> Finding:
    """Malformed, doubled or too long."""
    message = Text(
        "Phần đầu (header) của một phần sai dạng, trùng tên, quá dài hoặc không phải UTF-8.",
        "The headers of a part are malformed, doubled, too long, or not UTF-8.",
    )
    return _error("multipart.part-header", message)


def too_many_parts(most: int) -> Finding:
    """More than a dossier can list."""
    message = Text(f"Có quá {most} phần.", f"There are more than {most} parts.")
    return _error("multipart.too-many-parts", message, Text("Gộp các tệp lại.", "Join the files."))


def transfer_encoding(encoding: str) -> Finding:
    """Encoded or compressed octets (RFC 7578, 4.7)."""
    message = Text(
        "Một phần được mã hóa hoặc nén (Content-Transfer-Encoding, Content-Encoding).",
        "A part is encoded or compressed (Content-Transfer-Encoding, Content-Encoding).",
    )
    remedy = Text("Gửi các byte nguyên dạng (binary).", "Send its octets as they are (binary).")
    return _error("multipart.transfer-encoding", message, remedy, encoding)


def file_name(name: str) -> Finding:
    """None, or one that no file may have."""
    message = Text(
        "Một phần không có tên tệp, hoặc tên tệp không hợp lệ (đường dẫn, ký tự điều khiển, quá 200 ký tự).",
        "A part has no file name, or one that cannot be (a path, a control character, over 200 characters).",
    )
    remedy = Text(
        "Nêu tên tệp đúng như trong hồ sơ: filename của Content-Disposition, hoặc Content-ID.",
        "Give the file name that the dossier lists: filename of Content-Disposition, or Content-ID.",
    )
    return _error("multipart.file-name", message, remedy, name or None)


def root() -> Finding:
    """Two parts that say so, or none under the name that `start` gives."""
    message = Text(
        "Không xác định được phần nào là hồ sơ đã ký: có nhiều phần tên filing, hoặc không có phần mà start nêu.",
        "It cannot be told which part is the signed file: several are called filing, or there is none as start says.",
    )
    remedy = Text(
        "Đặt tệp XML đã ký làm phần đầu tiên, hoặc phần duy nhất có tên filing.",
        "Put the signed XML first, or into the only part called filing.",
    )
    return _error("multipart.root", message, remedy)
