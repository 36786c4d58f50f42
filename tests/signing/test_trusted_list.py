"""Trusted lists: who signed them, what they say of when, and every reason not to believe them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import FileKey, Policy, TrustRefused, TrustStore
from signing.authenticity import judge_certificate
from signing.report import Outcome
from signing.trusted_list import TrustedListRefused, read_trusted_list
from tests.signing.pki import AT, SIGNS, YEAR, Hierarchy, authority, certificate, name, private_key, signer
from tests.signing.trusted_lists import QTST, Entry, signed_list, unsigned_list

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def operator() -> FileKey:
    key = private_key("p256", 110)
    return FileKey(key, certificate(name("Scheme operator"), key, None, extensions=SIGNS))


def read(data: bytes, operator: FileKey, policy: Policy, **options: object) -> object:
    return read_trusted_list(data, scheme=[operator.certificate], policy=policy, at=AT, **options)  # type: ignore[arg-type]


def test_granted_withdrawn_and_granted_again(operator: FileKey, policy: Policy, pki: Hierarchy) -> None:
    states = (("granted", AT - DAY), ("withdrawn", AT - 5 * DAY), ("granted", AT - 90 * DAY))
    data = signed_list(unsigned_list(Entry(pki.ca.certificate, states)), operator)
    found = read_trusted_list(data, scheme=[operator.certificate], policy=policy, at=AT)
    assert (found.territory, found.sequence, found.services[0].provider) == ("VN", 7, "Provider")
    windows = found.anchors("ca")
    trust = TrustStore.of(windows, windows=windows, crls=[pki.ca.crl(AT - YEAR, AT + YEAR)])
    for at, trusted in (
        (AT, True),
        (AT - DAY, True),
        (AT - DAY - timedelta(seconds=1), False),
        (AT - 5 * DAY, False),
        (AT - 6 * DAY, True),
        (AT - 91 * DAY, False),
        (AT + 100 * DAY, True),
        (AT + 101 * DAY, False),
    ):
        judged = judge_certificate(pki.taxpayer.certificate, (), trust=trust, policy=policy, at=at)
        bad = {check.code for check in judged.checks if check.outcome is not Outcome.PASSED}
        assert bad == (set() if trusted else {"certificate.anchor-dates"}), at


def extension(inside: str, critical: str = "true") -> str:
    return f'<Extension Critical="{critical}">{inside}</Extension>'


def purpose(word: str) -> str:
    uri = f"http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/{word}"
    return f"<AdditionalServiceInformation><URI>{uri}</URI></AdditionalServiceInformation>"


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({}, True),
        ({"states": (("withdrawn", AT - DAY),)}, False),
        ({"states": (("deprecatedatnationallevel", AT - DAY),)}, False),
        ({"states": (("anything-else", AT - DAY),)}, False),
        ({"type": QTST}, False),
        ({"type": "http://uri.etsi.org/TrstSvc/Svctype/Certstatus/OCSP/QC"}, False),
        ({"extension": extension(purpose("ForeSignatures"))}, True),
        ({"extension": extension(purpose("ForWebSiteAuthentication"))}, False),
        ({"extension": extension(purpose("ForWebSiteAuthentication"), "false")}, False),
        (
            {"extension": extension(purpose("ForWebSiteAuthentication")) + extension(purpose("ForeSeals"))},
            True,
        ),
        ({"extension": extension('<x xmlns="urn:other"/>')}, False),
        ({"extension": extension('<x xmlns="urn:other"/>', "false")}, True),
        ({"extension": extension("")}, False),
    ],
)
def test_which_services_make_anchors_for_signatures(
    change: dict[str, object], trusted: bool, operator: FileKey, policy: Policy, pki: Hierarchy
) -> None:
    entry = Entry(pki.ca.certificate, **change)  # type: ignore[arg-type]
    data = signed_list(unsigned_list(entry), operator)
    found = read_trusted_list(data, scheme=[operator.certificate], policy=policy, at=AT)
    assert (list(found.anchors("ca")) == [pki.ca.certificate]) is trusted
    assert bool(found.anchors("tsa")) is (change.get("type") == QTST)


def test_lists_that_are_refused(operator: FileKey, policy: Policy, pki: Hierarchy) -> None:
    entry = Entry(pki.ca.certificate)
    good = signed_list(unsigned_list(entry), operator)
    same_name = private_key("p256", 111)
    impostor = FileKey(same_name, certificate(name("Scheme operator"), same_name, None, extensions=SIGNS))
    no_zone = unsigned_list(entry).replace(b"Z</StatusStartingTime>", b"</StatusStartingTime>")
    moved = good.replace(b"<TrustServiceProviderList>", b'<TrustServiceProviderList xmlns:a="urn:a">')
    cases = {
        "HASH|digest": good.replace(b"/granted<", b"/withdrawn<"),
        "not signed by": signed_list(unsigned_list(entry), impostor),
        "signature-present": unsigned_list(entry),
        "expired": signed_list(unsigned_list(entry, next_update=AT - timedelta(seconds=1)), operator),
        "future": signed_list(unsigned_list(entry, issued=AT + DAY), operator),
        "dateTime": signed_list(unsigned_list(entry, next_update=None), operator),
        "version": signed_list(unsigned_list(entry, version="4"), operator),
        "document type|DOCTYPE": b"<!DOCTYPE x>" + good,
        "no zone": signed_list(no_zone, operator),
        "root": signed_list(b'<Other Id="list"><a/></Other>', operator),
    }
    read(good, operator, policy)
    read(moved, operator, policy)  # exclusive canonicalisation: an unused namespace changes nothing
    for told, data in cases.items():
        with pytest.raises(TrustedListRefused, match=f"(?i){told}"):
            read(data, operator, policy)
    with pytest.raises(TrustedListRefused, match="older than 8"):
        read(good, operator, policy, newer_than=8)
    with pytest.raises(TrustedListRefused, match="pinned"):
        read_trusted_list(good, scheme=[], policy=policy, at=AT)


def test_a_signature_over_a_part_does_not_carry_the_list(
    operator: FileKey, policy: Policy, pki: Hierarchy
) -> None:
    data = unsigned_list(Entry(pki.ca.certificate)).replace(b' Id="list"', b"")
    data = data.replace(b"<SchemeInformation>", b'<SchemeInformation Id="list">')
    with pytest.raises(TrustedListRefused, match="over the whole list"):
        read(signed_list(data, operator), operator, policy)


def test_another_certificate_of_the_same_key_is_not_the_pinned_one(
    operator: FileKey, policy: Policy, pki: Hierarchy
) -> None:
    again = certificate(name("Scheme operator"), operator.private_key, None, extensions=SIGNS)
    data = signed_list(unsigned_list(Entry(pki.ca.certificate)), FileKey(operator.private_key, again))
    with pytest.raises(TrustedListRefused):
        read(data, operator, policy)
    found = read_trusted_list(data, scheme=[operator.certificate, again], policy=policy, at=AT)
    assert isinstance(next(iter(found.anchors("ca"))), x509.Certificate)


def test_lists_in_the_trust_folder(operator: FileKey, policy: Policy, pki: Hierarchy, tmp_path: Path) -> None:
    """The CA's certificate is an anchor for signatures, the other one for time stamps alone."""
    stamper = authority("Time stamps", number=112)
    unit = signer(stamper, number=113)
    entries = (Entry(pki.ca.certificate), Entry(stamper.certificate, type=QTST))
    for folder in ("lists/scheme", "crls"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lists/vn.xml").write_bytes(signed_list(unsigned_list(*entries), operator))
    (tmp_path / "lists/scheme/operator.cer").write_bytes(operator.certificate.public_bytes(Encoding.DER))
    (tmp_path / "crls/ca.crl").write_bytes(pki.ca.crl())
    (tmp_path / "crls/stamps.crl").write_bytes(stamper.crl())
    trust = TrustStore.load(tmp_path, AT)
    for store, leaf, expected in (
        (trust, pki.taxpayer, set()),
        (trust, unit, {"certificate.path"}),
        (trust.for_timestamps, unit, set()),
        (trust.for_timestamps, pki.taxpayer, set()),
    ):
        judged = judge_certificate(leaf.certificate, (), trust=store, policy=policy, at=AT)
        assert {c.code for c in judged.checks if c.outcome is not Outcome.PASSED} == expected
    (tmp_path / "lists/vn.xml").write_bytes(unsigned_list(*entries))
    with pytest.raises(TrustRefused, match=r"vn\.xml"):
        TrustStore.load(tmp_path, AT)
