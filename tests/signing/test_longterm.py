"""Signatures in time: what time stamps and values prove, and every way in which they may be broken."""

from __future__ import annotations

import base64
import json
import warnings
from datetime import datetime, timedelta

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

from signing import (
    AugmentRefused,
    Evidence,
    Indication,
    Policy,
    Report,
    SigningRefused,
    TrustStore,
    augment,
    load_policy,
    verify_xml,
)
from signing.cases import report_of
from signing.trust import ALWAYS, Window
from tests.cost import affordable
from tests.signing.conftest import shared
from tests.signing.documents import DECLARATION, codes, signed
from tests.signing.pki import AT, YEAR, Authority, Hierarchy, authority, hierarchy, signer
from tests.signing.timestamping import (
    DAY,
    XADES,
    XADES_141,
    Stamping,
    changed,
    evidence,
    in_time,
    made,
    raised,
    stamping,
    trusting,
)

STRICT = load_policy("tt15-2025")
LATER = AT + 400 * DAY  # the taxpayer's certificate has expired, the authorities' have not


@pytest.fixture(scope="module")
def stamps() -> Stamping:
    return stamping()


def judged(
    document: bytes,
    pki: Hierarchy,
    stamps: Stamping,
    at: datetime,
    *,
    crls: list[bytes] | None = None,
    policy: Policy | None = None,
    trust: TrustStore | None = None,
) -> Report:
    store = trust or trusting(pki, stamps, crls)
    return verify_xml(document, policy=policy or in_time(), trust=store, at=at)


def lists(pki: Hierarchy, stamps: Stamping, at: datetime) -> list[bytes]:
    return list(evidence(pki, stamps, at).crls)


@pytest.mark.parametrize("level", ["B", "T", "LT", "LTA"])
@pytest.mark.parametrize("c14n", ["inclusive", "exclusive"])
@pytest.mark.parametrize("prefix", [None, "ds"])
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_each_level_is_made_and_judged(
    level: str, c14n: str, prefix: str | None, kind: str, pki: Hierarchy
) -> None:
    stamps = stamping(kind=kind)
    document = made(level, pki, stamps, key=signer(pki.ca, kind=kind), c14n=c14n, prefix=prefix)
    report = judged(document, pki, stamps, AT + timedelta(hours=1), crls=lists(pki, stamps, AT))
    assert report.indication is Indication.PASSED, codes(report)
    assert codes(report) == {}
    (signature,) = report.signatures
    assert signature.profile == f"XAdES-B-{level}"
    kinds = {"B": [], "T": ["signature"], "LT": ["signature"], "LTA": ["signature", "archive"]}[level]
    assert [t.kind for t in signature.timestamps] == kinds
    assert signature.best_signature_time == (AT if kinds else None)
    assert {e.kind for e in signature.evidence} == {"crl"}


def test_a_time_stamp_at_signing(pki: Hierarchy, stamps: Stamping) -> None:
    stamps.now = AT
    document = signed(pki.taxpayer, profile="xades-t", tsa=stamps.tsa)
    report = judged(document, pki, stamps, AT, crls=lists(pki, stamps, AT))
    assert report.indication is Indication.PASSED, codes(report)
    assert report.signatures[0].profile == "XAdES-B-T"
    for options in ({"profile": "xades-t"}, {"profile": "xades-b", "tsa": stamps.tsa}):
        with pytest.raises(SigningRefused, match="authority"):
            signed(pki.taxpayer, **options)


@pytest.mark.parametrize(
    ("level", "at", "expected"),
    [
        ("B", LATER, "OUT_OF_BOUNDS_NO_POE"),  # nothing proves that it was signed in time
        ("T", LATER, "OUT_OF_BOUNDS_NO_POE"),  # in time, but nobody tells of its status then
        ("LT", LATER, None),
        ("LTA", LATER, None),
        ("LT", AT + 3 * YEAR + DAY, "OUT_OF_BOUNDS_NO_POE"),  # the time stamp's authority has expired too
    ],
)
def test_an_expired_certificate_at_its_proven_time(
    level: str, at: datetime, expected: str | None, pki: Hierarchy, stamps: Stamping
) -> None:
    """Lists of today, as an operator has them, tell nothing of a certificate that expired before."""
    report = judged(made(level, pki, stamps), pki, stamps, at, crls=lists(pki, stamps, at))
    assert report.sub_indication == expected, codes(report)
    if expected is None:
        assert codes(report)["time.proven"] == ""
        assert report.signatures[0].best_signature_time == AT


def test_proven_times_do_nothing_where_the_policy_does_not_take_them(
    pki: Hierarchy, stamps: Stamping
) -> None:
    """Circular 15: time stamps are told of; what was no pass without them is none with them."""
    document = made("LTA", pki, stamps)
    report = judged(document, pki, stamps, LATER, crls=lists(pki, stamps, LATER), policy=STRICT)
    assert report.sub_indication == "OUT_OF_BOUNDS_NO_POE"
    assert report.signatures[0].best_signature_time == AT
    # nor do the lists in the document stand in for the operator's own
    assert judged(document, pki, stamps, AT, policy=STRICT).sub_indication == "TRY_LATER"
    assert judged(document, pki, stamps, AT).indication is Indication.PASSED


@pytest.mark.parametrize(("days", "expected"), [(+1, None), (-1, "REVOKED_NO_POE")])
def test_revoked_after_and_before_the_proven_time(days: int, expected: str | None, stamps: Stamping) -> None:
    pki = hierarchy()
    document = made("LT", pki, stamps)
    serial = pki.taxpayer.certificate.serial_number
    pki.ca.revoked = [(serial, AT + days * DAY, x509.ReasonFlags.key_compromise)]
    at = AT + 30 * DAY
    report = judged(document, pki, stamps, at, crls=lists(pki, stamps, at))
    assert report.sub_indication == expected, codes(report)


def test_archive_time_stamps_carry_over_authorities_that_expired(pki: Hierarchy) -> None:
    """The first authority expires in a year; a second one stamped everything before that, and is valid today."""
    first = stamping(not_after=AT + 100 * DAY)
    second = stamping(root=first.root, not_after=AT + 9 * YEAR)
    document = made("LT", pki, first)
    at = AT + 5 * YEAR
    trust = trusting(pki, first, lists(pki, first, at))
    assert judged(document, pki, first, at, trust=trust).sub_indication == "OUT_OF_BOUNDS_NO_POE"
    second.now = AT + 50 * DAY
    archived = raised(document, "LTA", pki, second)
    report = judged(archived, pki, first, at, trust=trust)
    assert report.indication is Indication.PASSED, codes(report)
    assert report.signatures[0].profile == "XAdES-B-LTA"
    # stamped when it was too late: the first authority had expired by then
    second.now = AT + 200 * DAY
    with pytest.raises(AugmentRefused, match="no CRL"):
        raised(document, "LTA", pki, second)
    late = raised(document, "LTA", pki, second, AT + 50 * DAY)
    assert judged(late, pki, first, at, trust=trust).sub_indication == "OUT_OF_BOUNDS_NO_POE"


def test_a_second_archive_time_stamp_covers_the_first(pki: Hierarchy, stamps: Stamping) -> None:
    document = made("LTA", pki, stamps)
    stamps.now = AT + 20 * DAY
    twice = raised(document, "LTA", pki, stamps)
    report = judged(twice, pki, stamps, LATER, crls=lists(pki, stamps, LATER))
    assert report.indication is Indication.PASSED, codes(report)
    assert [t.kind for t in report.signatures[0].timestamps] == ["signature", "archive", "archive"]
    assert b"TimeStampValidationData" in twice


def test_lists_forged_with_an_expired_authoritys_key_count_for_nothing(stamps: Stamping) -> None:
    """EN 319 102-1 clause 5.6.2.2: an answer needs a proof that it existed while its authority could be believed."""
    pki = hierarchy()
    root = authority("Short root", number=7, not_after=AT + 60 * DAY)
    key = signer(root)
    root.revoked = [(key.certificate.serial_number, AT - DAY, x509.ReasonFlags.key_compromise)]
    stamps.now = AT
    document = signed(key, profile="xades-t", tsa=stamps.tsa)
    anchors = [root.certificate, stamps.root.certificate]
    root.revoked = []
    forged = Evidence(
        (root.certificate, stamps.root.certificate), (root.crl(AT, AT + DAY), stamps.root.crl(AT, AT + DAY))
    )
    options = {
        "tsa": stamps.tsa,
        "policy": in_time(),
        "at": AT,
        "trust": TrustStore.of(anchors),
        "evidence": forged,
    }
    document = augment(document, level="LT", **options)  # type: ignore[arg-type]
    at = AT + 90 * DAY
    trust = TrustStore.of(anchors, [], [stamps.root.crl(at - DAY, at + DAY)])
    assert judged(document, pki, stamps, at, trust=trust).sub_indication == "OUT_OF_BOUNDS_NO_POE"
    stamps.now = AT + 70 * DAY  # an archive time stamp after the end proves nothing of it either
    late = augment(document, level="LTA", **(options | {"at": AT + DAY}))  # type: ignore[arg-type]
    assert judged(late, pki, stamps, at, trust=trust).sub_indication == "OUT_OF_BOUNDS_NO_POE"
    stamps.now = AT + 50 * DAY
    in_due_time = augment(document, level="LTA", **(options | {"at": AT + DAY}))  # type: ignore[arg-type]
    assert judged(in_due_time, pki, stamps, at, trust=trust).indication is Indication.PASSED


def first(root: etree._Element, tag: str) -> etree._Element:
    return next(root.iter(tag))


def replace_token(tag: str, octets: bytes):  # type: ignore[no-untyped-def]
    def change(root: etree._Element) -> None:
        first(first(root, tag), f"{XADES}EncapsulatedTimeStamp").text = base64.b64encode(octets).decode()

    return change


def break_values(root: etree._Element) -> None:
    first(root, f"{XADES}EncapsulatedCRLValue").text = base64.b64encode(b"\x30\x03\x02\x01\x01").decode()


def drop_values(root: etree._Element) -> None:
    values = first(root, f"{XADES}RevocationValues")
    values.getparent().remove(values)


def reorder(root: etree._Element) -> None:
    values = first(root, f"{XADES}CertificateValues")
    holder = values.getparent()
    holder.remove(values)
    holder.insert(0, values)


def add_object(root: etree._Element) -> None:
    signature = first(root, "{http://www.w3.org/2000/09/xmldsig#}Signature")
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").text = "later"


@pytest.mark.parametrize("change", [break_values, drop_values, reorder, add_object])
def test_an_archive_time_stamp_over_other_octets_proves_nothing(
    change: object, pki: Hierarchy, stamps: Stamping
) -> None:
    """The signature itself is judged as if it bore none (EN 319 102-1 clause 5.6.3): here it fails for being old."""
    at = AT + YEAR + 30 * DAY
    short = stamping(not_after=AT + 100 * DAY, root=stamps.root)
    document = made("LT", pki, short)
    stamps.now = AT + 50 * DAY
    document = raised(document, "LTA", pki, stamps)
    trust = trusting(pki, stamps, lists(pki, stamps, at))
    assert judged(document, pki, stamps, at, trust=trust).indication is Indication.PASSED
    report = judged(changed(document, change), pki, stamps, at, trust=trust)
    assert report.sub_indication == "OUT_OF_BOUNDS_NO_POE", codes(report)
    assert report.signatures[0].timestamps[-1].sub_indication == "HASH_FAILURE"
    assert codes(report)["timestamp.ignored"] == ""


@pytest.mark.parametrize("policy", [STRICT, in_time(), load_policy("conformance")], ids=lambda p: p.name)
@pytest.mark.parametrize("octets", [b"garbage", b"\x30\x00", b"\x30\x80" * 40])
def test_a_garbage_token_refuses(octets: bytes, policy: Policy, pki: Hierarchy, stamps: Stamping) -> None:
    document = changed(made("T", pki, stamps), replace_token(f"{XADES}SignatureTimeStamp", octets))
    report = judged(document, pki, stamps, AT, crls=lists(pki, stamps, AT), policy=policy)
    assert report.sub_indication == "SIG_CONSTRAINTS_FAILURE", codes(report)
    assert codes(report)["timestamp.broken"]
    embedded = verify_xml(document, policy=policy, trust=None, key="embedded", at=AT)
    assert embedded.indication is Indication.INDETERMINATE


def test_a_time_stamp_of_another_signature_refuses(pki: Hierarchy, stamps: Stamping) -> None:
    one, other = made("T", pki, stamps), made("T", pki, stamps)
    token = base64.b64decode(first(etree.fromstring(other), f"{XADES}EncapsulatedTimeStamp").text or "")
    document = changed(one, replace_token(f"{XADES}SignatureTimeStamp", token))
    for policy in (STRICT, in_time()):
        report = judged(document, pki, stamps, AT, crls=lists(pki, stamps, AT), policy=policy)
        assert report.sub_indication == "SIG_CONSTRAINTS_FAILURE"
        assert report.signatures[0].timestamps[0].sub_indication == "HASH_FAILURE"
        assert report.signatures[0].best_signature_time is None


def test_a_token_in_a_second_place_proves_nothing_there(pki: Hierarchy, stamps: Stamping) -> None:
    document = made("LTA", pki, stamps)
    token = base64.b64decode(first(etree.fromstring(document), f"{XADES}EncapsulatedTimeStamp").text or "")
    copied = changed(document, replace_token(f"{XADES_141}ArchiveTimeStamp", token))
    report = judged(copied, pki, stamps, AT, crls=lists(pki, stamps, AT))
    assert report.indication is Indication.PASSED, codes(report)
    assert report.signatures[0].profile == "XAdES-B-LT"


@pytest.mark.parametrize("fault", ["purpose", "untrusted", "revoked"])
def test_an_authority_that_may_not_stamp_proves_nothing(fault: str, pki: Hierarchy, stamps: Stamping) -> None:
    other = stamping(
        purpose=ExtendedKeyUsageOID.CODE_SIGNING if fault == "purpose" else ExtendedKeyUsageOID.TIME_STAMPING,
        root=authority("Foreign time root", number=6) if fault == "untrusted" else stamps.root,
    )
    own = evidence(pki, other, AT)
    if fault == "revoked":
        serial = other.key.certificate.serial_number
        other.root.revoked = [(serial, AT - DAY, x509.ReasonFlags.key_compromise)]
    other.now = AT
    document = signed(pki.taxpayer, profile="xades-b")
    document = augment(
        document,
        level="LTA",
        tsa=other.tsa,
        policy=in_time(),
        at=AT,
        trust=trusting(pki, other),
        evidence=own,
    )
    crls = lists(pki, other if fault == "revoked" else stamps, LATER)
    other.root.revoked = []
    report = judged(document, pki, stamps, LATER, crls=crls)
    assert report.sub_indication == "OUT_OF_BOUNDS_NO_POE", codes(report)
    assert report.signatures[0].best_signature_time is None
    assert report.signatures[0].profile == "XAdES-B-B"


def test_a_time_stamp_from_before_the_certificate(pki: Hierarchy, stamps: Stamping) -> None:
    """The signature bears the certificate's digest: it cannot have existed before it."""
    old = stamping(root=stamps.root, not_before=AT - 3 * YEAR)
    old.now = AT - 2 * YEAR
    early = signed(pki.taxpayer, profile="xades-t", tsa=old.tsa)
    report = judged(early, pki, stamps, AT, crls=lists(pki, stamps, AT))
    assert report.sub_indication == "TIMESTAMP_ORDER_FAILURE", codes(report)
    report = judged(early, pki, stamps, LATER, crls=lists(pki, stamps, LATER))
    assert report.sub_indication == "OUT_OF_BOUNDS_NO_POE"


def test_time_stamps_out_of_order(pki: Hierarchy, stamps: Stamping) -> None:
    document = made("LT", pki, stamps)
    stamps.now = AT - DAY
    with pytest.raises(AugmentRefused, match="TIMESTAMP_ORDER_FAILURE"):
        raised(document, "LTA", pki, stamps, AT)


def test_augmenting_refuses_what_it_cannot_make_good(pki: Hierarchy, stamps: Stamping) -> None:
    stamps.now = AT
    plain, document = signed(pki.taxpayer), signed(pki.taxpayer, profile="xades-b")
    options = {"tsa": stamps.tsa, "policy": in_time(), "at": AT}
    with pytest.raises(AugmentRefused, match="no place"):
        augment(plain, level="T", **options)  # type: ignore[arg-type]
    with pytest.raises(AugmentRefused, match="trust is needed"):
        augment(document, level="LT", **options)  # type: ignore[arg-type]
    with pytest.raises(AugmentRefused, match="no CRL"):
        augment(document, level="LT", trust=trusting(pki, stamps), **options)  # type: ignore[arg-type]
    with pytest.raises(AugmentRefused, match="HASH_FAILURE"):
        augment(document.replace(b"1200000", b"1200001"), level="T", **options)  # type: ignore[arg-type]


def test_limits(pki: Hierarchy, stamps: Stamping) -> None:
    def many(root: etree._Element) -> None:
        stamp = first(root, f"{XADES}SignatureTimeStamp")
        for _ in range(20):
            stamp.append(etree.fromstring(etree.tostring(stamp[1])))

    report = judged(changed(made("T", pki, stamps), many), pki, stamps, AT)
    assert report.sub_indication == "FORMAT_FAILURE"
    assert "xades.time-structure" in codes(report)


def ocsp(
    key: x509.Certificate, issuer: Authority, day: datetime, *, revoked: datetime | None = None
) -> bytes:
    """An answer by the issuer itself."""
    status = x509_ocsp.OCSPCertStatus.GOOD if revoked is None else x509_ocsp.OCSPCertStatus.REVOKED
    builder = x509_ocsp.OCSPResponseBuilder().add_response(
        cert=key,
        issuer=issuer.certificate,
        algorithm=hashes.SHA256(),
        cert_status=status,
        this_update=day,
        next_update=day + DAY,
        revocation_time=revoked,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("form", ["whole", "basic"])
def test_ocsp_answers_as_values(form: str, pki: Hierarchy, stamps: Stamping) -> None:
    stamps.now = AT
    signer_told = ocsp(pki.taxpayer.certificate, pki.ca, AT)
    lists_ = evidence(pki, stamps, AT)
    own = Evidence(
        lists_.certificates, (pki.root.crl(AT, AT + DAY), stamps.root.crl(AT, AT + DAY)), (signer_told,)
    )
    document = augment(
        signed(pki.taxpayer, profile="xades-b"),
        level="LT",
        tsa=stamps.tsa,
        policy=in_time(),
        at=AT,
        trust=trusting(pki, stamps),
        evidence=own,
    )
    assert b"EncapsulatedOCSPValue" in document
    if form == "basic":
        basic = asn1_ocsp.OCSPResponse.load(signer_told)["response_bytes"]["response"].contents
        whole, inner = base64.b64encode(signer_told), base64.b64encode(basic)
        assert whole in document
        document = document.replace(whole, inner)
    report = judged(document, pki, stamps, LATER, crls=lists(pki, stamps, LATER))
    assert report.indication is Indication.PASSED, codes(report)
    assert {e.kind for e in report.signatures[0].evidence} == {"crl", "ocsp"}


def test_third_party_vectors_in_time() -> None:
    """What the public suites call broken in time is refused, and what they stamped is judged as stamped."""
    file = shared("vectors/cases.json")
    policy = load_policy("conformance")
    cases = [case for case in json.loads(file.read_text("utf-8")) if case["family"] == "xades"]
    levels: dict[str, set[str]] = {}
    accepted = set()
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = report_of(case, file.parent, policy, (file.parent / case["path"]).read_bytes())
        if report.indication is Indication.PASSED:
            accepted.add(case["id"])
        levels[case["id"]] = {signature.profile for signature in report.signatures}
    assert not [
        case["id"] for case in cases if case["expected"] in ("invalid", "reject") and case["id"] in accepted
    ]
    for name, level in {
        "document.signed.t.bes.xml": "XAdES-T",
        "xades-with-multiple-archivetimestamps.xml": "XAdES-B-LTA",
        "xades-lta-valid.xml": "XAdES-B-LTA",
        "xades-lta-copied-atst.xml": "XAdES-B-LT",
        "xades-enveloping-arcTst132-add-object.xml": "XAdES-B-LT",  # an object was added after the time stamp
        "sellosFNMT-XAdES_A.xml": "XAdES-A",
        "Signature-X-HU_POL-3.xml": "XAdES-A",
        "xades-with-multiple-signaturetimestamps.xml": "XAdES-B-T",
    }.items():
        assert f"xades/{name}" in accepted, name
        assert levels[f"xades/{name}"] == {level}, name


def many_lists(root: etree._Element) -> None:
    holder = first(root, f"{XADES}SignatureTimeStamp").getparent()
    assert holder is not None
    values = etree.SubElement(etree.SubElement(holder, f"{XADES}RevocationValues"), f"{XADES}CRLValues")
    for _ in range(60):
        etree.SubElement(values, f"{XADES}EncapsulatedCRLValue").text = LONG_LIST


def archived_many_times(root: etree._Element) -> None:
    stamp = first(root, f"{XADES}SignatureTimeStamp")
    for _ in range(15):
        copy = etree.SubElement(stamp.getparent(), f"{XADES_141}ArchiveTimeStamp")
        copy.extend(etree.fromstring(etree.tostring(child)) for child in stamp)


LONG_LIST = base64.b64encode(b"\x30\x82" + bytes(60_000)).decode()
NESTED = base64.b64encode(b"\x30\x80" * 200_000).decode()
FLAT = base64.b64encode(b"\x30\x83\x0f\xff\xff" + b"\x05\x00" * 500_000).decode()


def token_text(text: str):  # type: ignore[no-untyped-def]
    def change(root: etree._Element) -> None:
        first(root, f"{XADES}EncapsulatedTimeStamp").text = text

    return change


@pytest.mark.parametrize(
    "change",
    [many_lists, archived_many_times, token_text(NESTED), token_text(FLAT)],
    ids=["lists", "archived", "nested", "flat"],
)
def test_hostile_properties_cost_less_than_a_second(change: object, pki: Hierarchy, stamps: Stamping) -> None:
    rows = DECLARATION.replace(b"<ct22>0</ct22>", b"<ct22>0</ct22>" * 20_000)
    document = changed(made("T", pki, stamps, data=rows), change)
    crls = lists(pki, stamps, AT)
    for _ in affordable(1.0):
        judged(document, pki, stamps, AT, crls=crls)


def test_an_anchor_that_is_trusted_no_more_is_judged_at_the_proven_time(
    pki: Hierarchy, stamps: Stamping
) -> None:
    """A trusted list withdraws a service: what was signed and stamped before stands."""
    at, end = AT + 30 * DAY, AT + 20 * DAY
    crls = lists(pki, stamps, at)
    windows = {pki.root.certificate: (Window(AT - YEAR, end),), stamps.root.certificate: ALWAYS}
    trust = TrustStore.of(
        [pki.root.certificate, stamps.root.certificate], [pki.ca.certificate], crls, windows
    )
    bare = judged(made("B", pki, stamps), pki, stamps, at, trust=trust)
    assert bare.indication is Indication.INDETERMINATE
    assert "certificate.anchor-dates" in codes(bare)
    report = judged(made("LTA", pki, stamps), pki, stamps, at, trust=trust)
    assert report.indication is Indication.PASSED, codes(report)
