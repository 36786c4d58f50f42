"""The key of notices is compromised at noon: out at once, and what it has signed since is signed anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import schemas
from gateway.clock import clock
from gateway.filing.filing import NoticeKind, SignedNotice
from gateway.register.entry import Purpose
from gateway.store.opening import open_store
from gateway.store.reissues import Reissue, Reissues
from tests.gateway.builders import AT, new_filing
from tests.house import house_at
from tests.register.changing import SOON, issued
from tests.register.test_hot_change import filed, proven
from tests.register.typist import typist


async def test_noon(tmp_path: Path, pki_home: Path) -> None:
    async with (
        house_at(tmp_path / "h", pki_home, **SOON) as house,
        house.client() as of,
    ):
        typed = typist(house.installation.settings)
        why = ("--why", "the key was copied")
        noon = (clock() - timedelta(minutes=1)).isoformat(timespec="minutes")
        receipts = [await filed(of, house) for _ in range(2)]
        numbers = [schemas.read_notice(octets).filing_number for octets in receipts]
        (current,) = [e for e in await typed("certs", "list") if e["purpose"] == Purpose.NOTICES.value]
        since = (current["id"], "--since", noon)
        assert "chỉ ký lại" in await typed("certs", "reissue", *since, *why, code=1)

        key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
        added = await typed("certs", "add", "notices", "--key", key.key, "--cert", key.chain, *why)
        await typed("certs", "rehearse", added["id"])
        assert (await typed("certs", "revoke", current["id"], "--emergency", *why))["inEffect"]
        after = await filed(of, house)

        listed = await typed("certs", "reissue", *since, "--list", *why)
        by_old = {(one["number"], one["kind"]) for one in listed["notices"]}
        assert {(number, "receipt") for number in numbers} <= by_old
        assert schemas.read_notice(after).filing_number not in {number for number, _ in by_old}
        done = await typed("certs", "reissue", *since, *why)
        assert done == {"entry": current["id"], "reissued": len(by_old)}
        assert (await typed("certs", "reissue", *since, *why))["reissued"] == 0

        for number, old in zip(numbers, receipts, strict=True):
            new = (await of.part(number, "receipt")).octets
            assert proven(new, house.pki, key.certificate)
            assert not proven(new, house.pki, house.pki["notice"].certificate)
            was, says = schemas.read_notice(old), schemas.read_notice(new)
            assert says.replaces == was.issued_at
            assert (says.number, says.recorded_at, says.digest_hex) == (
                was.number,
                was.recorded_at,
                was.digest_hex,
            )
            kept = await house.gateway.store.superseded(number)
            assert old in [notice.document for notice in kept]
            names = [event.name for event in await house.gateway.store.events(number)]
            assert "notice-reissued" in names
        (entry,) = await typed("audit", "list", "--act", "notices.reissue")
        assert entry["subject"] == current["id"]
        assert "the key was copied" in str(entry)
        assert (await typed("audit", "verify"))["broken"] == []


async def test_one_in_the_place_of_another_on_both_engines(place: str) -> None:
    store = await open_store(place, lambda: AT)
    try:
        number = (await store.add(store.prepare(new_filing()))).filing.number
        (given,) = await store.signed_since(AT - timedelta(days=1), None, 10)
        assert await store.signed_since(AT - timedelta(days=1), given, 10) == []
        assert await store.signed_since(given.notice.issued_at + timedelta(seconds=1), None, 10) == []
        new = SignedNotice(given.notice.kind, AT + timedelta(hours=1), b"<new/>")
        order = Reissues((Reissue(given, new),), "notices-1", "lan", "stolen", AT + timedelta(hours=1))
        assert await store.reissue(order) == 1
        assert await store.reissue(order) == 0  # the one that it stands for is there no more
        assert await store.notice(number, list(NoticeKind)) == new
        assert await store.superseded(number) == [given.notice]
        assert await store.reissue(Reissues((), "notices-1", "lan", "stolen", AT)) == 0
        assert len(await store._driver.read("SELECT 1 FROM audit WHERE act = 'notices.reissue'")) == 1
    finally:
        await store.close()
