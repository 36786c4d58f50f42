"""People of the administrators' door come, change and go while it serves: from their next request on, on kept
connections too; and each act is in the audit record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

import certs_dev
from gateway.admin.roles import Role
from gateway.app import running
from gateway.cli.certs_admin import admin
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.register.acts import Certificates, Who
from gateway.register.administrators import Administrators
from gateway.register.entry import Entry, Purpose, RegisterRefused, State
from gateway.store.looking import AuditFilter
from tests.admin.people import Caller, admin_house, admin_settings
from tests.cli.running import efile_beside
from tests.house import House
from tests.register.changing import issued

LAN = Who("lan", "she has come")


def desk(house: House) -> Administrators:
    return Administrators(house.settings, house.gateway.store, clock)


async def enter(house: House, name: str, certificate: Path) -> Entry:
    register = Certificates(house.settings, house.gateway.store, clock)
    (entry,) = await register.add_certificate(Purpose.ADMIN, certificate.read_bytes(), LAN, f"admin {name}")
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsed, tried.rehearsal
    return await register.activate(entry.id, LAN)


def with_certificate(house: House, identity: certs_dev.pki.Identity) -> Caller:
    """A caller with a certificate that the house's plan does not name."""
    shutil.copytree(identity.key.parent, house.pki["admin"].key.parent.parent / identity.key.parent.name)
    caller = Caller(house, None)
    caller._session.connector._ssl.load_cert_chain(identity.certificate, identity.key)  # type: ignore[union-attr]
    return caller


async def acts(house: House, subject: str) -> list[str]:
    entries = await house.gateway.store.audit(AuditFilter(subject=subject, limit=100))
    return [entry.act for entry in reversed(entries)]


async def test_somebody_new_is_in_at_once_and_has_two_certificates_while_they_change(
    admins: House, tmp_path: Path
) -> None:
    first, second = (issued(admins.pki, tmp_path / f"new{n}", "admin-ca", "client") for n in (1, 2))
    caller = with_certificate(admins, first)
    async with caller:
        assert (await caller.get("/admin/v1/me")).status == 403
        await desk(admins).add("Lan", (Role.AUDITOR,), "lan", LAN)
        entry = await enter(admins, "Lan", first.certificate)
        answer = await caller.get("/admin/v1/me")
        assert (answer.json["name"], answer.json["roles"]) == ("Lan", ["auditor"])
        await enter(admins, "Lan", second.certificate)
        async with with_certificate(admins, second) as other:
            assert (await other.get("/admin/v1/me")).json["name"] == "Lan"
            register = Certificates(admins.settings, admins.gateway.store, clock)
            await register.revoke(entry.id, Who("lan", "lost"))
            refused = await caller.get("/admin/v1/me")
            assert (refused.status, "revoked" in refused.text) == (403, True), "on the kept connection"
            assert (await other.get("/admin/v1/me")).status == 200
    assert await acts(admins, "Lan") == ["person.add", "person.change"]
    assert "certificate.revoke" in await acts(admins, entry.id)


async def test_roles_count_from_the_next_request_on_and_a_suspended_one_is_out(admins: House) -> None:
    async with Caller(admins, "admin-viewer") as caller:
        assert (await caller.get("/admin/v1/audit")).status == 403
        await desk(admins).give_roles("admin-viewer", (Role.AUDITOR,), LAN)
        assert (await caller.get("/admin/v1/audit")).status == 200
        await desk(admins).suspend("admin-viewer", LAN)
        answer = await caller.get("/admin/v1/me")
        assert (answer.status, "suspended" in answer.text) == (403, True)
        assert (await caller.get("/console")).status == 403
        await desk(admins).suspend("admin-viewer", LAN, suspended=False)
        assert (await caller.get("/admin/v1/me")).status == 200
    assert (await acts(admins, "admin-viewer"))[-3:] == ["person.change", "person.suspend", "person.resume"]


async def test_a_restart_changes_nothing_but_what_the_file_says_newly(tmp_path: Path, pki_home: Path) -> None:
    async with admin_house(tmp_path, pki_home) as house:
        await desk(house).give_roles("admin-viewer", (Role.AUDITOR,), LAN)
        await desk(house).suspend("admin-operator", LAN)
        settings, pki = house.settings, house.pki
    assert settings.admin is not None

    async def after(admin: object) -> dict[str, tuple[list[str], str | None]]:
        async with running(replace(settings, admin=admin), share_ports=True) as gateway:
            return {p.name: (sorted(p.roles), p.suspended) for p in await gateway.store.people()}

    found = await after(settings.admin)
    assert found["admin-viewer"] == (["auditor"], None)
    assert found["admin-operator"][1] == "she has come"
    people = settings.admin.person
    newly = tuple(replace(p, roles=(Role.OPERATOR,)) if p.name == "admin-viewer" else p for p in people)
    assert (await after(replace(settings.admin, person=newly)))["admin-viewer"] == (["operator"], None)
    fewer = tuple(p for p in newly if p.name != "admin-viewer")
    assert (await after(replace(settings.admin, person=fewer)))["admin-viewer"][
        1
    ] == "no longer in the settings file"
    assert (await after(None))["admin-auditor"][1] is None, (
        "a node without the door says nothing of its people"
    )
    found = await after(replace(settings.admin, person=newly))
    assert found["admin-viewer"] == (["operator"], None)
    assert found["admin-operator"][1] == "she has come", "what an administrator has suspended stays so"
    assert admin_settings(pki).person == people


async def test_what_the_file_lists_no_more_opens_no_longer(tmp_path: Path, pki_home: Path) -> None:
    async with admin_house(tmp_path, pki_home) as house:
        settings = house.settings
    assert settings.admin is not None
    viewer, auditor = settings.admin.person[0], settings.admin.person[3]
    for person, active in ((replace(viewer, certificates=auditor.certificates), False), (viewer, True)):
        listed = (person, *(p for p in settings.admin.person if p.name not in (viewer.name, auditor.name)))
        async with running(
            replace(settings, admin=replace(settings.admin, person=listed)), share_ports=True
        ) as gateway:
            entries = await gateway.store.entries()
            (entry,) = [
                e for e in entries if e.party == f"admin {viewer.name}" and "viewer" in e.subject.lower()
            ]
            assert (await gateway.store.person_with(entry.fingerprint)) == (viewer.name, active)
            assert (entry.state is State.ACTIVE) is active


async def test_two_people_cannot_share_an_account_nor_a_certificate(tmp_path: Path, pki_home: Path) -> None:
    async with admin_house(tmp_path, pki_home) as house:
        await desk(house).declare_account("admin-viewer", "lan", LAN)
        with pytest.raises(RegisterRefused, match="admin-viewer's"):
            await desk(house).declare_account("admin-auditor", "lan", LAN)
        register = Certificates(house.settings, house.gateway.store, clock)
        octets = house.pki["admin-viewer"].certificate.read_bytes()
        with pytest.raises(RegisterRefused):
            await register.add_certificate(Purpose.ADMIN, octets, LAN, "admin admin-auditor")
        stranger = issued(house.pki, tmp_path / "s", "client-ca", "client")
        (entry,) = await register.add_certificate(
            Purpose.ADMIN, stranger.certificate.read_bytes(), LAN, "admin admin-auditor"
        )
        tried = await register.rehearse(entry.id, LAN)
        assert not tried.rehearsed, "the machines' authority lets nobody in here"
        settings = house.settings
    assert settings.admin is not None
    both = tuple(replace(p, account="lan") for p in settings.admin.person)
    with pytest.raises(ConfigurationError, match="somebody else's"):
        async with running(replace(settings, admin=replace(settings.admin, person=both))):
            pass
    taken = tuple(replace(p, account="lan") if p.name == "admin" else p for p in settings.admin.person)
    with pytest.raises(ConfigurationError, match="admin-viewer's"):
        async with running(replace(settings, admin=replace(settings.admin, person=taken))):
            pass


class TestAtTheDoor:
    async def test_people_are_listed_suspended_and_let_in_again(self, admins: House) -> None:
        async with Caller(admins, "admin-certificates") as caller, Caller(admins, "admin-operator") as other:
            listed = (await caller.get("/admin/v1/people")).json
            assert {one["name"] for one in listed} >= {"admin", "admin-operator"}
            for act, status in (("suspend", 403), ("resume", 200)):
                answer = await caller.post(f"/admin/v1/people/admin-operator/{act}", {"why": "on leave"})
                assert answer.status == 200, answer.text
                assert (await other.get("/admin/v1/me")).status == status
            assert (await caller.post("/admin/v1/people/admin-operator/resume", {"why": "x"})).status == 409
            assert (await caller.post("/admin/v1/people/nobody/suspend", {"why": "x"})).status == 404
            assert (await caller.post("/admin/v1/people/admin/add", {"why": "x"})).status == 404
            assert (await caller.post("/admin/v1/people/admin/suspend", {})).status == 400
            stale = {"why": "x", "version": 77}
            assert (await caller.post("/admin/v1/people/admin/suspend", stale)).status == 409
        async with Caller(admins, "admin-auditor") as auditor:
            assert (await auditor.get("/admin/v1/people")).status == 200
            assert (await auditor.post("/admin/v1/people/admin/suspend", {"why": "x"})).status == 403

    async def test_the_last_certificate_administrator_stays(self, admins: House) -> None:
        register = Certificates(admins.settings, admins.gateway.store, clock)
        (own,) = [e for e in await register.entries() if e.party == "admin admin-certificates"]
        async with Caller(admins, "admin-certificates") as caller:
            assert (await caller.post("/admin/v1/people/admin/suspend", {"why": "x"})).status == 200
            answers = [
                await caller.post("/admin/v1/people/admin-certificates/suspend", {"why": "x"}),
                await caller.post(f"/admin/v1/certificates/{own.id}/revoke", {"why": "x"}),
                await caller.post(
                    f"/admin/v1/certificates/{own.id}/retire", {"why": "x", "at": "2099-01-01T00:00"}
                ),
            ]
            for answer in answers:
                assert answer.status == 409
                assert "last certificate administrator" in answer.text
            assert (await caller.get("/admin/v1/me")).status == 200
            second = issued(admins.pki, Path(admins.settings.store).parent / "second", "admin-ca", "client")
            await enter(admins, "admin-certificates", second.certificate)
            answer = await caller.post(
                f"/admin/v1/certificates/{own.id}/revoke", {"why": "the other is there"}
            )
            assert answer.status == 200, answer.text
            assert (await caller.get("/admin/v1/me")).status == 403
        await desk(admins).suspend("admin-certificates", Who("root", "on the machine it can be done"))


@pytest.mark.timeout(300)
async def test_the_commands(admins: House, tmp_path: Path) -> None:
    config = admins.installation.settings
    text = config.read_text(encoding="utf-8")
    assert admins.settings.admin is not None
    if "[admin]" not in text:
        said = admins.settings.admin
        text += (
            f'\n[admin]\ncertificate = "{said.certificate}"\nkey = "{said.key}"\n'
            f'client_ca = "{said.client_ca}"\nclient_crls = "{said.client_crls}"\n'
        )
        config.write_text(text, encoding="utf-8")
    new = issued(admins.pki, tmp_path / "new", "admin-ca", "client")

    async def run(*arguments: object, code: int = 0) -> str:
        said = await efile_beside("certs", "admin", *arguments, "--config", config)
        assert said.returncode == code, said.stdout + said.stderr
        return said.stdout + said.stderr

    await run("add", "Minh", new.certificate, "--why", "x", code=1)
    await run(
        "add",
        "Minh",
        new.certificate,
        "--role",
        "viewer",
        "--role",
        "operator",
        "--account",
        "minh",
        "--why",
        "new",
    )
    async with with_certificate(admins, new) as caller:
        assert (await caller.get("/admin/v1/me")).json["roles"] == ["operator", "viewer"]
        await run("role", "Minh", "--role", "auditor", "--why", "moved")
        assert (await caller.get("/admin/v1/me")).json["roles"] == ["auditor"]
        await run("suspend", "Minh", "--why", "left")
        assert (await caller.get("/admin/v1/me")).status == 403
        await run("resume", "Minh", "--why", "back")
        newer = issued(admins.pki, tmp_path / "newer", "admin-ca", "client")
        await run("renew", "Minh", newer.certificate, "--at", "2099-01-01T00:00", "--why", "a year")
        assert (await caller.get("/admin/v1/me")).status == 200
    await run("account", "Minh", "", "--why", "none any more")
    listed = json.loads(await run("list", "--json"))
    (minh,) = [one for one in listed if one["name"] == "Minh"]
    assert (minh["roles"], minh["account"], minh["suspended"]) == (["auditor"], None, None)
    await run("role", "nobody", "--role", "viewer", "--why", "x", code=1)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81, "\u202eab"])
def test_a_name_is_one_that_people_can_read(name: str, pki: certs_dev.DevPki) -> None:
    said = CliRunner().invoke(
        admin, ["add", name, str(pki["admin"].certificate), "--role", "viewer", "--why", "x"]
    )
    assert (said.exit_code, "printable characters" in said.output) == (2, True)


@pytest.mark.parametrize("account", ["admin:Lan", "two words", "a\nb", "x" * 70])
def test_an_account_is_one_of_the_machine(account: str) -> None:
    said = CliRunner().invoke(admin, ["account", "Lan", account, "--why", "x"])
    assert (said.exit_code, "operating system" in said.output) == (2, True)
