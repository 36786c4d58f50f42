"""EU DSS and this library, both ways: it judges what we sign, and we judge what it signs, as it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from signing import Evidence, FileKey, LocalTimestampAuthority, TrustStore, augment, verify_xml
from signing.report_etsi import etsi_report
from tests.interop.dss_oracle import Circumstances, Dss, Verdict, start
from tests.signing.documents import DECLARATION, codes, signed
from tests.signing.pki import SIGNS, Authority, authority, signer
from tests.signing.timestamping import Stamping, in_time, stamping

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
NOW = datetime.now(UTC).replace(microsecond=0)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
# DSS asks for no status of a certificate that names no place to have it from.
POINTS = (
    (
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(
                    [x509.UniformResourceIdentifier("http://crl.invalid/1")], None, None, None
                )
            ]
        ),
        False,
    ),
)
LEVELS = ["B", "T", "LT", "LTA"]


@pytest.fixture(scope="module")
def dss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dss]:
    oracle = start(tmp_path_factory.mktemp("dss"))
    yield oracle
    oracle.close()


class World:
    """A hierarchy around today, because DSS signs by the clock of the machine."""

    def __init__(self, kind: str = "rsa3072", **validity: Any) -> None:
        days = {"not_before": NOW - 3 * YEAR, "not_after": NOW + 9 * YEAR}
        self.root = authority("Root of the interop tests", kind="rsa3072", number=41, **days)
        self.ca = authority(
            "Issuing CA of the interop tests", self.root, kind="rsa3072", number=42, extra=POINTS, **days
        )
        validity = {"not_before": NOW - YEAR, "not_after": NOW + YEAR} | validity
        plain = signer(self.ca, kind=kind, number=43, extensions=(*SIGNS, *POINTS), **validity)
        self.key = FileKey(plain.private_key, plain.certificate, (self.ca.certificate, self.root.certificate))
        time_root = authority("Time root of the interop tests", kind="rsa3072", number=44, **days)
        made = stamping(
            kind=kind if kind.startswith("rsa") else "rsa3072", root=time_root, not_after=NOW + 8 * YEAR
        )
        self.stamps = Stamping(
            time_root, FileKey(made.key.private_key, made.key.certificate, (time_root.certificate,)), NOW
        )
        self.authorities: list[Authority] = [self.root, self.ca, time_root]

    def crls(self, day: datetime, life: timedelta = 7 * DAY) -> list[bytes]:
        return [a.crl(day, day + life) for a in self.authorities]

    def given(self, crls: list[bytes] | None = None) -> Circumstances:
        roots = [self.root.certificate, self.stamps.root.certificate]
        return Circumstances(roots, [self.ca.certificate], crls if crls is not None else [])

    def trust(self, crls: list[bytes] | None = None) -> TrustStore:
        given = self.given(crls)
        return TrustStore.of(given.trusted, given.certificates, given.crls)

    def made(self, level: str, **options: Any) -> bytes:
        document = signed(self.key, **({"profile": "xades-b", "at": NOW} | options))
        if level == "B":
            return document
        return augment(
            document,
            level=level,  # type: ignore[arg-type]
            tsa=LocalTimestampAuthority(self.stamps.key, lambda: NOW),
            policy=in_time(),
            at=NOW,
            trust=self.trust(),
            evidence=Evidence((self.ca.certificate, self.root.certificate), tuple(self.crls(NOW))),
        )


def both(dss: Dss, document: bytes, world: World, crls: list[bytes], at: datetime) -> tuple[Verdict, Verdict]:
    """DSS's verdict and ours, on the only signature."""
    (theirs,) = dss.judge(document, world.given(crls), at)
    report = verify_xml(document, policy=in_time(), trust=world.trust(crls), at=at)
    (signature,) = report.signatures
    best = signature.best_signature_time
    ours = Verdict(
        report.indication.value,
        report.sub_indication,
        signature.profile,
        best and best.isoformat(),
        tuple(codes(report)),
    )
    print(f"\n  DSS:  {theirs}\n  ours: {ours}")
    return theirs, ours


# Where both say INDETERMINATE and name another cause. DSS's word → ours.
NAMED_OTHERWISE = {
    # expired, and its status on the last day is known: one name here for both
    "OUT_OF_BOUNDS_NOT_REVOKED": "OUT_OF_BOUNDS_NO_POE",
    # expired, and the lists of today do not tell of it: DSS names the missing word, we the end of the certificate
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": "OUT_OF_BOUNDS_NO_POE",
}


def same(theirs: Verdict, ours: Verdict) -> None:
    assert ours.indication == theirs.indication
    if ours.sub_indication != theirs.sub_indication:
        assert NAMED_OTHERWISE.get(str(theirs.sub_indication)) == ours.sub_indication


def named(level: str) -> str:
    return f"XAdES-BASELINE-{level}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["rsa3072", "p256"])
@pytest.mark.parametrize("c14n", ["inclusive", "exclusive"])
def test_dss_judges_what_we_sign(level: str, kind: str, c14n: str, dss: Dss) -> None:
    world = World(kind)
    at = NOW + timedelta(hours=1)
    theirs, ours = both(dss, world.made(level, c14n=c14n), world, world.crls(NOW), at)
    same(theirs, ours)
    assert theirs.indication == "TOTAL-PASSED", theirs.errors
    assert theirs.format == named(level)
    assert ours.format == f"XAdES-B-{level}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["rsa3072", "p256"])
def test_we_judge_what_dss_signs(level: str, kind: str, dss: Dss) -> None:
    world = World(kind)
    crls = world.crls(NOW)
    document = dss.sign(DECLARATION, level, world.key, world.stamps.key, world.given(crls), NOW)
    theirs, ours = both(dss, document, world, crls, datetime.now(UTC) + timedelta(minutes=5))
    same(theirs, ours)
    assert ours.indication == "TOTAL-PASSED", ours.errors
    assert theirs.format == named(level)
    assert ours.format == f"XAdES-B-{level}"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("signer_is", ["ours", "theirs"])
def test_both_judge_alike_what_is_old_revoked_or_changed(level: str, signer_is: str, dss: Dss) -> None:
    world = World(not_after=NOW + 30 * DAY)
    crls = world.crls(NOW)
    if signer_is == "ours":
        document = world.made(level)
    else:
        document = dss.sign(DECLARATION, level, world.key, world.stamps.key, world.given(crls), NOW)
    expired = NOW + 60 * DAY
    same(*both(dss, document, world, world.crls(NOW + 29 * DAY, 60 * DAY), expired))
    same(*both(dss, document, world, world.crls(expired - DAY), expired))
    broken = document.replace(b"1200000", b"1200001")
    same(*both(dss, broken, world, crls, NOW + timedelta(hours=1)))
    serial = world.key.certificate.serial_number
    for days in (+5, -5):
        revoked = NOW + days * DAY
        world.ca.revoked = [(serial, revoked, x509.ReasonFlags.superseded)]
        at = NOW + 10 * DAY
        same(*both(dss, document, world, world.crls(at - DAY), at))
        world.ca.revoked = []


def test_a_time_stamp_of_another_signature(dss: Dss) -> None:
    """We are stricter on purpose: DSS drops the token (EN 319 102-1 clause 5.5.4) and passes the rest."""
    world = World()
    one, other = world.made("T"), world.made("T")
    token = re.compile(rb"(?<=EncapsulatedTimeStamp>)[^<]+")
    document = token.sub(lambda _: token.search(other)[0], one)  # type: ignore[index]
    theirs, ours = both(dss, document, world, world.crls(NOW), NOW + timedelta(hours=1))
    assert theirs.indication == "TOTAL-PASSED"
    assert (ours.indication, ours.sub_indication) == ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize("level", LEVELS)
def test_our_reports_are_read_by_their_schema(level: str, dss: Dss) -> None:
    """What `efile verify --report etsi` prints, for signatures that pass, fail, or cannot be concluded upon."""
    world = World()
    document, at = world.made(level), NOW + timedelta(hours=1)
    broken = document.replace(b"1200000", b"1200001")
    for octets, crls in ((document, world.crls(NOW)), (document, []), (broken, world.crls(NOW))):
        report = verify_xml(octets, policy=in_time(), trust=world.trust(crls), at=at)
        assert dss.read_report(etsi_report(report)) == [report.indication.value]
