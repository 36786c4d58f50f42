"""Documents whose signatures must not count, through the real door: 422, recorded as refused, a signed notice."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

import certs_dev
import schemas
import signing
from gateway.clock import clock
from tests.cost import affordable
from tests.documents import declaration, key_of, sign, signed
from tests.house import House

TAX = "{http://kekhaithue.gdt.gov.vn/TKhaiThue}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
Make = Callable[[certs_dev.DevPki], bytes]


def _tree(pki: certs_dev.DevPki) -> tuple[etree._Element, etree._Element, etree._Element]:
    """A signed dossier as (root, signed body, signature block)."""
    root = etree.fromstring(signed(pki))
    body, signatures = root.find(f"{TAX}HSoKhaiThue"), root.find(f"{TAX}CKyDTu")
    assert body is not None
    assert signatures is not None
    return root, body, signatures


def _forged(body: etree._Element, id: str | None) -> etree._Element:
    forged = deepcopy(body)
    forged.attrib.clear()
    if id is not None:
        forged.set("id", id)
    for field, value in (("ct22", "999999999"), ("ct43", "999999999")):
        element = forged.find(f".//{TAX}{field}")
        assert element is not None
        element.text = value
    return forged


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def wrap_after(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    root.replace(body, _forged(body, "ID_2"))
    etree.SubElement(root, f"{TAX}Wrapper").append(body)
    return _bytes(root)


def wrap_same_id(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    root.insert(0, _forged(body, "ID_1"))
    return _bytes(root)


def wrap_second_body_first(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    root.insert(0, _forged(body, "ID_2"))
    return _bytes(root)


def wrap_second_body_last(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    root.append(_forged(body, "ID_2"))
    return _bytes(root)


def wrap_in_object(pki: certs_dev.DevPki) -> bytes:
    root, body, signatures = _tree(pki)
    root.replace(body, _forged(body, "ID_2"))
    etree.SubElement(signatures[0], f"{DS}Object").append(body)
    return _bytes(root)


def wrap_beside_the_signature(pki: certs_dev.DevPki) -> bytes:
    root, body, signatures = _tree(pki)
    root.replace(body, _forged(body, None))
    signatures.append(body)
    return _bytes(root)


def wrap_inside_the_forged(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    forged = _forged(body, "ID_2")
    root.replace(body, forged)
    etree.SubElement(forged, f"{TAX}PLuc").append(body)
    return _bytes(root)


def wrap_whole_document(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    outer = etree.Element(root.tag, nsmap=root.nsmap)
    outer.append(_forged(body, "ID_2"))
    outer.append(root)
    return _bytes(outer)


def wrap_other_id_attribute(pki: certs_dev.DevPki) -> bytes:
    root, body, _ = _tree(pki)
    forged = _forged(body, None)
    forged.set("Id", "ID_1")
    root.replace(body, forged)
    etree.SubElement(forged, f"{TAX}PLuc").append(body)
    return _bytes(root)


def wrap_second_block(pki: certs_dev.DevPki) -> bytes:
    root, _, signatures = _tree(pki)
    root.append(deepcopy(signatures))
    return _bytes(root)


def signature_moved_into_the_body(pki: certs_dev.DevPki) -> bytes:
    root, body, signatures = _tree(pki)
    body.append(signatures[0])
    return _bytes(root)


def signs_only_itself(pki: certs_dev.DevPki) -> bytes:
    """A valid signature over an Object of its own: nobody signed the body."""
    from signing.sign import sign_element

    root = etree.fromstring(declaration(pki))
    signatures = root.find(f"{TAX}CKyDTu")
    assert signatures is not None
    etree.SubElement(signatures, f"{TAX}Other", id="other").text = "something else"
    sign_element(
        root, key_of(pki, "taxpayer"), profile="xades-b", target_id="other", place="CKyDTu", at=clock()
    )
    return _bytes(root)


def no_signature(pki: certs_dev.DevPki) -> bytes:
    return declaration(pki)


def no_block(pki: certs_dev.DevPki) -> bytes:
    root = etree.fromstring(declaration(pki))
    root.remove(root[1])
    return _bytes(root)


def changed_value(pki: certs_dev.DevPki) -> bytes:
    root, _, signatures = _tree(pki)
    value = signatures.find(f".//{DS}SignatureValue")
    assert value is not None
    octets = bytearray(base64.b64decode(value.text or ""))
    octets[40] ^= 1
    value.text = base64.b64encode(octets).decode()
    return _bytes(root)


def one_of_two_bad(pki: certs_dev.DevPki) -> bytes:
    root = etree.fromstring(signed(pki, "taxpayer", "person"))
    value = root.findall(f".//{DS}SignatureValue")[1]
    octets = bytearray(base64.b64decode(value.text or ""))
    octets[5] ^= 1
    value.text = base64.b64encode(octets).decode()
    return _bytes(root)


def comment_inside_a_number(pki: certs_dev.DevPki) -> bytes:
    return signed(pki).replace(b"<ct23>", b"<ct23>1<!-- -->", 1)


def comment_inside_a_number_that_was_signed(pki: certs_dev.DevPki) -> bytes:
    document = declaration(pki)
    at = document.index(b"<ct23>") + 7
    return sign(pki, document[:at] + b"<!---->" + document[at:], c14n="inclusive")


def base64_body(pki: certs_dev.DevPki) -> bytes:
    """A body of base64 text, signed by its taxpayer through the base64 transform: what is digested is a declaration,
    what is filed is none."""
    inner = etree.fromstring(declaration(pki)).find(f"{TAX}HSoKhaiThue")
    assert inner is not None
    octets = etree.tostring(inner, with_tail=False)
    text = base64.b64encode(octets).decode()
    root = etree.fromstring(
        f'<HSoThueDTu xmlns="{TAX[1:-1]}"><HSoKhaiThue id="ID_1">{text}</HSoKhaiThue><CKyDTu/></HSoThueDTu>'
    )
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    signature = etree.fromstring(
        f'''<Signature xmlns="{DS[1:-1]}"><SignedInfo><CanonicalizationMethod Algorithm="{inclusive}"/>
        <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
        <Reference URI="#ID_1"><Transforms><Transform Algorithm="{DS[1:-1]}base64"/></Transforms>
        <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>{digest}</DigestValue></Reference>
        </SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo></Signature>'''
    )
    key = key_of(pki, "taxpayer")
    root[1].append(signature)
    value = key.sign(signing.canonicalise(signature[0], signing.CANONICALISATIONS[inclusive]), "sha256")
    signature[1].text = base64.b64encode(value).decode()
    (certificate,) = signature.iter(f"{DS}X509Certificate")
    certificate.text = base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode()
    return _bytes(root)


def hidden_body(place: str) -> Make:
    """A second, unsigned body where only a reader by name would find it."""

    def make(pki: certs_dev.DevPki) -> bytes:
        root, body, signatures = _tree(pki)
        forged = _forged(body, "ID_2")
        if place == "before the signature":
            signatures.insert(0, forged)
        elif place == "in an Object":
            etree.SubElement(signatures[0], f"{DS}Object").append(forged)
        elif place == "one field in an Object":
            etree.SubElement(etree.SubElement(signatures[0], f"{DS}Object"), "ct43").text = "999999999"
        else:
            etree.SubElement(signatures, f"{TAX}CKyDTu").append(forged)
        return _bytes(root)

    return make


def stray(place: str) -> Make:
    """Something unsigned beside the body."""

    def make(pki: certs_dev.DevPki) -> bytes:
        root, body, signatures = _tree(pki)
        if place == "text in the root":
            body.tail = "9"
        elif place == "text in the block":
            signatures.text = "9"
        elif place == "an attribute":
            root.set("mst", "5500123457")
        elif place == "an instruction in the block":
            signatures.append(etree.ProcessingInstruction("x", "y"))
        else:
            root.addprevious(etree.ProcessingInstruction("xml-stylesheet", 'href="x.xsl"'))
            return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
        return _bytes(root)

    return make


WRAPPING: dict[str, Make] = {
    f.__name__: f
    for f in (
        wrap_after,
        wrap_same_id,
        wrap_second_body_first,
        wrap_second_body_last,
        wrap_in_object,
        wrap_beside_the_signature,
        wrap_inside_the_forged,
        wrap_whole_document,
        wrap_other_id_attribute,
        wrap_second_block,
        signature_moved_into_the_body,
        signs_only_itself,
    )
}

BAD: dict[str, tuple[str, Make]] = {
    "no signature": ("document.signature-present", no_signature),
    "no signature block": ("document.signature-present", no_block),
    "changed amount": ("reference.digest", lambda pki: signed(pki).replace(b"<ct23>", b"<ct23>9", 1)),
    "changed signature value": ("signature.value", changed_value),
    "two signatures, one bad": ("signature.value", one_of_two_bad),
    "comment inside a number": ("content.interrupted-text", comment_inside_a_number),
    "signed comment inside a number": ("content.interrupted-text", comment_inside_a_number_that_was_signed),
    "expired certificate": ("certificate.expired", lambda pki: signed(pki, "expired")),
    "certificate not yet valid": ("certificate.not-yet-valid", lambda pki: signed(pki, "not-yet-valid")),
    "revoked certificate": ("certificate.revoked", lambda pki: signed(pki, "revoked")),
    "certificate of an unknown CA": ("certificate.path", lambda pki: signed(pki, "stranger")),
    "certificate of another company": (
        "signature.signer-not-in-declaration",
        lambda pki: signed(pki, "other-company"),
    ),
    "certificate not for signing": ("certificate.key-usage", lambda pki: signed(pki, "not-for-signing")),
    "RSA-1024": ("algorithm.key-size", lambda pki: signed(pki, "rsa1024")),
    "base64 in place of the body": ("signature.coverage", base64_body),
    **{
        f"a hidden body {place}": ("document.stray-content", hidden_body(place))
        for place in (
            "before the signature",
            "in an Object",
            "one field in an Object",
            "in a block in the block",
        )
    },
    **{
        f"unsigned: {place}": ("document.stray-content", stray(place))
        for place in (
            "text in the root",
            "text in the block",
            "an attribute",
            "an instruction in the block",
            "a stylesheet",
        )
    },
    "a stranger beside the taxpayer": (
        "signature.signer-not-in-declaration",
        lambda pki: signed(pki, "taxpayer", "other-company"),
    ),
}


async def _refused(house: House, octets: bytes) -> set[str]:
    async with house.client() as client:
        for _ in affordable(1.0):
            reply = await client.submit(octets)
        assert reply.status == 422, reply.body
        number = reply.body["number"]
        notice = schemas.read_notice((await client.part(number, "receipt")).octets)
        assert notice.kind == "refusal"
        assert (await client.status(number)).body["status"] == "refused"
        assert (await client.part(number, "document")).octets == octets
    errors = [f for f in reply.body["findings"] if f["severity"] == "ERROR"]
    assert {reason.code for reason in notice.reasons} >= {f["code"] for f in errors}
    for finding in errors:
        assert all(finding[part][language] for part in ("message", "remedy") for language in ("vi", "en"))
    assert house.simulator.books == {}
    return {f["code"] for f in errors}


@pytest.mark.parametrize("name", WRAPPING)
async def test_wrapping_is_refused(house: House, name: str) -> None:
    codes = await _refused(house, WRAPPING[name](house.pki))
    assert codes & {
        "document.ids-unique",
        "document.unexpected-element",
        "signature.coverage",
        "signature.misplaced",
        "reference.canonicalisation",
        "reference.digest",
    }, codes


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_signature_is_refused_for_its_reason(house: House, name: str) -> None:
    code, make = BAD[name]
    assert code in await _refused(house, make(house.pki))


@pytest.mark.parametrize(
    ("name", "code", "which"),
    [
        ("a stranger beside the taxpayer", "signature.signer-not-in-declaration", 2),
        ("base64 in place of the body", "signature.coverage", 1),
        ("two signatures, one bad", "signature.value", 2),
    ],
)
async def test_it_is_told_which_signature_is_bad(house: House, name: str, code: str, which: int) -> None:
    async with house.client() as client:
        findings = (await client.check(BAD[name][1](house.pki))).body["findings"]
    (found,) = [finding for finding in findings if finding["code"] == code]
    assert found["path"] == f"HSoThueDTu/CKyDTu/Signature[{which}]"
    assert found["line"] > 1


async def test_a_ca_certificate_does_not_sign(house: House) -> None:
    """The sub CA itself signs a declaration, with its own key: a certificate authority is nobody's taxpayer."""

    issuer = house.pki.authority("public-sub-ca")
    key = signing.FileKey(issuer.key, issuer.certificate)
    octets = signing.sign_xml(
        declaration(house.pki), key, profile="xades-b", target_id="ID_1", place="CKyDTu", at=clock()
    )
    assert "certificate.signer-is-ca" in await _refused(house, octets)


async def test_all_that_is_wrong_with_the_signature_and_the_content_is_told_at_once(house: House) -> None:
    octets = signed(house.pki, "expired", "revoked", overrides={"ct36": "1"})
    codes = await _refused(house, octets)
    assert {"certificate.expired", "certificate.revoked", "842.36"} <= codes


FORM = {
    "unknown form": ({"maTKhai": "999"}, "form.unknown"),
    "unknown version": ({"pbanTKhaiXML": "9.9.9"}, "form.unknown-version"),
    "supplementary, first": ({"loaiTKhai": "B"}, "header.supplement-number"),
    "no such kind": ({"loaiTKhai": "D"}, "form.kind-not-accepted"),
    "wrong sums": ({"ct36": "12345"}, "842.36"),
    "wrong check digit": ({"mst": "5500123458"}, "header.tax-code.check-digit"),
    "period in the future": (
        {
            "kyKKhai": "1/2030",
            "kyKKhaiTuNgay": "01/01/2030",
            "kyKKhaiDenNgay": "31/03/2030",
        },
        "header.period.in-future",
    ),
}


@pytest.mark.parametrize("name", FORM)
async def test_a_wrong_form_is_refused_for_its_reason(house: House, name: str) -> None:
    overrides, code = FORM[name]
    assert code in await _refused(house, signed(house.pki, overrides=overrides))


async def test_a_signature_from_tomorrow_is_refused(house: House) -> None:
    octets = sign(house.pki, declaration(house.pki), at=clock() + timedelta(days=1))
    assert any(code == "signing-time.future" for code in await _refused(house, octets))
