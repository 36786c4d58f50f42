"""What a file is by its octets; hostile PDFs cost no more than others."""

from __future__ import annotations

import pytest

from schemas.file_types import active_content, bears_signature, media_type_of
from tests.cost import affordable

LARGE = 15_000_000


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7 ...", "application/pdf"),
        (b"\n" * 1000 + b"%PDF-1.4", "application/pdf"),
        (b"\n" * 2000 + b"%PDF-1.4", None),
        (b"PK\x03\x04...", "application/zip"),
        (b"MZ\x90", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_octets_say(content: bytes, found: str | None) -> None:
    assert media_type_of(content) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<</S/JavaScript/JS(app.alert)>>", ["JS", "JavaScript"]),
        (b"<</OpenAction 5 0 R/AA<<>>>>", ["AA", "OpenAction"]),
        (b"/J#61va#53cript ", ["JavaScript"]),
        (b"/#4a#53(x)", ["JS"]),
        (b"/#4A#53", ["JS"]),
        (b"/EmbeddedFiles /JSx /AAA /XFAB", []),
        (b"/JSx /JS", ["JS"]),
        (b"#\r/JS \n", ["JS"]),
        (b"=4A #/JS", ["JS"]),
        (b"JavaScript, (Launch)", []),
    ],
)
def test_what_acts_by_itself_is_named(content: bytes, found: list[str]) -> None:
    assert active_content(content) == found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<</ByteRange[0 1 2 3]>>", True),
        (b"<</Byte#52ange [0 1 2 3]>>", True),
        (b"/#42#79#74#65#52#61#6e#67#65", True),
        (b"/#42#79#74#65#52#61#6E#67#65", True),
        (b"/byterange /ByteRang ByteRange /Byte#72ange", False),
    ],
)
def test_what_may_be_signed_says_what_octets_are(content: bytes, found: bool) -> None:
    assert bears_signature(content) is found


@pytest.mark.parametrize(
    "part",
    [
        b"/",
        b"/a",
        b"/JS#",
        b"/JSx",
        b"/OpenActio",
        b"#4a",
        b"/#4a#53x",
        b"#",
        b"//JavaScrip#74x",
        b"#4#6#5#53",
        b"/ByteRang",
        b"/Byte#52#61",
    ],
)
def test_hostile_names_cost_less_than_a_second(part: bytes) -> None:
    content = b"%PDF-1.7 " + part * (LARGE // len(part))
    for _ in affordable(1.0):
        active_content(content)
        assert not bears_signature(content)
