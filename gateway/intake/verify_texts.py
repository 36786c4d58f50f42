"""The findings of `verify` that are about this document family, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree

import schemas
import signing
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
from gateway.intake.parse import line_of
from gateway.ports import Provider
from schemas import Role

_WHO: Mapping[str, Mapping[Role, Text]] = {
    schemas.TAX.name: {
        Role.FILER: Text("người nộp thuế", "the taxpayer"),
        Role.AGENT: Text("đại lý thuế đã kê khai", "the declared tax agent"),
    },
    schemas.PERMIT.name: {
        Role.FILER: Text("người nộp hồ sơ", "the applicant"),
        Role.AGENT: Text("người được ủy quyền ghi trong hồ sơ", "the agent named in the dossier"),
    },
}
_PERSON = Text("cá nhân dùng chứng thư số cá nhân", "a person with a personal certificate")


def _who(role: Role, family: schemas.Family) -> Text:
    return _WHO[family.name].get(role, _PERSON)


def _error(
    code: str, message: Text, remedy: Text, line: int | None = None, path: str | None = None
) -> Finding:
    return Finding(code, Severity.ERROR, Stage.VERIFY, message, remedy, line=line, path=path)


def block_path(family: schemas.Family) -> str:
    """Where a document of this family keeps its signatures."""
    return f"{family.root}/{family.signatures}"


def missing_body(root: etree._Element, family: schemas.Family) -> Finding:
    """A root without children."""
    return _error(
        "document.body-missing",
        Text(f"Hồ sơ không có phần {family.body}.", f"The dossier has no {family.body}."),
        Text("Xuất lại tệp từ phần mềm kê khai.", "Export the file again from the declaration software."),
        line=line_of(root),
        path=family.root,
    )


def unexpected_element(element: etree._Element, expected: str | None, family: schemas.Family) -> Finding:
    """A child of the root that has no business there."""
    name = etree.QName(element).localname[:100]
    want_vi = f"ở đây phải là {expected}" if expected else "sau CKyDTu không được có phần tử nào"
    want_en = f"{expected} must stand here" if expected else "nothing may follow CKyDTu"
    return _error(
        "document.unexpected-element",
        Text(f"Phần tử «{name}» không đúng chỗ: {want_vi}.", f"Element “{name}” is out of place: {want_en}."),
        Text(
            f"Hồ sơ chỉ gồm một {family.body}, tiếp theo là một CKyDTu. Xuất và ký lại tệp.",
            f"A dossier is one {family.body} followed by one CKyDTu. Export and sign the file again.",
        ),
        line=line_of(element),
        path=f"{family.root}/{name}",
    )


def unreadable_body(body: etree._Element, reason: str, family: schemas.Family) -> Finding:
    """A body that is no document by itself."""
    return _error(
        "document.body-unreadable",
        Text(
            f"Không đọc được phần {family.body}: {reason[:200]}",
            f"The {family.body} cannot be read: {reason[:200]}",
        ),
        Text("Xuất lại tệp từ phần mềm kê khai.", "Export the file again from the declaration software."),
        line=line_of(body),
        path=f"{family.root}/{family.body}",
    )


def stray_content(family: schemas.Family, where: str, what: str, line: int | None) -> Finding:
    """Something beside the body that some reader could take for a part of the declaration."""
    return _error(
        "document.stray-content",
        Text(
            f"Trong {where} có nội dung không được ký và không thuộc hồ sơ: {what}.",
            f"{where} holds something that is unsigned and no part of a dossier: {what}.",
        ),
        Text(
            f"Hồ sơ chỉ gồm một {family.body} và một CKyDTu chứa các chữ ký. Xuất và ký lại tệp.",
            f"A dossier is one {family.body} and one CKyDTu that holds signatures. Export and sign the file again.",
        ),
        line=line,
        path=where,
    )


def misplaced_signature(line: int | None) -> Finding:
    """A Signature anywhere but directly in CKyDTu."""
    return _error(
        "signature.misplaced",
        Text("Chữ ký không nằm trực tiếp trong CKyDTu.", "A signature does not lie directly in CKyDTu."),
        Text("Ký lại; mọi chữ ký phải nằm trong CKyDTu.", "Sign again; every signature belongs into CKyDTu."),
        line=line,
    )


def wrong_coverage(family: schemas.Family, line: int | None, uris: Sequence[str]) -> Finding:
    """A signature over something else than the body that will be read."""
    signed = ", ".join(uri[:60] for uri in uris[:5]) or "(nothing)"
    return _error(
        "signature.coverage",
        Text(
            f"Chữ ký không phủ đúng phần {family.body} của hồ sơ (đang ký: {signed}).",
            f"The signature does not cover exactly the dossier's {family.body} (it covers: {signed}).",
        ),
        Text(
            f"Ký lại với đúng một tham chiếu tới thuộc tính id của {family.body}.",
            f"Sign again with exactly one reference, to the id of {family.body}.",
        ),
        line=line,
    )


def stranger_signs(signature: signing.SignatureReport, filer: str, family: schemas.Family) -> Finding:
    """A certificate that belongs to nobody in the document."""
    signer = signature.signer
    assert signer is not None
    holder = f"{(signer.common_name or signer.subject)[:120]} ({', '.join(signer.tax_codes) or '–'})"
    who, agent = _who(Role.FILER, family), _who(Role.AGENT, family)
    return _error(
        "signature.signer-not-in-declaration",
        Text(
            f"Chứng thư số của «{holder}» không phải của {who.vi} {filer[:20]}, {agent.vi} hay T-VAN.",
            f"The certificate of “{holder}” is not that of {who.en} {filer[:20]}, {agent.en} or the T-VAN.",
        ),
        Text(
            f"Ký bằng chứng thư số có mã số trùng với mã số của {who.vi} hoặc của {agent.vi}.",
            f"Sign with a certificate that bears the number of {who.en} or of {agent.en}.",
        ),
        line=signature.location.line,
    )


def signer_missing(wanted: Sequence[Role], filer: str, family: schemas.Family) -> Finding:
    """Nobody of those who must has signed."""
    who = [_who(role, family) for role in wanted]
    number = f" ({filer[:20]})" if Role.FILER in wanted else ""
    return _error(
        "signature.taxpayer-missing" if Role.FILER in wanted else "signature.signer-missing",
        Text(
            f"Không có chữ ký của {' hoặc của '.join(one.vi for one in who)}{number}.",
            f"There is no signature of {' or of '.join(one.en for one in who)}{number}.",
        ),
        Text(
            f"Ký hồ sơ bằng chứng thư số của {' hoặc của '.join(one.vi for one in who)}.",
            f"Have the document signed with the certificate of {' or of '.join(one.en for one in who)}.",
        ),
        path=block_path(family),
    )


def tvan_missing(provider: Provider, clause: str) -> Finding:
    """The provider's own signature is required and absent."""
    return _error(
        "signature.tvan-missing",
        Text(
            f"Thiếu chữ ký của tổ chức T-VAN {provider.name} ({clause}).",
            f"The signature of the T-VAN provider {provider.name} is missing ({clause}).",
        ),
        Text(
            "Tổ chức T-VAN ký thêm vào CKyDTu, bên cạnh chữ ký của người nộp thuế, rồi gửi lại.",
            "The T-VAN adds its signature to CKyDTu beside the taxpayer's and sends the document again.",
        ),
        path=block_path(schemas.TAX),
    )
