"""Thousands of documents put together anew by somebody without the signer's key: nothing passes that was not signed."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator

import pytest
from lxml import etree

from signing import (
    Covered,
    Indication,
    Policy,
    Report,
    TrustStore,
    XmlRefused,
    load_policy,
    verify_xml,
)
from tests.signing.adversary import XML, Attacker
from tests.signing.documents import DECLARATION, signed
from tests.signing.pki import AT, Hierarchy, name, signer

VARIANTS = 400
EVIL = "666000666"


def genuine(pki: Hierarchy) -> dict[str, bytes]:
    """What the victim has signed, in the ways that are made here."""
    key = pki.taxpayer
    another = signer(pki.ca, kind="p256", number=71, subject=name("Another"))
    with_id = DECLARATION.replace(b"<HSoThueDTu ", b'<HSoThueDTu Id="R" ')
    commented = DECLARATION.replace(b"<ct22>", b"<!--c--><ct22>")
    return {
        "xmldsig": signed(key),
        "xades": signed(key, profile="xades-b"),
        "exclusive": signed(key, profile="xades-b", c14n="exclusive"),
        "enveloped": signed(key, profile="xades-b", place="HSoKhaiThue"),
        "root": signed(key, with_id, target_id="R", place=""),
        "twice": signed(key, signed(another, profile="xades-b")),
        "comments": signed(key, commented),
    }


def octets_of(report: Report) -> set[bytes]:
    return {covered.octets for signature in report.signatures for covered in signature.covered}


def stands_where_it_says(data: bytes, covered: Covered) -> bool:
    """The element at the path, without what is left out, says what the octets say: by lxml alone."""
    root = etree.fromstring(data)
    element = root
    for step in covered.path:
        element = element.findall("*")[step]
    gone = []
    for path in covered.excluded:
        found = root
        for step in path:
            found = found.findall("*")[step]
        gone.append(found)
    for each in gone:
        _without(each)
    alone = copy.deepcopy(element)
    alone.tail = None
    read = etree.fromstring(covered.octets)
    for key in [key for key in read.attrib if str(key).startswith(XML) and key not in alone.attrib]:
        del read.attrib[key]
    return bytes(_plain(alone)) == bytes(_plain(read))


def _plain(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _without(element: etree._Element) -> None:
    parent, tail = element.getparent(), element.tail or ""
    assert parent is not None
    before = element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    parent.remove(element)


def attacks(pki: Hierarchy) -> Iterator[tuple[str, bytes, set[bytes], bytes]]:
    """Form, variant, what the victim signed in that form, and the genuine document."""
    mallory = signer(pki.ca, number=72, subject=name("Mallory"))
    evil = DECLARATION.replace(b"1200000", EVIL.encode())
    own = (signed(mallory, evil), signed(mallory, evil, profile="xades-b"))
    for form, document in genuine(pki).items():
        report = verify_xml(document, policy=load_policy("conformance"), trust=pki.trust(), at=AT)
        assert report.indication is Indication.PASSED, form
        attacker = Attacker(sum(form.encode()), EVIL, own)
        for _ in range(VARIANTS):
            yield form, attacker.variant(document), octets_of(report), document


@pytest.mark.parametrize("rules", ["tt15-2025", "conformance"])
def test_nothing_passes_in_the_signers_name_that_was_not_signed(
    rules: str, pki: Hierarchy, trust: TrustStore, capsys: pytest.CaptureFixture[str]
) -> None:
    policy: Policy = load_policy(rules)
    victim, table = pki.taxpayer.certificate, Counter[str]()
    for form, variant, signed_octets, _ in attacks(pki):
        try:
            report = verify_xml(variant, policy=policy, trust=trust, at=AT)
        except XmlRefused:
            table["unreadable"] += 1
            continue
        table[report.indication.value] += 1
        for signature in report.signatures:
            if signature.indication is not Indication.PASSED:
                continue
            assert signature.covered, (form, variant)
            for covered in signature.covered:
                assert stands_where_it_says(variant, covered), (form, covered.uri, variant)
                if signature.certificate == victim:
                    assert covered.octets in signed_octets, (form, covered.uri, variant)
                    assert EVIL.encode() not in covered.octets
    with capsys.disabled():
        print(f"\n{rules}: {dict(table)}")
    assert table[Indication.PASSED.value] > VARIANTS // 10, "some moves leave what is signed as it is"
    assert table[Indication.FAILED.value] > VARIANTS
