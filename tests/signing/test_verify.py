"""Judging what we sign, and every way in which it may be broken."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asn1crypto.x509
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from signing import (
    FileKey,
    Indication,
    Policy,
    Report,
    TrustStore,
    load_policy,
    parse_xml,
    sign_xml,
    verify_document,
    verify_xml,
)
from signing import sign as sign_module
from signing.algorithms import digest
from signing.canonical import METHODS, canonicalise
from signing.xades import CertificateReference, SignedProperties, choose_certificate
from tests.signing.conftest import shared
from tests.signing.documents import DECLARATION, codes, signed
from tests.signing.pki import AT, TAXPAYER, Hierarchy, name, signer


def judged(data: bytes, policy: Policy, trust: TrustStore | None = None, at: datetime = AT) -> Report:
    return verify_xml(data, policy=policy, trust=trust, at=at, key=None if trust else "embedded")


@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
@pytest.mark.parametrize("c14n", ["inclusive", "inclusive-with-comments", "exclusive"])
@pytest.mark.parametrize("prefix", [None, "ds"])
@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "p256", "p384", "p521", "ed25519"])
def test_what_we_sign_passes(
    profile: str, c14n: str, prefix: str | None, kind: str, pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    key = signer(pki.ca, kind=kind)
    report = judged(signed(key, profile=profile, c14n=c14n, prefix=prefix), policy, trust)
    assert report.indication is Indication.PASSED, codes(report)
    (signature,) = report.signatures
    assert signature.profile == {"xmldsig": "XMLDSig", "xades-b": "XAdES-B-B"}[profile]
    assert signature.certificate == key.certificate
    assert signature.chain == (key.certificate, pki.ca.certificate, pki.root.certificate)
    (covered,) = report.covered
    assert covered.path == (0,)
    assert covered.tag == "{http://kekhaithue.gdt.gov.vn/TKhaiThue}HSoKhaiThue"
    assert b"<ct34>1200000</ct34>" in covered.octets
    assert signature.claimed_signing_time == (AT if profile == "xades-b" else None)


def test_byte_order_mark_and_standalone_are_kept(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    data = b"\xef\xbb\xbf" + DECLARATION.replace(b'encoding="UTF-8"', b'encoding="UTF-8" standalone="no"')
    document = signed(pki.taxpayer, data)
    assert document.startswith(b"\xef\xbb\xbf<?xml")
    assert b"standalone='no'" in document
    assert b"standalone" not in signed(pki.taxpayer)
    assert judged(document, policy, trust).indication is Indication.PASSED


def test_really_enveloped_signature(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = signed(pki.taxpayer, place="HSoKhaiThue", profile="xades-b")
    report = judged(document, policy, trust)
    assert report.indication is Indication.PASSED, codes(report)
    assert b"Signature" not in report.covered[0].octets


def test_several_signatures_and_the_worst_decides(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    once = signed(pki.taxpayer)
    twice = signed(signer(pki.ca, kind="p256"), once, profile="xades-b")
    report = judged(twice, policy, trust)
    assert [s.indication for s in report.signatures] == [Indication.PASSED, Indication.PASSED], codes(report)
    first_value = re.search(rb"<SignatureValue>(....)", twice)
    assert first_value is not None
    broken = twice.replace(first_value[0], b"<SignatureValue>AAAA", 1)
    report = judged(broken, policy, trust)
    assert [s.indication for s in report.signatures] == [Indication.FAILED, Indication.PASSED]
    assert (report.indication, report.sub_indication) == (Indication.FAILED, "SIG_CRYPTO_FAILURE")
    assert len(report.covered) == 1


def test_no_signature(policy: Policy, trust: TrustStore) -> None:
    report = judged(DECLARATION, policy, trust)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "NO_SIGNATURE")


def test_the_genuine_sample_holds() -> None:
    data = shared("samples/tvan-202-hdon-ts24test.signed.xml").read_bytes()
    report = verify_xml(data, policy=load_policy("tax-legacy"), trust=None, at=AT, key="embedded")
    assert report.indication is Indication.PASSED, codes(report)
    seller, authority = report.signatures
    assert [c.tag for c in seller.covered] == ["DLHDon"]
    assert [c.tag for c in authority.covered] == ["DLHDon", "MCCQT"]
    assert seller.signer is not None
    assert seller.signer.tax_codes == ("0106324653",)
    assert str(seller.claimed_signing_time) == "2021-11-05 14:48:47+07:00"
    assert not [c for c in report.covered if "Object" in c.tag]


# What is changed in a signed XAdES document → (sub-indication, code).
CHANGES = {
    "amount": (b"1200000", b"1200001", "HASH_FAILURE", "reference.digest"),
    "attribute added": (b"<ct22>", b'<ct22 x="1">', "HASH_FAILURE", "reference.digest"),
    "digest method sha1": (
        b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1",
        "HASH_FAILURE", "algorithm.digest"),
    "hmac": (
        b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "CRYPTO_CONSTRAINTS_FAILURE", "algorithm.hmac"),
    "external reference": (b'URI="#ID_1"', b'URI="http://127.0.0.1/x"', "FORMAT_FAILURE", "reference.external-ref"),
    "file reference": (b'URI="#ID_1"', b'URI="file:///etc/passwd"', "FORMAT_FAILURE", "reference.external-ref"),
    "xpointer": (b'URI="#ID_1"', b'URI="#xpointer(//*)"', "FORMAT_FAILURE", "reference.xpointer"),
    "dangling": (b'URI="#ID_1"', b'URI="#ID_2"', "SIGNED_DATA_NOT_FOUND", "reference.target"),
    "no uri": (b'URI="#ID_1"', b"", "FORMAT_FAILURE", "reference.uri"),
    "xslt": (
        b'"http://www.w3.org/2000/09/xmldsig#enveloped-signature"', b'"http://www.w3.org/TR/1999/REC-xslt-19991116"',
        "FORMAT_FAILURE", "transform.xslt"),
    "xpath": (
        b'"http://www.w3.org/2000/09/xmldsig#enveloped-signature"', b'"http://www.w3.org/TR/1999/REC-xpath-19991116"',
        "FORMAT_FAILURE", "transform.xpath"),
    "unknown c14n": (
        b'<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"',
        b'<CanonicalizationMethod Algorithm="urn:x"', "CRYPTO_CONSTRAINTS_FAILURE", "algorithm.canonicalisation"),
    "signing time": (b"2026-03-20T09:00:00", b"2026-03-20T08:00:00", "HASH_FAILURE", "reference.digest"),
    "target": (b'Target="#', b'Target="#x', "FORMAT_FAILURE", "xades.target"),
    "type removed": (
        b'Type="http://uri.etsi.org/01903#SignedProperties"', b"", "FORMAT_FAILURE", "xades.reference"),
    "retrieval method": (b"<X509Data>", b'<RetrievalMethod URI="#x"/><X509Data>', "FORMAT_FAILURE",
        "key-info.retrieval-method"),
    "foreign key info": (b"<X509Data>", b'<x xmlns="u:x"/><X509Data>', "FORMAT_FAILURE", "format.key-info"),
    "no key info": (rb"<KeyInfo>.*</KeyInfo>", b"", "NO_SIGNING_CERTIFICATE_FOUND", "xades.signing-certificate"),
    "comment in a value": (b"<SignatureValue>", b"<SignatureValue><!---->", "FORMAT_FAILURE", "format.structure"),
    "extra element": (b"<SignatureValue>", b"<SignedInfo/><SignatureValue>", "FORMAT_FAILURE", "format.structure"),
    "comment in a number": (
        b"1200000", b"12<!-- -->00000", "SIG_CONSTRAINTS_FAILURE", "content.interrupted-text"),
    "instruction in a number": (b"1200000", b"12<?x?>00000", "HASH_FAILURE", "content.interrupted-text"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused_with_its_reason(
    change: str, pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    old, new, sub_indication, code = CHANGES[change]
    document = signed(pki.taxpayer, profile="xades-b")
    pattern = old if change == "no key info" else re.escape(old)
    changed = re.sub(pattern, lambda _: new, document, count=1, flags=re.DOTALL)
    assert changed != document
    report = judged(changed, policy, trust)
    assert report.indication is not Indication.PASSED
    assert code in codes(report)
    assert report.sub_indication == sub_indication, codes(report)
    if report.indication is Indication.FAILED:
        assert report.covered == ()


def test_a_comment_in_signed_info_does_not_fool(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = signed(pki.taxpayer)
    value = re.search(rb"<DigestValue>([^<]{4})", document)
    assert value is not None
    split = document.replace(value[0], value[0][:-2] + b"<!--x-->" + value[0][-2:], 1)
    report = judged(split, policy, trust)  # the method has no comments: what was signed is unchanged
    assert report.indication is Indication.PASSED
    with_comments = signed(pki.taxpayer, c14n="inclusive-with-comments")
    value = re.search(rb"<DigestValue>([^<]{4})", with_comments)
    assert value is not None
    split = with_comments.replace(value[0], value[0][:-2] + b"<!--x-->" + value[0][-2:], 1)
    assert judged(split, policy, trust).indication is Indication.FAILED


def test_base64_has_one_spelling(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    """SHA-256 in base64 ends in one unused pair of bits: setting them must not pass."""
    document = signed(pki.taxpayer)
    digest = re.search(rb"<DigestValue>([^<]+)=</DigestValue>", document)
    assert digest is not None
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(digest[1][-1:])
    respelt = digest[1][:-1] + alphabet[last + 1 : last + 2]
    assert base64.b64decode(respelt + b"=") == base64.b64decode(digest[1] + b"=")
    assert "format.base64" in codes(judged(document.replace(digest[1], respelt), policy, trust))


def test_key_value_must_be_the_certificates(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    own, other = signed(pki.taxpayer), signed(signer(pki.ca, number=77))
    mine, theirs = (re.search(rb"<KeyValue>.*</KeyValue>", d, re.DOTALL) for d in (own, other))
    assert mine is not None
    assert theirs is not None
    report = judged(own.replace(mine[0], theirs[0]), policy, trust)
    assert (report.indication, "key.consistent" in codes(report)) == (Indication.FAILED, True)


def test_properties_alone_are_not_content(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    """A signature over its own SignedProperties only: nobody signed the body."""

    root = etree.fromstring(signed(pki.taxpayer, profile="xades-b"))
    ds = "{http://www.w3.org/2000/09/xmldsig#}"
    info = next(root.iter(f"{ds}SignedInfo"))
    info.remove(info.findall(f"{ds}Reference")[0])
    value = next(root.iter(f"{ds}SignatureValue"))
    octets = canonicalise(info, METHODS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"])
    value.text = base64.b64encode(pki.taxpayer.sign(octets, "sha256")).decode()
    report = judged(etree.tostring(root), policy, trust)
    assert codes(report) == {"coverage.content": "SIGNED_DATA_NOT_FOUND"}
    assert report.covered == ()


def test_a_wrong_canonicalisation_is_named(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    """The signer declares inclusive and digests exclusive: refused, and told."""

    document = signed(pki.taxpayer)
    target = parse_xml(document).root[0]
    right, wrong = (
        base64.b64encode(digest("sha256", canonicalise(target, METHODS[uri])))
        for uri in (
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
            "http://www.w3.org/2001/10/xml-exc-c14n#",
        )
    )
    assert right in document
    report = judged(document.replace(right, wrong), policy, trust)
    (check,) = [c for c in report.signatures[0].checks if c.code == "reference.digest-other-canonicalisation"]
    assert "xml-exc-c14n" in check.message_en
    assert report.indication is Indication.FAILED


@pytest.mark.parametrize(
    ("at", "sub_indication", "code"),
    [
        (AT - timedelta(minutes=4), None, None),
        (AT - timedelta(minutes=6), "SIG_CONSTRAINTS_FAILURE", "signing-time.future"),
    ],
)
def test_a_signing_time_in_the_future(
    at: datetime,
    sub_indication: str | None,
    code: str | None,
    pki: Hierarchy,
    policy: Policy,
    trust: TrustStore,
) -> None:
    report = judged(signed(pki.taxpayer, profile="xades-b"), policy, trust, at)
    assert report.sub_indication == sub_indication
    assert code is None or code in codes(report)


def test_a_signing_time_before_the_certificate(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = signed(pki.taxpayer, profile="xades-b", at=AT - timedelta(days=400))
    assert codes(judged(document, policy, trust)) == {"signing-time.validity": "SIG_CONSTRAINTS_FAILURE"}


def test_policies_judge_algorithms_and_dates(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    small = signed(signer(pki.ca, kind="rsa1024", number=5))
    report = judged(small, policy, trust)
    assert report.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    assert "algorithm.key-size" in codes(report)
    assert judged(small, load_policy("tax-legacy"), trust).indication is Indication.PASSED
    early = datetime(2025, 8, 14, 16, 59, tzinfo=UTC)  # 23:59 in Vietnam, the day before the circular
    assert "policy.in-force" in codes(judged(signed(pki.taxpayer), policy, trust, early))
    xades_only = msgspec.structs.replace(policy, profiles=frozenset({"XAdES"}))
    assert "policy.profile" in codes(judged(signed(pki.taxpayer), xades_only, trust))


def test_pinned_keys(pki: Hierarchy, policy: Policy) -> None:
    stranger = signer(pki.ca, number=99)
    for profile in ("xmldsig", "xades-b"):
        document = signed(pki.taxpayer, profile=profile)
        for key in (pki.taxpayer.certificate, pki.taxpayer.certificate.public_key()):
            report = verify_xml(document, policy=policy, trust=None, at=AT, key=key)  # type: ignore[arg-type]
            assert report.indication is Indication.PASSED, codes(report)
        for key in (stranger.certificate, stranger.certificate.public_key()):
            report = verify_xml(document, policy=policy, trust=None, at=AT, key=key)  # type: ignore[arg-type]
            assert report.indication is not Indication.PASSED


def test_embedded_says_that_the_signer_is_not_verified(pki: Hierarchy, policy: Policy) -> None:
    assert codes(judged(signed(pki.taxpayer), policy)) == {"key.embedded": ""}


def test_naive_times_and_nothing_to_trust_are_programming_errors(policy: Policy, trust: TrustStore) -> None:
    document = parse_xml(DECLARATION)
    with pytest.raises(ValueError, match="aware"):
        verify_document(document, policy=policy, trust=trust, at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="trust"):
        verify_document(document, policy=policy, trust=None, at=AT)


def test_the_report_as_json(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    plain = judged(signed(pki.taxpayer, profile="xades-b"), policy, trust).as_json()
    again = msgspec.json.decode(msgspec.json.encode(plain))
    assert again["indication"] == "TOTAL-PASSED"
    assert again["signatures"][0]["signer"]["tax_codes"] == ["0106324653"]


def test_threads_agree(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    good = parse_xml(signed(pki.taxpayer, profile="xades-b"))
    bad = parse_xml(signed(pki.taxpayer).replace(b"1200000", b"1200001"))
    with ThreadPoolExecutor(2) as pool:
        documents = [good, bad] * 100
        reports = list(pool.map(lambda d: verify_document(d, policy=policy, trust=trust, at=AT), documents))
    assert {r.indication for r in reports[::2]} == {Indication.PASSED}
    assert {r.indication for r in reports[1::2]} == {Indication.FAILED}


def test_limits_on_signatures_references_and_values(
    pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    document = signed(pki.taxpayer)
    reference = re.search(rb"<Reference .*?</Reference>", document, re.DOTALL)
    assert reference is not None
    empty = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
    cases = {
        "document.signature-count": document.replace(b"</CKyDTu>", empty * 5_000 + b"</CKyDTu>"),
        "format.reference-count": document.replace(reference[0], reference[0] * 10_000),
        "format.base64": document.replace(b"<SignatureValue>", b"<SignatureValue>" + b"A" * 9_000_000),
    }
    for code, data in cases.items():
        assert code in codes(judged(data, policy, trust)), code


def test_work_is_bounded_over_all_references(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    """16 references to 16 nested parts of a large document: the same octets again and again."""
    inner = b"<v>" + b"x" * 900_000 + b"</v>"
    for i in range(16):
        inner = b'<p id="p%d">%s</p>' % (i, inner)
    document = signed(pki.taxpayer, DECLARATION.replace(b"</HSoThueDTu>", inner + b"</HSoThueDTu>"))
    reference = re.search(rb"<Reference .*?</Reference>", document, re.DOTALL)
    assert reference is not None
    references = b"".join(reference[0].replace(b"#ID_1", b"#p%d" % i) for i in range(16))
    assert "reference.work" in codes(judged(document.replace(reference[0], references), policy, trust))


def test_comments_without_text_around_are_passed_over(
    pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    """A hundred and fifty thousand of them beside each other, in time that grows with their number alone."""
    data = DECLARATION.replace(b"<ct22>", b"<!--c-->" * 150_000 + b"<ct22>")
    assert judged(signed(pki.taxpayer, data), policy, trust).indication is Indication.PASSED


def test_the_signing_certificate_may_stand_anywhere_in_key_info(
    pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    key = FileKey(
        pki.taxpayer.private_key, pki.taxpayer.certificate, (pki.ca.certificate, pki.root.certificate)
    )
    document = signed(key)
    own, *above = re.findall(rb"<X509Certificate>[^<]*</X509Certificate>", document)
    for order in ([*above, own], [above[0], own, above[1]]):
        turned = document.replace(own + b"".join(above), b"".join(order))
        report = judged(turned, policy, trust)
        assert report.indication is Indication.PASSED, codes(report)
        assert report.signatures[0].certificate == key.certificate


def test_issuer_serial_that_disagrees_is_told(pki: Hierarchy) -> None:

    certificate = pki.taxpayer.certificate
    reference = CertificateReference(
        "http://www.w3.org/2001/04/xmlenc#sha256", certificate.fingerprint(SHA256()), 5
    )
    chosen, checks = choose_certificate(SignedProperties(AT, (reference,), 1), (certificate,))
    assert chosen == certificate
    assert [check.code for check in checks] == ["xades.signing-certificate", "xades.issuer-serial"]


def test_names_are_read_from_the_right_attributes(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:

    cases: list[tuple[x509.Name, tuple[str, ...], str | None]] = [
        (TAXPAYER, ("0106324653",), None),
        (
            name("x", x509.NameAttribute(NameOID.ORGANIZATION_NAME, "MST:0106324653-001")),
            ("0106324653-001",),
            None,
        ),
        (name("MST:0106324653"), (), None),  # a common name is free text
        (name("x", x509.NameAttribute(NameOID.USER_ID, "CCCD:001090012345")), (), "CCCD:001090012345"),
        (name("x", x509.NameAttribute(NameOID.USER_ID, "MST:01063246530")), (), None),
    ]
    for subject, tax_codes, person in cases:
        key: FileKey = signer(pki.ca, kind="p256", subject=subject)
        report = judged(signed(key), policy, trust)
        found = report.signatures[0].signer
        assert found is not None
        assert (found.tax_codes, found.person_id) == (tax_codes, person)


@pytest.mark.parametrize("fault", ["version 6", "an extension twice"])
def test_a_certificate_that_cannot_be_read_is_a_fault_of_the_document(
    pki: Hierarchy, policy: Policy, trust: TrustStore, fault: str
) -> None:
    """The X.509 library has exceptions of its own for these: they are this document's, never ours."""
    key = signer(pki.ca)
    der = key.certificate.public_bytes(Encoding.DER)
    parsed = asn1crypto.x509.Certificate.load(der)
    tbs = parsed["tbs_certificate"]
    if fault == "version 6":
        bad = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020105"), 1)
    else:
        tbs["extensions"] = asn1crypto.x509.Extensions([tbs["extensions"][0], tbs["extensions"][0]])
        bad = parsed.dump(force=True)
    document = signed(key).replace(base64.b64encode(der), base64.b64encode(bad))
    assert "format.certificate" in codes(judged(document, policy, trust))


def test_the_signing_certificates_digest_is_judged_by_the_policy(
    pki: Hierarchy, policy: Policy, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SigningCertificate with SHA-1: the certificate is bound by a digest that the policy does not take."""
    key = signer(pki.ca)
    made = sign_module._add_properties

    def with_sha1(build: Any, signature: Any) -> Any:
        properties = made(build, signature)
        (method,) = properties.iterfind(".//{*}CertDigest/{*}DigestMethod")
        (value,) = properties.iterfind(".//{*}CertDigest/{*}DigestValue")
        method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")
        value.text = base64.b64encode(digest("sha1", key.certificate.public_bytes(Encoding.DER))).decode()
        return properties

    monkeypatch.setattr(sign_module, "_add_properties", with_sha1)
    report = judged(signed(key, profile="xades-b"), policy, trust)
    assert codes(report) == {"algorithm.digest": "CRYPTO_CONSTRAINTS_FAILURE"}


def test_a_certificate_from_the_year_one(pki: Hierarchy, policy: Policy) -> None:
    """No time is so early that a tolerance could not be taken from it."""
    key = signer(pki.ca, not_before=datetime(1950, 1, 1, tzinfo=UTC))
    parsed = asn1crypto.x509.Certificate.load(key.certificate.public_bytes(Encoding.DER))
    start = asn1crypto.x509.Time({"general_time": datetime(1000, 1, 1, tzinfo=UTC)})
    parsed["tbs_certificate"]["validity"]["not_before"] = start
    parsed = asn1crypto.x509.Certificate.load(parsed.dump(force=True).replace(b"10000101", b"00010101"))
    octets = parsed["tbs_certificate"].dump()
    parsed["signature_value"] = pki.ca.key.sign(octets, PKCS1v15(), SHA256())  # type: ignore[call-arg, union-attr]
    early = FileKey(key.private_key, x509.load_der_x509_certificate(parsed.dump()))
    assert early.certificate.not_valid_before_utc.year == 1
    report = judged(signed(early, profile="xades-b"), policy)
    assert report.indication is Indication.PASSED


def test_saml_1_types_its_ids_by_its_own_names(pki: Hierarchy, policy: Policy) -> None:
    """On its own elements alone: an attribute of that name elsewhere is no id."""
    for namespace, passes in (("urn:oasis:names:tc:SAML:1.0:assertion", True), ("urn:x", False)):
        bearer = f'<Assertion xmlns="{namespace}" Id="A1"><Subject>x</Subject></Assertion>'.encode()
        document = sign_xml(bearer, pki.taxpayer, profile="xmldsig", target_id="A1", place="Assertion", at=AT)
        renamed = document.replace(b' Id="A1"', b' AssertionID="A1"')
        assert (codes(judged(renamed, policy)).keys() & {"reference.target"} == set()) is passes


@pytest.mark.parametrize("version", ["1.1.1", "1.2.2"])
@pytest.mark.parametrize("typed", [True, False])
def test_xades_before_1_3_2_is_named_and_not_judged(
    version: str,
    typed: bool,
    policy: Policy,
    trust: TrustStore,
    pki: Hierarchy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = f"http://uri.etsi.org/01903/v{version}#"
    monkeypatch.setattr("signing.sign.XADES", older)
    if typed:
        monkeypatch.setattr("signing.sign.SIGNED_PROPERTIES_TYPE", f"{older}SignedProperties")
    document = signed(pki.taxpayer, profile="xades-b")
    report = judged(document, policy, trust)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE")
    assert codes(report) == {"xades.version": "SIG_CONSTRAINTS_FAILURE"}
    assert version in report.signatures[0].profile
    assert [covered.uri for covered in report.covered] == ["#ID_1"]
    changed = judged(document.replace(b"1200000", b"1200001"), policy, trust)
    assert (changed.indication, changed.sub_indication) == (Indication.FAILED, "HASH_FAILURE")
    assert "xades.version" in codes(changed)
