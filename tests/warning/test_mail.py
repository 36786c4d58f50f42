"""Mail against a real SMTP server: over TLS, to those it is for, in both languages, and no header but ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import SMTP as Server

import certs_dev
from gateway.errors import ConfigurationError
from gateway.settings import MailSettings, WarningSettings
from gateway.warning.channels import a_test, open_channels
from gateway.warning.due import Seen, due_matters
from gateway.warning.mail import Mail
from gateway.warning.matter import Message, NotSent
from tests.house import free_port
from tests.warning.servers import Post, mail_server, server_tls, written
from tests.warning.test_due import HOSTILE, POLICY, entry
from tests.warning.test_due import NOW as AT

MESSAGE = Message("SLA", "Cổng Sơn La", AT, (a_test(AT),))
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo",
}  # fmt: skip


def mail_of(post: Post, **more: Any) -> Mail:
    said = {
        "host": "localhost",
        "sender": "gateway@efile.example.vn",
        "to": ("duty@example.vn", "lan@example.vn"),
    }
    return Mail(MailSettings(name="duty", port=post.port, **{**said, "seconds": 5.0, **more}))


async def test_a_mail_goes_over_tls_with_a_password_to_all_it_is_for(
    tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    password = written(tmp_path / "password", "mật khẩu\n")
    async with mail_server(pki, password="mật khẩu") as post:
        await mail_of(post, ca_file=pki.tls_ca, username="gateway", password_file=password).send(MESSAGE)
    (mail,) = post.mails
    assert (post.over_tls, post.logins) == ([True], ["gateway"])
    assert post.recipients == [["duty@example.vn", "lan@example.vn"]]
    assert mail["Subject"] == "[SLA] 1 cảnh báo của cổng / 1 warnings: test"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "Đây là cảnh báo thử" in text
    assert "This is a test" in text
    assert "mật khẩu" not in text


async def test_tls_from_the_first_octet(pki: certs_dev.DevPki) -> None:
    post, loop = Post(free_port()), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Server(post, loop=loop), "127.0.0.1", post.port, ssl=server_tls(pki)
    )
    await mail_of(post, security="tls", ca_file=pki.tls_ca).send(MESSAGE)
    server.close()
    assert len(post.mails) == 1


async def test_a_server_without_starttls_is_sent_nothing_in_the_clear(
    tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    async with mail_server() as post:
        with pytest.raises(NotSent):
            await mail_of(post, ca_file=pki.tls_ca).send(MESSAGE)
    async with mail_server(pki) as stranger:
        with pytest.raises(NotSent):
            await mail_of(stranger).send(MESSAGE)
    assert post.mails == stranger.mails == []


async def test_what_the_server_refuses_is_not_sent_and_no_secret_is_told(
    tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    password = written(tmp_path / "password", "wrong-one")
    async with mail_server(pki, password="right-one") as post:
        with pytest.raises(NotSent) as told:
            await mail_of(post, ca_file=pki.tls_ca, username="gateway", password_file=password).send(MESSAGE)
        assert "535" in str(told.value)
        assert "wrong-one" not in str(told.value)
    async with mail_server() as full:
        full.refuses = "452 no room\x1b[2J"
        with pytest.raises(NotSent) as told:
            await mail_of(full, security="none").send(MESSAGE)
        assert "no room" in str(told.value)
        assert "\x1b" not in str(told.value)


async def test_a_server_that_hangs_is_left(pki: certs_dev.DevPki) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    post = Post(free_port())
    server = await asyncio.start_server(silent, "127.0.0.1", post.port)
    with pytest.raises(NotSent, match="Time"):
        await mail_of(post, security="none", seconds=0.3).send(MESSAGE)
    server.close()


async def test_a_certificate_adds_no_header_no_recipient_and_no_part() -> None:
    named = f"{HOSTILE}\r\n.\r\nMAIL FROM:<thief@example.vn>\r\n"
    matters = due_matters(
        Seen([replace(entry(timedelta(days=5), subject=named), fingerprint="\r\nBcc: t@x")]), POLICY, AT
    )
    hostile = Message("SLA", "Cổng\r\nBcc: thief@example.vn", AT, tuple(matters))
    async with mail_server() as post:
        await mail_of(post, security="none").send(hostile)
    (mail,) = post.mails
    assert set(mail.keys()) <= HEADERS
    assert not mail.is_multipart()
    assert post.recipients == [["duty@example.vn", "lan@example.vn"]]
    lines = mail.get_content().splitlines()
    assert [line for line in lines if "thief" in line]
    assert not [line for line in lines if line.startswith(("Bcc", ".", "MAIL"))]
    assert not {c for c in mail.get_content() if not c.isprintable()} - set("\r\n")


@pytest.mark.parametrize("field", ["sender", "to"])
@pytest.mark.parametrize(
    "address", ["a@b.vn\nBcc: x@y.vn", "a@b.vn\n", "a b@c.vn", "a", "a@b.vn,c@d.vn", '"a"@b.vn']
)
def test_an_address_is_one_address(field: str, address: str) -> None:
    said = {"name": "m", "host": "localhost", "sender": "a@b.vn", "to": ["a@b.vn"]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**said, field: [address] if field == "to" else address}, MailSettings)


def test_all_that_is_wrong_with_the_settings_is_said_at_once() -> None:
    mail = MailSettings(
        name="m", host="mail.example.vn", sender="a@b.vn", to=("a@b.vn",), security="none", username="u"
    )
    with pytest.raises(ConfigurationError) as told:
        open_channels(WarningSettings(mail=(mail,)))
    assert "this machine alone" in str(told.value)
    assert "go together" in str(told.value)
