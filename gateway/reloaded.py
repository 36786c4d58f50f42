"""What is read again when its files change: policy and trust, the catalogue, who issues client certificates."""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress
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
from gateway.register.entry import DOOR_CAS, Entry, Purpose
from gateway.register.reading import additions, certificates, out
from gateway.register.reading import crls as register_crls
from gateway.settings import AdminSettings, DoorSettings, Settings
from gateway.status_sources import StatusSources
from signing.answers import AnswerFolder
from signing.list_refresh import ListRefresher
from signing.refresh import Refresher

log = structlog.get_logger("app")
_OF_TRUST = DOOR_CAS | {Purpose.ANCHOR, Purpose.INTERMEDIATE, Purpose.CRL}
Door = DoorSettings | AdminSettings
_WORTH_A_WORD = ("ended", "ends-soon")


class RegisterView:
    """The register as this process has last read it."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.entries = tuple(entries)

    def trust(self) -> Hashable:
        """Changes where the register adds to what is trusted, or takes from it."""
        return tuple(sorted((e.id, e.state) for e in self.entries if e.purpose in _OF_TRUST))


def load_signature_rules(
    settings: Settings, now: Clock, view: RegisterView | None = None
) -> Reloading[SignatureRules]:
    """The policy, and the trust, which is read again when its files or the register change; what of it ends is told."""
    seen = view or RegisterView()
    policy = signing.load_policy(settings.trust.policy)
    before: list[signing.TrustStore] = []
    told: set[tuple[signing.Holding, str]] = set()

    def make(directory: Path) -> SignatureRules:
        trust = signing.TrustStore.load(
            directory, before=before[-1] if before else None, more=additions(seen.entries)
        )
        before[:] = [trust]
        for left_out in trust.left_out:
            log.warning("fetched-answer-left-out", reason=left_out)
        for one in signing.holdings(trust):
            state = one.state(now())
            if state in _WORTH_A_WORD and (one, state) not in told:
                told.add((one, state))
                log.warning(f"trust-{state}", kind=one.kind, name=one.name, until=one.until.isoformat())
        return SignatureRules(policy, trust)

    return Reloading(settings.trust.directory, make, seen.trust)


def load_forms(settings: Settings, own: signing.Policy) -> Reloading[schemas.Catalogue]:
    """Read again when its files change; no form asks for less than the gateway's own policy."""
    reading = schemas.serving_catalogue

    def make(folder: Path) -> schemas.Catalogue:
        nonlocal reading
        made = with_policies(reading(folder), own)
        reading = schemas.load_catalogue  # what changes while it serves is read whole, or stays as it was
        return made

    return Reloading(settings.catalogue.directory, make)


def load_client_trust(door: Door, view: RegisterView) -> Reloading[ClientTrust]:
    """Who issues client certificates at a door, and their revocation lists; read again when folder or register change.

    An authority by itself lets nobody in: who calls is listed, certificate by certificate.
    """

    def make(crls: Path) -> ClientTrust:
        cas = client_cas(door, view.entries)
        without = out(view.entries, _cas_of(door))
        index = signing.RevocationIndex((*cas, *without))
        for file in sorted(crls.glob("*.crl")):
            index.add_crl(file.read_bytes())
        for der in register_crls(view.entries):
            with suppress(signing.CrlRefused):  # it is about signers' certificates
                index.add_crl(der)
        return ClientTrust(_by_subject(cas), index, _by_subject(without))

    return Reloading(door.client_crls, make, view.trust)


def doors(settings: Settings) -> Mapping[Purpose, Door]:
    """The doors of machines and of administrators, by the purpose of the authorities that issue for them."""
    both = (settings.door, settings.admin)
    return {_cas_of(door): door for door in both if door is not None}


def _cas_of(door: Door) -> Purpose:
    return Purpose.ADMIN_CA if isinstance(door, AdminSettings) else Purpose.CLIENT_CA


def client_cas(door: Door, entries: Sequence[Entry]) -> tuple[x509.Certificate, ...]:
    """The authorities of client certificates at a door: those of the settings' file and of the register."""
    purpose = _cas_of(door)
    without = set(out(entries, purpose))
    own = x509.load_pem_x509_certificates(door.client_ca.read_bytes())
    both = dict.fromkeys((*own, *certificates(entries, purpose)))
    return tuple(one for one in both if one not in without)


def _by_subject(all_of_them: Sequence[x509.Certificate]) -> dict[bytes, list[x509.Certificate]]:
    found: dict[bytes, list[x509.Certificate]] = {}
    for one in all_of_them:
        found.setdefault(one.subject.public_bytes(), []).append(one)
    return found


def fetching(
    settings: Settings, rules: Reloading[SignatureRules], view: RegisterView, now: Clock
) -> tuple[StatusSources, Coroutine[None, None, None]]:
    """The job that fetches status answers and trusted lists from allowed hosts into the trust folder; and the hosts."""
    refresher = Refresher(AnswerFolder(settings.trust.directory / "fetched"), frozenset())
    sources = StatusSources(refresher, view.entries)
    lists = ListRefresher(settings.trust.directory / "lists", settings.trust.list_urls, refresher.allows)
    job = keep_fetching(
        refresher,
        lists,
        lambda: rules().trust,
        rules.refresh,
        sources.changed,
        seconds=settings.trust.fetch_seconds,
        now=now,
    )
    return sources, job
