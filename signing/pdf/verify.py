"""Signatures in PDF files (ISO 32000-2 §12.8; PAdES, EN 319 142-1): each judged with what was changed after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from signing.asn1 import NULL, OCTET_STRING, SEQUENCE, Asn1Refused, Element, encode, read_element
from signing.cms.algorithms import signature_of
from signing.cms.judge import Circumstances, Subject, judge_signer, refused_signature
from signing.cms.structure import DATA, SignedData, SignerInfo, read_signed_data
from signing.evidence import Evidence, certificates_of
from signing.pdf.confined import read_confined
from signing.pdf.wire import WALL_SECONDS
from signing.policy import Policy, load_policy
from signing.proven import DocumentEvidence, Piece
from signing.report import (
    Check,
    CheckFailed,
    Indication,
    Report,
    SignatureReport,
    TimestampReport,
    conclude,
    failed,
    passed,
    worst_of,
)
from signing.timestamps import judge_timestamp
from signing.trust import TrustStore
from signing.verify import Key, check_arguments, check_in_force

TIME_STAMP = "/ETSI.RFC3161"
_DETACHED = ("/adbe.pkcs7.detached", "/ETSI.CAdES.detached")
_DIGEST_INSIDE = "/adbe.pkcs7.sha1"
_BARE_RSA = "/adbe.x509.rsa_sha1"


def verify_pdf(
    data: bytes,
    *,
    policy: Policy | str,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
    seconds: float = WALL_SECONDS,
) -> Report:
    """Judge every signature of a PDF; the worst decides. `covered` holds the octets under /ByteRange.

    `seconds`: how long reading the file may take by the clock, WALL_SECONDS at most.

    Never raises for what the octets hold. Raises ValueError for a time without a zone, or neither trust nor key.
    """
    moment = at or datetime.now(UTC)
    check_arguments(moment, trust, key)
    rules = load_policy(policy) if isinstance(policy, str) else policy
    checks = [check_in_force(rules, moment)]
    signatures: list[SignatureReport] = []
    try:
        facts = read_confined(data, seconds)
    except CheckFailed as error:
        checks.append(error.check)
    else:
        checks.append(passed("pdf.structure"))
        signatures = _judge_all(data, facts, Circumstances(rules, trust, moment, key), checks)
    verdicts = [conclude(checks), *((s.indication, s.sub_indication) for s in signatures)]
    indication, sub_indication = worst_of(verdicts)
    return Report(indication, sub_indication, rules.name, moment, tuple(checks), tuple(signatures))


@dataclass(frozen=True, slots=True)
class _Signature:
    """One signature as the file holds it."""

    facts: dict[str, Any]
    data: bytes

    @property
    def octets(self) -> bytes:
        """What is signed: almost the whole file, made when it is asked for, since a file may hold many signatures."""
        start, first, second, length = self.facts["byte_range"]
        return self.data[start : start + first] + self.data[second : second + length]

    @property
    def contents(self) -> bytes:
        return bytes.fromhex(self.facts["contents"])

    @property
    def is_time_stamp(self) -> bool:
        return bool(self.facts["subfilter"] == TIME_STAMP)


def _judge_all(
    data: bytes, facts: dict[str, Any], where: Circumstances, checks: list[Check]
) -> list[SignatureReport]:
    found = [_Signature(each, data) for each in facts["signatures"]]
    people = [each for each in found if not each.is_time_stamp]
    if not people:
        checks.append(failed("document.signature-present"))
        return []
    if len(found) > where.policy.max_signatures:
        checks.append(failed("document.signature-count", count=len(found), limit=where.policy.max_signatures))
        return []
    checks.append(passed("document.signature-present"))
    stamps = _TimeStamps(where)
    stamps.pieces = _pieces(facts, stamps)
    stamps.judge([each for each in found if each.is_time_stamp])
    reports: list[SignatureReport] = []
    for each in people:
        after = [
            report for stamp, report in stamps.judged if stamp.facts["revision"] > each.facts["revision"]
        ]
        final = each.facts["certified"] == 1 and any(
            other.facts["revision"] > each.facts["revision"] for other in people
        )
        reports += _judge_one(each, after, where, stamps.pieces, final=final)
    return reports


@dataclass(slots=True)
class _TimeStamps:
    """The document time stamps, judged from the latest to the earliest: what a later one covers existed then (EN 319
    102-1 clause 5.6.3). `judged`: in the order of signing; `pieces`: what the DSS holds.
    """

    where: Circumstances
    judged: list[tuple[_Signature, TimestampReport]] = field(default_factory=list)
    pieces: tuple[Piece, ...] = ()

    def judge(self, stamps: list[_Signature]) -> None:
        where = self.where
        trust = where.trust if where.key is None else None
        values = None if trust is None else DocumentEvidence(trust, where.policy, where.at, self.pieces)
        for stamp in reversed(stamps):
            fault = stamp.facts["fault"]
            if fault or stamp.facts["changes"]:
                detail = fault or stamp.facts["changes"][0][1]
                check = failed("pdf.byte-range" if fault else "pdf.changed", detail=detail)
                report = TimestampReport("document", None, *conclude([check]), (check,), None)
            else:
                report = judge_timestamp(
                    stamp.contents,
                    stamp.octets,
                    kind="document",
                    policy=where.policy,
                    trust=trust,
                    at=where.at,
                    proven=min(_times(report for _, report in self.judged), default=None),
                    untrusted=[c for piece in self.pieces for c in piece.evidence.certificates],
                    values=values,
                )
            self.judged.insert(0, (stamp, report))

    def since(self, end: int) -> datetime | None:
        """Since when the octets of the file up to `end` provably exist."""
        over_them = [report for stamp, report in self.judged if sum(stamp.facts["byte_range"][2:]) >= end]
        return min(_times(over_them), default=None)


def _pieces(facts: dict[str, Any], stamps: _TimeStamps) -> tuple[Piece, ...]:
    """The DSS: values that end at the same place of the file stand together."""
    held: dict[int, dict[str, list[bytes]]] = {}
    for kind in ("certificates", "crls", "ocsps"):
        for value, end in facts[kind]:
            held.setdefault(end, {}).setdefault(kind, []).append(bytes.fromhex(value))
    return tuple(
        Piece(
            Evidence(
                certificates_of(each.get("certificates", ())),
                tuple(each.get("crls", ())),
                tuple(each.get("ocsps", ())),
            ),
            partial(stamps.since, end),
        )
        for end, each in held.items()
    )


def _times(reports: Iterable[TimestampReport]) -> list[datetime]:
    return [
        report.generated_at
        for report in reports
        if report.indication is Indication.PASSED and report.generated_at is not None
    ]


def _judge_one(
    signature: _Signature,
    after: list[TimestampReport],
    where: Circumstances,
    pieces: tuple[Piece, ...],
    *,
    final: bool,
) -> list[SignatureReport]:
    """`final`: certified as final (DocMDP, /P 1), and yet signed again by a person (§12.8.2.2)."""
    facts = signature.facts
    checks = tuple(_check_file(facts, where.policy))
    if final:
        checks += (failed("pdf.changed", detail="certified as final, and signed again"),)
    range_name = " ".join(map(str, facts["byte_range"]))
    time = datetime.fromisoformat(facts["time"]) if facts["time"] and _readable(facts["time"]) else None
    if time is not None and time.tzinfo is None:
        time = None  # a time without a zone says nothing definite
    subject = Subject(
        content=signature.octets,
        uri="" if facts["last"] else f"/ByteRange [{range_name}]",  # "": the whole file
        profiles=("PDF", "PAdES"),
        claimed=time,
        id=facts["field"],
        checks=checks,
        time_stamps=tuple(after),
    )
    proven = tuple(_times(after)) if where.key is None else ()
    where = Circumstances(where.policy, where.trust, where.at, where.key, proven, pieces)
    try:
        signed, signer, subject = _read(signature, subject, where.policy.lenient_certificates)
    except Asn1Refused as error:
        return [refused_signature(subject, failed("cms.structure", detail=str(error)[:200]), where)]
    return judge_signer(signed, signer, subject, where)


def _readable(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _check_file(facts: dict[str, Any], policy: Policy) -> list[Check]:
    if facts["fault"]:
        return [failed("pdf.byte-range", detail=facts["fault"])]
    checks = [passed("pdf.byte-range")]
    refused = [what for kind, what, name in facts["changes"] if not _permitted(kind, name, facts, policy)]
    if refused:
        return [*checks, failed("pdf.changed", detail="; ".join(refused[:3])[:300])]
    if facts["changes"]:
        detail = "; ".join(what for _, what, _ in facts["changes"][:3])
        return [*checks, failed("pdf.form-filled", detail=detail[:300])]
    checks.append(passed("pdf.changed"))
    if not facts["last"]:
        checks.append(failed("pdf.later-revisions"))
    return checks


def _permitted(kind: str, name: str, facts: dict[str, Any], policy: Policy) -> bool:
    """Filling a form after the signature: where the signer's certification permits it, or the policy (§12.8.2.2)."""
    if kind != "form" or _locked(name, facts["locked"]):
        return False
    return facts["certified"] in (2, 3) if facts["certified"] is not None else policy.pdf_form_filling


def _locked(name: str, locked: list[Any] | None) -> bool:
    if locked is None:
        return False
    action, fields = str(locked[0]).lstrip("/"), {str(each) for each in locked[1]}
    return action == "All" or (action == "Include") == (name in fields)


def _read(signature: _Signature, subject: Subject, tolerant: bool) -> tuple[SignedData, SignerInfo, Subject]:
    """The one SignerInfo and what it is about. Raises Asn1Refused."""
    kind = signature.facts["subfilter"]
    if kind == _BARE_RSA:
        return _bare_rsa(signature, subject)
    signed = read_signed_data(signature.contents, max_signers=1, tolerant=tolerant)
    if len(signed.signers) != 1:
        raise Asn1Refused("one signer is needed (ISO 32000-2 §12.8.3.3.1)")
    if kind == _DIGEST_INSIDE:
        inside = hashlib.sha1(signature.octets).digest()  # noqa: S324 - the format's own; the policy decides
        if signed.content != inside:
            raise Asn1Refused("the content is not the SHA-1 digest of the signed octets")
        return signed, signed.signers[0], subject.about(inside, "sha1")
    if kind not in _DETACHED:
        raise Asn1Refused(f"/SubFilter {kind[:60]} is not known")
    if signed.content or signed.content_type != DATA:
        raise Asn1Refused("a detached signature on data is needed")
    return signed, signed.signers[0], subject


def _bare_rsa(signature: _Signature, subject: Subject) -> tuple[SignedData, SignerInfo, Subject]:
    """adbe.x509.rsa_sha1: the bare PKCS #1 value in an OCTET STRING, the certificates in /Cert (§12.8.3.2)."""
    value = read_element(signature.contents, whole=False).expect(OCTET_STRING).content
    certificates = tuple(bytes.fromhex(each) for each in signature.facts["certificate"])
    loaded = certificates_of(certificates)
    if not loaded:
        raise Asn1Refused("/Cert holds no readable certificate")
    signer = SignerInfo(
        issuer=loaded[0].issuer.public_bytes(),
        serial=loaded[0].serial_number,
        key_identifier=None,
        digest="sha1",
        digest_oid="1.3.14.3.2.26",
        algorithm=signature_of(_identifier("2a864886f70d010101"), "sha1"),
        algorithm_oid="1.2.840.113549.1.1.1",
        signed=None,
        signed_octets=b"",
        written_octets=b"",
        value=value,
        unsigned=(),
        fields=(),
    )
    type_element = read_element(encode(0x06, bytes.fromhex("2a864886f70d010701")))
    signed = SignedData(DATA, type_element, None, loaded, certificates, (), (signer,))
    return signed, signer, subject


def _identifier(oid: str) -> Element:
    return read_element(encode(SEQUENCE, encode(0x06, bytes.fromhex(oid)) + encode(NULL, b"")))
