"""One answer fetched from a CRL or OCSP source, to see whether it is of use before it is relied on."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from signing.fetching import FetchFailed, FetchLimits, fetch_now
from signing.ocsp import OcspRefused, read_ocsp
from signing.revocation import CrlRefused, RevocationIndex
from signing.trust import TrustStore, read_crls

LIMITS = FetchLimits(seconds=15.0, answer_bytes=64 << 20)


def try_crl(url: str, trust: TrustStore, limits: FetchLimits = LIMITS) -> None:
    """Fetch a list, which a trusted authority must have signed. For a thread without an event loop.

    Raises FetchFailed, CrlRefused.
    """
    try:
        lists = read_crls(_body(url, None, limits))
    except ValueError as error:
        raise CrlRefused(str(error)[:200]) from None
    for der in lists:
        RevocationIndex((*trust.anchors, *trust.intermediates)).add_crl(der)


def try_ocsp(url: str, trust: TrustStore, limits: FetchLimits = LIMITS) -> bool:
    """Ask a responder about a trusted authority's certificate: whether it answered about it; or it said, in the form of
    RFC 6960, that it does not. For a thread without an event loop.

    Raises FetchFailed, OcspRefused (no such form, or signed by nobody who may), LookupError where there is nobody to
    ask about.
    """
    certificate, issuer = _somebody(trust)
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    der = _body(url, builder.build().public_bytes(Encoding.DER), limits)
    try:
        response = ocsp.load_der_ocsp_response(der)
    except ValueError as error:
        raise OcspRefused(f"no OCSP response: {str(error)[:200]}") from None
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return False
    read_ocsp(der, [issuer])
    return True


def _somebody(trust: TrustStore) -> tuple[x509.Certificate, x509.Certificate]:
    for ca in trust.intermediates:
        for path in trust.paths.paths(ca)[:1]:
            if len(path.certificates) > 1:
                return path.certificates[0], path.certificates[1]
    raise LookupError("no intermediate authority is trusted")


def _body(url: str, question: bytes | None, limits: FetchLimits) -> bytes:
    headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
    answer = fetch_now(url, body=question, headers=headers if question else None, limits=limits)
    if answer.status != 200:
        raise FetchFailed(f"{url[:200]}: status {answer.status}")
    return answer.body
