"""Keys with which we call agencies change while filings flow: none fails, none arrives twice; faults are told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

import certs_dev
from adapters.simulator import Behaviour
from certs_dev.pki import Identity
from gateway import beside
from gateway.agency_keys import AgencyKeys
from gateway.app import running
from gateway.clock import clock
from gateway.doctor import examine
from gateway.ports import Agency
from gateway.register.acts import Certificates
from gateway.register.entry import Entry, Purpose, RegisterRefused, State, active
from gateway.register.reading import fingerprint_of
from gateway.seeding import seeds_of
from gateway.store.seeds import Seed
from tests.adapters import broker
from tests.adapters.conftest import tls_door
from tests.adapters.families import FAMILIES
from tests.adapters.families.queue import authority_at, own_queues, queue_settings
from tests.documents import signed
from tests.house import House, Speaks
from tests.register.changing import LAN, changing_house, faults_of, issued, release, taken_over

TAX = "agency tax"


def ours(house: House, folder: Path, authority: str = "client-ca", days: int = 1500) -> Identity:
    return issued(house.pki, folder, authority, "client", days=(-1, days))


async def added(register: Certificates, identity: Identity, party: str = TAX, **more: str) -> Entry:
    location = {"key": str(identity.key), "certificate": str(identity.chain), **more}
    return await register.add_key(Purpose.AGENCY_TLS, location, LAN, party)


async def rehearsed(register: Certificates, identity: Identity, party: str = TAX, **more: str) -> Entry:
    return await register.rehearse((await added(register, identity, party, **more)).id, LAN)


def told(entry: Entry) -> str:
    assert entry.rehearsal is not None
    return "\n".join(text.en for text in (*entry.rehearsal.faults, *entry.rehearsal.doubts))


async def exchanged(register: Certificates, identity: Identity, party: str = TAX, **more: str) -> Entry:
    entry = await rehearsed(register, identity, party, **more)
    assert entry.rehearsed, told(entry)
    await register.activate(entry.id, LAN)
    await taken_over(register)
    return entry


async def delivered(house: House) -> str:
    """File something new, and wait for its verdict."""
    async with house.client() as of:
        reply = await of.submit(signed(house.pki, "taxpayer-ec"))
        assert reply.status == 201, reply.body
        number = str(reply.body["number"])
        assert (await house.follow(of, number))["status"] == "accepted"
    return number


async def test_the_settings_files_key_is_in_the_register_and_none_of_others(
    tmp_path: Path, pki_home: Path
) -> None:
    async with changing_house(tmp_path / "h", pki_home) as (house, register):
        (entry,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
        assert (entry.party, entry.state) == (TAX, State.ACTIVE)
        assert entry.id == f"agency-tls-tax-{entry.fingerprint[:12]}"
        assert entry.fingerprint == fingerprint_of(house.pki["gateway-client"].read_certificate())
        await delivered(house)
        assert set(house.simulator.callers) == {entry.fingerprint}


async def test_filings_flow_while_the_key_changes_none_fails_and_none_arrives_twice(
    tmp_path: Path, pki_home: Path
) -> None:
    slow = Behaviour(verdict_delay_s=0.05, delay_s=0.1)  # so that some are under way at each change
    async with changing_house(tmp_path / "h", pki_home, behaviour=slow) as (house, register):
        over = asyncio.Event()
        numbers: list[str] = []

        async def file() -> None:
            while not over.is_set():
                numbers.append(await delivered(house))

        filing = [asyncio.create_task(file()) for _ in range(3)]
        entries = []
        for count in range(3):
            identity = ours(house, tmp_path / f"k{count}", days=1500 + count)
            entries.append(await exchanged(register, identity))
            before = len(numbers)
            while len(numbers) < before + 6:
                await asyncio.sleep(0.02)
        over.set()
        await asyncio.gather(*filing)
        house.simulator.callers.clear()
        await delivered(house)
        assert set(house.simulator.callers) == {entries[-1].fingerprint}
        assert {entry.times for entry in house.simulator.books.values()} == {1}
        assert len(house.simulator.books) == len(numbers) + 1
        survey = await house.gateway.store.survey()
        assert sum(lane.in_flight + lane.waiting for lane in survey.lanes) == 0


class TestRehearsal:
    async def test_an_agency_that_refuses_the_certificate_is_red(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            entry = await rehearsed(register, ours(house, tmp_path / "k", "stranger-client-ca"))
            assert "agency tax answers the certificate in use (HTTP 404), and this one otherwise" in told(
                entry
            )
            with pytest.raises(RegisterRefused, match="no green rehearsal"):
                await register.activate(entry.id, LAN)
            await delivered(house)

    async def test_an_agency_out_of_reach_is_a_doubt_and_no_fault(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            await house.simulator.stop()
            entry = await rehearsed(register, ours(house, tmp_path / "k"))
            assert entry.rehearsed
            assert "Whether agency tax takes it is not known" in told(entry)

    @pytest.mark.parametrize("status", [400, 403])
    async def test_an_agency_that_answers_the_new_one_otherwise_than_the_old(
        self, tmp_path: Path, pki_home: Path, status: int
    ) -> None:
        async with (
            changing_house(tmp_path / "h", pki_home) as (house, register),
            choosy(house, status) as url,
        ):
            await house.gateway.store.seed(at(house, url), "settings file")
            entry = await rehearsed(register, ours(house, tmp_path / "k"))
            assert not entry.rehearsed
            assert f"(HTTP 200), and this one otherwise: HTTP {status}" in told(entry)

    async def test_an_agency_that_answers_no_greeting_so_is_a_doubt(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with (
            changing_house(tmp_path / "h", pki_home) as (house, register),
            choosy(house, 403, known=False) as url,
        ):
            await house.gateway.store.seed(at(house, url), "settings file")
            entry = await rehearsed(register, ours(house, tmp_path / "k"))
            assert entry.rehearsed
            assert "is not known: HTTP 403" in told(entry)

    async def test_an_agency_that_nobody_knows_or_that_has_no_tls(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            with pytest.raises(RegisterRefused, match="There is no agency health"):
                await added(register, ours(house, tmp_path / "k"), "agency health")


class TestRevocation:
    async def test_without_another_key_the_agency_is_called_without_and_filings_wait(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            await delivered(house)
            (old,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
            with pytest.raises(RegisterRefused, match="would be called without a certificate"):
                await register.retire(old.id, LAN)
            await register.revoke(old.id, LAN)
            await taken_over(register)
            house.simulator.callers.clear()
            number = (await of.submit(signed(house.pki, "taxpayer-ec"))).body["number"]
            await house.follow(of, number, until=("delivering",))
            await exchanged(register, ours(house, tmp_path / "k"))
            assert (await house.follow(of, number))["status"] == "accepted"
            assert old.fingerprint not in house.simulator.callers

    async def test_the_next_one_takes_over_in_the_same_act(self, tmp_path: Path, pki_home: Path) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            (old,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
            new = await rehearsed(register, ours(house, tmp_path / "k"))
            await register.revoke(old.id, LAN)
            await taken_over(register)
            assert {e.id: e.state for e in await register.entries()}[new.id] is State.ACTIVE
            house.simulator.callers.clear()
            await delivered(house)
            assert set(house.simulator.callers) == {new.fingerprint}

    async def test_a_key_that_cannot_be_had_changes_nothing_but_a_revoked_one_calls_nobody(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            (old,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
            identity = ours(house, tmp_path / "k")
            new = await rehearsed(register, identity)
            key = identity.key.read_bytes()
            identity.key.unlink()
            await register.activate(new.id, LAN)
            done, (process,) = await register.effect(20)
            assert done
            assert "agency tax: rest adapter: client_key: no file" in process.faults[0]
            await delivered(house)

            await register.revoke(old.id, LAN)
            await register.effect(20)
            house.simulator.callers.clear()
            number = (await of.submit(signed(house.pki, "taxpayer-ec"))).body["number"]
            story = await house.follow(of, number, until=("delivering",))
            assert story["status"] == "delivering"
            assert not house.simulator.callers
            identity.key.write_bytes(key)
            assert (await house.follow(of, number))["status"] == "accepted"
            assert set(house.simulator.callers) == {new.fingerprint}


async def test_over_a_queue_too_a_revoked_key_calls_nobody_while_the_next_cannot_be_had_and_doctor_says_why(
    tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    shared, queues = await broker.shared(pki, tmp_path / "broker"), own_queues()
    tax = {"adapter": "queue", "config": queue_settings(pki, tmp_path, shared.port, queues)}
    async with (
        authority_at(pki, shared.port, queues, Behaviour(verdict_delay_s=0)) as authority,
        changing_house(tmp_path / "h", pki_home, tax=tax) as (house, register),
        house.client() as of,
    ):
        await delivered(house)
        (old,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
        identity = ours(house, tmp_path / "k")
        new = await rehearsed(register, identity)
        key = identity.key.read_bytes()
        identity.key.unlink()
        await register.activate(new.id, LAN)
        await register.revoke(old.id, LAN)
        assert "client_key: no file" in "".join(await faults_of(register))
        before = set(authority.books)
        number = (await of.submit(signed(house.pki, "taxpayer-ec"))).body["number"]
        await house.follow(of, number, until=("delivering",))
        while "attempt-failed" not in [one.name for one in await house.gateway.store.events(number)]:
            await asyncio.sleep(0.02)
        assert set(authority.books) == before
        findings = [one for one in await examine(house.settings, clock) if one.about == new.id]
        assert [str(identity.key) in one.text.en for one in findings] == [True], findings
        identity.key.write_bytes(key)
        assert (await house.follow(of, number))["status"] == "accepted"


async def test_a_key_with_a_password(tmp_path: Path, pki_home: Path) -> None:
    async with changing_house(tmp_path / "h", pki_home) as (house, register):
        identity, password = ours(house, tmp_path / "k"), tmp_path / "password"
        private = load_pem_private_key(identity.key.read_bytes(), None)
        identity.key.write_bytes(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        )
        password.write_text("wrong\n")
        password.chmod(0o600)
        assert "Incorrect password" in told(await rehearsed(register, identity, password_file=str(password)))
        password.write_text("secret\n")
        (entry,) = [e for e in await register.entries() if e.state is State.NEXT]
        assert (await register.rehearse(entry.id, LAN)).rehearsed
        await register.activate(entry.id, LAN)
        await taken_over(register)
        await delivered(house)
        assert entry.fingerprint in house.simulator.callers


async def test_another_authority_of_the_agency_counts_as_soon_as_its_file_says_so(
    tmp_path: Path, pki_home: Path
) -> None:
    """The same holds for files of tokens and passwords: none of them is in the register."""
    ca = tmp_path / "agency-ca.pem"
    strange = certs_dev.load(pki_home / "pki").authority("stranger-root").certificate
    ca.write_bytes(strange.public_bytes(Encoding.PEM))
    speaks = Speaks(config={"ca_file": str(ca)})
    async with changing_house(tmp_path / "h", pki_home, speaks=speaks) as (house, register):
        async with house.client() as of:
            number = (await of.submit(signed(house.pki, "taxpayer-ec"))).body["number"]
            await house.follow(of, number, until=("delivering",))
            assert not house.simulator.callers
            ca.write_bytes(b"half a")
            while not [fault for one in await house.gateway.store.taken_over() for fault in one.faults]:
                await asyncio.sleep(0.02)
            ca.write_bytes(house.pki.tls_ca.read_bytes())
            assert (await house.follow(of, number))["status"] == "accepted"
        await taken_over(register)


async def test_an_agency_whose_files_hang_holds_up_neither_another_nor_a_revocation(
    tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe stands in for a file on a network file system that is gone: opening it never ends."""
    monkeypatch.setattr(beside, "_SECONDS", 0.3)
    serves = {"construction": ["construction"]}
    async with (
        changing_house(tmp_path / "h", pki_home, serves=serves) as (house, register),
        house.client() as of,
    ):
        (old,) = [e for e in await register.entries() if e.purpose is Purpose.AGENCY_TLS]
        identity = ours(house, tmp_path / "k")
        new = await rehearsed(register, identity)
        other = await rehearsed(register, ours(house, tmp_path / "l"), "agency construction")
        there, file = identity.chain.read_bytes(), identity.chain
        file.unlink()
        os.mkfifo(file)
        try:
            await register.activate(new.id, LAN)
            hangs = ("agency tax: its files cannot be read: they hang",)
            assert await faults_of(register) == hangs
            await delivered(house)  # as before
            await register.activate(other.id, LAN)
            await register.revoke(old.id, LAN)
            assert await faults_of(register) == hangs
            house.simulator.callers.clear()
            number = (await of.submit(signed(house.pki, "taxpayer-ec"))).body["number"]
            await house.follow(of, number, until=("delivering",))
            assert not house.simulator.callers, "called with a revoked key"
            file.rename(tmp_path / "pipe")
            file.write_bytes(there)
        finally:
            release(tmp_path / "pipe", file)
        assert (await house.follow(of, number))["status"] == "accepted"
        assert set(house.simulator.callers) == {new.fingerprint}


async def test_one_certificate_towards_two_agencies_and_each_changes_by_itself(
    tmp_path: Path, pki_home: Path
) -> None:
    async with changing_house(tmp_path / "h", pki_home, serves={"construction": ["construction"]}) as (
        house,
        register,
    ):
        identity = ours(house, tmp_path / "k")
        one = await exchanged(register, identity)
        two = await exchanged(register, identity, "agency construction")
        assert one.id != two.id
        await exchanged(register, ours(house, tmp_path / "l", days=1600), "agency construction")
        states = {e.id: e.state for e in await register.entries()}
        assert (states[one.id], states[two.id]) == (State.ACTIVE, State.RETIRING)


async def test_a_key_that_the_settings_file_names_newly_takes_over_at_the_next_start(
    tmp_path: Path, pki_home: Path
) -> None:
    async with changing_house(tmp_path / "h", pki_home) as (house, _):
        new = ours(house, tmp_path / "k")
    (agency,) = house.settings.agency
    config = {**agency.config, "client_cert": str(new.chain), "client_key": str(new.key)}
    moved = replace(house.settings, agency=(replace(agency, config=config),))
    moved = replace(moved, door=replace(moved.door, port=0))
    for settings in (moved, replace(moved, agency=house.settings.agency)):  # the file says the old one again
        async with running(settings) as gateway:
            entries = await gateway.store.entries()
            current = active(entries, Purpose.AGENCY_TLS, TAX)
            assert current is not None
            assert current.fingerprint == fingerprint_of(new.read_certificate())


def at(house: House, url: str) -> list[Seed]:
    """What the store holds of the agency, at another address."""
    (agency,) = house.settings.agency
    config = {**agency.config, "base_url": url.replace("127.0.0.1", "localhost")}
    return seeds_of(replace(house.settings, agency=(replace(agency, config=config),)))


@asynccontextmanager
async def choosy(house: House, status: int, *, known: bool = True) -> AsyncIterator[str]:
    """A server that lets anybody shake hands, and answers `status` but to the certificate in use, where it is known."""
    usual = house.pki["gateway-client"].read_certificate().public_bytes(Encoding.DER)

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        shown = request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return web.Response(status=200 if known and shown == usual else status)

    async with tls_door(house.pki, "agency-server", answer) as url:
        yield url


@pytest.mark.parametrize("name", FAMILIES)
async def test_every_file_beside_the_certificate_counts_once_it_has_changed(
    name: str, tmp_path: Path, pki_home: Path
) -> None:
    family = FAMILIES[name]
    config = family.settings(certs_dev.load(pki_home / "pki"), tmp_path)
    agency = Agency("health", "Bộ Y tế", family.kind, config, ("health",), 1.0)
    keys = AgencyKeys([agency], [])
    named = [key for key in config if key.endswith("_file") and key != "client_key_password_file"]
    if family.kind == "sftp" and "client_key" in config:
        named.append("client_key")
    files = [Path(config[key]) for key in named]
    for file in files:
        assert not await keys.changed([])
        later = file.stat().st_mtime_ns + 10**9
        os.utime(file, ns=(later, later))
        assert await keys.changed([])
        assert await keys.take_over([]) == []
    assert not await keys.changed([])
    for adapter in keys.adapters.values():
        await adapter.close()
