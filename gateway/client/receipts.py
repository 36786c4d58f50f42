"""Proves a receipt or notice without the gateway: signature, signer, path, and the digest of the filed bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import schemas
import signing


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """What was proven. `faults`, and `remarks` that change nothing, are (Vietnamese, English); the notice is read from
    the signed octets only."""

    notice: schemas.Notice | None
    report: signing.Report | None
    faults: tuple[tuple[str, str], ...]
    remarks: tuple[tuple[str, str], ...] = ()

    @property
    def proven(self) -> bool:
        """Whether everything that was asked holds."""
        return self.notice is not None and not self.faults

    @property
    def stamped_at(self) -> datetime | None:
        """When the notice provably existed, by the time stamp of a trusted authority; None where none says so."""
        signatures = () if self.report is None else self.report.signatures
        times = [one.best_signature_time for one in signatures]
        return max(filter(None, times), default=None) if all(times) else None


def prove_receipt(
    octets: bytes,
    *,
    signers: Sequence[x509.Certificate],
    trust: signing.TrustStore,
    policy: signing.Policy,
    at: datetime | None = None,
    document: bytes | None = None,
) -> ReceiptProof:
    """Prove a notice.

    Args:
        octets: the notice as it was given.
        signers: the gateway's notice certificates. Any taxpayer's certificate has a path to the same roots:
            only these may sign receipts.
        trust: anchors, intermediates and status lists for the path.
        at: judge as of this aware time; None: the time at which the notice says it was issued.
        document: the file that was filed; its SHA-256 must be the one in the notice.
    """
    try:
        parsed = signing.parse_xml(octets)
    except signing.XmlRefused as refused:
        return ReceiptProof(None, None, tuple((f.message_vi, f.message_en) for f in refused.faults))
    try:
        issued_at = schemas.read_notice(octets).issued_at
    except schemas.NoticeError as error:
        return ReceiptProof(None, None, ((str(error), str(error)),))
    report = signing.verify_document(parsed, policy=policy, trust=trust, at=at or issued_at)
    faults = [*_signature_faults(report), *_signer_faults(report, signers)]
    remarks = tuple(_told(report, signing.Outcome.WARNING))
    signed = _signed_body(report)
    if signed is None:
        faults.append(
            ("Chữ ký không phủ đúng nội dung thông báo.", "The signature does not cover exactly the notice.")
        )
        return ReceiptProof(None, report, tuple(faults), remarks)
    notice = schemas.read_notice(signed)
    if document is not None and hashlib.sha256(document).hexdigest() != notice.digest_hex:
        faults.append(
            (
                "Tệp không phải là hồ sơ ghi trong biên nhận.",
                "The file is not the one that the receipt names.",
            )
        )
    return ReceiptProof(notice, report, tuple(faults), remarks)


def _signature_faults(report: signing.Report) -> Iterator[tuple[str, str]]:
    if not report.signatures:
        yield "Thông báo không có chữ ký điện tử.", "The notice bears no signature."
    yield from _told(report, signing.Outcome.INDETERMINATE, signing.Outcome.FAILED)


def _told(report: signing.Report, *outcomes: signing.Outcome) -> Iterator[tuple[str, str]]:
    for signature in report.signatures:
        for check in signature.checks:
            if check.outcome in outcomes:
                yield check.message_vi, check.message_en


def _signer_faults(report: signing.Report, signers: Sequence[x509.Certificate]) -> Iterator[tuple[str, str]]:
    known = {certificate.fingerprint(hashes.SHA256()) for certificate in signers}
    for signature in report.signatures:
        certificate = signature.certificate
        if certificate is None or certificate.fingerprint(hashes.SHA256()) not in known:
            yield "Người ký không phải là cổng tiếp nhận.", "The signer is not the gateway."


def _signed_body(report: signing.Report) -> bytes | None:
    """The octets of the notice's body, the first child of the root, where every signature covers exactly it."""
    covered = [signature.covered for signature in report.signatures]
    if not covered or any(len(c) != 1 or c[0].path != (0,) for c in covered):
        return None
    if schemas.envelope_of_body(covered[0][0].tag) is None:
        return None
    return covered[0][0].octets
