"""ASiC containers made by hand: XAdES by lxml and cryptography, CAdES by OpenSSL."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing import FileKey
from tests.signing.cms_documents import openssl_cms
from tests.signing.pki import AT

DS = "http://www.w3.org/2000/09/xmldsig#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
FILES = {"tờ khai.xml": "<a>một</a>".encode(), "phụ lục/bảng kê.csv": b"1;2;3\n" * 50}
ASIC_E = b"application/vnd.etsi.asic-e+zip"
ASIC_S = b"application/vnd.etsi.asic-s+zip"


def _sha256(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


def _c14n(element: etree._Element) -> bytes:
    return bytes(etree.tostring(element, method="c14n", exclusive=True))


def _reference(uri: str, octets: bytes, extra: str = "", transforms: str = "") -> str:
    return (
        f'<ds:Reference URI="{uri}"{extra}>{transforms}<ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{_sha256(octets)}</ds:DigestValue></ds:Reference>"
    )


def xades(key: FileKey, files: Mapping[str, bytes], number: int = 0) -> bytes:
    """META-INF/signatures.xml over files, each by its percent-encoded name."""
    der = key.certificate.public_bytes(Encoding.DER)
    properties = (
        f'<xades:SignedProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" xmlns:ds="{DS}" Id="P{number}">'
        f"<xades:SignedSignatureProperties><xades:SigningTime>{AT:%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>"
        f'<xades:SigningCertificateV2><xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{_sha256(der)}</ds:DigestValue></xades:CertDigest></xades:Cert>"
        "</xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties>"
    )
    references = "".join(_reference(quote(name), octets) for name, octets in files.items())
    canonical = f'<ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
    kind = ' Type="http://uri.etsi.org/01903#SignedProperties"'
    references += _reference(f"#P{number}", _c14n(etree.fromstring(properties)), kind, canonical)
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f"{references}</ds:SignedInfo>"
    )
    value = base64.b64encode(key.sign(_c14n(etree.fromstring(info)), "sha256")).decode()
    return (
        '<asic:XAdESSignatures xmlns:asic="http://uri.etsi.org/02918/v1.2.1#">'
        f'<ds:Signature xmlns:ds="{DS}" Id="S{number}">{info}<ds:SignatureValue>{value}</ds:SignatureValue>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{base64.b64encode(der).decode()}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo>"
        f'<ds:Object><xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Target="#S{number}">'
        f"{properties}</xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
    ).encode()


def packed(files: Mapping[str, bytes], mimetype: bytes | None = ASIC_E) -> bytes:
    """A ZIP: mimetype first and stored, the rest deflated."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype is not None:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name, octets in files.items():
            archive.writestr(name, octets)
    return output.getvalue()


def asic_e(key: FileKey, files: Mapping[str, bytes] = FILES) -> dict[str, bytes]:
    """The parts of an ASiC-E with one XAdES signature."""
    return {**files, "META-INF/manifest.xml": b"<manifest/>", "META-INF/signatures0.xml": xades(key, files)}


def manifest(files: Mapping[str, bytes], signature: str = "META-INF/signature001.p7s") -> bytes:
    """An ASiCManifest (EN 319 162-1 Annex A.4)."""
    rows = "".join(
        f'<asic:DataObjectReference URI="{quote(name)}"><ds:DigestMethod xmlns:ds="{DS}" Algorithm="{SHA256}"/>'
        f'<ds:DigestValue xmlns:ds="{DS}">{_sha256(octets)}</ds:DigestValue></asic:DataObjectReference>'
        for name, octets in files.items()
    )
    return (
        '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#">'
        f'<asic:SigReference URI="{signature}"/>{rows}</asic:ASiCManifest>'
    ).encode()


def asic_e_cades(folder: Path, key: FileKey, files: Mapping[str, bytes] = FILES) -> dict[str, bytes]:
    """The parts of an ASiC-E with one CAdES signature over a manifest."""
    listed = manifest(files)
    made = openssl_cms(folder, key, "-cades", "-md", "sha256", content=listed)
    return {**files, "META-INF/ASiCManifest001.xml": listed, "META-INF/signature001.p7s": made}
