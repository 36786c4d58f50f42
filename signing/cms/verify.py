"""CMS and CAdES files (RFC 5652, EN 319 122-1): attached and detached, DER, BER and PEM."""

from __future__ import annotations

from datetime import UTC, datetime

from signing.asn1 import Asn1Refused
from signing.cms.judge import Circumstances, Subject, judge_signer
from signing.cms.structure import TST_INFO, SignedData, read_signed_data, unwrap
from signing.policy import Policy, load_policy
from signing.report import Check, Report, SignatureReport, conclude, failed, passed, worst_of
from signing.trust import TrustStore
from signing.verify import Key, check_arguments, check_in_force

MAX_CMS_BYTES = 64 << 20


def verify_cms(
    data: bytes,
    *,
    content: bytes | None = None,
    policy: Policy | str,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
) -> Report:
    """Judge every signer of a CMS file; the worst decides. `content`: the octets that a detached signature is about.

    Never raises for what the octets hold. Raises ValueError for a time without a zone, or neither trust nor key.
    """
    moment = at or datetime.now(UTC)
    check_arguments(moment, trust, key)
    rules = load_policy(policy) if isinstance(policy, str) else policy
    checks = [check_in_force(rules, moment)]
    signatures: list[SignatureReport] = []
    try:
        signed = _read(data, rules)
    except Asn1Refused as error:
        checks.append(failed("cms.structure", detail=str(error)[:200]))
    else:
        checks.append(passed("cms.structure"))
        checks += _check_document(signed, content)
        where = Circumstances(rules, trust, moment, key)
        subject = Subject(content if signed.content is None else signed.content)
        if not checks[-1].sub_indication:
            for signer in signed.signers:
                signatures += judge_signer(signed, signer, subject, where)
    verdicts = [conclude(checks), *((s.indication, s.sub_indication) for s in signatures)]
    indication, sub_indication = worst_of(verdicts)
    return Report(indication, sub_indication, rules.name, moment, tuple(checks), tuple(signatures))


def _read(data: bytes, policy: Policy) -> SignedData:
    if len(data) > MAX_CMS_BYTES:
        raise Asn1Refused(f"{len(data)} octets, at most {MAX_CMS_BYTES} are taken")
    return read_signed_data(
        unwrap(data), max_signers=policy.max_signatures, tolerant=policy.lenient_certificates
    )


def _check_document(signed: SignedData, content: bytes | None) -> list[Check]:
    if not signed.signers:
        return [failed("document.signature-present")]
    if signed.content_type == TST_INFO:
        return [failed("cms.attributes", detail="a time stamp is no signature on a document")]
    if content is not None and signed.content is not None and content != signed.content:
        return [failed("cms.content-once")]
    return [passed("document.signature-present")]
