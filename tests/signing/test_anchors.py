"""Anchors with dates, verdicts kept by epoch and time, a document's own revocation values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import Evidence, Policy, TrustRefused, TrustStore
from signing.authenticity import judge_certificate
from signing.report import Outcome
from signing.trust import Window
from tests.signing.pki import AT, YEAR, Hierarchy, authority, hierarchy, signer

DAY = timedelta(days=1)
COMPROMISE = x509.ReasonFlags.key_compromise


def faults(certificate: x509.Certificate, trust: TrustStore, policy: Policy, at: datetime = AT) -> set[str]:
    judged = judge_certificate(certificate, (), trust=trust, policy=policy, at=at)
    return {check.code for check in judged.checks if check.outcome is not Outcome.PASSED}


def test_an_anchor_is_trusted_within_its_dates(pki: Hierarchy, policy: Policy) -> None:
    root = pki.root.certificate
    lists = [pki.root.crl(AT - YEAR, AT + YEAR), pki.ca.crl(AT - YEAR, AT + YEAR)]
    windows = {root: (Window(AT - 3 * DAY, AT - 2 * DAY), Window(start=AT))}
    trust = TrustStore.of([root], [pki.ca.certificate], lists, windows)
    for at, trusted in (
        (AT - 4 * DAY, False),
        (AT - 3 * DAY, True),
        (AT - 2 * DAY, True),
        (AT - DAY, False),
        (AT - timedelta(microseconds=1), False),
        (AT, True),
        (AT + DAY, True),
        (AT - DAY, False),
    ):
        expected = set() if trusted else {"certificate.anchor-dates"}
        assert faults(pki.taxpayer.certificate, trust, policy, at) == expected, at


def test_an_anchor_that_is_trusted_is_taken_before_one_that_was(policy: Policy) -> None:
    """The CA is certified by two roots: one withdrawn, one in force."""
    old, new = authority("Old root", number=100), authority("New root", number=101)
    first = authority("Cross CA", old, number=102)
    second = authority("Cross CA", new, number=102)
    key = signer(second, number=103)
    lists = [old.crl(), new.crl(), second.crl()]
    for roots in ([old, new], [new, old]):
        trust = TrustStore.of(
            [root.certificate for root in roots],
            [first.certificate, second.certificate],
            lists,
            {old.certificate: (Window(end=AT - DAY),)},
        )
        assert faults(key.certificate, trust, policy) == set()
        judged = judge_certificate(key.certificate, (), trust=trust, policy=policy, at=AT)
        assert judged.chain[-1] == new.certificate


DATED = '[[anchor]]\nfile = "root.cer"\nfrom = 2026-03-20\nuntil = 2026-03-20\n'


def folder_of(pki: Hierarchy, folder: Path, dated: str) -> Path:
    for name, file, data in (
        ("anchors", "root.cer", pki.root.certificate.public_bytes(Encoding.DER)),
        ("intermediates", "ca.cer", pki.ca.certificate.public_bytes(Encoding.DER)),
        ("crls", "root.crl", pki.root.crl(AT - YEAR, AT + YEAR)),
        ("crls", "ca.crl", pki.ca.crl(AT - YEAR, AT + YEAR)),
    ):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / file).write_bytes(data)
    (folder / "anchors.toml").write_text(dated, "utf-8")
    return folder


def test_dates_out_of_the_folder_are_days_in_vietnam(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    trust = TrustStore.load(folder_of(pki, tmp_path, DATED))
    first, last = datetime(2026, 3, 19, 17, 0, tzinfo=UTC), datetime(2026, 3, 20, 16, 59, 59, tzinfo=UTC)
    for at, trusted in (
        (first, True),
        (last, True),
        (first - timedelta(seconds=1), False),
        (last + timedelta(seconds=1), False),
    ):
        assert (faults(pki.taxpayer.certificate, trust, policy, at) == set()) is trusted


@pytest.mark.parametrize(
    ("dated", "told"),
    [
        (DATED.replace("root.cer", "absent.cer"), "absent.cer"),
        (DATED.replace("root.cer", "../crls/ca.crl"), "anchors/"),
        (DATED.replace("until = 2026-03-20", "until = 2026-03-19"), "until lies before from"),
        (DATED.replace("until", "to"), "unknown field"),
        ("[[anchor]", "anchors.toml"),
    ],
)
def test_a_faulty_paper_is_refused(dated: str, told: str, pki: Hierarchy, tmp_path: Path) -> None:
    with pytest.raises(TrustRefused, match=told):
        TrustStore.load(folder_of(pki, tmp_path, dated))


# --- kept verdicts


def test_a_kept_verdict_ends_where_anything_it_rests_on_ends(policy: Policy) -> None:
    own = hierarchy()
    own.ca.revoked.append((own.taxpayer.certificate.serial_number, AT + timedelta(hours=3), COMPROMISE))
    trust = own.trust()
    leaf = own.taxpayer.certificate
    for _ in range(2):  # the second round finds what the first has left
        assert faults(leaf, trust, policy) == set()
        assert faults(leaf, trust, policy, AT + timedelta(hours=3)) == {"certificate.revoked"}
        assert faults(leaf, trust, policy, AT + timedelta(hours=2)) == set()
        late = faults(leaf, trust, policy, AT + 2 * DAY)
        assert late == {"certificate.revoked", "certificate.ca-status-unknown"}
        assert "certificate.expired" in faults(leaf, trust, policy, AT + 2 * YEAR)
        assert "certificate.not-yet-valid" in faults(leaf, trust, policy, AT - 2 * YEAR)


def test_a_kept_verdict_is_void_once_the_status_changed(policy: Policy) -> None:
    own = hierarchy()
    trust, leaf = own.trust(), own.taxpayer.certificate
    assert faults(leaf, trust, policy) == set()
    own.ca.revoked.append((leaf.serial_number, AT - DAY, COMPROMISE))
    trust.revocation.add_crl(own.ca.crl(this_update=AT - timedelta(minutes=1), number=2))
    assert faults(leaf, trust, policy) == {"certificate.revoked"}


def test_a_verdict_is_kept_by_policy(policy: Policy) -> None:
    import msgspec

    own = hierarchy()
    trust, leaf = own.trust(), own.taxpayer.certificate
    assert faults(leaf, trust, policy) == set()
    for other, expected in (
        ({"minimum_rsa_bits": 3072}, {"algorithm.certificate"}),
        ({"max_status_age_seconds": 1}, {"certificate.status-unknown", "certificate.ca-status-unknown"}),
    ):
        assert faults(leaf, trust, msgspec.structs.replace(policy, **other)) >= expected
    assert faults(leaf, trust, policy) == set()


def test_only_what_passed_is_kept_and_nothing_of_a_document(policy: Policy) -> None:
    own = hierarchy()
    bare = TrustStore.of([own.root.certificate], [], [own.root.crl()])
    bare.revocation.add_crl(own.ca.crl(), own.ca.certificate)
    leaf = own.taxpayer.certificate
    brought = judge_certificate(leaf, (own.ca.certificate,), trust=bare, policy=policy, at=AT)
    assert all(check.outcome is Outcome.PASSED for check in brought.checks)
    assert faults(leaf, bare, policy) == {"certificate.path"}


def test_a_known_signer_costs_a_look_up(policy: Policy) -> None:
    """The very object that was kept comes back."""
    own = hierarchy()
    trust = own.trust()
    one, two = (
        judge_certificate(own.taxpayer.certificate, (), trust=trust, policy=policy, at=at)
        for at in (AT, AT + timedelta(minutes=5))
    )
    assert one is two


def test_a_documents_own_values_stay_its_own(policy: Policy) -> None:
    own = hierarchy()
    trust, leaf = own.trust(crls=False), own.taxpayer.certificate
    lists = (own.ca.crl(), own.root.crl(), b"garbage")
    beside = Evidence(crls=lists, ocsps=(b"garbage",)).added_to(trust)
    assert faults(leaf, beside, policy) == set()
    assert faults(leaf, trust, policy) == {"certificate.status-unknown", "certificate.ca-status-unknown"}
    assert beside.paths is trust.paths
