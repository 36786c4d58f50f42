"""endesive (an independent signer) makes XAdES-BES; we judge it right, and refuse it once changed."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing import Indication, Policy, TrustStore, load_policy, verify_xml
from tests.signing.documents import DECLARATION, codes
from tests.signing.pki import YEAR, Hierarchy, authority, signer

pytestmark = pytest.mark.interop


def endesive_signed(form: str, pki: Hierarchy) -> bytes:
    xades = pytest.importorskip("endesive.xades", reason="missing: endesive (development extra)")
    key = pki.taxpayer
    assert isinstance(key.private_key, rsa.RSAPrivateKey)
    private = key.private_key

    def value(octets: bytes, algorithm: str) -> bytes:
        return private.sign(octets, padding.PKCS1v15(), getattr(hashes, algorithm.upper())())

    der = key.certificate.public_bytes(Encoding.DER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "enveloped":
            tree = xades.BES().enveloped(DECLARATION, key.certificate, der, value, None, None)
        else:
            tree = xades.BES().enveloping(
                "declaration.xml",
                DECLARATION,
                "application/xml",
                key.certificate,
                der,
                value,
                False,
                form == "comments",
            )
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=True)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("tt15-2025")


@pytest.fixture(scope="module")
def now() -> Hierarchy:
    """endesive writes the machine's time into what it signs."""
    today = datetime.now(UTC)
    days = {"not_before": today - YEAR, "not_after": today + YEAR}
    root = authority("Root of the endesive test", number=51, **days)
    ca = authority("Issuing CA of the endesive test", root, number=52, **days)
    return Hierarchy(root, ca, signer(ca, number=53, **days))


@pytest.mark.parametrize("form", ["enveloped", "enveloping", "comments"])
def test_what_endesive_signs(form: str, now: Hierarchy, policy: Policy) -> None:
    at = datetime.now(UTC) + timedelta(minutes=1)
    crls = [a.crl(at - timedelta(hours=1), at + timedelta(days=1)) for a in (now.root, now.ca)]
    trust = TrustStore.of([now.root.certificate], [now.ca.certificate], crls)
    document = endesive_signed(form, now)
    report = verify_xml(document, policy=policy, trust=trust, at=at)
    print(report.indication, report.sub_indication, report.signatures[0].profile, codes(report))
    assert report.indication is Indication.PASSED, codes(report)
    assert b"1200000" in b"".join(covered.octets for covered in report.covered)
    changed = verify_xml(document.replace(b"1200000", b"1200001"), policy=policy, trust=trust, at=at)
    assert changed.sub_indication == "HASH_FAILURE"
