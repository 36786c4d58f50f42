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

import signing
from tests.documents import declaration
from tests.house import house_at
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


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_list_is_fetched_where_its_host_is_allowed(
    allowed: bool, publisher: Publisher, tmp_path: Path, pki_home: Path
) -> None:
    now = datetime.now(UTC)
    uri = x509.UniformResourceIdentifier(f"http://{publisher.host}/ca.crl")
    point = x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)])
    trust = {"fetch_seconds": 0.1, "fetch_hosts": (publisher.host,) if allowed else ()}
    async with house_at(tmp_path, pki_home, trust=trust) as house, house.client() as client:
        ca = anchored(house.pki.trust)
        house.gateway.refresh()
        key = signer(ca, number=131, subject=TAXPAYER, extensions=(*SIGNS, (point, False)))
        publisher.crl = ca.crl(now - timedelta(hours=1), now + timedelta(days=1))
        document = signing.sign_xml(
            declaration(house.pki), key, profile="xades-b", target_id="ID_1", place="CKyDTu", at=now
        )
        filed = await client.submit(document)
        assert (filed.status, filed.body["status"]) == (201, "provisional"), filed.body
        assert publisher.asked == 0, "never for one filing"
        if allowed:
            assert (await house.follow(client, filed.body["number"]))["status"] == "accepted"
            assert publisher.asked == 1
            assert len(list((house.pki.trust / "fetched").glob("*.crl"))) == 1
        else:
            await house.follow(client, filed.body["number"], until=("provisional",))
            assert publisher.asked == 0
            assert not (house.pki.trust / "fetched").exists()
