"""Revocation answers fetched in the background, from the hosts an operator allows, before the ones in use end.

Never for one filing: what is asked for are the addresses that judged certificates named (`sources`), each when half of
its answer's time has gone. Lists come first; an OCSP responder is asked where no list may be fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from signing.answers import AnswerFolder
from signing.fetching import Answer, FetchFailed, FetchLimits, fetch, split_url
from signing.revocation import CrlRefused, Good, OcspRefused
from signing.sources import Source
from signing.trust import TrustStore, read_crls

LIMITS = FetchLimits(seconds=30.0, answer_bytes=64 << 20)
FIRST_PAUSE, LONGEST_PAUSE, SUCCESS_PAUSE = timedelta(minutes=1), timedelta(hours=1), timedelta(minutes=10)
ASKED_AFTER_END = timedelta(days=7)
"""A signature of its last day may still wait for a word, which lists and responders may keep (`keeps_since`)."""
MOST_A_ROUND = 64
"""Exchanges in one round; what is due beyond waits for the next."""
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: `changed` answers on disk, and every `fault` with its address."""

    changed: int = 0
    faults: tuple[str, ...] = ()


@dataclass
class Refresher:
    """Fetches into a folder that `TrustStore.load` reads. One at a time in each process; several processes take turns.

    `hosts`: names as they stand in addresses, "crl.example.vn", with ":port" where it is not the scheme's own.
    """

    folder: AnswerFolder
    hosts: frozenset[str]
    limits: FetchLimits = LIMITS
    _paused: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)

    async def round(self, trust: TrustStore, at: datetime) -> Round:
        """Fetch what is due at a time (aware). What hosts answer never raises; a fault of the disk does: OSError."""
        with self.folder.locked(".round", wait=False) as ours:
            return await self._round(trust, at) if ours else Round()

    async def _round(self, trust: TrustStore, at: datetime) -> Round:
        await asyncio.to_thread(self._recall, trust)
        changed, faults, asked = 0, list[str](), set[str]()
        self._paused = {p: held for p, held in self._paused.items() if at < held[0] + LONGEST_PAUSE}
        for source in trust.sources.known():
            if len(asked) >= MOST_A_ROUND:
                break
            if not _due(trust, source, at):
                continue
            for url in self._addresses(source, at):
                place = url if url in source.crls else f"{url} {source.certificate.serial_number:x}"
                if place in asked or self._pausing(url, at) or self._pausing(place, at):
                    continue
                asked.add(place)
                fault, is_new = await self._fetched(url, source)
                changed += is_new
                if not fault:
                    self._paused[place] = (
                        at + SUCCESS_PAUSE,
                        FIRST_PAUSE / 2,
                    )  # it may have nothing newer yet
                    break
                faults.append(f"{url[:200]}: {fault}")
                self._pause(url, at)
        await asyncio.to_thread(self._remember, trust)
        return Round(changed, tuple(faults))

    def _recall(self, trust: TrustStore) -> None:
        """The lists about the CAs themselves are fetched before any filing names one; addresses outlive a restart.

        What was remembered counts where it still leads to an anchor.
        """
        noted: Iterable[x509.Certificate] = () if trust.sources.begun else trust.intermediates
        trust.sources.begun = True
        for ca in noted:
            for path in trust.paths.paths(ca)[:1]:
                trust.sources.note(path)
        known = {source.certificate for source in trust.sources.known()}
        remembered = self.folder.remembered()
        for certificate in remembered:
            if certificate not in known:
                for path in trust.paths.paths(certificate, remembered)[:1]:
                    trust.sources.recall(path)

    def _remember(self, trust: TrustStore) -> None:
        asked = [source for source in trust.sources.known() if self._addresses(source, None)]
        if asked:
            self.folder.remember(c for source in asked for c in (source.certificate, source.issuer))

    def _addresses(self, source: Source, at: datetime | None) -> list[str]:
        """Lists, else responders; of a certificate that has ended both, for lists seldom tell of such."""
        lists = [url for url in source.crls if self.allows(url)]
        responders = [url for url in source.ocsp if self.allows(url)]
        if at is not None and at > source.certificate.not_valid_after_utc:
            return responders + lists
        return lists or responders

    def allows(self, url: str) -> bool:
        """Whether an address is of an allowed host, by its exact name and port."""
        try:
            parts = split_url(url)
            port = parts.port or DEFAULT_PORTS[parts.scheme]
        except ValueError:
            return False
        host = (parts.hostname or "").lower()
        return f"{host}:{port}" in self.hosts or (port == DEFAULT_PORTS[parts.scheme] and host in self.hosts)

    async def _fetched(self, url: str, source: Source) -> tuple[str, bool]:
        """The fault, or ""; and whether what is on disk has changed."""
        try:
            if url in source.crls:
                body = _usable(await fetch(url, limits=self.limits))
                return "", await asyncio.to_thread(self._keep_lists, body, source.issuer)
            question = _question(source)
            headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
            body = _usable(await fetch(url, body=question, headers=headers, limits=self.limits))
            keep = self.folder.keep_ocsp
            return "", await asyncio.to_thread(keep, body, source.certificate, source.issuer)
        except (FetchFailed, CrlRefused, OcspRefused, ValueError) as error:
            return str(error)[:300], False

    def _keep_lists(self, body: bytes, issuer: x509.Certificate) -> bool:
        kept = [self.folder.keep_crl(der, issuer) for der in read_crls(body)]
        return any(kept)

    def _pausing(self, url: str, at: datetime) -> bool:
        paused = self._paused.get(url)
        return paused is not None and at < paused[0]

    def _pause(self, url: str, at: datetime) -> None:
        """After a fault it is asked again in a minute, then in twice as long, at most in an hour."""
        _, last = self._paused.get(url, (at, FIRST_PAUSE / 2))
        pause = min(last * 2, LONGEST_PAUSE)
        self._paused[url] = (at + pause, pause)


def _usable(answer: Answer) -> bytes:
    if answer.status != 200:
        raise FetchFailed(f"status {answer.status}")
    return answer.body


def _question(source: Source) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(source.certificate, source.issuer, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def _due(trust: TrustStore, source: Source, at: datetime) -> bool:
    """No answer in force, or half of its time has gone."""
    if at > source.certificate.not_valid_after_utc + ASKED_AFTER_END:
        return False
    status = trust.revocation.status(source.certificate, source.issuer, at)
    return not isinstance(status, Good) or at >= status.this_update + (status.until - status.this_update) / 2
