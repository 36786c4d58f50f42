"""The figures: counted where things happen, read from the store, and listed in the paper."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from gateway.clock import clock
from gateway.filing.attempt import AttemptResult
from gateway.metrics import BREAKER_STATES, AgencyFigures, CertificateFigures, Metrics, QueueFigures
from tests.docs.papers import DOCS, ROOT, section, table
from tests.documents import signed
from tests.house import house_at

TEXT = (DOCS / "delivery.md").read_text(encoding="utf-8")


async def figures() -> QueueFigures:
    agency, door = AgencyFigures("tax", "open", 3, 1, clock()), CertificateFigures("tls-1", "tls", clock())
    return QueueFigures({"stuck": 1}, [agency], {"verdict": 2}, [door], {"duty": 1})


async def test_the_paper_lists_exactly_the_figures_of_the_code() -> None:
    told = {
        (row[0].strip("`"), tuple(part.strip() for part in row[1].split(",") if part.strip()))
        for row in table(section(TEXT, "## Figures"), "figure")
    }
    metrics = Metrics()
    metrics.filed("acknowledged")
    metrics.warned("duty", "sent")
    metrics.stamped("stamped")
    metrics._attempts.labels("tax", "taken").inc()
    exposed = (await metrics.exposed(figures, clock())).decode()
    found = set()
    for family in text_string_to_metric_families(exposed):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        if not family.name.endswith("_created"):  # the library's own, of every counter
            found.add((name, tuple(labels)))
    assert {(name, tuple(sorted(labels))) for name, labels in told} == found


def test_the_paper_lists_the_results_and_states_of_the_code() -> None:
    results = {row[0] for row in table(section(TEXT, "## Attempts"), "result")}
    assert results == {result.value for result in AttemptResult}
    assert all(f"`{state}`" in section(TEXT, "## What an operator does") for state in BREAKER_STATES)


async def test_a_filing_leaves_its_trace_at_the_health_port_alone(tmp_path: Path, pki_home: Path) -> None:
    from tests.house import free_port

    port = free_port()
    async with (
        house_at(tmp_path, pki_home, door={"health_port": port}) as house,
        house.client() as client,
        aiohttp.ClientSession() as session,
    ):
        document = signed(house.pki)
        number = (await client.submit(document)).body["number"]
        await client.submit(document)
        await client.submit(b"<a")
        await house.follow(client, number)
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
        for line in (
            'efile_filings_total{outcome="acknowledged"} 1.0',
            'efile_filings_total{outcome="repeat"} 1.0',
            'efile_filings_total{outcome="unreadable"} 1.0',
            'efile_attempts_total{agency="tax",result="taken"} 1.0',
            'efile_agency_state{agency="tax",state="closed"} 1.0',
            'efile_overdue_filings{milestone="verdict"} 0.0',
        ):
            assert line in text, text
        assert (await client._call("GET", "/metrics")).status == 404


def test_processes_count_together(tmp_path: Path) -> None:
    program = (
        "import asyncio, datetime; from gateway.metrics import Metrics, QueueFigures\n"
        "m = Metrics(); m.filed('x')\n"
        "async def f(): return QueueFigures({}, [], {})\n"
        "print(asyncio.run(m.exposed(f, datetime.datetime.now())).decode())\n"
    )
    for count in (1.0, 2.0):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f'efile_filings_total{{outcome="x"}} {count}' in done.stdout
