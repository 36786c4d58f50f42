"""What is read again when its files change: policy and trust, the catalogue, who issues client certificates."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path

import structlog
from cryptography import x509

import schemas
import signing
from gateway.api.clients import ClientTrust
from gateway.intake.form_policy import with_policies
from gateway.intake.verify import SignatureRules
from gateway.jobs.fetch import keep_fetching
from gateway.jobs.refresh import Reloading
from gateway.ports import Clock
from gateway.settings import Settings
from signing.answers import AnswerFolder
from signing.list_refresh import ListRefresher
from signing.refresh import Refresher

log = structlog.get_logger("app")
_WORTH_A_WORD = ("ended", "ends-soon")


def load_signature_rules(settings: Settings, now: Clock) -> Reloading[SignatureRules]:
    """The policy, and the trust, which is read again when its files change; what of it ends is told."""
    policy = signing.load_policy(settings.trust.policy)
    before: list[signing.TrustStore] = []
    told: set[tuple[signing.Holding, str]] = set()

    def make(directory: Path) -> SignatureRules:
        trust = signing.TrustStore.load(directory, before=before[-1] if before else None)
        before[:] = [trust]
        for left_out in trust.left_out:
            log.warning("fetched-answer-left-out", reason=left_out)
        for one in signing.holdings(trust):
            state = one.state(now())
            if state in _WORTH_A_WORD and (one, state) not in told:
                told.add((one, state))
                log.warning(f"trust-{state}", kind=one.kind, name=one.name, until=one.until.isoformat())
        return SignatureRules(policy, trust)

    return Reloading(settings.trust.directory, make)


def load_forms(settings: Settings, own: signing.Policy) -> Reloading[schemas.Catalogue]:
    """Read again when its files change; no form asks for less than the gateway's own policy."""
    return Reloading(
        settings.catalogue.directory, lambda folder: with_policies(schemas.load_catalogue(folder), own)
    )


def load_client_trust(client_ca: Path, crls: Path) -> ClientTrust:
    """The issuers of client certificates and their revocation lists."""
    certificates = x509.load_pem_x509_certificates(client_ca.read_bytes())
    index = signing.RevocationIndex(certificates)
    for file in sorted(crls.glob("*.crl")):
        index.add_crl(file.read_bytes())
    return ClientTrust({c.subject.public_bytes(): c for c in certificates}, index)


def fetching(settings: Settings, rules: Reloading[SignatureRules], now: Clock) -> Coroutine[None, None, None]:
    """The job that fetches status answers and trusted lists from allowed hosts into the trust folder."""
    hosts = frozenset(host.lower() for host in settings.trust.fetch_hosts)
    refresher = Refresher(AnswerFolder(settings.trust.directory / "fetched"), hosts)
    lists = ListRefresher(settings.trust.directory / "lists", settings.trust.list_urls, refresher.allows)
    return keep_fetching(
        refresher,
        lists,
        lambda: rules().trust,
        rules.refresh,
        seconds=settings.trust.fetch_seconds,
        now=now,
    )
