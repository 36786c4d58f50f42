"""The simulated authority's decisions: accept with what the declaration says is payable, or reject as told."""

from __future__ import annotations

import re
from datetime import datetime

from lxml import etree

from adapters.simulator.behaviour import Refusal
from adapters.told import Payable, Reason, Verdict

_AMOUNT = re.compile(r"[0-9]{1,18}")
_PAYABLE = "Thuế giá trị gia tăng còn phải nộp trong kỳ"


def decide(document: bytes, reference: str, at: datetime, refusal: Refusal | None) -> Verdict:
    """The verdict on `document` as of `at`; with `refusal` it rejects."""
    if refusal is not None:
        reason = Reason(refusal.code, refusal.error, refusal.group, refusal.remedy, refusal.note)
        return Verdict("rejected", at, reference, reasons=(reason,))
    amount = payable_amount(document)
    payables = (Payable(f"{reference}-01", amount, "VND", _PAYABLE),) if amount else ()
    return Verdict("accepted", at, reference, payables=payables)


def opposite(verdict: Verdict) -> Verdict:
    """What a confused authority says next."""
    if verdict.outcome == "rejected":
        return Verdict("accepted", verdict.decided_at, verdict.reference)
    reason = Reason(
        "SIM-99",
        "Cơ quan thuế mô phỏng tự mâu thuẫn với kết quả trước",
        remedy="Giữ kết quả nhận được đầu tiên",
    )
    return Verdict("rejected", verdict.decided_at, verdict.reference, reasons=(reason,))


def payable_amount(document: bytes) -> int:
    """Indicator [40] of a VAT declaration in whole đồng, or 0 where there is none that can be read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        return 0
    for element in root.iter("{*}ct40"):
        text = (element.text or "").strip()
        if _AMOUNT.fullmatch(text):
            return int(text)
    return 0
