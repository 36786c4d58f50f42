"""Keys of stored bodies change while the gateway serves: all is readable at any moment, mistakes change nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.app import running
from gateway.body_keys import new_body_key
from gateway.client.http import Connection, GatewayClient
from gateway.clock import clock
from gateway.development import Installation
from gateway.doctor import examine
from gateway.errors import ConfigurationError
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterConflict, RegisterRefused, State, active
from gateway.register.reseal import Resealing
from gateway.store.looking import AuditFilter
from gateway.store.opening import open_store
from gateway.store.register import Addition
from gateway.store.taken_over import TakenOver
from tests.cli.running import efile_beside
from tests.documents import signed
from tests.house import House
from tests.processes import Gateway, quick_installation
from tests.register.changing import LAN, changing_house, taken_over
from tests.register.test_doctor import said
from tests.register.typist import typist

ROOT = Path(__file__).resolve().parents[2]
WHY = ("--why", "a key a year")


def key_file(folder: Path, name: str, octets: bytes | None = None) -> Path:
    file = folder / name
    file.write_bytes(os.urandom(32) if octets is None else octets)
    file.chmod(0o600)
    return file


@asynccontextmanager
async def sealing_house(tmp_path: Path, pki_home: Path) -> AsyncIterator[tuple[House, Certificates]]:
    """A house whose settings name the key `one`."""
    one = key_file(tmp_path, "one")
    async with changing_house(
        tmp_path / "h", pki_home, bodies={"keys": {"one": one}, "seal_with": "one"}
    ) as both:
        yield both


async def next_body_key(register: Certificates, file: Path) -> Entry:
    entry = await register.add_body_key(file.name, file, LAN)
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsal is not None
    assert tried.rehearsal.faults == ()
    return tried


async def in_use(register: Certificates) -> str:
    current = active(await register.entries(), Purpose.BODIES)
    assert current is not None
    return current.subject


async def filed(of: GatewayClient, house: House) -> tuple[str, bytes]:
    document = signed(house.pki, "taxpayer-ec")
    reply = await of.submit(document)
    assert reply.status == 201, reply.body
    return reply.body["number"], document


async def sealed_by(house: House, number: str) -> str:
    rows = await house.gateway.store._driver.read("SELECT sealed_by FROM body WHERE number = ?", (number,))
    return str(rows[0][0])


class TestExchange:
    async def test_the_next_body_is_sealed_with_it_and_the_ones_before_are_read(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with sealing_house(tmp_path, pki_home) as (house, register), house.client() as of:
            first, document = await filed(of, house)
            entry = await next_body_key(register, key_file(tmp_path, "two"))
            await register.activate(entry.id, LAN)
            await taken_over(register)
            second, _ = await filed(of, house)
            assert [await sealed_by(house, number) for number in (first, second)] == ["one", "two"]
            assert (await of.part(first, "document")).octets == document
            old = next(e for e in await register.entries() if e.subject == "one")
            with pytest.raises(RegisterRefused, match="bodies in the store are"):
                await register.retire(old.id, LAN)
            with pytest.raises(RegisterRefused, match="bodies in the store are"):
                await register.retire(old.id, LAN, force=True)
            done = await Resealing(house.settings, register, clock).reseal(None, LAN)
            assert (done.resealed, done.left, done.failed) == (1, 0, ())
            await register.retire(old.id, LAN)
            assert (await of.part(first, "document")).octets == document

    async def test_the_register_decides_after_a_new_start_and_a_retired_keys_file_may_be_gone(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        from msgspec.structs import replace

        async with sealing_house(tmp_path, pki_home) as (house, register), house.client() as of:
            first, document = await filed(of, house)
            entry = await next_body_key(register, key_file(tmp_path, "two"))
            await register.activate(entry.id, LAN)
            await taken_over(register)
            await Resealing(house.settings, register, clock).reseal("bodies:retiring", LAN)
            await register.retire("bodies:retiring", LAN)
            (tmp_path / "one").unlink()
            settings = replace(house.settings, door=replace(house.settings.door, port=0))
        async with running(settings) as again:  # the settings still name the first key, and no other
            assert again.store.body_keys.sealer.name == "two"
            assert await again.store.document(first) == document
            (tmp_path / "two").unlink()
        with pytest.raises(ConfigurationError, match="two: No such file"):
            async with running(settings):
                pass

    async def test_a_stolen_key_seals_nothing_more_and_still_opens(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with sealing_house(tmp_path, pki_home) as (house, register), house.client() as of:
            first, document = await filed(of, house)
            with pytest.raises(RegisterRefused, match="another one has to take over first"):
                await register.revoke("bodies:active", LAN)
            await next_body_key(register, key_file(tmp_path, "two"))
            await register.revoke("bodies:active", LAN)
            await taken_over(register)
            second, _ = await filed(of, house)
            assert await sealed_by(house, second) == "two"
            assert (await of.part(first, "document")).octets == document
            wrong = said(await examine(house.settings, clock), wrong=True)
            assert "1 bodies and papers are still sealed with it" in wrong
            await Resealing(house.settings, register, clock).reseal("bodies:revoked", LAN)
            assert "still sealed" not in said(await examine(house.settings, clock), wrong=True)


class TestMistakes:
    @pytest.mark.parametrize("octets", [b"", b"short", bytes(31), bytes(33)])
    async def test_what_is_no_key_does_not_enter(self, tmp_path: Path, pki_home: Path, octets: bytes) -> None:
        async with sealing_house(tmp_path, pki_home) as (_, register):
            with pytest.raises(ConfigurationError, match="not a key of 32 octets"):
                await register.add_body_key("two", key_file(tmp_path, "two", octets), LAN)
            with pytest.raises(ConfigurationError, match="name of 1 to 255"):
                await register.add_body_key("x" * 256, key_file(tmp_path, "three"), LAN)
            assert len([e for e in await register.entries() if e.purpose is Purpose.BODIES]) == 1

    async def test_a_key_that_others_can_read_or_that_a_node_cannot_is_not_green(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with sealing_house(tmp_path, pki_home) as (house, register):
            file = key_file(tmp_path, "two")
            file.chmod(0o640)
            entry = await register.add_body_key("two", file, LAN)
            epoch = await house.gateway.store.epoch()
            fault = f"{entry.id}: {file}: No such file or directory"
            await house.gateway.store.report_taken_over(TakenOver("node-2:17", epoch, (fault,)))
            tried = await register.rehearse(entry.id, LAN)
            assert tried.rehearsal is not None
            told = [fault.en for fault in tried.rehearsal.faults]
            assert len(told) == 2
            assert "readable by others" in told[0]
            assert "node-2:17 cannot use it" in told[1]
            with pytest.raises(RegisterRefused, match="no green rehearsal"):
                await register.activate(entry.id, LAN)

    async def test_a_file_that_is_gone_by_then_changes_nothing_and_is_told_and_back_again_it_counts(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with sealing_house(tmp_path, pki_home) as (house, register), house.client() as of:
            store = house.gateway.store
            file = key_file(tmp_path, "two")
            hidden = file.with_name("hidden")
            new = new_body_key("two", file, clock())
            file.rename(hidden)
            entry = await store.add_entry(Addition(new, "lan", clock(), ""))
            await register.activate(entry.id, LAN, force=True)
            async with asyncio.timeout(20):
                while not (told := [fault for one in await store.taken_over() for fault in one.faults]):
                    await asyncio.sleep(0.05)
            assert f"{entry.id}: {file}: No such file" in told[0]
            number, document = await filed(of, house)
            assert await sealed_by(house, number) == "one"
            with pytest.raises(RegisterRefused, match="cannot use it"):
                await Resealing(house.settings, register, clock).reseal(None, LAN)
            with pytest.raises(RegisterRefused, match="cannot use it"):
                await register.retire("bodies:retiring", LAN)
            hidden.rename(file)
            async with asyncio.timeout(20):
                while store.body_keys.sealer.name != "two":
                    await asyncio.sleep(0.05)
            assert (await of.part(number, "document")).octets == document

    async def test_of_two_administrators_the_second_is_told(self, tmp_path: Path, pki_home: Path) -> None:
        async with sealing_house(tmp_path, pki_home) as (_, register):
            two = await next_body_key(register, key_file(tmp_path, "two"))
            three = await next_body_key(register, key_file(tmp_path, "three"))
            await register.activate(two.id, LAN)
            with pytest.raises(RegisterConflict, match="changed by lan meanwhile"):
                await register.retire(two.id, Who("mai", "no", two.version))
            await register.activate(three.id, Who("mai", "this one", three.version))
            assert await in_use(register) == "three"
            states = {e.subject: e.state for e in await register.entries() if e.purpose is Purpose.BODIES}
            assert states == {"one": State.RETIRING, "two": State.RETIRING, "three": State.ACTIVE}

    async def test_only_another_key_than_the_one_in_use_is_emptied(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with sealing_house(tmp_path, pki_home) as (house, register):
            for name in ("bodies:active", "tls:active"):
                with pytest.raises(RegisterRefused, match="only what is under another key"):
                    await Resealing(house.settings, register, clock).reseal(name, LAN)
        async with changing_house(tmp_path / "i", pki_home) as (house, register):
            with pytest.raises(RegisterRefused, match="No key of bodies is in use"):
                await Resealing(house.settings, register, clock).reseal(None, LAN)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another account")
async def test_nobody_else_writes_what_the_gateway_could_not_read(tmp_path: Path, pki_home: Path) -> None:
    async with sealing_house(tmp_path, pki_home) as (house, _):
        folder = tmp_path / "bodies"
        folder.mkdir()
        os.chown(folder, 12_345, -1)
        settings = house.installation.settings
        settings.write_text(settings.read_text("utf-8") + f'\n[bodies]\nfolder = "{folder}"\n', "utf-8")
        typed = typist(settings)
        told = await typed("certs", "reseal", *WHY, code=1)
        assert "this is for the account that owns the folder" in told


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    """With a key, and a folder for what is large."""
    installation = quick_installation(tmp_path)
    one = key_file(tmp_path, "one")
    text = f'\n[bodies]\nfolder = "{tmp_path}/bodies"\nover_bytes = 2000\nseal_with = "one"\n'
    text += f'keys = {{ one = "{one}" }}\n'
    installation.settings.write_text(installation.settings.read_text("utf-8") + text, "utf-8")
    return installation


def client(made: Installation) -> GatewayClient:
    beta = made.pki["provider-b"]
    url = f"https://localhost:{made.ports.door}"
    return GatewayClient(Connection(url, beta.certificate, beta.key, made.pki.tls_ca))


async def both_serve(place: str) -> None:
    store = await open_store(place, clock)
    async with asyncio.timeout(120):
        while len(await store.taken_over()) < 2:
            await asyncio.sleep(0.05)
    await store.close()


async def begun(place: str) -> None:
    """The reseal is under way."""
    store = await open_store(place, clock)
    async with asyncio.timeout(60):
        while not await store.audit(AuditFilter(act="bodies.reseal")):
            await asyncio.sleep(0.002)
    await store.close()


@pytest.mark.timeout(400)
async def test_processes_change_the_key_under_load_and_the_old_one_is_thrown_away(
    made: Installation, place: str, tmp_path: Path
) -> None:
    """Over both engines; the reseal is killed in the middle once, and then run again."""
    there: dict[str, bytes] = {}
    over = asyncio.Event()

    async def send() -> None:
        async with client(made) as of:
            while not over.is_set():
                document = signed(made.pki, "taxpayer-ec")
                reply = await of.submit(document)
                assert reply.status == 201, reply.body
                there[reply.body["number"]] = document
                number = next(iter(there))
                assert (await of.part(number, "document")).octets == there[number]
                await asyncio.sleep(0.05)

    async def more(count: int) -> None:
        wanted = len(there) + count
        async with asyncio.timeout(120):
            while len(there) < wanted:
                await asyncio.sleep(0.05)
                assert not any(sender.done() for sender in senders)

    where = ("--store", place)
    with Gateway(made, 2, place) as gateway:
        await gateway.start()
        senders = [asyncio.create_task(send()) for _ in range(2)]
        typed = typist(made.settings)
        await both_serve(place)
        await more(20)
        renewed = await typed(
            "certs", "renew", "bodies", "--out", tmp_path / "two", "--activate", *WHY, *where
        )
        assert (renewed["state"], renewed["inEffect"], len(renewed["processes"])) == ("active", True, 2)
        await more(10)
        command = [sys.executable, "-m", "gateway.cli", "certs", "reseal", *WHY, *where]
        killed = subprocess.Popen([*command, "--config", str(made.settings)])
        await begun(place)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        done = await typed("certs", "reseal", *WHY, *where)
        assert (done["left"], done["failed"]) == (0, [])
        retired = await typed("certs", "retire", "bodies:retiring", *WHY, *where)
        assert (retired["subject"], retired["state"]) == ("one", "retired")
        (tmp_path / "one").unlink()
        settings = made.settings.read_text("utf-8")
        made.settings.write_text(settings.replace('seal_with = "one"', "").replace("keys = {", "# keys = {"))
        await more(10)
        over.set()
        await asyncio.gather(*senders)
        listed = {one["subject"]: one for one in await typed("certs", "list", "--all", *where)}
        assert (listed["one"]["seals"], listed["two"]["seals"]) == (0, len(there))
        assert await gateway.stop() == 0
        await gateway.start()
        async with client(made) as of:
            for number, document in there.items():
                assert (await of.part(number, "document")).octets == document
        (tmp_path / "stored.xml").write_bytes(document)
        verified = await efile_beside("verify", tmp_path / "stored.xml", "--trust", made.pki.trust)
        assert verified.returncode == 0, verified.stdout + verified.stderr
