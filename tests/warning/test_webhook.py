"""Webhooks against a real server: signed as Standard Webhooks says, never redirected, whatever the server does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import certs_dev
from gateway.errors import ConfigurationError
from gateway.settings import WarningSettings, WebhookSettings
from gateway.warning.channels import a_test, open_channels, require_usable
from gateway.warning.matter import Message, NotSent
from gateway.warning.webhook import Webhook, signature
from tests.house import free_port
from tests.warning.servers import MEGABYTES, Hook, hook_server, written

AT = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
MESSAGE = Message("SLA", "Cổng Sơn La", AT, (a_test(AT),))
SECRET = base64.b64encode(b"k" * 32).decode()


def hook_of(url: str, folder: Path, **more: Any) -> Webhook:
    secret = written(folder / "secret", f"whsec_{SECRET}\n")
    said = {"secret_file": secret, "seconds": 2.0, **more}
    return Webhook(WebhookSettings(name="duty", url=url, **said))


def test_the_signature_is_that_of_the_published_example() -> None:
    """The example of the Standard Webhooks' reference libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_receiver_can_prove_who_sent_it(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    async with hook_server(pki) as server:
        token = written(tmp_path / "token", "of-the-bearer\n")
        await hook_of(server.url, tmp_path, ca_file=pki.tls_ca, token_file=token).send(MESSAGE)
    (body,), (headers,) = server.bodies, server.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    own = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{own}"
    assert headers["Authorization"] == "Bearer of-the-bearer"
    told = json.loads(body)
    assert (told["type"], told["gateway"]) == ("test", {"code": "SLA", "name": "Cổng Sơn La"})
    assert set(told["warnings"][0]) == {"id", "kind", "about", "until", "text", "mend"}
    assert SECRET not in body.decode()


async def test_a_server_that_another_authority_vouches_for_is_sent_nothing(
    tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    async with hook_server(pki) as server:
        with pytest.raises(NotSent, match="CertificateError"):
            await hook_of(server.url, tmp_path).send(MESSAGE)
    assert server.bodies == []


@pytest.mark.parametrize("answer", ["500", "404", "redirect", "hang"])
async def test_what_is_not_taken_is_not_sent(answer: str, tmp_path: Path) -> None:
    async with hook_server() as server:
        server.answers = [answer]
        with pytest.raises(NotSent) as told:
            await hook_of(server.url, tmp_path, seconds=0.5).send(MESSAGE)
    assert server.elsewhere == 0, "a redirect would carry the token to somebody else"
    assert not any(word in str(told.value) for word in ("secret", "in-the-address", SECRET))


async def test_of_a_huge_answer_the_status_alone_is_read(tmp_path: Path) -> None:
    async with hook_server() as server:
        server.answers = ["huge"]
        await hook_of(server.url, tmp_path).send(MESSAGE)
    assert server.octets < MEGABYTES * 1_000_000 / 2


async def test_a_server_that_speaks_no_http_is_a_failure_like_any_other(tmp_path: Path) -> None:
    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n" * 1000)
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", port := free_port())
    with pytest.raises(NotSent):
        await hook_of(f"http://127.0.0.1:{port}/in-the-address", tmp_path).send(MESSAGE)
    server.close()
    with pytest.raises(NotSent) as told:
        await hook_of(f"http://127.0.0.1:{port}/in-the-address", tmp_path).send(MESSAGE)
    assert "in-the-address" not in str(told.value)


def test_all_that_is_wrong_with_the_settings_is_said_at_once(tmp_path: Path) -> None:
    hooks = (
        WebhookSettings(name="a", url="http://duty.example.vn/", token_file=tmp_path / "none"),
        WebhookSettings(name="a", url="https://us:secret@duty.example.vn/"),
        WebhookSettings(name="b", url="ftp://duty.example.vn/", token_file=tmp_path),
        WebhookSettings(name="c", url="https://[::1", token_file=tmp_path),
    )
    with pytest.raises(ConfigurationError) as told:
        open_channels(WarningSettings(webhook=hooks))
    text = str(told.value)
    for fault in (
        "in the clear",
        "no credentials",
        "secret_file or token_file",
        "listed twice",
        "https://… is",
        "IPv6",
    ):
        assert fault in text
    assert "us:secret" not in text


def test_files_that_cannot_be_used_are_said_without_what_they_hold(tmp_path: Path) -> None:
    for text in ("whsec_short", SECRET, "whsec_!!!", "", f"whsec_{SECRET}\nmore"):
        with pytest.raises(ConfigurationError) as told:
            require_usable(
                [hook_of("https://localhost/", tmp_path, secret_file=written(tmp_path / "s", text))]
            )
        assert str(tmp_path / "s") in str(told.value)
        assert not text or text not in str(told.value)


async def test_a_secret_that_is_gone_is_a_failure_that_may_be_mended(tmp_path: Path) -> None:
    async with hook_server() as server:
        hook = hook_of(server.url, tmp_path)
        (tmp_path / "secret").unlink()
        with pytest.raises(NotSent, match="FileNotFoundError"):
            await hook.send(MESSAGE)
        written(tmp_path / "secret", f"whsec_{SECRET}")
        await hook.send(MESSAGE)
    assert isinstance(server, Hook)
    assert len(server.bodies) == 1
