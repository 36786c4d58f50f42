"""A house with an administrators' door, and people who call at it over real mutual TLS."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import aiohttp
import html5lib

import certs_dev
from gateway.admin.roles import Role
from gateway.settings import AdminSettings, PersonSettings
from tests.house import House, house_at

ROLES: Mapping[str, tuple[Role, ...]] = {
    "admin-viewer": (Role.VIEWER,),
    "admin-operator": (Role.OPERATOR,),
    "admin-certificates": (Role.CERTIFICATE_ADMIN,),
    "admin-auditor": (Role.AUDITOR,),
    "admin": tuple(Role),
    "admin-expired": (Role.OPERATOR,),
    "admin-revoked": (Role.OPERATOR,),
}
"""By development identity; `admin-unlisted` is nobody."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def admin_settings(pki: certs_dev.DevPki) -> AdminSettings:
    server = pki["admin-server"]
    people = tuple(
        PersonSettings(name=name, roles=roles, certificates=(pki[name].certificate,))
        for name, roles in ROLES.items()
    )
    return AdminSettings(
        certificate=server.chain, key=server.key, client_ca=pki.admin_ca, client_crls=pki.admin_ca.parent,
        port=0, person=people,
    )  # fmt: skip


@asynccontextmanager
async def admin_house(directory: Path, pki_home: Path, **changes: Any) -> AsyncIterator[House]:
    import shutil

    shutil.copytree(pki_home / "pki", directory / "pki")
    own = certs_dev.load(directory / "pki")
    async with house_at(directory, pki_home, admin=admin_settings(own), **changes) as house:
        yield house


def context_of(house: House, who: str | None) -> ssl.SSLContext:
    """As `who`, or without a certificate."""
    context = ssl.create_default_context(cafile=str(house.pki.tls_ca))
    if who is not None:
        context.load_cert_chain(house.pki[who].certificate, house.pki[who].key)
    return context


class Caller:
    """One person's program, or browser, with a connection that is kept alive."""

    def __init__(self, house: House, who: str | None) -> None:
        self._url = f"https://localhost:{house.gateway.admin_port}"
        connector = aiohttp.TCPConnector(ssl=context_of(house, who))
        self._session = aiohttp.ClientSession(connector=connector)

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @property
    def origin(self) -> str:
        return self._url

    async def ask(self, method: str, path: str, **how: Any) -> Answer:
        from yarl import URL

        how.setdefault("allow_redirects", False)
        async with self._session.request(method, URL(self._url + path, encoded=True), **how) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def get(self, path: str, **how: Any) -> Answer:
        return await self.ask("GET", path, **how)

    async def post(self, path: str, body: Any, **how: Any) -> Answer:
        return await self.ask("POST", path, json=body, **how)


def tree_of(answer: Answer) -> Element:
    parser: Any = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(answer.text)
    return tree
