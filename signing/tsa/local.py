"""A time-stamping authority of one's own, for development and tests: genuine RFC 3161 tokens, no independent clock."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing.algorithms import digest
from signing.certificates import public_key_of
from signing.keys import SigningKey

POLICY = "1.3.6.1.4.1.32473.1"  # of the arc for examples (RFC 5612)


@dataclass(frozen=True)
class LocalTimestampAuthority:
    """Signs time stamps with a key whose certificate is for time stamping. `clock` gives aware times."""

    key: SigningKey
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def stamp(self, imprint: bytes, hash_name: str) -> bytes:
        """See TimestampClient.stamp."""
        return self._token(imprint, hash_name, None)

    def respond(self, request: bytes) -> bytes:
        """A TimeStampResp to a TimeStampReq, both in DER. Raises ValueError for octets that are no request."""
        asked = tsp.TimeStampReq.load(request, strict=True)
        imprint = asked["message_imprint"]
        name = imprint["hash_algorithm"]["algorithm"].native
        token = self._token(imprint["hashed_message"].native, name, asked["nonce"].native)
        response = tsp.TimeStampResp(
            {"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)}
        )
        octets: bytes = response.dump()
        return octets

    def _token(self, imprint: bytes, hash_name: str, nonce: int | None) -> bytes:
        info = tsp.TSTInfo(
            {
                "version": 1,
                "policy": POLICY,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": hash_name},
                    "hashed_message": imprint,
                },
                "serial_number": secrets.randbits(63),
                "gen_time": self.clock().astimezone(UTC),
                **({} if nonce is None else {"nonce": nonce}),
            }
        ).dump()
        certificates = [_asn1(c) for c in (self.key.certificate, *self.key.chain)]
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(info)},
                "certificates": certificates,
                "signer_infos": [self._signer(info)],
            }
        )
        octets: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
        return octets

    def _signer(self, info: bytes) -> cms.SignerInfo:
        certificate = _asn1(self.key.certificate)
        identifier = tsp.ESSCertIDv2({"cert_hash": digest("sha256", certificate.dump())})
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [digest("sha256", info)]},
                {"type": "signing_certificate_v2", "values": [{"certs": [identifier]}]},
            ]
        )
        value, algorithm = self._value(attributes.dump())
        return cms.SignerInfo(
            {
                "version": "v1",
                "sid": {
                    "issuer_and_serial_number": {
                        "issuer": certificate.issuer,
                        "serial_number": certificate.serial_number,
                    }
                },
                "digest_algorithm": {"algorithm": "sha256"},
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": algorithm},
                "signature": value,
            }
        )

    def _value(self, octets: bytes) -> tuple[bytes, str]:
        value = self.key.sign(octets, "sha256")
        key = public_key_of(self.key.certificate)
        if isinstance(key, rsa.RSAPublicKey):
            return value, "sha256_rsa"
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TypeError("a time-stamping authority here has an RSA or an elliptic curve key")
        half = len(value) // 2
        r, s = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
        return encode_dss_signature(r, s), "sha256_ecdsa"


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
