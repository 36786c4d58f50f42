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
    "declaration": {
        Role.FILER: Text("người nộp thuế", "the taxpayer"),
        Role.AGENT: Text("đại lý thuế đã kê khai", "the declared tax agent"),
    },
    "dossier": {
        Role.FILER: Text("người nộp hồ sơ", "the applicant"),
        Role.AGENT: Text("người được ủy quyền ghi trong hồ sơ", "the agent named in the dossier"),
    },
    "document": {
        Role.FILER: Text("người lập chứng từ", "who issues the document"),
        Role.AGENT: Text("người được ủy quyền ghi trong chứng từ", "the agent named in the document"),
    },
}
_PERSON = Text("cá nhân dùng chứng thư số cá nhân", "a person with a personal certificate")


def _who(role: Role, family: schemas.Family) -> Text:
    return _WHO[family.summary].get(role, _PERSON)


def _error(
    code: str, message: Text, remedy: Text, line: int | None = None, path: str | None = None
) -> Finding:
    return Finding(code, Severity.ERROR, Stage.VERIFY, message, remedy, line=line, path=path)


def block_path(family: schemas.Family) -> str:
    """Where a document of this family keeps its signatures."""
    return "/".join(filter(None, (family.root, family.signatures[0])))


def signature_path(family: schemas.Family, position: int) -> str:
    """Which signature of the document, from 1."""
    return f"{block_path(family)}/Signature[{position}]"


def skeleton(family: schemas.Family) -> Text:
    """What a file of this family consists of."""
    if not family.body:
        return Text(
            f"Hồ sơ là một {family.root}, ký trọn phần tử gốc.",
            f"A document is one {family.root}, signed as a whole.",
        )
    holders = ", ".join(family.signatures)
    return Text(
        f"Hồ sơ chỉ gồm một {family.body} và các chữ ký trong {holders}.",
        f"A document is one {family.body}, and signatures in {holders}.",
    )


def missing_body(root: etree._Element, family: schemas.Family) -> Finding:
    """A root without children."""
    return _error(
        "document.body-missing",
        Text(f"Hồ sơ không có phần {family.body_name}.", f"The dossier has no {family.body_name}."),
        Text("Xuất lại tệp từ phần mềm kê khai.", "Export the file again from the declaration software."),
        line=line_of(root),
        path=family.root,
    )


def unexpected_element(element: etree._Element, expected: str | None, family: schemas.Family) -> Finding:
    """A child of the root that has no business there."""
    name = etree.QName(element).localname[:100]
    want_vi = f"ở đây phải là {expected}" if expected else "ở đây không được có thêm phần tử nào"
    want_en = f"{expected} must stand here" if expected else "nothing more may stand here"
    whole = skeleton(family)
    return _error(
        "document.unexpected-element",
        Text(f"Phần tử «{name}» không đúng chỗ: {want_vi}.", f"Element “{name}” is out of place: {want_en}."),
        Text(
            f"{whole.vi} Xuất và ký lại tệp.",
            f"{whole.en} Export and sign the file again.",
        ),
        line=line_of(element),
        path=f"{family.root}/{name}",
    )


def unreadable_body(body: etree._Element, reason: str, family: schemas.Family) -> Finding:
    """A body that is no document by itself."""
    return _error(
        "document.body-unreadable",
        Text(
            f"Không đọc được phần {family.body_name}: {reason[:200]}",
            f"The {family.body_name} cannot be read: {reason[:200]}",
        ),
        Text("Xuất lại tệp từ phần mềm kê khai.", "Export the file again from the declaration software."),
        line=line_of(body),
        path="/".join(filter(None, (family.root, family.body))),
    )


def stray_content(family: schemas.Family, where: str, what: str, line: int | None) -> Finding:
    """Something beside the body that some reader could take for a part of the declaration."""
    whole = skeleton(family)
    return _error(
        "document.stray-content",
        Text(
            f"Trong {where} có nội dung không được ký và không thuộc hồ sơ: {what}.",
            f"{where} holds something that is unsigned and no part of a dossier: {what}.",
        ),
        Text(
            f"{whole.vi} Xuất và ký lại tệp.",
            f"{whole.en} Export and sign the file again.",
        ),
        line=line,
        path=where,
    )


def misplaced_signature(family: schemas.Family, line: int | None) -> Finding:
    """A Signature anywhere but directly in an element that may hold one."""
    holders = ", ".join(name or family.root for name in family.signatures)
    return _error(
        "signature.misplaced",
        Text(
            f"Chữ ký không nằm trực tiếp trong {holders}.", f"A signature does not lie directly in {holders}."
        ),
        Text(
            f"Ký lại; mọi chữ ký phải nằm trong {holders}.",
            f"Sign again; every signature belongs into {holders}.",
        ),
        line=line,
    )


def wrong_coverage(family: schemas.Family, position: int, line: int | None, uris: Sequence[str]) -> Finding:
    """A signature over something else than the body that will be read."""
    signed = ", ".join(uri[:60] for uri in uris[:5]) or "(nothing)"
    return _error(
        "signature.coverage",
        Text(
            f"Chữ ký không phủ đúng phần {family.body_name} của hồ sơ (đang ký: {signed}).",
            f"The signature does not cover exactly the dossier's {family.body_name} (it covers: {signed}).",
        ),
        Text(
            f"Ký lại với đúng một tham chiếu tới thuộc tính id của {family.body_name}.",
            f"Sign again with exactly one reference, to the id of {family.body_name}.",
        ),
        line=line,
        path=signature_path(family, position),
    )


def stranger_signs(
    signature: signing.SignatureReport, position: int, filer: str, family: schemas.Family
) -> Finding:
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
        path=signature_path(family, position),
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


def tvan_missing(provider: Provider, clause: str, family: schemas.Family) -> Finding:
    """The provider's own signature is required and absent."""
    return _error(
        "signature.tvan-missing",
        Text(
            f"Thiếu chữ ký của tổ chức T-VAN {provider.name} ({clause}).",
            f"The signature of the T-VAN provider {provider.name} is missing ({clause}).",
        ),
        Text(
            f"Tổ chức T-VAN ký thêm vào {family.signatures[0]}, bên cạnh chữ ký của người nộp thuế, rồi gửi lại.",
            f"The T-VAN adds its signature to {family.signatures[0]} beside the taxpayer's and sends it again.",
        ),
        path=block_path(family),
    )
