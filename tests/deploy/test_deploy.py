"""The samples of deploy/ are read by the programs that they are for, and what they name exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from msgspec.structs import replace

from certs_dev import DevPki
from gateway import production
from gateway.cli.main import COMMANDS, efile
from gateway.settings import load_settings
from tests.docs.papers import ROOT, blocks
from tests.documents import signed
from tests.house import House, free_port
from tests.postgres import Cluster, require_postgres

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SYSTEMD = shutil.which("systemd-analyze")
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where, and what `efile` is told: in units, containers and pages."""
    for unit in UNITS:
        for line in re.findall(r"^Exec\w+=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
            yield unit.name, shlex.split(line)[1:]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        if service.get("image") == "efile":
            yield f"compose {name}", service["command"]
    yield "Containerfile", yaml.safe_load(said("Containerfile", "CMD"))
    for page in (DEPLOY / "README.md", ROOT / "docs" / "retention.md", ROOT / "docs" / "delivery.md"):
        text = page.read_text(encoding="utf-8")
        for line in (*re.findall(r"`efile ([^`]+)`", text), *re.findall(r"^efile (.+)$", text, re.MULTILINE)):
            yield page.name, shlex.split(line.split(" #")[0])


def said(file: str, key: str) -> str:
    found = re.search(rf"^{key} (.+)$", (DEPLOY / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def test_commands_and_options_that_are_named_exist() -> None:
    seen = 0
    for where, words in commands():
        group: click.Command = efile
        rest = [word for word in words if word not in ("…",)]
        while isinstance(group, click.Group) and rest and not rest[0].startswith("-"):
            found = group.get_command(click.Context(group), rest[0])
            if found is None:
                assert group is not efile, f"{where}: {words}"
                assert not re.fullmatch(r"[a-z-]+", rest[0]), f"{where}: {words}"
                break
            group, rest = found, rest[1:]
        options = {option for one in group.params for option in one.opts} | {"--help"}
        named = {word.partition("=")[0].strip("[]") for word in rest if word.startswith(("-", "[-"))}
        assert named <= options, f"{where}: {words}"
        seen += 1
    assert seen > 15
    assert "serve" in COMMANDS


@pytest.mark.skipif(SYSTEMD is None, reason="MISSING: systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_sound_and_give_up_what_they_do_not_need(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "/opt/efile/bin/efile" in text
    here = tmp_path / unit.name
    here.write_text(text.replace("/opt/efile/bin/efile", shutil.which("true") or ""), encoding="utf-8")
    done = subprocess.run([str(SYSTEMD), "verify", here], capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, about) == (0, []), done.stderr
    judged = [str(SYSTEMD), "security", "--offline=true", "--threshold=20", here]
    done = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nodes_drain_longer_than_the_gateway_itself() -> None:
    from gateway.cli.serve import _STOP_SECONDS

    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        if "serve" in text:
            assert "KillMode=mixed" in text
            assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) > _STOP_SECONDS  # type: ignore[index]
    assert f"stop_grace_period: {int(_STOP_SECONDS) + 30}s" in (DEPLOY / "compose.yaml").read_text()


def test_the_sample_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(DEPLOY / "efile.toml")
    assert settings.mode == "production"
    assert settings.door.key == DEPLOY / "keys_door.key"
    assert list(production._store_faults(settings.store)) == []


def test_a_credential_of_systemd_is_not_taken_for_a_key_that_others_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mode is 0440: the mask of an access list that lets the service read it."""
    key = tmp_path / "keys_door.key"
    key.write_bytes(b"key")
    key.chmod(0o440)
    settings = load_settings(DEPLOY / "efile.toml")
    settings = replace(settings, door=replace(settings.door, key=key))
    mend = f"{key}: the key is readable by others; chmod 600"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert mend in list(production._faults(settings))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert mend not in list(production._faults(settings))
    key.chmod(0o444)
    assert mend in list(production._faults(settings))


def test_the_image_holds_what_is_packaged() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.findall(r'"(\w+)\*"', project)
    assert packages
    for name in packages:
        assert f"\nCOPY {name} {name}\n" in text
    for copied in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())


def test_compose_names_only_what_it_has() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], name
    assert (DEPLOY / services["intake"]["build"]["context"] / "deploy/Containerfile").resolve().exists()
    for block in blocks((DEPLOY / "README.md").read_text(encoding="utf-8"), "sh"):
        for file in re.findall(r"deploy/[\w./*-]+[a-z]", block):
            assert list(ROOT.glob(file)), file


def _balancer(pki: DevPki, folder: Path, listens: int, *nodes: int) -> Path:
    """haproxy.cfg as it stands, but for places, ports and addresses."""
    identity = pki["provider-b"]
    check = folder / "check.pem"
    check.write_bytes(identity.certificate.read_bytes() + identity.key.read_bytes())
    text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    for old, new in (
        ("bind :443", f"bind 127.0.0.1:{listens}"),
        ("/etc/haproxy/efile-tls-ca.pem", str(pki.tls_ca)),
        ("/etc/haproxy/efile-check.pem", str(check)),
        ("verifyhost gateway.example", "verifyhost localhost"),
        ("inter 2s", "inter 100ms"),
        *((f"10.0.0.{11 + n}:8443", f"127.0.0.1:{port}") for n, port in enumerate(nodes)),
    ):
        assert old in text
        text = text.replace(old, new)
    config = folder / "haproxy.cfg"
    config.write_text(text, encoding="utf-8")
    return config


@pytest.mark.skipif(HAPROXY is None, reason="MISSING: haproxy (sh tests/tools.sh haproxy)")
async def test_filings_go_through_the_balancer_to_the_node_that_is_ready(
    house: House, tmp_path: Path
) -> None:
    listens = free_port()
    config = _balancer(house.pki, tmp_path, listens, free_port(), house.gateway.port, free_port())
    checked = subprocess.run([str(HAPROXY), "-c", "-f", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with (tmp_path / "log").open("wb") as log:
        balancer = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", str(HAPROXY), "-db", "-f", config], stdout=log, stderr=log
        )
    try:
        through = replace_url(house, f"https://localhost:{listens}")
        try:
            filed = await _submitted(through, signed(house.pki))
        except TimeoutError as error:
            raise AssertionError((tmp_path / "log").read_text()) from error
        assert filed == 201, (tmp_path / "log").read_text()

    finally:
        balancer.terminate()
        balancer.wait(10)


def replace_url(house: House, url: str):  # type: ignore[no-untyped-def]
    from dataclasses import replace as changed

    from gateway.client.http import GatewayClient

    return GatewayClient(changed(house.connection(), url=url))


async def _submitted(client, document: bytes) -> int:  # type: ignore[no-untyped-def]
    """As a T-VAN does: a connection that fails is tried again."""
    import asyncio

    from gateway.client.http import Unreachable

    async with client, asyncio.timeout(30):
        while True:
            try:
                return int((await client.submit(document, "k")).status)
            except Unreachable:
                await asyncio.sleep(0.1)


@pytest.mark.skipif(
    NGINX is None or not STREAM.exists(),
    reason="MISSING: nginx with its stream module (sh tests/tools.sh nginx)",
)
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    text = (DEPLOY / "nginx-stream.conf").read_text(encoding="utf-8")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\n"
        + text.replace("modules/ngx_stream", str(STREAM.parent) + "/ngx_stream"),
        encoding="utf-8",
    )
    done = subprocess.run([str(NGINX), "-t", "-c", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_postgresql_takes_its_file_and_waits_for_its_standby() -> None:
    require_postgres()
    lines = (DEPLOY / "postgresql.conf").read_text(encoding="utf-8").splitlines()
    options = [
        f"{name.strip()}={value.strip().strip(chr(39))}"
        for line in lines
        if not line.startswith("#")
        for name, _, value in [line.partition("=")]
    ]
    assert any(option.startswith("synchronous_standby_names=FIRST 1") for option in options)
    with Cluster.made(*options) as cluster:
        assert cluster.process is not None
        assert cluster.process.poll() is None
