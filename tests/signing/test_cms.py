"""CMS and CAdES: what OpenSSL signs is judged, what is altered is refused, and hostile octets get a report."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from asn1crypto import cms, core, crl

from signing import FileKey, Indication, Policy, TrustStore, load_policy
from signing.cms.verify import verify_cms
from signing.report import Report
from tests.cost import affordable
from tests.signing.cms_documents import CONTENT, Tsa, attribute, openssl_cms, remade, stamped, value_of
from tests.signing.conftest import shared
from tests.signing.pki import AT, YEAR, Hierarchy, authority, signer


def codes(report: Report) -> set[str]:
    every = [*report.checks, *(c for s in report.signatures for c in s.checks)]
    return {c.code for c in every if c.sub_indication}


@pytest.fixture(scope="module")
def made(pki: Hierarchy, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return openssl_cms(tmp_path_factory.mktemp("cms"), pki.taxpayer)


def test_what_openssl_signs_as_cades_passes(made: bytes, policy: Policy, trust: TrustStore) -> None:
    report = verify_cms(made, policy=policy, trust=trust, at=AT + timedelta(days=300))
    # OpenSSL signs by its own clock, which the tests cannot set.
    assert codes(report) <= {"signing-time.future", "signing-time.validity", "certificate.status-unknown",
                             "certificate.ca-status-unknown"}  # fmt: skip
    (signature,) = report.signatures
    assert signature.profile == "CAdES"
    assert signature.covered[0].octets == CONTENT
    assert signature.signer is not None
    assert signature.signer.tax_codes == ("0106324653",)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521"])
def test_kinds_of_keys(kind: str, pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    key = signer(pki.ca, kind=kind)
    report = verify_cms(openssl_cms(tmp_path, key), policy=policy, trust=None, key=key.certificate)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())


def test_pss_and_plain_cms(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    key = pki.taxpayer
    pss = ("-nodetach", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss")
    report = verify_cms(openssl_cms(tmp_path, key, *pss), policy=policy, trust=None, key=key.certificate)
    assert report.indication is Indication.PASSED
    assert report.signatures[0].profile == "CMS"
    assert report.signatures[0].algorithms.signature == "rsa-pss-sha256"


def test_forms_of_the_file(made: bytes, pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    streamed = openssl_cms(tmp_path, pki.taxpayer, "-cades", "-nodetach", "-stream")
    assert streamed[:2] == b"\x30\x80"  # BER with indefinite lengths
    pem = b"-----BEGIN CMS-----\n" + base64.encodebytes(made) + b"-----END CMS-----\n"
    for form in (made, streamed, pem, base64.encodebytes(made), made + b"\r\n\0"):
        report = verify_cms(form, policy=policy, trust=None, key="embedded")
        assert (report.indication, codes(report)) == (Indication.PASSED, set())
        assert report.covered[0].octets == CONTENT


def test_detached(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    detached = openssl_cms(tmp_path, pki.taxpayer, "-cades")

    def judge(content: bytes | None) -> Report:
        return verify_cms(detached, content=content, policy=policy, trust=None, key="embedded")

    assert judge(CONTENT).indication is Indication.PASSED
    assert judge(CONTENT).covered[0].octets == CONTENT
    missing = judge(None)
    assert (missing.indication, missing.sub_indication) == (Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND")
    assert missing.covered == ()
    assert judge(CONTENT + b" ").sub_indication == "HASH_FAILURE"
    attached = openssl_cms(tmp_path, pki.taxpayer, "-cades", "-nodetach")
    other = verify_cms(attached, content=b"other", policy=policy, trust=None, key="embedded")
    assert codes(other) == {"cms.content-once"}


def _content(signed: Any, first: Any) -> None:
    signed["encap_content_info"]["content"] = CONTENT.replace(b"t", b"T")


def _type(signed: Any, first: Any) -> None:
    attribute(first, "content_type")["values"][0] = "signed_data"


def _twice(signed: Any, first: Any) -> None:
    first["signed_attrs"].append(attribute(first, "signing_time").copy())


def _two_values(signed: Any, first: Any) -> None:
    attribute(first, "signing_time")["values"].append(attribute(first, "signing_time")["values"][0].copy())


def _no_digest(signed: Any, first: Any) -> None:
    first["signed_attrs"] = cms.CMSAttributes(
        [each for each in first["signed_attrs"] if each["type"].native != "message_digest"]
    )


def _other_digest(signed: Any, first: Any) -> None:
    first["digest_algorithm"] = {"algorithm": "sha512"}
    first["signature_algorithm"] = {"algorithm": "sha256_rsa"}
    attribute(first, "message_digest")["values"][0] = hashlib.sha512(CONTENT).digest()


def _other_type(signed: Any, first: Any) -> None:
    signed["encap_content_info"]["content_type"] = "enveloped_data"


ALTERED = [
    (_content, False, "reference.digest"),
    (_content, True, "reference.digest"),
    (_type, True, "cms.attributes"),
    (_type, False, "cms.attributes"),
    (_twice, True, "cms.attributes"),
    (_two_values, True, "cms.attributes"),
    (_no_digest, True, "cms.attributes"),
    (_other_digest, True, "algorithm.consistent"),
    (_other_type, False, "cms.attributes"),
]


@pytest.mark.parametrize(("change", "resigned", "code"), ALTERED)
def test_what_is_altered_is_refused(
    change: Any, resigned: bool, code: str, made: bytes, pki: Hierarchy, policy: Policy
) -> None:
    altered = remade(made, change, pki.taxpayer if resigned else None)
    report = verify_cms(altered, policy=policy, trust=None, key="embedded")
    assert report.indication is Indication.FAILED
    assert code in codes(report)
    assert report.covered == ()


def test_resigning_itself_changes_nothing(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    same = remade(made, lambda signed, first: None, pki.taxpayer)
    assert verify_cms(same, policy=policy, trust=None, key="embedded").indication is Indication.PASSED


def test_attributes_are_digested_in_der(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    """RFC 5652 clause 5.4: as they stand, out of DER's order, is a broken signature, and is told as such."""

    def reorder(signed: Any, first: Any) -> None:
        first["signed_attrs"] = cms.CMSAttributes(list(reversed(list(first["signed_attrs"]))))

    def reverse(der: bytes) -> bytes:
        # asn1crypto writes sets in order: turn the attributes round in the octets.
        info = cms.ContentInfo.load(der)
        attributes = info["content"]["signer_infos"][0]["signed_attrs"]
        parts = [each.dump() for each in attributes]
        old, new = b"".join(parts), b"".join(reversed(parts))
        assert der.count(old) == 1
        return der.replace(old, new)

    turned = reverse(made)
    assert turned != made
    report = verify_cms(turned, policy=policy, trust=None, key="embedded")
    assert report.indication is Indication.PASSED  # the value is over the DER order, whatever was written
    written = cms.ContentInfo.load(turned)["content"]["signer_infos"][0]["signed_attrs"].contents
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    octets = core.SetOf(contents=b"").dump()[:1] + b"\x82" + len(written).to_bytes(2, "big") + written
    value = pki.taxpayer.private_key.sign(octets, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[call-arg, union-attr, arg-type]
    old_value = value_of(made)
    report = verify_cms(turned.replace(old_value, value), policy=policy, trust=None, key="embedded")
    assert (report.indication, codes(report)) == (Indication.FAILED, {"cms.not-der"})


def test_another_certificate_of_the_same_key(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    """The signed digest decides whose certificate it is: one put in its place is not taken."""
    twin = signer(pki.ca)
    assert twin.certificate != pki.taxpayer.certificate

    def change(signed: Any, first: Any) -> None:
        from asn1crypto import x509 as asn1_x509
        from cryptography.hazmat.primitives.serialization import Encoding

        der = twin.certificate.public_bytes(Encoding.DER)
        signed["certificates"] = [cms.CertificateChoices("certificate", asn1_x509.Certificate.load(der))]

    report = verify_cms(remade(made, change), policy=policy, trust=None, key="embedded")
    assert report.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"


def test_the_attributes_of_a_signature_are_no_content(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    """A signature without attributes over another's attributes would verify: nobody signed that as a document."""

    def change(signed: Any, first: Any) -> None:
        octets = first["signed_attrs"].untag().dump(force=True)
        signed["encap_content_info"]["content"] = octets
        first["signed_attrs"] = None

    report = verify_cms(remade(made, change), policy=policy, trust=None, key="embedded")
    assert report.indication is Indication.FAILED
    assert "cms.attributes" in codes(report)


def test_no_signer_is_no_signature(made: bytes, policy: Policy) -> None:
    def change(signed: Any, first: Any) -> None:
        signed["signer_infos"] = []

    report = verify_cms(remade(made, change), policy=policy, trust=None, key="embedded")
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "NO_SIGNATURE")


def test_one_of_two_signers_is_broken(made: bytes, policy: Policy) -> None:
    def change(signed: Any, first: Any) -> None:
        other = first.copy()
        other["signature"] = bytes(256)
        signed["signer_infos"].append(other)

    report = verify_cms(remade(made, change), policy=policy, trust=None, key="embedded")
    assert [s.indication for s in report.signatures].count(Indication.PASSED) == 1
    assert report.indication is Indication.FAILED


def test_weak_algorithms_are_refused_by_policy(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    sha1 = openssl_cms(tmp_path, pki.taxpayer, "-nodetach", "-md", "sha1")
    report = verify_cms(sha1, policy=policy, trust=None, key="embedded")
    assert report.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    archive = load_policy("tax-legacy")
    assert verify_cms(sha1, policy=archive, trust=None, key="embedded").indication is Indication.PASSED


def test_a_stranger_is_not_trusted(policy: Policy, trust: TrustStore, tmp_path: Path) -> None:
    stranger = signer(authority("Another root", number=40))
    report = verify_cms(openssl_cms(tmp_path, stranger), policy=policy, trust=trust, at=AT)
    assert report.indication is Indication.INDETERMINATE
    assert "certificate.path" in codes(report)


def _judged_late(der: bytes, pki: Hierarchy, policy: Policy) -> Report:
    late = AT + 2 * YEAR  # the signer's certificate has run out by then; the authorities have not
    crls = [
        pki.root.crl(this_update=AT, next_update=late + YEAR),
        pki.ca.crl(this_update=AT + timedelta(hours=1), next_update=late + YEAR),
    ]
    trust = TrustStore.of([pki.root.certificate], [pki.ca.certificate], crls)
    return verify_cms(der, policy=msgspec.structs.replace(policy, proven_times=True), trust=trust, at=late)


def _signed_at(made: bytes, key: FileKey, at: Any = AT) -> bytes:
    def change(signed: Any, first: Any) -> None:
        attribute(first, "signing_time")["values"][0] = cms.Time({"utc_time": core.UTCTime(at)})

    return remade(made, change, key)


def test_a_time_stamp_proves_the_time(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    signed = _signed_at(made, pki.taxpayer)
    bare = _judged_late(signed, pki, policy)
    assert (bare.indication, codes(bare)) == (Indication.INDETERMINATE, {"certificate.expired"})
    tsa = Tsa(pki.ca, not_after=AT + 3 * YEAR)
    der = stamped(signed, tsa(hashlib.sha256(value_of(signed)).digest(), "sha256"))
    report = _judged_late(der, pki, policy)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())
    (signature,) = report.signatures
    assert signature.best_signature_time == AT
    assert [t.indication for t in signature.timestamps] == [Indication.PASSED]


@pytest.mark.parametrize("fault", ["other data", "stranger", "purpose", "expired", "garbage"])
def test_a_time_stamp_that_does_not_hold_proves_nothing(
    fault: str, made: bytes, pki: Hierarchy, policy: Policy
) -> None:
    signed = _signed_at(made, pki.taxpayer)
    tsa = Tsa(pki.ca, not_after=AT + 3 * YEAR)
    octets = value_of(signed)
    if fault == "stranger":
        tsa = Tsa(authority("Another root", number=41), not_after=AT + 3 * YEAR)
    elif fault == "purpose":
        tsa = Tsa(pki.ca, not_after=AT + 3 * YEAR, extensions=(), number=31)
    elif fault == "expired":
        tsa = Tsa(pki.ca)
    elif fault == "other data":
        octets = b"other"
    token = tsa(hashlib.sha256(octets).digest(), "sha256")
    if fault == "garbage":
        token = cms.ContentInfo({"content_type": "data", "content": core.OctetString(b"x")}).dump()
    report = _judged_late(stamped(signed, token), pki, policy)
    assert report.indication is Indication.INDETERMINATE
    assert report.sub_indication == "OUT_OF_BOUNDS_NO_POE"
    assert report.signatures[0].best_signature_time is None
    now = verify_cms(stamped(signed, token), policy=policy, trust=pki.trust(), at=AT)
    assert now.indication is Indication.PASSED  # the signature itself does not rest on it


def test_revocation_lists_inside_are_used(made: bytes, pki: Hierarchy, policy: Policy) -> None:
    signed = _signed_at(made, pki.taxpayer)
    trust = TrustStore.of([pki.root.certificate], [pki.ca.certificate])
    assert verify_cms(signed, policy=policy, trust=trust, at=AT).sub_indication == "TRY_LATER"

    def change(data: Any, first: Any) -> None:
        lists = [pki.root.crl(), pki.ca.crl()]
        data["crls"] = [cms.RevocationInfoChoice("crl", crl.CertificateList.load(der)) for der in lists]

    der = remade(signed, change)
    assert verify_cms(der, policy=policy, trust=trust, at=AT).sub_indication == "TRY_LATER"
    report = verify_cms(der, policy=msgspec.structs.replace(policy, proven_times=True), trust=trust, at=AT)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())
    assert {each.kind for each in report.signatures[0].evidence} == {"crl"}


def test_revoked_before_and_after_the_proven_time(made: bytes, policy: Policy) -> None:
    from cryptography import x509

    from tests.signing.pki import hierarchy

    for offset, expected in (
        (timedelta(days=-1), Indication.INDETERMINATE),
        (timedelta(days=1), Indication.PASSED),
    ):
        pki = hierarchy()
        remedied = _signed_at(_with_certificate(made, pki.taxpayer), pki.taxpayer)
        tsa = Tsa(pki.ca, not_after=AT + 3 * YEAR)
        der = stamped(remedied, tsa(hashlib.sha256(value_of(remedied)).digest(), "sha256"))
        serial = pki.taxpayer.certificate.serial_number
        pki.ca.revoked.append((serial, AT + offset, x509.ReasonFlags.key_compromise))
        report = _judged_late(der, pki, policy)
        assert report.indication is expected, offset


def test_an_answer_of_an_authority_revoked_since_counts_for_nothing(made: bytes, policy: Policy) -> None:
    """Who stole its key can date an empty list back; nothing proves that this one existed before the theft."""
    from cryptography import x509

    from tests.signing.pki import hierarchy

    lenient = msgspec.structs.replace(policy, proven_times=True)
    late = AT + timedelta(days=20)
    for stolen, expected in ((False, Indication.PASSED), (True, Indication.INDETERMINATE)):
        pki = hierarchy()
        signed = _signed_at(_with_certificate(made, pki.taxpayer), pki.taxpayer)
        told = pki.ca.crl(next_update=late + YEAR)  # says nothing of a revocation, whoever made it

        def change(data: Any, first: Any, told: bytes = told) -> None:
            data["crls"] = [cms.RevocationInfoChoice("crl", crl.CertificateList.load(told))]

        signed = remade(signed, change)
        tsa = Tsa(pki.root, not_after=AT + 3 * YEAR)
        der = stamped(signed, tsa(hashlib.sha256(value_of(signed)).digest(), "sha256"))
        if stolen:
            serial = pki.ca.certificate.serial_number
            pki.root.revoked.append((serial, AT + timedelta(days=1), x509.ReasonFlags.ca_compromise))
        known = pki.root.crl(this_update=late - timedelta(hours=1), next_update=late + YEAR)
        trust = TrustStore.of([pki.root.certificate], [pki.ca.certificate], [known])
        report = verify_cms(der, policy=lenient, trust=trust, at=late)
        assert report.indication is expected, codes(report)


def _with_certificate(made: bytes, key: FileKey) -> bytes:
    from asn1crypto import x509 as asn1_x509
    from cryptography.hazmat.primitives.serialization import Encoding

    def change(signed: Any, first: Any) -> None:
        der = key.certificate.public_bytes(Encoding.DER)
        loaded = asn1_x509.Certificate.load(der)
        signed["certificates"] = [cms.CertificateChoices("certificate", loaded)]
        first["sid"] = cms.SignerIdentifier(
            "issuer_and_serial_number", {"issuer": loaded.issuer, "serial_number": loaded.serial_number}
        )
        first["signed_attrs"] = cms.CMSAttributes(
            [
                *(e for e in first["signed_attrs"] if not e["type"].native.startswith("1.2.840.113549.1.9.16")
                  and "signing_certificate" not in e["type"].native),
                {
                    "type": "signing_certificate_v2",
                    "values": [{"certs": [{"cert_hash": hashlib.sha256(der).digest()}]}],
                },
            ]
        )  # fmt: skip

    return remade(made, change)


def hostile(made: bytes) -> list[bytes]:
    chance = Random(7)
    found = [b"", b"0", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30" * 5000, b"\x30\x80" * 20000]
    found += [made[:size] for size in range(0, len(made), 97)]
    found += [bytes(chance.randrange(256) for _ in range(400)) for _ in range(50)]
    deep = b""
    for _ in range(3000):
        deep = b"\x30" + (b"\x84" + len(deep).to_bytes(4, "big")) + deep
    oid = bytes.fromhex("06092a864886f70d010702")
    many = (
        oid
        + b"\xa0\x84"
        + (600_010).to_bytes(4, "big")
        + b"\x30\x84"
        + (600_004).to_bytes(4, "big")
        + b"\5\0" * 300_002
    )
    found += [b"-----BEGIN CMS-----\n" * 100_000, b"MI" * 2_000_000, b"\x30\x82" * 500_000]
    found += [deep, b"\x30\x84" + len(many).to_bytes(4, "big") + many]
    for _ in range(300):
        position = chance.randrange(len(made))
        found.append(made[:position] + bytes([chance.randrange(256)]) + made[position + 1 :])
    return found


def test_hostile_octets_get_a_report_in_time(made: bytes, policy: Policy) -> None:
    for data in hostile(made):
        for _ in affordable(1.0):
            report = verify_cms(data, policy=policy, trust=None, key="embedded")
        if report.indication is Indication.PASSED:  # what was changed is not signed, and not read
            assert report.covered[0].octets == CONTENT


def test_every_octet_that_is_signed_counts(made: bytes, policy: Policy) -> None:
    """One bit changed anywhere: refused, or nothing that was signed has changed."""
    chance = Random(int(os.environ.get("SEED", "3")))
    accepted = 0
    for position in chance.sample(range(len(made)), 400):
        altered = made[:position] + bytes([made[position] ^ 1 << chance.randrange(8)]) + made[position + 1 :]
        report = verify_cms(altered, policy=policy, trust=None, key="embedded")
        if report.indication is Indication.PASSED:
            accepted += 1
            assert report.covered[0].octets == CONTENT
            assert report.signatures[0].certificate is not None
    assert accepted < 100


def test_third_party_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    """None of the forgeries; of the valid ones all but the detached, whose content is not there, and one broken."""
    file = shared("vectors/cases.json")
    policy = load_policy("conformance")
    table: Counter[tuple[str, str]] = Counter()
    refused = {}
    for case in json.loads(file.read_text("utf-8")):
        if case["family"] != "cades":
            continue
        report = verify_cms(
            (file.parent / case["path"]).read_bytes(), policy=policy, trust=None, key="embedded"
        )
        table[case["expected"], report.indication.value] += 1
        if report.indication is Indication.PASSED:
            assert case["expected"] == "valid", case["id"]
        elif case["expected"] == "valid":
            refused[case["id"]] = report.sub_indication
    with capsys.disabled():
        print("\n" + "\n".join(f"{n:4} {' / '.join(row)}" for row, n in sorted(table.items())))
    assert refused.pop("cades/cades-enveloping-broken.pkcs7") == "HASH_FAILURE"  # its message digest is wrong
    assert set(refused.values()) == {"SIGNED_DATA_NOT_FOUND"}
    assert len(refused) == 5
