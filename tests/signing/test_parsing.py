from __future__ import annotations

import resource
from pathlib import Path

import pytest

from signing import ParseLimits, XmlRefused, parse_xml
from tests.signing.conftest import shared


def refused(data: bytes, limits: ParseLimits | None = None) -> set[str]:
    with pytest.raises(XmlRefused) as caught:
        parse_xml(data, limits)
    for fault in caught.value.faults:
        assert fault.message_vi
        assert fault.message_en
        assert fault.remedy_vi
        assert fault.remedy_en
    return {fault.code for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml.empty"),
        (b" \n\t", "xml.empty"),
        (b"not xml", "xml.syntax"),
        (b"<a><b></a>", "xml.syntax"),
        (b"<a/><b/>", "xml.syntax"),
        (b'<a x="1" x="2"/>', "xml.syntax"),
        (b"<a>&undeclared;</a>", "xml.syntax"),
        (b"<p:a/>", "xml.syntax"),
        (b"<a>\x01</a>", "xml.syntax"),
        (b"<a>\0</a>", "xml.nul"),
        (b"<a>\xff</a>", "xml.not-utf8"),
        (b"<a>\xed\xa0\x80</a>", "xml.not-utf8"),
        (b"<a>\xc0\xbca/></a>", "xml.not-utf8"),
        (b"<!DOCTYPE a><a/>", "xml.doctype"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "xml.doctype"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'xx'>]><a>&x;</a>", "xml.doctype"),
        (b"<!doctype a><a/>", "xml.syntax"),
        ("<a>é</a>".encode("utf-16"), "xml.nul"),
        (b"<?xml version='1.0' encoding='UTF-7'?><a/>", "xml.encoding-declared"),
        (b"<?xml version='1.0' encoding='windows-1258'?><a/>", "xml.encoding-declared"),
        (b"<?xml version='1.1'?><a/>", "xml.version"),
    ],
)
def test_refused_bytes(data: bytes, code: str) -> None:
    assert code in refused(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone='no'?><a/>",
        '<?xml version="1.0" encoding="UTF-8"?><a b="Tiếng Việt">&lt;&#65;</a>'.encode(),
    ],
)
def test_taken(data: bytes) -> None:
    document = parse_xml(data)
    assert document.data == data
    assert document.root.tag == "a"


def test_comments_and_instructions_are_kept() -> None:
    root = parse_xml(b"<a>12<!-- x -->3<?y z?></a>").root
    assert len(root) == 2


def test_the_line_is_told() -> None:
    with pytest.raises(XmlRefused) as caught:
        parse_xml(b"<a>\n<b>\n</c>\n</a>")
    assert caught.value.faults[0].line == 3


def test_the_parsers_warnings_are_no_faults() -> None:
    with pytest.raises(XmlRefused) as caught:
        parse_xml(b"<a xmlns='relative'><b></a>")
    assert not [fault for fault in caught.value.faults if "absolute" in fault.message_en]


def test_limits_are_exact() -> None:
    limits = ParseLimits(
        max_bytes=100, max_depth=3, max_attributes_per_element=2, max_elements=4, max_attributes=5
    )
    parse_xml(b'<a><b><c x="1" y="2"/></b><d/></a>', limits)
    assert refused(b"<a><b><c><d/></c></b></a>", limits) == {"xml.depth"}
    assert refused(b'<a x="1" y="2" z="3"/>', limits) == {"xml.attributes"}
    assert refused(b"<a><b/><c/><d/><e/></a>", limits) == {"xml.elements"}
    assert refused(b"<a>" + b"x" * 100 + b"</a>", limits) == {"xml.too-large"}
    for text in (b"<a>1<!--2-->3<b/>4<?c?></a>", b"<a>><b/>><b/>><b/></a>", b'<a x="1" y="2" z="3" u="4"/>'):
        assert refused(text, ParseLimits(max_nodes=6, max_elements=6, max_attributes=5)) == {"xml.nodes"}, (
            text
        )
    assert refused(b'<a x="1" y="2"><b x="1" y="2"/><c x="1" y="2"/></a>', limits) == {"xml.attribute-count"}
    both = refused(b'<a x="1" y="2" z="3"><b><c><d/></c></b></a>', limits)
    assert both == {"xml.depth", "xml.attributes"}


HOSTILE = {
    "20,000 namespaces": (
        b"<a " + b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(20_000)) + b"/>",
        "xml.namespace-cost",
    ),
    "2,000 namespaces over 2,000 elements": (
        b"<a "
        + b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(2_000))
        + b">"
        + b"<b/>" * 2_000
        + b"</a>",
        "xml.namespace-cost",
    ),
    "nested namespaces": (
        b"".join(b'<a xmlns:n%d="u:%d">' % (i, i) for i in range(90)) + b"<b/>" * 9_000 + b"</a>" * 90,
        "xml.namespace-cost",
    ),
    "100,000 attributes": (
        b"<a " + b" ".join(b'a%d=""' % i for i in range(100_000)) + b"/>",
        "xml.attributes",
    ),
    "20 MB of attributes": (
        b"<a>" + b"<b " + b" ".join(b'a%d=""' % i for i in range(1_500_000)) + b"/></a>",
        "xml.attribute-count",
    ),
    "depth 10,000": (b"<a>" * 10_000 + b"</a>" * 10_000, "xml.syntax"),
    "depth 200": (b"<a>" * 200 + b"</a>" * 200, "xml.depth"),
    "5 million elements": (b"<a>" + b"<b/>" * 4_900_000 + b"</a>", "xml.elements"),
    "3 million comments": (b"<a>" + b"<!---->" * 2_800_000 + b"</a>", "xml.elements"),
    "30 MB": (b"<a>" + b"x" * 30_000_000 + b"</a>", "xml.too-large"),
    "one text of 15 MB": (b"<a>" + b"x" * 15_000_000 + b"</a>", "xml.syntax"),
    "entity bomb": (
        b"<!DOCTYPE a [<!ENTITY b 'b'>" + b"".join(b"<!ENTITY c%d '&b;'>" % i for i in range(99)) + b"]><a/>",
        "xml.doctype",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_by_the_guard_meant_for_them(name: str) -> None:
    data, code = HOSTILE[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(data) == {code}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


def test_many_namespaces_are_taken_where_they_cost_nothing() -> None:
    """Namespaces declared again and again but never in scope together, as some signing software writes them."""
    data = b"<a>" + b'<b xmlns:x="u:1" xmlns:y="u:2"/>' * 700 + b"</a>"
    assert len(parse_xml(data).root) == 700


def test_nothing_external_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    for data in (
        f'<!DOCTYPE a SYSTEM "file://{secret}"><a/>',
        f'<!DOCTYPE a [<!ENTITY % p SYSTEM "file://{secret}">%p;]><a/>',
        f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></a>',
    ):
        try:
            told = "".join(parse_xml(data.encode()).root.itertext())
        except XmlRefused as error:
            told = str(error)
        assert "SECRET" not in told


def test_the_genuine_sample_is_taken() -> None:
    parsed = parse_xml(shared("samples/tvan-202-hdon-ts24test.signed.xml").read_bytes())
    assert parsed.root.tag
