"""Time stamps on the gateway's own notices: on every one while there are any to be had, and never in its way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import certs_dev
import schemas
import signing
from gateway.client.receipts import ReceiptProof, prove_receipt
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.filing.filing import Unsigned
from gateway.filing.status import Status
from gateway.intake.record import RecordWorld, record
from gateway.intake.verify import SignatureRules
from gateway.register.entry import Entry, State
from gateway.store.opening import open_store
from gateway.time_stamps import FAILURES, TimeStamps, entry_of_tsa
from signing.algorithms import digest
from tests.documents import signed
from tests.gateway.builders import new_filing
from tests.gateway.notices import filing, notary
from tests.gateway.test_notice_keys import dossier
from tests.house import House, free_port, house_at
from tests.signing.timestamping import stamping
from tests.tsa import BAD, Authority

SILENT = "time-stamping authority unavailable"


@pytest.fixture
def tsa(pki: certs_dev.DevPki, tmp_path: Path) -> Iterator[Authority]:
    with Authority(pki, tmp_path / "tsa").open() as opened:
        yield opened


def rules_of(pki: certs_dev.DevPki) -> SignatureRules:
    return SignatureRules(signing.load_policy("tt15-2025"), signing.TrustStore.load(pki.trust))


def proof_of(octets: bytes, pki: certs_dev.DevPki, trust: signing.TrustStore | None = None) -> ReceiptProof:
    rules, signers = rules_of(pki), [pki["notice"].read_certificate()]
    proof = prove_receipt(octets, signers=signers, trust=trust or rules.trust, policy=rules.policy)
    assert schemas.validate_notice(octets) == ()
    return proof


async def told(house: House) -> tuple[int, str]:
    async with house.client() as client:
        answer = await client._call("GET", "/readyz")
    return answer.status, answer.body["checks"]["time-stamps"]


class TestHouse:
    async def test_every_notice_bears_one(
        self, tsa: Authority, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
    ) -> None:
        port = free_port()
        parts: dict[str, Any] = {"notices": {"tsa": tsa.url}, "door": {"health_port": port}}
        async with house_at(tmp_path / "h", pki_home, **parts) as house, house.client() as client:
            octets = []
            before = clock()
            declared = await client.submit(signed(pki))
            refused = await client.submit(signed(pki, overrides={"ct34": "7"}))
            coded = await client.submit(dossier(pki))
            assert (declared.status, refused.status, coded.status) == (201, 422, 201)
            await house.follow(client, declared.body["number"], until=("accepted",))
            octets.append((await client.part(declared.body["number"], "verdict")).octets)
            for reply in (declared, refused, coded):
                octets.append((await client.part(reply.body["number"], "receipt")).octets)
            for notice in octets:
                proof = proof_of(notice, pki)
                assert (proof.faults, proof.remarks) == ((), ())
                assert proof.report is not None
                assert proof.report.signatures[0].profile == "XAdES-B-T"
                assert proof.stamped_at is not None
                assert before - timedelta(seconds=1) <= proof.stamped_at <= clock()
            assert coded.body["dossierCode"].endswith("-0000001")
            assert tsa.asked >= len(octets)
            assert await told(house) == (200, "ok")
            page = await client._call("GET", f"/v1/filings/{declared.body['number']}/receipt/view")
            assert "Thời điểm ký được chứng minh" in page.octets.decode()
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/metrics") as answer,
            ):
                counted = re.search(r'efile_time_stamps_total\{result="stamped"\} (\d+)', await answer.text())
            assert counted is not None
            assert int(counted[1]) >= len(octets)

    @pytest.mark.parametrize("name", BAD)
    async def test_without_one_of_use_the_receipt_is_given_all_the_same(
        self, name: str, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
    ) -> None:
        """The first few ask in vain; then nobody does, and nothing but that is told."""
        made, does, _ = BAD[name]
        with made(pki, tmp_path / "tsa").open() as bad:
            bad.does = getattr(bad, does)
            notices = {"tsa": bad.url, "tsa_seconds": 0.3 if name == "hangs" else 5.0}
            async with house_at(tmp_path / "h", pki_home, notices=notices) as house, house.client() as client:
                for document in (signed(pki), dossier(pki), *(signed(pki) for _ in range(3))):
                    reply = await client.submit(document)
                    assert reply.status == 201, reply.body
                    octets = (await client.part(reply.body["number"], "receipt")).octets
                    assert b"EncapsulatedTimeStamp" not in octets
                    proof = proof_of(octets, pki)
                    assert (proof.proven, proof.stamped_at) == (True, None)
                    await house.follow(client, reply.body["number"], until=("accepted", "stuck"))
                assert await told(house) == (200, SILENT)
                assert FAILURES <= bad.asked <= FAILURES + 1, "two may be on their way at once"

    async def test_one_that_is_back_is_asked_by_one_notice_then_by_all(
        self,
        tsa: Authority,
        tmp_path: Path,
        pki_home: Path,
        pki: certs_dev.DevPki,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("gateway.time_stamps.PAUSE_SECONDS", 0.0)
        tsa.does = tsa.is_down
        async with (
            house_at(tmp_path / "h", pki_home, notices={"tsa": tsa.url}) as house,
            house.client() as client,
        ):
            for _ in range(FAILURES):
                await client.submit(signed(pki))
            assert await told(house) == (200, SILENT)
            tsa.does = tsa.answers
            for _ in range(2):
                number = (await client.submit(signed(pki))).body["number"]
                assert proof_of((await client.part(number, "receipt")).octets, pki).stamped_at is not None
                assert await told(house) == (200, "ok")

    @pytest.mark.parametrize(
        "url", ["", "tsa.example.vn", "ftp://tsa.example.vn/", "http://a b/", "http://u@a/"]
    )
    async def test_an_address_that_is_none_is_refused_at_the_start(
        self, url: str, tmp_path: Path, pki_home: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"\[notices\] tsa"):
            async with house_at(tmp_path / "h", pki_home, notices={"tsa": url}):
                pass


class TestAlone:
    """`TimeStamps` by itself, without a gateway."""

    @staticmethod
    def opened(pki: certs_dev.DevPki, tsa: Authority) -> tuple[TimeStamps, list[str], list[Entry]]:
        counted: list[str] = []
        stamps = TimeStamps(5.0, lambda: rules_of(pki), clock, counted.append)
        new = entry_of_tsa(tsa.url, clock())
        values = {name: getattr(new, name) for name in new.__dataclass_fields__}
        entries = [Entry(**values, state=State.ACTIVE)]
        stamps.take_over(entries)
        return stamps, counted, entries

    @staticmethod
    def notice(pki: certs_dev.DevPki) -> bytes:
        return notary(pki).intake_notice(filing(clock(), Status.ACKNOWLEDGED), dossier=False).document

    async def test_who_finds_it_busy_does_not_wait(
        self, tsa: Authority, pki: certs_dev.DevPki, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.time_stamps.AT_ONCE", 2)
        tsa.does = tsa.hangs
        stamps, counted, _ = self.opened(pki, tsa)
        notice = self.notice(pki)
        first = [asyncio.create_task(stamps.stamped(notice)) for _ in range(2)]
        await asyncio.sleep(0)
        assert [await stamps.stamped(notice) for _ in range(3)] == [notice] * 3
        assert not any(task.done() for task in first)
        tsa.over.set()
        made = await asyncio.gather(*first)
        assert all(proof_of(one, pki).stamped_at for one in made)
        assert counted == ["left-out"] * 3 + ["stamped"] * 2
        await stamps.aclose()

    async def test_one_that_is_out_of_order_is_tried_by_one_notice_at_a_time(
        self, tsa: Authority, pki: certs_dev.DevPki
    ) -> None:
        stamps, counted, _ = self.opened(pki, tsa)
        notice = self.notice(pki)
        tsa.does = tsa.is_down
        for _ in range(FAILURES + 1):
            assert await stamps.stamped(notice) == notice
        assert stamps._authority is not None
        stamps._authority.rests_until = 0.0  # the pause is over
        assert await asyncio.gather(*(stamps.stamped(notice) for _ in range(5))) == [notice] * 5
        assert (tsa.asked, counted.count("failed")) == (FAILURES + 1, FAILURES + 1)
        assert await stamps.fault() == SILENT
        await stamps.aclose()

    async def test_what_one_that_was_taken_out_has_yet_to_answer_counts_no_more(
        self, tsa: Authority, pki: certs_dev.DevPki
    ) -> None:
        stamps, counted, entries = self.opened(pki, tsa)
        notice = self.notice(pki)
        tsa.does = tsa.hangs
        waiting = asyncio.create_task(stamps.stamped(notice))
        while not tsa.asked:
            await asyncio.sleep(0.01)
        stamps.take_over([replace(entries[0], state=State.REVOKED)])
        assert not stamps.wanted
        tsa.over.set()
        assert (await waiting, counted) == (notice, ["failed"])
        assert await stamps.stamped(notice) == notice
        assert tsa.asked == 1
        await stamps.aclose()

    async def test_a_notice_that_cannot_be_read_is_given_as_it_is(
        self, tsa: Authority, pki: certs_dev.DevPki
    ) -> None:
        stamps, counted, _ = self.opened(pki, tsa)
        assert [await stamps.stamped(octets) for octets in (b"", b"<a/>")] == [b"", b"<a/>"]
        assert (tsa.asked, counted) == (0, ["failed"] * 2)
        await stamps.aclose()


async def test_a_notice_left_to_be_signed_is_signed_also_where_nobody_stamps_it_any_more(
    pki: certs_dev.DevPki, tmp_path: Path
) -> None:
    """The authority went out of use between the promise and the recording."""
    store, signer = await open_store(str(tmp_path / "efile.sqlite"), clock), notary(pki)
    try:
        new = new_filing()
        unsigned = Unsigned(None, lambda one: signer.intake_notice(one, dossier=False))
        prepared = store.prepare(replace(new, notice=unsigned))
        done = await record(prepared, RecordWorld(store, signer, asyncio.Lock()))
        assert proof_of(done.notice.document, pki).notice is not None
    finally:
        await store.close()


def test_a_receiver_who_does_not_know_the_authority_has_its_receipt_proven_and_is_told(
    pki: certs_dev.DevPki,
) -> None:
    at = clock()
    stamps = stamping(not_before=at - timedelta(days=1), not_after=at + timedelta(days=9))
    stamps.now = at
    notice = notary(pki).intake_notice(filing(at, Status.ACKNOWLEDGED), dossier=False).document
    stampable = signing.Stampable.of(notice)
    made = stampable.stamped(stamps.tsa.stamp(digest("sha256", stampable.octets), "sha256"))
    proof = proof_of(made, pki)
    assert (proof.proven, proof.stamped_at) == (True, None)
    assert "does not hold and proves no time" in proof.remarks[0][1]
    trust = rules_of(pki).trust
    crl = stamps.root.crl(at - timedelta(days=1), at + timedelta(days=1))
    known = proof_of(made, pki, trust.extended([stamps.root.certificate], crls=[crl]))
    assert (known.proven, known.remarks) == (True, ())
    assert known.stamped_at is not None
    assert abs(known.stamped_at - at) < timedelta(seconds=1)


def test_a_time_stamp_of_another_notice_is_told_as_a_fault(pki: certs_dev.DevPki, tmp_path: Path) -> None:
    key = Authority(pki, tmp_path / "tsa").key
    one, other = (
        signing.Stampable.of(
            notary(pki).intake_notice(filing(clock(), Status.ACKNOWLEDGED), dossier=False).document
        )
        for _ in range(2)
    )
    token = signing.LocalTimestampAuthority(key).stamp(digest("sha256", other.octets), "sha256")
    proof = proof_of(one.stamped(token), pki)
    assert not proof.proven
    assert "is none of this signature, or was changed" in proof.faults[0][1]
