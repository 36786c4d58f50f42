"""The catalogue of forms: schemas, rules and faults of declarations, and the notices that answer them (README.md)."""

from schemas.catalogue import (
    Catalogue,
    CatalogueError,
    load_catalogue,
    open_catalogue,
    serving_catalogue,
)
from schemas.declaration import Declaration, Party, read_declaration
from schemas.describe import Description, export_catalogue
from schemas.dossier import (
    MOST_ATTACHMENTS,
    Attachment,
    Paper,
    SignedPaper,
    attachments_of,
    is_file_name,
)
from schemas.examine import Examination
from schemas.examples import EXAMPLE_NAME, EXAMPLE_TAX_CODE, example_declaration
from schemas.families import OWN_CATALOGUE, PERMIT, TAX, Families, Family
from schemas.faults import Fault, Severity
from schemas.forms import Form
from schemas.notice_build import build_notice, build_notice_element
from schemas.notice_read import notice_schema, read_notice, validate_notice
from schemas.notices import (
    Envelope,
    Notice,
    NoticeError,
    NoticeForm,
    NoticeKind,
    Office,
    Payable,
    Reason,
    envelope_of_body,
    envelope_of_root,
    notice_form,
    reason_of_fault,
)
from schemas.papers import papers_apart
from schemas.period import Period, vietnam_day
from schemas.signers import DEFAULT_SIGNERS, Role, Signers
from schemas.taxcode import judge_tax_code

__all__ = [
    "DEFAULT_SIGNERS",
    "EXAMPLE_NAME",
    "EXAMPLE_TAX_CODE",
    "MOST_ATTACHMENTS",
    "OWN_CATALOGUE",
    "PERMIT",
    "TAX",
    "Attachment",
    "Catalogue",
    "CatalogueError",
    "Declaration",
    "Description",
    "Envelope",
    "Examination",
    "Families",
    "Family",
    "Fault",
    "Form",
    "Notice",
    "NoticeError",
    "NoticeForm",
    "NoticeKind",
    "Office",
    "Paper",
    "Party",
    "Payable",
    "Period",
    "Reason",
    "Role",
    "Severity",
    "SignedPaper",
    "Signers",
    "attachments_of",
    "build_notice",
    "build_notice_element",
    "envelope_of_body",
    "envelope_of_root",
    "example_declaration",
    "export_catalogue",
    "is_file_name",
    "judge_tax_code",
    "load_catalogue",
    "notice_form",
    "notice_schema",
    "open_catalogue",
    "papers_apart",
    "read_declaration",
    "read_notice",
    "reason_of_fault",
    "serving_catalogue",
    "validate_notice",
    "vietnam_day",
]
