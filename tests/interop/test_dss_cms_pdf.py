"""What EU DSS signs as CAdES and PAdES, judged by it and by us, today and long after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from tests.interop.dss_oracle import Dss
from tests.interop.dss_world import DAY, LEVELS, NOW, World, both, same
from tests.signing.pdf_documents import pdf

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
CONTENT = "Tờ khai thuế giá trị gia tăng\r\n".encode() * 20


def made(dss: Dss, form: str, level: str, world: World) -> bytes:
    document = pdf() if form == "PAdES" else CONTENT
    crls = world.crls(NOW)
    return dss.sign(document, level, world.key, world.stamps.key, world.given(crls), NOW, form=form)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["rsa3072", "p256"])
@pytest.mark.parametrize("form", ["CAdES", "PAdES"])
def test_we_judge_what_dss_signs(form: str, level: str, kind: str, dss: Dss) -> None:
    world = World(kind)
    at = datetime.now(UTC) + timedelta(minutes=5)
    theirs, ours = both(dss, made(dss, form, level, world), world, world.crls(NOW), at)
    same(theirs, ours)
    assert ours.indication == "TOTAL-PASSED", ours.errors
    assert theirs.format == f"{form}-BASELINE-{level}"
    assert ours.format == form
    assert (ours.best_signature_time is None) == (level == "B")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", ["CAdES", "PAdES"])
def test_both_judge_alike_what_is_old_revoked_or_changed(form: str, level: str, dss: Dss) -> None:
    world = World(not_after=NOW + 30 * DAY)
    document = made(dss, form, level, world)
    expired = NOW + 60 * DAY
    same(*both(dss, document, world, world.crls(NOW + 29 * DAY, 60 * DAY), expired))
    same(*both(dss, document, world, world.crls(expired - DAY), expired))
    old, new = {"CAdES": ("giá", "già"), "PAdES": ("So tien", "So tiem")}[form]
    broken = document.replace(old.encode(), new.encode(), 1)
    assert broken != document
    same(*both(dss, broken, world, world.crls(NOW), NOW + timedelta(hours=1)))
    serial = world.key.certificate.serial_number
    for days in (+5, -5):
        revoked = NOW + days * DAY
        world.ca.revoked = [(serial, revoked, x509.ReasonFlags.superseded)]
        at = NOW + 10 * DAY
        same(*both(dss, document, world, world.crls(at - DAY), at))
        world.ca.revoked = []


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", ["CAdES", "PAdES"])
def test_what_the_document_brings_along_is_enough_while_it_is_fresh(form: str, level: str, dss: Dss) -> None:
    world = World()
    theirs, ours = both(dss, made(dss, form, level, world), world, [], NOW + 5 * DAY)
    assert (theirs.indication == "TOTAL-PASSED") == (level in ("LT", "LTA"))
    assert ours.indication == theirs.indication


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", ["CAdES", "PAdES"])
def test_the_issuing_authority_has_ended(form: str, level: str, dss: Dss) -> None:
    """What it said counts where an archive time stamp is older than its end."""
    world = World(ca_ends=NOW + 30 * DAY, not_after=NOW + 30 * DAY)
    document = made(dss, form, level, world)
    at = NOW + 60 * DAY
    lists = [a.crl(at - DAY, at + 7 * DAY) for a in (world.root, world.stamps.root)]
    same(*both(dss, document, world, lists, at))


@pytest.mark.parametrize("form", ["CAdES", "PAdES"])
def test_an_answer_for_the_last_time_stamps_authority_must_be_in_force(form: str, dss: Dss) -> None:
    """We are stricter on purpose: DSS takes the week-old lists in the document for it, long after they have ended."""
    world = World()
    theirs, ours = both(dss, made(dss, form, "LTA", world), world, [], NOW + 60 * DAY)
    assert theirs.indication == "TOTAL-PASSED"
    assert ours.indication == "INDETERMINATE"
