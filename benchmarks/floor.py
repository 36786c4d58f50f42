"""The floor: a bare loop of the same library calls on one core. No checks, no HTTP, no store.

Its documents are signed over exclusive C14N, which lxml does rightly on a part of a document by itself.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

TAX = "{http://kekhaithue.gdt.gov.vn/TKhaiThue}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


def floor_cpu_seconds(documents: Sequence[bytes], schema: etree.XMLSchema) -> float:
    """CPU seconds for parse, XSD, C14N, SHA-256 and RSA verification of every document, once each."""
    start = time.process_time()
    for octets in documents:
        _bare(octets, schema)
    return time.process_time() - start


def _bare(octets: bytes, schema: etree.XMLSchema) -> None:
    root = etree.fromstring(octets)
    body, signatures = root[0], root[1]
    if not schema.validate(body):
        raise AssertionError(schema.error_log)
    for signature in signatures:
        hashlib.sha256(etree.tostring(body, method="c14n", exclusive=True)).digest()
        signed_info = etree.tostring(signature[0], method="c14n", exclusive=True)
        value = base64.b64decode(signature.findtext(f"{DS}SignatureValue") or "")
        der = base64.b64decode(signature.findtext(f".//{DS}X509Certificate") or "")
        key = x509.load_der_x509_certificate(der).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(value, signed_info, padding.PKCS1v15(), hashes.SHA256())
