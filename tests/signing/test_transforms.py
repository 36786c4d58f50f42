"""The idioms that take signatures out of what is signed: exactly as xmlsec1 carries them out, and no others."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing import Report, load_policy, verify_xml
from tests.signing.documents import codes

DS = "http://www.w3.org/2000/09/xmldsig#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
POLICY = msgspec.structs.replace(load_policy("conformance"), interrupted_text="taken")


def plain(uri: str) -> str:
    return f'<d:Transform Algorithm="{uri}"/>'


def xpath(expression: str, namespace: str = DS) -> str:
    return (
        f'<d:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><d:XPath xmlns:p="{namespace}">'
        f"{expression}</d:XPath></d:Transform>"
    )


def filter2(expression: str, how: str = "subtract") -> str:
    uri = "http://www.w3.org/2002/06/xmldsig-filter2"
    return (
        f'<d:Transform Algorithm="{uri}"><f:XPath xmlns:f="{uri}" xmlns:p="{DS}" Filter="{how}">{expression}</f:XPath>'
        "</d:Transform>"
    )


NOT_SIGNATURES = "not(ancestor-or-self::p:Signature)"
SPECIFIED = (
    "count(ancestor-or-self::p:Signature | here()/ancestor::p:Signature[1]) &gt; "
    "count(ancestor-or-self::p:Signature)"
)
ENVELOPED = plain(DS + "enveloped-signature")
TAKEN = {
    "enveloped": ("", ENVELOPED),
    "enveloped, with comments": ("#xpointer(/)", ENVELOPED + plain(INCLUSIVE + "#WithComments")),
    "no transform leaves out comments": ("#xpointer(id('i'))", ""),
    "comments by the method alone": ("#i", plain(INCLUSIVE + "#WithComments")),
    "pointer and method with comments": ("#xpointer(id('i'))", plain(EXCLUSIVE + "WithComments")),
    "two canonicalisations": ("", ENVELOPED + plain(INCLUSIVE) + plain(EXCLUSIVE)),
    "xpath": ("", xpath(NOT_SIGNATURES)),
    "xpath, spaced": ("", xpath("\n not ( ancestor-or-self :: p:Signature )\t")),
    "xpath after enveloped": ("", ENVELOPED + xpath(NOT_SIGNATURES) + plain(EXCLUSIVE)),
    "xpath on a part": ("#i", xpath(NOT_SIGNATURES)),
    "xpath, the specification's": ("", xpath(SPECIFIED)),
    "filter": ("", filter2("/descendant::p:Signature") + plain(EXCLUSIVE)),
    "filter, short": ("", filter2("//p:Signature")),
    "filter, top": ("", filter2("/*/p:Signature")),
    "filter, own": ("", filter2("here()/ancestor::p:Signature[1]")),
    "filter on a part": ("#i", filter2("/descendant::p:Signature")),
}
REFUSED = {
    "another expression": ("", xpath("not(ancestor-or-self::p:Signature) and true()"), "transform.xpath"),
    "another axis": ("", xpath("not(self::p:Signature)"), "transform.xpath"),
    "another element": ("", xpath("not(ancestor-or-self::p:Signatures)"), "transform.xpath"),
    "no prefix": ("", xpath("not(ancestor-or-self::Signature)"), "transform.xpath"),
    "another namespace": ("", xpath(NOT_SIGNATURES, "urn:other"), "transform.xpath"),
    "an unbound prefix": ("", xpath("not(ancestor-or-self::q:Signature)"), "transform.xpath"),
    "two prefixes": ("", xpath(SPECIFIED.replace("p:", "d:", 1)), "transform.xpath"),
    "intersect": ("", filter2("/descendant::p:Signature", "intersect"), "transform.xpath-filter2"),
    "another path": ("", filter2("/*/*/p:Signature"), "transform.xpath-filter2"),
    "after canonicalisation": ("", plain(INCLUSIVE) + ENVELOPED, "reference.transforms"),
    "nothing is left": ("#o", xpath(NOT_SIGNATURES), "reference.canonicalisation"),
}


def template(uri: str, transforms: str, c14n: str = INCLUSIVE) -> str:
    """Our signature, then a foreign one at the root and a foreign one inside the part, and an Object of our own."""
    return (
        f'<a xmlns:u="u:u" xmlns:d="{DS}"><d:Signature><d:SignedInfo><d:CanonicalizationMethod Algorithm="{c14n}"/>'
        '<d:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f'<d:Reference URI="{uri}"><d:Transforms>{transforms}</d:Transforms>'
        '<d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><d:DigestValue/></d:Reference>'
        "</d:SignedInfo><d:SignatureValue/><d:KeyInfo><d:KeyValue/></d:KeyInfo><d:Object Id='o'>x</d:Object>"
        '</d:Signature>before<d:Signature Id="f1">one<d:Signature Id="f3"/></d:Signature>after'
        '<b Id="i">x<!--c-->y<u:c><d:Signature Id="f2">two</d:Signature>tail</u:c></b></a>'
    ).replace("<d:Transforms></d:Transforms>", "")


def judged(data: bytes) -> Report:
    return verify_xml(data, policy=POLICY, trust=None, key="embedded")


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> object:
    program, folder = shutil.which("xmlsec1"), tmp_path_factory.mktemp("xmlsec1")
    if program is None:
        pytest.skip("missing: xmlsec1 (Debian package xmlsec1)")
    key = rsa.generate_private_key(65537, 2048)
    (folder / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )

    def sign(text: str, folder: Path = folder) -> bytes:
        (folder / "in.xml").write_text(text, "utf-8")
        command = [program, "--sign", "--id-attr:Id", "b", "--id-attr:Id", f"{DS}:Object"]
        command += ["--privkey-pem", str(folder / "key.pem"), "--output", str(folder / "out.xml")]
        subprocess.run([*command, str(folder / "in.xml")], check=True, capture_output=True)
        return (folder / "out.xml").read_bytes()

    return sign


@pytest.mark.parametrize("c14n", [INCLUSIVE, EXCLUSIVE])
@pytest.mark.parametrize("name", TAKEN)
def test_what_xmlsec1_signs_is_digested_alike(name: str, c14n: str, signs: object) -> None:
    data = signs(template(*TAKEN[name], c14n=c14n))  # type: ignore[operator]
    ours, *_ = judged(data).signatures
    assert not [c for c in ours.checks if c.sub_indication], ours.checks
    [covered] = ours.covered
    every = name.startswith(("xpath", "filter")) and not name.endswith(("specification's", "own", "top"))
    inside = covered.path == (2,)
    assert (b"two" in covered.octets, b"one" in covered.octets) == (
        not every,
        not (every or inside or "top" in name),
    )
    excluded = {(0,): b"d:Object", (1,): b"one", (2, 0, 0): b"two"}
    for path, mark in excluded.items():
        if path not in covered.excluded and not (inside and len(path) == 1):
            assert mark in covered.octets
    foreign = [path for path in covered.excluded if path != (0,)]
    assert bool(foreign) == ("coverage.other-signatures" in {c.code for c in ours.checks})
    changed = data.replace(b"tail", b"Tail")
    assert "reference.digest" in codes(judged(changed))


@pytest.mark.parametrize("name", REFUSED)
def test_other_forms_are_refused_by_name(name: str) -> None:
    uri, transforms, code = REFUSED[name]
    data = template(uri, transforms).replace("DigestValue/", "DigestValue>AAAA</d:DigestValue")
    data = data.replace("<d:SignatureValue/>", "<d:SignatureValue>AAAA</d:SignatureValue>")
    data = data.replace("<d:KeyInfo><d:KeyValue/></d:KeyInfo>", "")
    ours, *_ = judged(data.encode()).signatures
    assert [c.code for c in ours.checks if c.sub_indication] == [code]
