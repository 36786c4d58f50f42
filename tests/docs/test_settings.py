"""docs/settings.md lists exactly the settings' keys, with their true defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import schemas
from adapters.bus import BusConfig
from adapters.edxml import EdxmlConfig
from adapters.folder import FolderConfig
from adapters.http import HttpConfig
from adapters.permit import PermitConfig
from adapters.queue import QueueConfig
from adapters.sftp import SftpConfig
from adapters.tax import TaxConfig
from gateway import settings
from gateway.calendar import OWN_CALENDAR
from gateway.directory import OWN_DIRECTORY
from gateway.register.policy import OWN_POLICY
from tests.docs.papers import DOCS, headings, section, table

TEXT = (DOCS / "settings.md").read_text(encoding="utf-8")

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "Top level": settings.Settings,
    "[gateway]": settings.GatewaySettings,
    "[door]": settings.DoorSettings,
    "[trust]": settings.TrustSettings,
    "[catalogue]": settings.CatalogueSettings,
    "[directory]": settings.DirectorySettings,
    "[calendar]": settings.CalendarSettings,
    "[notices]": settings.NoticeSettings,
    "[notices.pkcs11]": settings.TokenKeySettings,
    "[notices.csc]": settings.ServiceKeySettings,
    "[bodies]": settings.BodySettings,
    "[bodies.s3]": settings.ObjectStoreSettings,
    "[register]": settings.RegisterSettings,
    "[limits]": settings.LimitSettings,
    "[delivery]": settings.DeliverySettings,
    "[[retention]]": settings.RetentionSettings,
    "[warnings]": settings.WarningSettings,
    "[[warnings.webhook]]": settings.WebhookSettings,
    "[[warnings.mail]]": settings.MailSettings,
    "[admin]": settings.AdminSettings,
    "[[admin.person]]": settings.PersonSettings,
    "[[provider]]": settings.ProviderSettings,
    "[[agency]]": settings.AgencySettings,
    "[agency.config]": HttpConfig,
    "[agency.config] of bus": BusConfig,
    "[agency.config] of queue": QueueConfig,
    "[agency.config] of folder": FolderConfig,
    "[agency.config] of sftp": SftpConfig,
    "[agency.config] of tax": TaxConfig,
    "[agency.config] of permit": PermitConfig,
    "[agency.config] of edxml": EdxmlConfig,
}
OF_A_KIND = {name for name in SECTIONS if " of " in name}
TABLES = {name.strip("[]") for name in SECTIONS} - {"Top level"} - {name.strip("[]") for name in OF_A_KIND}
SHARED = {field.encode_name for field in msgspec.structs.fields(HttpConfig)}


def as_toml(value: Any) -> str:
    """A default as the paper writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in (schemas.OWN_CATALOGUE, OWN_DIRECTORY, OWN_CALENDAR, OWN_POLICY):
        return "the package's own"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    return f"`{json.dumps(value)}`" if isinstance(value, tuple | dict) else f"`{value}`"


def expected(kind: type[msgspec.Struct], *, top: bool) -> list[tuple[str, str]]:
    rows = []
    for field in msgspec.structs.fields(kind):
        if top and field.encode_name in TABLES:
            continue
        required = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        made = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        rows.append((field.encode_name, "required" if required else as_toml(made)))
    return sorted(rows)


def test_every_table_of_the_file_has_its_section() -> None:
    assert headings(TEXT)[1:] == list(SECTIONS)
    tables = {f.encode_name for f in msgspec.structs.fields(settings.Settings)}
    assert {name for name in TABLES if "." not in name} <= tables


@pytest.mark.parametrize("name", SECTIONS)
def test_keys_and_defaults_are_those_of_the_code(name: str) -> None:
    rows = table(section(TEXT, f"## {name}"), "key")
    assert all(len(row) == 3 and row[2] for row in rows)
    found = sorted((row[0].strip("`"), row[1]) for row in rows)
    rows_of_code = expected(SECTIONS[name], top=name == "Top level")
    assert found == [row for row in rows_of_code if name not in OF_A_KIND or row[0] not in SHARED]
