"""Whose certificates open the administrators' door: authorities come and go by the register while it serves."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace as changed

from certs_dev.pki import Identity
from gateway.admin.people import ACTOR
from gateway.app import running
from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.clock import clock
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterRefused, State
from gateway.register.policy import OWN_POLICY
from tests.admin.people import Caller, admin_house
from tests.cli.running import efile_beside
from tests.documents import signed
from tests.house import House
from tests.register.changing import LAN, SOON, issued, taken_over

OTHER = "stranger-client-ca"
"""An authority that neither door trusts at first."""
SHUT = (aiohttp.ClientError, ssl.SSLError, ConnectionError)


@pytest.fixture
async def door(tmp_path: Path, pki_home: Path) -> AsyncIterator[tuple[House, Certificates]]:
    async with admin_house(tmp_path, pki_home, **SOON) as house:
        yield house, Certificates(house.settings, house.gateway.store, clock)


async def trusted(house: House, register: Certificates, purpose: Purpose = Purpose.ADMIN_CA) -> Entry:
    """The other authority, next, rehearsed and in use."""
    pem = house.pki.authority(OTHER).certificate.public_bytes(Encoding.PEM)
    (entry,) = await register.add_certificate(purpose, pem, LAN)
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsed, tried.rehearsal
    entry = await register.activate(entry.id, LAN)
    await taken_over(register)
    return entry


async def entered(register: Certificates, name: str, identity: Identity) -> Entry:
    """A further certificate of somebody."""
    octets = identity.certificate.read_bytes()
    (entry,) = await register.add_certificate(Purpose.ADMIN, octets, LAN, f"admin {name}")
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsed, tried.rehearsal
    return await register.activate(entry.id, LAN)


def caller_with(house: House, identity: Identity) -> Caller:
    caller = Caller(house, None)
    caller._session.connector._ssl.load_cert_chain(identity.certificate, identity.key)  # type: ignore[union-attr]
    return caller


async def test_an_authority_comes_and_goes_and_its_kept_connections_with_it(
    door: tuple[House, Certificates], tmp_path: Path
) -> None:
    house, register = door
    new = issued(house.pki, tmp_path / "new", OTHER, "client")
    with pytest.raises(SHUT):
        async with caller_with(house, new) as caller:
            await caller.get("/admin/v1/me")
    authority = await trusted(house, register)
    await entered(register, "admin-viewer", new)
    async with Caller(house, "admin-viewer") as old, caller_with(house, new) as caller:
        assert (await old.get("/admin/v1/me")).status == 200, "both authorities count while they overlap"
        assert (await caller.get("/admin/v1/me")).json["name"] == "admin-viewer"
        await register.revoke(authority.id, Who("lan", "stolen"))
        await taken_over(register)
        answer = await caller.get("/admin/v1/me")
        assert (answer.status, answer.json["reason"]) == (403, "authority not trusted"), (
            "on the kept connection"
        )
        assert "không còn được tin cậy" in answer.text
        assert (await caller.get("/console")).status == 403
        assert (await old.get("/admin/v1/me")).status == 200
    with pytest.raises(SHUT):
        async with caller_with(house, new) as caller:
            await caller.get("/admin/v1/me")


async def test_the_settings_files_authority_is_given_up_once_another_is_there(
    tmp_path: Path, pki_home: Path
) -> None:
    """Without a restart; and a restart with the file that goes on naming it does not bring it back."""
    async with admin_house(tmp_path, pki_home, **SOON) as house:
        register = Certificates(house.settings, house.gateway.store, clock)
        own = house.pki.admin_ca.read_bytes()
        with pytest.raises(RegisterRefused, match="No authority of administrators' certificates is left"):
            await register.distrust(own, LAN)
        await trusted(house, register)
        with pytest.raises(RegisterRefused, match="No certificate administrator could come in"):
            await register.distrust(own, LAN)
        new = issued(house.pki, tmp_path / "new", OTHER, "client")
        await entered(register, "admin-certificates", new)
        async with Caller(house, "admin") as caller:
            assert (await caller.get("/admin/v1/me")).status == 200
            gone = await register.distrust(own, LAN)
            assert (gone.purpose, gone.state) == (Purpose.ADMIN_CA, State.RETIRED)
            await taken_over(register)
            assert (await caller.get("/admin/v1/me")).json["reason"] == "authority not trusted"
    settings = changed(house.settings, door=changed(house.settings.door, port=0))
    async with running(settings, share_ports=True) as gateway:
        again = replace(house, gateway=gateway)
        async with caller_with(again, new) as caller:
            assert (await caller.get("/admin/v1/me")).json["name"] == "admin-certificates"
        with pytest.raises(SHUT):
            async with Caller(again, "admin") as caller:
                await caller.get("/admin/v1/me")


async def test_each_door_has_authorities_of_its_own(door: tuple[House, Certificates], tmp_path: Path) -> None:
    house, register = door
    stranger = house.pki["stranger-client"]
    await trusted(house, register)
    with pytest.raises(Unreachable):
        async with GatewayClient(
            Connection(house.url, stranger.certificate, stranger.key, house.pki.tls_ca)
        ) as of:
            await of.submit(signed(house.pki, "taxpayer-ec"))
    (theirs,) = await register.add_certificate(
        Purpose.CLIENT, stranger.certificate.read_bytes(), LAN, "provider beta"
    )
    assert not (await register.rehearse(theirs.id, LAN)).rehearsed
    machines = issued(house.pki, tmp_path / "m", "client-ca", "client")
    with pytest.raises(SHUT):
        async with caller_with(house, machines) as caller:
            await caller.get("/admin/v1/me")
    async with house.client() as of:
        assert (await of.submit(signed(house.pki, "taxpayer-ec"))).status == 201


async def test_one_authority_at_both_doors_goes_from_both(door: tuple[House, Certificates]) -> None:
    house, register = door
    for purpose in (Purpose.CLIENT_CA, Purpose.ADMIN_CA):
        await trusted(house, register, purpose)
    await register.distrust(
        house.pki.authority(OTHER).certificate.public_bytes(Encoding.PEM), Who("lan", "given up")
    )
    cas = {e.purpose: e.state for e in await register.entries() if e.purpose.value.endswith("-ca")}
    assert cas == {Purpose.CLIENT_CA: State.RETIRED, Purpose.ADMIN_CA: State.RETIRED}


async def test_who_could_let_nobody_in_any_more_cannot_do_it_at_the_door(
    door: tuple[House, Certificates],
) -> None:
    """By retiring or revoking; on the machine an emergency is one."""
    house, register = door
    await trusted(house, register)
    async with Caller(house, "admin-certificates") as caller:
        own = house.pki.admin_ca.read_bytes()
        (entry,) = await register.add_certificate(Purpose.ADMIN_CA, own, LAN)
        await register.rehearse(entry.id, LAN)
        await register.activate(entry.id, LAN)
        for act in ("retire", "revoke"):
            answer = await caller.post(f"/admin/v1/certificates/{entry.id}/{act}", {"why": "x"})
            assert answer.status == 409
            assert "No certificate administrator could come in" in answer.text
            assert "Không còn quản trị chứng thư số nào" in answer.text
        assert (await caller.get("/admin/v1/me")).status == 200
        with pytest.raises(RegisterRefused, match="could come in"):
            await register.revoke(entry.id, Who(f"{ACTOR}admin", "x"))
        await register.revoke(entry.id, Who("lan", "its key was stolen"))
        await taken_over(register)
        assert (await caller.get("/admin/v1/me")).json["reason"] == "authority not trusted"


async def test_nor_by_approving_what_another_has_proposed(tmp_path: Path, pki_home: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        OWN_POLICY.read_text("utf-8").replace("four_eyes = []", 'four_eyes = ["admin-ca"]'), "utf-8"
    )
    register_settings = {**SOON["register"], "policy": policy}
    async with admin_house(tmp_path / "h", pki_home, register=register_settings) as house:
        register = Certificates(house.settings, house.gateway.store, clock)
        pem = house.pki.authority(OTHER).certificate.public_bytes(Encoding.PEM)
        own = house.pki.admin_ca.read_bytes()
        entries = [
            one
            for octets in (pem, own)
            for one in await register.add_certificate(Purpose.ADMIN_CA, octets, LAN)
        ]
        for entry in entries:
            await register.rehearse(entry.id, LAN)
            await register.activate(entry.id, LAN)
            await register.approve(entry.id, Who("minh", "yes"))
        await taken_over(register)
        await register.retire(entries[1].id, LAN, force=True)
        async with Caller(house, "admin-certificates") as caller:
            answer = await caller.post(f"/admin/v1/certificates/{entries[1].id}/approve", {"why": "yes"})
            assert (answer.status, "could come in" in answer.text) == (409, True), answer.text
            assert (await caller.get("/admin/v1/me")).status == 200
        await register.approve(entries[1].id, Who("minh", "on the machine"))


async def test_an_authority_that_is_none_or_another_doors_certificate_is_not_rehearsed_green(
    door: tuple[House, Certificates],
) -> None:
    house, register = door
    (entry,) = await register.add_certificate(
        Purpose.ADMIN_CA, house.pki["admin"].certificate.read_bytes(), LAN
    )
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsal is not None
    assert any("certification authority" in text.en for text in tried.rehearsal.faults)
    with pytest.raises(RegisterRefused):
        await register.activate(entry.id, LAN)


async def test_what_cannot_be_read_at_one_door_keeps_the_other_up_to_date(
    door: tuple[House, Certificates], tmp_path: Path
) -> None:
    """The machines' lists cannot be read: told, and the administrators' authority is out all the same."""
    house, register = door
    new = issued(house.pki, tmp_path / "new", OTHER, "client")
    authority = await trusted(house, register)
    await entered(register, "admin-viewer", new)
    async with caller_with(house, new) as caller:
        assert (await caller.get("/admin/v1/me")).status == 200
        (house.pki.client_crl.parent / "broken.crl").write_bytes(b"no list")
        await register.retire(authority.id, LAN)
        done, (process,) = await register.effect(20)
        assert done
        assert process.faults
        assert (await caller.get("/admin/v1/me")).status == 403


@pytest.mark.timeout(300)
async def test_the_commands(door: tuple[House, Certificates], tmp_path: Path) -> None:
    house, register = door
    config = house.installation.settings
    said = house.settings.admin
    assert said is not None
    text = config.read_text(encoding="utf-8")
    if "[admin]" not in text:
        text += (
            f'\n[admin]\ncertificate = "{said.certificate}"\nkey = "{said.key}"\n'
            f'client_ca = "{said.client_ca}"\nclient_crls = "{said.client_crls}"\n'
        )
        config.write_text(text, encoding="utf-8")
    file = tmp_path / "other.pem"
    file.write_bytes(house.pki.authority(OTHER).certificate.public_bytes(Encoding.PEM))

    async def run(*arguments: object, code: int = 0) -> str:
        done = await efile_beside("certs", *arguments, "--config", config)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    await run("trust", "add", "admin-ca", file, "--why", "the house's own from June on")
    (entry,) = [e for e in await register.entries() if e.purpose is Purpose.ADMIN_CA]
    assert entry.state is State.ACTIVE
    new = issued(house.pki, tmp_path / "new", OTHER, "client")
    await run("admin", "add", "admin-viewer", new.certificate, "--why", "from the new authority")
    async with caller_with(house, new) as caller:
        assert (await caller.get("/admin/v1/me")).status == 200
        assert "certificate administrator" in await run(
            "trust", "retire", house.pki.admin_ca, "--why", "x", code=1
        )
        await run("trust", "retire", file, "--why", "given up")
        assert (await caller.get("/admin/v1/me")).json["reason"] == "authority not trusted"
    (gone,) = [e for e in await register.entries() if e.id == entry.id]
    assert gone.state is State.RETIRED
