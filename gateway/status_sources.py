"""Hosts that may be asked for revocation lists and OCSP answers, as the register has them in force."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime

import signing
from gateway.filing.findings import Text
from gateway.register.entry import IN_FORCE, Doubt, Entry, NewEntry, Purpose, of_service
from signing.fetching import FetchFailed, split_url
from signing.refresh import DEFAULT_PORTS, Refresher
from signing.source_trial import try_crl, try_ocsp


def entry_of_source(place: str, at: datetime, *, responder: bool = False) -> NewEntry:
    """`place`: a host, `crl.example.vn` or `crl.example.vn:8080`, or an address there, which a rehearsal tries: of a
    list, or of an OCSP `responder`. Raises ValueError."""
    address = place if "://" in place else f"http://{place}"
    parts = split_url(address)
    if address != place and (parts.path or parts.query or parts.fragment or responder):
        raise ValueError(f"{place[:200]!r} is neither a host nor an http or https URL")
    host = parts.netloc.lower().removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")
    location = {"host": host}
    if address == place:
        location |= {"ocsp" if responder else "crl": place}
    return of_service(Purpose.STATUS_SOURCE, host, at, location)


def allowed(entries: Iterable[Entry]) -> frozenset[str]:
    """The hosts that may be asked."""
    mine = (e for e in entries if e.purpose is Purpose.STATUS_SOURCE and e.state in IN_FORCE)
    return frozenset(entry.subject for entry in mine)


def source_faults(entry: NewEntry, trust: signing.TrustStore) -> Iterator[Text]:
    """What is wrong with its address, which is fetched once; a host alone cannot be tried (Doubt)."""
    list_url, responder = entry.location.get("crl"), entry.location.get("ocsp")
    try:
        if list_url is not None:
            try_crl(list_url, trust)
        elif responder is None:
            yield Doubt(
                "Chỉ có tên máy chủ, chưa thử được; hãy nêu địa chỉ của danh sách.",
                "A host alone cannot be tried; name the address of a list.",
            )
        elif not try_ocsp(responder, trust):
            yield Doubt(
                "Máy chủ OCSP trả lời nhưng không biết tổ chức chứng thực được hỏi.",
                "The OCSP responder answers, but not about the authority that it was asked about.",
            )
    except LookupError:
        yield Doubt("Chưa có chứng thư nào để hỏi OCSP.", "There is no certificate to ask OCSP about.")
    except FetchFailed as error:
        yield Text(f"Không tải được (nguyên văn: {error}).", f"It cannot be fetched: {error}.")
    except (signing.CrlRefused, signing.OcspRefused) as error:
        yield Text(
            f"Câu trả lời không dùng được (nguyên văn: {error}).", f"What it answers is of no use: {error}."
        )


class StatusSources:
    """Which hosts the fetcher of this process asks. `changed` is set where it should look at once."""

    def __init__(self, refresher: Refresher, entries: Iterable[Entry]) -> None:
        self._refresher = refresher
        self.changed = asyncio.Event()
        self._refresher.hosts = allowed(entries)

    def take_over(self, entries: Iterable[Entry]) -> None:
        """From the next exchange on these are asked, and no others."""
        hosts = allowed(entries)
        if hosts != self._refresher.hosts:
            self._refresher.hosts = hosts
            self.changed.set()
