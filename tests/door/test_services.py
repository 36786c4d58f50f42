"""All 27 services, filed through the door, carried each to its own agency and decided; and what cooperates."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import schemas
from gateway.client.http import GatewayClient
from gateway.directory import OWN_DIRECTORY, load_directory
from tests.documents import sign, signed
from tests.house import House, house_at

TODAY = schemas.vietnam_day(datetime.now(UTC))
DIRECTORY = load_directory(OWN_DIRECTORY)
FORMS = {one.form.code: one for one in schemas.load_catalogue().descriptions()}
PERMITS = {code for code, one in FORMS.items() if one.form.family == "permit"}
REGISTRATIONS = {code for code, one in FORMS.items() if one.form.family == "tax-registration"}


def example(house: House, form: str) -> bytes:
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    document = FORMS[form].example("passes.xml", tax_code=code, on=TODAY)
    return sign(house.pki, document, "taxpayer", target_id="_NODE_TO_SIGN")


def offices(role: str) -> set[str]:
    return {
        office.id
        for service in DIRECTORY.services
        for row, office in DIRECTORY.offices_of(service, TODAY)
        if row.role == role
    }


async def file_all(house: House, client: GatewayClient) -> dict[str, str]:
    numbers = {}
    for form in sorted(PERMITS | REGISTRATIONS | {"tax-declaration"}):
        reply = await client.submit(signed(house.pki) if form == "tax-declaration" else example(house, form))
        assert reply.status == 201, (form, [f["code"] for f in reply.body["findings"]])
        numbers[form] = reply.body["number"]
    return numbers


async def handed_over(house: House, number: str) -> dict[str, str]:
    """Each cooperating agency and where its handover stands, once none is on its way."""
    async with asyncio.timeout(20):
        while True:
            found = {one.agency: one.status.value for one in await house.gateway.store.handovers(number)}
            if "waiting" not in found.values():
                return found
            await asyncio.sleep(0.02)


def test_the_directory_has_the_services_of_the_decision() -> None:
    assert set(DIRECTORY.services) == PERMITS | {"tax-declaration", "tax-registration"}
    assert len(PERMITS | {"tax-declaration"}) == 27


async def test_every_service_is_filed_carried_to_its_agency_and_decided(
    tmp_path: Path, pki_home: Path
) -> None:
    leads = offices("lead") - {"tax"}  # the house has a tax authority
    async with (
        house_at(tmp_path, pki_home, serves={office: [office] for office in sorted(leads)}) as house,
        house.client() as client,
    ):
        numbers = await file_all(house, client)
        for form, number in numbers.items():
            service = "tax-registration" if form in REGISTRATIONS else form
            filing = await house.follow(client, number)
            assert filing["status"] == "accepted", service
            [(_, office)] = [
                (row, office) for row, office in DIRECTORY.offices_of(service, TODAY) if row.role == "lead"
            ]
            assert filing["agency"] == office.id
            assert filing["leadAgency"]["id"].startswith(office.id)
            books = (house.agencies.get(office.id) or house.simulator).books
            assert books[number].agency == filing["leadAgency"]["id"], service
            receipt = schemas.read_notice((await client.part(number, "receipt")).octets)
            assert receipt.filing_number == number
            assert receipt.dossier_code == filing.get("dossierCode")
            assert (receipt.family == "permit") == (form in PERMITS)
            assert list(receipt.papers) == filing["summary"]["papers"]
            assert ("dossierCode" in filing) == (form in PERMITS)
            if "dossierCode" in filing:
                assert (await client.status(filing["dossierCode"])).body == filing
                assert filing["portalStatus"]["code"] == 9
            verdict = schemas.read_notice((await client.part(number, "verdict")).octets)
            assert verdict.kind == "verdict-accepted"
        everywhere = [key for one in (house.simulator, *house.agencies.values()) for key in one.books]
        assert sorted(key for key in everywhere if "~" not in key) == sorted(numbers.values())  # once each
        cooperating = {service: await handed_over(house, number) for service, number in numbers.items()}
    assert cooperating["company-single-member-formation"] == {"tax": "delivered"}
    assert f"{numbers['company-single-member-formation']}~tax" in house.simulator.books
    assert cooperating["complaint-denunciation"] == {"commune-committee-03667": "delivered"}
    assert cooperating["temporary-residence-absence"] == {"commune-police-03664": "not-joined"}, (
        "its back-end is none of this house"
    )
    assert cooperating["karaoke-licence"] == cooperating["tax-declaration"] == {}
