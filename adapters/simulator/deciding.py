"""The simulated authority's decisions: accept with what the declaration says is payable, or reject as told."""

from __future__ import annotations

import re
from datetime import datetime

from lxml import etree

from adapters import rest_wire as wire
from adapters.simulator.behaviour import Refusal

_AMOUNT = re.compile(r"[0-9]{1,18}")
_PAYABLE = "Thuế giá trị gia tăng còn phải nộp trong kỳ"


def decide(document: bytes, reference: str, at: datetime, refusal: Refusal | None) -> wire.Verdict:
    """The verdict on `document` as of `at`; with `refusal` it rejects."""
    if refusal is not None:
        reason = wire.Reason(refusal.code, refusal.error, refusal.group, refusal.remedy, refusal.note)
        return wire.Verdict("rejected", at, reference, reasons=(reason,))
    amount = payable_amount(document)
    payables = (wire.Payable(f"{reference}-01", amount, "VND", _PAYABLE),) if amount else ()
    return wire.Verdict("accepted", at, reference, payables=payables)


def opposite(verdict: wire.Verdict) -> wire.Verdict:
    """What a confused authority says next."""
    if verdict.outcome == "rejected":
        return wire.Verdict("accepted", verdict.decided_at, verdict.reference)
    reason = wire.Reason(
        "SIM-99",
        "Cơ quan thuế mô phỏng tự mâu thuẫn với kết quả trước",
        remedy="Giữ kết quả nhận được đầu tiên",
    )
    return wire.Verdict("rejected", verdict.decided_at, verdict.reference, reasons=(reason,))


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
