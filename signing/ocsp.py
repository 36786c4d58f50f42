"""OCSP answers (RFC 6960): read once, the responder's right and its signature checked; a status is then a look-up.

A responder is the issuer itself, or bears a certificate that this issuer gave for OCSP signing (clause 4.2.2.2).
No nonce is looked for: answers are fetched in the background or come with a document, never for one question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import ocsp as asn1_ocsp
from asn1crypto.keys import PublicKeyInfo
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.asn1 import GENERALIZED_TIME, read_element
from signing.certificates import extension, is_ca, public_key_of, spki

MAX_BYTES = 262_144
MAX_ANSWERS = 64
"""Certificates told of in one response."""
MAX_CERTIFICATES = 4
"""Certificates of a response that are tried as its responder's."""
_SIGNS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, dsa.DSAPublicKey)
_CERT_ID_DIGESTS = {"sha1", "sha256", "sha384", "sha512"}
_UNDERSTOOD = {x509.OCSPNonce.oid}
ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.6"


class OcspRefused(Exception):
    """The response cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """What one response says of one certificate. `status`: good, revoked, unknown. Times are aware, UTC.

    `responder`: the delegated responder's certificate, None where the issuer itself signed. `never_checked`: the issuer
    said that this responder's status need not be asked (id-pkix-ocsp-nocheck). `digest`: of the response's signature.
    `keeps_since`: certificates that ended then or later are still told of (archive cutoff, clause 4.4.4).
    """

    serial: int
    status: str
    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    reason: str
    responder: x509.Certificate | None
    never_checked: bool
    digest: str
    keeps_since: datetime | None = None


def read_ocsp(der: bytes, issuers: Iterable[x509.Certificate]) -> list[tuple[x509.Certificate, OcspAnswer]]:
    """The answers of a DER OCSPResponse with the issuer each is about. Raises OcspRefused.

    `issuers`: the CA certificates that may be meant; answers about others' certificates are left out, and none is a
    refusal.
    """
    if len(der) > MAX_BYTES:
        raise OcspRefused(f"a response of {len(der)} octets, at most {MAX_BYTES} are taken")
    try:
        return _read(der, tuple(issuers))
    except OcspRefused:
        raise
    except Exception as error:  # hostile DER raises several types, depending on where it is broken
        raise OcspRefused(f"not a usable OCSP response: {str(error)[:200]}") from None


def _read(der: bytes, issuers: tuple[x509.Certificate, ...]) -> list[tuple[x509.Certificate, OcspAnswer]]:
    response = ocsp.load_der_ocsp_response(der)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise OcspRefused(f"the responder answered {response.response_status.name}")
    for ext in response.extensions:
        if ext.critical and ext.oid not in _UNDERSTOOD:
            raise OcspRefused(f"unknown critical extension {ext.oid.dotted_string}")
    singles = list(response.responses)
    if len(singles) > MAX_ANSWERS:
        raise OcspRefused(f"{len(singles)} answers in one response, at most {MAX_ANSWERS} are taken")
    cutoffs = [_cutoff(each) for each in asn1_ocsp.OCSPResponse.load(der).response_data["responses"]]
    found, fault = [], "no known CA issued the certificates it is about"
    for single, cutoff in zip(singles, cutoffs, strict=True):
        for issuer in issuers:
            if not _about(single, issuer):
                continue
            try:
                responder = _responder(response, issuer)
            except OcspRefused as error:
                fault = str(error)
                continue
            found.append((issuer, _answer(response, single, responder, cutoff)))
            break
    if not found:
        raise OcspRefused(fault)
    return found


def _cutoff(single: asn1_ocsp.SingleResponse) -> datetime | None:
    """ArchiveCutoff of one answer, read as strictly as any time here; None where it has none."""
    found: datetime | None = None
    for ext in single["single_extensions"] or ():
        if ext["extn_id"].dotted == ARCHIVE_CUTOFF:
            found = read_element(ext["extn_value"].contents).expect(GENERALIZED_TIME).time()
        elif ext["critical"].native:
            raise OcspRefused(f"unknown critical extension {ext['extn_id'].dotted}")
    return found


def _about(single: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    """CertID (clause 4.1.1): hashes of the issuer's name and of its key, without the key's algorithm."""
    algorithm = single.hash_algorithm.name
    if algorithm not in _CERT_ID_DIGESTS:
        return False
    name = hashlib.new(algorithm, issuer.subject.public_bytes()).digest()
    return name == single.issuer_name_hash and _key_hash(issuer, algorithm) == single.issuer_key_hash


def _key_hash(certificate: x509.Certificate, algorithm: str = "sha1") -> bytes:
    """Of the BIT STRING's octets. SHA-1 is the specification's name for a key here, not a proof."""
    if algorithm == "sha1":
        return x509.SubjectKeyIdentifier.from_public_key(public_key_of(certificate)).digest
    info = PublicKeyInfo.load(spki(public_key_of(certificate)))
    return hashlib.new(algorithm, info["public_key"].contents[1:]).digest()


def _responder(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    """None for the issuer itself, the certificate of a delegated responder; by whom the signature must verify."""
    if _names(response, issuer) and _signed_by(response, issuer):
        return None
    for candidate in response.certificates[:MAX_CERTIFICATES]:
        if not _names(response, candidate) or not _signed_by(response, candidate):
            continue
        _require_delegated(candidate, issuer, response.produced_at_utc)
        return candidate
    raise OcspRefused(f"neither {issuer.subject.rfc4514_string()[:200]} nor a responder of its signed it")


def _names(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == _key_hash(certificate)


def _signed_by(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    key, signature, octets = public_key_of(certificate), response.signature, response.tbs_response_bytes
    algorithm = response.signature_hash_algorithm
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, octets)
        elif algorithm is None or not isinstance(key, _SIGNS):
            return False
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, octets, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, octets, ec.ECDSA(algorithm))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, octets, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _require_delegated(responder: x509.Certificate, issuer: x509.Certificate, produced: datetime) -> None:
    """Clause 4.2.2.2: given by the very CA that gave the certificate in question, and for signing OCSP answers."""
    told = f"the responder {responder.subject.rfc4514_string()[:200]}"
    try:
        responder.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise OcspRefused(f"{told} has no certificate of the issuer") from None
    purposes = extension(responder, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
        raise OcspRefused(f"{told} may not sign OCSP answers")
    usage = extension(responder, x509.KeyUsage)
    if is_ca(responder) or (
        usage is not None and not usage.digital_signature and not usage.content_commitment
    ):
        raise OcspRefused(f"{told} bears a certificate for other uses")
    if not responder.not_valid_before_utc <= produced <= responder.not_valid_after_utc:
        raise OcspRefused(f"{told} was not within its validity when it signed")


def _answer(
    response: ocsp.OCSPResponse,
    single: ocsp.OCSPSingleResponse,
    responder: x509.Certificate | None,
    keeps_since: datetime | None,
) -> OcspAnswer:
    if single.next_update_utc is not None and single.next_update_utc < single.this_update_utc:
        raise OcspRefused("nextUpdate lies before thisUpdate")
    algorithm = response.signature_hash_algorithm
    unchecked = responder is not None and extension(responder, x509.OCSPNoCheck) is not None
    reason = single.revocation_reason
    return OcspAnswer(
        serial=single.serial_number,
        status=single.certificate_status.name.lower(),
        produced_at=response.produced_at_utc,
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        revoked_at=single.revocation_time_utc,
        reason=reason.value if reason is not None else "unspecified",
        responder=responder,
        never_checked=unchecked,
        digest="eddsa" if algorithm is None else algorithm.name.replace("-", "_"),
        keeps_since=keeps_since,
    )
