"""What a compromised key of notices has signed: listed, and signed anew by the key in use.

A notice says what the store holds, not what its old signature says: a copy that somebody else made with the stolen key
is in no store, and is not signed anew.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from functools import cache, partial

from cryptography import x509
from lxml import etree

import signing
from gateway.filing.findings import Text
from gateway.intake.verify import SignatureRules
from gateway.notary import XmlNotary
from gateway.notice_keys import notary_with, open_entry
from gateway.ports import Clock
from gateway.register.acts import Who
from gateway.register.entry import Entry, Purpose, RegisterRefused, State, active, found
from gateway.reloaded import RegisterView, load_signature_rules
from gateway.settings import Settings
from gateway.store.reissues import Given, Reissue, Reissues
from gateway.store.store import Store
from gateway.time_stamps import TimeStamps

PAGE = 200
_CERTIFICATE = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"


class Reissuing:
    """Lists and reissues; what cannot be is refused by RegisterRefused."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    async def entry(self, name: str) -> Entry:
        """The key's entry, which must be a revoked one of notices."""
        entry = found(await self._store.entries(), name)
        if entry.purpose is not Purpose.NOTICES or entry.state is not State.REVOKED:
            raise RegisterRefused(
                Text(
                    f"{entry.id}: chỉ ký lại thông báo của khóa thông báo đã bị thu hồi.",
                    f"{entry.id}: only what a revoked key of notices has signed is signed anew.",
                )
            )
        return entry

    async def signed_by(self, entry: Entry, since: datetime) -> AsyncIterator[Given]:
        """The notices that are given out today and bear its signature, issued since then."""
        certificate = x509.load_der_x509_certificate(entry.octets)
        after = None
        while page := await self._store.signed_since(since, after, PAGE):
            after = page[-1]
            for one in page:
                if _signer(one.notice.document) == certificate:
                    yield one

    async def reissue(self, entry: Entry, since: datetime, who: Who) -> int:
        """Sign them anew; answers how many. Raises signing.KeyRefused, SignerUnavailable."""
        entries = await self._store.entries()
        current = active(entries, Purpose.NOTICES)
        if current is None:
            raise RegisterRefused(Text("Chưa có khóa thông báo đang dùng.", "No key of notices is in use."))

        @cache
        def rules() -> SignatureRules:
            return load_signature_rules(self._settings, self._clock, RegisterView(entries))()

        stamps = TimeStamps(self._settings.notices.tsa_seconds, rules, self._clock)
        stamps.take_over(entries)
        async with aclosing(stamps):
            notary = notary_with(self._settings, open_entry(current), stamps)
            return await self._all(entry, since, who, notary)

    async def _all(self, entry: Entry, since: datetime, who: Who, notary: XmlNotary) -> int:
        done = 0
        waiting: list[Given] = []
        async for one in self.signed_by(entry, since):
            waiting.append(one)
            if len(waiting) == PAGE:
                done += await self._page(waiting, entry, who, notary)
                waiting = []
        return done + await self._page(waiting, entry, who, notary)

    async def _page(self, given: list[Given], entry: Entry, who: Who, notary: XmlNotary) -> int:
        if not given:
            return 0
        made = [
            Reissue(one, await notary.issued(partial(notary.reissued, one.notice, self._clock())))
            for one in given
        ]
        return await self._store.reissue(Reissues(tuple(made), entry.id, who.name, who.why, self._clock()))


def _signer(document: bytes) -> x509.Certificate | None:
    root = signing.parse_xml(document).root
    held: etree._Element | None = next(root.iter(_CERTIFICATE), None)
    return None if held is None else x509.load_der_x509_certificate(base64.b64decode(held.text or ""))
