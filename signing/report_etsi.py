"""The verdict as a validation report of ETSI TS 119 102-2 V1.4.1 (its XML schema, namespace 19102/v1.4.1)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import DS, XADES
from signing.elements import printable
from signing.policy import IMPLIED_POLICY, NO_POLICY
from signing.report import Check, Covered, Indication, Outcome, Report, SignatureReport, TimestampReport

VR = "http://uri.etsi.org/19102/v1.4.1#"
_NAMESPACES = {"vr": VR, "ds": DS, "XAdES": XADES}
_URN = "urn:etsi:019102:"
_OWN_SUB_INDICATIONS = {"NO_SIGNATURE"}
"""Sub-indications of ours that EN 319 102-1 does not name."""
_OUTCOMES = {
    Outcome.PASSED: "passed",
    Outcome.WARNING: "passed",
    Outcome.INDETERMINATE: "indeterminate",
    Outcome.FAILED: "failed",
}
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def etsi_report(report: Report) -> bytes:
    """UTF-8 XML, one SignatureValidationReport a signature; a document without any has one that says so.

    Clauses: 4.2 (structure), 4.3.4 (status), 4.3.5 (constraints: ours have `urn:efile:check:` and the check's code),
    4.4 (validation objects: certificates in full, signed data by digest).
    """
    objects = _Objects()
    root = _e("ValidationReport")
    for signature in report.signatures:
        root.append(_signature(report, signature, objects))
    if not report.signatures:
        root.append(
            _e(
                "SignatureValidationReport",
                _constraints(report, report.checks),
                _status(report.indication, report.sub_indication),
            )
        )
    if objects.elements:
        root.append(_e("SignatureValidationObjects", *objects.elements))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


@dataclass
class _Objects:
    """The validation objects, each once; `elements` in the order in which they were first named."""

    elements: list[etree._Element] = field(default_factory=list)
    _ids: dict[bytes, str] = field(default_factory=dict)

    def certificate(self, certificate: x509.Certificate) -> str:
        der = certificate.public_bytes(Encoding.DER)
        return self._add("certificate", der, _e("base64", base64.b64encode(der).decode("ascii")))

    def signed_data(self, covered: Covered) -> str:
        digest = _digest(covered.octets)
        return self._add("signedData", covered.octets, _e("DigestAlgAndValue", *digest))

    def _add(self, kind: str, octets: bytes, representation: etree._Element) -> str:
        key = kind.encode() + hashlib.sha256(octets).digest()
        if key not in self._ids:
            name = self._ids[key] = f"{kind}-{len(self._ids) + 1}"
            uri = f"{_URN}validationObject:{kind}"
            self.elements.append(
                _e(
                    "ValidationObject",
                    _e("ObjectType", uri),
                    _e("ValidationObjectRepresentation", representation),
                    id=name,
                )
            )
        return self._ids[key]


def _signature(report: Report, signature: SignatureReport, objects: _Objects) -> etree._Element:
    parts = [
        _e(
            "SignatureIdentifier",
            _e("HashOnly", "false"),
            _e("DocHashOnly", "false"),
            *([_e("DAIdentifier", signature.id)] if signature.id else []),
        ),
        _constraints(report, (*report.checks, *signature.checks)),
        _times(report, signature),
        *(_e("SignersDocument", *_document(covered, objects)) for covered in signature.covered[:1]),
        *_attributes(signature),
    ]
    if signature.certificate is not None and signature.signer is not None:
        who = _e("SignerCertificate", VOReference=objects.certificate(signature.certificate))
        parts.append(_e("SignerInformation", who, _e("Signer", printable(signature.signer.subject))))
    process = "LTVM" if signature.timestamps else "Basic"
    parts.append(
        _e(
            "SignatureValidationProcess",
            _e("SignatureValidationProcessID", f"{_URN}validationprocess:{process}"),
        )
    )
    parts.append(_status(signature.indication, signature.sub_indication, _chain(signature, objects)))
    return _e("SignatureValidationReport", *parts)


def _constraints(report: Report, checks: tuple[Check, ...]) -> etree._Element:
    implied = etree.Element(f"{{{XADES}}}SignaturePolicyImplied")
    policy = _e(
        "SignatureValidationPolicy", _e("SignaturePolicyIdentifier", implied), _e("PolicyName", report.policy)
    )
    return _e("ValidationConstraintsEvaluationReport", policy, *(_constraint(check) for check in checks))


def _constraint(check: Check) -> etree._Element:
    return _e(
        "ValidationConstraint",
        _e("ValidationConstraintIdentifier", f"urn:efile:check:{check.code}"),
        _e("ConstraintStatus", _e("Status", f"{_URN}constraintStatus:applied")),
        _e(
            "ValidationStatus",
            _e("MainIndication", f"{_URN}mainindication:{_OUTCOMES[check.outcome]}"),
            *([_e("SubIndication", _sub_indication(check.sub_indication))] if check.sub_indication else []),
        ),
        _e("Indications", f"[{check.clause}] {check.message_en}"),
    )


def _times(report: Report, signature: SignatureReport) -> etree._Element:
    best = signature.best_signature_time or report.at
    kind = "provided" if signature.best_signature_time else "validation"
    return _e(
        "ValidationTimeInfo",
        _e("ValidationTime", _time(report.at)),
        _e("BestSignatureTime", _e("POETime", _time(best)), _e("TypeOfProof", f"{_URN}poetype:{kind}")),
    )


def _document(covered: Covered, objects: _Objects) -> list[etree._Element]:
    reference = _e("SignersDocumentRepresentation", VOReference=objects.signed_data(covered))
    return [_e("DigestAlgAndValue", *_digest(covered.octets)), reference]


def _attributes(signature: SignatureReport) -> list[etree._Element]:
    found = []
    if signature.claimed_signing_time is not None:
        time = _e("Time", _time(signature.claimed_signing_time))
        found.append(_e("SigningTime", time, Signed="true"))
    said = signature.statements
    found += [
        _e("CommitmentTypeIndication", _e("CommitmentTypeIdentifier", _uri(each)), Signed="true")
        for each in said.commitments
    ]
    found += [_timestamp(timestamp) for timestamp in signature.timestamps if timestamp.generated_at]
    if said.signature_policy not in (NO_POLICY, IMPLIED_POLICY):
        found.append(_e("SigPolicyIdentifier", _e("SigPolicyId", _uri(said.signature_policy)), Signed="true"))
    if said.place:
        lines = [_e("AddressString", each) for each in said.place]
        found.append(_e("SignatureProductionPlace", *lines, Signed="true"))
    if said.claimed_roles:
        roles = [
            _e("RoleDetails", _e("Role", each), _e("EndorsementType", "claimed"))
            for each in said.claimed_roles
        ]
        found.append(_e("SignerRole", *roles, Signed="true"))
    return [_e("SignatureAttributes", *found)] if found else []


def _uri(identifier: str) -> str:
    """An object identifier as RFC 3061 writes it; a URI as it is."""
    return f"urn:oid:{identifier}" if identifier.replace(".", "").isdigit() else identifier


_ATTRIBUTES = {
    "content": "AllDataObjectsTimeStamp",
    "signature": "SignatureTimeStamp",
    "references": "SigAndRefsTimeStamp",
    "archive": "ArchiveTimeStamp",
    "document": "DocTimeStamp",
}


def _timestamp(timestamp: TimestampReport) -> etree._Element:
    assert timestamp.generated_at is not None
    return _e(_ATTRIBUTES[timestamp.kind], _e("TimeStampValue", _time(timestamp.generated_at)))


def _chain(signature: SignatureReport, objects: _Objects) -> list[etree._Element]:
    if signature.certificate is None:
        return []
    links = [_e("SigningCertificate", VOReference=objects.certificate(signature.certificate))]
    above = signature.chain[1:]
    links += [
        _e("IntermediateCertificate", VOReference=objects.certificate(certificate))
        for certificate in above[:-1]
    ]
    links += [_e("TrustAnchor", VOReference=objects.certificate(certificate)) for certificate in above[-1:]]
    return [_e("AssociatedValidationReportData", _e("CertificateChain", *links))]


def _status(
    indication: Indication, sub_indication: str | None, data: list[etree._Element] | None = None
) -> etree._Element:
    main = _e("MainIndication", f"{_URN}mainindication:{indication.value.lower()}")
    sub = [_e("SubIndication", _sub_indication(sub_indication))] if sub_indication else []
    return _e("SignatureValidationStatus", main, *sub, *(data or []))


def _sub_indication(name: str) -> str:
    return (
        f"urn:efile:subindication:{name}" if name in _OWN_SUB_INDICATIONS else f"{_URN}subindication:{name}"
    )


def _e(name: str, *content: etree._Element | str, **attributes: str) -> etree._Element:
    element = etree.Element(f"{{{VR}}}{name}", attributes, nsmap=_NAMESPACES)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def _digest(octets: bytes) -> tuple[etree._Element, etree._Element]:
    value = base64.b64encode(hashlib.sha256(octets).digest()).decode("ascii")
    method, digest = (
        etree.Element(f"{{{DS}}}DigestMethod", Algorithm=_SHA256),
        etree.Element(f"{{{DS}}}DigestValue"),
    )
    digest.text = value
    return method, digest


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
