"""The time-stamping authority exchanged by the register: tried first, taken over in seconds, under load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from msgspec.structs import replace

import certs_dev
import schemas
import signing
from gateway.app import running
from gateway.client.http import Connection, GatewayClient
from gateway.client.receipts import prove_receipt
from gateway.clock import clock
from gateway.doctor import examine
from gateway.register.acts import Certificates
from gateway.register.entry import Entry, Purpose, RegisterRefused, State, active
from gateway.settings import load_settings
from gateway.store.opening import open_store
from tests.documents import signed
from tests.processes import Gateway, quick_installation
from tests.register.changing import LAN, changing_house, issued, taken_over
from tests.register.test_bad_input import Desk, desk, refused
from tests.register.test_doctor import said
from tests.register.test_hot_change import filed
from tests.register.typist import typist
from tests.tsa import BAD, Authority

__all__ = ["desk"]


@pytest.fixture
def first(pki: certs_dev.DevPki, tmp_path: Path) -> Iterator[Authority]:
    with Authority(pki, tmp_path / "first").open() as opened:
        yield opened


@pytest.fixture
def second(pki: certs_dev.DevPki, tmp_path: Path) -> Iterator[Authority]:
    with Authority(pki, tmp_path / "second").open() as opened:
        yield opened


def stamped_by(receipt: bytes, pki: certs_dev.DevPki, *signers: Path) -> x509.Certificate | None:
    """Whose time stamp a receipt bears, which must be proven as it is."""
    files = signers or (pki["notice"].certificate,)
    proof = prove_receipt(
        receipt,
        signers=[x509.load_pem_x509_certificates(file.read_bytes())[0] for file in files],
        trust=signing.TrustStore.load(pki.trust),
        policy=signing.load_policy("tt15-2025"),
    )
    assert (proof.faults, proof.remarks) == ((), ())
    assert proof.report is not None
    stamps = proof.report.signatures[0].timestamps
    return stamps[0].certificate if stamps else None


async def next_tsa(register: Certificates, tsa: Authority) -> Entry:
    entry = await register.add_tsa(tsa.url, LAN)
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsed, tried.rehearsal
    return tried


async def states(register: Certificates) -> dict[str, State]:
    return {e.subject: e.state for e in await register.entries() if e.purpose is Purpose.TSA}


class TestRehearsal:
    @pytest.mark.parametrize("name", BAD)
    async def test_one_of_no_use_is_not_green_and_does_not_take_over(
        self, desk: Desk, name: str, tmp_path: Path
    ) -> None:
        made, does, fault = BAD[name]
        seconds = 0.3 if name == "hangs" else 5.0
        desk.settings = replace(desk.settings, notices=replace(desk.settings.notices, tsa_seconds=seconds))
        with made(desk.pki, tmp_path / "tsa").open() as bad:
            bad.does = getattr(bad, does)
            await refused(desk, await desk.register.add_tsa(bad.url, LAN), fault)
            assert bad.asked == 1

    async def test_one_that_nobody_serves(self, desk: Desk) -> None:
        await refused(desk, await desk.register.add_tsa("http://127.0.0.1:1/", LAN), "Cannot connect")

    async def test_one_of_use_and_the_same_twice(self, desk: Desk, first: Authority) -> None:
        entry = await next_tsa(desk.register, first)
        assert first.asked == 1
        assert (await desk.register.activate(entry.id, LAN)).state is State.ACTIVE
        with pytest.raises(RegisterRefused, match="is there already"):
            await desk.register.add_tsa(first.url, LAN)
        assert [step for step in await desk.register.timeline() if step.entry == entry.id] == []

    @pytest.mark.parametrize(
        "url",
        ["", "tsa.example.vn", "ftp://tsa.example.vn/", "file:///etc/passwd", "http://u:p@tsa.example.vn/",
         "http://tsa.example.vn/a b", "http://tsa.example.vn/\n", "http://tsa.example.vn/#a", "http://thời.vn/",
         f"http://tsa.example.vn/{'a' * 500}", "http://tsa.example.vn:port/", "http:///tsa"],
    )  # fmt: skip
    async def test_an_address_that_is_none(self, desk: Desk, url: str) -> None:
        with pytest.raises(ValueError):
            await desk.register.add_tsa(url, LAN)


class TestHouse:
    async def test_the_next_one_takes_over_and_one_that_was_revoked_is_asked_no_more(
        self, first: Authority, second: Authority, tmp_path: Path, pki_home: Path
    ) -> None:
        async with (
            changing_house(tmp_path / "h", pki_home, notices={"tsa": first.url}) as (house, register),
            house.client() as of,
        ):
            assert stamped_by(await filed(of, house), house.pki) == first.certificate
            entry = await next_tsa(register, second)
            assert stamped_by(await filed(of, house), house.pki) == first.certificate
            await register.activate(entry.id, LAN)
            await taken_over(register)
            first.does = first.is_down
            before = first.asked
            assert stamped_by(await filed(of, house), house.pki) == second.certificate
            while (await states(register))[first.url] is not State.RETIRED:  # without an overlap
                await asyncio.sleep(0.05)
            await register.revoke(entry.id, LAN)
            await taken_over(register)
            asked = second.asked
            assert stamped_by(await filed(of, house), house.pki) is None
            assert (first.asked, second.asked) == (before, asked)
            assert await states(register) == {first.url: State.RETIRED, second.url: State.REVOKED}
            again = replace(house.settings, door=replace(house.settings.door, port=0))
        async with running(again) as gateway:  # the settings file still names the first
            entries = await gateway.store.entries()
            assert active(entries, Purpose.TSA) is None

    async def test_in_an_emergency_the_one_that_was_rehearsed_takes_over_in_the_same_act(
        self, first: Authority, second: Authority, tmp_path: Path, pki_home: Path
    ) -> None:
        async with (
            changing_house(tmp_path / "h", pki_home, notices={"tsa": first.url}) as (house, register),
            house.client() as of,
        ):
            await next_tsa(register, second)
            current = active(await register.entries(), Purpose.TSA)
            assert current is not None
            await register.revoke(current.id, LAN)
            await taken_over(register)
            assert stamped_by(await filed(of, house), house.pki) == second.certificate

    async def test_what_is_signed_anew_is_stamped_anew(
        self, first: Authority, tmp_path: Path, pki_home: Path
    ) -> None:
        async with (
            changing_house(tmp_path / "h", pki_home) as (house, _),
            house.client() as of,
        ):
            typed = typist(house.installation.settings)
            why = ("--why", "the key was copied")
            receipt = await filed(of, house)
            assert stamped_by(receipt, house.pki) is None
            await by_command(typed, first)
            key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
            await typed("certs", "add", "notices", "--key", key.key, "--cert", key.chain, *why)
            await typed("certs", "rehearse", "notices:next")
            await typed("certs", "revoke", "notices:active", "--emergency", *why)
            done = await typed("certs", "reissue", "notices:revoked", "--since", "2026-01-01T12:00", *why)
            assert done["reissued"] >= 1
            new = (await of.part(schemas.read_notice(receipt).filing_number, "receipt")).octets
            assert new != receipt
            assert stamped_by(new, house.pki, key.certificate) == first.certificate

    async def test_the_doctor_warns_of_one_that_is_out_of_order(
        self, first: Authority, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home, notices={"tsa": first.url}) as (house, _):
            assert "time stamp" not in said(await examine(house.settings, clock), wrong=False)
            first.does = first.is_down
            found = await examine(house.settings, clock)
            assert "It gives no time stamp of use" in said(found, wrong=False)
            assert said(found, wrong=True) == ""


async def by_command(typed: Callable[..., Awaitable[Any]], tsa: Authority) -> None:
    """Added, rehearsed, in use in all processes."""
    why = ("--why", "a better clock")
    added = await typed("certs", "add", "tsa", "--url", tsa.url, *why)
    assert (added["subject"], added["state"]) == (tsa.url, "next")
    assert (await typed("certs", "rehearse", "tsa:next"))["rehearsal"]["green"]
    assert (await typed("certs", "activate", "tsa:next", *why))["inEffect"]


@dataclass
class Senders:
    """Two that file one after another, at whichever process takes their connection."""

    connection: Connection
    pki: certs_dev.DevPki
    over: bool = False
    receipts: list[bytes] = field(default_factory=list)

    async def send(self) -> None:
        while not self.over:
            async with GatewayClient(self.connection) as of:
                document = await asyncio.to_thread(signed, self.pki, "taxpayer-ec")
                reply = await of.submit(document)
                assert reply.status == 201, reply.body
                self.receipts.append((await of.part(reply.body["number"], "receipt")).octets)

    async def more(self, count: int) -> list[bytes]:
        """What was received since."""
        begun = len(self.receipts)
        while len(self.receipts) < begun + count:
            await asyncio.sleep(0.02)
        return self.receipts[begun + 2 :]  # one of each sender may have been under way


async def test_by_command_under_load_in_two_processes(tmp_path: Path) -> None:
    made = quick_installation(tmp_path / "house")
    beta = made.pki["provider-b"]
    url = f"https://localhost:{made.ports.door}"
    senders = Senders(Connection(url, beta.certificate, beta.key, made.pki.tls_ca), made.pki)
    with (
        Authority(made.pki, tmp_path / "first").open() as first,
        Authority(made.pki, tmp_path / "second").open() as second,
        Gateway(made, 2) as gateway,
    ):
        await gateway.start()
        store = await open_store(load_settings(made.settings).store, clock)
        while len(await store.taken_over()) < 2:
            await asyncio.sleep(0.05)
        await store.close()
        typed = typist(made.settings)
        sending = [asyncio.create_task(senders.send()) for _ in range(2)]
        assert {stamped_by(one, made.pki) for one in await senders.more(6)} == {None}
        await by_command(typed, first)
        assert {stamped_by(one, made.pki) for one in await senders.more(10)} == {first.certificate}
        await by_command(typed, second)
        assert {stamped_by(one, made.pki) for one in await senders.more(10)} == {second.certificate}
        before = first.asked
        assert (await typed("certs", "revoke", "tsa:active", "--emergency", "--why", "x"))["inEffect"]
        assert {stamped_by(one, made.pki) for one in await senders.more(10)} == {None}
        assert first.asked == before
        assert (await gateway.checks())["time-stamps"] == "ok"
        senders.over = True
        await asyncio.gather(*sending)
        assert await gateway.stop() == 0
