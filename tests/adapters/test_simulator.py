"""The simulated authority: callbacks, its control door, and a memory that survives a violent end."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from adapters import Pending, Unavailable, Verdict, open_adapter
from adapters.simulator import Behaviour, BooksError, Simulator, SimulatorConfig
from adapters.simulator.deciding import payable_amount

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = Behaviour(verdict_delay_s=0)


@pytest.fixture
async def http(pki):
    """A client with the gateway's certificate, for the doors that the adapter does not use."""
    context = ssl.create_default_context(cafile=pki.tls_ca)
    context.load_cert_chain(pki["gateway-client"].chain, pki["gateway-client"].key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


async def until(true):
    """The door has a callback a moment before the simulator knows that it was taken."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def send(adapter, parcel, *keys):
    try:
        for key in keys:
            await adapter.submit(parcel(key=key))
    finally:
        await adapter.close()


def read(adapter, callbacks):
    return [adapter.read_callback(body, headers) for body, headers, _ in callbacks.got]


async def test_the_verdict_comes_by_callback_with_the_agencys_certificate(
    config, settings, parcel, callbacks
):
    async with Simulator(config(callback=callbacks.url, behaviour=AT_ONCE)) as simulator:
        adapter = open_adapter("rest", settings(simulator.url))
        await adapter.submit(parcel())
        await callbacks.wait_for(1)
        ((key, verdict),) = read(adapter, callbacks)
        assert (key, verdict) == ("f-1", await adapter.fetch("f-1"))
        assert callbacks.got[0][2] == "DEV tax authority"
        await adapter.close()


async def test_a_callback_is_sent_again_until_it_is_taken(config, settings, parcel, callbacks):
    callbacks.statuses = [503, 429, 204]
    async with Simulator(config(callback=callbacks.url, behaviour=AT_ONCE)) as simulator:
        await send(open_adapter("rest", settings(simulator.url)), parcel, "f-1")
        await until(lambda: simulator.books["f-1"].callbacks == 1)
    assert len({body for body, _, _ in callbacks.got}) == 1
    assert len(callbacks.got) == 3


async def test_a_callback_that_the_gateway_refuses_is_given_up(config, settings, parcel, callbacks):
    callbacks.statuses = [404]
    async with Simulator(config(callback=callbacks.url, behaviour=AT_ONCE)) as simulator:
        await send(open_adapter("rest", settings(simulator.url)), parcel, "f-1", "f-2")
        await until(lambda: sum(entry.callbacks for entry in simulator.books.values()) == 1)
        await callbacks.wait_for(2)
    assert sorted(entry.callbacks for entry in simulator.books.values()) == [0, 1]
    assert len(callbacks.got) == 2


async def test_twice_and_contradicting(config, settings, parcel, callbacks):
    told = Behaviour(verdict_delay_s=0, answer_twice=True, contradict=True)
    async with Simulator(config(callback=callbacks.url, behaviour=told)) as simulator:
        adapter = open_adapter("rest", settings(simulator.url))
        await adapter.submit(parcel())
        await callbacks.wait_for(3)
        assert [v.outcome for _, v in read(adapter, callbacks)] == ["accepted", "accepted", "rejected"]
        polled = await adapter.fetch("f-1")
        assert isinstance(polled, Verdict)
        assert polled.outcome == "accepted"
        await adapter.close()


async def test_callbacks_off_leaves_polls(config, settings, parcel, callbacks):
    off = Behaviour(verdict_delay_s=0, callback=False)
    async with Simulator(config(callback=callbacks.url, behaviour=off)) as simulator:
        adapter = open_adapter("rest", settings(simulator.url))
        await adapter.submit(parcel(key="f-1"))
        assert isinstance(await adapter.fetch("f-1"), Verdict)
        simulator.behaviour = AT_ONCE
        await adapter.submit(parcel(key="f-2"))
        await callbacks.wait_for(1)
        assert [key for key, _ in read(adapter, callbacks)] == ["f-2"]
        await adapter.close()


async def test_down_sends_no_callbacks_until_it_is_back(config, settings, parcel, callbacks):
    slow = Behaviour(verdict_delay_s=0.2)
    async with Simulator(config(callback=callbacks.url, behaviour=slow)) as simulator:
        await send(open_adapter("rest", settings(simulator.url)), parcel, "f-1")
        simulator.behaviour = simulator.behaviour.changed({"down": True})
        await asyncio.sleep(0.6)
        assert callbacks.got == []
        simulator.behaviour = simulator.behaviour.changed({"down": False})
        await callbacks.wait_for(1)


async def test_the_control_door_changes_only_what_it_is_told(config, http):
    async with Simulator(config()) as simulator:
        async with http.post(simulator.url + "/control", json={"down": True, "lose_answer": 2}) as answer:
            assert (answer.status, await answer.json()) == (200, await _control(http, simulator))
        refuse = {"code": "0412", "error": "Sai", "remedy": "Sửa"}
        async with http.post(simulator.url + "/control", json={"refuse": refuse, "down": False}):
            pass
        now = simulator.behaviour
        assert (now.down, now.lose_answer, now.refuse and now.refuse.code) == (False, 2, "0412")
        async with http.post(simulator.url + "/control", json={"refuse": None}):
            pass
        assert simulator.behaviour == Behaviour(lose_answer=2)


async def _control(http, simulator):
    async with http.get(simulator.url + "/control") as answer:
        return await answer.json()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"dawn": true}', b'{"delay_s": -1}', b'{"fail_rate": 2}', b'{"down": "yes"}']
)
async def test_the_control_door_refuses_what_it_does_not_know(config, http, body):
    async with Simulator(config()) as simulator:
        async with http.post(simulator.url + "/control", data=body) as answer:
            assert answer.status == 400
        assert simulator.behaviour == Behaviour()


ENVELOPE = {
    "key": "f-1",
    "number": "N",
    "family": "tax-declaration",
    "form": {"code": "842", "version": "2.8.3", "kind": "C"},
    "period": "Q2/2026",
    "taxpayer": "5500123457",
    "taxOffice": "10100",
    "receivedAt": "2026-07-15T03:04:05Z",
    "document": {
        "mediaType": "application/xml",
        "digestAlgorithm": "SHA-256",
        "digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "content": "",
    },
}


@pytest.mark.parametrize(
    ("key", "changes", "status"),
    [
        ("f-1", {}, 201),
        ("f-2", {}, 400),
        (None, {}, 400),
        ("f-1", {"form": None}, 400),
        ("f-1", {"receivedAt": "2026-07-15T03:04:05"}, 400),
        ("f-1", {"document": {**ENVELOPE["document"], "content": "YQ=="}}, 422),
        ("f-1", {"document": {**ENVELOPE["document"], "content": "!"}}, 400),
    ],
)
async def test_an_envelope_is_checked(config, http, key, changes, status):
    headers = {"Idempotency-Key": key} if key else {}
    async with Simulator(config()) as simulator:
        async with http.post(
            simulator.url + "/filings", json={**ENVELOPE, **changes}, headers=headers
        ) as answer:
            assert answer.status == status
        assert len(simulator.books) == (status == 201)


async def test_the_books_are_open(config, settings, parcel, http):
    async with Simulator(config(behaviour=AT_ONCE)) as simulator:
        await send(open_adapter("rest", settings(simulator.url)), parcel, "f-1", "f-1")
        async with http.get(simulator.url + "/books") as answer:
            page = (await answer.json())["f-1"]
    assert (page["times"], page["number"], page["digest"]) == (2, parcel().filing_number, parcel().digest_hex)
    assert (page["verdict"]["outcome"], page["callbacks"]) == ("accepted", 0)


@pytest.mark.parametrize(
    ("document", "amount"),
    [
        (b"<a><ct40>98500000</ct40></a>", 98_500_000),
        (b'<a xmlns="urn:x"><b><ct40> 7 </ct40></b></a>', 7),
        (b"<a><ct40/></a>", 0),
        (b"<a><ct40>-5</ct40></a>", 0),
        (b"<a><ct40>1e9</ct40></a>", 0),
        ("<a><ct40>９</ct40></a>".encode(), 0),
        (b"<a><ct40>" + b"9" * 5000 + b"</ct40></a>", 0),
        (b"%PDF-1.7", 0),
        (b"", 0),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a><ct40>&x;</ct40></a>', 0),
        (b"<a>" * 100_000, 0),
    ],
)
def test_what_is_payable_is_read_and_never_guessed(document, amount):
    assert payable_amount(document) == amount


async def test_books_survive_a_restart_and_callbacks_are_made_up_for(
    config, settings, parcel, callbacks, books
):
    slow = Behaviour(verdict_delay_s=3600)
    async with Simulator(config(books=books, behaviour=slow)) as first:
        await send(open_adapter("rest", settings(first.url)), parcel, "f-1", "f-1")
    soon = Behaviour(verdict_delay_s=0)
    async with Simulator(config(books=books, behaviour=soon)) as second:
        adapter = open_adapter("rest", settings(second.url))
        assert second.books["f-1"].times == 2
        assert await adapter.fetch("f-1") == Pending(first.books["f-1"].reference)
        await send(adapter, parcel, "f-2")
    async with Simulator(config(books=books, callback=callbacks.url)) as third:
        await until(lambda: third.books["f-2"].callbacks == 1)
    async with Simulator(config(books=books, callback=callbacks.url, behaviour=soon)) as fourth:
        adapter = open_adapter("rest", settings(fourth.url))
        await send(adapter, parcel, "f-3")
        await callbacks.wait_for(2)
        assert [key for key, _ in read(adapter, callbacks)] == ["f-2", "f-3"]


async def test_a_disk_that_cannot_sync_takes_nothing_in(config, settings, parcel, books, monkeypatch):
    def broken(_):
        raise OSError(5, "Input/output error")

    async with Simulator(config(books=books)) as simulator:
        adapter = open_adapter("rest", settings(simulator.url))
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", broken)
            with pytest.raises(Unavailable, match="500"):
                await adapter.submit(parcel())
        assert simulator.books == {}
        assert not (await adapter.submit(parcel())).duplicate
        await adapter.close()


async def test_a_torn_last_line_is_forgotten_and_the_books_go_on(config, settings, parcel, books):
    async with Simulator(config(books=books)) as first:
        await send(open_adapter("rest", settings(first.url)), parcel, "f-1", "f-2")
    whole = books.read_bytes()
    books.write_bytes(whole[:-20])
    async with Simulator(config(books=books)) as second:
        assert list(second.books) == ["f-1"]
        await send(open_adapter("rest", settings(second.url)), parcel, "f-2", "f-3")
    async with Simulator(config(books=books)) as third:
        assert list(third.books) == ["f-1", "f-2", "f-3"]


@pytest.mark.parametrize("damage", [b"{}\n", b"\xff\n", b'{"type":"repeated","key":"nobody"}\n'])
def test_damaged_books_are_named_by_line(config, books, damage):
    books.parent.mkdir()
    books.write_bytes(damage)
    with pytest.raises(BooksError, match="line 1"):
        Simulator(config(books=books))


def test_it_does_not_listen_to_the_world_without_certificates():
    with pytest.raises(ValueError, match="tls_cert and client_ca"):
        SimulatorConfig(host="0.0.0.0")


@contextmanager
def process(pki, books):
    server = pki["agency-server"]
    words = [
        "--tls-cert",
        server.chain,
        "--tls-key",
        server.key,
        "--client-ca",
        pki.client_ca,
        "--books",
        books,
    ]
    command = [sys.executable, "-m", "adapters.simulator", *map(str, words), "--verdict-delay", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().split()[-1]
        finally:
            running.kill()


async def test_killed_in_the_middle_it_remembers_all_that_it_answered(pki, settings, parcel, books):
    answered = {}

    async def send_on(adapter, first):
        for number in range(first, 10_000, 4):
            try:
                sent = await adapter.submit(parcel(key=f"f-{number}"))
            except Unavailable:
                return
            answered[f"f-{number}"] = sent.reference
            if len(answered) == 40:
                running.kill()

    with process(pki, books) as (running, url):
        adapter = open_adapter("rest", settings(url))
        await asyncio.gather(*(send_on(adapter, first) for first in range(4)))
        await adapter.close()
        running.wait(10)
    assert len(answered) >= 40
    with process(pki, books) as (_, url):
        adapter = open_adapter("rest", settings(url))
        for key, reference in answered.items():
            again = await adapter.submit(parcel(key=key))
            assert (again.duplicate, again.reference) == (True, reference)
        await adapter.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(pki, books, number):
    with process(pki, books) as (running, _):
        running.send_signal(number)
        assert running.wait(10) == 0


def test_a_wrong_command_line_is_explained(books):
    books.parent.mkdir()
    books.write_text(json.dumps({}) + "\n")
    command = [sys.executable, "-m", "adapters.simulator", "--books", str(books)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "line 1" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
