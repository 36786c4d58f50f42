"""Pages at the door: the provider's own filings alone, with headers that let nothing run and nobody else keep them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from gateway.api import pages
from schemas.view import CSP
from tests.documents import declaration, sign, signed
from tests.house import House
from tests.pages import page_of, text_of, values

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Accept-Language",
}


async def get(house: House, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connector = aiohttp.TCPConnector(ssl=house.connection().tls())
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(house.url + path, headers=headers) as response,
    ):
        return response.status, dict(response.headers), await response.read()


async def test_a_filing_its_receipt_and_its_verdict_as_pages(house: House) -> None:
    async with house.client() as client:
        number = (await client.submit(signed(house.pki))).body["number"]
        assert (await client.part(number, "verdict/view")).status in (200, 404)
        await house.follow(client, number, until=("accepted",))
    who = house.pki.plan.identities["taxpayer"]
    status, headers, html = await get(house, f"/v1/filings/{number}/view")
    assert status == 200
    assert HEADERS.items() <= headers.items()
    found = values(page_of(html))
    assert found["Mã giao dịch điện tử"] == number
    assert found["Trạng thái"] == "Cơ quan giải quyết chấp nhận hồ sơ"
    assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", found["Thời điểm tiếp nhận"])
    assert found["Người ký"] == who.name
    assert found["Kết quả"] == "✓ Chữ ký hợp lệ (TOTAL-PASSED)"
    assert found["[22] Thuế giá trị gia tăng còn được khấu trừ kỳ trước chuyển sang"] == "18.450.000"
    for part, kind in (("receipt", "receipt"), ("verdict", "verdict-accepted")):
        status, headers, html = await get(house, f"/v1/filings/{number}/{part}/view?lang=en")
        assert status == 200
        assert HEADERS.items() <= headers.items()
        found = values(page_of(html))
        assert found["Filing number"] == number
        assert found["Kind of notice"] == kind
        assert found["Result"] == "✓ The signature is sound (TOTAL-PASSED)"


async def test_a_refused_filing_says_why(house: House) -> None:
    broken = declaration(house.pki, overrides={"ct36": "1"})
    document = sign(house.pki, broken).replace(b"<ct37>1500000<", b"<ct37>1500001<")
    async with house.client() as client:
        filed = await client.submit(document)
    assert filed.status == 422
    _, _, html = await get(house, f"/v1/filings/{filed.body['number']}/view")
    found = values(page_of(html))
    assert "✗ Chữ ký không hợp lệ" in found["Kết quả"]
    assert "không phủ đúng" in found["Kết quả"]
    text = text_of(page_of(html))
    for finding in filed.body["findings"]:
        assert " ".join(finding["message"]["vi"].split()) in text
        assert finding["code"] in text
    _, _, html = await get(house, f"/v1/filings/{filed.body['number']}/receipt/view")
    assert "Chi tiết lý do" in text_of(page_of(html))


async def test_the_verdict_recorded_counts_not_what_lists_say_later(house: House) -> None:
    """Trust is gone since: a page made today still says what was found at the time of receipt."""
    async with house.client() as client:
        number = (await client.submit(signed(house.pki))).body["number"]
    for crl in (house.pki.trust / "crls").glob("*"):
        crl.unlink()
    house.gateway.refresh()
    _, _, html = await get(house, f"/v1/filings/{number}/view")
    assert values(page_of(html))["Kết quả"] == "✓ Chữ ký hợp lệ (TOTAL-PASSED)"


async def test_the_language_is_the_callers(house: House) -> None:
    async with house.client() as client:
        path = f"/v1/filings/{(await client.submit(signed(house.pki))).body['number']}/view"
        refused = await client._call("GET", f"{path}?lang=fr")
    assert (refused.status, refused.body["type"]) == (400, "urn:efile:problem:view.language")
    asked = (
        ("", {}, "vi"),
        ("", {"Accept-Language": "en-GB"}, "en"),
        ("?lang=vi", {"Accept-Language": "en"}, "vi"),
    )
    for query, headers, language in asked:
        assert page_of((await get(house, path + query, **headers))[2]).get("lang") == language


async def test_others_filings_have_no_pages(house: House) -> None:
    async with house.client() as client, house.client("provider-a") as other:
        number = (await client.submit(signed(house.pki))).body["number"]
        for part in ("view", "receipt/view", "verdict/view"):
            assert (await other.part(number, part)).status == 404
            assert (await client.part("SLA-20260101-000000000000-0", part)).status == 404
    async with house.client("agency-tax") as agency:
        assert (await agency.part(number, "view")).status == 403


async def test_a_large_filing_makes_a_bounded_page(house: House) -> None:
    rows = b"".join(b"<r%d>1</r%d>" % (i, i) for i in range(90_000))
    large = declaration(house.pki).replace(b"<PLuc/>", b"<PLuc>" + rows + b"</PLuc>")
    async with house.client() as client:
        filed = await client.submit(sign(house.pki, large))
        assert filed.status == 422
        reply = await client.part(filed.body["number"], "view")
    assert reply.status == 200
    assert len(reply.octets) < 3_000_000
    assert "không in ở trang này" in reply.octets.decode()


async def test_pages_are_made_beside_the_event_loop(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small: a page takes longer than judging the document, which is done on the loop."""
    seen: list[str] = []
    for name in ("filing_page", "notice_page"):
        monkeypatch.setattr(pages, name, watched(getattr(pages, name), seen))
    async with house.client() as client:
        number = (await client.submit(signed(house.pki))).body["number"]
        for part in ("view", "receipt/view"):
            assert (await client.part(number, part)).status == 200
    assert len(seen) == 2
    assert all(thread.startswith("check") for thread in seen), seen


def watched(work: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    """The same work, noting the thread that does it."""

    def run(*arguments: object, **named: object) -> object:
        seen.append(threading.current_thread().name)
        return work(*arguments, **named)

    return run


@pytest.mark.parametrize("part", ["view", "receipt/view"])
async def test_head_gives_the_headers_alone(house: House, part: str) -> None:
    async with house.client() as client:
        number = (await client.submit(signed(house.pki))).body["number"]
        head = await client._call("HEAD", f"/v1/filings/{number}/{part}")
    assert (head.status, head.octets) == (200, b"")
