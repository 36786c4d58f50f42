from __future__ import annotations

import random
from pathlib import Path

import pytest
from lxml import etree

from signing import CANONICALISATIONS, CanonicalisationRefused, canonicalise, parse_xml
from signing.canonical import form_of
from tests.signing.documents import signed
from tests.signing.oracle import Xmlsec1
from tests.signing.pki import Hierarchy, signer

C14N = CANONICALISATIONS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]
C14N_COMMENTS = CANONICALISATIONS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"]
C14N11 = CANONICALISATIONS["http://www.w3.org/2006/12/xml-c14n11"]
EXCLUSIVE = CANONICALISATIONS["http://www.w3.org/2001/10/xml-exc-c14n#"]


def test_tags_in_comments_instructions_and_texts_are_no_elements() -> None:
    root = parse_xml(
        b"<?b <b> ?><!-- <b> --><a><!-- <b> </b> <? --><b>1<?p <b> <!-- ?><b>2</b>&lt;b></b>"
        b"<b x='>'>3</b></a><!--</b>-->"
    ).root
    form = form_of(root.getroottree(), C14N_COMMENTS)
    outer, last = root.findall("b")
    assert form.part(outer, C14N_COMMENTS) == b"<b>1<?p <b> <!-- ?><b>2</b>&lt;b&gt;</b>"
    assert form.part(outer[1], C14N_COMMENTS) == b"<b>2</b>"
    assert form.part(last, C14N_COMMENTS) == b'<b x=">">3</b>'
    assert form.part(root, C14N_COMMENTS, [outer, last]) == b"<a><!-- <b> </b> <? --></a>"


def part(data: str, path: str) -> etree._Element:
    found = parse_xml(data.encode()).root.find(path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("data", "path", "method", "octets"),
    [
        # inherited and unused namespaces are written on the part
        ('<a xmlns="u:d" xmlns:x="u:x"><b><c/></b></a>', "{*}b", C14N, '<b xmlns="u:d" xmlns:x="u:x"><c></c></b>'),
        ('<a xmlns="u:d" xmlns:x="u:x"><b><c/></b></a>', "{*}b", EXCLUSIVE, '<b xmlns="u:d"><c></c></b>'),
        # no spurious xmlns="" below a part in no namespace
        ("<a xmlns:x='u:x'><b><c><d/></c></b></a>", "b", C14N, '<b xmlns:x="u:x"><c><d></d></c></b>'),
        # a default namespace that was taken back above the part does not come back
        ("<a xmlns='u:d'><m xmlns=''><b/></m></a>", ".//b", C14N, "<b></b>"),
        # nearest declaration of a prefix
        ("<a xmlns:x='u:1'><m xmlns:x='u:2'><x:b/></m></a>", ".//{u:2}b", C14N, '<x:b xmlns:x="u:2"></x:b>'),
        # xml:* attributes are inherited by 1.0, xml:id not by 1.1, none by exclusive
        ("<a xml:lang='vi' xml:id='i'><b/></a>", "b", C14N, '<b xml:id="i" xml:lang="vi"></b>'),
        ("<a xml:lang='vi' xml:id='i'><b/></a>", "b", C14N11, '<b xml:lang="vi"></b>'),
        ("<a xml:lang='vi' xml:id='i'><b/></a>", "b", EXCLUSIVE, "<b></b>"),
        ("<a xml:lang='vi'><m xml:lang='en'><b/></m></a>", ".//b", C14N, '<b xml:lang="en"></b>'),
        # comments, sorting, escapes, CDATA, line ends
        ("<a><b>1<!--c-->2</b></a>", "b", C14N, "<b>12</b>"),
        ("<a><b>1<!--c-->2</b></a>", "b", C14N_COMMENTS, "<b>1<!--c-->2</b>"),
        ("<a><b z='1' a='&#9;&lt;&quot;'>\r\n&#13;<![CDATA[<&>]]></b></a>", "b", C14N,
         '<b a="&#x9;&lt;&quot;" z="1">\n&#xD;&lt;&amp;&gt;</b>'),
    ],
)  # fmt: skip
def test_canonical_form(data: str, path: str, method: object, octets: str) -> None:
    assert canonicalise(part(data, path), method).decode() == octets  # type: ignore[arg-type]


def test_taking_out_an_element_keeps_the_text_around_it() -> None:
    root = parse_xml(b"<a>1<x/>2<y/>3<z/>4</a>").root
    assert canonicalise(root, C14N, without=[root[0], root[1]]) == b"<a>123<z></z>4</a>"


@pytest.mark.parametrize(
    "data", ["<a xmlns='relative'><b/></a>", "<a xmlns:x='../up'><x:b/></a>", "<a><b xmlns='rel'/></a>"]
)
def test_a_relative_namespace_has_no_canonical_form(data: str) -> None:
    with pytest.raises(CanonicalisationRefused):
        canonicalise(parse_xml(data.encode()).root, C14N)


def test_xml_base_above_a_part_is_refused_under_1_1() -> None:
    with pytest.raises(CanonicalisationRefused, match="xml:base"):
        canonicalise(part("<a xml:base='http://x/'><b/></a>", "b"), C14N11)


def generated(seed: int) -> bytes:
    """A random document with namespaces declared, taken back and shadowed, xml:* attributes, comments, odd text."""
    rng = random.Random(seed)
    uris = ["u:1", "u:2", "http://kekhaithue.gdt.gov.vn/TKhaiThue"]

    def element(depth: int, scope: dict[str, str], signed_here: bool) -> str:
        scope = dict(scope)
        declared = ""
        for prefix in ("", "x", "y", "z"):
            if rng.random() < 0.3:
                uri = rng.choice([*uris, ""]) if prefix == "" else rng.choice(uris)
                scope[prefix] = uri
                declared += f' xmlns{":" if prefix else ""}{prefix}="{uri}"'
        names = [p for p in scope if p]
        prefix = rng.choice([*names, "", ""])
        attributes = ' id="ID_1"' if signed_here else ""
        if names and rng.random() < 0.4:
            attributes += f' {rng.choice(names)}:q="&#9;v&lt;"'
        if rng.random() < 0.2:
            attributes += ' xml:lang="vi"'
        if rng.random() < 0.15:
            attributes += ' xml:space="preserve"'
        tag = f"{prefix}:e" if prefix else "e"
        inner = "".join(
            rng.choice(["", "chữ &amp; &#13;", " \n ", "<!-- ghi chú -->", "<![CDATA[<]]>", "<?pi x?>"])
            + (element(depth + 1, scope, False) if depth < 5 else "")
            for _ in range(rng.randint(0, 3))
        )
        return f"<{tag}{declared}{attributes}>{inner}</{tag}>"

    return (
        f'<root xmlns="u:0" xmlns:w="u:w" xml:lang="en"><mid xmlns:x="u:1" xmlns="{rng.choice(["", "u:0"])}">'
        f"{element(0, {'x': 'u:1', 'w': 'u:w', '': ''}, True)}</mid></root>"
    ).encode()


@pytest.mark.parametrize("c14n", ["inclusive", "inclusive-with-comments", "exclusive"])
def test_xmlsec1_agrees_on_generated_documents(c14n: str, pki: Hierarchy, tmp_path: Path) -> None:
    """libxml2's own node-set canonicalisation, through xmlsec1, verifies what ours digested."""
    oracle = Xmlsec1.of(pki, tmp_path)
    key = signer(pki.ca, kind="p256")
    files = []
    for seed in range(200):
        place, prefix = ("mid/CKy" if seed % 2 else ""), (None if seed % 3 else "ds")
        files.append(tmp_path / f"{seed}.xml")
        files[-1].write_bytes(signed(key, generated(seed), c14n=c14n, place=place, prefix=prefix))
    assert [file.name for file in files if not oracle.verifies(file)] == []
    files[0].write_bytes(files[0].read_bytes().replace(b'id="ID_1"', b'id="ID_1" n="1"'))
    assert not oracle.verifies(files[0]), "the oracle accepts anything"
