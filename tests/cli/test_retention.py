"""`efile retention`: terms told, filings kept, and files told from forgeries, also when their filing is gone."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from gateway.development import install
from gateway.filing.retention import Part, Rule
from gateway.filing.status import Status
from gateway.store.opening import open_store
from tests.cli.running import efile
from tests.gateway.builders import AT, new_filing

LATER = AT.replace(year=AT.year + 1)
TERMS = """
[[retention]]
family = "permit"
body = "5 years"
"""


def test_terms_are_listed_and_filings_kept_and_told_when_they_are_gone(tmp_path: Path) -> None:
    settings = install(tmp_path, at=datetime.now(UTC)).settings
    settings.write_text(settings.read_text(encoding="utf-8") + TERMS, encoding="utf-8")
    place = ("--config", settings, "--store", str(tmp_path / "s.sqlite"))
    new = new_filing(b"<a/>", status=Status.REFUSED)
    number = new.filing.number
    receipt, forged = tmp_path / "receipt.xml", tmp_path / "forged.xml"
    receipt.write_bytes(new.notice.document)  # type: ignore[union-attr]
    forged.write_bytes(b"<receipt/>")

    async def filed(rule: Rule | None) -> int:
        store = await open_store(str(tmp_path / "s.sqlite"), lambda: LATER if rule else AT)
        done = 0
        if rule is None:
            await store.add(store.prepare(new))
        else:
            store._driver.read = _a_year_ahead(store._driver.read)  # type: ignore[method-assign]
            done = await store.remove_ended(rule, 9)
        await store.close()
        return done

    asyncio.run(filed(None))
    assert efile("retention", "keep", number, "--why", "án số 12", *place).returncode == 0
    assert efile("retention", "keep", number, "--why", "again", *place).returncode == 1
    told = json.loads(efile("retention", "list", *place, "--json").stdout)
    assert told == {
        "terms": [{"family": "permit", "part": "body", "term": "5 years"}],
        "kept": [{"number": number, "why": "án số 12"}],
    }
    assert efile("retention", "release", number, "--why", "closed", *place).returncode == 0
    for gone in (False, True):
        if gone:
            assert asyncio.run(filed(Rule("tax-declaration", Part.RECORD, "1 day"))) == 1
        known = efile("retention", "known", number, receipt, *place, "--json")
        assert json.loads(known.stdout)["known"] == "refusal"
        assert (json.loads(known.stdout)["removedAt"] is not None) is gone
        assert efile("retention", "known", number, forged, *place).returncode == 1
    assert efile("retention", "known", "SLA-none", receipt, *place).returncode == 1


def _a_year_ahead(read):  # type: ignore[no-untyped-def]
    """The store's clock too."""

    async def later(sql, row=()):  # type: ignore[no-untyped-def]
        return [(LATER.timestamp(),)] if "FROM" not in sql else await read(sql, row)

    return later
