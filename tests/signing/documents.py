"""Documents to sign and to break, and short ways to ask what a report says."""

from __future__ import annotations

from typing import Any

from signing import FileKey, Outcome, Report, sign_xml
from tests.signing.pki import AT

DECLARATION = """<?xml version="1.0" encoding="UTF-8"?>
<HSoThueDTu xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <HSoKhaiThue id="ID_1">
    <TTinChung><NNT><mst>0106324653</mst><tenNNT>Công ty Cổ phần Kiểm Thử</tenNNT></NNT></TTinChung>
    <CTieuTKhaiChinh><ct22>0</ct22><ct34>1200000</ct34></CTieuTKhaiChinh>
  </HSoKhaiThue>
</HSoThueDTu>""".encode()


def signed(key: FileKey, data: bytes = DECLARATION, **options: Any) -> bytes:
    """The declaration signed in the tax files' way unless options say otherwise."""
    form = {"profile": "xmldsig", "target_id": "ID_1", "place": "CKyDTu", "at": AT} | options
    return sign_xml(data, key, **form)


def codes(report: Report) -> dict[str, str]:
    """Codes of the checks that did not pass → their sub-indications ("" for a warning)."""
    every = [*report.checks, *(check for signature in report.signatures for check in signature.checks)]
    return {check.code: check.sub_indication for check in every if check.outcome is not Outcome.PASSED}


def without_value(references: list[tuple[str, str]]) -> str:
    """A Signature that nobody made, over (URI, digest method) pairs: they must be digested all the same."""
    inside = "".join(
        f'<Reference URI="{uri}"><DigestMethod Algorithm="{method}"/><DigestValue>AAAA</DigestValue></Reference>'
        for uri, method in references
    )
    return (
        '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>'
        '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f"{inside}</SignedInfo><SignatureValue>AAAA</SignatureValue></Signature>"
    )
