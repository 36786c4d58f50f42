"""What would break is said by the rehearsal, in both languages, and nothing of it comes into use; the old goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

import certs_dev
from certs_dev.pki import Identity
from gateway.clock import clock
from gateway.development import install
from gateway.notice_keys import open_notice_key
from gateway.register.acts import Certificates
from gateway.register.entry import Entry, Purpose, RegisterRefused, State, active
from gateway.register.reading import of_certificate
from gateway.seeding import entries_of, seeds_of
from gateway.settings import Settings, load_settings, place_of
from gateway.store.opening import open_store
from gateway.store.register import Adoption
from gateway.store.store import Store
from tests.register.changing import LAN, issued

YEARS = (-1, 1500)


@dataclass
class Desk:
    """An installation without a gateway; `now` may be moved."""

    pki: certs_dev.DevPki
    settings: Settings
    store: Store
    folder: Path
    now: datetime

    @property
    def register(self) -> Certificates:
        return Certificates(self.settings, self.store, lambda: self.now)


@pytest.fixture
async def desk(tmp_path: Path, pki_home: Path) -> AsyncIterator[Desk]:
    import shutil

    shutil.copytree(pki_home / "pki", tmp_path / "pki")
    made = install(tmp_path, at=datetime.now(UTC))
    settings = load_settings(made.settings)
    store = await open_store(settings.store, clock)
    notice = open_notice_key(settings.notices).certificate
    first = of_certificate(Purpose.NOTICES, notice, location=place_of(settings.notices))
    await store.seed(seeds_of(settings), "settings file")
    await store.adopt(Adoption((first, *entries_of(settings)), "settings file", clock()))
    yield Desk(made.pki, settings, store, tmp_path / "new", clock())
    await store.close()


def place(identity: Identity, **changes: Any) -> dict[str, str]:
    return {"key": str(identity.key), "certificate": str(identity.chain), **changes}


def other_key(desk: Desk, identity: Identity) -> None:
    identity.key.write_bytes(desk.pki["stranger"].key.read_bytes())


def world_readable(_: Desk, identity: Identity) -> None:
    identity.key.chmod(0o644)


def without_chain(_: Desk, identity: Identity) -> None:
    """As a forgetful administrator does: the leaf alone, whose issuer nobody of the senders knows as a root."""
    identity.chain.write_bytes(identity.certificate.read_bytes())


def wrong_order(desk: Desk, identity: Identity) -> None:
    strange = desk.pki.authority("stranger-root").certificate.public_bytes(Encoding.PEM)
    identity.chain.write_bytes(identity.certificate.read_bytes() + strange)


def gone(_: Desk, identity: Identity) -> None:
    identity.key.unlink()


def nothing(_: Desk, identity: Identity) -> None:
    assert identity.key.exists()


Row = tuple[Purpose, str, str, tuple[int, int], Callable[[Desk, Identity], None], str]
T, N, A = Purpose.TLS, Purpose.NOTICES, Purpose.AGENCY_TLS
ROWS: dict[str, Row] = {
    "the door's key belongs to another certificate": (T, "tls-ca", "server", YEARS, other_key, "does not belong"),
    "the notices' key belongs to another certificate": (N, "gateway-ca", "signer", YEARS, other_key, "does not belong"),
    "anybody can read the door's key": (T, "tls-ca", "server", YEARS, world_readable, "readable by others"),
    "anybody can read the notices' key": (N, "gateway-ca", "signer", YEARS, world_readable, "readable by others"),
    "the key is not there": (T, "tls-ca", "server", YEARS, gone, "No such file"),
    "the chain is incomplete": (T, "stranger-sub-ca", "server", YEARS, without_chain, "chain is incomplete"),
    "the chain's links do not fit": (T, "tls-ca", "server", YEARS, wrong_order, "chain is broken"),
    "a client's certificate for the door": (T, "tls-ca", "client", YEARS, nothing, "not meant for a TLS server"),
    "a certificate without the door's names": (T, "tls-ca", "client", YEARS, nothing, "Names that clients call"),
    "a certificate for encipherment signs no notices": (
        N, "gateway-ca", "encipherment", YEARS, nothing, "not meant for signing",
    ),
    "notices signed under an authority that nobody trusts": (N, "stranger-sub-ca", "signer", YEARS, nothing, "path"),
    "one that has ended": (T, "tls-ca", "server", (-30, -1), nothing, "The certificate ended"),
    "one that has not begun": (N, "gateway-ca", "signer", (2, 1500), nothing, "Is the clock right"),
    "the key towards an agency belongs to another certificate": (
        A, "client-ca", "client", YEARS, other_key, "does not belong",
    ),
    "anybody can read the key towards an agency": (
        A, "client-ca", "client", YEARS, world_readable, "readable by others",
    ),
    "the key towards an agency is not there": (A, "client-ca", "client", YEARS, gone, "No such file"),
    "a server's certificate towards an agency": (
        A, "client-ca", "server", YEARS, nothing, "not meant for a TLS client",
    ),
    "a chain towards an agency out of reach that is incomplete": (
        A, "stranger-sub-ca", "client", YEARS, without_chain, "chain is incomplete",
    ),
    "the links of a chain towards an agency do not fit": (
        A, "client-ca", "client", YEARS, wrong_order, "chain is broken",
    ),
    "one towards an agency that has ended": (A, "client-ca", "client", (-30, -1), nothing, "The certificate ended"),
    "one that ends before the one it replaces": (T, "tls-ca", "server", (-1, 30), nothing, "which it would replace"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
async def test_the_rehearsal_says_what_would_break_and_nothing_takes_over(desk: Desk, name: str) -> None:
    purpose, authority, profile, days, spoil, fault = ROWS[name]
    identity = issued(desk.pki, desk.folder, authority, profile, days=days)  # type: ignore[arg-type]
    spoil(desk, identity)
    party = "agency tax" if purpose is Purpose.AGENCY_TLS else ""
    entry = await desk.register.add_key(purpose, place(identity), LAN, party)
    await refused(desk, entry, fault)


async def refused(desk: Desk, entry: Entry, fault: str) -> None:
    """The fault is told in both languages, and the entry stays next."""
    tried = await desk.register.rehearse(entry.id, LAN)
    assert tried.rehearsal is not None
    assert fault in "\n".join(text.en for text in tried.rehearsal.faults), tried.rehearsal.faults
    assert all(text.vi and text.vi != text.en for text in tried.rehearsal.faults)
    before = {e.id: e.state for e in await desk.register.entries()}
    with pytest.raises(RegisterRefused, match="no green rehearsal"):
        await desk.register.activate(entry.id, LAN)
    assert {e.id: e.state for e in await desk.register.entries()} == before
    assert before[entry.id] is State.NEXT


async def test_a_weak_key(desk: Desk) -> None:
    who = certs_dev.subject("DEV weak", place="Hà Nội")
    weak = desk.pki.issue(who, at=clock(), authority="gateway-ca", key="rsa-1024", valid=YEARS).save(
        desk.folder
    )
    entry = await desk.register.add_key(Purpose.NOTICES, place(weak), LAN)
    await refused(desk, entry, "RSA of 1024 bits")


async def test_a_clock_that_is_wrong_by_a_day(desk: Desk) -> None:
    fresh = issued(desk.pki, desk.folder, "tls-ca", "server", days=(0, 1500))
    entry = await desk.register.add_key(Purpose.TLS, place(fresh), LAN)
    assert (await desk.register.rehearse(entry.id, LAN)).rehearsed
    desk.now -= timedelta(days=1)
    await refused(desk, entry, "Is the clock right")


async def test_one_that_takes_over_when_the_one_before_has_ended(desk: Desk) -> None:
    current = active(await desk.register.entries(), Purpose.TLS)
    assert current is not None
    identity = issued(desk.pki, desk.folder, "tls-ca", "server", days=(-1, 5000))
    entry = await desk.register.add_key(Purpose.TLS, place(identity), LAN)
    desk.now = current.valid_to + timedelta(hours=1)
    await refused(desk, entry, "there is no overlap")


async def test_a_development_certificate_in_production(desk: Desk) -> None:
    desk.settings = replace(desk.settings, mode="production")
    identity = issued(desk.pki, desk.folder, "tls-ca", "server")
    entry = await desk.register.add_key(Purpose.TLS, place(identity), LAN)
    await refused(desk, entry, "development certificate")


async def test_a_remote_signer_that_is_down_is_not_even_added(desk: Desk) -> None:
    import signing

    token = desk.folder.parent / "token"
    token.write_text("x")
    location = {"csc": {"url": "http://127.0.0.1:1/csc/v2", "token_file": str(token)}}
    with pytest.raises(signing.KeyUnavailable):
        await desk.register.add_key(Purpose.NOTICES, location, LAN)


@pytest.mark.parametrize(
    ("purpose", "what", "fault"),
    [
        (Purpose.ANCHOR, "taxpayer", "not a certification authority's"),
        (Purpose.CLIENT_CA, "provider-b", "not a certification authority's"),
        (Purpose.CLIENT, "stranger-client", "None of the trusted authorities"),
        (Purpose.CLIENT, "gateway-server", "not meant for a TLS client"),
        (Purpose.CLIENT, "agency-tax", "The certificate is that of agency tax"),
    ],
)
async def test_what_belongs_to_others(desk: Desk, purpose: Purpose, what: str, fault: str) -> None:
    octets = desk.pki[what].certificate.read_bytes()
    if what == "agency-tax":  # its own entry is there already: the same certificate for a provider
        with pytest.raises(RegisterRefused, match="is there already"):
            await desk.register.add_certificate(purpose, octets, LAN, "provider beta")
        return
    (entry,) = await desk.register.add_certificate(purpose, octets, LAN, "provider beta")
    await refused(desk, entry, fault)


async def test_a_provider_that_nobody_knows(desk: Desk) -> None:
    octets = desk.pki["provider-unregistered"].certificate.read_bytes()
    with pytest.raises(RegisterRefused, match="There is no provider gamma"):
        await desk.register.add_certificate(Purpose.CLIENT, octets, LAN, "provider gamma")


async def test_a_list_that_has_ended_or_is_nobodys(desk: Desk) -> None:
    desk.pki.revoke("other-company", clock())
    (entry,) = await desk.register.add_certificate(
        Purpose.CRL, desk.pki.crl("public-sub-ca").public_bytes(Encoding.DER), LAN
    )
    (strange,) = await desk.register.add_certificate(
        Purpose.CRL, desk.pki.crl("stranger-sub-ca").public_bytes(Encoding.DER), LAN
    )
    await refused(desk, strange, "no known certificate")
    desk.now += timedelta(days=31)
    await refused(desk, entry, "The list ended")


@pytest.mark.parametrize("octets", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END"])
async def test_octets_that_are_nothing(desk: Desk, octets: bytes) -> None:
    for purpose in (Purpose.ANCHOR, Purpose.CRL):
        with pytest.raises(ValueError):
            await desk.register.add_certificate(purpose, octets, LAN)


def test_a_request_is_made_once_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    from cryptography import x509

    from gateway.register.request import new_request

    file = new_request("CN=door,O=Cổng,C=VN", ["efile.example.vn", "192.0.2.1"], tmp_path / "new")
    request = x509.load_pem_x509_csr(file.read_bytes())
    assert request.is_signature_valid
    assert (tmp_path / "new/key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        new_request("CN=door", [], tmp_path / "new")
