"""A hierarchy around today for EU DSS and for us, and the verdicts of both side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from signing import Evidence, FileKey, LocalTimestampAuthority, TrustStore, augment, verify
from tests.interop.dss_oracle import Circumstances, Dss, Verdict
from tests.signing.documents import codes, signed
from tests.signing.pki import SIGNS, Authority, authority, signer
from tests.signing.timestamping import Stamping, in_time, stamping

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


class World:
    """A hierarchy around today, because DSS signs by the clock of the machine."""

    def __init__(self, kind: str = "rsa3072", ca_ends: datetime = NOW + 9 * YEAR, **validity: Any) -> None:
        days = {"not_before": NOW - 3 * YEAR, "not_after": NOW + 9 * YEAR}
        self.root = authority("Root of the interop tests", kind="rsa3072", number=41, **days)
        self.ca = authority(
            "Issuing CA of the interop tests",
            self.root,
            kind="rsa3072",
            number=42,
            extra=POINTS,
            not_before=NOW - 3 * YEAR,
            not_after=ca_ends,
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
    report = verify(document, policy=in_time(), trust=world.trust(crls), at=at)
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
