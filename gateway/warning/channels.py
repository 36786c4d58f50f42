"""The channels that the settings name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError
from gateway.filing.findings import Text
from gateway.settings import MailSettings, WarningSettings, WebhookSettings
from gateway.warning.files import LOOPBACK
from gateway.warning.mail import Mail
from gateway.warning.matter import Channel, Kind, Matter, matter
from gateway.warning.webhook import Webhook


def open_channels(settings: WarningSettings) -> list[Channel]:
    """In the order of the settings. Their files are read with each message.

    Raises ConfigurationError, with every fault of the settings at once.
    """
    faults = [fault for one in settings.webhook for fault in _webhook_faults(one)]
    faults += [fault for one in settings.mail for fault in _mail_faults(one)]
    names = [*(one.name for one in settings.webhook), *(one.name for one in settings.mail)]
    faults += [f"[warnings] {name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    if faults:
        raise ConfigurationError(faults)
    return [*map(Webhook, settings.webhook), *map(Mail, settings.mail)]


def require_usable(channels: Sequence[Channel]) -> None:
    """Raises ConfigurationError with all that is wrong with the channels' files."""
    if faults := [fault for one in channels for fault in one.faults()]:
        raise ConfigurationError(faults)


def a_test(at: datetime) -> Matter:
    """What is sent to try a channel; another one at each time (aware)."""
    text = Text("Đây là cảnh báo thử, không có gì sai.", "This is a test: nothing is wrong.")
    return matter(
        Kind.TEST, "test", at.isoformat(), text, Text("Không cần làm gì.", "Nothing is to be done.")
    )


def _webhook_faults(one: WebhookSettings) -> Iterator[str]:
    where = f"[[warnings.webhook]] {one.name}"
    try:
        url = urlsplit(one.url)
        _ = url.port
    except ValueError as error:
        yield f"{where}: url: {error}"
        return
    if not url.hostname or url.scheme not in ("http", "https"):
        yield f"{where}: url: https://… is needed"
    elif url.scheme == "http" and url.hostname not in LOOPBACK:
        yield f"{where}: url: warnings cross no network in the clear; https is needed"
    if url.username is not None or url.fragment:
        yield f"{where}: url: no credentials and no fragment; a token belongs into token_file"
    if one.secret_file is None and one.token_file is None:
        yield f"{where}: secret_file or token_file is needed: else anybody could warn in our name"


def _mail_faults(one: MailSettings) -> Iterator[str]:
    where = f"[[warnings.mail]] {one.name}"
    if one.security == "none" and one.host not in LOOPBACK:
        yield f'{where}: security "none" is for this machine alone'
    if (one.username is None) != (one.password_file is None):
        yield f"{where}: username and password_file go together"
