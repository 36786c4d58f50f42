"""A gateway that serves takes over what the register says: no restart, nothing lost, and who is out is out at once."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

import certs_dev
import signing
from gateway import beside
from gateway.app import running
from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.client.receipts import prove_receipt
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.register.acts import Certificates
from gateway.register.entry import Purpose, State, active
from gateway.register.policy import OWN_POLICY
from gateway.register.reading import fingerprint_of
from gateway.rotation import Rotation
from gateway.store.opening import open_store
from gateway.store.register import Move
from gateway.store.taken_over import NOTHING_YET
from tests.admin.people import admin_house
from tests.documents import signed
from tests.house import House
from tests.register.changing import (
    LAN,
    SOON,
    changing_house,
    exchange,
    faults_of,
    issued,
    next_key,
    release,
    taken_over,
)


def client(house: House, certificate: Path, key: Path) -> GatewayClient:
    return GatewayClient(Connection(house.url, certificate, key, house.pki.tls_ca))


async def served(house: House, port: int | None = None) -> str:
    """The fingerprint of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port or house.gateway.port, ssl=house.connection().tls(), server_hostname="localhost"
    )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return fingerprint_of(x509.load_der_x509_certificate(shown))


async def filed(of: GatewayClient, house: House) -> bytes:
    """File something new; the receipt."""
    reply = await of.submit(signed(house.pki, "taxpayer-ec"))
    assert reply.status == 201, reply.body
    return (await of.part(reply.body["number"], "receipt")).octets


def proven(receipt: bytes, pki: certs_dev.DevPki, *signers: Path) -> bool:
    known = [x509.load_pem_x509_certificates(file.read_bytes())[0] for file in signers]
    trust = signing.TrustStore.load(pki.trust)
    policy = signing.load_policy("tt15-2025")
    return prove_receipt(receipt, signers=known, trust=trust, policy=policy).proven


class TestDoor:
    async def test_a_certificate_whose_file_hangs_holds_up_neither_who_files_nor_another_change(
        self, tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pipe stands in for a file on a network file system that is gone: opening it never ends."""
        monkeypatch.setattr(beside, "_SECONDS", 0.3)
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            before = await served(house)
            identity = issued(house.pki, tmp_path / "s", "tls-ca", "server")
            entry = await next_key(register, Purpose.TLS, identity)
            file, there, pipe = identity.chain, identity.chain.read_bytes(), tmp_path / "pipe"
            file.unlink()
            os.mkfifo(file)
            try:
                await register.activate(entry.id, LAN)
                assert await faults_of(register) == ("tls: its files cannot be read: they hang",)
                key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
                await register.activate((await next_key(register, Purpose.NOTICES, key)).id, LAN)
                assert await faults_of(register) == ("tls: its files cannot be read: they hang",)
                assert proven(await filed(of, house), house.pki, key.certificate)
                assert await served(house) == before
                file.rename(pipe)
                file.write_bytes(there)
            finally:
                release(pipe, file)
            async with asyncio.timeout(20):
                while await served(house) != entry.fingerprint:
                    await asyncio.sleep(0.05)

    async def test_new_connections_see_the_new_certificate_and_old_ones_live_out(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as old:
            await filed(old, house)
            before = await served(house)
            entry = await exchange(
                register, Purpose.TLS, issued(house.pki, tmp_path / "s", "tls-ca", "server")
            )
            assert await served(house) == entry.fingerprint != before
            await filed(old, house)
            async with house.client() as new:
                await filed(new, house)

    async def test_no_connection_is_refused_while_it_changes(self, tmp_path: Path, pki_home: Path) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            stop = False
            shown: list[str] = []

            async def call() -> None:
                while not stop:
                    shown.append(await served(house))

            callers = [asyncio.create_task(call()) for _ in range(4)]
            for name in ("one", "two", "three"):
                days = {"one": 1500, "two": 1600, "three": 1700}[name]
                server = issued(house.pki, tmp_path / name, "tls-ca", "server", days=(-1, days))
                await exchange(register, Purpose.TLS, server)
            stop = True
            await asyncio.gather(*callers)
            assert len(set(shown)) >= 3

    async def test_a_file_that_holds_another_certificate_by_then_changes_nothing_and_is_told(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            before = await served(house)
            server = issued(house.pki, tmp_path / "s", "tls-ca", "server")
            entry = await next_key(register, Purpose.TLS, server)
            server.chain.write_bytes(house.pki["agency-server"].chain.read_bytes())
            await register.activate(entry.id, LAN)
            done, (process,) = await register.effect(20)
            assert done
            assert "holds another certificate now" in process.faults[0]
            assert await served(house) == before

    async def test_the_administrators_door_changes_apart_from_the_machines(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with admin_house(tmp_path / "h", pki_home, **SOON) as house:
            register = Certificates(house.settings, house.gateway.store, clock)
            machines, before = await served(house), await served(house, house.gateway.admin_port)
            server = issued(house.pki, tmp_path / "s", "tls-ca", "server")
            entry = await exchange(register, Purpose.ADMIN_TLS, server)
            assert await served(house, house.gateway.admin_port) == entry.fingerprint != before
            assert await served(house) == machines

    async def test_a_policy_that_is_broken_meanwhile_keeps_nobody_from_revoking(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        policy = tmp_path / "policy.toml"
        policy.write_bytes(OWN_POLICY.read_bytes())
        register_settings = {"policy": policy, "poll_seconds": 0.05}
        async with changing_house(tmp_path / "h", pki_home, register=register_settings) as (house, _):
            policy.write_text("nonsense")
            register = Certificates(house.settings, house.gateway.store, clock)
            with pytest.raises(ConfigurationError):
                await register.revoke("tls", LAN)
            policy.write_bytes(OWN_POLICY.read_bytes())
            server = await next_key(
                register, Purpose.TLS, issued(house.pki, tmp_path / "s", "tls-ca", "server")
            )
            store, at = house.gateway.store, clock()
            policy.write_text("nonsense")
            move = Move(server.id, server.version, State.ACTIVE, "lan", at, "x")
            await store.move_entry(move)
            await taken_over(register)
            assert await served(house) == server.fingerprint


async def test_what_changes_at_one_moment_changes_in_the_stated_order(tmp_path: Path, pki_home: Path) -> None:
    """Trust before the doors, the doors before notices (docs/certificates.md), whatever was asked for first."""
    async with admin_house(tmp_path / "h", pki_home, **SOON) as house:
        register = Certificates(house.settings, house.gateway.store, clock)
        keys = ((Purpose.NOTICES, "gateway-ca", "signer"), (Purpose.ADMIN_TLS, "tls-ca", "server"),
                (Purpose.TLS, "tls-ca", "server"))  # fmt: skip
        coming = [
            await next_key(register, purpose, issued(house.pki, tmp_path / purpose.value, ca, profile))
            for purpose, ca, profile in keys
        ]
        root = house.pki.authority("stranger-root").certificate.public_bytes(Encoding.PEM)
        coming += await register.add_certificate(Purpose.ANCHOR, root, LAN)
        await register.rehearse(coming[-1].id, LAN)
        with capture_logs() as logs:
            at = clock() + timedelta(seconds=1)
            for entry in coming:
                await register.activate(entry.id, LAN, at=at)
            async with asyncio.timeout(20):
                while not any(one["event"] == "notices-renewed" for one in logs):
                    await asyncio.sleep(0.05)
            await taken_over(register)
        told = [
            one["event"] for one in logs if one["event"] in ("reloaded", "door-renewed", "notices-renewed")
        ]
        assert told[-6:] == ["reloaded"] * 3 + ["door-renewed"] * 2 + ["notices-renewed"]
        assert set(told[:-6]) <= {"reloaded"}, "as it was scheduled"
        signers, *callers = [one["directory"] for one in logs if one["event"] == "reloaded"][-3:]
        assert signers == str(house.settings.trust.directory)
        assert str(house.settings.trust.directory) not in callers


async def test_who_changes_something_waits_for_a_process_that_has_only_begun(
    tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()
    look = Rotation.look

    async def late(self: Rotation) -> None:
        await looked.wait()
        await look(self)

    monkeypatch.setattr(Rotation, "look", late)
    async with changing_house(tmp_path / "h", pki_home) as (house, register):
        done, (process,) = await register.effect(0.3)
        assert not done
        assert process.epoch == NOTHING_YET
        looked.set()
        await taken_over(register)
    store = await open_store(house.settings.store, clock)
    assert await store.taken_over() == [], "who ends in order is not waited for"
    await store.close()


class TestNotices:
    async def test_receipts_of_both_keys_are_proven_at_any_time(self, tmp_path: Path, pki_home: Path) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            first = await filed(of, house)
            key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
            entry = await exchange(register, Purpose.NOTICES, key)
            second = await filed(of, house)
            old = house.pki["notice"].certificate
            assert proven(first, house.pki, old)
            assert not proven(second, house.pki, old)
            assert proven(second, house.pki, key.certificate)
            assert proven(first, house.pki, old, key.certificate)
            assert proven(second, house.pki, old, key.certificate)
        async with running(replace_port(house)) as again:  # the settings file still names the first key
            entries = await again.store.entries()
            current = active(entries, Purpose.NOTICES)
            assert current is not None
            assert current.id == entry.id

    async def test_a_compromised_key_signs_nothing_more_even_where_the_next_one_fails(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
            await next_key(register, Purpose.NOTICES, key)
            hidden = key.key.rename(tmp_path / "hidden")
            current = active(await register.entries(), Purpose.NOTICES)
            assert current is not None
            await register.revoke(current.id, LAN)
            assert any(await faults_of(register))
            reply = await of.submit(signed(house.pki, "taxpayer-ec"))
            assert reply.status == 503
            hidden.rename(key.key)
            async with asyncio.timeout(20):
                while (reply := await of.submit(signed(house.pki, "taxpayer-ec"))).status == 503:
                    await asyncio.sleep(0.1)
            assert proven((await of.part(reply.body["number"], "receipt")).octets, house.pki, key.certificate)


class TestClients:
    async def test_a_provider_has_two_certificates_while_it_changes_and_the_old_one_is_out_on_its_next_request(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        second = issued(certs_dev.load(pki_home / "pki"), tmp_path / "c", "client-ca", "client")
        async with (
            changing_house(tmp_path / "h", pki_home) as (house, register),
            house.client() as old,
            client(house, second.certificate, second.key) as new,
        ):
            await filed(old, house)
            assert (await new.submit(signed(house.pki, "taxpayer-ec"))).body["reason"] == "not registered"
            (entry,) = await register.add_certificate(
                Purpose.CLIENT, second.certificate.read_bytes(), LAN, "provider beta"
            )
            tried = await register.rehearse(entry.id, LAN)
            assert tried.rehearsed, tried.rehearsal
            await register.activate(entry.id, LAN)
            await filed(old, house)
            await filed(new, house)
            print_ = fingerprint_of(house.pki["provider-b"].read_certificate())
            mine = next(e for e in await register.entries() if e.fingerprint == print_)
            await register.revoke(mine.id, LAN)
            reply = await old.submit(
                signed(house.pki, "taxpayer-ec")
            )  # the same kept-alive connection, at once
            assert (reply.status, reply.body["reason"]) == (403, "revoked")
            await filed(new, house)
            await register.suspend("beta", LAN)
            reply = await new.submit(signed(house.pki, "taxpayer-ec"))
            assert (reply.status, reply.body["reason"]) == (403, "suspended")

    async def test_an_authority_comes_and_goes_and_its_kept_connections_with_it(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            stranger, ca = house.pki["stranger-client"], house.pki.authority("stranger-client-ca").certificate
            with pytest.raises(Unreachable):
                async with client(house, stranger.certificate, stranger.key) as of:
                    await of.submit(signed(house.pki, "taxpayer-ec"))
            (authority,) = await register.add_certificate(
                Purpose.CLIENT_CA, ca.public_bytes(Encoding.PEM), LAN
            )
            await register.rehearse(authority.id, LAN)
            await register.activate(authority.id, LAN)
            await taken_over(register)
            (theirs,) = await register.add_certificate(
                Purpose.CLIENT, stranger.certificate.read_bytes(), LAN, "provider beta"
            )
            await register.rehearse(theirs.id, LAN)
            await register.activate(theirs.id, LAN)
            async with client(house, stranger.certificate, stranger.key) as of:
                await filed(of, house)
                await register.retire(authority.id, LAN)
                await taken_over(register)
                reply = await of.submit(signed(house.pki, "taxpayer-ec"))
                assert (reply.status, reply.body["reason"]) == (403, "authority not trusted")
            with pytest.raises(Unreachable):
                async with client(house, stranger.certificate, stranger.key) as of:
                    await of.submit(signed(house.pki, "taxpayer-ec"))

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_no_session_outlives_the_authority_that_it_was_made_under(
        self, tmp_path: Path, pki_home: Path, version: ssl.TLSVersion
    ) -> None:
        """TLS 1.2 keeps sessions by number: resumed, nobody would look at the certificate again."""
        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            other = house.pki.authority("stranger-client-ca").certificate.public_bytes(Encoding.PEM)
            (second,) = await register.add_certificate(Purpose.CLIENT_CA, other, LAN)
            await register.activate(second.id, LAN, force=True)
            await taken_over(register)
            context = house.connection().tls()
            context.maximum_version = version
            session = await asyncio.to_thread(_handshake, house, context, None)
            await register.distrust(house.pki.client_ca.read_bytes(), LAN)
            await taken_over(register)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.to_thread(_handshake, house, context, session)


def _handshake(
    house: House, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    import socket

    with (
        socket.create_connection(("127.0.0.1", house.gateway.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        if not tls.recv(4096):
            raise ConnectionError("closed without an answer")
        return tls.session


class TestTrust:
    async def test_an_anchor_comes_and_goes(self, tmp_path: Path, pki_home: Path) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            document = signed(house.pki, "stranger")
            assert (await of.submit(document)).status == 422
            for name, purpose in (
                ("stranger-root", Purpose.ANCHOR),
                ("stranger-sub-ca", Purpose.INTERMEDIATE),
            ):
                pem = house.pki.authority(name).certificate.public_bytes(Encoding.PEM)
                (entry,) = await register.add_certificate(purpose, pem, LAN)
                await register.rehearse(entry.id, LAN)
                await register.activate(entry.id, LAN)
                crl = house.pki.crl(name).public_bytes(Encoding.DER)
                (listed,) = await register.add_certificate(Purpose.CRL, crl, LAN)
                await register.rehearse(listed.id, LAN)
                await register.activate(listed.id, LAN)
            await taken_over(register)
            reply = await of.submit(signed(house.pki, "stranger"))
            assert reply.status == 201, reply.body
            root = next(e for e in await register.entries() if e.purpose is Purpose.ANCHOR)
            await register.retire(root.id, LAN)
            await taken_over(register)
            assert (await of.submit(signed(house.pki, "stranger"))).status == 422

    async def test_a_revocation_list_counts_for_signers_and_for_clients(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with changing_house(tmp_path / "h", pki_home) as (house, register), house.client() as of:
            elsewhere = certs_dev.make(
                tmp_path / "elsewhere", at=clock()
            )  # not this one's: an unknown issuer
            strange = elsewhere.crl("client-ca").public_bytes(Encoding.DER)
            (entry,) = await register.add_certificate(Purpose.CRL, strange, LAN)
            assert not (await register.rehearse(entry.id, LAN)).rehearsed
            await filed(of, house)
            folder = tmp_path / "kept"
            folder.mkdir()
            for name, authority in (("taxpayer-ec", "public-sub-ca"), ("provider-b", "client-ca")):
                files = [
                    f
                    for f in (house.pki.trust / "crls", house.pki.client_crl.parent)
                    for f in f.glob("*.crl*")
                ]
                kept = {file: file.read_bytes() for file in files}
                house.pki.revoke(name, clock())
                crl = house.pki.crl(authority).public_bytes(Encoding.DER)
                for file, octets in kept.items():  # the folders know nothing of it
                    file.write_bytes(octets)
                (entry,) = await register.add_certificate(Purpose.CRL, crl, LAN)
                assert (await register.rehearse(entry.id, LAN)).rehearsed
                await register.activate(entry.id, LAN)
                await taken_over(register)
                reply = await of.submit(signed(house.pki, "taxpayer-ec"))
                if name == "taxpayer-ec":
                    assert reply.status == 422
                else:
                    assert (reply.status, reply.body["reason"]) == (403, "revoked")

    async def test_what_all_depends_on_is_not_retired(self, tmp_path: Path, pki_home: Path) -> None:
        from gateway.register.entry import RegisterRefused

        async with changing_house(tmp_path / "h", pki_home) as (house, register):
            root = house.pki.authority("national-root").certificate.public_bytes(Encoding.PEM)
            with pytest.raises(RegisterRefused, match="Nothing would be trusted"):
                await register.distrust(root, LAN)
            with pytest.raises(RegisterRefused, match="No authority of client certificates is left"):
                await register.distrust(house.pki.client_ca.read_bytes(), LAN)
            assert {e.state for e in await register.entries() if e.purpose is Purpose.ANCHOR} <= {State.NEXT}


def replace_port(house: House):  # type: ignore[no-untyped-def]
    from msgspec.structs import replace as changed

    return changed(house.settings, door=changed(house.settings.door, port=0))
