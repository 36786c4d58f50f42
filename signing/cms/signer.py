"""The single checks of one SignerInfo (RFC 5652 clause 5, EN 319 102-1 clauses 5.2.3, 5.2.7, 5.2.8)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from cryptography import x509

from signing.algorithms import ValueMismatch, digest
from signing.certificates import PublicKey, public_key_of
from signing.cms.algorithms import CMS_SIGNATURE_NAMES, verify_cms_value
from signing.cms.attributes import SignedAttributes
from signing.cms.structure import DATA, SignedData, SignerInfo, der_of
from signing.policy import Policy
from signing.report import Check, CheckFailed, failed, passed

_MESSAGE_DIGEST_OID = bytes.fromhex("06092a864886f70d010904")
MAX_TRIED_CERTIFICATES = 8


def check_algorithms(signer: SignerInfo, attributes: SignedAttributes, policy: Policy) -> list[Check]:
    """Known, allowed, and the same wherever they are named. Raises CheckFailed for one that is not known."""
    if not signer.digest:
        raise CheckFailed(failed("algorithm.digest", algorithm=signer.digest_oid))
    algorithm = signer.algorithm
    if algorithm is None:
        raise CheckFailed(failed("algorithm.signature", algorithm=signer.algorithm_oid))
    checks = [
        _allowed("algorithm.digest", signer.digest, signer.digest in policy.digests),
        _allowed("algorithm.signature", algorithm.name, _takes(policy, algorithm.name, algorithm.hash)),
    ]
    # RFC 5652 clause 5.6, RFC 4056 clause 3, RFC 8419 clause 3.1: one digest for attributes and content.
    declared = attributes.protection
    if algorithm.hash != signer.digest:
        detail = f"digest {signer.digest}, signature {algorithm.name}"
        checks.append(failed("algorithm.consistent", detail=detail))
    elif declared is not None and declared != (signer.digest_oid, signer.algorithm_oid):
        checks.append(failed("algorithm.consistent", detail="CMSAlgorithmProtection names others"))
    else:
        checks.append(passed("algorithm.consistent"))
    return checks


def _takes(policy: Policy, name: str, hash_name: str) -> bool:
    """RSA PKCS#1 v1.5 over SHA-3 has no XML identifier: a policy that takes RSA and the digest takes it."""
    if name in policy.signatures:
        return True
    family, _, rest = name.partition("-")
    covers = any(each.startswith(f"{family}-sha") for each in policy.signatures)
    return name in CMS_SIGNATURE_NAMES and rest.startswith("sha3") and covers and hash_name in policy.digests


def _allowed(code: str, name: str, allowed: bool) -> Check:
    return passed(code) if allowed else failed(code, algorithm=name)


def check_content(
    signed: SignedData, signer: SignerInfo, attributes: SignedAttributes, content: bytes, name: str
) -> list[Check]:
    """Content type and digest against the signed attributes. Raises CheckFailed (cms.attributes)."""
    if signer.signed is None:
        if signed.content_type != DATA:
            raise CheckFailed(failed("cms.attributes", detail="needed for content of this type"))
        if content[:1] == b"\x31" and _MESSAGE_DIGEST_OID in content[:65536]:
            # Signed attributes shown as content: the value would verify, and nobody signed this as a document.
            raise CheckFailed(
                failed("cms.attributes", detail="the content is another signature's attributes")
            )
        return []
    if attributes.content_type is None or attributes.message_digest is None:
        raise CheckFailed(failed("cms.attributes", detail="content-type and message-digest are needed"))
    if attributes.content_type != signed.content_type:
        detail = f"content-type {attributes.content_type}, content is {signed.content_type}"
        raise CheckFailed(failed("cms.attributes", detail=detail))
    return [check_digest(signer, attributes, content, name)]


def check_digest(signer: SignerInfo, attributes: SignedAttributes, content: bytes, name: str) -> Check:
    """The message digest of the content."""
    found = digest(signer.digest, content)
    if attributes.message_digest is None or not hmac.compare_digest(found, attributes.message_digest):
        return failed("reference.digest", uri=name)
    return passed("reference.digest")


def choose_certificate(
    signer: SignerInfo, attributes: SignedAttributes, candidates: Iterable[x509.Certificate]
) -> tuple[x509.Certificate, list[Check]]:
    """The signing certificate: by the signed digest (RFC 5035), else by the identifier. Raises CheckFailed.

    Where both versions of the attribute stand, both must mean it. Issuer and serial number that disagree are a
    warning: the digest decides.
    """
    pool = tuple(candidates)
    if not attributes.certificates:
        named = [c for c in pool if signer.names(c)] or [
            c for c in pool if signer.serial is not None and c.serial_number == signer.serial
        ]
        if not named:
            raise CheckFailed(failed("key.found"))
        return named[0], []
    chosen: x509.Certificate | None = None
    checks: list[Check] = []
    for references in attributes.certificates:
        reference = references[0]
        if not reference.digest:
            raise CheckFailed(failed("algorithm.digest", algorithm="signing-certificate"))
        found = next((c for c in pool if digest(reference.digest, der_of(c)) == reference.value), None)
        if found is None or (chosen is not None and found != chosen):
            raise CheckFailed(failed("cades.signing-certificate"))
        chosen = found
        if reference.serial is not None and reference.serial != found.serial_number:
            checks.append(failed("cades.issuer-serial", claimed=f"{reference.serial:x}"))
    assert chosen is not None
    if not signer.names(chosen):
        checks.append(failed("cms.signer-identifier"))
    return chosen, [passed("cades.signing-certificate"), *checks]


def check_value(signer: SignerInfo, content: bytes, key: PublicKey) -> list[Check]:
    """The signature value over the signed attributes in DER, or over the content where there are none.

    Signers exist that digest the attributes as they wrote them, not in DER (RFC 5652 clause 5.4): the same attributes,
    so that is told as a warning.
    """
    assert signer.algorithm is not None
    octets = content if signer.signed is None else signer.signed_octets
    try:
        verify_cms_value(signer.algorithm, key, signer.value, octets)
    except ValueMismatch as error:
        if signer.signed is None or signer.written_octets == octets:
            return [failed("signature.value", detail=str(error)[:200])]
        try:
            verify_cms_value(signer.algorithm, key, signer.value, signer.written_octets)
        except ValueMismatch:
            return [failed("signature.value", detail=str(error)[:200])]
        return [passed("signature.value"), failed("cms.not-der")]
    return [passed("signature.value")]


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The certified key. Raises CheckFailed for a kind that no algorithm here uses."""
    try:
        return public_key_of(certificate)
    except ValueError as error:
        raise CheckFailed(failed("format.certificate", detail=str(error)[:200])) from None
