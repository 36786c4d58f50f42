"""The console's page of people: who may call, by which certificates, suspended, let in again, approved by another."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from gateway.admin.roles import Role
from gateway.clock import clock
from gateway.register.acts import Who
from gateway.register.administrators import Administrators
from gateway.register.policy import OWN_POLICY
from tests.admin.people import Caller, admin_house, tree_of
from tests.admin.test_console_forms import Browser, acts
from tests.house import House
from tests.pages import text_of
from tests.register.changing import SOON

PEOPLE = "/console/people"


def desk(house: House) -> Administrators:
    return Administrators(house.settings, house.gateway.store, clock)


async def card(caller: Caller, name: str) -> Element:
    """What the page tells of one person."""
    answer = await caller.get(PEOPLE)
    assert answer.status == 200, answer.text
    for section in tree_of(answer).iter("section"):
        heading = section.find("h2/bdi")
        if heading is not None and text_of(heading) == name:
            return section
    raise AssertionError(name)


async def version(caller: Caller, name: str) -> str:
    fields = {f.get("name"): f.get("value") for f in (await card(caller, name)).iter("input")}
    return str(fields["version"])


async def test_each_person_is_shown_with_roles_account_and_certificates(admins: House) -> None:
    await desk(admins).declare_account("admin-viewer", "lan", Who("minh", "hers"))
    async with Caller(admins, "admin") as caller:
        vi = text_of(await card(caller, "admin-viewer"))
        for said in ("người xem", "lan", "Được vào", "minh", "hers"):
            assert said in vi, said
        entries = await admins.gateway.store.entries()
        (own,) = [e for e in entries if e.party == "admin admin-viewer"]
        links = [a.get("href") for a in (await card(caller, "admin-viewer")).iter("a")]
        assert links == [f"/console/certificates/{own.id}"]
        await caller.get("/console?lang=en")
        en = text_of(await card(caller, "admin"))
        for role in ("viewer", "operator", "certificate administrator", "auditor"):
            assert role in en
        assert "not declared" in en


async def test_one_is_suspended_and_let_in_again_by_forms(admins: House) -> None:
    async with Caller(admins, "admin") as caller, Caller(admins, "admin-operator") as other:
        browser = Browser(caller)
        token = {"token": await browser.token(PEOPLE), "why": "on leave"}
        for act, status, said in (("suspend", 403, "Cho vào lại"), ("resume", 200, "Tạm ngừng")):
            seen = {"version": await version(caller, "admin-operator")}
            answer = await browser.submit(f"{PEOPLE}/admin-operator/{act}", {**token, **seen})
            assert (answer.status, answer.headers.get("Location")) == (303, PEOPLE), answer.text
            assert (await other.get("/console")).status == status
            assert said in text_of(await card(caller, "admin-operator"))
        again = await browser.submit(f"{PEOPLE}/admin-operator/suspend", {**token, "version": "1"})
        assert again.status == 409, "somebody who saw an older version is told"
        assert "<h1>" in again.text
    assert [act for act, _, _ in await acts(admins)] == ["person.resume", "person.suspend"]


async def test_a_form_that_lies_or_comes_from_elsewhere_does_nothing(admins: House) -> None:
    async with Caller(admins, "admin") as caller:
        browser = Browser(caller)
        token = await browser.token(PEOPLE)
        good = {"token": token, "why": "x", "version": "1"}
        for path, fields, status in (
            ("admin-operator/suspend", {**good, "token": ""}, 403),
            ("admin-operator/suspend", {**good, "why": " "}, 400),
            ("admin-operator/suspend", {**good, "why": "a\x00b"}, 400),
            ("admin-operator/suspend", {**good, "version": "x"}, 400),
            ("admin-operator/suspend", {"token": token, "why": "x"}, 400),
            ("admin-operator/role", good, 404),
            ("admin-operator/approve", good, 409),
            ("nobody/suspend", good, 404),
            ("%0A/suspend", good, 404),
            ("a%2Fb/suspend", good, 404),
        ):
            answer = await browser.submit(f"{PEOPLE}/{path}", fields)
            assert answer.status == status, (path, fields, answer.text)
        foreign = await browser.submit(
            f"{PEOPLE}/admin-operator/suspend", good, **{"Origin": "https://evil.example"}
        )
        assert foreign.status == 403
    assert await acts(admins) == []


async def test_the_last_certificate_administrator_is_told_why_it_stays(admins: House) -> None:
    async with Caller(admins, "admin") as caller:
        browser = Browser(caller)
        token = {"token": await browser.token(PEOPLE), "why": "x"}
        for name, status in (("admin-certificates", 303), ("admin", 409)):
            seen = {"version": await version(caller, name)}
            answer = await browser.submit(f"{PEOPLE}/{name}/suspend", {**token, **seen})
            assert answer.status == status, answer.text
        assert "là người quản trị chứng thư số cuối cùng" in answer.text


async def test_who_may_only_look_sees_no_form(admins: House) -> None:
    for who, status, forms in (("admin-auditor", 200, 0), ("admin-viewer", 403, 0)):
        async with Caller(admins, who) as caller:
            answer = await caller.get(PEOPLE)
            assert answer.status == status
            posts = [f for f in tree_of(answer).iter("form") if "/people/" in str(f.get("action"))]
            assert len(posts) == forms


async def test_what_one_proposes_another_approves_by_a_button_and_not_the_one_who_did(
    tmp_path: Path, pki_home: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        OWN_POLICY.read_text("utf-8").replace("four_eyes = []", 'four_eyes = ["admin"]'), "utf-8"
    )
    register = {**SOON["register"], "policy": policy}
    async with admin_house(tmp_path / "h", pki_home, register=register) as house:
        await desk(house).give_roles("admin-viewer", (Role.AUDITOR,), Who("admin:admin", "moved"))
        async with Caller(house, "admin") as own, Caller(house, "admin-certificates") as other:
            buttons = [b.get("formaction") for b in (await card(own, "admin-viewer")).iter("button")]
            assert f"{PEOPLE}/admin-viewer/approve" not in buttons, (
                "one's own proposal is another's to approve"
            )
            told = text_of(await card(other, "admin-viewer"))
            for said in ("kiểm toán viên", "admin:admin", "moved"):
                assert said in told
            browser = Browser(other)
            fields = {
                "token": await browser.token(PEOPLE), "why": "yes",
                "version": await version(other, "admin-viewer"),
            }  # fmt: skip
            answer = await browser.submit(f"{PEOPLE}/admin-viewer/approve", fields)
            assert answer.status == 303, answer.text
            assert "Duyệt" not in text_of(await card(other, "admin-viewer"))
        person = await house.gateway.store.person("admin-viewer")
        assert person is not None
        assert person.roles == {Role.AUDITOR}


async def test_names_that_people_choose_are_text(admins: House) -> None:
    """A slash, markup, a quote: the page shows them, and its forms act on whom they name."""
    name = "Lò/Thị <b>'\"Mai"
    await desk(admins).add(name, (Role.VIEWER,), None, Who("lan", "<script>"))
    async with Caller(admins, "admin") as caller:
        section = await card(caller, name)
        assert section.find(".//b") is None
        (form,) = section.iter("form")
        browser = Browser(caller)
        fields = {
            "token": await browser.token(PEOPLE), "why": "x", "version": await version(caller, name)
        }  # fmt: skip
        assert (await browser.submit(str(form.get("action")), fields)).status == 303
    person = await admins.gateway.store.person(name)
    assert person is not None
    assert person.suspended == "x"
