"""CMS signatures made by OpenSSL, altered by asn1crypto, stamped by pyHanko's simulated authority: none of it by us."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.timestamps import DummyTimeStamper

from signing import FileKey
from tests.signing.pki import AT, SIGNS, Authority, name, signer

CONTENT = "Tờ khai thuế giá trị gia tăng\r\n".encode() * 20


def openssl_cms(folder: Path, key: FileKey, *arguments: str, content: bytes = CONTENT) -> bytes:
    """`openssl cms -sign` in DER, with CAdES attributes and SHA-256 unless the arguments say otherwise."""
    (folder / "content").write_bytes(content)
    (folder / "cert.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    command = [
        "openssl",
        "cms",
        "-sign",
        "-binary",
        "-in",
        "content",
        "-signer",
        "cert.pem",
        "-inkey",
        "key.pem",
    ]
    command += ["-outform", "DER", "-out", "made", *(arguments or ("-cades", "-md", "sha256", "-nodetach"))]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("missing: openssl")
    return (folder / "made").read_bytes()


def remade(der: bytes, change: Callable[[Any, Any], None], key: FileKey | None = None) -> bytes:
    """The same with a change to SignedData and its first SignerInfo, signed again where a key is given."""
    info = cms.ContentInfo.load(der)
    signed = info["content"]
    first = signed["signer_infos"][0]
    change(signed, first)
    if key is not None:
        attributes = first["signed_attrs"].untag()
        octets = attributes.dump(force=True)
        assert isinstance(key.private_key, rsa.RSAPrivateKey)
        first["signature"] = key.private_key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    return bytes(info.dump(force=True))


def attribute(first: Any, kind: str) -> Any:
    """A signed attribute of a SignerInfo."""
    return next(each for each in first["signed_attrs"] if each["type"].native == kind)


TIME_STAMPING = (
    *SIGNS,
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
)


class Tsa:
    """A time-stamping authority under an issuer."""

    def __init__(self, issuer: Authority, at: datetime = AT, **how: Any) -> None:
        how = {"number": 30, "extensions": TIME_STAMPING, "subject": name("TSA of the tests"), **how}
        self.key = signer(issuer, **how)
        der = self.key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        certificate = asn1_x509.Certificate.load(self.key.certificate.public_bytes(Encoding.DER))
        self._stamper = DummyTimeStamper(certificate, keys.PrivateKeyInfo.load(der), fixed_dt=at)

    def __call__(self, digest: bytes, hash_name: str) -> bytes:
        token = asyncio.run(self._stamper.async_timestamp(digest, hash_name))
        return bytes(token.dump())


def stamped(der: bytes, token: bytes) -> bytes:
    """With a signature time stamp among the unsigned attributes."""

    def change(signed: Any, first: Any) -> None:
        first["unsigned_attrs"] = cms.CMSAttributes(
            [{"type": "signature_time_stamp_token", "values": [cms.ContentInfo.load(token)]}]
        )

    return remade(der, change)


def value_of(der: bytes) -> bytes:
    """The signature value of the first signer."""
    return bytes(cms.ContentInfo.load(der)["content"]["signer_infos"][0]["signature"].native)
