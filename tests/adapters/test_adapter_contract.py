"""What every adapter must do, whatever its agency speaks; runs over all kinds."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import asdict

from adapters import (
    KINDS,
    ConfigError,
    MalformedCallback,
    Pending,
    Rejected,
    Unavailable,
    Unknown,
    Verdict,
    open_adapter,
)
from adapters.simulator import Refusal
from tests.adapters.families import FAMILIES
from tests.adapters.waiting import fetched

needs = pytest.mark.needs


def test_every_kind_is_under_test():
    assert {family.kind for family in FAMILIES.values()} == set(KINDS)


@needs("answer")
async def test_a_parcel_arrives_once_with_its_bytes(agency, parcel):
    adapter, simulator = agency
    sent = await adapter.submit(parcel())
    assert not sent.duplicate
    (entry,) = simulator.books.values()
    assert (entry.key, entry.number, entry.reference) == ("f-1", "EF-260715-000001-4", sent.reference)
    assert entry.digest == hashlib.sha256(parcel().document).hexdigest()


@needs("answer")
async def test_a_repeat_is_a_duplicate_with_the_same_reference(agency, parcel, family):
    adapter, simulator = agency
    first = await adapter.submit(parcel())
    second = await adapter.submit(parcel())
    assert (second.duplicate, second.reference) == (True, first.reference)
    assert [entry.times for entry in simulator.books.values()] == [1 if family.asks_first else 2]


@needs("answer")
async def test_a_lost_answer_and_a_repeat_make_one_filing(agency, parcel, family):
    adapter, simulator = agency
    simulator.behaviour = simulator.behaviour.changed({"lose_answer": 1})
    with pytest.raises(Unavailable):
        await adapter.submit(parcel())
    assert [entry.times for entry in simulator.books.values()] == [1]
    again = await adapter.submit(parcel())
    assert again.duplicate
    assert [entry.times for entry in simulator.books.values()] == [1 if family.asks_first else 2]


@needs("answer")
async def test_the_same_key_with_another_document_is_rejected_for_good(agency, parcel):
    adapter, _ = agency
    await adapter.submit(parcel())
    with pytest.raises(Rejected):
        await adapter.submit(parcel(document=b"<another/>"))


@needs("answer")
async def test_many_at_once_each_once(agency, parcel):
    adapter, simulator = agency
    sent = await asyncio.gather(*(adapter.submit(parcel(key=f"f-{n % 20}")) for n in range(60)))
    assert len(simulator.books) == 20
    assert sum(not one.duplicate for one in sent) == 20
    assert len({one.reference for one in sent}) == 20


@needs("answer")
async def test_unknown_pending_decided(agency, parcel):
    adapter, simulator = agency
    assert await adapter.fetch("f-1") == Unknown()
    simulator.behaviour = simulator.behaviour.changed({"verdict_delay_s": 3600})
    sent = await adapter.submit(parcel())
    assert sent.verdict is None
    assert await adapter.fetch("f-1") in {Pending(sent.reference), Pending(None)}
    simulator.behaviour = simulator.behaviour.changed({"verdict_delay_s": 0})
    later = await adapter.submit(parcel(key="f-2"))
    verdict = await adapter.fetch("f-2")
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.reference, verdict.reasons) == ("accepted", later.reference, ())
    assert isinstance(verdict.decided_at, datetime)
    assert verdict.decided_at.tzinfo is not None
    assert [(p.amount, p.currency) for p in verdict.payables] == [(98_500_000, "VND")]


@needs("answer", "verdict at once")
async def test_a_repeat_after_the_decision_brings_it(agency, parcel):
    adapter, _ = agency
    await adapter.submit(parcel())
    again = await adapter.submit(parcel())
    assert again.verdict == await adapter.fetch("f-1")
    assert isinstance(again.verdict, Verdict)


async def test_a_rejection_says_why_and_how_to_mend_it(agency, parcel):
    adapter, simulator = agency
    refusal = Refusal(
        "0412", "Mã số thuế đã ngừng hoạt động", "Liên hệ cơ quan thuế quản lý", "Người nộp thuế"
    )
    simulator.behaviour = simulator.behaviour.changed({"refuse": {"code": "0", "error": "x"}})
    simulator.behaviour = simulator.behaviour.changed({"refuse": asdict(refusal)})
    await adapter.submit(parcel())
    verdict = await fetched(adapter, "f-1", Verdict)
    assert (verdict.outcome, verdict.payables) == ("rejected", ())
    (reason,) = verdict.reasons
    assert (reason.code, reason.error, reason.remedy, reason.group) == (
        refusal.code,
        refusal.error,
        refusal.remedy,
        refusal.group,
    )


@needs("wait")
async def test_down_is_unavailable_with_the_wait_it_asks_for(agency, parcel):
    adapter, simulator = agency
    simulator.behaviour = simulator.behaviour.changed({"down": True})
    for call in (adapter.submit(parcel()), adapter.fetch("f-1")):
        with pytest.raises(Unavailable) as caught:
            await call
        assert caught.value.retry_after == 1.0
    assert simulator.books == {}
    simulator.behaviour = simulator.behaviour.changed({"down": False})
    assert not (await adapter.submit(parcel())).duplicate


@needs("answer")
async def test_too_slow_is_unavailable(hurried_agency, parcel):
    adapter, simulator = hurried_agency
    simulator.behaviour = simulator.behaviour.changed({"delay_s": 30})
    with pytest.raises(Unavailable, match="in time"):
        await adapter.submit(parcel())


@needs("answer")
@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ("garbage", "agreed form"),
        ("mistyped", "agreed form"),
        ("bomb", "agreed form"),
        ("huge", "larger than"),
    ],
)
async def test_an_answer_not_of_the_form_is_none_although_the_filing_may_be_in(
    agency, parcel, family, spoilt, words
):
    adapter, simulator = agency
    simulator.behaviour = simulator.behaviour.changed({spoilt: True})
    with pytest.raises(Unavailable, match=words) as caught:
        await adapter.submit(parcel())
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300
    with pytest.raises(Unavailable, match=words):
        await adapter.fetch("f-1")
    # A page that says "not found" is somebody on the way, not the agency that has never seen the key.
    with pytest.raises(Unavailable):
        await adapter.fetch("never-sent")
    simulator.behaviour = simulator.behaviour.changed({spoilt: False})
    assert (await adapter.submit(parcel())).duplicate != family.asks_first


@needs("answer")
async def test_failing_half_the_time_ends_with_every_filing_once(agency, parcel):
    adapter, simulator = agency
    simulator.behaviour = simulator.behaviour.changed({"fail_rate": 0.5})
    failures = 0
    for number in range(30):
        for _ in range(100):
            try:
                await adapter.submit(parcel(key=f"f-{number}"))
                break
            except Unavailable:
                failures += 1
    assert failures > 10
    assert len(simulator.books) == 30
    assert len({entry.reference for entry in simulator.books.values()}) == 30


@needs("answer")
async def test_nobody_there_is_unavailable(agency, parcel):
    adapter, simulator = agency
    await simulator.stop()
    with pytest.raises(Unavailable, match="no connection"):
        await adapter.submit(parcel())


async def test_a_large_document_arrives_whole(agency, parcel):
    adapter, simulator = agency
    await adapter.submit(parcel(document=bytes(range(256)) * 40_000))
    await fetched(adapter, "f-1", Verdict)
    assert len(simulator.books) == 1


async def test_closing_twice_is_fine(agency, parcel):
    adapter, _ = agency
    await adapter.submit(parcel())
    await adapter.close()
    assert await adapter.close() is None


async def test_a_key_that_is_none_never_leaves(agency):
    adapter, _ = agency
    for key in ("../books", "a/b", "", "a b", "x\r\nEvil: 1", "a" * 129, "a\n"):
        with pytest.raises(ValueError, match="idempotency key"):
            await adapter.fetch(key)


def test_settings_tell_every_fault_at_once(family, pki, tmp_path):
    table = {**family.settings(pki, tmp_path), "base_uri": "x", "timeout_s": -1, "max_answer_bytes": "many"}
    with pytest.raises(ConfigError) as caught:
        open_adapter(family.kind, table)
    for key in ("base_uri", "timeout_s", "max_answer_bytes"):
        assert key in str(caught.value)


@needs("secrets")
async def test_no_credential_is_ever_told(agency, family, parcel, pki, tmp_path, caplog):
    """In logs at every level, in errors, in what objects show of themselves: none of its secrets."""
    adapter, simulator = agency
    hidden = secrets_of(family, pki, tmp_path)
    caplog.set_level(logging.DEBUG)
    told = [repr(adapter), repr(open_adapter(family.kind, family.settings(pki, tmp_path)))]
    for trouble in ({}, {"down": True}, {"down": False, "garbage": True}):
        simulator.behaviour = simulator.behaviour.changed(trouble)
        for call in (adapter.submit(parcel()), adapter.fetch("f-1")):
            try:
                told.append(repr(await call))
            except Unavailable as error:
                told += [str(error), repr(error), error.reason]
    told += [record.getMessage() for record in caplog.records] + [caplog.text]
    assert all(hidden)
    assert not [secret for secret in hidden for line in told if secret in line]


def secrets_of(family, pki, directory):
    """Every credential that the settings name, and every line of our private key."""
    settings = family.settings(pki, directory)
    found = [credential(key, settings[key]) for key in family.secrets]
    return found + [
        line for line in pki["gateway-client"].key.read_text().splitlines() if "-----" not in line
    ]


def credential(key, value):
    return os.environ[value] if key.endswith("_env") else Path(value).read_text(encoding="utf-8").strip()


HOSTILE = {
    "nothing": b"",
    "HTML": b"<html/>",
    "deep JSON": b"[" * 200_000,
    "deep XML": b"<a>" * 200_000,
    "entities": b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><a>&b;</a>',
    "not UTF-8": b"\xff\xfe\x00",
    "too large": b" " * (17 << 20),
}


@pytest.mark.parametrize(
    "media_type", ["application/json", "text/xml", "application/xml", "", "multipart/related"]
)
@pytest.mark.parametrize("case", HOSTILE)
def test_a_callback_that_is_none(family, pki, tmp_path, case, media_type):
    adapter = open_adapter(family.kind, family.settings(pki, tmp_path))
    with pytest.raises(MalformedCallback) as caught:
        adapter.read_callback(HOSTILE[case], {"Content-Type": media_type})
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300
