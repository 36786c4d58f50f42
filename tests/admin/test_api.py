"""What administrators see and do over the network: the same as the command line, every act in the audit record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.simulator import Behaviour
from gateway.store.looking import AuditFilter
from tests.admin.people import Caller, admin_house
from tests.cli.running import efile_beside
from tests.documents import signed
from tests.house import House

WHY = "Cơ quan thuế đề nghị"


async def filed(house: House, until: tuple[str, ...] = ("accepted", "rejected")) -> str:
    async with house.client() as client:
        number = str((await client.submit(signed(house.pki), "k")).body["number"])
        await house.follow(client, number, until=until)
    return number


async def acts(house: House) -> list[tuple[str, str, str, str]]:
    found = await house.gateway.store.audit(AuditFilter())
    return [(o.actor, o.act, o.subject, o.detail) for o in found if o.actor.startswith("admin:")]


async def test_a_filing_is_found_and_tells_its_whole_story(admins: House) -> None:
    number = await filed(admins)
    async with Caller(admins, "admin-viewer") as caller:
        by_number = (await caller.get(f"/admin/v1/filings?q={number}")).json
        by_code = (await caller.get(f"/admin/v1/filings?q={by_number[0]['taxpayerCode']}")).json
        assert [one["number"] for one in by_code] == [number]
        story = (await caller.get(f"/admin/v1/filings/{number}")).json
        assert (await caller.get("/admin/v1/filings/SLA-1")).status == 404
        assert (await caller.get("/admin/v1/filings")).json["type"].endswith("admin.malformed")
    assert story["status"] == "accepted"
    assert {one["kind"] for one in story["notices"]} == {"receipt", "verdict"}
    assert story["verdict"]["status"] == "accepted"
    assert story["judgements"][0]["signatures"][0]["indication"] == "TOTAL-PASSED"
    assert story["attempts"][0]["result"] == "taken"
    assert "document" not in story, "what was declared is not an operator's to read"


async def test_the_door_says_what_the_command_line_says(admins: House) -> None:
    number = await filed(admins)
    settings = admins.installation.settings
    told = {
        f"/admin/v1/filings/{number}": ("queue", "show", number),
        "/admin/v1/queue": ("queue", "list"),
        "/admin/v1/deadlines?all=true": ("deadlines", "--all"),
        "/admin/v1/incidents": ("incident", "list"),
        "/admin/v1/agencies": ("queue", "agencies"),
    }
    import json

    async with Caller(admins, "admin-viewer") as caller:
        for path, command in told.items():
            done = await efile_beside(
                *command, "--json", "--config", settings, "--store", admins.settings.store
            )
            assert (await caller.get(path)).json == json.loads(done.stdout), path


async def test_a_filing_is_held_and_released_with_who_and_why(tmp_path: Path, pki_home: Path) -> None:
    slow = Behaviour(verdict_delay_s=3600)
    async with admin_house(tmp_path, pki_home, behaviour=slow) as house:
        number = await filed(house, until=("delivered",))
        async with Caller(house, "admin-operator") as caller:
            held = await caller.post("/admin/v1/queue/hold", {"numbers": [number, "SLA-1"], "why": WHY})
            (waiting,) = (await caller.get("/admin/v1/queue?held=true")).json
            filter = {"held": "true", "agency": "tax"}
            released = await caller.post("/admin/v1/queue/release", {"filter": filter, "why": f" {WHY}\n2 "})
            replayed = await caller.post("/admin/v1/queue/replay", {"numbers": [number], "why": WHY})
        assert [one["done"] for one in held.json] == [True, False]
        assert (waiting["number"], waiting["held"]) == (number, WHY)
        assert released.json == [{"number": number, "done": True, "fault": None}]
        assert replayed.json[0]["fault"] == {
            "vi": f"{number} không bị ách lại: Cơ quan giải quyết đã nhận, đang chờ kết quả",
            "en": f"{number} is delivered, not stuck",
        }
        assert await acts(house) == [
            ("admin:admin-operator", "filing.release", number, f"{WHY} 2"),
            ("admin:admin-operator", "filing.hold", number, WHY),
        ]


async def test_agencies_and_incidents(admins: House) -> None:
    async with Caller(admins, "admin-operator") as caller:
        held = await caller.post("/admin/v1/agencies/tax/hold", {"why": WHY})
        again = await caller.post("/admin/v1/agencies/tax/hold", {"why": WHY})
        assert (held.status, held.json["state"], held.json["why"]) == (200, "held", WHY)
        assert (again.status, again.json["type"]) == (409, "urn:efile:problem:admin.not-possible")
        assert (await caller.post("/admin/v1/agencies/tax/release", {"why": WHY})).json["state"] == "closed"
        assert (await caller.post("/admin/v1/agencies/tax/replay", {"why": WHY})).status == 409
        for path in ("/admin/v1/agencies/zoo/hold", "/admin/v1/agencies/tax/burn"):
            assert (await caller.post(path, {"why": WHY})).status == 404
        one = {"agency": "tax", "from": "2026-11-24T08:00", "why": WHY}
        declared = await caller.post("/admin/v1/incidents", one)
        assert declared.status == 201
        assert declared.json["from"] == "2026-11-24T08:00+07:00"
        id = declared.json["id"]
        early = await caller.post(f"/admin/v1/incidents/{id}/end", {"at": "2026-11-24T07:00", "why": WHY})
        assert early.status == 409
        ended = await caller.post(f"/admin/v1/incidents/{id}/end", {"at": "2026-11-24T09:00", "why": WHY})
        assert ended.json["until"] == "2026-11-24T09:00+07:00"
        assert (await caller.post("/admin/v1/incidents", {**one, "agency": "zoo"})).status == 404
        assert (await caller.post("/admin/v1/incidents", {**one, "until": "2026-11-24T07:00"})).status == 409
        assert (
            await caller.post("/admin/v1/incidents/SC-1/end", {"at": "2026-11-24T09:00", "why": "x"})
        ).status == 404
        assert [one["id"] for one in (await caller.get("/admin/v1/incidents")).json] == [id]
    told = [(act, subject) for _, act, subject, _ in await acts(admins)]
    assert told == [
        ("incident.end", id), ("incident.declare", "tax"), ("agency.release", "tax"), ("agency.hold", "tax"),
    ]  # fmt: skip


async def test_the_audit_record_is_read_by_filter(admins: House) -> None:
    async with Caller(admins, "admin-operator") as caller:
        await caller.post("/admin/v1/agencies/tax/hold", {"why": WHY})
    async with Caller(admins, "admin-auditor") as caller:
        (entry,) = (await caller.get("/admin/v1/audit?actor=admin:admin-operator")).json
        rest = (await caller.get(f"/admin/v1/audit?before={entry['seq']}&limit=2")).json
    assert (entry["act"], entry["subject"], entry["detail"]) == ("agency.hold", "tax", WHY)
    assert [one["seq"] for one in rest] == [entry["seq"] - 1, entry["seq"] - 2]


MALFORMED: tuple[tuple[str, Any], ...] = (
    ("/admin/v1/queue/hold", {}),
    ("/admin/v1/queue/hold", []),
    ("/admin/v1/queue/hold", {"why": "x"}),
    ("/admin/v1/queue/hold", {"why": "x", "filter": {}}),
    ("/admin/v1/queue/hold", {"why": "x", "filter": {"limit": "5"}}),
    ("/admin/v1/queue/hold", {"why": "x", "filter": {"zoo": "5"}}),
    ("/admin/v1/queue/hold", {"why": "x", "filter": {"status": "lost"}}),
    ("/admin/v1/queue/hold", {"why": "x", "numbers": ["a"], "filter": {"agency": "tax"}}),
    ("/admin/v1/queue/hold", {"why": "x", "numbers": ["a\x00"]}),
    ("/admin/v1/queue/hold", {"why": "x", "numbers": ["a"], "handoverTo": "b"}),
    ("/admin/v1/queue/hold", {"why": "x", "numbers": ["a"], "more": 1}),
    ("/admin/v1/queue/hold", {"why": "x" * 501, "numbers": ["a"]}),
    ("/admin/v1/queue/hold", {"why": "\x1b[2J", "numbers": ["a"]}),
    ("/admin/v1/queue/hold", {"why": 7, "numbers": ["a"]}),
    ("/admin/v1/queue/replay", {"why": "x", "numbers": ["a"] * 10_001}),
    ("/admin/v1/agencies/tax/hold", {"because": "x"}),
    ("/admin/v1/incidents", {"agency": "tax", "from": "yesterday", "why": "x"}),
    ("/admin/v1/incidents", {"agency": "tax", "first": "2026-11-24T08:00", "why": "x"}),
    ("/admin/v1/incidents/SC-1/end", {"at": "", "why": "x"}),
)


async def test_what_is_malformed_is_told_and_does_nothing(admins: House) -> None:
    async with Caller(admins, "admin-operator") as caller:
        for path, body in MALFORMED:
            answer = await caller.post(path, body)
            assert (answer.status, answer.json["type"]) == (400, "urn:efile:problem:admin.malformed"), (
                path,
                body,
            )
        for octets in (b"", b"{", b'{"why": "\xff"}', b"[" * 100_000, b'{"why":"x","why":'):
            answer = await caller.ask(
                "POST", "/admin/v1/queue/hold", data=octets, headers={"Content-Type": "application/json"}
            )
            assert answer.status == 400, octets[:20]
        huge = await caller.ask(
            "POST",
            "/admin/v1/queue/hold",
            data=b" " * 1_000_001,
            headers={"Content-Type": "application/json"},
        )
        assert huge.status == 413
        for query in ("agency=a&agency=b", "zoo=1", "limit=0", "limit=1e3", "limit=99999999", "held=yes",
                      "olderThan=1y", "status=lost", "agency=%00", "reason=1%0a1"):  # fmt: skip
            assert (await caller.get(f"/admin/v1/queue?{query}")).status == 400, query
    assert await acts(admins) == []


@pytest.mark.parametrize("why", ["", " ", "\n\t "])
async def test_no_act_without_a_reason(admins: House, why: str) -> None:
    async with Caller(admins, "admin-operator") as caller:
        for path, more in (
            ("/admin/v1/queue/hold", {"numbers": ["a"]}),
            ("/admin/v1/agencies/tax/hold", {}),
            ("/admin/v1/incidents", {"agency": "tax", "from": "2026-11-24T08:00"}),
            ("/admin/v1/incidents/SC-1/end", {"at": "2026-11-24T08:00"}),
        ):
            answer = await caller.post(path, {**more, "why": why})
            assert (answer.status, answer.json["type"]) == (400, "urn:efile:problem:admin.why"), path
    assert await acts(admins) == []
