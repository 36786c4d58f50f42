"""X.509 certificate validation (EN 319 102-1 clause 5.2.6) of the signer, at a time, with every fault reported."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from signing.certificates import extension, is_ca, is_readable, public_key_of
from signing.integrity import check_key_strength
from signing.path import CertificatePath
from signing.policy import Policy
from signing.report import Check, Outcome, StatusEvidence, failed, passed
from signing.revocation import Good, Revoked, Status, Unknown
from signing.trust import TrustStore, Window
from signing.verdicts import Authenticity

__all__ = ["Authenticity", "judge_certificate"]

_PROCESSED_EXTENSIONS = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.CertificatePolicies.oid,
    x509.AuthorityKeyIdentifier.oid,
    x509.SubjectKeyIdentifier.oid,
    x509.CRLDistributionPoints.oid,
    x509.AuthorityInformationAccess.oid,
}
_SUSPENDED = x509.ReasonFlags.certificate_hold.value
_TIME_FORMAT = "%d/%m/%Y %H:%M:%S %Z"


def judge_certificate(
    certificate: x509.Certificate,
    untrusted: Iterable[x509.Certificate],
    *,
    trust: TrustStore,
    policy: Policy,
    at: datetime,
) -> Authenticity:
    """Judge a signing certificate. All faults are reported: one that is expired and revoked shows both."""
    epoch = trust.revocation.epoch
    known = trust.verdicts.get(certificate, policy, epoch, at)
    if known is not None:
        return known
    if not is_readable(certificate):
        return Authenticity((certificate,), (failed("certificate.unreadable"),))
    checks = [_check_usage(certificate), _check_extensions(certificate)]
    if not policy.signer_may_be_ca:
        checks.insert(0, _check_purpose(certificate))
    checks += _check_validity(certificate, at, "certificate.")
    own = trust.paths.paths(certificate)
    paths = own or trust.paths.paths(certificate, untrusted)
    if not paths:
        checks += [check for check in [_check_digest(certificate, policy)] if check.sub_indication]
        checks.append(failed("certificate.path", issuer=certificate.issuer.rfc4514_string()[:200]))
        return Authenticity((certificate,), tuple(checks))
    path, window = _best(paths, trust, at)
    checks += [passed("certificate.path"), _check_window(path, window, at)]
    for ca in path.certificates[1:]:
        checks += [c for c in _check_validity(ca, at, "certificate.ca-") if c.sub_indication]
    trust.sources.note(path)
    statuses = _statuses(path, trust, policy, at)
    checks += _check_revocation(statuses, policy)
    checks.append(_check_strength(path, policy))
    good = [(c, status) for c, status in statuses if isinstance(status, Good)]
    evidence = tuple(_evidence(c, status) for c, status in good)
    judged = Authenticity(path.certificates, tuple(checks), evidence)
    if own and window is not None and all(check.outcome is Outcome.PASSED for check in checks):
        start, end = max(path.not_before, window.start), min(path.not_after, window.end)
        end = min([end, *(status.until for _, status in good)])
        if len(good) == len(statuses):
            trust.verdicts.put(certificate, policy, judged, epoch=epoch, start=start, end=end)
    return judged


def _best(
    paths: tuple[CertificatePath, ...], trust: TrustStore, at: datetime
) -> tuple[CertificatePath, Window | None]:
    """A path valid and trusted at the time, else the one that ended last: a renewed CA must not hide behind its old
    self. Beside it the time of trust in its anchor, None where that anchor is not trusted at the time.
    """
    found = [(path, trust.window(path.certificates[-1], at)) for path in paths]
    for path, window in found:
        if window is not None and path.not_before <= at <= path.not_after:
            return path, window
    return max(found, key=lambda each: (each[1] is not None, each[0].not_after))


def _check_window(path: CertificatePath, window: Window | None, at: datetime) -> Check:
    if window is not None:
        return passed("certificate.anchor-dates")
    return failed("certificate.anchor-dates", subject=_name(path.certificates[-1]), time=_moment(at))


def _check_purpose(certificate: x509.Certificate) -> Check:
    return failed("certificate.signer-is-ca") if is_ca(certificate) else passed("certificate.signer-is-ca")


def _check_usage(certificate: x509.Certificate) -> Check:
    """digitalSignature or nonRepudiation; a certificate without keyUsage is not limited (RFC 5280 clause 4.2.1.3)."""
    usage = extension(certificate, x509.KeyUsage)
    if usage is None or usage.digital_signature or usage.content_commitment:
        return passed("certificate.key-usage")
    return failed("certificate.key-usage")


def _check_extensions(certificate: x509.Certificate) -> Check:
    for ext in certificate.extensions:
        if ext.critical and ext.oid not in _PROCESSED_EXTENSIONS:
            return failed("certificate.critical-extension", oid=ext.oid.dotted_string)
    return passed("certificate.critical-extension")


def _check_validity(certificate: x509.Certificate, at: datetime, prefix: str) -> list[Check]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < start:
        return [failed(f"{prefix}not-yet-valid", subject=_name(certificate), time=_moment(start))]
    if at > end:
        return [failed(f"{prefix}expired", subject=_name(certificate), time=_moment(end))]
    return [passed(f"{prefix}expired")]


def _statuses(
    path: CertificatePath, trust: TrustStore, policy: Policy, at: datetime
) -> list[tuple[x509.Certificate, Status]]:
    """Of the signer, and of the CAs below the anchor where the policy asks for them."""
    links = list(zip(path.certificates, path.certificates[1:], strict=False))
    rules = policy.status_rules
    asked = links if policy.check_ca_revocation else links[:1]
    return [(c, trust.revocation.status(c, issuer, at, rules)) for c, issuer in asked]


def _evidence(certificate: x509.Certificate, status: Good) -> StatusEvidence:
    return StatusEvidence(
        _name(certificate), status.kind, status.issuer[:200], status.this_update, status.next_update
    )


def _check_revocation(statuses: list[tuple[x509.Certificate, Status]], policy: Policy) -> list[Check]:
    checks = []
    for position, (certificate, status) in enumerate(statuses):
        prefix = "certificate." if position == 0 else "certificate.ca-"
        if isinstance(status, Good):
            checks.append(passed(f"{prefix}revoked"))
        elif isinstance(status, Revoked):
            kind = "suspended" if status.reason == _SUSPENDED else "revoked"
            code = f"{prefix}{kind}"
            checks.append(
                failed(code, subject=_name(certificate), time=_moment(status.at), reason=status.reason)
            )
        elif policy.revocation == "required" or status.why != "no-crl":
            code = f"{prefix}status-unknown"
            checks.append(failed(code, subject=_name(certificate), why=_why(status)))
    return checks


def _why(status: Unknown) -> str:
    return f"{status.why} ({status.detail[:200]})"


def _check_strength(path: CertificatePath, policy: Policy) -> Check:
    """Keys and digests of the whole path but the anchor's own signature (EN 319 102-1 clause 5.2.8)."""
    for certificate in path.certificates[:-1]:
        check = _check_digest(certificate, policy)
        if check.sub_indication:
            return check
    for certificate in path.certificates[1:]:
        check = check_key_strength(public_key_of(certificate), policy)
        if check.sub_indication:
            return failed(
                "algorithm.certificate",
                subject=certificate.subject.rfc4514_string()[:200],
                algorithm=check.message_en,
            )
    return passed("algorithm.certificate")


def _check_digest(certificate: x509.Certificate, policy: Policy) -> Check:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        return failed("algorithm.certificate", subject=_name(certificate), algorithm=str(error)[:200])
    name = "eddsa" if algorithm is None else algorithm.name.replace("-", "_")
    if algorithm is not None and name not in policy.certificate_digests:
        return failed("algorithm.certificate", subject=_name(certificate), algorithm=name)
    return passed("algorithm.certificate")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:200]


def _moment(time: datetime) -> str:
    return time.strftime(_TIME_FORMAT)
