"""The door as a T-VAN's machine uses it: filing, repeating, reading back, checking."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import certs_dev
import schemas
import signing
from gateway.filing.retention import Part, Rule
from tests.documents import declaration, key_of, sign, signed
from tests.house import House, house_at


async def test_a_filing_goes_all_the_way(house: House) -> None:
    document = signed(house.pki)
    async with house.client() as client:
        filed = await client.submit(document, "first")
        assert filed.status == 201
        assert filed.body["status"] == "acknowledged"
        number = filed.body["number"]
        receipt = await client.part(number, "receipt")
        assert schemas.validate_notice(receipt.octets) == ()
        notice = schemas.read_notice(receipt.octets)
        assert (notice.kind, notice.filing_number, notice.digest_hex) == (
            "receipt",
            number,
            filed.body["digest"]["value"],
        )
        assert notice.recorded_at.utcoffset() is not None
        final = await house.follow(client, number)
        assert final["status"] == "accepted"
        verdict = await client.part(number, "verdict")
        assert schemas.validate_notice(verdict.octets) == ()
        assert schemas.read_notice(verdict.octets).kind == "verdict-accepted"
        assert (await client.part(number, "document")).octets == document
        story = [event["event"] for event in (await client.part(number, "events")).body["items"]]
        assert story[:2] == ["acknowledged", "routed"]
        assert story[-1] == "accepted"
    (book,) = house.simulator.books.values()
    assert book.digest == filed.body["digest"]["value"]


@pytest.mark.parametrize(
    ("at", "codes"),
    [
        (datetime(2026, 6, 30, 16, 59, 59, tzinfo=UTC), (b">843<", b">844<")),
        (datetime(2026, 6, 30, 17, 0, 0, tzinfo=UTC), (b">TD89-", b">TD89-")),
    ],
    ids=["Circular 19/2021, to the last second in Vietnam", "Circular 89/2026, from the first"],
)
async def test_the_notices_are_those_of_the_day_of_receipt(
    tmp_path: Path, at: datetime, codes: tuple[bytes, bytes]
) -> None:
    certs_dev.make(tmp_path / "pki", at=at - timedelta(days=5))
    async with house_at(tmp_path, tmp_path, now=lambda: at) as house, house.client() as client:
        number = (await client.submit(sign(house.pki, declaration(house.pki, period="Q1/2026"), at=at))).body[
            "number"
        ]
        assert (await house.follow(client, number))["status"] == "accepted"
        for part, code in zip(("receipt", "verdict"), codes, strict=True):
            octets = (await client.part(number, part)).octets
            assert b"maTBao" + code in octets
            assert schemas.validate_notice(octets) == ()
            assert schemas.read_notice(octets).recorded_at == at


async def test_every_form_of_genuine_signature_is_taken(house: House) -> None:
    document = declaration(house.pki)
    bare = document.split(b"?>", 1)[1].lstrip()
    forms = {
        "XAdES-B": signed(house.pki),
        "XML Signature as older software makes it": sign(house.pki, document, profile="xmldsig"),
        "with comments": sign(house.pki, document, profile="xmldsig", c14n="inclusive-with-comments"),
        "exclusive": sign(house.pki, document, c14n="exclusive"),
        "ds prefix": sign(house.pki, document, prefix="ds"),
        "byte order mark": sign(house.pki, b"\xef\xbb\xbf" + document, profile="xmldsig"),
        "standalone": sign(house.pki, b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>' + bare),
        "no declaration": sign(house.pki, bare),
        "ECDSA": sign(house.pki, document, "taxpayer-ec"),
        "taxpayer and T-VAN": sign(house.pki, document, "taxpayer", "tvan"),
    }
    async with house.client("provider-a") as alpha, house.client() as beta:
        for name, octets in forms.items():
            reply = await (alpha if "T-VAN" in name else beta).submit(octets)
            assert reply.status == 201, (name, reply.body)


async def test_the_agent_may_sign_where_it_is_declared(house: House) -> None:
    agent = str(house.pki.plan.identities["tax-agent"].uid).removeprefix("MST:")
    async with house.client() as client:
        declared = await client.submit(signed(house.pki, "tax-agent", agent_tax_code=agent))
        assert declared.status == 201, declared.body
        undeclared = await client.submit(signed(house.pki, "tax-agent"))
        assert undeclared.status == 422
        beside = await client.submit(signed(house.pki, "taxpayer", "person"))
        assert beside.status == 201, beside.body
        alone = await client.submit(signed(house.pki, "person"))
        assert [f["code"] for f in alone.body["findings"] if f["severity"] == "ERROR"] == [
            "signature.taxpayer-missing"
        ]


async def test_one_holder_may_have_several_roles(house: House) -> None:
    """A T-VAN files its own return; a person's identity number is the tax code where the declaration bears it."""
    own = declaration(house.pki, tax_code="0100000003", name="T-VAN ALPHA")
    async with house.client("provider-a") as alpha, house.client() as beta:
        reply = await alpha.submit(sign(house.pki, own, "tvan"))
        assert reply.status == 201, reply.body
        household = declaration(house.pki, tax_code="014190000123", name="LÒ THỊ MAI")
        reply = await beta.submit(sign(house.pki, household, "person"))
        assert reply.status == 201, reply.body
        reply = await beta.submit(signed(house.pki, "person"))
        assert reply.status == 422
        assert "signature.taxpayer-missing" in {f["code"] for f in reply.body["findings"]}


async def test_a_missing_signer_is_told_beside_a_broken_signature(house: House) -> None:
    altered = signed(house.pki).replace(b"<ct23>", b"<ct23>9", 1)
    async with house.client("provider-a") as alpha:
        for document in (altered, declaration(house.pki)):
            reply = await alpha.submit(document)
            codes = {f["code"] for f in reply.body["findings"]}
            assert "signature.tvan-missing" in codes
            assert codes & {"reference.digest", "document.signature-present"}
            assert "signature.taxpayer-missing" not in codes


async def test_the_tvan_signs_where_its_entry_says_so(house: House) -> None:
    async with house.client("provider-a") as alpha:
        missing = await alpha.submit(signed(house.pki))
        assert missing.status == 422
        assert "signature.tvan-missing" in {f["code"] for f in missing.body["findings"]}
        assert (await alpha.submit(signed(house.pki, "taxpayer", "tvan"))).status == 201


async def test_a_repeat_gets_the_original_receipt_to_the_byte(house: House) -> None:
    document = signed(house.pki)
    async with house.client() as client:
        first = await client.submit(document, "key-1")
        receipt = (await client.part(first.body["number"], "receipt")).octets
        for key in ("key-1", "another key".replace(" ", "-"), None):
            again = await client.submit(document, key)
            assert again.status == 200
            assert again.body["number"] == first.body["number"]
            assert (await client.part(again.body["number"], "receipt")).octets == receipt
        conflict = await client.submit(signed(house.pki), "key-1")
        assert conflict.status == 409
        assert conflict.body["number"] == first.body["number"]


async def test_fifty_at_once_of_one_message_make_one_filing(house: House) -> None:
    document, key = signed(house.pki), str(uuid.uuid4())
    async with house.client() as client:
        replies = await asyncio.gather(*(client.submit(document, key) for _ in range(50)))
        assert sorted(reply.status for reply in replies) == [200] * 49 + [201]
        assert len({reply.body["number"] for reply in replies}) == 1
        await house.follow(client, replies[0].body["number"])
    assert len(house.simulator.books) == 1


async def test_a_refused_document_is_recorded_and_answered_with_a_signed_notice(house: House) -> None:
    altered = signed(house.pki).replace(b"<ct23>", b"<ct23>1")
    async with house.client() as client:
        refused = await client.submit(altered, "k")
        assert refused.status == 422
        assert refused.body["status"] == 422
        assert refused.body["filingStatus"] == "refused"
        number = refused.body["number"]
        notice = (await client.part(number, "receipt")).octets
        assert schemas.read_notice(notice).kind == "refusal"
        assert schemas.validate_notice(notice) == ()
        report = signing.verify_xml(
            notice,
            policy=signing.load_policy("tt15-2025"),
            trust=signing.TrustStore.load(house.pki.trust),
        )
        assert report.indication is signing.Indication.PASSED
        again = await client.submit(altered, "k")
        assert (again.status, again.body["number"]) == (422, number)
        anew = await client.submit(altered, "k2")
        assert anew.status == 422
        assert anew.body["number"] != number
        assert (await client.status(number)).body["status"] == "refused"
    assert house.simulator.books == {}


async def test_the_receipt_itself_where_xml_is_asked_for(house: House) -> None:
    import aiohttp

    connection = house.connection()
    async with aiohttp.ClientSession() as session:
        answer = await session.post(
            f"{house.url}/v1/filings",
            data=signed(house.pki),
            headers={"Content-Type": "text/xml; charset=UTF-8", "Accept": "application/xml"},
            ssl=connection.tls(),
        )
        assert (answer.status, answer.content_type) == (201, "application/xml")
        octets = await answer.read()
        number = answer.headers["Location"].rsplit("/", 1)[1]
    async with house.client() as client:
        assert (await client.part(number, "receipt")).octets == octets


async def test_only_the_provider_that_filed_sees_it(house: House) -> None:
    async with house.client() as beta, house.client("provider-a") as alpha:
        number = (await beta.submit(signed(house.pki))).body["number"]
        for part in ("", "receipt", "verdict", "document", "events", "notices/receipt"):
            reply = await (alpha.part(number, part) if part else alpha.status(number))
            assert reply.status == 404
        assert (await beta.status(number)).status == 200
        assert (await beta.status("SLA-20261124-000000000000-0")).status == 404
        assert (await beta.part(number, "notices/nonsense")).status == 404


async def test_a_dry_run_records_nothing(house: House) -> None:
    document = signed(house.pki)
    async with house.client() as client:
        good = await client.check(document)
        assert (good.status, good.body["verdict"]) == (200, "acknowledged")
        bad = await client.check(document.replace(b"<ct23>", b"<ct23>1"))
        assert (bad.status, bad.body["verdict"]) == (200, "refused")
        assert (await client.submit(document)).status == 201  # not a repeat: the dry run left nothing
    assert (await house.gateway.store.limits())["body_bytes"] == 20_000_000


async def test_findings_are_all_told_at_once_in_both_languages(house: House) -> None:
    wrong = {"ct36": "1", "ct27": "2", "ct40": "3"}
    async with house.client() as client:
        reply = await client.submit(signed(house.pki, overrides=wrong))
    assert reply.status == 422
    errors = [f for f in reply.body["findings"] if f["severity"] == "ERROR"]
    assert {"[36]", "[27]", "[40]"} <= {f.get("indicator") for f in errors}
    for finding in errors:
        assert finding["line"] > 1
        assert finding["path"].startswith("HSoKhaiThue/")
        assert all(finding[part][language] for part in ("message", "remedy") for language in ("vi", "en"))


async def test_lines_are_those_of_the_file_as_sent(house: House) -> None:
    """Attributes over several lines before the body must not shift the lines that a filer is told."""
    document = declaration(house.pki, overrides={"ct36": "1"})
    spread = document.replace(b"<HSoThueDTu ", b"<HSoThueDTu\n\n\n   ")
    octets = sign(house.pki, spread)
    octets = octets.replace(b"<HSoThueDTu ", b"<HSoThueDTu\n\n\n   ", 1)
    line = next(n for n, text in enumerate(octets.split(b"\n"), 1) if b"<ct36>" in text)
    async with house.client() as client:
        reply = await client.submit(octets)
    (finding,) = (f for f in reply.body["findings"] if f.get("indicator") == "[36]")
    assert finding["line"] == line
    assert key_of(house.pki, "taxpayer").certificate.serial_number


async def test_health_is_told_without_being_a_provider(house: House) -> None:
    async with house.client("provider-unregistered") as client:
        assert (await client._call("GET", "/healthz")).body == {"alive": True}
        ready = await client._call("GET", "/readyz")
        assert (ready.status, ready.body["ready"]) == (200, True)


async def test_what_is_past_its_term_is_gone_and_its_record_is_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.operator_side.before", lambda _, at: at + timedelta(hours=1))
    async with house.client() as client:
        document = signed(house.pki)
        number = (await client.submit(document, "k")).body["number"]
        await house.follow(client, number)
        assert await house.gateway.store.remove_ended(Rule("tax-declaration", Part.BODY, "1 day"), 9) == 1
        for part in ("document", "view", "attachments"):
            gone = await client.part(number, part)
            assert (gone.status, gone.body["type"]) == (410, "urn:efile:problem:removed"), part
        assert (await client.part(number, "receipt")).status == 200
        assert (await client.status(number)).body["status"] == "accepted"
        assert (await client.submit(document, "k")).body["number"] == number
