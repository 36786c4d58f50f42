"""PostgreSQL's own: what several nodes do to each other, and what a server does that stops, hangs or is unfit."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.errors import ConfigurationError, KeyReused, StoreUnavailable
from gateway.filing.filing import Recorded
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome
from gateway.store import postgres
from gateway.store.opening import open_store
from gateway.store.postgres_connection import BEGIN, commit, connect
from gateway.store.rows import json_text
from gateway.store.seeds import Seed
from gateway.store.statements import Statement, Steps
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared, verdict, verdict_notice
from tests.postgres import Cluster, require_postgres


@pytest.fixture
async def nodes(postgres_place: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database."""
    one, two = [await open_store(postgres_place, lambda: AT) for _ in range(2)]
    yield one, two
    await one.close()
    await two.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of the test's own, to be stopped."""
    require_postgres()
    with Cluster.made() as made:
        yield made


class TestNodes:
    async def test_one_message_at_two_nodes_at_once_is_one_filing(self, nodes: tuple[Store, Store]) -> None:
        for i in range(20):
            answers = await asyncio.gather(
                *(node.add(prepared(f"<a>{i}</a>".encode(), key=f"k{i}")) for node in nodes * 5)
            )
            assert len({answer.notice.document for answer in answers}) == 1
            assert sum(not answer.repeat for answer in answers) == 1

    async def test_one_key_for_two_messages_at_once_is_one_filing_and_one_conflict(
        self, nodes: tuple[Store, Store]
    ) -> None:
        for i in range(20):
            bodies = [f"<{name}>{i}</{name}>".encode() for name in "ab"]
            answers = await asyncio.gather(
                *(node.add(prepared(body, key=f"k{i}")) for node, body in zip(nodes, bodies, strict=True)),
                return_exceptions=True,
            )
            assert {type(answer) for answer in answers} == {Recorded, KeyReused}

    async def test_verdict_by_callback_and_by_poll_at_once_is_one(self, nodes: tuple[Store, Store]) -> None:
        one, two = nodes
        for i in range(20):
            await one.add(prepared(f"{i}".encode(), period=f"{i}"))
        for claim in await one.claim_due("w", 20, 60):
            await one.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=0))
        claims = await one.claim_due("w", 20, 60)
        assert len(claims) == 20

        async def polled(claim: Claim) -> bool:
            outcome = Outcome(claim, Status.ACCEPTED, "accepted", verdict=verdict(), notice=verdict_notice())
            return (await one.record_outcome(outcome)).applied

        async def called(claim: Claim) -> bool:
            notice = verdict_notice("<called/>")
            return (await two.record_verdict(claim.filing.number, verdict(), notice, AT)).first

        for claim in claims:
            assert sorted(await asyncio.gather(polled(claim), called(claim))) == [False, True]

    async def test_a_transaction_locks_filings_before_it_locks_their_agency(
        self, nodes: tuple[Store, Store], postgres_place: str
    ) -> None:
        """As an outcome does: the other way round, the two would wait for each other."""
        store, _ = nodes
        plain = {"name": "tax", "adapter": "rest", "config": "{}", "serves": "[]", "poll_seconds": 1.0}
        await store.seed([Seed("agency", {"id": "tax", **plain})], "test")
        for i in range(2):
            await store.add(prepared(f"{i}".encode(), period=f"{i}"))
        claims = await store.claim_due("w", 9, 60)
        for claim in claims:
            sent = Outcome(claim, Status.DELIVERING, "routed", due_seconds=0, agency="tax")
            await store.record_outcome(sent)
        number = claims[0].filing.number
        other, watch = await asyncpg.connect(postgres_place), await asyncpg.connect(postgres_place)
        await other.execute("BEGIN")
        await other.execute("SELECT 1 FROM agency FOR UPDATE")
        verdict_too = store.record_verdict(number, verdict(), verdict_notice(), AT)
        both = asyncio.gather(store.claim_due("w", 9, 60), verdict_too)  # in one transaction
        waits = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while not await watch.fetch(waits):
            await asyncio.sleep(0.02)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await watch.execute("SELECT 1 FROM delivery WHERE number = $1 FOR UPDATE NOWAIT", number)
        await other.execute("ROLLBACK")
        claimed, concluded = await both
        assert (len(claimed), concluded.first) == (1, True)
        await other.close()
        await watch.close()

    async def test_audit_records_of_two_nodes_are_one_chain(self, nodes: tuple[Store, Store]) -> None:
        for i in range(10):
            seeds = [Seed("limits", {"name": f"n{i} {which}", "value": 1.0}) for which in range(2)]
            await asyncio.gather(*(node.seed([s], "test") for node, s in zip(nodes, seeds, strict=True)))
        rows = await nodes[0]._driver.read(
            "SELECT previous, at, actor, act, subject, detail, hash FROM audit ORDER BY seq"
        )
        assert len(rows) == 20
        previous = ""
        for row in rows:
            assert row[0] == previous
            previous = row[6]
            assert previous == hashlib.sha256(json_text(list(row[:6])).encode()).hexdigest()

    async def test_a_client_revoked_at_one_node_is_out_at_the_other(self, nodes: tuple[Store, Store]) -> None:
        row = {"fingerprint": "f", "kind": "agency", "party": "p", "subject": "s", "not_after": "2030"}
        one, two = nodes
        await one.seed([Seed("client_certificate", {**row, "active": 1})], "admin")
        assert (await two.client("f")).active  # type: ignore[union-attr]
        await one.seed([Seed("client_certificate", {"fingerprint": "f", "active": 0})], "admin")
        assert not (await two.client("f")).active  # type: ignore[union-attr]

    async def test_text_that_postgresql_cannot_hold_is_marked_not_lost(
        self, nodes: tuple[Store, Store]
    ) -> None:
        number = (await nodes[0].add(prepared())).filing.number
        (claim,) = await nodes[0].claim_due("w", 1, 60)
        await nodes[0].record_outcome(Outcome(claim, Status.STUCK, "stuck", "nul \0 nul"))
        assert (await nodes[1].events(number))[-1].detail == "nul \N{REPLACEMENT CHARACTER} nul"


class TestServer:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
    async def test_a_server_restarted_amid_writes_loses_no_acknowledged_filing(
        self, cluster: Cluster, how: signal.Signals
    ) -> None:
        store = await open_store(cluster.url, lambda: AT)
        acknowledged: set[str] = set()
        stop = asyncio.Event()

        async def send(sender: int) -> None:
            while not stop.is_set():
                one = prepared(os.urandom(2000), key=os.urandom(8).hex(), period=f"{sender}")
                try:
                    acknowledged.add((await store.add(one)).filing.number)
                except StoreUnavailable:
                    await asyncio.sleep(0.02)

        senders = [asyncio.create_task(send(sender)) for sender in range(16)]
        for _ in range(3):
            before = len(acknowledged)
            while len(acknowledged) < before + 100:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(cluster.restart, how)
        while len(acknowledged) < before + 200:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*senders)
        assert await store.fault() is None
        stored = {
            row[0] for row in await store._driver.read("SELECT number FROM filing JOIN body USING (number)")
        }
        assert acknowledged <= stored
        await store.close()

    async def test_a_server_that_is_away_is_said_and_found_again(self, cluster: Cluster) -> None:
        store = await open_store(cluster.url, lambda: AT)
        cluster.stop()
        with pytest.raises(StoreUnavailable):
            await store.add(prepared(key="k"))
        with pytest.raises(StoreUnavailable):
            await store.client("f")
        assert await store.fault() == "unavailable"
        cluster.start()
        assert not (await store.add(prepared(key="k"))).repeat
        assert await store.fault() is None
        await store.close()

    async def test_a_commit_that_its_standby_never_had_is_no_promise(self, cluster: Cluster) -> None:
        """An administrator ends the wait: the server answers COMMIT, with a warning."""
        store = await open_store(cluster.url, lambda: AT)
        await store.add(prepared(b"<before/>"))
        admin = await asyncpg.connect(cluster.url)
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await admin.execute("SELECT pg_reload_conf()")
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        adding = asyncio.create_task(store.add(prepared(b"<after/>")))
        while not (waiting := await admin.fetch(waits)):
            if adding.done():  # the server had not read its settings yet
                adding = asyncio.create_task(store.add(prepared(os.urandom(8))))
            await asyncio.sleep(0.05)
        await admin.execute("SELECT pg_cancel_backend($1)", waiting[0][0])
        with pytest.raises(StoreUnavailable, match="no full commit"):
            await adding
        await admin.close()
        cluster.stop(signal.SIGQUIT)
        await store.close()

    async def test_locks_of_a_node_that_stands_still_do_not_last(self, postgres_place: str) -> None:
        """A process stopped amid its transaction: the server ends it, and the others go on."""
        quick = f"{postgres_place}?idle_in_transaction_session_timeout=500"
        frozen = await asyncpg.connect(
            postgres_place, server_settings={"idle_in_transaction_session_timeout": "500"}
        )
        await frozen.execute("BEGIN")
        await frozen.execute("SELECT value FROM epoch FOR UPDATE")
        store = await open_store(quick, lambda: AT)
        assert await store.seed([Seed("limits", {"name": "n", "value": 1.0})], "test") == 1
        async with asyncio.timeout(30):
            while not frozen.is_closed():  # it hears of its end a moment later
                await asyncio.sleep(0.01)
        async with store._driver._readers.acquire() as connection:  # type: ignore[attr-defined]
            said = await connection.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')")
        assert said == "500ms"
        await store.close()

    async def test_a_write_that_was_given_up_waits_for_no_lock_any_more(
        self, postgres_place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its transaction ends at the server too: it would hold its own locks as long as it waits for others'."""
        monkeypatch.setattr("gateway.store.postgres._STALL_SECONDS", 0.5)
        store = await open_store(postgres_place, lambda: AT)
        other = await asyncpg.connect(postgres_place)
        await other.execute("BEGIN")
        await other.execute("UPDATE epoch SET value = value")
        with pytest.raises(StoreUnavailable):
            await store._driver.probe()
        waits = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(20):
            while await other.fetch(waits):
                await asyncio.sleep(0.1)
        await other.close()
        await store.close()

    async def test_a_killed_writer_and_a_killed_server_lose_nothing(self, cluster: Cluster) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.endless_writer", cluster.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            text=True,
        )
        assert writer.stdout is not None
        acknowledged = {writer.stdout.readline().strip() for _ in range(300)}
        cluster.stop(signal.SIGQUIT)
        writer.kill()
        acknowledged |= {line.strip() for line in writer.stdout if line.endswith("\n") and line[:4] == "SLA-"}
        writer.wait()
        cluster.start()
        store = await open_store(cluster.url, lambda: AT)
        stored = {
            row[0] for row in await store._driver.read("SELECT number FROM delivery JOIN body USING (number)")
        }
        assert acknowledged <= stored
        await store.close()


class TestUnfit:
    async def test_a_password_in_the_url_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(ConfigurationError) as refused:
            await open_store("postgresql://efile:s3cret@127.0.0.1:1/efile", lambda: AT)
        assert "s3cret" not in str(refused.value)

    async def test_a_password_from_a_file_is_taken(self, cluster: Cluster, tmp_path: Path) -> None:
        admin = await asyncpg.connect(cluster.url)
        await admin.execute("SET password_encryption = 'scram-sha-256'")
        await admin.execute("CREATE ROLE app LOGIN PASSWORD 's3cret'; GRANT ALL ON SCHEMA public TO app")
        await admin.close()
        rules = cluster.home / "data" / "pg_hba.conf"
        rules.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        cluster.restart()
        file = tmp_path / "pgpass"
        file.write_text(f"127.0.0.1:{cluster.port}:postgres:app:s3cret\n")
        file.chmod(0o600)
        url = cluster.url.replace("efile@", "app@")
        with pytest.raises(ConfigurationError, match="password"):
            await open_store(url, lambda: AT)
        await (await open_store(f"{url}?passfile={file}", lambda: AT)).close()

    @pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
    async def test_a_server_that_forgets_is_refused(self, cluster: Cluster, setting: str) -> None:
        cluster.options = (f"{setting}=off",)
        cluster.restart()
        with pytest.raises(ConfigurationError, match=setting):
            await open_store(cluster.url, lambda: AT)

    async def test_a_server_that_takes_no_writes_is_not_taken(self, cluster: Cluster) -> None:
        cluster.options = ("default_transaction_read_only=on",)
        cluster.restart()
        with pytest.raises(StoreUnavailable):
            await open_store(cluster.url, lambda: AT)

    async def test_of_several_hosts_the_one_that_takes_writes_is_found(self, cluster: Cluster) -> None:
        parts = urlsplit(cluster.url)
        several = urlunsplit(parts._replace(netloc=f"efile@127.0.0.1:1,127.0.0.1:{cluster.port}"))
        store = await open_store(several, lambda: AT)
        recorded = await store.add(prepared())
        await store.close()
        assert cluster.ask("SELECT number FROM filing") == recorded.filing.number

    async def test_nobody_there_is_said(self) -> None:
        with pytest.raises(StoreUnavailable):
            await open_store("postgresql://efile@127.0.0.1:1/efile", lambda: AT)


class TestOutagesAreTold:
    """What the server does to us is told as an outage, which a sender waits for; never as a fault of ours."""

    async def test_a_connection_that_is_lost_before_its_commit(self, cluster: Cluster) -> None:
        connection = await connect(cluster.url)
        await connection.execute(BEGIN)
        cluster.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'efile'")
        while not connection.is_closed():
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            await commit(connection)

    @pytest.mark.parametrize("state", ["40001", "40P01"])
    async def test_others_that_come_between_again_and_again(self, postgres_place: str, state: str) -> None:
        store = await open_store(postgres_place, lambda: AT)
        failing = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"

        def always(batch: Sequence[None]) -> Steps:
            yield Statement(failing, [()] * len(batch))
            return batch

        for attempt in (store._driver.write(always, None), store._driver.read(failing)):
            with pytest.raises(StoreUnavailable, match="came between"):
                await attempt
        assert not (await store.add(prepared())).repeat
        await store.close()


async def test_too_many_writes_are_refused(postgres_place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_MOST_WAITING", 3)
    store = await open_store(postgres_place, lambda: AT)
    tasks = [asyncio.create_task(store.add(prepared(f"{i}".encode()))) for i in range(10)]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, StoreUnavailable) for answer in answers) == 7
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.add(prepared())


@dataclass
class Relay:
    """Between us and the server: whoever says `words` is answered by `answer` in its place, and no more."""

    server: str
    words: bytes
    answer: bytes
    url: str = ""
    stopped: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    """Of those, who has not left yet."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            parts = urlsplit(self.server)
            self.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.server)
        answers, server = await asyncio.open_connection(parts.hostname, parts.port)
        back = asyncio.create_task(self._pass_on(answers, writer))
        with suppress(OSError):
            while said := await reader.read(1 << 16):
                if self.words in said:
                    self.stopped += 1
                    self.open.add(writer)
                    writer.write(self.answer)
                elif writer not in self.open:
                    server.write(said)
        self.open.discard(writer)
        back.cancel()
        server.close()
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(1 << 16):
            writer.write(said)


_REFUSED = b"SERROR\0VERROR\0C53200\0Mas the test wants it\0\0"
_ERROR = b"E" + (len(_REFUSED) + 4).to_bytes(4, "big") + _REFUSED + b"Z\0\0\0\5I"


@pytest.mark.filterwarnings("error::ResourceWarning")  # so that no chance collects what nobody gives back
@pytest.mark.parametrize(
    ("words", "answer"),
    [(b"BEGIN ISOLATION", b""), (b"BEGIN ISOLATION", _ERROR), (b"current_setting('fsync')", b"")],
    ids=["no answer to BEGIN", "an error to BEGIN", "no answer to the first question"],
)
async def test_a_connection_on_which_nothing_begins_is_given_back(
    postgres_place: str, monkeypatch: pytest.MonkeyPatch, words: bytes, answer: bytes
) -> None:
    monkeypatch.setattr(postgres, "_STALL_SECONDS", 0.5)
    async with Relay(postgres_place, b"never said", answer).running() as relay:
        store = await open_store(relay.url, lambda: AT)
        relay.words = words
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.add(prepared())
        async with asyncio.timeout(20):
            while relay.stopped < 3 or relay.open:
                await asyncio.sleep(0.02)
        relay.words = b"never said"
        assert not (await store.add(prepared())).repeat
        await store.close()
