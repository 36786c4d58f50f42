"""What a file is by its first octets; what acts by itself in a PDF, and whether one bears signatures."""

from __future__ import annotations

import binascii
import re

PDF = "application/pdf"
_MAGIC = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"PK\x03\x04", "application/zip"),
    (b"<?xml", "application/xml"),
)
_ACTIVE = (b"AA", b"EmbeddedFile", b"JS", b"JavaScript", b"Launch", b"OpenAction", b"RichMedia", b"XFA")
_NAMES = {name: re.compile(rb"/%b(?![^\x00-\x20/<>\[\](){}%%])" % name) for name in _ACTIVE}
_BYTE_RANGE = re.compile(
    rb"/" + b"".join(rb"(?:%c|#(?i:%02x))" % (letter, letter) for letter in b"ByteRange")
)
_AS_QUOTED_PRINTABLE = bytes.maketrans(b"#=\r", b"=#\n")


def media_type_of(content: bytes) -> str | None:
    """The media type that the first octets say, None for one not known here. A PDF may start within 1,024 octets
    (ISO 32000-1 annex H)."""
    for magic, name in _MAGIC:
        if content.startswith(magic):
            return name
    return PDF if b"%PDF-" in content[:1024] else None


def active_content(pdf: bytes) -> list[str]:
    """The names of what runs, opens or carries something by itself, as far as they stand uncompressed in the file.

    A letter may be written as `#` and its number (ISO 32000-2, 7.3.5): quoted-printable with another sign.
    """
    plain = binascii.a2b_qp(pdf.translate(_AS_QUOTED_PRINTABLE))
    return [name.decode("ascii") for name, pattern in _NAMES.items() if pattern.search(plain)]


def bears_signature(pdf: bytes) -> bool:
    """Whether a signature may stand in the PDF: its dictionary is never compressed, since its value lies in a gap of
    the file's own octets, which /ByteRange names (ISO 32000-2, 12.8.1)."""
    return _BYTE_RANGE.search(pdf) is not None
