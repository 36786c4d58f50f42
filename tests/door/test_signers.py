"""Who must sign a form, and by which policy, through the door: read from signed octets alone."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from lxml import etree

import schemas
import signing
from gateway.errors import ConfigurationError
from gateway.intake.form_policy import policy_of, with_policies
from schemas.example_checks import changed
from signing.algorithms import DS
from tests.cli.running import efile
from tests.documents import declaration, sign
from tests.house import House, house_at
from tests.schemas.conftest import copy_of_catalogue

PERMIT = schemas.PERMIT
PETITION, KARAOKE = "complaint-denunciation", "karaoke-licence"


def by_agent(house: House, code: str) -> bytes:
    """An unsigned dossier of the development taxpayer, which names the development agent."""
    mine, its = (
        str(house.pki.plan.identities[who].uid).removeprefix("MST:") for who in ("taxpayer", "tax-agent")
    )
    [one] = [one for one in schemas.load_catalogue().descriptions() if one.form.code == code]
    root = etree.fromstring(one.example("passes.xml", tax_code=mine))
    applicant = root.find(f".//{PERMIT.tag('NguoiNop')}")
    assert applicant is not None
    agent = etree.Element(PERMIT.tag("NguoiDuocUyQuyen"))
    for name, value in (("soDinhDanh", its), ("hoTen", "Tây Bắc"), ("vanBanUyQuyen", "Số 1 ngày 01/7/2026")):
        etree.SubElement(agent, PERMIT.tag(name)).text = value
    applicant.addnext(agent)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def signed(house: House, document: bytes, *signers: str) -> bytes:
    return sign(house.pki, document, *signers, target_id="_NODE_TO_SIGN")


async def errors(house: House, document: bytes) -> set[str]:
    """Empty where it is taken in."""
    async with house.client() as client:
        reply = await client.submit(document)
    assert reply.status in (201, 422), reply.body
    found = {f["code"] for f in reply.body["findings"] if f["severity"] == "ERROR"}
    assert bool(found) == (reply.status == 422)
    return found


async def test_an_agent_signs_what_the_form_lets_it_sign(house: House) -> None:
    assert not await errors(house, signed(house, by_agent(house, KARAOKE), "tax-agent"))
    assert not await errors(house, signed(house, by_agent(house, KARAOKE), "taxpayer"))
    petition = by_agent(house, PETITION)
    assert await errors(house, signed(house, petition, "tax-agent")) == {"signature.taxpayer-missing"}
    assert not await errors(house, signed(house, petition, "tax-agent", "taxpayer"))
    assert not await errors(house, signed(house, petition, "taxpayer"))


async def test_a_form_that_nobody_knows_keeps_the_default(house: House) -> None:
    unknown = changed(by_agent(house, PETITION), {"maDichVu": "fishing"})
    assert await errors(house, signed(house, unknown, "tax-agent")) == {"form.unknown"}
    assert "signature.taxpayer-missing" in await errors(house, signed(house, unknown, "person"))


def _before(root: etree._Element, twin: etree._Element) -> None:
    root.insert(0, twin)


def _after(root: etree._Element, twin: etree._Element) -> None:
    root.append(twin)


def _in_object(root: etree._Element, twin: etree._Element) -> None:
    block = root.find(PERMIT.tag("CKyDTu"))
    assert block is not None
    etree.SubElement(block[0], f"{{{DS}}}Object").append(twin)


def _around(root: etree._Element, twin: etree._Element) -> None:
    body = root.find(PERMIT.body_tag)
    assert body is not None
    root.replace(body, twin)
    twin.append(body)


@pytest.mark.parametrize("place", [_before, _after, _in_object, _around])
@pytest.mark.parametrize(("signed_form", "twin_form"), [(PETITION, KARAOKE), (KARAOKE, PETITION)])
async def test_an_unsigned_twin_chooses_no_signers(
    house: House, place: Callable[[etree._Element, etree._Element], None], signed_form: str, twin_form: str
) -> None:
    root = etree.fromstring(signed(house, by_agent(house, signed_form), "tax-agent"))
    body = root.find(PERMIT.body_tag)
    assert body is not None
    twin = deepcopy(body)
    twin.set("id", "twin")
    code = twin.find(PERMIT.find(PERMIT.paths["code"]))
    assert code is not None
    code.text = twin_form
    place(root, twin)
    codes = await errors(house, etree.tostring(root, encoding="UTF-8", xml_declaration=True))
    assert codes & {"document.unexpected-element", "document.stray-content", "signature.coverage"}
    reads_the_signed = place in (_after, _in_object)
    assert ("signature.taxpayer-missing" in codes) == (reads_the_signed and signed_form == PETITION)


async def test_a_second_heading_inside_the_signed_body_files_nothing(house: House) -> None:
    """Whichever heading is read for the signers, the schema takes one only."""
    for first, second in ((PETITION, KARAOKE), (KARAOKE, PETITION)):
        root = etree.fromstring(by_agent(house, first))
        heading = root.find(f"{PERMIT.body_tag}/{PERMIT.tag('ThongTinChung')}")
        assert heading is not None
        twin = deepcopy(heading)
        code = twin.find(PERMIT.find("ThuTuc/maDichVu"))
        assert code is not None
        code.text = second
        heading.addnext(twin)
        assert await errors(house, signed(house, etree.tostring(root), "tax-agent"))


def copy_with(tmp_path: Path, line: str) -> Path:
    """A copy of the catalogue with few forms, whose VAT form has one line more in its form.toml."""
    folder = copy_of_catalogue(tmp_path / "catalogue", "842", KARAOKE)
    form = folder / "tax/842-2.8.3/form.toml"
    form.write_text(form.read_text("utf-8").replace("max_elements", f"{line}\nmax_elements", 1), "utf-8")
    return folder


async def test_a_form_may_ask_for_a_person_beside(tmp_path: Path, pki_home: Path) -> None:
    folder = copy_with(tmp_path, 'signers = [["filer", "agent"], ["person"]]')
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house:
        document = declaration(house.pki)
        assert await errors(house, sign(house.pki, document)) == {"signature.signer-missing"}
        assert await errors(house, sign(house.pki, document, "person")) == {"signature.taxpayer-missing"}
        assert not await errors(house, sign(house.pki, document, "taxpayer", "person"))
    listed = efile("forms", "842", "--catalogue", folder).stdout
    assert "filer or agent and person" in listed


async def test_a_form_may_ask_for_more_than_the_gateway(tmp_path: Path, pki_home: Path) -> None:
    folder = copy_with(tmp_path, 'signature_policy = "tt15-2025-ades"')
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house, house.client() as beta:
        document = declaration(house.pki)
        bare = await beta.submit(sign(house.pki, document, profile="xmldsig"))
        assert {f["code"] for f in bare.body["findings"] if f["severity"] == "ERROR"} == {"policy.profile"}
        taken = await beta.submit(sign(house.pki, document))
        assert taken.status == 201, taken.body
        for reply in (bare, taken):
            (evidence,) = await house.gateway.store.evidence(reply.body["number"])
            assert evidence["policy"] == "tt15-2025-ades"
        other = sign(house.pki, by_agent(house, KARAOKE), profile="xmldsig", target_id="_NODE_TO_SIGN")
        assert not await errors(house, other)
    assert (
        '"signaturePolicy": "tt15-2025-ades"' in efile("forms", "842", "--catalogue", folder, "--json").stdout
    )


async def test_a_provisional_filing_is_judged_again_by_its_form(tmp_path: Path, pki_home: Path) -> None:
    folder = copy_with(tmp_path, "")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house, house.client() as beta:
        crl = house.pki.trust / "crls/public-sub-ca.crl"
        octets = crl.read_bytes()
        crl.unlink()
        house.gateway.refresh()
        taken = await beta.submit(sign(house.pki, declaration(house.pki), profile="xmldsig"))
        assert taken.body["status"] == "provisional"
        form = folder / "tax/842-2.8.3/form.toml"
        form.write_text('signature_policy = "tt15-2025-ades"\n' + form.read_text("utf-8"), "utf-8")
        crl.write_bytes(octets)
        house.gateway.refresh()
        assert (await house.follow(beta, taken.body["number"]))["status"] == "refused"


@pytest.mark.parametrize(
    ("policy", "told"), [("tt15", "no policy 'tt15'"), ("tax-legacy", "minimum_rsa_bits")]
)
async def test_a_policy_that_asks_for_less_refuses_the_catalogue(
    tmp_path: Path, pki_home: Path, policy: str, told: str
) -> None:
    folder = copy_with(tmp_path, f'signature_policy = "{policy}"')
    listed = efile("forms", "--catalogue", folder)
    assert (listed.returncode, told in listed.stderr) == (2, True), listed.stderr
    with pytest.raises(ConfigurationError, match=r"842-2\.8\.3/form\.toml"):
        async with house_at(tmp_path, pki_home, catalogue={"directory": folder}):
            pass
    own = signing.load_policy("tt15-2025")
    with pytest.raises(schemas.CatalogueError, match=told):
        policy_of(schemas.open_catalogue(folder).form("842", "2.8.3", "C"), own)


def test_the_own_catalogue_fits_the_own_policy() -> None:
    catalogue = schemas.load_catalogue()
    assert with_policies(catalogue, signing.load_policy("tt15-2025")) is catalogue
