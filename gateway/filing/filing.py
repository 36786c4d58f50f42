"""A filing as the store keeps it, and what is needed to make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.filing.attachments import NewPaper
from gateway.filing.dossier_codes import DossierCodes
from gateway.filing.findings import Finding
from gateway.filing.paper_signatures import PaperSignatures
from gateway.filing.status import Status


@dataclass(frozen=True, slots=True)
class Summary:
    """What a declaration is about, read from the octets that its signature covers."""

    family: str
    form_code: str
    form_version: str
    kind: str
    form_label: str
    form_name: str
    tax_name: str
    period: str
    submission_no: int
    taxpayer_code: str
    taxpayer_name: str
    taxpayer_address: str
    agent_code: str | None
    agent_name: str | None
    office_code: str
    office_name: str
    places: tuple[str, ...] = ()
    """Official codes of the place that it is about, the smallest first."""
    papers: tuple[str, ...] = ()
    """What a dossier brought: each file's kind and name."""
    signed_papers: tuple[PaperSignatures, ...] = ()
    """Those of them that are PDFs with signatures."""
    due: date | None = None
    """The last day of the form's legal term; days off, extensions and incidents not counted."""


class NoticeKind(StrEnum):
    """The signed documents we give about a filing, at most one of each.

    CONFIRMATION follows the receipt of a provisional filing once the certificate's status is known to be good.
    """

    RECEIPT = "receipt"
    REFUSAL = "refusal"
    CONFIRMATION = "confirmation"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class SignedNotice:
    """A notice as it was signed; these bytes are given out unchanged for ever, unless their key is compromised."""

    kind: NoticeKind
    issued_at: datetime
    document: bytes


@dataclass(frozen=True, slots=True)
class Filing:
    """One recorded filing, without its body.

    `digest` is SHA-256 of the bytes as filed; times are aware. `summary` is None where a refused document
    could not be read as any known form. `agency` is the back-end that it goes to, `lead` the directory's agency that
    the back-end serves, by identifier and name. `dossier_code` is given by the commit that records a dossier.
    `papers_digest` stands for the papers that came beside the bytes (`Received.papers_digest`), None without any.
    """

    number: str
    provider: str
    status: Status
    received_at: datetime
    digest: bytes
    size: int
    idempotency_key: str | None
    summary: Summary | None
    findings: tuple[Finding, ...] = ()
    agency: str | None = None
    agency_reference: str | None = None
    lead: tuple[str, str] | None = None
    dossier_code: str | None = None
    papers_digest: bytes | None = None

    @property
    def order_key(self) -> str:
        """Filings of one key reach the agency in the order of their receipt.

        Declarations of one taxpayer, form and period do; a dossier, which has no period, waits for no other.
        """
        about = self.summary
        if about is None or not about.period:
            return self.number
        return f"{about.taxpayer_code}|{about.form_code}|{about.period}"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A notice that `seal` is still to sign. `codes`: it names a dossier code, which only the commit knows; with a key
    in memory it is signed within the commit. None: it is the signer's being slow that it waits for.
    """

    codes: DossierCodes | None
    seal: Callable[[Filing], SignedNotice]


@dataclass(frozen=True, slots=True)
class SignedAhead:
    """The signed notice of a dossier that will be the `number`th of its day, if it is the next to be committed."""

    codes: DossierCodes
    number: int
    notice: SignedNotice


@dataclass(frozen=True, slots=True)
class NewFiling:
    """A filing about to be recorded, with the body as filed and the notice that the commit will make true.

    `evidence` is the report of the signature checks (JSON): which certificates and status lists were used.
    `papers` came beside the body; a refused filing keeps none.
    """

    filing: Filing
    document: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    notice: SignedNotice | Unsigned | SignedAhead
    papers: tuple[NewPaper, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """Proof that the durable commit has happened. Only a store makes one.

    `repeat` is True where this message had been recorded before: `filing` and `notice` are then the originals.
    """

    filing: Filing
    notice: SignedNotice
    repeat: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One line in the story of a filing."""

    at: datetime
    name: str
    detail: str
