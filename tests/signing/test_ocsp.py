"""OCSP answers: who may give them, how fresh they must be, and what they do to a verdict."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from asn1crypto import core
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from signing import (
    CrlRefused,
    Good,
    OcspRefused,
    Policy,
    RevocationIndex,
    Revoked,
    TrustStore,
    Unknown,
    verify_xml,
)
from signing.revocation import StatusRules
from tests.signing.documents import codes, signed
from tests.signing.pki import (
    AT,
    YEAR,
    Authority,
    Hierarchy,
    authority,
    certificate,
    hierarchy,
    name,
    private_key,
    signer,
    usage,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OCSP_SIGNING = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
NO_CHECK = (x509.OCSPNoCheck(), False)
PART = "http://crl.example/responders.crl"
POINTS = (
    x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(PART)], None, None, None)]
    ),
    False,
)
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def responder(ca: Authority, *extensions: tuple[x509.ExtensionType, bool], **options: object) -> Authority:
    key = private_key("p256", 90)
    held = (*(extensions or (OCSP_SIGNING, NO_CHECK)), POINTS)
    made = certificate(name("Responder"), key, ca, extensions=held, **options)  # type: ignore[arg-type]
    return Authority(made, key)


def answer(
    subject: x509.Certificate,
    issuer: x509.Certificate,
    by: Authority,
    *,
    status: ocsp.OCSPCertStatus = GOOD,
    this_update: datetime = AT - HOUR,
    next_update: datetime | None = AT + DAY,
    revoked_at: datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    by_name: bool = True,
    digest: hashes.HashAlgorithm | None = None,
    extra: tuple[x509.ExtensionType, bool] | None = None,
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject, issuer=issuer, algorithm=hashes.SHA1(), cert_status=status, this_update=this_update,
        next_update=next_update, revocation_time=revoked_at, revocation_reason=reason,
    )  # fmt: skip
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = builder.responder_id(encoding, by.certificate).certificates([by.certificate])
    if extra:
        builder = builder.add_extension(*extra)
    made = builder.sign(by.key, digest or hashes.SHA256())
    return made.public_bytes(Encoding.DER)


@pytest.fixture
def index(pki: Hierarchy) -> RevocationIndex:
    return RevocationIndex([pki.root.certificate, pki.ca.certificate])


Maker = Callable[[Hierarchy], bytes]


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("delegated", [True, False])
def test_good_from_the_issuer_or_its_responder(
    by_name: bool, delegated: bool, pki: Hierarchy, index: RevocationIndex, tmp_path: Path
) -> None:
    by = responder(pki.ca) if delegated else pki.ca
    der = answer(pki.taxpayer.certificate, pki.ca.certificate, by, by_name=by_name)
    (told,) = index.add_ocsp(der)
    assert (told.responder is not None) is delegated
    status = index.status(pki.taxpayer.certificate, pki.ca.certificate, AT)
    assert isinstance(status, Good)
    assert (status.kind, status.until) == ("ocsp", AT + DAY)
    assert openssl_takes(der, pki, tmp_path)


def openssl_takes(der: bytes, pki: Hierarchy, folder: Path) -> bool:
    """The same question to another implementation, which also judges the responder."""
    (folder / "answer").write_bytes(der)
    for label, made in (
        ("ca", pki.ca.certificate),
        ("root", pki.root.certificate),
        ("leaf", pki.taxpayer.certificate),
    ):
        (folder / f"{label}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    command = [
        "openssl",
        "ocsp",
        "-respin",
        "answer",
        "-issuer",
        "ca.pem",
        "-cert",
        "leaf.pem",
        "-CAfile",
        "root.pem",
    ]
    command += [
        "-verify_other",
        "ca.pem",
        "-attime",
        str(int(AT.timestamp())),
        "-validity_period",
        "999999999",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "Response verify OK" in done.stderr


REFUSED: dict[str, tuple[str, Maker]] = {
    "a stranger who bears the CA's name": (
        "no certificate of the issuer",
        lambda pki: answer(
            pki.taxpayer.certificate, pki.ca.certificate, authority("Issuing CA of the tests", number=91)
        ),
    ),
    "another CA's responder": (
        "no certificate of the issuer",
        lambda pki: answer(pki.taxpayer.certificate, pki.ca.certificate, responder(pki.root)),
    ),
    "an end entity of the CA": (
        "may not sign OCSP",
        lambda pki: answer(
            pki.taxpayer.certificate,
            pki.ca.certificate,
            Authority(pki.taxpayer.certificate, pki.taxpayer.private_key),
        ),
    ),
    "a responder whose key is for keys": (
        "other uses",
        lambda pki: answer(
            pki.taxpayer.certificate,
            pki.ca.certificate,
            responder(pki.ca, OCSP_SIGNING, (usage(key_encipherment=True), True)),
        ),
    ),
    "a responder that had expired": (
        "not within its validity",
        lambda pki: answer(
            pki.taxpayer.certificate,
            pki.ca.certificate,
            responder(pki.ca, not_before=AT - 5 * YEAR, not_after=AT - 4 * YEAR),
        ),
    ),
    "an unknown CA": (
        "no known CA",
        lambda pki: answer(
            pki.taxpayer.certificate, (other := authority("Other", number=92)).certificate, other
        ),
    ),
    "an unknown critical extension": (
        "unknown critical",
        lambda pki: answer(
            pki.taxpayer.certificate,
            pki.ca.certificate,
            pki.ca,
            extra=(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        ),
    ),
    "tryLater": (
        "TRY_LATER",
        lambda _: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
            Encoding.DER
        ),
    ),
    "garbage": ("not a usable", lambda _: b"\x30\x03\x02\x01\x01"),
    "too long": ("at most", lambda _: b"\x30" * 300_000),
}


@pytest.mark.parametrize("case", REFUSED)
def test_answers_that_are_refused(case: str, pki: Hierarchy, index: RevocationIndex) -> None:
    told, make = REFUSED[case]
    with pytest.raises(OcspRefused, match=told):
        index.add_ocsp(make(pki))
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT), Unknown)
    assert index.epoch == 0


@pytest.mark.parametrize("delegated", [True, False])
def test_one_octet_changed_anywhere_never_makes_good(delegated: bool, pki: Hierarchy) -> None:
    subject, issuer = pki.taxpayer.certificate, pki.ca.certificate
    by = responder(pki.ca) if delegated else pki.ca
    der = answer(subject, issuer, by, status=REVOKED, revoked_at=AT - DAY)
    refused = 0
    for position in range(0, len(der), 3):
        broken = bytearray(der)
        broken[position] ^= 0x01
        index = RevocationIndex([pki.root.certificate, issuer])
        try:
            index.add_ocsp(bytes(broken))
        except OcspRefused:
            refused += 1
        assert isinstance(index.status(subject, issuer, AT), Revoked | Unknown)
    # The issuer's own certificate may come along and means nothing; a responder's is judged octet for octet.
    assert refused > len(der) // 3 * (0.9 if delegated else 0.2)


def test_an_answer_is_about_the_issuer_by_name_and_by_key(pki: Hierarchy) -> None:
    """Another CA has this one's key: an answer about its certificates is none about ours, and the other way."""
    twin = authority("Renamed CA of the tests", pki.root, number=2)
    index = RevocationIndex([pki.ca.certificate])
    with pytest.raises(OcspRefused, match="no known CA"):
        index.add_ocsp(answer(signer(twin, number=94).certificate, twin.certificate, twin))


def test_good_ends_with_the_list_that_tells_of_the_responder(policy: Policy) -> None:
    own = hierarchy()
    taxpayer, ca = own.taxpayer.certificate, own.ca.certificate
    index = RevocationIndex([ca])
    index.add_ocsp(answer(taxpayer, ca, responder(own.ca, OCSP_SIGNING), next_update=AT + 30 * DAY))
    point = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(PART)], relative_name=None, only_contains_user_certs=False,
        only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=False,
        only_contains_attribute_certs=False,
    )  # fmt: skip
    index.add_crl(own.ca.crl(next_update=AT + HOUR, extra=((point, True),)))
    status = index.status(taxpayer, ca, AT)
    assert isinstance(status, Good)
    assert status.until == AT + HOUR
    assert isinstance(index.status(taxpayer, ca, AT + 2 * HOUR), Unknown)


STATUS: dict[str, tuple[str, dict[str, object]]] = {
    "good": ("Good", {}),
    "stale": ("stale", {"next_update": AT - timedelta(minutes=1)}),
    "open, a day old": ("Good", {"next_update": None, "this_update": AT - DAY}),
    "open, older": ("stale", {"next_update": None, "this_update": AT - DAY - timedelta(seconds=1)}),
    "unknown": ("ocsp-unknown", {"status": UNKNOWN}),
    "revoked": ("Revoked", {"status": REVOKED, "revoked_at": AT - DAY}),
    "revoked, and the answer is stale": (
        "Revoked",
        {"status": REVOKED, "revoked_at": AT - 3 * DAY, "this_update": AT - 2 * DAY, "next_update": AT - DAY},
    ),
    "revoked later": ("Good", {"status": REVOKED, "revoked_at": AT + timedelta(minutes=1)}),
    "a digest that the policy does not take": ("weak-digest", {"digest": hashes.SHA384()}),
}  # fmt: skip
RULES = StatusRules(digests=frozenset({"sha256"}), minimum_rsa_bits=2048)


@pytest.mark.parametrize("case", STATUS)
def test_what_an_answer_means(case: str, pki: Hierarchy, index: RevocationIndex) -> None:
    expected, options = STATUS[case]
    by = responder(pki.ca)
    index.add_ocsp(answer(pki.taxpayer.certificate, pki.ca.certificate, by, **options))  # type: ignore[arg-type]
    status = index.status(pki.taxpayer.certificate, pki.ca.certificate, AT, RULES)
    assert expected == (status.why if isinstance(status, Unknown) else type(status).__name__)
    if case == "revoked later":
        assert isinstance(status, Good)
        assert status.until < AT + timedelta(minutes=1)


def test_a_policy_may_want_newer_answers(pki: Hierarchy, index: RevocationIndex) -> None:
    index.add_ocsp(answer(pki.taxpayer.certificate, pki.ca.certificate, pki.ca, this_update=AT - HOUR))
    for limit, good in ((HOUR, True), (HOUR - timedelta(seconds=1), False)):
        rules = StatusRules(max_age=limit)
        found = index.status(pki.taxpayer.certificate, pki.ca.certificate, AT, rules)
        assert isinstance(found, Good) is good
    index.add_crl(pki.ca.crl(this_update=AT - timedelta(minutes=1)))
    rules = StatusRules(max_age=timedelta(minutes=5))
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT, rules), Good)


@pytest.mark.parametrize("listed", [None, False, True])
def test_a_responder_that_is_not_exempt_must_be_in_good_standing(listed: bool | None) -> None:
    """The list here is for the responder's certificate alone, so that only the answer tells of the taxpayer."""
    own = hierarchy()
    by, taxpayer = responder(own.ca, OCSP_SIGNING), own.taxpayer.certificate
    point = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(PART)], relative_name=None, only_contains_user_certs=False,
        only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=False,
        only_contains_attribute_certs=False,
    )  # fmt: skip
    index = RevocationIndex([own.ca.certificate])
    index.add_ocsp(answer(taxpayer, own.ca.certificate, by))
    if listed is not None:
        if listed:
            own.ca.revoked.append((by.certificate.serial_number, AT - DAY, x509.ReasonFlags.key_compromise))
        index.add_crl(own.ca.crl(extra=((point, True),)))
    status = index.status(taxpayer, own.ca.certificate, AT)
    if listed is False:
        assert isinstance(status, Good)
    else:
        assert isinstance(status, Unknown)
        assert status.why == "responder"


def test_the_later_answer_stays_and_a_revocation_counts_wherever_it_is_told(
    pki: Hierarchy, index: RevocationIndex
) -> None:
    subject, ca = pki.taxpayer.certificate, pki.ca.certificate
    index.add_ocsp(answer(subject, ca, pki.ca, status=REVOKED, revoked_at=AT - DAY))
    epoch = index.epoch
    index.add_ocsp(answer(subject, ca, pki.ca, this_update=AT - 2 * HOUR))
    assert index.epoch == epoch
    assert isinstance(index.status(subject, ca, AT), Revoked)
    index.add_crl(pki.ca.crl())
    assert isinstance(index.status(subject, ca, AT), Revoked)
    copy = index.extended()
    copy.add_ocsp(answer(subject, ca, pki.ca, this_update=AT - timedelta(minutes=1)))
    assert isinstance(copy.status(subject, ca, AT), Good)
    assert isinstance(index.status(subject, ca, AT), Revoked)


def test_the_verdict_and_its_evidence(pki: Hierarchy, policy: Policy) -> None:
    trust = TrustStore.of([pki.root.certificate], [pki.ca.certificate], [pki.root.crl()])
    document = signed(pki.taxpayer)
    assert verify_xml(document, policy=policy, trust=trust, at=AT).sub_indication == "TRY_LATER"
    trust.revocation.add_ocsp(answer(pki.taxpayer.certificate, pki.ca.certificate, responder(pki.ca)))
    report = verify_xml(document, policy=policy, trust=trust, at=AT)
    assert report.sub_indication is None, codes(report)
    assert [(e.kind, e.issuer) for e in report.signatures[0].evidence] == [
        ("ocsp", "CN=Responder"),
        ("crl", "CN=Root of the tests"),
    ]
    eager = msgspec.structs.replace(policy, max_status_age_seconds=60)
    assert verify_xml(document, policy=eager, trust=trust, at=AT).sub_indication == "TRY_LATER"
    trust.revocation.add_ocsp(
        answer(
            pki.taxpayer.certificate, pki.ca.certificate, pki.ca, status=REVOKED, revoked_at=AT - DAY,
            reason=x509.ReasonFlags.certificate_hold, this_update=AT - timedelta(minutes=1),
        )
    )  # fmt: skip
    assert codes(verify_xml(document, policy=policy, trust=trust, at=AT)) == {
        "certificate.suspended": "REVOKED_NO_POE"
    }


def test_an_answer_about_another_serial_number_says_nothing(pki: Hierarchy, index: RevocationIndex) -> None:
    other = signer(pki.ca, number=93)
    index.add_ocsp(answer(other.certificate, pki.ca.certificate, pki.ca))
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT), Unknown)


def _time(moment: datetime) -> bytes:
    return b"\x18\x0f" + moment.strftime("%Y%m%d%H%M%SZ").encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_time(AT - 30 * DAY), "Good"),
        (_time(AT - HOUR), "Good"),
        (_time(AT - HOUR + timedelta(seconds=1)), "expired-entries"),
        (None, "expired-entries"),
    ],
)
@pytest.mark.parametrize("way", ["crl", "ocsp"])
def test_answers_after_the_end_count_where_they_keep_what_has_ended(
    value: bytes | None, expected: str, way: str
) -> None:
    """Archive cutoff (RFC 6960 clause 4.4.4) and expiredCertsOnCRL (X.509): from when on ended ones are told of."""
    own = hierarchy()
    leaf = signer(own.ca, not_after=AT - HOUR).certificate
    index, ca = RevocationIndex([own.ca.certificate]), own.ca
    if way == "crl":
        index.add_crl(ca.crl(AT - timedelta(minutes=1), extra=_keeping(value) if value else ()))
    else:
        index.add_ocsp(_archived(leaf, ca, value))
    status = index.status(leaf, ca.certificate, AT - 2 * HOUR)
    assert expected == (status.why if isinstance(status, Unknown) else type(status).__name__)


def _keeping(value: bytes) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.60"), value), False),)


@pytest.mark.parametrize("value", [b"", b"\x18\x02xx", b"\x04\x00", b"\x17\x0d260320080000Z"])
def test_a_list_that_keeps_since_no_time_is_refused(value: bytes) -> None:
    own = hierarchy()
    with pytest.raises(CrlRefused, match="expiredCertsOnCRL"):
        RevocationIndex([own.ca.certificate]).add_crl(own.ca.crl(extra=_keeping(value)))


def _archived(leaf: x509.Certificate, ca: Authority, cutoff: bytes | None) -> bytes:
    """An answer whose single response has the extension, which no library here writes: put in and signed anew."""
    made = asn1_ocsp.OCSPResponse.load(
        answer(leaf, ca.certificate, ca, this_update=AT - timedelta(minutes=1))
    )
    basic = made["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"].copy()
    if cutoff is not None:
        inside = core.ObjectIdentifier("1.3.6.1.5.5.7.48.1.6").dump() + core.OctetString(cutoff).dump()
        extension = asn1_ocsp.SingleResponseExtension.load(bytes([0x30, len(inside)]) + inside)
        data["responses"][0]["single_extensions"] = [extension]
    octets = data.dump(force=True)
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    if isinstance(ca.key, rsa.RSAPrivateKey):
        value = ca.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    else:
        value = ca.key.sign(octets, ec.ECDSA(hashes.SHA256()))
    basic["tbs_response_data"], basic["signature"] = data, value
    made["response_bytes"]["response"] = core.ParsableOctetString(basic.dump(force=True))
    return bytes(made.dump(force=True))
