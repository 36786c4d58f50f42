"""What a process does with files that change beneath it, and with settings that are unfit for production."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import certs_dev
from gateway.app import running
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.jobs.refresh import Reloading
from gateway.production import require_fit_for_production
from gateway.settings import load_settings
from tests.documents import signed
from tests.house import House, free_port, house_at


class TestReloading:
    @staticmethod
    def read(directory: Path) -> str:
        return "".join(file.read_text() for file in sorted(directory.glob("*.txt")))

    def test_new_files_are_seen_and_bad_ones_change_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        value = Reloading(tmp_path, self.read)
        (tmp_path / "b.txt").write_text("two!")
        value.refresh()
        assert value() == "onetwo!"
        (tmp_path / "b.txt").write_bytes(b"\xff")
        value.refresh()
        assert value() == "onetwo!"

    def test_what_failed_is_tried_again_though_no_file_changed(self, tmp_path: Path) -> None:
        passing = [OSError("too many open files")]

        def make(directory: Path) -> str:
            if passing and (directory / "b.txt").exists():
                raise passing.pop()
            return self.read(directory)

        value = Reloading(tmp_path, make)
        (tmp_path / "b.txt").write_text("two")
        value.refresh()
        assert value() == ""
        value.refresh()
        assert value() == "two"

    def test_a_link_that_leads_nowhere_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        value = Reloading(tmp_path, self.read)
        (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
        (tmp_path / "b.txt").write_text("two")
        value.refresh()
        assert value() == "onetwo"


class TestProduction:
    def test_development_material_is_named_file_by_file(self, house: House) -> None:
        settings = load_settings(house.installation.settings)
        require_fit_for_production(settings)
        production = msgspec.structs.replace(settings, mode="production")
        readable = Path(production.agency[0].config["client_key"])
        readable.chmod(0o644)
        password = house.installation.directory / "client-key.password"
        password.write_text("geheim")
        password.chmod(0o640)
        secret = house.installation.directory / "client-secret"
        secret.write_text("geheim")
        secret.chmod(0o644)
        of_it = {
            "client_key_password_file": password,
            "password_file": password,
            "client_secret_file": secret,
        }
        production.agency[0].config.update({key: str(path) for key, path in of_it.items()})
        with pytest.raises(ConfigurationError) as refused:
            require_fit_for_production(production)
        readable.chmod(0o600)
        faults = "\n".join(refused.value.faults)
        lenient = msgspec.structs.replace(production.trust, policy="conformance")
        with pytest.raises(ConfigurationError, match="not for filings"):
            require_fit_for_production(msgspec.structs.replace(production, trust=lenient))
        assert "pki/trust/intermediates" in faults
        for file in (
            production.door.certificate,
            production.notices.certificate,
            production.agency[0].config["client_cert"],
            production.agency[0].config["ca_file"],
        ):
            assert f"{file}: a development certificate" in faults
        for file in (readable, password, secret):
            assert f"{file}: the key is readable by others" in faults
        assert f"{password}: not a readable certificate" not in faults

    @pytest.mark.parametrize(
        ("key", "weak"),
        [
            (rsa.generate_private_key(65537, 1024), True),
            (rsa.generate_private_key(65537, 2048), False),
            (ec.generate_private_key(ec.SECP192R1()), True),
            (ec.generate_private_key(ec.SECP256R1()), False),
        ],
        ids=["RSA 1024", "RSA 2048", "P-192", "P-256"],
    )
    def test_a_weak_key_of_ours_is_refused(
        self, house: House, tmp_path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, weak: bool
    ) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.example.vn")])
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, clock(), clock() + timedelta(days=9))
        file = tmp_path / "cert.pem"
        file.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
        settings = load_settings(house.installation.settings)
        door = msgspec.structs.replace(settings.door, certificate=file)
        with pytest.raises(ConfigurationError) as refused:
            require_fit_for_production(msgspec.structs.replace(settings, mode="production", door=door))
        assert any(fault.startswith(f"{file}: a weak key") for fault in refused.value.faults) is weak

    def test_what_an_agency_is_reached_by_lies_where_the_settings_say(self, house: House) -> None:
        file = house.installation.settings
        text = file.read_text(encoding="utf-8")
        places = ("password_file", "client_cert", "client_key", "out_folder")
        config = "\n".join(f'{key} = "agency/{key}"' for key in places)
        before = text.partition("[agency.config]")[0]
        plain = 'remote_out = "out"\nrouting_key = "filings"'
        file.write_text(f"{before}[agency.config]\n{config}\n{plain}\n", encoding="utf-8")
        there = file.resolve().parent / "agency"
        expected = {key: str(there / key) for key in places}
        expected |= {"remote_out": "out", "routing_key": "filings"}
        assert load_settings(file).agency[0].config == expected
        file.write_text(text, encoding="utf-8")

    def test_a_policy_file_lies_where_the_settings_say(self, house: House) -> None:
        file = house.installation.settings
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('policy = "tt15-2025"', 'policy = "mine.toml"'), encoding="utf-8")
        assert load_settings(file).trust.policy == str(file.resolve().parent / "mine.toml")
        file.write_text(text, encoding="utf-8")


class TestFitness:
    async def test_a_maintenance_window_that_nobody_can_read_does_not_start(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with house_at(tmp_path, pki_home) as house:
            settings = house.settings
        faulty = msgspec.structs.replace(settings.agency[0], maintenance=("some day",))
        with pytest.raises(ConfigurationError, match=r"'some day' is no maintenance window"):
            async with running(msgspec.structs.replace(settings, agency=(faulty,))):
                pass

    @pytest.mark.parametrize("who", ["expired", "taxpayer-revoked", "gateway-client", "agency-server"])
    async def test_notices_that_nobody_could_prove_are_not_begun(
        self, tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki, who: str
    ) -> None:
        names = [name for name in (who, who.removeprefix("taxpayer-")) if name in pki.names]
        identity = pki[names[0]]
        notices = {"key": identity.key, "certificate": identity.chain}
        with pytest.raises(ConfigurationError, match=r"\[notices\] certificate: "):
            async with house_at(tmp_path, pki_home, notices=notices):
                pass

    async def test_a_revocation_list_that_cannot_be_had_keeps_nobody_from_starting(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        later = timedelta(days=31)
        async with (
            house_at(tmp_path, pki_home, now=lambda: clock() + later) as house,
            house.client() as client,
        ):
            assert (await client._call("GET", "/readyz")).status == 200

    async def test_a_certificate_that_expires_meanwhile_is_told(self, tmp_path: Path, pki_home: Path) -> None:
        ahead = [timedelta()]
        async with (
            house_at(tmp_path, pki_home, now=lambda: clock() + ahead[0]) as house,
            house.client() as client,
        ):
            assert (await client._call("GET", "/readyz")).status == 200
            ahead[0] = timedelta(days=3700)
            answer = await client._call("GET", "/readyz")
            assert (answer.status, answer.body["checks"]["notices"]) == (503, "expired")

    async def test_a_worker_that_has_ended_is_told_and_ends_the_process(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its own fault, told before any line is logged."""

        async def broken() -> bool:
            raise OSError("no space left on device")

        async with house.client() as client:
            monkeypatch.setattr(house.gateway.worker, "_claim_some", broken)
            for _ in range(100):
                answer = await client._call("GET", "/readyz")
                if answer.status == 503:
                    break
                await asyncio.sleep(0.05)
        assert answer.body["checks"]["jobs"] == "delivery"

    async def test_a_certificate_taken_out_of_the_file_opens_no_door_after_a_restart(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with house_at(tmp_path, pki_home) as house, house.client() as client:
            assert (await client.submit(signed(house.pki))).status == 201
        beta = next(provider for provider in house.settings.provider if provider.id == "beta")
        for certificates, expected in (((), 403), (beta.certificates, 200)):
            provider = tuple(
                msgspec.structs.replace(one, certificates=certificates) if one is beta else one
                for one in house.settings.provider
            )
            settings = msgspec.structs.replace(house.settings, provider=provider)
            async with running(settings) as gateway:
                house.gateway = gateway
                async with house.client() as client:
                    answer = await client.submit(signed(house.pki))
                    assert answer.status in (expected, 201 if expected == 200 else expected), answer.body


class TestStopping:
    @pytest.mark.parametrize("turns", range(6))
    async def test_who_connects_while_it_stops_keeps_no_port(
        self, tmp_path: Path, pki_home: Path, turns: int
    ) -> None:
        """A connection accepted in the very turn of the stop held the door's port for a minute: what was started
        next found it in use and gave up."""
        async with house_at(tmp_path, pki_home) as house:
            door = msgspec.structs.replace(house.settings.door, port=free_port(), health_port=free_port())
            settings = msgspec.structs.replace(house.settings, door=door)
        with socket.socket() as late:
            async with asyncio.timeout(30), running(settings) as gateway:
                late.connect(("127.0.0.1", gateway.health_port))
                late.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                for _ in range(turns):
                    await asyncio.sleep(0)
        for port in (door.port, door.health_port):
            with socket.create_server(("127.0.0.1", port)) as next_one:
                assert next_one.getsockname()[1] == port
