"""Remote signing by CSC API v2 against the simulated service: what it signs verifies; every way it may fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from certs_dev.csc import Behaviour, Credential, CscSimulator
from signing import Indication, KeyRefused, KeyUnavailable, Policy, TrustStore, verify_xml
from signing.fetching import FetchLimits
from signing.keys.bearer import Bearer, ClientCredentials, TokenFile
from signing.keys.remote import CscService, RemoteKey
from tests.signing.documents import codes, signed
from tests.signing.pki import AT, Hierarchy, signer

TOKEN = "an-access-token"
PIN = {"PIN": "4711"}
QUICK = FetchLimits(seconds=1.0, answer_bytes=262_144)


@pytest.fixture
async def service(pki: Hierarchy) -> AsyncIterator[CscSimulator]:
    held = {}
    for kind in ("rsa2048", "p256", "p384", "ed25519"):
        key = signer(pki.ca, kind=kind, number=85)
        chain = (key.certificate, pki.ca.certificate)
        held[kind] = Credential(key.private_key, chain, dict(PIN) if kind != "p384" else {})  # type: ignore[arg-type]
    async with CscSimulator(held, token=TOKEN, clients={"gateway": "the secret"}) as running:
        yield running


def client(service: CscSimulator, token: str | Bearer = TOKEN) -> CscService:
    return CscService(service.url, token, QUICK)


async def opened(service: CscSimulator, credential: str = "p256") -> RemoteKey:
    return await asyncio.to_thread(partial(RemoteKey.open, client(service), credential, secrets=PIN))


async def signs(key: RemoteKey, data: bytes = b"x") -> bytes:
    return await asyncio.to_thread(key.sign, data, "sha256")


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
async def test_what_the_service_signs_verifies(
    kind: str, profile: str, service: CscSimulator, policy: Policy, trust: TrustStore
) -> None:
    key = await opened(service, kind)
    document = await asyncio.to_thread(partial(signed, key, profile=profile))
    report = verify_xml(document, policy=policy, trust=trust, at=AT)
    assert report.indication is Indication.PASSED, codes(report)
    assert [method for method, _ in service.requests] == [
        "info",
        "credentials/info",
        "credentials/authorize",
        "signatures/signHash",
    ]
    assert len(service.requests[-1][1]["hashes"]) == 1


async def test_each_signature_is_authorised_by_itself(service: CscSimulator) -> None:
    key = await opened(service)
    values = await asyncio.gather(*(signs(key, b"%d" % number) for number in range(8)))
    assert len(set(values)) == 8


async def test_it_may_be_called_on_a_running_loop(service: CscSimulator) -> None:
    """From a callback of a loop; the service's own loop here, so that a time-out is all that can come of it."""
    key = await opened(service)
    with pytest.raises(KeyUnavailable, match="within 1 s"):
        key.sign(b"x", "sha256")


async def test_the_only_credential_needs_no_name(service: CscSimulator) -> None:
    with pytest.raises(KeyRefused, match="4 credentials, say which: rsa2048, p256"):
        await asyncio.to_thread(partial(RemoteKey.open, client(service), secrets=PIN))
    for name in ("rsa2048", "p384", "ed25519"):
        del service.credentials[name]
    key = await asyncio.to_thread(partial(RemoteKey.open, client(service), secrets=PIN))
    assert key.credential_id == "p256"
    assert len(key.chain) == 1


@pytest.mark.parametrize(
    ("credential", "token", "secrets", "told"),
    [
        ("absent", TOKEN, PIN, "Invalid parameter credentialID"),
        ("p256", "stolen", PIN, "401 invalid_token"),
        ("p256", TOKEN, None, "asks for a PIN"),
        ("ed25519", TOKEN, PIN, "Ed25519 cannot sign here"),
    ],
)
async def test_what_cannot_be_opened(
    credential: str, token: str, secrets: dict[str, str] | None, told: str, service: CscSimulator
) -> None:
    with pytest.raises(KeyRefused, match=told) as caught:
        await asyncio.to_thread(partial(RemoteKey.open, client(service, token), credential, secrets=secrets))
    assert not isinstance(caught.value, KeyUnavailable)


async def test_a_disabled_key_and_a_wrong_pin(service: CscSimulator) -> None:
    wrong = await asyncio.to_thread(partial(RemoteKey.open, client(service), "p256", secrets={"PIN": "0000"}))
    with pytest.raises(KeyRefused, match="Invalid parameter PIN") as caught:
        await signs(wrong)
    assert "0000" not in str(caught.value) + repr(wrong)
    assert TOKEN not in repr(wrong)
    service.credentials["p256"].status = "disabled"
    with pytest.raises(KeyRefused, match="not in use"):
        await opened(service)


@pytest.mark.parametrize(
    ("failing", "told", "later"),
    [
        ("down", "503", True),
        ("proxy", "not the agreed form", True),
        ("redirect", "307", True),
        ("endless", "exceeds 262144 octets", True),
        ("forging", "not that of the certificate's key", False),
        ("many", "2 signatures for one hash", False),
    ],
)
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
async def test_a_service_in_trouble(
    failing: str, told: str, later: bool, kind: str, service: CscSimulator
) -> None:
    key = await opened(service, kind)
    service.behaviour = Behaviour(failing=failing)
    with pytest.raises(KeyRefused, match=told) as caught:
        await signs(key)
    assert isinstance(caught.value, KeyUnavailable) is later


async def test_a_slow_service_and_one_that_is_gone(service: CscSimulator) -> None:
    key = await opened(service)
    service.behaviour = Behaviour(delay_seconds=5.0)
    begun = time.monotonic()
    with pytest.raises(KeyUnavailable, match="within 1 s"):
        await signs(key)
    assert time.monotonic() - begun < 3
    await service.__aexit__()
    with pytest.raises(KeyUnavailable, match=r"127\.0\.0\.1"):
        await signs(key)


async def test_an_expired_authorisation(service: CscSimulator) -> None:
    key = await opened(service)
    service.behaviour = Behaviour(sad_seconds=-1.0)
    with pytest.raises(KeyRefused, match="SAD is invalid or expired"):
        await signs(key)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://sign.example/csc/v2", "HTTPS is needed"),
        ("ftp://sign.example/", "no http or https URL"),
        ("https://user@sign.example/csc/v2", "no http or https URL"),
        ("https://sign.example/csc/v2?x=1", "end with its path"),
        ("https://sign.example:port/", "sign"),
    ],
)
def test_where_a_service_may_be(url: str, told: str) -> None:
    with pytest.raises(KeyRefused, match=told):
        CscService(url, TOKEN)


def test_a_token_with_a_line_break_makes_no_header() -> None:
    with pytest.raises(KeyRefused, match="token"):
        CscService("https://sign.example/csc/v2", "a\r\nX: b")


async def test_a_wrong_pin_is_sent_once(service: CscSimulator) -> None:
    """A few wrong ones lock the credential; callers that try again, also at once, must not be what does it."""
    wrong = await asyncio.to_thread(partial(RemoteKey.open, client(service), "p256", secrets={"PIN": "0000"}))
    tried = await asyncio.gather(*(signs(wrong) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(each, KeyRefused) for each in tried)
    assert sum("not sent again" in str(each) for each in tried) == 3
    assert [method for method, _ in service.requests].count("credentials/authorize") == 1


async def test_what_a_service_says_back_shows_no_secret() -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"{await request.text()} {request.headers['Authorization']}"
        return web.json_response({"error": "invalid_request", "error_description": said}, status=400)

    application = web.Application()
    application.router.add_post("/{path:.*}", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    asked = CscService(f"http://127.0.0.1:{runner.addresses[0][1]}/csc/v2", "secret-token", QUICK)
    request = {"a": 1, "authData": [{"id": "PIN", "value": "4711"}], "SAD": "secret-sad"}
    with pytest.raises(KeyRefused, match="invalid_request") as caught:
        await asyncio.to_thread(asked.ask, "credentials/authorize", request, dict)
    await runner.cleanup()
    assert "***" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("4711", "secret-token", "secret-sad"))


def methods(service: CscSimulator) -> list[str]:
    return [method for method, _ in service.requests]


async def opened_with(service: CscSimulator, bearer: Bearer) -> RemoteKey:
    return await asyncio.to_thread(partial(RemoteKey.open, client(service, bearer), "p256", secrets=PIN))


async def test_a_token_that_ended_is_read_again_from_its_file(service: CscSimulator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    key = await opened_with(service, TokenFile(file))
    service.tokens = {"the next one": float("inf")}
    with pytest.raises(KeyRefused, match="401 invalid_token"):
        await signs(key)
    assert methods(service).count("credentials/authorize") == 1, "the same token is not sent again"
    file.write_text("the next one")
    await signs(key)
    assert methods(service)[-3:] == ["credentials/authorize"] * 2 + ["signatures/signHash"]


async def test_a_token_is_renewed_once_for_each_call(service: CscSimulator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    key = await opened_with(service, TokenFile(file))
    service.tokens, before = {}, len(service.requests)
    file.write_text("no better")
    with pytest.raises(KeyRefused, match="401") as caught:
        await signs(key)
    assert methods(service)[before:] == ["credentials/authorize"] * 2
    assert "no better" not in str(caught.value)
    service.tokens = {"no better": float("inf")}
    await signs(key)  # a refused token says nothing about the PIN, which goes out again
    file.unlink()
    service.tokens = {}
    with pytest.raises(KeyUnavailable, match="No such file"):
        await signs(key)


async def test_a_token_by_client_credentials_is_kept_until_it_is_refused(service: CscSimulator) -> None:
    key = await opened_with(service, ClientCredentials(service.token_url, "gateway", "the secret"))
    await asyncio.gather(*(signs(key) for _ in range(4)))
    assert methods(service).count("oauth2/token") == 1
    service.tokens.clear()
    await asyncio.gather(*(signs(key) for _ in range(4)))
    assert methods(service).count("oauth2/token") == 2, "all that were refused share the new one"


async def test_a_token_that_ends_by_itself_is_not_sent(service: CscSimulator) -> None:
    service.behaviour = Behaviour(token_seconds=5.0)
    key = await opened_with(service, ClientCredentials(service.token_url, "gateway", "the secret"))
    await signs(key)
    assert methods(service).count("oauth2/token") >= 2


async def test_a_client_that_is_not_known_and_an_endpoint_that_is_down(service: CscSimulator) -> None:
    with pytest.raises(KeyRefused, match="token endpoint: 401 invalid_client") as caught:
        await opened_with(service, ClientCredentials(service.token_url, "gateway", "wrong"))
    assert not isinstance(caught.value, KeyUnavailable)
    assert "wrong" not in str(caught.value)
    for failing in ("down", "proxy", "redirect"):
        service.behaviour = Behaviour(failing=failing)
        with pytest.raises(KeyUnavailable, match="token endpoint"):
            await opened_with(service, ClientCredentials(service.token_url, "gateway", "the secret"))
    with pytest.raises(KeyRefused, match="HTTPS is needed"):
        ClientCredentials("http://sign.example/oauth2/token", "gateway", "the secret")
