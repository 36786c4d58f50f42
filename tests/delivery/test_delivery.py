"""From the queue to the verdict, against an authority that is slow, down, forgetful, or contradicts itself."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

import schemas
from adapters.simulator import Refusal
from gateway.clock import clock
from gateway.delivery.world import Backoff
from gateway.filing.status import Status
from gateway.filing.story import told as retold
from gateway.store.orders import NotStuck
from gateway.store.queue import QueueFilter
from gateway.store.seeds import Seed
from tests.documents import signed
from tests.house import House, house_at


def behaves(house: House, **changes: Any) -> None:
    house.simulator.behaviour = house.simulator.behaviour.changed(changes)


async def file(house: House, **changes: Any) -> str:
    async with house.client() as client:
        reply = await client.submit(signed(house.pki, **changes))
    assert reply.status == 201, reply.body
    return str(reply.body["number"])


async def story(house: House, number: str) -> list[str]:
    return [event.name for event in await house.gateway.store.events(number)]


async def told(house: House, number: str, event: str) -> None:
    """Wait until the filing's story has the event."""
    for _ in range(200):
        if event in await story(house, number):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {event} in {await story(house, number)}")


@pytest.mark.parametrize("callback", [True, False])
async def test_the_verdict_comes_by_callback_and_by_polling(house: House, callback: bool) -> None:
    behaves(house, callback=callback)
    number = await file(house)
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "accepted"
    (last,) = [e for e in await house.gateway.store.events(number) if e.name == "accepted"]
    assert last.detail == ("callback" if callback else "poll")


async def test_a_rejection_reaches_the_filer_with_its_remedy(house: House) -> None:
    behaves(house, refuse=Refusal(code="E7", error="Sai kỳ tính thuế", remedy="Nộp tờ khai bổ sung"))
    number = await file(house)
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "rejected"
        octets = (await client.part(number, "verdict")).octets
    notice = schemas.read_notice(octets)
    assert schemas.validate_notice(octets) == ()
    assert notice.kind == "verdict-rejected"
    assert [(r.code, r.error, r.remedy) for r in notice.reasons] == [
        ("E7", "Sai kỳ tính thuế", "Nộp tờ khai bổ sung")
    ]


@pytest.mark.parametrize(
    "trouble",
    [{"down": True}, {"garbage": True}, {"fail_rate": 1.0}],
    ids=["down", "answers garbage", "fails always"],
)
async def test_an_outage_delays_and_never_refuses(house: House, trouble: dict[str, Any]) -> None:
    behaves(house, callback=False, **trouble)
    number = await file(house)
    await asyncio.sleep(0.8)
    filing = await house.gateway.store.filing(number)
    assert filing is not None
    assert filing.status == "delivering"
    assert "attempt-failed" in await story(house, number)
    behaves(house, down=False, garbage=False, fail_rate=0.0)
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "accepted"
    assert len(house.simulator.books) == 1


async def test_sent_and_the_answer_lost_is_one_filing_for_the_agency(house: House) -> None:
    behaves(house, lose_answer=2, callback=False)
    number = await file(house)
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "accepted"
    (entry,) = house.simulator.books.values()
    assert entry.times >= 3
    assert (await story(house, number)).count("attempt-failed") == 2


async def test_a_verdict_before_the_delivery_is_known(house: House) -> None:
    """The authority decides and calls back before its own acknowledgement has reached us."""
    behaves(house, delay_s=0.0, verdict_delay_s=0.0, lose_answer=1)
    number = await file(house)
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "accepted"
    assert "delivered" not in await story(house, number)


async def test_a_repeated_verdict_changes_nothing_and_a_contradiction_is_kept(house: House) -> None:
    behaves(house, answer_twice=True, contradict=True)
    number = await file(house)
    async with house.client() as client:
        await house.follow(client, number)
        first = (await client.part(number, "verdict")).octets
        await told(house, number, "verdict-contradicted")
        assert (await client.status(number)).body["status"] == "accepted"
        assert (await client.part(number, "verdict")).octets == first
    names = await story(house, number)
    assert "verdict-repeated" in names
    assert names.count("accepted") == 1


async def test_a_slow_authority_does_not_stop_the_others_filings(house: House) -> None:
    behaves(house, delay_s=0.5)
    numbers = [await file(house, period=period) for period in ("Q1/2026", "Q2/2026", "Q4/2025")]
    async with house.client() as client:
        for number in numbers:
            assert (await house.follow(client, number))["status"] == "accepted"


async def test_only_the_agency_that_has_it_may_bring_a_verdict(house: House) -> None:
    behaves(house, callback=False, verdict_delay_s=60.0)
    number = await file(house)
    async with house.client() as client:
        await house.follow(client, number, until=("delivered",))
        body = b'{"key": "%s", "verdict": {"outcome": "accepted"}}' % number.encode()
        stranger = await client._call("POST", "/v1/callbacks/verdicts", body)
        assert (stranger.status, stranger.body["reason"]) == (403, "not for this door")
    async with house.client("agency-tax") as agency:
        for bad in (b"", b"{", b"[]", b'{"key": 1}', b"x" * 1_000_001):
            reply = await agency._call("POST", "/v1/callbacks/verdicts", bad)
            assert reply.status in (400, 413), reply.body
        unknown = body.replace(number.encode(), b"SLA-20261124-000000000000-0")
        assert (await agency._call("POST", "/v1/callbacks/verdicts", unknown)).status in (400, 404)
    assert (await story(house, number))[-1] in ("delivered", "pending")


class TestProvisional:
    """A certificate's status that cannot be had now: neither accepted nor refused, and no deadline lost."""

    def blind(self, house: House) -> bytes:
        crl = house.pki.trust / "crls" / "public-sub-ca.crl"
        octets = crl.read_bytes()
        crl.unlink()
        house.gateway.refresh()
        return octets

    def see(self, house: House, octets: bytes) -> None:
        (house.pki.trust / "crls" / "public-sub-ca.crl").write_bytes(octets)
        house.gateway.refresh()

    async def test_it_is_receipted_as_such_and_carried_on_once_known(self, house: House) -> None:
        crl = self.blind(house)
        async with house.client() as client:
            document = signed(house.pki)
            filed = await client.submit(document)
            assert (filed.status, filed.body["status"]) == (201, "provisional")
            assert "certificate.status-unknown" in {f["code"] for f in filed.body["findings"]}
            number = filed.body["number"]
            receipt = (await client.part(number, "receipt")).octets
            assert schemas.read_notice(receipt).status == "provisional"
            await asyncio.sleep(0.5)
            assert (await client.status(number)).body["status"] == "provisional"
            assert house.simulator.books == {}
            self.see(house, crl)
            assert (await house.follow(client, number))["status"] == "accepted"
            confirmation = schemas.read_notice((await client.part(number, "notices/confirmation")).octets)
            codes = {finding["code"] for finding in (await client.status(number)).body["findings"]}
            assert codes == {"header.filed-late"}  # the content's findings stay, the status is known now
            assert len(await house.gateway.store.evidence(number)) == 2
            assert (confirmation.status, confirmation.filing_number) == ("acknowledged", number)
            assert confirmation.recorded_at == schemas.read_notice(receipt).recorded_at
            assert (await client.part(number, "receipt")).octets == receipt
            again = await client.submit(document)
            assert (again.status, again.body["number"]) == (200, number)

    async def test_it_is_refused_where_the_certificate_was_revoked_before(self, house: House) -> None:
        self.blind(house)
        async with house.client() as client:
            filed = await client.submit(signed(house.pki))
            number = filed.body["number"]
            house.pki.revoke("taxpayer", clock() - timedelta(days=1))
            house.gateway.refresh()
            assert (await house.follow(client, number))["status"] == "refused"
            refusal = schemas.read_notice((await client.part(number, "notices/refusal")).octets)
            assert "certificate.revoked" in {reason.code for reason in refusal.reasons}
        assert house.simulator.books == {}

    async def test_it_is_good_where_the_certificate_was_revoked_afterwards(self, house: House) -> None:
        self.blind(house)
        async with house.client() as client:
            number = (await client.submit(signed(house.pki))).body["number"]
            await asyncio.sleep(1.1)
            house.pki.revoke("taxpayer", clock())
            house.gateway.refresh()
            assert (await house.follow(client, number))["status"] == "accepted"

    async def test_it_is_judged_by_the_entry_of_its_receipt(self, house: House) -> None:
        """What the provider's entry asks for today is no reason to refuse what has its receipt."""
        crl = self.blind(house)
        async with house.client() as client:
            number = (await client.submit(signed(house.pki))).body["number"]
            await house.gateway.store.seed([Seed("provider", {"id": "beta", "signs_filings": 1})], "test")
            missing = await client.submit(signed(house.pki, period="Q1/2026"))
            assert "signature.tvan-missing" in {f["code"] for f in missing.body["findings"]}
            self.see(house, crl)
            assert (await house.follow(client, number))["status"] == "accepted"

    async def test_a_stale_list_is_no_list(self, tmp_path: Path, pki_home: Path) -> None:
        later = timedelta(days=31)
        async with (
            house_at(tmp_path, pki_home, now=lambda: clock() + later) as house,
            house.client() as client,
        ):
            filed = await client.submit(signed(house.pki))
            assert (filed.status, filed.body["status"]) == (201, "provisional"), filed.body

    async def status(self, house: House, number: str) -> str:
        filing = await house.gateway.store.filing(number)
        assert filing is not None
        return filing.status

    async def test_it_ends_a_week_after_the_certificate(self, tmp_path: Path, pki_home: Path) -> None:
        """No list tells of what has ended: the operator's move, not provisional for ever; an outage refuses nothing."""
        ahead = [timedelta()]
        async with (
            house_at(tmp_path, pki_home, now=lambda: clock() + ahead[0]) as house,
            house.client() as client,
        ):
            self.blind(house)
            number = (await client.submit(signed(house.pki))).body["number"]
            taxpayer = house.pki["taxpayer"].certificate.read_bytes()
            end = x509.load_pem_x509_certificate(taxpayer).not_valid_after_utc
            ahead[0] = end + timedelta(days=6, hours=23) - clock()
            await asyncio.sleep(0.8)
            assert await self.status(house, number) == "provisional"
            ahead[0] += timedelta(hours=2)
            async with asyncio.timeout(20):
                while await self.status(house, number) == "provisional":
                    await asyncio.sleep(0.05)
            assert await self.status(house, number) == "stuck"
            (waiting,) = await house.gateway.store.waiting(QueueFilter(status=Status.STUCK))
            assert waiting.last_event == "status-lost"
            assert not house.simulator.books
            await house.gateway.store.replay(number, "operator", "asked the authority")
            assert await self.status(house, number) in ("provisional", "stuck"), "never on to the agency"
            async with asyncio.timeout(20):
                while await self.status(house, number) != "stuck":
                    await asyncio.sleep(0.05)
            assert not house.simulator.books

    async def test_another_fault_is_not_provisional(self, house: House) -> None:
        self.blind(house)
        async with house.client() as client:
            assert (await client.submit(signed(house.pki, "expired"))).status == 422
            assert (await client.submit(signed(house.pki, overrides={"ct36": "1"}))).status == 422


class TestRoute:
    async def test_a_form_that_no_agency_takes_is_stuck_not_lost(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with house_at(tmp_path, pki_home) as house:
            await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": '["justice"]'})], "test")
            number = await file(house)
            async with house.client() as client:
                assert (await house.follow(client, number, until=("stuck",)))["status"] == "stuck"
                assert (await client.part(number, "receipt")).status == 200
                (waiting,) = await house.gateway.store.waiting(QueueFilter(status=Status.STUCK))
                assert (waiting.number, waiting.due_seconds, waiting.last_event) == (number, None, "stuck")
                await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": '["tax"]'})], "test")
                await house.gateway.store.replay(number, "operator", "route mended")
                with pytest.raises(NotStuck):
                    await house.gateway.store.replay(number, "operator", "twice")
                assert (await house.follow(client, number))["status"] == "accepted"
            assert "replayed" in await story(house, number)
            assert await house.gateway.store.waiting(QueueFilter()) == []


async def test_a_fault_of_ours_leaves_the_filing_where_it_is(house: House) -> None:
    """A stored body that is damaged is never sent; the filing stays visible, and goes on once it is mended."""
    behaves(house, down=True)
    number = await file(house)
    packed = (await house.gateway.store._driver.read("SELECT octets FROM body WHERE number = ?", (number,)))[
        0
    ][0]
    with sqlite3.connect(house.settings.store) as other:
        other.execute("UPDATE body SET octets = ? WHERE number = ?", (packed[:-4] + b"\0\0\0\0", number))
    behaves(house, down=False)
    await told(house, number, "step-failed")
    assert house.simulator.books == {}
    with sqlite3.connect(house.settings.store) as other:
        other.execute("UPDATE body SET octets = ? WHERE number = ?", (packed, number))
    async with house.client() as client:
        assert (await house.follow(client, number))["status"] == "accepted"


async def test_a_long_wait_does_not_fill_the_story(house: House) -> None:
    behaves(house, callback=False, verdict_delay_s=2.0)
    number = await file(house)
    async with house.client() as client:
        await house.follow(client, number)
    assert await story(house, number) == ["acknowledged", "routed", "delivered", "accepted"]
    assert [event for failures in range(100) if (event := retold("x", failures))] == ["x"] * 8


def test_delays_double_up_to_a_bound_and_respect_the_agency() -> None:
    backoff = Backoff(first=3.0, most=300.0)
    for failures in range(40):
        expected = min(300.0, 3.0 * 2.0**failures)
        for _ in range(20):
            assert expected / 2 <= backoff.delay(failures) <= expected
    assert backoff.delay(0, retry_after=60.0) >= 60.0
