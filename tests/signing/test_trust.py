"""Paths, dates, purposes, revocation: each fault with its sub-indication, several at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ObjectIdentifier

from signing import (
    CrlRefused,
    FileKey,
    Good,
    Indication,
    Policy,
    RevocationIndex,
    Revoked,
    TrustRefused,
    TrustStore,
    Unknown,
    verify_xml,
)
from tests.signing.conftest import shared
from tests.signing.documents import codes, signed
from tests.signing.pki import AT, SIGNS, YEAR, Authority, Hierarchy, authority, hierarchy, name, signer, usage

HOLD = x509.ReasonFlags.certificate_hold
COMPROMISE = x509.ReasonFlags.key_compromise


def fault_of(key: FileKey, trust: TrustStore, policy: Policy) -> tuple[str | None, set[str]]:
    report = verify_xml(signed(key), policy=policy, trust=trust, at=AT)
    assert report.indication is not Indication.FAILED
    return report.sub_indication, set(codes(report))


def test_dates(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    expired = signer(pki.ca, not_before=AT - 2 * YEAR, not_after=AT - timedelta(days=1))
    early = signer(pki.ca, not_before=AT + timedelta(days=1), not_after=AT + YEAR)
    assert fault_of(expired, trust, policy) == (
        "OUT_OF_BOUNDS_NO_POE",
        {"certificate.expired", "certificate.status-unknown"},
    )
    assert fault_of(early, trust, policy) == ("OUT_OF_BOUNDS_NO_POE", {"certificate.not-yet-valid"})


def test_a_cached_path_is_judged_at_its_time_again(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = signed(pki.taxpayer)
    later = [AT, AT + 2 * YEAR, AT]
    reports = [verify_xml(document, policy=policy, trust=trust, at=at) for at in later]
    assert [report.indication for report in reports] == [
        Indication.PASSED,
        Indication.INDETERMINATE,
        Indication.PASSED,
    ]
    assert "certificate.expired" in codes(reports[1])


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        ((), None),
        (((usage(digital_signature=True), True),), None),
        (((usage(content_commitment=True), True),), None),
        (((usage(key_encipherment=True), True),), "certificate.key-usage"),
        (((x509.BasicConstraints(ca=True, path_length=None), True), *SIGNS[1:]), "certificate.signer-is-ca"),
        (((usage(digital_signature=True, key_cert_sign=True), True),), "certificate.signer-is-ca"),
        (
            ((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True), *SIGNS),
            "certificate.critical-extension",
        ),
        (((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False), *SIGNS), None),
    ],
)
def test_purpose(
    extensions: tuple[tuple[x509.ExtensionType, bool], ...],
    code: str | None,
    pki: Hierarchy,
    policy: Policy,
    trust: TrustStore,
) -> None:
    expected = (None, set()) if code is None else ("CHAIN_CONSTRAINTS_FAILURE", {code})
    assert fault_of(signer(pki.ca, extensions=extensions), trust, policy) == expected


def test_a_ca_that_signs_a_document(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    for ca in (pki.ca, pki.root):
        _, faults = fault_of(FileKey(ca.key, ca.certificate), trust, policy)
        assert "certificate.signer-is-ca" in faults


def test_unknown_ca_and_one_that_only_bears_the_name(
    pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    stranger = authority("Somebody else", number=50)
    impostor = authority("Issuing CA of the tests", number=51)
    self_signed = signer(Authority(pki.taxpayer.certificate, pki.taxpayer.private_key))
    for key in (signer(stranger), signer(impostor), self_signed):
        assert fault_of(key, trust, policy) == ("NO_CERTIFICATE_CHAIN_FOUND", {"certificate.path"})


def test_an_end_entity_cannot_issue(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    holder = pki.taxpayer
    below = signer(Authority(holder.certificate, holder.private_key), number=60, subject=name("Below"))
    with_chain = FileKey(below.private_key, below.certificate, (holder.certificate,))
    assert fault_of(with_chain, trust, policy)[0] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_an_end_entity_put_into_the_pool_by_mistake_issues_nothing(pki: Hierarchy, policy: Policy) -> None:
    """Under a CA without a path length, so that nothing but basicConstraints stands in the way."""
    ca = authority("CA without a path length", pki.root, number=73)
    holder = signer(ca, number=74, subject=name("Holder"))
    below = signer(Authority(holder.certificate, holder.private_key), number=75, subject=name("Below"))
    trust = TrustStore.of([pki.root.certificate], [ca.certificate, holder.certificate])
    assert fault_of(below, trust, policy) == ("NO_CERTIFICATE_CHAIN_FOUND", {"certificate.path"})


def test_path_length(pki: Hierarchy, policy: Policy) -> None:
    """The issuing CA has pathLen 0: a CA below it makes no path, whoever brings its certificate."""
    below = authority("CA below", pki.ca, number=61)
    key = signer(below, number=62)
    pool = TrustStore.of([pki.root.certificate], [pki.ca.certificate, below.certificate], [])
    assert fault_of(key, pool, policy)[0] == "NO_CERTIFICATE_CHAIN_FOUND"
    brought = FileKey(key.private_key, key.certificate, (below.certificate,))
    assert fault_of(brought, pki.trust(), policy)[0] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_an_intermediate_out_of_the_document(pki: Hierarchy, policy: Policy) -> None:
    """A CA certificate that the store lacks may come with the document; its status is then unknown."""
    bare = TrustStore.of([pki.root.certificate], [], [pki.root.crl()])
    assert fault_of(pki.taxpayer, bare, policy)[0] == "NO_CERTIFICATE_CHAIN_FOUND"
    brought = FileKey(pki.taxpayer.private_key, pki.taxpayer.certificate, (pki.ca.certificate,))
    assert fault_of(brought, bare, policy) == ("TRY_LATER", {"certificate.status-unknown"})
    bare.revocation.add_crl(pki.ca.crl(), pki.ca.certificate)
    assert fault_of(brought, bare, policy) == (None, set())


def test_name_constraints_are_kept(pki: Hierarchy, policy: Policy) -> None:
    allowed = x509.NameConstraints([x509.DirectoryName(name("Only this"))], None)
    ca = authority("Constrained CA", pki.root, number=63, extra=((allowed, True),))
    trust = TrustStore.of([pki.root.certificate], [ca.certificate], [pki.root.crl(), ca.crl()])
    assert fault_of(signer(ca, subject=name("Only this")), trust, policy) == (None, set())
    assert fault_of(signer(ca, subject=name("Another")), trust, policy)[0] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_weak_digest_in_a_certificate(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    key = signer(pki.ca, hash_algorithm=hashes.SHA224())
    assert fault_of(key, trust, policy) == ("CRYPTO_CONSTRAINTS_FAILURE", {"algorithm.certificate"})


def test_expired_ca(policy: Policy) -> None:
    own = hierarchy()
    old = authority("Old CA", own.root, number=64, not_before=AT - 3 * YEAR, not_after=AT - timedelta(days=1))
    trust = TrustStore.of([own.root.certificate], [old.certificate], [own.root.crl(), old.crl()])
    sub_indication, faults = fault_of(signer(old), trust, policy)
    assert sub_indication == "OUT_OF_BOUNDS_NO_POE"
    assert "certificate.ca-expired" in faults


def test_renewed_ca_certificate_with_the_same_key(policy: Policy) -> None:
    own = hierarchy()
    options = {"number": 65, "key_usage": usage(key_cert_sign=True, crl_sign=True)}
    old = authority(
        "Renewed CA", own.root, not_before=AT - 3 * YEAR, not_after=AT - timedelta(days=1), **options
    )  # type: ignore[arg-type]
    new = authority("Renewed CA", own.root, not_before=AT - timedelta(days=30), **options)  # type: ignore[arg-type]
    for pool in ([old.certificate, new.certificate], [new.certificate, old.certificate]):
        trust = TrustStore.of([own.root.certificate], pool, [own.root.crl(), new.crl()])
        assert fault_of(signer(new), trust, policy) == (None, set())


# --- revocation


def revoked(
    own: Hierarchy, reason: x509.ReasonFlags, *, ca_too: bool = False, at: timedelta = timedelta(days=-1)
) -> TrustStore:
    own.ca.revoked.append((own.taxpayer.certificate.serial_number, AT + at, reason))
    if ca_too:
        own.root.revoked.append((own.ca.certificate.serial_number, AT + at, reason))
    return own.trust()


def test_revoked_and_suspended(policy: Policy) -> None:
    own = hierarchy()
    assert fault_of(own.taxpayer, revoked(own, COMPROMISE), policy) == (
        "REVOKED_NO_POE",
        {"certificate.revoked"},
    )
    own = hierarchy()
    assert fault_of(own.taxpayer, revoked(own, HOLD), policy) == ("REVOKED_NO_POE", {"certificate.suspended"})
    own = hierarchy()
    assert fault_of(own.taxpayer, revoked(own, COMPROMISE, at=timedelta(days=1)), policy) == (None, set())


def test_revoked_ca(policy: Policy) -> None:
    own = hierarchy()
    trust = revoked(own, COMPROMISE, ca_too=True)
    sub_indication, faults = fault_of(own.taxpayer, trust, policy)
    assert sub_indication == "REVOKED_NO_POE"
    assert faults == {"certificate.revoked", "certificate.ca-revoked"}
    lenient = msgspec.structs.replace(policy, check_ca_revocation=False)
    assert fault_of(own.taxpayer, trust, lenient)[1] == {"certificate.revoked"}


def test_expired_and_revoked_are_both_told(policy: Policy) -> None:
    own = hierarchy()
    key = signer(own.ca, not_before=AT - 2 * YEAR, not_after=AT - timedelta(minutes=1))
    own.ca.revoked.append((key.certificate.serial_number, AT - timedelta(days=9), COMPROMISE))
    assert fault_of(key, own.trust(), policy)[1] == {"certificate.expired", "certificate.revoked"}


@pytest.mark.parametrize("stale", [False, True])
def test_unknown_status_and_only_that_is_to_be_tried_later(stale: bool, policy: Policy) -> None:
    own = hierarchy()
    lists = [own.root.crl()]
    if stale:
        lists.append(own.ca.crl(AT - timedelta(days=9), AT - timedelta(minutes=1)))
    trust = TrustStore.of([own.root.certificate], [own.ca.certificate], lists)
    assert fault_of(own.taxpayer, trust, policy) == ("TRY_LATER", {"certificate.status-unknown"})
    expired = signer(own.ca, not_before=AT - 2 * YEAR, not_after=AT - timedelta(minutes=1))
    assert fault_of(expired, trust, policy)[0] == "OUT_OF_BOUNDS_NO_POE"


def test_a_fresh_list_mends_a_stale_one(policy: Policy) -> None:
    own = hierarchy()
    trust = TrustStore.of([own.root.certificate], [own.ca.certificate], [own.root.crl()])
    assert fault_of(own.taxpayer, trust, policy)[0] == "TRY_LATER"
    trust.revocation.add_crl(own.ca.crl())
    assert fault_of(own.taxpayer, trust, policy) == (None, set())
    own.ca.revoked.append((own.taxpayer.certificate.serial_number, AT - timedelta(days=1), COMPROMISE))
    trust.revocation.add_crl(own.ca.crl(this_update=AT - timedelta(minutes=1), number=2))
    assert fault_of(own.taxpayer, trust, policy)[0] == "REVOKED_NO_POE"


def test_an_older_list_does_not_bring_a_certificate_back() -> None:
    own = hierarchy()
    old = own.ca.crl()
    own.ca.revoked.append((own.taxpayer.certificate.serial_number, AT - timedelta(days=1), COMPROMISE))
    index = RevocationIndex([own.ca.certificate])
    index.add_crl(own.ca.crl(this_update=AT - timedelta(minutes=1), number=2))
    index.add_crl(old)
    assert isinstance(index.status(own.taxpayer.certificate, own.ca.certificate, AT), Revoked)


def test_lists_that_are_refused(pki: Hierarchy) -> None:
    index = RevocationIndex([pki.ca.certificate, pki.root.certificate])
    stranger = authority("Issuing CA of the tests", number=70)
    no_crl_sign = authority("No CRLs", pki.root, number=71, key_usage=usage(key_cert_sign=True))
    point = x509.IssuingDistributionPoint(
        full_name=None, relative_name=None, only_contains_user_certs=False, only_contains_ca_certs=False,
        only_some_reasons=None, indirect_crl=True, only_contains_attribute_certs=False,
    )  # fmt: skip
    cases = {
        "delta": pki.ca.crl(extra=((x509.DeltaCRLIndicator(1), True),)),
        "indirect": pki.ca.crl(extra=((point, True),)),
        "critical": pki.ca.crl(
            extra=((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b"\x05\x00"), True),)
        ),
        "verifies": stranger.crl(),
        "not a usable CRL": b"\x30\x03\x02\x01\x01",
    }
    for reason, der in cases.items():
        with pytest.raises(CrlRefused, match=reason):
            index.add_crl(der)
    with pytest.raises(CrlRefused, match="verifies"):
        index.add_crl(no_crl_sign.crl(), no_crl_sign.certificate)
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT), Unknown)


def test_a_list_for_ca_certificates_says_nothing_about_users(pki: Hierarchy) -> None:
    point = x509.IssuingDistributionPoint(
        full_name=None, relative_name=None, only_contains_user_certs=False, only_contains_ca_certs=True,
        only_some_reasons=None, indirect_crl=False, only_contains_attribute_certs=False,
    )  # fmt: skip
    index = RevocationIndex([pki.ca.certificate])
    index.add_crl(pki.ca.crl(extra=((point, True),)))
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT), Unknown)
    index.add_crl(pki.ca.crl())
    assert isinstance(index.status(pki.taxpayer.certificate, pki.ca.certificate, AT), Good)


# --- the directory


def test_the_directory_in_every_form(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    for folder in ("anchors", "intermediates", "crls"):
        (tmp_path / folder).mkdir()
    other = authority("Another root", number=72)
    both = pki.root.certificate.public_bytes(Encoding.PEM) + other.certificate.public_bytes(Encoding.PEM)
    (tmp_path / "anchors/roots.pem").write_bytes(both)
    bundle = pkcs7.serialize_certificates([pki.ca.certificate], Encoding.DER)
    (tmp_path / "intermediates/ca.p7b").write_bytes(bundle)
    (tmp_path / "crls/root.crl").write_bytes(pki.root.crl())
    in_pem = x509.load_der_x509_crl(pki.ca.crl()).public_bytes(Encoding.PEM)
    (tmp_path / "crls/ca.pem").write_bytes(in_pem)
    trust = TrustStore.load(tmp_path)
    assert len(trust.anchors) == 2
    assert fault_of(pki.taxpayer, trust, policy) == (None, set())


@pytest.mark.parametrize("broken", ["anchors/x.pem", "intermediates/x.cer", "crls/x.crl"])
def test_a_broken_file_is_named(broken: str, pki: Hierarchy, tmp_path: Path) -> None:
    for folder in ("anchors", "intermediates", "crls"):
        (tmp_path / folder).mkdir()
    (tmp_path / "anchors/root.cer").write_bytes(pki.root.certificate.public_bytes(Encoding.DER))
    TrustStore.load(tmp_path)
    (tmp_path / broken).write_bytes(b"garbage")
    with pytest.raises(TrustRefused, match=Path(broken).name):
        TrustStore.load(tmp_path)


def test_no_anchor_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrustRefused, match="anchor"):
        TrustStore.load(tmp_path)


def test_the_genuine_pool_of_certificates_makes_paths() -> None:
    """Some of the published Vietnamese CA certificates; the sample's seller finds its chain in them."""
    folder = shared("samples/ca/root")
    found = []
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        try:
            found.append(
                x509.load_pem_x509_certificate(data)
                if b"-----BEGIN CERT" in data
                else x509.load_der_x509_certificate(data)
            )
        except ValueError:
            continue
    roots = [certificate for certificate in found if certificate.subject == certificate.issuer]
    trust = TrustStore.of(roots, [c for c in found if c not in roots])
    reached = [c for c in found if c not in roots and trust.paths.paths(c)]
    assert len(reached) > 20, f"{len(found)} certificates, {len(roots)} roots"
