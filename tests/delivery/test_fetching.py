"""A provisional filing is carried on once the list that its certificate names has been fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

import signing
from gateway.app import running
from gateway.client.http import GatewayClient
from gateway.register.entry import Purpose, State
from tests.documents import declaration
from tests.house import House, house_at
from tests.register.changing import LAN, changing_house, taken_over
from tests.signing.pki import SIGNS, Authority, authority, name, signer

TAXPAYER = name("Người nộp thuế", x509.NameAttribute(NameOID.USER_ID, "MST:5500123457"))


class Publisher:
    """The CA's web server: silent until it has a list."""

    def __init__(self) -> None:
        self.crl: bytes | None = None
        self.asked = 0
        self.host = ""

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        return web.Response(status=503) if self.crl is None else web.Response(body=self.crl)


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made, app = Publisher(), web.Application()
    app.router.add_get("/ca.crl", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.host = f"127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def anchored(trust: Path) -> Authority:
    ca = authority("CA with a web server", number=130)
    (trust / "anchors" / "web.cer").write_bytes(ca.certificate.public_bytes(Encoding.DER))
    return ca


async def filed(house: House, client: GatewayClient, publisher: Publisher) -> str:
    """A filing whose certificate names the publisher's list, which nobody has yet: its number."""
    now = datetime.now(UTC)
    uri = x509.UniformResourceIdentifier(f"http://{publisher.host}/ca.crl")
    point = x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)])
    ca = anchored(house.pki.trust)
    house.gateway.refresh()
    key = signer(ca, number=131, subject=TAXPAYER, extensions=(*SIGNS, (point, False)))
    publisher.crl = ca.crl(now - timedelta(hours=1), now + timedelta(days=1))
    document = signing.sign_xml(
        declaration(house.pki), key, profile="xades-b", target_id="ID_1", place="CKyDTu", at=now
    )
    reply = await client.submit(document)
    assert (reply.status, reply.body["status"]) == (201, "provisional"), reply.body
    return str(reply.body["number"])


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_list_is_fetched_where_its_host_is_allowed(
    allowed: bool, publisher: Publisher, tmp_path: Path, pki_home: Path
) -> None:
    trust = {"fetch_seconds": 0.1, "fetch_hosts": (publisher.host,) if allowed else ()}
    async with house_at(tmp_path, pki_home, trust=trust) as house, house.client() as client:
        number = await filed(house, client, publisher)
        if allowed:
            assert (await house.follow(client, number))["status"] == "accepted"
            assert publisher.asked == 1
            assert len(list((house.pki.trust / "fetched").glob("*.crl"))) == 1
        else:
            await house.follow(client, number, until=("provisional",))
            assert publisher.asked == 0
            assert not (house.pki.trust / "fetched").exists()


async def test_no_list_is_fetched_for_one_filing(
    publisher: Publisher, tmp_path: Path, pki_home: Path
) -> None:
    trust = {"fetch_seconds": 3600.0, "fetch_hosts": (publisher.host,)}
    async with house_at(tmp_path, pki_home, trust=trust) as house, house.client() as client:
        number = await filed(house, client, publisher)
        assert publisher.asked == 0
        await house.follow(client, number, until=("provisional",))
        assert publisher.asked == 0


async def test_a_host_is_asked_as_soon_as_the_register_says_so_and_no_more_once_it_is_retired(
    publisher: Publisher, tmp_path: Path, pki_home: Path
) -> None:
    """Without a restart: the fetcher would not look for an hour."""
    trust = {"fetch_seconds": 3600.0}
    async with (
        changing_house(tmp_path, pki_home, trust=trust) as (house, register),
        house.client() as client,
    ):
        number = await filed(house, client, publisher)
        entry = await register.add_source(f"http://{publisher.host.upper()}/ca.crl", LAN)
        assert entry.subject == publisher.host
        assert (await register.rehearse(entry.id, LAN)).rehearsed
        assert publisher.asked == 1
        await house.follow(client, number, until=("provisional",))
        await register.activate(entry.id, LAN)
        assert (await house.follow(client, number))["status"] == "accepted"
        assert publisher.asked == 2
        await register.retire(entry.id, LAN)
        await taken_over(register)
        settings = replace(house.settings, trust=replace(house.settings.trust, fetch_hosts=(publisher.host,)))
    async with running(replace(settings, door=replace(settings.door, port=0))) as gateway:
        states = {e.id: e.state for e in await gateway.store.entries()}
        assert states[entry.id] is State.RETIRED, "what the settings file goes on naming is not asked again"


async def test_hosts_of_the_settings_file_are_in_the_register(tmp_path: Path, pki_home: Path) -> None:
    hosts = ("CRL.example.vn", "ocsp.example.vn:8080")
    async with changing_house(tmp_path, pki_home, trust={"fetch_hosts": hosts}) as (_, register):
        found = [e for e in await register.entries() if e.purpose is Purpose.STATUS_SOURCE]
        assert {(e.subject, e.state) for e in found} == {
            ("crl.example.vn", State.ACTIVE),
            ("ocsp.example.vn:8080", State.ACTIVE),
        }
        assert await register.timeline() == tuple(
            step for step in await register.timeline() if not step.entry.startswith("status-source")
        )
