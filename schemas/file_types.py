"""What a file is by its first octets, and what acts by itself in a PDF."""

from __future__ import annotations

import re

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"PK\x03\x04", "application/zip"),
    (b"<?xml", "application/xml"),
)
_NAME = re.compile(rb"/((?:[^\x00-\x20/<>\[\](){}%#]|#[0-9A-Fa-f]{2}){1,40})")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_ACTIVE = frozenset(
    {b"JavaScript", b"JS", b"Launch", b"OpenAction", b"AA", b"EmbeddedFile", b"RichMedia", b"XFA"}
)


def media_type_of(content: bytes) -> str | None:
    """The media type that the first octets say, None for one not known here. A PDF may start within 1,024 octets
    (ISO 32000-1 annex H)."""
    for magic, name in _MAGIC:
        if content.startswith(magic):
            return name
    return "application/pdf" if b"%PDF-" in content[:1024] else None


def active_content(pdf: bytes) -> list[str]:
    """The names of what runs, opens or carries something by itself, as far as they stand uncompressed in the file."""
    found = {_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), match[1]) for match in _NAME.finditer(pdf)}
    return sorted(name.decode("ascii") for name in found & _ACTIVE)
