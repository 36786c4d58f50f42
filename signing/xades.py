"""XAdES qualifying properties (EN 319 132-1 clauses 4.3 and 5): found, placed, and read from the signed octets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from asn1crypto import tsp
from cryptography import x509
from lxml import etree

from signing.algorithms import DIGESTS, DS, XADES, fingerprint
from signing.elements import base64_of, child_of, element_children, parsed_properties, printable, text_of
from signing.references import Dereferenced
from signing.report import NO_STATEMENTS, Check, CheckFailed, Outcome, Statements, failed, passed
from signing.statements import xades_statements
from signing.xmldsig import SignatureParts

OLDER = {f"http://uri.etsi.org/01903/v{version}#": version for version in ("1.1.1", "1.2.2")}
"""Versions of TS 101 903 before 1.3.2, by namespace: recognised, and not judged."""
SIGNED_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
VIETNAM = timezone(timedelta(hours=7))
MAX_SIGNING_CERTIFICATES = 8
NO_SERIAL = -1
"""Stands for a serial number that cannot be read: no certificate has it."""


@dataclass(frozen=True, slots=True)
class CertificateReference:
    """One Cert of SigningCertificate(V2): digest of the certificate, and its serial number if IssuerSerial is there."""

    digest_method: str
    digest_value: bytes
    serial: int | None


@dataclass(frozen=True, slots=True)
class SignedProperties:
    """What the signer signed about the signature. `version`: 1 or 2, the SigningCertificate attribute used."""

    signing_time: datetime | None
    certificates: tuple[CertificateReference, ...]
    version: int
    statements: Statements = NO_STATEMENTS

    @property
    def profile(self) -> str:
        """XAdES-B-B needs the second version of the attribute (EN 319 132-1 clause 6.3); the first is BES."""
        return "XAdES-B-B" if self.version == 2 and self.signing_time else "XAdES-BES"


def claims_xades(parts: SignatureParts) -> bool:
    """Whether the signature has, or refers to, XAdES properties of any version."""
    typed = any("uri.etsi.org/01903" in reference.type for reference in parts.signed_info.references)
    return typed or bool(_qualifying(parts))


def _qualifying(parts: SignatureParts) -> list[etree._Element]:
    children = [child for held in parts.objects for child in held]
    return [child for child in children if isinstance(child.tag, str) and "QualifyingProperties" in child.tag]


def older_version(parts: SignatureParts) -> str | None:
    """The version of its properties, where that is one before 1.3.2."""
    qualifying = _qualifying(parts)
    if len(qualifying) > 1:
        return None
    named = [etree.QName(each).namespace or "" for each in qualifying]
    named += [reference.type.rpartition("#")[0] + "#" for reference in parts.signed_info.references]
    return OLDER.get(named[0]) if qualifying else next((OLDER[n] for n in named if n in OLDER), None)


def signed_properties_of(parts: SignatureParts) -> etree._Element:
    """The one SignedProperties of this signature. Raises CheckFailed (xades.structure, xades.target)."""
    qualifying = _qualifying(parts)
    if len(qualifying) != 1 or qualifying[0].tag != f"{{{XADES}}}QualifyingProperties":
        raise CheckFailed(
            failed("xades.structure", detail="one QualifyingProperties of version 1.3.2 is needed")
        )
    target = qualifying[0].get("Target")
    if parts.id is None or target != f"#{parts.id}":
        raise CheckFailed(failed("xades.target", target=printable(target or "(absent)")))
    properties = qualifying[0].findall(f"{{{XADES}}}SignedProperties")
    if len(properties) != 1:
        raise CheckFailed(failed("xades.structure", detail="one SignedProperties is needed"))
    return properties[0]


def find_signed_properties(parts: SignatureParts, references: tuple[Dereferenced, ...]) -> Dereferenced:
    """The one reference to the signature's own SignedProperties.

    Raises CheckFailed: xades.placement for properties elsewhere, xades.reference for none, several, or a wrong Type.
    """
    own = signed_properties_of(parts)
    typed = [r for r in references if r.reference.type == SIGNED_PROPERTIES_TYPE]
    if any(r.element is not own for r in typed):
        raise CheckFailed(failed("xades.placement"))
    if len(typed) != 1 or sum(1 for r in references if r.element is own) != 1:
        raise CheckFailed(failed("xades.reference", count=len(typed)))
    return typed[0]


def check_counter_signature(parts: SignatureParts, references: tuple[Dereferenced, ...]) -> list[Check]:
    """A signature in CounterSignature must sign the value of the signature around it (EN 319 132-1 clause 5.2.7.2)."""
    parent = parts.element.getparent()
    if parent is None or parent.tag != f"{{{XADES}}}CounterSignature":
        return []
    around = next((a for a in parent.iterancestors() if a.tag == f"{{{DS}}}Signature"), None)
    value = None if around is None else around.find(f"{{{DS}}}SignatureValue")
    signs_it = value is not None and any(found.element is value for found in references)
    return [passed("xades.counter-signature") if signs_it else failed("xades.counter-signature")]


def read_signed_properties(octets: bytes, *, lenient: bool = False) -> SignedProperties:
    """Read the canonical octets under the reference. Raises CheckFailed (xades.*, format.*).

    `lenient`: an IssuerSerial that cannot be read is one that disagrees: the digest decides.
    """
    try:
        root = parsed_properties(octets)
    except etree.LxmlError as error:
        raise CheckFailed(failed("xades.structure", detail=printable(str(error)))) from None
    signature_properties = list(root.iterchildren(f"{{{XADES}}}SignedSignatureProperties"))
    if len(signature_properties) != 1:
        raise CheckFailed(failed("xades.structure", detail="one SignedSignatureProperties is needed"))
    children = element_children(signature_properties[0])
    times = [child for child in children if child.tag == f"{{{XADES}}}SigningTime"]
    first = [child for child in children if child.tag == f"{{{XADES}}}SigningCertificate"]
    second = [child for child in children if child.tag == f"{{{XADES}}}SigningCertificateV2"]
    if len(times) > 1 or len(first) + len(second) > 1:
        raise CheckFailed(failed("xades.structure", detail="a property stands twice"))
    certificates = element_children((first + second)[0]) if first or second else []
    if len(certificates) > MAX_SIGNING_CERTIFICATES:
        raise CheckFailed(
            failed("xades.structure", detail=f"more than {MAX_SIGNING_CERTIFICATES} certificates")
        )
    return SignedProperties(
        signing_time=read_time(text_of(times[0])) if times else None,
        certificates=tuple(_read_certificate(cert, lenient) for cert in certificates),
        version=2 if second else 1,
        statements=xades_statements(root),
    )


def _read_certificate(cert: etree._Element, lenient: bool) -> CertificateReference:
    digest = child_of(cert, f"{{{XADES}}}CertDigest")
    method = None if digest is None else child_of(digest, f"{{{DS}}}DigestMethod")
    value = None if digest is None else child_of(digest, f"{{{DS}}}DigestValue")
    if cert.tag != f"{{{XADES}}}Cert" or method is None or value is None:
        raise CheckFailed(failed("xades.structure", detail="Cert must have CertDigest"))
    try:
        serial = _read_serial(cert)
    except CheckFailed:
        if not lenient:
            raise
        serial = NO_SERIAL
    return CertificateReference(method.get("Algorithm", ""), base64_of(value), serial)


def _read_serial(cert: etree._Element) -> int | None:
    first = child_of(cert, f"{{{XADES}}}IssuerSerial")
    plain = None if first is None else child_of(first, f"{{{DS}}}X509SerialNumber")
    encoded = child_of(cert, f"{{{XADES}}}IssuerSerialV2")
    try:
        if plain is not None:
            return int(text_of(plain).strip()[:64])
        if encoded is not None:
            return int(tsp.IssuerSerial.load(base64_of(encoded), strict=True)["serial_number"].native)
    except (ValueError, TypeError) as error:
        raise CheckFailed(
            failed("xades.structure", detail=f"IssuerSerial: {printable(str(error))}")
        ) from None
    return None


def read_time(text: str) -> datetime:
    """xsd:dateTime. Without a zone it is Vietnam time, as Vietnamese e-invoices write it. Raises CheckFailed."""
    try:
        moment = datetime.fromisoformat(text.strip()[:40])
    except ValueError:
        raise CheckFailed(failed("format.structure", detail=f"time {printable(text)!r}")) from None
    if "T" not in text:
        raise CheckFailed(failed("format.structure", detail=f"time {printable(text)!r}"))
    return moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)


def choose_certificate(
    properties: SignedProperties, candidates: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, list[Check]]:
    """The signing certificate: that of the first Cert, by digest (EN 319 102-1 clause 5.2.3).

    Raises CheckFailed (xades.signing-certificate). An IssuerSerial that disagrees is a warning: the digest decides.
    """
    if not properties.certificates:
        raise CheckFailed(failed("xades.signing-certificate", detail="absent"))
    reference = properties.certificates[0]
    name = DIGESTS.get(reference.digest_method)
    if name is None:
        raise CheckFailed(failed("algorithm.digest", algorithm=printable(reference.digest_method)))
    for candidate in candidates:
        if fingerprint(candidate, name) == reference.digest_value:
            checks = [passed("xades.signing-certificate")]
            if reference.serial is not None and reference.serial != candidate.serial_number:
                checks.append(failed("xades.issuer-serial", claimed=f"{reference.serial:x}"))
            assert all(check.outcome in (Outcome.PASSED, Outcome.WARNING) for check in checks)
            return candidate, checks
    raise CheckFailed(failed("xades.signing-certificate", detail="matches no certificate in KeyInfo"))
