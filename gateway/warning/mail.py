"""Warnings by mail (RFC 5321, RFC 5322), in Vietnamese and English, handed to one SMTP server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib
import structlog

from gateway.settings import MailSettings
from gateway.warning.files import faults_of, line_of, tls_of
from gateway.warning.matter import Matter, Message, NotSent, plain

log = structlog.get_logger("warnings")
_MOST_SUBJECT = 60


class Mail:
    """See `matter.Channel`."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self.name = settings.name
        self.seconds = settings.seconds

    def faults(self) -> Sequence[str]:
        """See `matter.Channel.faults`."""
        said = self._settings
        return faults_of(
            f"[[warnings.mail]] {said.name}", [(said.password_file, line_of), (said.ca_file, tls_of)]
        )

    async def send(self, message: Message) -> None:
        """See `matter.Channel.send`: the server has taken it for at least one of those it is for."""
        try:
            refused = await self._hand_over(written(message, self._settings))
        except aiosmtplib.SMTPAuthenticationError as error:  # its words may repeat what we said
            raise NotSent(f"the server does not know us: {error.code}") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error
        if refused:
            log.warning("mail-refused-in-part", channel=self.name, recipients=sorted(refused))

    async def _hand_over(self, mail: EmailMessage) -> Sequence[str]:
        said = self._settings
        password, tls = await asyncio.to_thread(self._files)
        refused, _ = await aiosmtplib.send(
            mail,
            sender=said.sender,
            recipients=list(said.to),
            hostname=said.host,
            port=said.port,
            username=said.username,
            password=password,
            use_tls=said.security == "tls",
            start_tls=said.security == "starttls",
            tls_context=tls,
            timeout=said.seconds,
        )
        return list(refused)

    def _files(self) -> tuple[str | None, ssl.SSLContext | None]:
        said = self._settings
        password = None if said.password_file is None else line_of(said.password_file)
        return password, None if said.security == "none" else tls_of(said.ca_file)


def written(message: Message, said: MailSettings) -> EmailMessage:
    """The mail. What comes from certificates stands in its body alone; its headers hold ours."""
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    count = len(message.matters)
    mail["From"], mail["To"] = said.sender, ", ".join(said.to)
    mail["Subject"] = f"[{message.code}] {count} cảnh báo của cổng / {count} warnings: " + plain(
        ", ".join(dict.fromkeys(one.kind.value for one in message.matters)), _MOST_SUBJECT
    )
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{said.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834
    lines = [plain(message.name), ""]
    for language in ("vi", "en"):
        lines += [_heading(language, count), ""]
        lines += [line for one in message.matters for line in _paragraph(one, language)]
    mail.set_content("\n".join(lines))
    return mail


def _heading(language: str, count: int) -> str:
    return f"TIẾNG VIỆT: {count} cảnh báo" if language == "vi" else f"ENGLISH: {count} warnings"


def _paragraph(one: Matter, language: str) -> list[str]:
    return [f"- {getattr(one.text, language)}", f"  → {getattr(one.mend, language)}", ""]
