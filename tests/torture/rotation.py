"""Everything that rotates, one after another, under load: no request may fail, every receipt must be proven."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import certs_dev
import signing
from adapters.simulator import Behaviour, Simulator
from certs_dev.pki import Identity
from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.client.receipts import prove_receipt
from gateway.clock import clock
from gateway.development import Installation, Ports
from gateway.register.acts import Certificates
from gateway.register.entry import Entry, Purpose, RegisterRefused, State
from gateway.register.reading import fingerprint_of
from gateway.register.request import write_new
from gateway.register.reseal import Resealing
from gateway.settings import Settings, load_settings
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.documents import signed
from tests.house import free_port, simulator_config
from tests.postgres import Cluster
from tests.processes import Gateway, quick_installation
from tests.register.changing import LAN, issued
from tests.tsa import Authority

SENDERS = 4


@dataclass(frozen=True, slots=True)
class _SecondNode(Installation):
    """Another node of the same store, its keys at the same places."""

    @property
    def settings(self) -> Path:
        return self.directory / "second.toml"


@dataclass
class Result:
    """`effects`: seconds from a command to its effect in all processes, by what changed."""

    layout: str
    filed: int = 0
    connections: int = 0
    stamped: int = 0
    failed: list[str] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)
    effects: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> Iterator[str]:
        """For people."""
        proven = f"each receipt proven, {self.stamped} with a time stamp"
        yield f"{self.layout}: {self.filed} filings over {self.connections} connections, {proven}"
        for what, seconds in self.effects.items():
            slowest, middle = max(seconds), sorted(seconds)[len(seconds) // 2]
            yield f"{self.layout}: {what:24} {len(seconds)} ×, in effect after {middle:.2f} s, at most {slowest:.2f} s"
        for fault in [*self.failed, *self.unverifiable][:20]:
            yield f"{self.layout}: {fault}"


@dataclass
class _Load:
    """What the senders share. `identity`: by which certificate they call now."""

    made: Installation
    doors: list[int]
    result: Result
    identity: Identity
    over: asyncio.Event = field(default_factory=asyncio.Event)
    using: dict[int, str] = field(default_factory=dict)
    receipts: list[tuple[str, bytes]] = field(default_factory=list)
    signers: list[x509.Certificate] = field(default_factory=list)

    def client(self, index: int) -> GatewayClient:
        url = f"https://localhost:{self.doors[index % len(self.doors)]}"
        return GatewayClient(
            Connection(url, self.identity.certificate, self.identity.key, self.made.pki.tls_ca)
        )

    async def send(self, index: int) -> None:
        """Even ones keep their connection while their certificate is the same, odd ones make one for each filing."""
        while not self.over.is_set():
            identity = self.identity
            self.using[index] = identity.name
            self.result.connections += 1
            async with self.client(index) as client:
                while not self.over.is_set() and identity is self.identity:
                    await self._file(client)
                    if index % 2:
                        break

    async def _file(self, client: GatewayClient) -> None:
        document = await asyncio.to_thread(signed, self.made.pki, "taxpayer-ec")
        try:
            reply = await client.submit(document)
            if reply.status != 201:
                self.result.failed.append(f"filing answered {reply.status}: {str(reply.body)[:300]}")
                return
            number = str(reply.body["number"])
            receipt = await client.part(number, "receipt")
            if receipt.status != 200:
                self.result.failed.append(f"receipt answered {receipt.status}")
                return
        except Unreachable as error:
            self.result.failed.append(f"unreachable: {error}")
            return
        self.result.filed += 1
        self.receipts.append((number, receipt.octets))

    async def all_use(self, identity: Identity) -> None:
        self.identity = identity
        while set(self.using.values()) != {identity.name}:
            await asyncio.sleep(0.01)

    def prove(self) -> None:
        """Every receipt and its time stamp, by all keys that were ever in use."""
        trust, policy = signing.TrustStore.load(self.made.pki.trust), signing.load_policy("tt15-2025")
        for number, octets in self.receipts:
            proof = prove_receipt(octets, signers=self.signers, trust=trust, policy=policy)
            if not proof.proven or proof.remarks:
                self.result.unverifiable.append(f"{number}: {proof.faults} {proof.remarks}")
            self.result.stamped += proof.stamped_at is not None


class _Admin:
    """Exchanges one thing after another."""

    def __init__(
        self,
        load: _Load,
        settings: Settings,
        store: Store,
        authority: Simulator,
        home: Path,
        stack: AsyncExitStack,
    ) -> None:
        self._load = load
        self._stack = stack
        self._settings = settings
        self._authority = authority
        self._register = Certificates(settings, store, clock)
        self._home = home
        self._count = itertools.count(1)

    async def round(self) -> None:
        """All that rotates, once."""
        for change in (
            self._door,
            self._notices,
            self._stamps,
            self._bodies,
            self._agency,
            self._provider,
            self._anchor,
            self._list,
        ):
            await change()

    def _new(self, authority: str, profile: str) -> Identity:
        count = next(self._count)
        folder = self._home / f"{authority}-{count}"
        return issued(self._load.made.pki, folder, authority, profile, days=(-1, 1500 + count))  # type: ignore[arg-type]

    async def _effect(self, what: str, act: Callable[[], Awaitable[object]]) -> None:
        began = time.monotonic()
        await act()
        done, processes = await self._register.effect(30)
        self._load.result.effects[what].append(time.monotonic() - began)
        faults = [fault for one in processes for fault in one.faults]
        if not done or faults or not processes:
            self._load.result.failed.append(f"{what}: not taken over: {faults}")

    async def _key(self, what: str, purpose: Purpose, identity: Identity, party: str = "") -> None:
        location = {"key": str(identity.key), "certificate": str(identity.chain)}
        entry = await self._register.add_key(purpose, location, LAN, party)
        await self._rehearsed(entry)
        await self._effect(what, lambda: self._register.activate(entry.id, LAN))

    async def _rehearsed(self, entry: Entry) -> None:
        tried = await self._register.rehearse(entry.id, LAN)
        if not tried.rehearsed:
            self._load.result.failed.append(f"{entry.id}: not green: {tried.rehearsal}")

    async def _door(self) -> None:
        await self._key("TLS certificate", Purpose.TLS, self._new("tls-ca", "server"))

    async def _notices(self) -> None:
        identity = self._new("gateway-ca", "signer")
        self._load.signers.append(identity.read_certificate())
        await self._key("receipt key", Purpose.NOTICES, identity)

    async def _stamps(self) -> None:
        """Another authority for time stamps: soon receipts bear its own, and are proven like the others in the end."""
        tsa = self._stack.enter_context(
            Authority(self._load.made.pki, self._home / f"tsa-{next(self._count)}").open()
        )
        entry = await self._register.add_tsa(tsa.url, LAN)
        await self._rehearsed(entry)
        await self._effect("time-stamp authority", lambda: self._register.activate(entry.id, LAN))
        async with asyncio.timeout(90):  # one that was too slow for a moment rests for a while
            while stamped_by(self._load.receipts[-1][1]) != tsa.certificate:
                await asyncio.sleep(0.05)

    async def _bodies(self) -> None:
        """Twice, so that from the first round on one is given up: all comes under the next, and its file is gone."""
        for _ in range(2):
            file = self._home / f"bodies-{next(self._count)}"
            write_new(file, os.urandom(32), mode=0o600)
            entry = await self._register.add_body_key(file.name, file, LAN)
            await self._rehearsed(entry)
            await self._effect("key of bodies", lambda id=entry.id: self._register.activate(id, LAN))  # type: ignore[misc]
            for old in await self._register.entries():
                if old.purpose is Purpose.BODIES and old.state is State.RETIRING:
                    await self._given_up(old)
        async with self._load.client(0) as client:
            for number, _ in self._load.receipts[:5]:
                reply = await client.part(number, "document")
                if reply.status != 200:
                    self._load.result.failed.append(f"document {number} answered {reply.status}")

    async def _given_up(self, old: Entry) -> None:
        """What was on its way to the store when the next key took over may come after the first time."""
        for last in (False, False, True):
            done = await Resealing(self._settings, self._register, clock).reseal(None, LAN)
            self._load.result.failed += done.failed
            try:
                await self._register.retire(old.id, LAN)
            except RegisterRefused:
                if last:
                    raise
            else:
                break
        Path(old.location["key"]).unlink()

    async def _agency(self) -> None:
        """From then on the authority is shown the new certificate alone, but for calls that were under way."""
        identity = self._new("client-ca", "client")
        await self._key("key towards the agency", Purpose.AGENCY_TLS, identity, "agency tax")
        new = fingerprint_of(identity.read_certificate())
        callers, end = self._authority.callers, time.monotonic() + 30
        while set(callers) != {new}:
            if time.monotonic() > end:
                self._load.result.failed.append(f"the agency was shown {dict(callers)}, not {new} alone")
                return
            callers.clear()
            before = self._load.result.filed
            while self._load.result.filed < before + 20:
                await asyncio.sleep(0.05)

    async def _provider(self) -> None:
        """Two certificates at once; then the old one is out on the next request of a connection that is open."""
        old, new = self._load.identity, self._new("client-ca", "client")
        (entry,) = await self._register.add_certificate(
            Purpose.CLIENT, new.certificate.read_bytes(), LAN, "provider beta"
        )
        await self._rehearsed(entry)
        await self._effect("provider's certificate", lambda: self._register.activate(entry.id, LAN))
        async with self._load.client(0) as kept:
            assert (await kept.status("none")).status == 404
            await self._load.all_use(new)
            print_ = x509.load_pem_x509_certificate(old.certificate.read_bytes())
            before = next(
                e for e in await self._register.entries()
                if e.octets == print_.public_bytes(Encoding.DER) and e.state is State.ACTIVE
            )  # fmt: skip
            began = time.monotonic()
            await self._register.revoke(before.id, LAN)
            reply = await kept.status("none")
            self._load.result.effects["revoked on next request"].append(time.monotonic() - began)
            if (reply.status, reply.body.get("reason")) != (403, "revoked"):
                self._load.result.failed.append(f"a revoked provider was answered {reply.status}")

    async def _anchor(self) -> None:
        """A stranger's authorities come and go: his filings are taken, then refused again."""
        pki = self._load.made.pki
        ids = []
        for name, purpose in (("stranger-root", Purpose.ANCHOR), ("stranger-sub-ca", Purpose.INTERMEDIATE)):
            pem = pki.authority(name).certificate.public_bytes(Encoding.PEM)
            (entry,) = await self._register.add_certificate(purpose, pem, LAN)
            await self._rehearsed(entry)
            await self._effect("anchor, intermediate", lambda id=entry.id: self._register.activate(id, LAN))  # type: ignore[misc]
            ids.append(entry.id)
        await self._stranger(trusted=True)
        for id in ids:
            await self._effect("anchor retired", lambda id=id: self._register.retire(id, LAN))  # type: ignore[misc]
        await self._stranger(trusted=False)

    async def _stranger(self, *, trusted: bool) -> None:
        """His status may be unknown, since no list of his authority is there: taken in provisionally."""
        async with self._load.client(0) as client:
            reply = await client.submit(signed(self._load.made.pki, "stranger"))
        if (reply.status in (201, 202)) is not trusted:
            self._load.result.failed.append(f"a stranger's filing: {reply.status}, trusted: {trusted}")

    async def _list(self) -> None:
        pki = self._load.made.pki
        made = pki.issue(somebody(next(self._count)), at=clock())
        pki.revoke_certificate(made.certificate, "public-sub-ca", clock())
        der = pki.crl("public-sub-ca").public_bytes(Encoding.DER)
        (entry,) = await self._register.add_certificate(Purpose.CRL, der, LAN)
        await self._rehearsed(entry)
        await self._effect("revocation list", lambda: self._register.activate(entry.id, LAN))


def stamped_by(receipt: bytes) -> x509.Certificate | None:
    """Whose time stamp it bears, as far as it says itself."""
    report = signing.verify_xml(receipt, policy="tt15-2025", trust=None, key="embedded")
    stamps = report.signatures[0].timestamps
    return stamps[0].certificate if stamps else None


def somebody(count: int) -> x509.Name:
    """Somebody whose certificate is revoked at once."""
    return certs_dev.subject(f"CÔNG TY {count}", place="Hà Nội")


async def rotate(seconds: float, *, nodes: int = 1) -> Result:
    """Rounds of all that rotates until the time is over, at least one; two nodes share a PostgreSQL."""
    result = Result("2 processes, SQLite" if nodes == 1 else f"{nodes} nodes × 2 processes, PostgreSQL")
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="efile-rotation-")))
        made = quick_installation(home / "house")
        installations = [made, *(_another(made) for _ in range(nodes - 1))]
        cluster = stack.enter_context(Cluster.made()) if nodes > 1 else None
        place = cluster.url if cluster else load_settings(made.settings).store
        config = simulator_config(made, Behaviour(verdict_delay_s=0.2), port=made.ports.agency)
        authority = await stack.enter_async_context(Simulator(config))
        for one in installations:
            gateway = stack.enter_context(Gateway(one, 2, store=place))
            await gateway.start()
            stack.push_async_callback(gateway.stop)
        store = await open_store(place, clock)
        stack.push_async_callback(store.close)
        load = _Load(made, [one.ports.door for one in installations], result, made.pki["provider-b"])
        load.signers.append(made.pki["notice"].read_certificate())
        admin = _Admin(load, load_settings(made.settings), store, authority, home, stack)
        while len(await store.taken_over()) < 2 * nodes:
            await asyncio.sleep(0.05)
        sending = [asyncio.create_task(load.send(index)) for index in range(SENDERS)]
        over = time.monotonic() + seconds
        await admin.round()
        while time.monotonic() < over:
            await admin.round()
        load.over.set()
        await asyncio.gather(*sending)
        twice = sorted(key for key, entry in authority.books.items() if entry.times > 1)
        result.failed += [f"filing {key} reached the agency more than once" for key in twice]
        count, broken = await store.broken_audit()
        if broken or not count:
            result.failed.append(f"the audit record is broken at {broken}")
        load.prove()
    return result


def _another(made: Installation) -> Installation:
    """A node more: the same files, other ports."""
    ports = Ports(free_port(), free_port(), made.ports.agency)
    node = _SecondNode(made.directory, made.pki, ports)
    text = made.settings.read_text("utf-8")
    for before, after in ((made.ports.door, ports.door), (made.ports.health, ports.health)):
        text = text.replace(f"port = {before}\n", f"port = {after}\n")
    node.settings.write_text(text, "utf-8")
    return node
