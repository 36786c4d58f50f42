"""EU DSS and this library, both ways: it judges what we sign, and we judge what it signs, as it does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

import schemas
from gateway.filing.status import Status
from gateway.notary import XmlNotary
from signing import Stampable, verify_xml
from signing.algorithms import digest
from signing.report_etsi import etsi_report
from tests.gateway.notices import dossier, filing
from tests.interop.dss_oracle import Dss
from tests.interop.dss_world import DAY, LEVELS, NOW, World, both, same
from tests.signing.documents import DECLARATION
from tests.signing.stating import COMMITMENT, IMPLIED, PLACE, POLICY, ROLE, stating
from tests.signing.timestamping import in_time

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]


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


@pytest.mark.parametrize("make", [filing, dossier])
def test_dss_takes_a_stamped_notice_of_the_gateway_for_baseline_t(make: Any, dss: Dss) -> None:
    world = World("p256")
    us = schemas.Office("H52", "Cổng nộp hồ sơ điện tử")
    notary = XmlNotary(world.key, declarations=us, dossiers=us)
    issued = notary.intake_notice(make(NOW, Status.ACKNOWLEDGED), dossier=make is dossier)
    stampable = Stampable.of(issued.document)
    document = stampable.stamped(world.stamps.tsa.stamp(digest("sha256", stampable.octets), "sha256"))
    theirs, ours = both(dss, document, world, world.crls(NOW), NOW + timedelta(hours=1))
    same(theirs, ours)
    assert (theirs.indication, theirs.format) == ("TOTAL-PASSED", named("T")), theirs.errors
    assert ours.format == "XAdES-B-T"
    assert theirs.best_signature_time is not None


def test_what_a_signer_states_changes_no_verdict(dss: Dss) -> None:
    world = World()
    document = stating(world.key, IMPLIED + PLACE + ROLE, COMMITMENT)
    theirs, ours = both(dss, document, world, world.crls(NOW), NOW + timedelta(hours=1))
    same(theirs, ours)
    assert ours.indication == "TOTAL-PASSED", ours.errors
    named = stating(world.key, POLICY + PLACE + ROLE, COMMITMENT)
    trust = world.trust(world.crls(NOW))
    report = verify_xml(named, policy=in_time(), trust=trust, at=NOW + timedelta(hours=1))
    assert dss.read_report(etsi_report(report)) == ["TOTAL-PASSED"]
