"""Background refresh: only from allowed hosts, only what is due, kept over restarts, never replaced by older ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing import CrlRefused, FileKey, OcspRefused, Policy, Revoked, TrustStore, Unknown
from signing.answers import SOURCES, AnswerFolder
from signing.authenticity import judge_certificate
from signing.fetching import FetchLimits
from signing.list_refresh import ListRefresher
from signing.refresh import Refresher
from signing.trusted_list import lists_of
from tests.signing.pki import (
    AT,
    SIGNS,
    Hierarchy,
    authority,
    certificate,
    hierarchy,
    name,
    private_key,
    signer,
)
from tests.signing.test_ocsp import answer, responder
from tests.signing.trusted_lists import Entry, signed_list, unsigned_list

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Publisher:
    """A CA's web server on this machine: what lies under a path, and who asked for what."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.redirect = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.redirect:
            return web.Response(status=302, headers={"Location": "/ca.crl"})
        if request.path not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[request.path])


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.host = f"127.0.0.1:{runner.addresses[0][1]}"  # type: ignore[attr-defined]
    yield made
    await runner.cleanup()


def named(host: str, *, crl: bool = True, ocsp: bool = False) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """The addresses that a certificate names."""
    uri = x509.UniformResourceIdentifier
    found: list[tuple[x509.ExtensionType, bool]] = list(SIGNS)
    if crl:
        point = x509.DistributionPoint([uri(f"http://{host}/ca.crl")], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    if ocsp:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri(f"http://{host}/ocsp"))
        found.append((x509.AuthorityInformationAccess([access]), False))
    return tuple(found)


class Place:
    """A trust folder of its own hierarchy with a fresh list of the root, and a refresher beside it."""

    def __init__(self, folder: Path, hosts: set[str]) -> None:
        self.own: Hierarchy = hierarchy()
        self.folder = folder
        for place, data in (
            ("anchors/root.cer", self.own.root.certificate.public_bytes(Encoding.DER)),
            ("intermediates/ca.cer", self.own.ca.certificate.public_bytes(Encoding.DER)),
            ("crls/root.crl", self.own.root.crl(AT - 9 * DAY, AT + 99 * DAY)),
        ):
            (folder / place).parent.mkdir(exist_ok=True)
            (folder / place).write_bytes(data)
        self.trust = TrustStore.load(folder)
        self.refresher = Refresher(
            AnswerFolder(folder / "fetched"), frozenset(hosts), FetchLimits(2.0, 1 << 20)
        )

    async def round(self, at: datetime = AT) -> Any:
        done = await self.refresher.round(self.trust, at)
        self.trust = TrustStore.load(self.folder, before=self.trust)
        return done

    def status(self, key: FileKey, policy: Policy, at: datetime = AT) -> str | None:
        judged = judge_certificate(key.certificate, (), trust=self.trust, policy=policy, at=at)
        bad = [check.sub_indication for check in judged.checks if check.sub_indication]
        return bad[0] if bad else None


@pytest.mark.parametrize("way", ["crl", "ocsp"])
async def test_a_status_that_is_not_known_is_fetched_once_and_survives(
    way: str, publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    key = signer(place.own.ca, extensions=named(host, crl=way == "crl", ocsp=way == "ocsp"))
    publisher.files["/ca.crl"] = place.own.ca.crl()
    publisher.files["/ocsp"] = answer(key.certificate, place.own.ca.certificate, responder(place.own.ca))
    assert (await place.round()).changed == 0, "nothing was judged yet"
    assert place.status(key, policy) == "TRY_LATER"
    assert publisher.asked == [], "never for one filing"
    assert (await place.round()).changed == 1
    assert place.status(key, policy) is None
    await place.round(AT + HOUR)
    assert len(publisher.asked) == 1, "not due"
    assert TrustStore.load(tmp_path).revocation.status(
        key.certificate, place.own.ca.certificate, AT
    ) == place.trust.revocation.status(key.certificate, place.own.ca.certificate, AT)


async def test_it_is_renewed_at_half_time_and_a_revocation_counts(
    publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    own, key = place.own, signer(place.own.ca, extensions=named(host))
    publisher.files["/ca.crl"] = own.ca.crl(AT, AT + DAY)
    assert place.status(key, policy) == "TRY_LATER"
    assert (await place.round()).changed == 1
    own.ca.revoked.append((key.certificate.serial_number, AT + HOUR, x509.ReasonFlags.key_compromise))
    publisher.files["/ca.crl"] = own.ca.crl(AT + 2 * HOUR, AT + DAY, number=2)
    assert (await place.round(AT + 11 * HOUR)).changed == 0
    assert (await place.round(AT + 12 * HOUR)).changed == 1
    assert place.status(key, policy, AT + 12 * HOUR) == "REVOKED_NO_POE"
    assert len(publisher.asked) == 2


async def test_other_hosts_and_redirects_are_left_alone(
    publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {"crl.example", host.split(":")[0], "127.0.0.1:1"})
    key = signer(place.own.ca, extensions=named(host, ocsp=True))
    publisher.files["/ca.crl"] = place.own.ca.crl()
    place.status(key, policy)
    assert (await place.round()).faults == ()
    assert publisher.asked == []
    place.refresher.hosts = frozenset({host})
    publisher.redirect = True
    assert "status 302" in (await place.round()).faults[0]
    assert len(publisher.asked) == 1
    assert place.status(key, policy) == "TRY_LATER"


def test_which_addresses_are_allowed(tmp_path: Path) -> None:
    refresher = Refresher(AnswerFolder(tmp_path), frozenset({"crl.example.vn", "ocsp.example.vn:8080"}))
    for url, allowed in (
        ("http://crl.example.vn/x.crl", True),
        ("https://CRL.example.vn/x.crl", True),
        ("http://crl.example.vn:8080/x.crl", False),
        ("http://ocsp.example.vn:8080/", True),
        ("http://ocsp.example.vn/", False),
        ("http://crl.example.vn.evil.example/", False),
        ("http://crl.example.vn@evil.example/", False),
        ("http://evil.example/crl.example.vn", False),
        ("ldap://crl.example.vn/", False),
        ("file:///etc/passwd", False),
        ("http://crl.example.vn:x/", False),
        ("http://[::1/", False),
        ("", False),
    ):
        assert refresher.allows(url) is allowed, url


async def test_faults_are_told_and_not_repeated_at_once(
    publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    key = signer(place.own.ca, extensions=named(host))
    place.status(key, policy)
    stranger = authority("Issuing CA of the tests", number=120)
    for minutes, body, told in (
        (0, None, "status 404"),
        (2, b"<html>", "not a usable CRL"),
        (10, stranger.crl(), "verifies"),
        (30, b"\x00" * (2 << 20), "exceeds"),
    ):
        publisher.files = {} if body is None else {"/ca.crl": body}
        at = AT + timedelta(minutes=minutes)
        assert told in (await place.round(at)).faults[0]
        asked = len(publisher.asked)
        await place.round(at + timedelta(seconds=30))
        assert len(publisher.asked) == asked
    assert not list((tmp_path / "fetched").glob("*.crl"))


def test_an_older_answer_never_replaces_a_newer_one(tmp_path: Path) -> None:
    own = hierarchy()
    folder, ca, leaf = AnswerFolder(tmp_path / "fetched"), own.ca.certificate, own.taxpayer.certificate
    old = own.ca.crl()
    own.ca.revoked.append((leaf.serial_number, AT - DAY, x509.ReasonFlags.key_compromise))
    new = own.ca.crl(this_update=AT - timedelta(minutes=1), number=2)
    assert folder.keep_crl(new, ca)
    assert not folder.keep_crl(new, ca)
    assert not folder.keep_crl(old, ca)
    newer, older = (answer(leaf, ca, own.ca, this_update=AT - timedelta(hours=hours)) for hours in (1, 2))
    assert folder.keep_ocsp(newer, leaf, ca)
    assert not folder.keep_ocsp(older, leaf, ca)
    trust = TrustStore.of([own.root.certificate], [ca])
    assert folder.load_into(trust.revocation) == ()
    assert isinstance(trust.revocation.status(leaf, ca, AT), Revoked)
    with pytest.raises(CrlRefused):
        folder.keep_crl(authority("Other", number=121).crl(), ca)
    with pytest.raises(OcspRefused, match="another certificate"):
        folder.keep_ocsp(newer, signer(own.ca, number=122).certificate, ca)
    assert {file.suffix for file in (tmp_path / "fetched").iterdir() if file.name[0] != "."} == {
        ".crl",
        ".ocsp",
    }


def test_what_cannot_be_used_any_more_is_left_out_and_told(tmp_path: Path) -> None:
    own = hierarchy()
    folder = AnswerFolder(tmp_path / "fetched")
    folder.keep_crl(own.ca.crl(), own.ca.certificate)
    (tmp_path / "fetched/half.crl").write_bytes(own.ca.crl()[:100])
    without = TrustStore.of([own.root.certificate])
    assert len(folder.load_into(without.revocation)) == 2
    status = without.revocation.status(own.taxpayer.certificate, own.ca.certificate, AT)
    assert isinstance(status, Unknown)


def _keep(folder: Path, der: bytes, issuer: bytes) -> None:
    AnswerFolder(folder).keep_crl(der, x509.load_der_x509_certificate(issuer))


def test_processes_that_keep_at_once_leave_the_newest(tmp_path: Path) -> None:
    own = hierarchy()
    issuer = own.ca.certificate.public_bytes(Encoding.DER)
    lists = [own.ca.crl(this_update=AT - timedelta(minutes=m), number=60 - m) for m in range(12)]
    context = get_context("spawn")
    with context.Pool(3) as pool:
        pool.starmap(_keep, [(tmp_path / "fetched", der, issuer) for der in lists])
    trust = TrustStore.of([own.root.certificate], [own.ca.certificate])
    assert AnswerFolder(tmp_path / "fetched").load_into(trust.revocation) == ()
    status = trust.revocation.status(own.taxpayer.certificate, own.ca.certificate, AT)
    assert getattr(status, "this_update", None) == AT


async def test_addresses_outlive_a_restart(publisher: Publisher, policy: Policy, tmp_path: Path) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    key = signer(place.own.ca, extensions=named(host))
    assert place.status(key, policy) == "TRY_LATER"
    assert (await place.round()).changed == 0, "the list is not there yet"
    publisher.files["/ca.crl"] = place.own.ca.crl()
    place.trust = TrustStore.load(tmp_path)
    place.refresher = Refresher(AnswerFolder(tmp_path / "fetched"), frozenset({host}))
    assert (await place.round()).changed == 1
    assert place.status(key, policy) is None
    for broken in (b"", b"[1]", b'["AAAA"]', b"[" * 100_000, b" " * (9 << 20)):
        (tmp_path / "fetched" / SOURCES).write_bytes(broken)
        await place.round()


async def test_a_remembered_address_must_still_lead_to_an_anchor(
    publisher: Publisher, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place, stranger = Place(tmp_path, {host}), hierarchy()
    forged = signer(authority("Stranger", number=140), number=141, extensions=named(host)).certificate
    AnswerFolder(tmp_path / "fetched").remember([forged, stranger.ca.certificate])
    await place.round()
    assert publisher.asked == []


async def test_one_responder_is_asked_about_each_of_its_certificates(
    publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    ca, by = place.own.ca, responder(place.own.ca)
    keys = [signer(ca, number=n, extensions=named(host, crl=False, ocsp=True)) for n in (150, 151)]
    for key in keys:
        place.status(key, policy)
    publisher.files["/ocsp"] = answer(keys[1].certificate, ca.certificate, by)
    await place.round()
    assert len(publisher.asked) == 2 or place.status(keys[1], policy) is None
    publisher.files["/ocsp"] = answer(keys[0].certificate, ca.certificate, by)
    await place.round(AT + timedelta(minutes=2))
    assert [place.status(key, policy) for key in keys] == [None, None]


async def test_a_certificate_that_has_ended_is_asked_about_for_a_week(
    publisher: Publisher, policy: Policy, tmp_path: Path
) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    place = Place(tmp_path, {host})
    key = signer(place.own.ca, not_after=AT + HOUR, extensions=named(host, ocsp=True))
    place.status(key, policy)
    await place.round(AT + 9 * DAY)
    assert publisher.asked == []
    await place.round(AT + DAY)
    assert publisher.asked == ["/ocsp", "/ca.crl"], "a responder may keep what a list drops"


async def test_trusted_lists_are_fetched_and_never_go_back(publisher: Publisher, tmp_path: Path) -> None:
    host = publisher.host  # type: ignore[attr-defined]
    key = private_key("p256", 160)
    operator = FileKey(key, certificate(name("Scheme operator"), key, None, extensions=SIGNS))
    (tmp_path / "scheme").mkdir()
    (tmp_path / "scheme/operator.cer").write_bytes(operator.certificate.public_bytes(Encoding.DER))
    allows = Refresher(AnswerFolder(tmp_path), frozenset({host})).allows
    lists = ListRefresher(tmp_path, (f"http://{host}/list.xml", "http://other.example/list.xml"), allows)
    own = hierarchy()
    entries = (Entry(own.ca.certificate), Entry(own.root.certificate))

    def published(*held: Entry, **options: Any) -> None:
        publisher.files["/list.xml"] = signed_list(unsigned_list(*held, **options), operator)

    def trusted(at: datetime) -> int:
        return len(lists_of(tmp_path, at)[1])

    published(*entries, sequence=7, next_update=AT + 200 * DAY)
    changed, faults = await lists.round(AT)
    assert (changed, len(faults)) == (1, 1)
    assert "not among those allowed" in faults[0]
    assert trusted(AT) == 2
    assert (await lists.round(AT + HOUR))[0] == 0
    assert publisher.asked == ["/list.xml"], "not due"
    published(entries[0], sequence=8, issued=AT, next_update=AT + 5 * DAY)
    assert (await lists.round(AT + DAY))[0] == 1
    kept = {file: file.read_bytes() for file in tmp_path.glob("*.xml")}
    for days, told, options in (
        (2, "number 7 is older than 8", {"sequence": 7}),
        (3, "is older", {"sequence": 9, "issued": AT - 2 * DAY}),
        (9, "number 7 is older than 8", {"sequence": 7, "next_update": AT + 200 * DAY}),
    ):
        published(*entries, **options)
        fresh = ListRefresher(tmp_path, lists.urls[:1], allows)  # after a restart
        changed, faults = await fresh.round(AT + days * DAY)
        assert (changed, told in faults[0]) == (0, True), faults
    publisher.files["/list.xml"] = unsigned_list(*entries, sequence=10)
    assert "not signed" in (await lists.round(AT + 4 * DAY))[1][0]
    assert {file: file.read_bytes() for file in tmp_path.glob("*.xml")} == kept
    assert trusted(AT + DAY) == 1
    (tmp_path / "old.xml").write_bytes(
        signed_list(unsigned_list(*entries, sequence=7, next_update=AT + 200 * DAY), operator)
    )
    assert trusted(AT + DAY) == 1, "an older list beside brings nothing back"
    assert trusted(AT + 9 * DAY) == 0, "nor once the newer one has expired"
