"""Notices signed by a PKCS#12 file, a token, a remote service; what happens while the signer is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

import certs_dev
import schemas
import signing
from certs_dev.csc import Behaviour, CscSimulator, credentials_of
from gateway.client.receipts import prove_receipt
from gateway.errors import ConfigurationError
from gateway.settings import ServiceKeySettings, TokenKeySettings
from tests.documents import key_of, sign, signed
from tests.house import House, house_at
from tests.signing.keys.softhsm import PIN, softhsm

Away = Callable[[], AbstractAsyncContextManager[None]]


def secret(folder: Path, name: str, value: str) -> Path:
    file = folder / name
    file.write_text(value + "\n")
    return file


def dossier(pki: certs_dev.DevPki, room: int = 1) -> bytes:
    forms = schemas.load_catalogue().descriptions()
    [one] = [one for one in forms if one.form.code == "karaoke-licence"]
    code = str(pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    return sign(pki, one.example("passes.xml", tax_code=code), target_id="_NODE_TO_SIGN")


async def ready(house: House) -> tuple[int, str]:
    async with house.client() as client:
        answer = await client._call("GET", "/readyz")
    return answer.status, answer.body["checks"]["notices"]


def proven(document: bytes, pki: certs_dev.DevPki) -> None:
    signer = key_of(pki, "notice").certificate
    trust = signing.TrustStore.load(pki.trust)
    proof = prove_receipt(document, signers=[signer], trust=trust, policy=signing.load_policy("tt15-2025"))
    assert proof.faults == (), proof.faults


@dataclass
class Signer:
    """`notices`: settings; `away`: within it the signer is out of reach; `service`: the simulated one."""

    notices: dict[str, Any]
    away: Away
    service: CscSimulator | None = None


@pytest.fixture
def token(pki: certs_dev.DevPki, tmp_path: Path) -> Iterator[Signer]:
    folder = tmp_path / "hsm"
    folder.mkdir()
    with softhsm(folder, {"notice": key_of(pki, "notice")}) as made:
        pin = secret(tmp_path, "pin", PIN)
        place = TokenKeySettings(module=made.module, token=made.label, pin_file=pin, key_label="notice")

        @asynccontextmanager
        async def away() -> AsyncIterator[None]:
            (folder / "tokens").rename(folder / "pulled out")
            (folder / "tokens").mkdir()
            yield
            (folder / "tokens").rmdir()
            (folder / "pulled out").rename(folder / "tokens")

        yield Signer({"key": None, "certificate": None, "pkcs11": place}, away)


@pytest.fixture
async def remote(pki: certs_dev.DevPki, tmp_path: Path) -> AsyncIterator[Signer]:
    credentials = credentials_of(pki.directory, {"notice": "4711"})
    async with CscSimulator(credentials, token="x", clients={"gateway": "ours"}) as service:
        place = ServiceKeySettings(
            url=service.url,
            credential="notice",
            oauth_url=service.token_url,
            client="gateway",
            client_secret_file=secret(tmp_path, "secret", "ours"),
            secrets={"PIN": secret(tmp_path, "pin", "4711")},
        )

        @asynccontextmanager
        async def away() -> AsyncIterator[None]:
            service.behaviour = Behaviour(failing="down")
            yield
            service.behaviour = Behaviour()

        yield Signer({"key": None, "certificate": None, "csc": place}, away, service)


@pytest.fixture(params=["token", "remote"])
def signer(request: pytest.FixtureRequest) -> Signer:
    found: Signer = request.getfixturevalue(request.param)
    return found


async def test_with_a_pkcs12_file(tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki) -> None:
    key = key_of(pki, "notice")
    made = pkcs12.serialize_key_and_certificates(
        b"notice",
        key.private_key,  # type: ignore[arg-type]
        key.certificate,
        list(key.chain),
        BestAvailableEncryption(b"word"),
    )
    (tmp_path / "notice.p12").write_bytes(made)
    notices: dict[str, Any] = {
        "key": tmp_path / "notice.p12",
        "password_file": secret(tmp_path, "word", "word"),
    }
    notices["certificate"] = None
    async with house_at(tmp_path, pki_home, notices=notices) as house, house.client() as client:
        answer = await client.submit(signed(pki))
        assert answer.status == 201, answer.body
        proven((await client.part(answer.body["number"], "receipt")).octets, pki)


async def test_a_declaration_a_dossier_and_the_verdicts_on_them(
    signer: Signer, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    async with house_at(tmp_path, pki_home, notices=signer.notices) as house, house.client() as client:
        for document in (signed(pki), dossier(pki)):
            answer = await client.submit(document)
            assert answer.status == 201, answer.body
            number = answer.body["number"]
            proven((await client.part(number, "receipt")).octets, pki)
            if "dossierCode" in answer.body:
                continue  # its agency has not joined this house
            await house.follow(client, number, until=("accepted",))
            proven((await client.part(number, "verdict")).octets, pki)
        refused = await client.submit(signed(pki, overrides={"ct34": "7"}))
        assert refused.status == 422
        proven((await client.part(refused.body["number"], "receipt")).octets, pki)
        assert await ready(house) == (200, "ok")


async def test_while_the_signer_is_away_nothing_is_promised_and_nothing_half_recorded(
    signer: Signer, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    documents = (signed(pki), dossier(pki))
    async with house_at(tmp_path, pki_home, notices=signer.notices) as house, house.client() as client:
        async with signer.away():
            for number, document in enumerate(documents):
                answer = await client.submit(document, key=f"key-{number}")
                assert (answer.status, answer.body["type"]) == (503, "urn:efile:problem:busy")
            assert await recorded(house) == 0
            assert await ready(house) == (503, "signer unavailable")
        codes = []
        for number, document in enumerate(documents):
            answer = await client.submit(document, key=f"key-{number}")
            assert answer.status == 201, answer.body
            codes.append(answer.body.get("dossierCode"))
        assert codes[1].endswith("-0000001"), "what failed took no number"
        assert await ready(house) == (200, "ok")
        assert await recorded(house) == 2


async def test_readiness_notices_by_itself_that_the_signer_is_away_and_back(
    signer: Signer, tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.signing_desk.FRESH_SECONDS", 0.0)
    monkeypatch.setattr("gateway.signing_desk.PROBE_SECONDS", 0.0)
    monkeypatch.setattr("gateway.signing_desk.LOOK_SECONDS", 5.0)
    async with house_at(tmp_path, pki_home, notices=signer.notices) as house:
        assert await ready(house) == (200, "ok")
        async with signer.away():
            assert await ready(house) == (503, "signer unavailable")
        assert await ready(house) == (200, "ok")


async def test_a_verdict_that_comes_while_the_signer_is_away_is_not_lost(
    signer: Signer, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    async with house_at(tmp_path, pki_home, notices=signer.notices) as house, house.client() as client:
        answer = await client.submit(signed(pki))
        number = answer.body["number"]
        async with signer.away():
            async with asyncio.timeout(20):
                while (await client.part(number, "events")).octets.count(b"step-failed") < 1:
                    await asyncio.sleep(0.05)
            assert (await client.part(number, "verdict")).status == 404
        await house.follow(client, number, until=("accepted",))
        proven((await client.part(number, "verdict")).octets, pki)


async def test_a_service_that_hangs_holds_nobody_up(
    remote: Signer, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    notices = {**remote.notices, "seconds": 1.0}
    async with house_at(tmp_path, pki_home, notices=notices) as house, house.client() as client:
        assert remote.service is not None
        remote.service.behaviour = Behaviour(delay_seconds=30.0)
        slow = asyncio.create_task(client.submit(signed(pki)))
        async with house.client() as other:
            assert (await other._call("GET", "/healthz")).status == 200
        assert (await slow).status == 503
        assert await recorded(house) == 0


def test_one_place_is_named(pki: certs_dev.DevPki) -> None:
    from gateway.notice_keys import open_notice_key
    from gateway.settings import NoticeSettings

    for notices in (
        NoticeSettings(),
        NoticeSettings(key=Path("a"), csc=ServiceKeySettings(url="https://x/")),
    ):
        with pytest.raises(ConfigurationError, match="one of key, pkcs11, csc"):
            open_notice_key(notices)
    with pytest.raises(ConfigurationError, match="certificate: needed"):
        open_notice_key(NoticeSettings(key=Path("a.pem")))
    with pytest.raises(ConfigurationError, match="token_file is needed"):
        open_notice_key(NoticeSettings(csc=ServiceKeySettings(url="https://x/")))


async def recorded(house: House) -> int:
    rows = await house.gateway.store._driver.read("SELECT count(*) FROM filing")
    return int(rows[0][0])
