"""The REST adapter: what exactly goes over the wire, and agencies that lie."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from aiohttp import web

from adapters import ConfigError, MalformedCallback, Rejected, Submitted, Unavailable, open_adapter
from adapters.rest import RestConfig
from adapters.simulator import Behaviour, Simulator

DIGEST = "digest of the parcel"


def json_answer(status, **fields):
    async def answer(request):
        told = dict(fields)
        if told.get("digest") == DIGEST:
            told["digest"] = json.loads(await request.read())["document"]["digest"]
        return web.json_response(told, status=status)

    return answer


def plain_answer(**kwargs):
    async def answer(request):
        await request.read()
        return web.Response(**kwargs)

    return answer


async def test_the_message_is_as_the_readme_shows(door, settings, parcel):
    seen = []

    async def answer(request):
        body = json.loads(await request.read())
        seen.append((request.method, request.path, dict(request.headers), body))
        return web.json_response(
            {"key": "f-1", "digest": body["document"]["digest"], "reference": "R1", "extra": [1]}, status=202
        )

    async with door("agency-server", answer) as url:
        adapter = open_adapter("rest", settings(url + "/tax/v2"))
        assert await adapter.submit(parcel()) == Submitted("R1", duplicate=False)
        await adapter.close()
    ((method, path, headers, body),) = seen
    assert (method, path) == ("POST", "/tax/v2/filings")
    assert headers["Idempotency-Key"] == "f-1"
    assert headers["Content-Type"] == "application/json"
    content = body["document"].pop("content")
    assert base64.b64decode(content, validate=True) == parcel().document
    assert body == {
        "key": "f-1",
        "number": "EF-260715-000001-4",
        "agency": "tax",
        "family": "tax-declaration",
        "form": {"code": "842", "version": "2.8.3", "kind": "C"},
        "period": "Q2/2026",
        "taxpayer": "5500123457",
        "taxOffice": "10100",
        "receivedAt": "2026-07-15T03:04:05Z",
        "document": {
            "mediaType": "application/xml",
            "digestAlgorithm": "SHA-256",
            "digest": parcel().digest_hex,
        },
    }


NESTED = b"[" * 200_000
LIES = {
    "another key": (json_answer(201, key="f-2", digest=DIGEST), Unavailable, "another key"),
    "another digest": (json_answer(201, key="f-1", digest="0" * 64), Unavailable, "another document"),
    "no digest": (json_answer(201, key="f-1"), Unavailable, "agreed form"),
    "203": (json_answer(203, key="f-1", digest=DIGEST), Unavailable, "203"),
    "204": (plain_answer(status=204), Unavailable, "204"),
    "naive time in the verdict": (
        json_answer(
            200,
            key="f-1",
            digest=DIGEST,
            verdict={"outcome": "accepted", "decidedAt": "2026-07-15T03:04:05"},
        ),
        Unavailable,
        "agreed form",
    ),
    "unknown outcome": (
        json_answer(
            200, key="f-1", digest=DIGEST, verdict={"outcome": "ok", "decidedAt": "2026-07-15T03:04:05Z"}
        ),
        Unavailable,
        "agreed form",
    ),
    "too large": (plain_answer(status=201, body=b" " * (1 << 20) + b"{}"), Unavailable, "larger than"),
    "too large error": (plain_answer(status=400, body=b" " * (2 << 20)), Unavailable, "larger than"),
    "deep": (plain_answer(status=201, body=NESTED), Unavailable, "agreed form"),
    "not UTF-8": (plain_answer(status=201, body=b'{"key": "\xff"}'), Unavailable, "agreed form"),
    "compressed bomb": (
        plain_answer(status=201, body=gzip.compress(b" " * (64 << 20)), headers={"Content-Encoding": "gzip"}),
        Unavailable,
        "agreed form",
    ),
    "redirect": (
        plain_answer(status=307, headers={"Location": "https://127.0.0.1:1/elsewhere"}),
        Unavailable,
        "redirect",
    ),
    "not authorised": (plain_answer(status=401), Unavailable, "401"),
    "forbidden": (plain_answer(status=403), Unavailable, "403"),
    "no such address": (plain_answer(status=404), Unavailable, "404"),
    "time-out": (plain_answer(status=408), Unavailable, "408"),
    "too early": (plain_answer(status=425), Unavailable, "425"),
    "too many": (plain_answer(status=429), Unavailable, "429"),
    "broken": (plain_answer(status=500), Unavailable, "500"),
    "a proxy's bad request": (plain_answer(status=400), Unavailable, "400"),
    "a proxy's too large": (plain_answer(status=413), Unavailable, "413"),
    "bad request": (json_answer(400, title="No"), Rejected, "400"),
    "too large for them": (json_answer(413, title="No"), Rejected, "413"),
    "unprocessable": (
        json_answer(422, title="No", detail="Kỳ\x1b[31m\nsai" + "!" * 900),
        Rejected,
        "Kỳ .31m sai",
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_agency_that_lies_or_refuses(door, settings, parcel, lie):
    answer, error, words = LIES[lie]
    async with door("agency-server", answer) as url:
        adapter = open_adapter("rest", settings(url))
        with pytest.raises(error, match=words) as caught:
            await adapter.submit(parcel())
        await adapter.close()
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "f-2", "state": "pending"},
        {"key": "f-1", "state": "decided"},
        {
            "key": "f-1",
            "state": "pending",
            "verdict": {"outcome": "accepted", "decidedAt": "2026-07-15T00:00:00Z"},
        },
        {"key": "f-1", "state": "lost"},
        {"key": "f-1"},
    ],
)
async def test_a_poll_answer_that_is_none(door, settings, fields):
    async with door("agency-server", json_answer(200, **fields)) as url:
        adapter = open_adapter("rest", settings(url))
        with pytest.raises(Unavailable):
            await adapter.fetch("f-1")
        await adapter.close()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "99999999999999999999"}, 86_400.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 15 Jul 2026 00:01:30 GMT", "Date": "Wed, 15 Jul 2026 00:00:00 GMT"}, 90.0),
        ({"Retry-After": "Wed, 15 Jul 2026 00:01:30", "Date": "Wed, 15 Jul 2026 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
async def test_retry_after(door, settings, headers, wait):
    async with door("agency-server", plain_answer(status=503, headers=headers)) as url:
        adapter = open_adapter("rest", settings(url))
        with pytest.raises(Unavailable) as caught:
            await adapter.fetch("f-1")
        await adapter.close()
    assert caught.value.retry_after == wait


async def test_a_redirect_reaches_nobody(door, settings, parcel):
    reached = []

    async def elsewhere(request):
        reached.append(request.path)
        return web.Response()

    async with door("agency-server", elsewhere) as other:
        redirect = plain_answer(status=308, headers={"Location": other + "/filings"})
        async with door("agency-server", redirect) as url:
            adapter = open_adapter("rest", settings(url))
            with pytest.raises(Unavailable):
                await adapter.submit(parcel())
            await adapter.close()
    assert reached == []


async def test_a_server_of_another_ca_gets_nothing(door, settings, parcel, pki):
    reached = []

    async def answer(request):
        reached.append(await request.read())
        return web.Response()

    async with door("agency-server", answer) as url:
        adapter = open_adapter("rest", settings(url, ca_file=str(pki.client_ca)))
        with pytest.raises(Unavailable, match="certificate"):
            await adapter.submit(parcel())
        await adapter.close()
    assert reached == []


@pytest.mark.parametrize("client", ["stranger-client", "provider-expired", None])
async def test_the_simulator_shuts_out_other_clients(config, settings, parcel, pki, client):

    cert = str(pki[client].chain) if client else None
    key = str(pki[client].key) if client else None
    async with Simulator(config()) as simulator:
        adapter = open_adapter("rest", settings(simulator.url, client_cert=cert, client_key=key))
        with pytest.raises(Unavailable):
            await adapter.submit(parcel())
        await adapter.close()
        assert simulator.books == {}


async def test_the_wait_for_a_connection_of_ours_is_no_failure_of_the_agency(settings, config, parcel):
    async with Simulator(config(behaviour=Behaviour(delay_s=0.6))) as simulator:
        few = settings(simulator.url, max_connections=1, connect_timeout_s=0.3, timeout_s=3.0)
        adapter = open_adapter("rest", few)
        assert adapter.longest_call_s == 6.0
        sent = await asyncio.gather(*(adapter.submit(parcel(f"f-{number}")) for number in range(4)))
        assert not any(one.duplicate for one in sent)
        await adapter.close()
        adapter = open_adapter("rest", {**few, "timeout_s": 0.8})
        calls = (adapter.submit(parcel(f"g-{number}")) for number in range(4))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        await adapter.close()
    ours = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert ours
    assert all("not sent: all our connections" in one.reason for one in ours)


BAD_SETTINGS = {
    "unknown setting": ({"base_uri": "https://localhost"}, "base_uri"),
    "password in the address": ({"base_url": "https://me:geheim@localhost"}, "no user, password"),
    "query": ({"base_url": "https://localhost/?a=1"}, "query"),
    "plain HTTP to another machine": ({"base_url": "http://agency.invalid"}, "must be https"),
    "other scheme": ({"base_url": "file:///etc/passwd"}, "https://"),
    "no host": ({"base_url": "https:///x"}, "https://|not a URL"),
    "not a URL": ({"base_url": "https://[::1"}, "not a URL|https://"),
    "no address": ({"base_url": None}, "base_url"),
    "no such file": ({"ca_file": "/nowhere/ca.pem"}, "ca_file"),
    "certificate without key": ({"client_key": None}, "go together"),
    "no time at all": ({"timeout_s": 0}, "timeout_s"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_cannot_work(settings, case):
    changes, words = BAD_SETTINGS[case]
    with pytest.raises(ConfigError, match=words) as caught:
        open_adapter("rest", {**settings("https://localhost"), **changes})
    assert "geheim" not in str(caught.value)


def test_a_key_that_is_not_the_certificates(settings, pki):
    with pytest.raises(ConfigError, match="TLS files"):
        open_adapter("rest", settings("https://localhost", client_key=str(pki["provider-a"].key)))


def test_an_unknown_kind_says_which_there_are():
    with pytest.raises(ConfigError, match="rest"):
        open_adapter("carrier-pigeon", {})


def test_a_library_is_loaded_with_the_first_agency_that_needs_it():
    """Of asyncssh, aiormq and SOAP a process that speaks to none knows nothing: they are slow to load."""
    loaded = "import sys, adapters; print(sorted({'asyncssh', 'aiormq', 'adapters.soap'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        RestConfig(base_url="https://localhost").base_url = "https://elsewhere"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "../x"),
        ("key", "a\nb"),
        ("digest_hex", "0" * 64),
        ("received_at", datetime(2026, 7, 15)),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_a_parcel_that_contradicts_itself_is_never_made(parcel, field, value):
    with pytest.raises(ValueError):
        parcel(**{field: value})


VERDICT = {"outcome": "accepted", "decidedAt": "2026-07-15T10:00:00+07:00", "reference": "R"}
JSON = {"content-TYPE": "application/json; charset=utf-8"}


@pytest.fixture
def adapter(settings):
    return open_adapter("rest", settings("https://localhost"))


def test_a_callback_is_read(adapter):
    key, verdict = adapter.read_callback(json.dumps({"key": "f-1", "verdict": VERDICT}).encode(), JSON)
    assert (key, verdict.outcome, verdict.reference) == ("f-1", "accepted", "R")
    assert verdict.decided_at == datetime(2026, 7, 15, 3, tzinfo=UTC)


BAD_CALLBACKS = {
    "empty": b"",
    "HTML": b"<html/>",
    "list": b"[]",
    "deep": NESTED,
    "no verdict": b'{"key": "f-1"}',
    "hostile key": msgspec.json.encode({"key": "../../etc", "verdict": VERDICT}),
    "naive time": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "decidedAt": "2026-07-15T10:00:00"}}
    ),
    "no such day": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "decidedAt": "2026-02-30T10:00:00Z"}}
    ),
    "a year beyond the calendar": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "decidedAt": "9999-12-31T23:59:59Z"}}
    ),
    "payable of no name": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "payables": [{"id": " ", "amount": 5, "currency": "VND"}]}}
    ),
    "amount as text": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "payables": [{"id": "1", "amount": "5", "currency": "VND"}]}}
    ),
    "amount beyond measure": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "payables": [{"id": "1", "amount": 1, "currency": "VND"}]}}
    ).replace(b'"amount":1', b'"amount":1' + b"0" * 30),
    "amount of 19 digits, for which no notice has room": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "payables": [{"id": "1", "amount": 10**18, "currency": "VND"}]}}
    ),
    "too many reasons": msgspec.json.encode(
        {"key": "f-1", "verdict": {**VERDICT, "reasons": [{"code": "1", "error": "x"}] * 1001}}
    ),
    "too large": msgspec.json.encode({"key": "f-1", "verdict": VERDICT, "pad": "x" * (1 << 20)}),
    "UTF-16": json.dumps({"key": "f-1", "verdict": VERDICT}).encode("utf-16"),
}


@pytest.mark.parametrize("case", BAD_CALLBACKS)
def test_a_callback_that_is_none(adapter, case):
    with pytest.raises(MalformedCallback) as caught:
        adapter.read_callback(BAD_CALLBACKS[case], JSON)
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
def test_a_callback_of_another_media_type(adapter, headers):
    with pytest.raises(MalformedCallback, match="application/json"):
        adapter.read_callback(json.dumps({"key": "f-1", "verdict": VERDICT}).encode(), headers)
