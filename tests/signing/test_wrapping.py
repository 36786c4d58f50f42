"""Signature wrapping: the signed element is moved, another takes its place."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable

import pytest
from lxml import etree

from signing import Indication, Policy, TrustStore, XmlRefused, verify_xml
from tests.signing.documents import codes, signed
from tests.signing.pki import AT, Hierarchy

TAX = "{http://kekhaithue.gdt.gov.vn/TKhaiThue}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
Attack = Callable[[etree._Element], None]


def evil(root: etree._Element, signed_id: str | None) -> etree._Element:
    """The attacker's copy of the declaration with another amount."""
    fake = copy.deepcopy(root[0])
    next(fake.iter(f"{TAX}ct34")).text = "1"
    fake.attrib.pop("id")
    if signed_id is not None:
        fake.set("id", signed_id)
    return fake


def moved(root: etree._Element, into: etree._Element, fake_id: str | None) -> None:
    genuine = root[0]
    root.replace(genuine, evil(root, fake_id))
    into.append(genuine)


def signature(root: etree._Element) -> etree._Element:
    return next(root.iter(f"{DS}Signature"))


def add_object(root: etree._Element) -> etree._Element:
    return etree.SubElement(signature(root), f"{DS}Object")


def wrapper(root: etree._Element, tag: str = "Wrapper") -> etree._Element:
    return etree.SubElement(root, f"{TAX}{tag}")


def into_evil(root: etree._Element, with_signature: bool) -> None:
    genuine, fake = root[0], evil(root, "ID_2")
    root.replace(genuine, fake)
    fake.append(genuine)
    if with_signature:
        fake.append(root[1][0])


def into_evil_sibling(root: etree._Element) -> None:
    fake = evil(root, "ID_2")
    fake.append(root[1][0])
    root.insert(0, fake)


ATTACKS: dict[str, Attack] = {
    "moved into an Object, same id": lambda root: moved(root, add_object(root), "ID_1"),
    "moved into an Object, other id": lambda root: moved(root, add_object(root), "ID_2"),
    "moved into an Object, no id": lambda root: moved(root, add_object(root), None),
    "moved into a wrapper at the end, same id": lambda root: moved(root, wrapper(root), "ID_1"),
    "moved into a wrapper at the end, other id": lambda root: moved(root, wrapper(root), "ID_2"),
    "moved into CKyDTu": lambda root: moved(root, root[1], "ID_2"),
    "moved into the evil element": lambda root: into_evil(root, with_signature=False),
    "moved into the evil element, signature too": lambda root: into_evil(root, with_signature=True),
    "signature in the evil sibling": into_evil_sibling,
    "moved into KeyInfo": lambda root: moved(root, next(root.iter(f"{DS}KeyInfo")), "ID_2"),
    "evil first, genuine second": lambda root: root.insert(0, evil(root, "ID_2")),
    "evil second, genuine first": lambda root: root.insert(1, evil(root, "ID_2")),
    "same id in another spelling of the attribute": lambda root: (
        root.insert(0, evil(root, None)), root[0].set("ID", "ID_1"))[0],
    "same id as xml:id": lambda root: (
        root.insert(0, evil(root, None)), root[0].set("{http://www.w3.org/XML/1998/namespace}id", "ID_1"))[0],
    "second CKyDTu": lambda root: moved(root, etree.SubElement(root, f"{TAX}CKyDTu"), "ID_2"),
}  # fmt: skip


@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_wrapped_declaration_never_shows_the_attackers_amount(
    attack: str, profile: str, pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    root = etree.fromstring(signed(pki.taxpayer, profile=profile))
    ATTACKS[attack](root)
    data = etree.tostring(root)
    assert b"<ct34>1</ct34>" in data
    report = verify_xml(data, policy=policy, trust=trust, at=AT)
    for covered in report.covered:
        assert b"<ct34>1</ct34>" not in covered.octets
        assert b"<ct34>1200000</ct34>" in covered.octets
    if report.indication is Indication.PASSED:
        # what is covered is told, and it is not what stands where the declaration should stand
        element = etree.fromstring(data)
        for step in report.covered[0].path:
            element = element.findall("*")[step]
        assert next(element.iter(f"{TAX}ct34")).text == "1200000"
    if "same id" in attack:
        assert "document.ids-unique" in codes(report)
    if "signature in the evil sibling" in attack:
        assert "reference.enveloped" in codes(report)


def test_signed_properties_of_another_signature(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    """The properties are moved out of the signature that signs them; an empty set is left behind."""
    root = etree.fromstring(signed(pki.taxpayer, profile="xades-b"))
    xades = "{http://uri.etsi.org/01903/v1.3.2#}"
    properties = next(root.iter(f"{xades}SignedProperties"))
    parent = properties.getparent()
    assert parent is not None
    decoy = copy.deepcopy(properties)
    decoy.set("Id", "decoy")
    parent.replace(properties, decoy)
    wrapper(root).append(properties)
    report = verify_xml(etree.tostring(root), policy=policy, trust=trust, at=AT)
    assert (report.indication, report.sub_indication) == (Indication.FAILED, "FORMAT_FAILURE")
    assert "xades.placement" in codes(report)


def mutations(data: bytes, count: int) -> list[bytes]:
    """One character changed in signed content, digest, or value."""
    rng = random.Random(4)
    spans = [
        m.span(1) for m in re.finditer(rb"<(?:SignatureValue|DigestValue|X509Certificate)>([^<]+)<", data)
    ]
    content = re.search(rb"<HSoKhaiThue[^>]*>(.*)</HSoKhaiThue>", data, re.DOTALL)
    info = re.search(rb"<SignedInfo>(.*)</SignedInfo>", data, re.DOTALL)
    assert content is not None
    assert info is not None
    spans += [content.span(1), info.span(1)]
    made = []
    while len(made) < count:
        start, end = rng.choice(spans)
        place = rng.randrange(start, end)
        new = rng.choice(b"ABCDxyz019+/")
        if data[place] != new and data[place : place + 1] not in b"<>\n ":
            made.append(data[:place] + bytes([new]) + data[place + 1 :])
    return made


@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
def test_no_mutation_is_accepted(profile: str, pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = signed(pki.taxpayer, profile=profile)
    assert verify_xml(document, policy=policy, trust=trust, at=AT).indication is Indication.PASSED
    accepted = []
    for mutated in mutations(document, 500):
        try:
            report = verify_xml(mutated, policy=policy, trust=trust, at=AT)
        except XmlRefused:
            continue
        if report.indication is Indication.PASSED:
            accepted.append(mutated)
    assert accepted == []
