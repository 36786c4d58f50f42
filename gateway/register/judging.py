"""What is wrong with a certificate by itself: its time, its key, what it may be used for. Without keys or network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.filing.findings import Text
from gateway.production import DEVELOPMENT_MARK
from gateway.register.entry import DOOR_CAS, DOORS, Purpose
from gateway.register.policy import RegisterPolicy

_E = TypeVar("_E", bound=x509.ExtensionType)
_WEAK_DIGESTS = ("md5", "sha1")
_CAS = DOOR_CAS | {Purpose.ANCHOR, Purpose.INTERMEDIATE}
_EXTENDED = {
    **dict.fromkeys(DOORS, ExtendedKeyUsageOID.SERVER_AUTH),
    **dict.fromkeys((Purpose.CLIENT, Purpose.ADMIN, Purpose.AGENCY_TLS), ExtendedKeyUsageOID.CLIENT_AUTH),
}
_USAGE_WORDS = {
    **dict.fromkeys(DOORS, Text("máy chủ TLS", "a TLS server")),
    **dict.fromkeys(
        (Purpose.CLIENT, Purpose.ADMIN, Purpose.AGENCY_TLS), Text("máy khách TLS", "a TLS client")
    ),
    Purpose.NOTICES: Text("ký", "signing"),
}


def certificate_faults(
    certificate: x509.Certificate, purpose: Purpose, policy: RegisterPolicy, at: datetime, *, production: bool
) -> Iterator[Text]:
    """All that is wrong with it for this purpose at this time."""
    if certificate.not_valid_after_utc < at:
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        yield Text(f"Chứng thư đã hết hạn lúc {until}.", f"The certificate ended at {until}.")
    if certificate.not_valid_before_utc > at:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield Text(
            f"Chứng thư chưa có hiệu lực: từ {since}. Đồng hồ có đúng không?",
            f"The certificate is not valid before {since}. Is the clock right?",
        )
    yield from _key_faults(certificate, policy)
    if purpose in _CAS:
        yield from _ca_faults(certificate)
    else:
        yield from _usage_faults(certificate, purpose)
    if production and DEVELOPMENT_MARK in certificate.subject.rfc4514_string():
        yield Text(
            "Đây là chứng thư thử nghiệm; môi trường chính thức không dùng.",
            "It is a development certificate; production does not use it.",
        )


def _key_faults(certificate: x509.Certificate, policy: RegisterPolicy) -> Iterator[Text]:
    try:
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        yield Text(
            f"Không đọc được khóa của chứng thư (nguyên văn: {error}).", f"Its key cannot be read: {error}."
        )
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < policy.rsa_bits:
        yield Text(
            f"Khóa yếu: RSA {key.key_size} bit, cần ít nhất {policy.rsa_bits}.",
            f"A weak key: RSA of {key.key_size} bits, {policy.rsa_bits} are the least.",
        )
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in policy.curves:
        yield Text(f"Khóa yếu hoặc lạ: {key.curve.name}.", f"A weak or strange key: {key.curve.name}.")
    elif not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        yield Text("Loại khóa không dùng được.", "A key of a kind that cannot be used.")
    if digest is not None and digest.name in _WEAK_DIGESTS and certificate.issuer != certificate.subject:
        yield Text(f"Chứng thư được ký bằng {digest.name}.", f"The certificate is signed with {digest.name}.")


def _usage_faults(certificate: x509.Certificate, purpose: Purpose) -> Iterator[Text]:
    usage = _extension(certificate, x509.KeyUsage)
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    signs = (
        usage is None or usage.digital_signature or (purpose is Purpose.NOTICES and usage.content_commitment)
    )
    wanted = _EXTENDED.get(purpose)
    if not signs or (wanted is not None and extended is not None and wanted not in extended):
        words = _USAGE_WORDS[purpose]
        yield Text(
            f"Chứng thư không được cấp để dùng cho {words.vi}.",
            f"The certificate is not meant for {words.en}.",
        )


def _ca_faults(certificate: x509.Certificate) -> Iterator[Text]:
    basic, usage = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        yield Text(
            "Đây không phải chứng thư của tổ chức chứng thực.", "It is not a certification authority's."
        )


def chain_faults(chain: Sequence[x509.Certificate]) -> Iterator[Text]:
    """Whether each certificate of a chain, the leaf first, is issued by the one after it."""
    for one, above in pairwise(chain):
        if not issued_by(one, above):
            name = one.subject.rfc4514_string()
            yield Text(
                f"Chuỗi chứng thư đứt quãng sau {name}.",
                f"The chain is broken: the one after {name} did not issue it.",
            )


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key made it."""
    with suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """The hosts and addresses that it is for."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return frozenset()
    addresses = (str(one) for one in names.get_values_for_type(x509.IPAddress))
    return frozenset((*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *addresses))


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None
