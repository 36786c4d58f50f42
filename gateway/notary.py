"""Signs what we say: receipts, refusals, confirmations, verdicts, as notices with XAdES-B-B, or B-T where an authority
gives time stamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from lxml import etree

import schemas
import signing
from gateway.client.receipts import prove_receipt
from gateway.errors import SignerUnavailable
from gateway.filing.filing import Filing, NoticeKind, SignedNotice
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.identifiers import new_filing_number
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.filing.verdict import Verdict
from gateway.intake.verify import TRY_LATER
from gateway.signing_desk import SigningDesk
from gateway.time_stamps import TimeStamps
from schemas.notice_build import NOTICE_ID

_MOST_REASONS = 200


class XmlNotary:
    """See `ports.Notary`. The offices name us in notices; the times in these are Vietnam's.

    A dossier, which has a code, is answered as dossiers are; everything else as declarations are. `seconds`: the
    longest that a signature by a device or a service may take. `stamps`: who adds time.
    """

    def __init__(
        self,
        key: signing.SigningKey,
        *,
        declarations: schemas.Office,
        dossiers: schemas.Office,
        seconds: float = 10.0,
        stamps: TimeStamps | None = None,
    ) -> None:
        self._key = key
        self._offices = {False: declarations, True: dossiers}
        self._seconds = seconds
        self._desk = SigningDesk(key, seconds)
        self._stamps = stamps
        self._closed: str | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key that signs."""
        return self._key.certificate

    @property
    def apart(self) -> bool:
        """See `ports.Notary.apart`."""
        stamped = self._stamps is not None and self._stamps.wanted
        return stamped or self._closed is not None or self._desk.apart

    async def issued(self, make: Callable[[], SignedNotice]) -> SignedNotice:
        """See `ports.Notary.issued`."""
        if self._closed is not None:
            raise SignerUnavailable(self._closed)
        signed = await self._desk.run(make)
        if self._stamps is None:
            return signed
        return replace(signed, document=await self._stamps.stamped(signed.document))

    def renew(self, key: signing.SigningKey) -> None:
        """From now on another key signs; what is being signed ends with the one before. On the event loop's thread."""
        self._key, self._desk, self._closed = key, SigningDesk(key, self._seconds), None

    @property
    def closed(self) -> bool:
        """Whether nothing is signed."""
        return self._closed is not None

    def close(self, why: str) -> None:
        """Nothing is signed until `renew`: the key must not be used any more."""
        self._closed = why

    def with_key(self, key: signing.SigningKey) -> XmlNotary:
        """One like this with another key, to try it."""
        return XmlNotary(
            key, declarations=self._offices[False], dossiers=self._offices[True], seconds=self._seconds
        )

    async def fault(self, at: datetime) -> str | None:
        """Why what would be signed at `at` is no good, or cannot be signed now; None when fine."""
        if self._closed is not None:
            return "key revoked"
        return "expired" if self._key.certificate.not_valid_after_utc < at else await self._desk.fault()

    def faults(self, policy: signing.Policy, trust: signing.TrustStore, at: datetime) -> list[str]:
        """Why nobody could prove what is signed at `at`; see `trial`."""
        return [f"[notices] certificate: {fault.en}" for fault in self.trial(policy, trust, at)]

    def trial(self, policy: signing.Policy, trust: signing.TrustStore, at: datetime) -> tuple[Text, ...]:
        """A notice of nothing is signed, and judged as its receiver judges: what is wrong with it.

        A revocation list that cannot be had now is no fault.
        """
        nothing = Filing(
            number=new_filing_number("XX", at),
            provider="",
            status=Status.REFUSED,
            received_at=at,
            digest=bytes(32),
            size=0,
            idempotency_key=None,
            summary=None,
        )
        octets = self.intake_notice(nothing, dossier=False).document
        proof = prove_receipt(octets, signers=[self._key.certificate], trust=trust, policy=policy)
        if proof.report is not None and proof.report.sub_indication == TRY_LATER:
            return ()
        return tuple(Text(vi, en) for vi, en in proof.faults)

    def intake_notice(self, filing: Filing, dossier: bool) -> SignedNotice:
        """See `ports.Notary.intake_notice`."""
        return self._about_intake(filing, dossier, NoticeKind.RECEIPT, filing.received_at)

    def recheck_notice(self, filing: Filing, at: datetime) -> SignedNotice:
        """See `ports.Notary.recheck_notice`."""
        return self._about_intake(filing, _is_dossier(filing), NoticeKind.CONFIRMATION, at)

    def verdict_notice(self, filing: Filing, verdict: Verdict, at: datetime) -> SignedNotice:
        """See `ports.Notary.verdict_notice`."""
        notice = replace(
            self._notice(filing, _is_dossier(filing), NoticeKind.VERDICT, at),
            kind="verdict-accepted" if verdict.status is Status.ACCEPTED else "verdict-rejected",
            status=verdict.status.value,
            completed_at=verdict.decided_at,
            reasons=tuple(
                schemas.Reason(r.group, r.error, r.remedy, r.note, r.code) for r in verdict.reasons
            ),
            payables=tuple(schemas.Payable(p.id, p.amount, p.currency) for p in verdict.payables),
            agency_reference=verdict.reference,
            answers=_notice_number(filing, _is_dossier(filing), NoticeKind.RECEIPT),
        )
        return self._sign(notice, NoticeKind.VERDICT, at)

    def reissued(self, old: SignedNotice, at: datetime) -> SignedNotice:
        """The same notice signed anew, which says when the old one was issued. Raises schemas.NoticeError."""
        said = schemas.read_notice(old.document)
        return self._sign(replace(said, issued_at=at, replaces=said.issued_at), old.kind, at)

    def _about_intake(
        self, filing: Filing, dossier: bool, positive: NoticeKind, at: datetime
    ) -> SignedNotice:
        kind = NoticeKind.REFUSAL if filing.status is Status.REFUSED else positive
        notice = replace(self._notice(filing, dossier, kind, at), reasons=_reasons(filing.findings))
        return self._sign(notice, kind, at)

    def _notice(self, filing: Filing, dossier: bool, kind: NoticeKind, at: datetime) -> schemas.Notice:
        """What every notice of a filing says. A refused document may not have been readable: then little."""
        summary = filing.summary
        party = schemas.Party(
            summary.taxpayer_code if summary else "",
            summary.taxpayer_name if summary else "",
            summary.taxpayer_address if summary else "",
        )
        return schemas.Notice(
            kind="refusal" if kind is NoticeKind.REFUSAL else "receipt",
            number=_notice_number(filing, dossier, kind),
            filing_number=filing.number,
            status=filing.status.value,
            recorded_at=filing.received_at,
            issued_at=at,
            authority=self._offices[dossier],
            recipient=party,
            provider=filing.provider,
            form_label=summary.form_label if summary else "",
            form_kind=_FORM_KINDS.get(summary.kind, summary.kind) if summary else "",
            period_label=summary.period if summary and not dossier else "",
            submission_no=max(1, summary.submission_no)
            if summary
            else 1,  # lanNop counts from 1, soLan from 0
            tax_name=summary.tax_name if summary and not dossier else "",
            digest_hex=filing.digest.hex(),
            agent_name=summary.agent_name if summary else None,
            agency_reference=filing.agency_reference,
            family=schemas.PERMIT.name if dossier else schemas.TAX.name,
            dossier_code=filing.dossier_code,
            procedure=summary.form_name if summary and dossier else "",
            reception=summary.office_name if summary and dossier else "",
            papers=summary.papers if summary and dossier else (),
        )

    def _sign(self, notice: schemas.Notice, kind: NoticeKind, at: datetime) -> SignedNotice:
        root = schemas.build_notice_element(notice)
        signing.sign_element(root, self._key, profile="xades-b", target_id=NOTICE_ID, place="CKyDTu", at=at)
        return SignedNotice(kind, at, etree.tostring(root, encoding="UTF-8", xml_declaration=True))


_FORM_KINDS = {
    "C": "Chính thức",
    "B": "Bổ sung",
    "cap-moi": "Cấp mới",
    "cap-lai": "Cấp lại",
    "cap-doi": "Cấp đổi",
    "thay-doi": "Thay đổi",
    "gia-han": "Gia hạn",
    "bo-sung": "Bổ sung",
}
_SUFFIXES: Mapping[bool, Mapping[NoticeKind, str]] = {
    False: {
        NoticeKind.RECEIPT: "TB-TĐT",
        NoticeKind.REFUSAL: "KTN-TĐT",
        NoticeKind.CONFIRMATION: "XN-TĐT",
        NoticeKind.VERDICT: "KQ-TĐT",
    },
    True: {
        NoticeKind.RECEIPT: "TNHS",
        NoticeKind.REFUSAL: "TCHS",
        NoticeKind.CONFIRMATION: "XNHS",
        NoticeKind.VERDICT: "KQHS",
    },
}


_SEVERITIES = {Severity.ERROR: "Lỗi", Severity.WARNING: "Cảnh báo", Severity.INFO: "Lưu ý"}
_GROUPS = {Stage.VERIFY: "Chữ ký số và chứng thư số", Stage.VALIDATE: "Nội dung hồ sơ"}


def _is_dossier(filing: Filing) -> bool:
    return filing.dossier_code is not None


def _notice_number(filing: Filing, dossier: bool, kind: NoticeKind) -> str:
    """The filing's own number and a word for the notice, so that no counter is needed."""
    return f"{filing.number}/{_SUFFIXES[dossier][kind]}"


def _reasons(findings: tuple[Finding, ...]) -> tuple[schemas.Reason, ...]:
    """Vietnamese first, as the law's form has it; the English text goes into the note. Errors before warnings."""
    ordered = sorted(findings, key=lambda finding: list(Severity).index(finding.severity))
    return tuple(
        schemas.Reason(
            group=f"{_SEVERITIES[finding.severity]} · {_GROUPS[finding.stage]}",
            error=" ".join(part for part in (finding.indicator, finding.message.vi) if part),
            remedy=finding.remedy.vi,
            note=f"{finding.message.en} {finding.remedy.en}",
            code=finding.code,
        )
        for finding in ordered[:_MOST_REASONS]
    )
