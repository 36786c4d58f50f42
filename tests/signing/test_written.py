"""Parts taken as they are written must be what canonicalising gives; and what most signers write must be taken."""

from __future__ import annotations

import random

import pytest

from signing import CANONICALISATIONS, XmlRefused, parse_xml
from signing.canonical import INCLUSIVE, CanonicalisationRefused, canonicalise, form_of
from signing.parsing import XmlDocument
from signing.written import WrittenForm, is_canonical

DOCUMENTS = 600
_NAMES = ("a", "ab", "b", "p:a", "p:ab", "q:a")
_TEXTS = ("", "", "chữ", " \n  ", "a=b", "QUJD==", "QQ=", "x &amp; y", "&lt;a&gt;", 'it\'s "so"', "a/b: c")
_ODD_TEXTS = (
    "a>b",
    "a > b",
    "&quot;",
    "&#13;",
    "&#65;",
    "\r\n",
    "<!--c-->",
    "<![CDATA[<a>]]>",
    "<?p q?>",
    "==&gt;",
    "=\t",
)
_ATTRIBUTES = ("", "", "", ' id="1"', ' x="a b"', ' x="a:b/c"')
_ODD_ATTRIBUTES = (
    *(" x='1'", '  x="1"', '\tx="1"', ' x ="1"', ' x= "1"', ' x="1" ', "\n", ' x="a>b"', ' x="&amp;"', ' x="a=b"'),
    *(' x="a\nb"', ' x="a\tb"', ' p:x="1"', ' xml:lang="vi"', ' y="1" x="2"', ' x="1" y="2"', ' x="&lt;"'),
    *(' xmlns=""', ' xmlns="u:2"', ' xmlns:r="u:r"', ' xmlns:p="u:p"', ' xmlns:p="u:2"', ' xmlns:r="no"'),
    *(' xml:id=" i "', ' xmlns="u:0"'),
)  # fmt: skip
_ENDS = (">", " >", "\n>", "\t>")


class _Writer:
    """A document from a seed, as a signer writes it, with `oddness` of every place spelled otherwise."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.oddness = self.rng.choice((0.0, 0.0, 0.02, 0.1))

    def document(self) -> str:
        rng = self.rng
        default = rng.choice(("", ' xmlns="u:0"'))
        prefixes = rng.choice((' xmlns:p="u:p" xmlns:q="u:q"', ' xmlns:q="u:q" xmlns:p="u:p&amp;"'))
        above = rng.choice(("", "", ' xml:lang="vi"', ' id="r"', ' q:y="1" id="r"'))
        declaration = rng.choice(
            ("", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>\n', "\ufeff")
        )
        name = rng.choice(("root", "p:root"))
        around = [self.odd(("", "\n"), ("<!--c-->", "<?p q?>", "<?xmlp q?>")) for _ in range(2)]
        return (
            f"{declaration}{around[0]}<{name}{default}{prefixes}{above}>{self.element(0)}{self.signature()}"
            f"{self.element(0)}</{name}>{around[1]}"
        )

    def odd(self, usual: tuple[str, ...], unusual: tuple[str, ...]) -> str:
        return self.rng.choice(unusual if self.rng.random() < self.oddness else usual)

    def signature(self) -> str:
        return '<s:Signature xmlns:s="u:s"><s:a n="1"/><a></a ></s:Signature>'

    def element(self, depth: int) -> str:
        rng = self.rng
        name = rng.choice(_NAMES[: rng.choice((1, 3, 6))])
        attributes = self.odd(_ATTRIBUTES, _ODD_ATTRIBUTES)
        if rng.random() < self.oddness / 2:
            return f"<{name}{attributes}{rng.choice(('/>', ' />'))}"
        inner = "".join(
            self.odd(_TEXTS, _ODD_TEXTS) + (self.element(depth + 1) if depth < 4 else "")
            for _ in range(rng.randint(0, 3))
        )
        return (
            f"<{name}{attributes}>{inner}{self.odd(_TEXTS, _ODD_TEXTS)}</{name}{self.odd(_ENDS[:1], _ENDS)}"
        )


def test_what_is_taken_as_written_is_the_canonical_form() -> None:
    taken = asked = 0
    for seed in range(DOCUMENTS):
        try:
            document = parse_xml(_Writer(seed).document().encode())
        except XmlRefused:  # an attribute twice
            continue
        signature = next(document.root.iter("{u:s}Signature"))
        for method in CANONICALISATIONS.values():
            written = WrittenForm(document)
            for element in (None, *document.root.iter("*")):
                inside = element is None or element is document.root
                without = [signature] if inside and seed % 3 else []
                asked += 1
                found = written.part(element, method, without)
                if found is not None:
                    taken += 1
                    assert found == _canonical(document, element, method, without), (
                        seed,
                        element,
                        method.uri,
                    )
    assert taken > asked / 5, (taken, asked)


_SPELLINGS = [
    *(f"<a{attribute}>x</a>" for attribute in _ODD_ATTRIBUTES),
    *(f"<a>{text}</a>" for text in _ODD_TEXTS),
    *(f"<a>x</a{end}" for end in _ENDS[1:]),
    *("<a/>", '<a x="1"/>', "<a\n/>", '<a x="1"\n>x</a>'),
]


@pytest.mark.parametrize("inside", _SPELLINGS, ids=[ascii(spelling) for spelling in _SPELLINGS])
def test_one_thing_spelled_otherwise(inside: str) -> None:
    document = parse_xml(f'<r xmlns="u:0" xmlns:p="u:p">{inside}</r>'.encode())
    for method in CANONICALISATIONS.values():
        found = WrittenForm(document).part(None, method, ())
        try:
            wanted = _canonical(document, None, method, [])
        except CanonicalisationRefused:
            wanted = None
        assert found in (None, wanted)


def _canonical(document: XmlDocument, element: object, method: object, without: list[object]) -> bytes:
    if element is None:
        return form_of(document.root.getroottree(), method).part(None, method, without)  # type: ignore[arg-type]
    return canonicalise(element, method, without=without)  # type: ignore[arg-type]


def test_what_signers_write_is_taken() -> None:
    form = '<HSo xmlns="u:0" xmlns:x="u:x"><TKhai id="ID_1">\n <a>ă &amp; b</a><b n="1">x</b></TKhai><s><t/></s></HSo>'
    document = parse_xml(form.encode())
    body, signature = document.root
    written = WrittenForm(document)
    for method in CANONICALISATIONS.values():
        assert written.part(body, method, ()) == _canonical(document, body, method, [])
        assert written.part(None, method, [signature]) == _canonical(document, None, method, [signature])
        assert written.part(None, method, ()) is None  # <t/>


@pytest.mark.parametrize(
    "text",
    [
        '<!--<e id="1">evil</e>--><r><e\tid="1">good</e></r>',
        '<r><![CDATA[<e id="1">evil</e>]]><e\tid="1">good</e\n></r>',
        '<?p <e id="1">evil</e>?><r><e\nid="1">good</e></r>',
        '<r n="&lt;e id=&quot;1&quot;>evil&lt;/e>"><e  id="1">good</e ></r>',
        '<r><e id="1"/>evil<e id="2"></e></r>',
        '<r><e id="1">good</e ><e id="2">evil</e></r>',
        '<r><e id="1"><e id="2"/></e></r>',
    ],
)
def test_what_only_looks_like_the_element_is_not_taken(text: str) -> None:
    document = parse_xml(text.encode())
    element = next(each for each in document.root.iter("e") if each.get("id") == "1")
    written = WrittenForm(document).part(element, INCLUSIVE, ())
    assert written is None


@pytest.mark.parametrize("text", ["=" * 9, "xmlns" * 9, "<e>" * 9, "xmlns:" * 200_000, 'xmlns:a="' * 9_999])
def test_octets_that_ask_for_much_work_cost_little(text: str) -> None:
    """Each pattern looks at every octet a bounded number of times: a second would be thousands of times too many."""
    is_canonical(text.encode() * 50)
    try:
        WrittenForm(
            XmlDocument(text.encode(), parse_xml(b"<r/>").root, bare=True, namespaces=tuple(range(9_999)))
        )
    except CanonicalisationRefused:
        pytest.fail("a pattern raises")
