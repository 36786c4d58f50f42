"""Making PAdES baseline signatures (EN 319 142-1 clause 6): B-B, and B-T where a time stamp can be had.

pyHanko writes the file; the value comes from a SigningKey, so that files, tokens and remote keys sign alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import BytesIO
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.generic import NameObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import PdfSignedData
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing.certificates import public_key_of
from signing.keys import SigningKey

TimeStamping = Callable[[bytes, str], bytes]
"""Digest and its hashlib name → a time-stamp token (DER of its ContentInfo)."""

RESERVED_OCTETS = 16_384
RESERVED_FOR_TIME_STAMP = 16_384


class PdfSigningRefused(Exception):
    """The file cannot be signed; the text says why."""


def sign_pdf(
    data: bytes, key: SigningKey, *, at: datetime, tsa: TimeStamping | None = None, field: str = "Signature"
) -> bytes:
    """Sign a PDF and return it with an invisible signature in a new field, appended as an incremental update.

    `at`: the claimed signing time (aware), written to the second as /M. `field`: the new field's name; a number is
    added where it is taken. Raises PdfSigningRefused for a file that cannot be read or updated.
    """
    if at.tzinfo is None:
        raise ValueError("at: an aware time is needed")
    with ThreadPoolExecutor(
        max_workers=1
    ) as executor:  # pyHanko speaks asyncio; the caller may sit in a loop
        return executor.submit(asyncio.run, _sign(data, key, at, tsa, field)).result()


async def _sign(data: bytes, key: SigningKey, at: datetime, tsa: TimeStamping | None, field: str) -> bytes:
    hash_name = _hash_name(key)
    signer, stamper = _KeySigner(key), _Stamper(tsa) if tsa else None
    output = BytesIO()
    try:
        writer = IncrementalPdfFileWriter(BytesIO(data), strict=False)
        if writer.prev.encrypted:
            raise PdfSigningRefused("the file is encrypted")  # noqa: TRY301
        name = _free_name(writer, field)
        steps: Any = PdfCMSEmbedder(new_field_spec=SigFieldSpec(name)).write_cms(
            field_name=name, writer=writer
        )
        next(steps)
        reserved = 2 * (RESERVED_OCTETS + (RESERVED_FOR_TIME_STAMP if tsa else 0))
        holder = PdfSignedData(
            obj_type=NameObject("/Sig"),
            subfilter=SigSeedSubFilter.PADES,
            timestamp=at,
            bytes_reserved=reserved,
        )
        steps.send(SigObjSetup(sig_placeholder=holder))
        document, _ = steps.send(SigIOSetup(md_algorithm=hash_name, output=output))
    except PdfSigningRefused:
        raise
    except Exception as error:  # pyHanko raises several types for files that are broken
        raise PdfSigningRefused(f"the file cannot be updated: {error}"[:300]) from None
    made = await signer.async_sign(document.document_digest, hash_name, use_pades=True, timestamper=stamper)
    steps.send(made.dump())
    return output.getvalue()


def _free_name(writer: IncrementalPdfFileWriter, wanted: str) -> str:
    taken = {name for name, _, _ in enumerate_sig_fields(writer)}
    names = (wanted, *(f"{wanted}{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)


def _hash_name(key: SigningKey) -> str:
    public_key = public_key_of(key.certificate)
    if isinstance(public_key, rsa.RSAPublicKey):
        return "sha256"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return {256: "sha256", 384: "sha384"}.get(public_key.curve.key_size, "sha512")
    return "sha512"  # RFC 8419 clause 3.1


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


class _KeySigner(Signer):
    """pyHanko's signer over a SigningKey: CMS wants ECDSA values in DER, the key gives r and s side by side."""

    def __init__(self, key: SigningKey) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        store.register_multiple(_asn1(certificate) for certificate in key.chain)
        super().__init__(signing_cert=_asn1(key.certificate), cert_registry=store)
        self._key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        public_key = public_key_of(self._key.certificate)
        if dry_run:
            return bytes(512)
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            value = await asyncio.to_thread(self._key.sign, data, digest_algorithm)
            half = len(value) // 2
            return encode_dss_signature(
                int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            )
        hash_name = digest_algorithm if isinstance(public_key, rsa.RSAPublicKey) else ""
        return await asyncio.to_thread(self._key.sign, data, hash_name)


class _Stamper(TimeStamper):
    """pyHanko's time stamper over a function of ours."""

    def __init__(self, stamp: TimeStamping) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stamp = stamp

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        return cms.ContentInfo.load(await asyncio.to_thread(self._stamp, message_digest, md_algorithm))
