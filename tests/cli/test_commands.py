"""`efile` as people and scripts run it: words, JSON, exit codes, files."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import aiohttp.test_utils
import aiohttp.web
import pytest

import certs_dev
import schemas
from gateway.store.seeds import Seed
from tests.cli.running import efile, efile_beside
from tests.documents import declaration, signed
from tests.house import House


@pytest.fixture
def unsigned(tmp_path: Path, pki: certs_dev.DevPki) -> Path:
    file = tmp_path / "declaration.xml"
    file.write_bytes(declaration(pki))
    return file


COMMANDS = (
    "check",
    "deadlines",
    "demo",
    "dev-pki",
    "incident",
    "queue",
    "receipt",
    "serve",
    "sign",
    "status",
    "submit",
    "verify",
    "verify-receipt",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_worth_reading(command: str) -> None:
    done = efile(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) >= 8


def test_the_list_of_commands_is_the_house() -> None:
    done = efile("--help")
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert "Exit codes" in done.stdout


class TestSign:
    @pytest.mark.parametrize("profile", ["xades-b", "xmldsig"])
    def test_pem_and_check(self, unsigned: Path, pki: certs_dev.DevPki, profile: str) -> None:
        out = unsigned.with_name("signed.xml")
        done = efile("sign", unsigned, "--key", pki["taxpayer"].key, "--profile", profile, "-o", out)
        assert done.returncode == 0, done.stderr
        checked = efile("check", out, "--trust", pki.trust)
        assert checked.returncode == 0, checked.stdout

    def test_pkcs12_with_a_password_file(self, unsigned: Path, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        password = tmp_path / "password"
        password.write_bytes(certs_dev.PKCS12_PASSWORD + b"\n")
        bundle = pki["taxpayer"].pkcs12
        done = efile("sign", unsigned, "--key", bundle, "--password-file", password, "--json")
        assert done.returncode == 0, done.stderr
        assert "5500123457" in json.loads(done.stdout)["signer"]
        assert efile("check", unsigned, "--trust", pki.trust).returncode == 0  # signed in place

    def test_what_cannot_be_signed_is_said(
        self, unsigned: Path, tmp_path: Path, pki: certs_dev.DevPki
    ) -> None:
        key = pki["taxpayer"].key
        broken = tmp_path / "broken.xml"
        broken.write_text("<a>")
        foreign = tmp_path / "foreign.xml"
        foreign.write_text("<a/>")
        wrong = ("--key", key, "--cert", pki["tvan"].certificate)
        for arguments in (
            (broken, "--key", key),
            (foreign, "--key", key),
            (unsigned, *wrong),
            (unsigned, "--key", pki["taxpayer"].pkcs12),
            (unsigned,),
        ):
            done = efile("sign", *arguments)
            assert done.returncode == 2
            assert done.stderr.strip()
            assert "Traceback" not in done.stderr
        assert unsigned.read_bytes() == declaration(pki)


class TestCheck:
    def test_all_faults_offline_as_words_and_as_json(self, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        file = tmp_path / "bad.xml"
        file.write_bytes(signed(pki, "expired", overrides={"ct36": "1", "ct40": "2"}))
        words = efile("check", file, "--trust", pki.trust)
        assert words.returncode == 1
        assert "[36]" in words.stdout
        assert "hết hạn" in words.stdout
        found = json.loads(efile("check", file, "--trust", pki.trust, "--json").stdout)
        codes = {finding["code"] for finding in found["findings"]}
        assert found["verdict"] == "refused"
        assert {"certificate.expired", "842.36", "842.40"} <= codes

    def test_at_a_time_when_the_certificate_was_good(self, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        file = tmp_path / "old.xml"
        file.write_bytes(signed(pki, "expired"))
        codes = {
            finding["code"]
            for finding in json.loads(
                efile(
                    "check", file, "--trust", pki.trust, "--at", "2026-08-01T10:00:00+07:00", "--json"
                ).stdout
            )["findings"]
        }
        assert "certificate.expired" not in codes

    @pytest.mark.parametrize(
        ("octets", "verdict"), [(b"", "unreadable"), (b"<a", "unreadable"), (b"<a/>", "unreadable")]
    )
    def test_what_is_no_document(
        self, tmp_path: Path, pki: certs_dev.DevPki, octets: bytes, verdict: str
    ) -> None:
        file = tmp_path / "x.xml"
        file.write_bytes(octets)
        done = efile("check", file, "--trust", pki.trust, "--json")
        assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "unreadable")

    def test_without_trust_nothing_is_trusted(self, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        file = tmp_path / "good.xml"
        file.write_bytes(signed(pki))
        done = efile("check", file, cwd=tmp_path)
        assert done.returncode == 1
        assert "--trust" in done.stdout

    def test_usage(self, tmp_path: Path) -> None:
        assert efile("check").returncode == 2
        assert efile("check", tmp_path / "absent").returncode == 2
        assert efile("nonsense").returncode == 2


class TestAgainstTheGateway:
    async def test_submit_status_receipt_verify(self, house: House, tmp_path: Path) -> None:
        document, receipt, verdict = tmp_path / "d.xml", tmp_path / "r.xml", tmp_path / "v.xml"
        document.write_bytes(signed(house.pki, "taxpayer", "tvan"))
        profile = ("--profile", house.installation.profile)
        submitted = await efile_beside("submit", document, *profile, "--receipt", receipt, "--json")
        assert submitted.returncode == 0, submitted.stderr
        number = json.loads(submitted.stdout)["number"]
        async with house.client("provider-a") as client:
            await house.follow(client, number)
        status = await efile_beside("status", number, *profile)
        assert status.returncode == 0
        assert "accepted" in status.stdout
        events = json.loads((await efile_beside("status", number, *profile, "--json")).stdout)["events"]
        assert events[-1]["event"] == "accepted"
        fetched = await efile_beside("receipt", number, *profile)
        assert fetched.stdout.encode() == receipt.read_bytes()
        assert (await efile_beside("receipt", number, *profile, "--verdict", "-o", verdict)).returncode == 0
        believe = ("--signer", house.pki["notice"].certificate, "--trust", house.pki.trust)
        for notice in (receipt, verdict):
            proven = efile("verify-receipt", notice, *believe, "--document", document)
            assert proven.returncode == 0, proven.stdout
            assert number in proven.stdout

    async def test_a_refused_document_exits_1_and_an_unknown_number_too(
        self, house: House, tmp_path: Path
    ) -> None:
        document = tmp_path / "d.xml"
        document.write_bytes(signed(house.pki, "taxpayer", "tvan").replace(b"<ct23>", b"<ct23>1"))
        profile = ("--profile", house.installation.profile)
        refused = await efile_beside("submit", document, *profile)
        assert refused.returncode == 1
        assert "bị sửa sau khi ký" in refused.stdout
        number = "SLA-20261124-000000000000-0"
        for command in ("status", "receipt"):
            for more in ((), ("--json",)):
                assert (await efile_beside(command, number, *profile, *more)).returncode == 1

    def test_nobody_there_exits_3_and_tells_the_key(self, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        document = tmp_path / "d.xml"
        document.write_bytes(signed(pki))
        alpha = pki["provider-a"]
        who = ("--server", "https://127.0.0.1:1", "--cert", alpha.certificate, "--client-key", alpha.key)
        done = efile("submit", document, *who, "--ca", pki.tls_ca, cwd=tmp_path)
        assert done.returncode == 3
        assert "--idempotency-key" in done.stderr
        assert efile("status", "X", *who, "--ca", pki.tls_ca, cwd=tmp_path).returncode == 3
        assert efile("status", "X", cwd=tmp_path).returncode == 2

    async def test_a_proxys_error_page_is_not_a_refusal(self, house: House, tmp_path: Path) -> None:
        async def answer(_: aiohttp.web.BaseRequest) -> aiohttp.web.Response:
            return aiohttp.web.Response(status=503, text="<h1>maintenance</h1>", content_type="text/html")

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(house.pki["agency-server"].chain, house.pki["agency-server"].key)
        alpha = house.pki["provider-a"]
        document = tmp_path / "d.xml"
        document.write_bytes(signed(house.pki))
        server = aiohttp.test_utils.RawTestServer(answer, scheme="https")
        await server.start_server(ssl=tls)
        who = ("--server", f"https://localhost:{server.port}", "--cert", alpha.certificate)
        who += ("--client-key", alpha.key, "--ca", house.pki.tls_ca)
        number = "SLA-20261124-000000000000-0"
        for arguments in (("submit", document), ("status", number), ("receipt", number)):
            done = await efile_beside(*arguments, *who)
            assert done.returncode == 3, (arguments, done.stdout)
            assert "503" in done.stderr
        await server.close()

    def test_a_store_that_cannot_be_read_exits_3(self, house: House) -> None:
        home = house.installation.directory
        (home / "broken.sqlite").write_bytes(b"no database" * 1000)
        text = house.installation.settings.read_text()
        (home / "broken.toml").write_text(text.replace("store/efile.sqlite", "broken.sqlite"))
        done = efile("queue", "list", "--config", home / "broken.toml")
        assert done.returncode == 3, done.stderr
        assert "broken.sqlite" in done.stderr


class TestQueue:
    async def test_look_and_replay(self, house: House, tmp_path: Path) -> None:
        await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": '["justice"]'})], "test")
        config = ("--config", house.installation.settings)
        async with house.client() as client:
            number = (await client.submit(signed(house.pki))).body["number"]
            await house.follow(client, number, until=("stuck",))
            listed = await efile_beside("queue", "list", "--stuck", *config)
            assert f"{number}  stuck" in listed.stdout
            assert "no back-end serves tax" in listed.stdout
            await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": '["tax"]'})], "test")
            replayed = await efile_beside("queue", "replay", number, "--why", "route mended", *config)
            assert replayed.returncode == 0, replayed.stdout + replayed.stderr
            assert (await house.follow(client, number))["status"] == "accepted"
        for unknown in (number, "SLA-20261124-000000000000-0"):
            assert (await efile_beside("queue", "replay", unknown, "--why", "x", *config)).returncode == 1
        assert json.loads((await efile_beside("queue", "list", *config, "--json")).stdout) == []

    async def test_hold_show_and_release(self, house: House) -> None:
        config = ("--config", house.installation.settings)
        held = await efile_beside(
            "queue", "hold", "--whole-agency", "tax", "--why", "they move house", *config
        )
        assert held.returncode == 0, held.stdout + held.stderr
        async with house.client() as client:
            number = (await client.submit(signed(house.pki))).body["number"]
            await house.follow(client, number, until=("delivering",))
            agencies = await efile_beside("queue", "agencies", *config)
            assert "held" in agencies.stdout
            assert "they move house" in agencies.stdout
            done = await efile_beside("queue", "hold", "--form", "842", "--why", "asked by them", *config)
            assert f"{number}: done" in done.stdout
            listed = await efile_beside("queue", "list", "--held", *config)
            assert f"{number}  delivering" in listed.stdout
            assert "held: asked by them" in listed.stdout
            await efile_beside("queue", "release", "--whole-agency", "tax", "--why", "they moved", *config)
            again = await efile_beside("queue", "release", "--whole-agency", "tax", "--why", "x", *config)
            assert again.returncode == 1
            assert house.simulator.books == {}, "the filing itself is held still"
            await efile_beside("queue", "release", number, "--why", "they agree", *config)
            assert (await house.follow(client, number))["status"] == "accepted"
        shown = json.loads((await efile_beside("queue", "show", number, *config, "--json")).stdout)
        assert shown["queue"] is None
        assert [e["event"] for e in shown["events"]][1:4] == ["routed", "held", "released"]
        assert shown["attempts"][0]["node"]
        assert f"{number}" in (await efile_beside("queue", "show", number, *config)).stdout
        assert (await efile_beside("queue", "show", "SLA-1", *config)).returncode == 1

    async def test_everything_is_never_meant_by_nothing(self, house: House) -> None:
        config = ("--config", house.installation.settings)
        for command in ("replay", "hold", "release"):
            assert (await efile_beside("queue", command, "--why", "x", *config)).returncode == 2
            both = await efile_beside("queue", command, "SLA-1", "--form", "842", "--why", "x", *config)
            assert both.returncode == 2
        assert (await efile_beside("queue", "list", "--older-than", "soon", *config)).returncode == 2


class TestVerifyReceipt:
    async def test_what_does_not_prove(self, house: House, tmp_path: Path) -> None:
        document = signed(house.pki)
        async with house.client() as client:
            number = (await client.submit(document)).body["number"]
            receipt = (await client.part(number, "receipt")).octets
        file, other = tmp_path / "r.xml", tmp_path / "other.xml"
        other.write_bytes(document + b" ")
        signer, trust = house.pki["notice"].certificate, house.pki.trust
        cases = {
            "a changed number": (
                receipt.replace(b">SLA-", b">SLB-", 1),
                signer,
                (),
            ),
            "a changed digest": (
                receipt.replace(b'thuatToan="SHA-256">', b'thuatToan="SHA-256">0', 1),
                signer,
                (),
            ),
            "another file": (receipt, signer, ("--document", other)),
            "another signer": (receipt, house.pki["taxpayer"].certificate, ()),
            "a taxpayer's own receipt": (_forged(house, receipt), signer, ()),
            "no signature": (receipt[: receipt.index(b"<CKyDTu>")] + b"<CKyDTu/></TBaoThueDTu>", signer, ()),
            "not a notice": (document, signer, ()),
            "not XML": (b"<a", signer, ()),
        }
        for name, (octets, believed, more) in cases.items():
            file.write_bytes(octets)
            done = efile("verify-receipt", file, "--signer", believed, "--trust", trust, *more, "--json")
            assert done.returncode == 1, name
            answer = json.loads(done.stdout)
            assert not answer["proven"]
            assert answer["faults"][0]["vi"], name
        file.write_bytes(receipt)
        assert efile("verify-receipt", file, "--signer", signer, "--trust", trust).returncode == 0


def _forged(house: House, receipt: bytes) -> bytes:
    """A receipt with a signature that holds and leads to the same root, by somebody who is not the gateway."""
    from tests.documents import sign

    bare = receipt[: receipt.index(b"<CKyDTu>")] + b"<CKyDTu/></TBaoThueDTu>"
    octets = sign(house.pki, bare, "taxpayer", target_id="_NODE_TO_SIGN")
    assert schemas.validate_notice(octets) == ()
    return octets


def test_dev_pki_twice_keeps_what_is_there(tmp_path: Path) -> None:
    first = efile("dev-pki", tmp_path / "dev", "--json")
    assert first.returncode == 0, first.stderr
    key = (tmp_path / "dev/pki/identities/taxpayer/key.pem").read_bytes()
    second = efile("dev-pki", tmp_path / "dev")
    assert second.returncode == 0
    assert (tmp_path / "dev/pki/identities/taxpayer/key.pem").read_bytes() == key
    for name in json.loads(first.stdout)["files"].values():
        assert Path(name).exists()


def test_the_demo_files_one_declaration_and_proves_it(tmp_path: Path) -> None:
    done = efile("demo", tmp_path / "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepted" in done.stdout
    assert done.stdout.count("Proven offline") == 2
    assert "\x1b[" not in done.stdout  # plain where no terminal is there
    assert (tmp_path / "demo/documents/receipt.xml").exists()
