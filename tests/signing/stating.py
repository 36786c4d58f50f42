"""Signatures with statements about themselves, which `sign_xml` does not write."""

from __future__ import annotations

import base64
import re

from signing import CANONICALISATIONS, FileKey, canonicalise, parse_xml
from signing.algorithms import DS, XADES, digest
from signing.canonical import INCLUSIVE
from tests.signing.documents import DECLARATION, signed

X = f'xmlns="{XADES}"'
POLICY = (
    f'<SignaturePolicyIdentifier {X}><SignaturePolicyId><SigPolicyId><Identifier Qualifier="OIDAsURN">urn:oid:1.2.3'
    f'</Identifier></SigPolicyId><SigPolicyHash><d:DigestMethod xmlns:d="{DS}" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    f'<d:DigestValue xmlns:d="{DS}">AAAA</d:DigestValue></SigPolicyHash></SignaturePolicyId>'
    "</SignaturePolicyIdentifier>"
)
IMPLIED = f"<SignaturePolicyIdentifier {X}><SignaturePolicyImplied/></SignaturePolicyIdentifier>"
PLACE = f"<SignatureProductionPlaceV2 {X}><City>Huế</City><CountryName>VN</CountryName></SignatureProductionPlaceV2>"
ROLE = (
    f"<SignerRoleV2 {X}><ClaimedRoles><ClaimedRole>Kế toán trưởng</ClaimedRole></ClaimedRoles></SignerRoleV2>"
)
COMMITMENT = (
    f"<CommitmentTypeIndication {X}><CommitmentTypeId><Identifier>http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin</Identifier>"
    "</CommitmentTypeId><AllSignedDataObjects/></CommitmentTypeIndication>"
)


def stating(key: FileKey, signature: str = "", data: str = "", document: bytes = DECLARATION) -> bytes:
    """A XAdES signature with further signed properties: of the signature, and of the data."""
    made = signed(key, document, profile="xades-b")
    for name, more in (("SignedSignatureProperties", signature), ("SignedDataObjectProperties", data)):
        made = re.sub(
            rb"(</(?:\w+:)?%s>)" % name.encode(), lambda end, more=more: more.encode() + end[1], made, count=1
        )
    return signed_anew(made, key)


def signed_anew(document: bytes, key: FileKey) -> bytes:
    """The same with the digest of its SignedProperties and its value of today."""
    root = parse_xml(document).root
    (properties,) = root.iter(f"{{{XADES}}}SignedProperties")
    (info,) = root.iter(f"{{{DS}}}SignedInfo")
    (reference,) = (r for r in info if r.get("URI") == f"#{properties.get('Id')}")
    (value,) = reference.iter(f"{{{DS}}}DigestValue")
    named = [CANONICALISATIONS[t.get("Algorithm", "")] for t in reference.iter(f"{{{DS}}}Transform")]
    method = named[-1] if named else INCLUSIVE
    new = base64.b64encode(digest("sha256", canonicalise(properties, method)))
    old = (value.text or "").encode()
    document = document.replace(old, new)
    (info,) = parse_xml(document).root.iter(f"{{{DS}}}SignedInfo")
    (declared,) = info.iter(f"{{{DS}}}CanonicalizationMethod")
    octets = canonicalise(info, CANONICALISATIONS[declared.get("Algorithm", "")])
    signature = base64.b64encode(key.sign(octets, "sha256"))
    return re.sub(rb"(SignatureValue[^>]*>)[^<]*", lambda found: found[1] + signature, document, count=1)
