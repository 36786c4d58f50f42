"""A store with something on every page of the console; some of it written by people who mean harm."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.filing import Summary
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.identifiers import new_filing_number
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.ports import Outcome
from gateway.store.opening import open_store
from gateway.store.rows import pack
from gateway.store.seeds import Seed
from gateway.store.store import Store
from tests.gateway.builders import prepared, summary, verdict, verdict_notice

HOSTILE = (
    '"><script>document.title="RUN"</script><img src=/console/fetched onerror=document.title="RUN">'
    "<style>@import '/console/fetched';</style>{{ 7*7 }}</bdi>' \u202eneddih\u0007"
)
"""In a taxpayer's name, an agency's answer, a finding's value: wherever a stranger's words come in."""
NAMES = (
    "CÔNG TY TNHH NÔNG SẢN THẢO NGUYÊN MỘC CHÂU",
    "CÔNG TY CỔ PHẦN VẬN TẢI SÔNG ĐÀ XANH",
    "HỢP TÁC XÃ CHÈ SHAN TUYẾT TÀ XÙA",
    "DOANH NGHIỆP TƯ NHÂN XÂY DỰNG QUỲNH NHAI",
)
WAITS = 12
_JUDGED = {
    "policy": "tt15-2025",
    "checks": {},
    "signatures": [
        {"signer": f"CN={HOSTILE}", "indication": "TOTAL-PASSED", "subIndication": None, "checks": {}},
        {"signer": None, "indication": "INDETERMINATE", "subIndication": "TRY_LATER", "checks": {}},
    ],
}


async def fill(place: Path) -> dict[str, str]:
    """Into the store of a gateway that does not run yet; numbers by what they are for."""
    place.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    store = await open_store(str(place), lambda: now)
    try:
        return await _fill(store, now)
    finally:
        await store.close()


async def _fill(store: Store, now: datetime) -> dict[str, str]:
    config = '{"base_url":"http://127.0.0.1:1"}'  # nothing is due there while a test lasts
    plain = {"adapter": "rest", "config": config, "poll_seconds": 30.0}
    windows = {"maintenance": '["sat,sun 22:00-02:00"]', "breaker_failures": 1, "per_second": 20.0}
    moit = {
        "id": "moit",
        "name": "Bộ Công Thương (Một cửa quốc gia)",
        "serves": '["moit"]',
        **plain,
        **windows,
    }
    tax = {"id": "tax", "name": "Cơ quan thuế (mô phỏng)", "serves": '["tax"]', **plain}
    await store.seed([Seed("agency", moit), Seed("agency", tax)], "settings file")
    numbers = [await _add(store, now, n) for n in range(WAITS)]
    for claim in await store.claim_due("may-1:4711:ab12", 99, 60):
        n = numbers.index(claim.filing.number)
        agency = "moit" if n % 3 == 2 else "tax"
        failed = Attempt("deliver", agency, AttemptResult.UNREACHABLE, "HTTP 503: Service Unavailable", 1.5)
        if n < 3:
            told = HOSTILE if n == 0 else "HTTP 422: mã cơ quan thuế 20599 không tồn tại"
            refused = replace(failed, result=AttemptResult.FAULT, answer=told)
            outcome = Outcome(
                claim, Status.STUCK, "stuck", told, progress=False, agency=agency, attempt=refused
            )
        elif n < 6:
            outcome = Outcome(claim, Status.DELIVERING, "unreachable", failed.answer, due_seconds=900,
                              progress=False, agency=agency, attempt=failed)  # fmt: skip
        else:
            taken = replace(failed, result=AttemptResult.TAKEN, answer=f"CQT20261124{n:07}", seconds=0.031)
            outcome = Outcome(claim, Status.DELIVERED, "delivered", taken.answer, due_seconds=3000, agency=agency,
                              reference=taken.answer, attempt=taken)  # fmt: skip
        await store.record_outcome(outcome)
    await store.hold(numbers[6], "admin:Lò Thị Mai", "Người nộp đề nghị chờ bổ sung giấy tờ")
    await store.record_verdict(numbers[7], verdict(Status.REJECTED), verdict_notice(), now)
    first = now - timedelta(hours=5)
    await store.declare_incident("moit", first, None, "Đường truyền đến Một cửa quốc gia bị đứt", "lan")
    ended = await store.declare_incident("tax", now - timedelta(days=3), None, HOSTILE, "lan")
    await store.end_incident(ended.id, now - timedelta(days=2), "hoạt động lại", "admin:Lò Thị Mai")
    return {"stuck": numbers[0], "held": numbers[6], "rejected": numbers[7], "delivered": numbers[8]}


async def _add(store: Store, now: datetime, n: int) -> str:
    received = now - timedelta(days=9 * (n % 4), minutes=17 * n + 3)
    one = prepared(f"<a>{n}</a>".encode(), period=f"{n + 1:02}/2026", taxpayer="5500123457")
    about: Summary = replace(
        summary("5500123457", f"{n + 1:02}/2026"), taxpayer_name=HOSTILE if n == 0 else NAMES[n % len(NAMES)]
    )
    found = Finding(
        "842.36", Severity.WARNING, Stage.VALIDATE, Text("Chỉ tiêu [36] khác [25]", "[36] differs from [25]"),
        Text("Xem lại", "Look again"), line=12, path=HOSTILE, indicator="[36]", value=HOSTILE,
    )  # fmt: skip
    filing = replace(
        one.new.filing, number=new_filing_number("SLA", received), received_at=received, summary=about,
        findings=(found,) if n % 2 == 0 else (),
    )  # fmt: skip
    evidence = json.dumps({**_JUDGED, "at": received.isoformat()}).encode()
    new = replace(one.new, filing=filing, notice=replace(one.new.notice, issued_at=received))  # type: ignore[type-var]
    return (await store.add(replace(one, new=new, evidence=pack(evidence)))).filing.number
