"""Documents of other houses, put in as a catalogue folder: signed, filed, judged and shown like any other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

import schemas
import signing
from tests.cli.running import efile_beside
from tests.documents import key_of
from tests.house import House, house_at
from tests.schemas.foreign import AGGREGATE, INVOICE, INVOICE_FILES, UBL, UBL_FILES, put_down

DS = "http://www.w3.org/2000/09/xmldsig#"
AT = datetime.now(UTC)


def of_the_taxpayer(house: House, document: str) -> bytes:
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    day = schemas.vietnam_day(AT).isoformat()
    return document.replace("5500998804", code).replace("2026-07-01", day).encode()


def invoice(house: House, who: str = "taxpayer", place: str = "DSCKS/NBan") -> bytes:
    document = of_the_taxpayer(house, INVOICE)
    key = key_of(house.pki, who)
    return signing.sign_xml(
        document, key, profile="xades-b", target_id="data", place=place, at=datetime.now(UTC)
    )


def world(house: House) -> bytes:
    key, document = key_of(house.pki, "taxpayer"), of_the_taxpayer(house, UBL)
    place = "Extensions/Extension"
    return signing.sign_xml(document, key, profile="xades-b", target_id="", place=place, at=datetime.now(UTC))


async def codes(house: House, document: bytes) -> set[str]:
    async with house.client() as beta:
        reply = await beta.check(document)
    return {found["code"] for found in reply.body["findings"] if found["severity"] == "ERROR"}


async def test_an_invoice_signed_beside_its_data(tmp_path: Path, pki_home: Path) -> None:
    folder = put_down(INVOICE_FILES, tmp_path / "catalogue")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house, house.client() as beta:
        document = invoice(house)
        taken = await beta.submit(document)
        assert taken.status == 201, taken.body
        summary = taken.body["summary"]
        assert (summary["family"], summary["form_code"]) == ("e-invoice", "HDon")
        receipt = schemas.read_notice((await beta.part(taken.body["number"], "receipt")).octets)
        assert (receipt.kind, receipt.form_label) == ("receipt", "Hóa đơn")
        # nobody in the directory takes it: an operator's to settle, and nothing lost
        story = await house.follow(beta, taken.body["number"], until=("stuck",))
        assert story["status"] == "stuck"
        assert (await beta.part(taken.body["number"], "document")).octets == document


async def test_an_invoice_that_holds_its_signature(tmp_path: Path, pki_home: Path) -> None:
    folder = put_down(UBL_FILES, tmp_path / "catalogue")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house:
        document = world(house)
        assert not await codes(house, document)
        assert "reference.digest" in await codes(house, document.replace(b">300<", b">301<"))
        moved = etree.fromstring(document)
        signature = moved.find(f".//{{{DS}}}Signature")
        assert signature is not None
        moved.find(f"{{{AGGREGATE}}}Party").append(signature)
        assert "signature.misplaced" in await codes(house, etree.tostring(moved))
        other = signing.sign_xml(
            of_the_taxpayer(house, UBL).replace(b"<cac:Party xml", b'<cac:Party Id="p" xml'),
            key_of(house.pki, "taxpayer"),
            profile="xades-b",
            target_id="p",
            place="Extensions/Extension",
            at=datetime.now(UTC),
        )
        assert "signature.coverage" in await codes(house, other)


def second_data(root: etree._Element) -> None:
    root.append(etree.fromstring(etree.tostring(root[0])))


def swapped(root: etree._Element) -> None:
    root.insert(0, root[1])


def data_among_signatures(root: etree._Element) -> None:
    root[1][0].append(etree.fromstring(etree.tostring(root[0])))


def stranger(root: etree._Element) -> None:
    etree.SubElement(root, "MCCQT").text = "00ABC"


def empty_holder(root: etree._Element) -> None:
    etree.SubElement(root[1], "CQT")


def text_beside(root: etree._Element) -> None:
    root[1][0].text = "1200000"


def amount_beside(root: etree._Element) -> None:
    held = etree.SubElement(root[1][0][0], f"{{{DS}}}Object")
    etree.SubElement(held, "TgTTTBSo").text = "1"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (second_data, "document.unexpected-element"),
        (swapped, "document.unexpected-element"),
        (data_among_signatures, "document.unexpected-element"),
        (stranger, "document.unexpected-element"),
        (empty_holder, "document.unexpected-element"),
        (text_beside, "document.stray-content"),
        (amount_beside, "document.stray-content"),
    ],
)
async def test_nothing_stands_beside_the_signed_part(
    tmp_path: Path, pki_home: Path, change: Callable[[etree._Element], None], code: str
) -> None:
    folder = put_down(INVOICE_FILES, tmp_path / "catalogue")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house:
        root = etree.fromstring(invoice(house))
        change(root)
        assert code in await codes(house, etree.tostring(root))


async def test_whose_signature_and_where(tmp_path: Path, pki_home: Path) -> None:
    folder = put_down(INVOICE_FILES, tmp_path / "catalogue")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house:
        assert not await codes(house, invoice(house, place="DSCKS/NMua"))
        assert "signature.misplaced" in await codes(house, invoice(house, place="DSCKS"))
        assert "signature.taxpayer-missing" in await codes(house, invoice(house, "person"))
        declared = schemas.example_declaration()
        async with house.client() as beta:
            unknown = await beta.check(declared)
        assert unknown.status == 400
        assert "HDon (namespace –)" in str(unknown.body)


async def test_the_command_line_signs_checks_and_shows_it(tmp_path: Path, pki_home: Path) -> None:
    folder = put_down(INVOICE_FILES, tmp_path / "catalogue")
    async with house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house:
        file = tmp_path / "invoice.xml"
        file.write_bytes(of_the_taxpayer(house, INVOICE))
        key = house.pki["taxpayer"].key
        made = await efile_beside("sign", file, "--key", key, "--catalogue", folder)
        assert made.returncode == 0, made.stderr
        root = etree.fromstring(file.read_bytes())
        assert [child.tag for child in root] == ["DLHDon", "DSCKS"]
        assert root[1][0].tag == "NBan"
        judged = await efile_beside("check", file, "--catalogue", folder, "--trust", house.pki.trust)
        assert judged.returncode == 0, judged.stdout
        page = await efile_beside("view", file, "--catalogue", folder, "--trust", house.pki.trust)
        assert "Xi măng" in page.stdout
        without = await efile_beside("check", file, "--trust", house.pki.trust)
        assert without.returncode == 1
