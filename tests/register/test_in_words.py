"""Why something cannot be used, in Vietnamese too: a library's English stands in it as a quotation alone."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

import signing
from gateway.errors import ConfigurationError
from gateway.register.in_words import unusable
from signing.fetching import FetchFailed

_GATEWAY = Path(__file__).parents[2] / "gateway"
_QUOTED = re.compile(r" \(nguyên văn: .*\)\.$", re.DOTALL)


def _raised(file: Path) -> OSError:
    try:
        file.read_bytes()
    except OSError as error:
        return error
    raise AssertionError(file)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (signing.KeyRefused("key.pem: wrong password"), "khóa không mở được"),
        (signing.TrustRefused("no anchors"), "thư mục tin cậy"),
        (signing.CrlRefused("bad signature"), "danh sách thu hồi"),
        (signing.OcspRefused("bad signature"), "OCSP"),
        (FetchFailed("http://crl: 503"), "máy chủ không trả lời"),
        (ConfigurationError(["[notices] csc: no token"]), "khai báo không đúng"),
        (ssl.SSLError(1, "[SSL] PEM lib"), "TLS"),
        (ValueError("Unable to load PEM file"), "không đúng định dạng"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "không đúng định dạng"),
        (OSError(28, "No space left on device"), "hệ điều hành"),
        (RuntimeError("boom"), "lỗi không rõ"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_the_reason_stands_before_what_is_quoted(error: Exception, words: str) -> None:
    told = unusable(error)
    said = _QUOTED.sub("", told.vi)
    assert said != told.vi, "the quotation is marked as one"
    assert words in said
    assert str(error) in told.vi
    assert str(error) in told.en


def test_a_file_is_named_and_what_is_wrong_with_it_said_without_english(tmp_path: Path) -> None:
    for file, words in ((tmp_path / "gone.pem", "không có tệp"), (tmp_path, "không phải là tệp")):
        told = unusable(_raised(file))
        assert told.vi == f"Không dùng được: {words} {file}."
        assert str(file) in told.en


def test_no_vietnamese_text_ends_in_an_exceptions_own_sentence() -> None:
    """In what is written as one literal: `Text(f"…: {error}", …)`."""
    bare = re.compile(r'Text\(\s*f"[^"]*: \{(?:error|exc|why)(?:\.\w+)?\}\.?",')
    found = [
        (file.relative_to(_GATEWAY).as_posix(), hit.group())
        for file in sorted(_GATEWAY.rglob("*.py"))
        for hit in bare.finditer(file.read_text("utf-8"))
    ]
    assert found == []
