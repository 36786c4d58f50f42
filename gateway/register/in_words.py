"""Why a file, a key, a list or a host cannot be used, for people who do not read the libraries' English."""

from __future__ import annotations

import ssl

import signing
from gateway.errors import ConfigurationError
from gateway.filing.findings import Text
from signing.fetching import FetchFailed

_FILES: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "không có tệp"),
    (PermissionError, "không được phép đọc tệp"),
    (IsADirectoryError, "không phải là tệp"),
    (OSError, "hệ điều hành không đọc được tệp"),
)
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "chứng thư hoặc khóa TLS không hợp lệ"),
    (OSError, "hệ điều hành báo lỗi"),
    (signing.KeyRefused, "khóa không mở được, hoặc không ký được"),
    (signing.TrustRefused, "thư mục tin cậy có tệp không dùng được"),
    (signing.CrlRefused, "danh sách thu hồi không hợp lệ"),
    (signing.OcspRefused, "câu trả lời OCSP không hợp lệ"),
    (FetchFailed, "máy chủ không trả lời, trả lời quá chậm hoặc quá dài"),
    (ConfigurationError, "khai báo không đúng"),
    (ValueError, "nội dung không đúng định dạng"),
    (Exception, "lỗi không rõ"),
)


def unusable(error: Exception) -> Text:
    """Both sides whole; what a library said in English stands in the Vietnamese one only as a quotation."""
    return Text(f"Không dùng được: {_why(error)}.", f"It cannot be used: {error}")


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{next(words for kind, words in _FILES if isinstance(error, kind))} {error.filename}"
    words = next(words for kind, words in _KINDS if isinstance(error, kind))
    return f"{words} (nguyên văn: {error})"
