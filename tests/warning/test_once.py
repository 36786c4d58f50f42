"""Each matter is sent once by each channel, over all processes and nodes, whatever fails; on both engines."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.errors import StoreUnavailable
from gateway.jobs.warn import GIVEN_UP_AFTER, MOST_MATTERS, Warner
from gateway.register.entry import Entry
from gateway.settings import MailSettings, WebhookSettings
from gateway.store.opening import open_store
from gateway.store.store import Store
from gateway.warning.due import Seen, due_matters
from gateway.warning.mail import Mail
from gateway.warning.matter import Channel, Matter
from gateway.warning.webhook import Webhook
from tests.gateway.builders import AT
from tests.warning.servers import Hook, hook_server, mail_server, written
from tests.warning.test_due import DAY, NOW, POLICY, entry


@dataclass
class Nodes:
    """Two nodes over one store that see the same entries; `at` is their time."""

    stores: list[Store]
    hook: Hook
    folder: Path
    at: datetime = NOW
    entries: list[Entry] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def channel(self, name: str = "duty", seconds: float = 5.0) -> Webhook:
        token = written(self.folder / "token", "t")
        return Webhook(WebhookSettings(name=name, url=self.hook.url, token_file=token, seconds=seconds))

    def node(self, n: int, *channels: Channel) -> Warner:
        async def due() -> list[Matter]:
            return due_matters(Seen(self.entries), POLICY, self.at)

        return Warner(
            self.stores[n], channels or (self.channel(),), due, lambda: self.at, owner=f"node-{n}",
            gateway=("SLA", "Sơn La"), seconds=0.01, counted=lambda name, result: self.counted.update([(name, result)]),
        )  # fmt: skip

    def told(self) -> list[str]:
        """What the hook was told, matter by matter."""
        return [one["kind"] for body in self.hook.bodies for one in json.loads(body)["warnings"]]

    async def until_sent(self, node: Warner) -> None:
        async with asyncio.timeout(20):
            while (await self.stores[0].warnings_waiting()) or not self.hook.bodies:
                await node.round()
                await asyncio.sleep(0.02)


@pytest.fixture
async def nodes(place: str, tmp_path: Path) -> AsyncIterator[Nodes]:
    stores = [await open_store(place, lambda: AT) for _ in range(2)]
    async with hook_server() as hook:
        yield Nodes(stores, hook, tmp_path)
    for store in stores:
        await store.close()


async def test_each_level_is_sent_once_over_both_nodes_and_their_restarts(nodes: Nodes) -> None:
    nodes.entries = [entry(61 * DAY)]
    for days in (0, 1, 2, 30, 31, 47, 54, 55, 60, 61, 62, 90):
        nodes.at = NOW + days * DAY
        await asyncio.gather(nodes.node(0).round(), nodes.node(1).round())
    assert nodes.told() == ["certificate-ends"] * 5 + ["certificate-ended"]
    assert nodes.counted == {("duty", "sent"): 6}


async def test_many_at_once_are_few_messages_and_none_twice(nodes: Nodes) -> None:
    count = 2 * MOST_MATTERS + 7
    nodes.entries = [replace(entry(5 * DAY), fingerprint=f"{n:064x}"[::-1]) for n in range(count)]
    await asyncio.gather(*(nodes.node(n % 2).round() for n in range(4)))
    ids = [one["id"] for body in nodes.hook.bodies for one in json.loads(body)["warnings"]]
    assert len(ids) == len(set(ids)) == count
    assert len(nodes.hook.bodies) < 10


async def test_what_failed_is_tried_again_until_it_is_taken(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    nodes.hook.answers = ["500", "redirect", "503", "204"]
    with capture_logs() as logs:
        await nodes.until_sent(nodes.node(0))
    assert nodes.told() == ["certificate-ends"] * 4
    assert nodes.counted == {("duty", "failed"): 3, ("duty", "sent"): 1}
    reasons = [one["reason"] for one in logs if one["event"] == "warnings-not-sent"]
    assert reasons == ["answered 500", "answered 307", "answered 503"]
    (state,) = await nodes.stores[1].warnings(10)
    assert (state.failures, state.fault, state.given_up) == (3, None, False)
    assert state.sent_at is not None


async def test_a_channel_that_hangs_keeps_no_other_from_telling(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    nodes.hook.answers = ["hang"]
    async with mail_server() as post:
        mail = Mail(
            MailSettings(
                name="mail",
                host="localhost",
                port=post.port,
                security="none",
                sender="a@b.vn",
                to=("c@d.vn",),
            )
        )
        await nodes.node(0, nodes.channel(seconds=0.3), mail).round()
    assert len(post.mails) == 1
    assert nodes.counted == {("duty", "failed"): 1, ("mail", "sent"): 1}


async def test_a_claim_is_nobody_elses_until_its_node_is_dead_for_long_enough(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    await nodes.stores[0].raise_warnings(["duty"], due_matters(Seen(nodes.entries), POLICY, NOW), NOW)
    assert len(await nodes.stores[0].claim_warnings("duty", "dies", 10, 0.3)) == 1
    await nodes.node(1).round()
    assert nodes.told() == []
    await nodes.until_sent(nodes.node(1))
    assert nodes.told() == ["certificate-ends"]
    (state,) = await nodes.stores[0].warnings(10)
    await nodes.stores[0].record_warnings(
        "duty", "dies", [state.matter.id], NOW, fault="late", again_seconds=0.0
    )
    assert (await nodes.stores[0].warnings(10))[0] == state, "the dead have nothing to say"


async def test_no_two_processes_hold_the_same_claim_and_the_late_one_marks_nothing_sent(nodes: Nodes) -> None:
    """Of what one process has claimed another gets nothing; once it has taken over, the first one's `sent` is void."""
    count = 40
    nodes.entries = [replace(entry(5 * DAY), fingerprint=f"{n:064x}"[::-1]) for n in range(count)]
    due = due_matters(Seen(nodes.entries), POLICY, NOW)
    for store in nodes.stores:
        await store.raise_warnings(["duty"], due, NOW)
    claims = await asyncio.gather(
        *(nodes.stores[n % 2].claim_warnings("duty", f"p{n}", 10, 60.0) for n in range(8))
    )
    ids = [one.matter.id for claimed in claims for one in claimed]
    assert sorted(ids) == sorted(one.id for one in due)
    await nodes.stores[1].record_warnings("duty", "late", ids[:1], NOW, fault=None, again_seconds=None)
    assert [one.sent_at for one in await nodes.stores[0].warnings(count)] == [None] * count


async def test_after_a_week_it_is_given_up_and_said_so(nodes: Nodes) -> None:
    nodes.entries = [entry(400 * DAY), entry(20 * DAY)]
    nodes.hook.answers = ["500"]
    warner = nodes.node(0)
    await warner.round()
    nodes.at += GIVEN_UP_AFTER + timedelta(minutes=1)
    with capture_logs() as logs:
        async with asyncio.timeout(20):
            while not any(one.given_up for one in await nodes.stores[0].warnings(10)):
                await warner.round()
    assert [one["log_level"] for one in logs if one["event"] == "warning-given-up"] == ["error"]
    assert nodes.counted["duty", "given-up"] == 1


async def test_a_channel_that_is_new_is_told_what_stands_now(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    await nodes.node(0).round()
    await nodes.node(0, nodes.channel(), nodes.channel("chief")).round()
    assert nodes.counted == {("duty", "sent"): 1, ("chief", "sent"): 1}


async def test_what_cannot_be_seen_keeps_nothing_from_being_sent(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    await nodes.stores[0].raise_warnings(["duty"], due_matters(Seen(nodes.entries), POLICY, NOW), NOW)

    async def blind() -> list[Matter]:
        raise StoreUnavailable("no answer")

    warner = nodes.node(0)
    warner._due = blind
    with pytest.raises(StoreUnavailable):
        await warner.round()
    assert nodes.told() == ["certificate-ends"]


async def test_whatever_goes_wrong_the_job_goes_on(nodes: Nodes) -> None:
    nodes.entries = [entry(5 * DAY)]
    warner, looked = nodes.node(0), 0

    async def broken() -> list[Matter]:
        nonlocal looked
        looked += 1
        raise RuntimeError("a fault of ours")

    warner._due = broken
    task = asyncio.create_task(warner.run())
    async with asyncio.timeout(10):
        while looked < 3:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
