"""Signatures in XML, CMS, PDF and ASiC, judged by EN 319 102-1; made in XML and PDF. See README.md."""

from typing import TYPE_CHECKING, Any

from signing.asic import verify_asic
from signing.canonical import METHODS as CANONICALISATIONS
from signing.canonical import CanonicalisationRefused, canonicalise
from signing.certificates import Signer, signer_of
from signing.cms.verify import verify_cms
from signing.evidence import Evidence
from signing.formats import format_of, verify
from signing.holdings import Holding, held_authorities, held_lists, holdings
from signing.keys import FileKey, KeyRefused, KeyUnavailable, SigningKey
from signing.longterm.augment import AugmentRefused, augment
from signing.longterm.stamping import Stampable
from signing.parsing import ParseLimits, XmlDocument, XmlFault, XmlRefused, parse_xml
from signing.pdf import verify_pdf
from signing.policy import Policy, PolicyRefused, load_policy
from signing.report import (
    Algorithms,
    Check,
    Covered,
    Indication,
    Location,
    Outcome,
    Report,
    SignatureReport,
    StatusEvidence,
    TimestampReport,
)
from signing.revocation import (
    CrlInfo,
    CrlRefused,
    Good,
    OcspRefused,
    RevocationIndex,
    Revoked,
    Status,
    Unknown,
)
from signing.sign import SigningRefused, sign_element, sign_xml
from signing.trust import Additions, TrustRefused, TrustStore, read_certificates, read_crls
from signing.tsa import (
    HttpTimestampClient,
    LocalTimestampAuthority,
    TimestampClient,
    TimestampRefused,
    TimestampUnavailable,
    require_proof,
)
from signing.verify import Key, verify_document, verify_xml

if TYPE_CHECKING:
    from signing.pdf.sign import PdfSigningRefused, sign_pdf

__all__ = [
    "CANONICALISATIONS",
    "Additions",
    "Algorithms",
    "AugmentRefused",
    "CanonicalisationRefused",
    "Check",
    "Covered",
    "CrlInfo",
    "CrlRefused",
    "Evidence",
    "FileKey",
    "Good",
    "Holding",
    "HttpTimestampClient",
    "Indication",
    "Key",
    "KeyRefused",
    "KeyUnavailable",
    "LocalTimestampAuthority",
    "Location",
    "OcspRefused",
    "Outcome",
    "ParseLimits",
    "PdfSigningRefused",
    "Policy",
    "PolicyRefused",
    "Report",
    "RevocationIndex",
    "Revoked",
    "SignatureReport",
    "Signer",
    "SigningKey",
    "SigningRefused",
    "Stampable",
    "Status",
    "StatusEvidence",
    "TimestampClient",
    "TimestampRefused",
    "TimestampReport",
    "TimestampUnavailable",
    "TrustRefused",
    "TrustStore",
    "Unknown",
    "XmlDocument",
    "XmlFault",
    "XmlRefused",
    "augment",
    "canonicalise",
    "format_of",
    "held_authorities",
    "held_lists",
    "holdings",
    "load_policy",
    "parse_xml",
    "read_certificates",
    "read_crls",
    "require_proof",
    "sign_element",
    "sign_pdf",
    "sign_xml",
    "signer_of",
    "verify",
    "verify_asic",
    "verify_cms",
    "verify_document",
    "verify_pdf",
    "verify_xml",
]


def __getattr__(name: str) -> Any:
    """Signing PDF files needs a library that takes half a second to read: only who signs them waits."""
    if name in ("PdfSigningRefused", "sign_pdf"):
        from signing.pdf import sign  # noqa: PLC0415

        return getattr(sign, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
