"""A permit dossier through the door, to its agency and back; and what is wrong with one, all at once."""

from __future__ import annotations

from datetime import UTC, datetime

from lxml import etree

import schemas
import signing
from gateway.store.seeds import Seed
from schemas.example_checks import changed
from signing.algorithms import DS
from tests.documents import key_of, sign
from tests.house import House
from tests.pages import page_of, values

PERMITS = [one for one in schemas.load_catalogue().descriptions() if one.form.family == "permit"]


def dossier(house: House, one: schemas.Description, example: str = "passes.xml") -> bytes:
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    return one.example(example, tax_code=code)


def signed(house: House, document: bytes, *signers: str) -> bytes:
    return sign(house.pki, document, *signers, target_id="_NODE_TO_SIGN")


async def test_its_faults_are_told_all_at_once(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    async with house.client() as client:
        refused = await client.submit(signed(house, dossier(house, one, "rooms")))
        assert refused.status == 422
        assert {finding["code"] for finding in refused.body["findings"]} >= set(one.examples["rooms"])
        stranger = await client.submit(signed(house, one.example("passes.xml")))
        assert "signature.signer-not-in-declaration" in {f["code"] for f in stranger.body["findings"]}
        nowhere = await client.submit(signed(house, changed(dossier(house, one), {"maDichVu": "fishing"})))
        assert "form.unknown" in {finding["code"] for finding in nowhere.body["findings"]}


async def test_a_second_body_beside_the_signed_one_is_refused(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    root = etree.fromstring(signed(house, dossier(house, one)))
    block = root.find(schemas.PERMIT.tag("CKyDTu"))
    assert block is not None
    signature = block[0]
    etree.SubElement(
        etree.SubElement(signature, f"{{{DS}}}Object"), schemas.PERMIT.tag("PhongHat")
    ).text = "x"
    async with house.client() as client:
        refused = await client.submit(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
    assert refused.status == 422
    codes = {finding["code"] for finding in refused.body["findings"]}
    assert "document.stray-content" in codes, codes


async def test_a_signature_over_a_part_is_no_signature(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    root = etree.fromstring(dossier(house, one))
    content = root.find(f"{schemas.PERMIT.body_tag}/{schemas.PERMIT.tag('NoiDung')}")
    assert content is not None
    content.set("id", "part")
    document = signing.sign_xml(
        etree.tostring(root), key_of(house.pki, "taxpayer"), profile="xmldsig",
        target_id="part", place="CKyDTu", at=datetime.now(UTC),
    )  # fmt: skip
    async with house.client() as client:
        refused = await client.submit(document)
    assert refused.status == 422
    assert "signature.coverage" in {finding["code"] for finding in refused.body["findings"]}


async def test_a_dossier_that_is_stuck_holds_no_other(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    async with house.client() as client:
        first = await client.submit(signed(house, dossier(house, one)))
        await house.follow(client, first.body["number"], until=("stuck",))
        await house.gateway.store.seed(
            [Seed("agency", {"id": "tax", "serves": '["culture-sports-tourism"]'})], "test"
        )
        other = changed(dossier(house, one), {"tenCoSo": "Karaoke khác"})
        second = await client.submit(signed(house, other))
        assert (await house.follow(client, second.body["number"]))["status"] == "accepted"
        assert (await client.status(first.body["number"])).body["status"] == "stuck"


async def test_it_is_found_by_its_code_by_its_own_provider_alone(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    async with house.client() as client, house.client("provider-a") as other:
        filed = (await client.submit(signed(house, dossier(house, one)))).body
        code, number = filed["dossierCode"], filed["number"]
        assert (await client.status(code)).body["number"] == number
        receipt = (await client.part(code, "receipt")).octets
        assert receipt == (await client.part(number, "receipt")).octets
        for part in ("view", "receipt/view"):
            assert values(page_of((await client.part(code, part)).octets))["Mã số hồ sơ"] == code
        notice = schemas.read_notice(receipt)
        assert (notice.family, notice.dossier_code, notice.number) == ("permit", code, f"{number}/TNHS")
        assert len(notice.papers) > 0
        assert (await other.status(code)).status == 404


async def test_a_dossier_whose_heading_cannot_be_read_is_refused_as_a_dossier(house: House) -> None:
    [one] = [one for one in PERMITS if one.form.code == "karaoke-licence"]
    async with house.client() as client:
        refused = await client.submit(signed(house, changed(dossier(house, one), {"maDichVu": ""})))
        assert refused.status == 422
        assert "dossierCode" not in refused.body
        notice = schemas.read_notice((await client.part(refused.body["number"], "receipt")).octets)
    assert (notice.family, notice.kind, notice.dossier_code) == ("permit", "refusal", None)
