"""efile demo: one signed VAT declaration, all the way, on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import click
from cryptography import x509

import schemas
import signing
from gateway.cli.output import print_findings
from gateway.client.http import Connection, GatewayClient, Reply, Unreachable
from gateway.client.receipts import prove_receipt
from gateway.development import Installation, Ports, install
from gateway.filing.status import WORDS, Status

_START_SECONDS = 30.0
_VERDICT_SECONDS = 60.0
_FINAL = ("accepted", "rejected", "refused")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("var/demo"))
def demo(directory: Path) -> None:
    """File one VAT declaration end to end: gateway, simulated tax authority, receipt, verdict, proof.

    Everything lies in DIRECTORY (default var/demo) afterwards; the servers listen on loopback and are stopped.
    """
    _say("Preparing", "a throw-away PKI, settings, an example declaration 01/GTGT")
    at = datetime.now(UTC)
    made = install(directory, at=at, ports=Ports(*_free_ports(3)))
    out = directory / "documents"
    out.mkdir(exist_ok=True)
    with _servers(made):
        asyncio.run(_file_one(made, out))
    _say("Stopped", f"all documents lie in {out}/, the gateway's store in {directory}/store/")


async def _file_one(made: Installation, out: Path) -> None:
    signed = _sign(made, out)
    alpha = made.pki["provider-a"]
    url = f"https://localhost:{made.ports.door}"
    connection = Connection(url, alpha.certificate, alpha.key, made.pki.tls_ca)
    async with GatewayClient(connection) as client:
        await _show_refusal(client, signed)
        key = str(uuid.uuid4())
        filed = await client.submit(signed, key)
        _show_filing(filed, f"The T-VAN files {len(signed):,} bytes over mutual TLS")
        number = str(filed.body["number"])
        receipt = (await client.part(number, "receipt")).octets
        again = await client.submit(signed, key)
        same = (await client.part(str(again.body["number"]), "receipt")).octets == receipt
        _require(again.status == 200 and same, "a repeat must give the original receipt")
        _say("The answer was lost? Sent again", f"HTTP {again.status}, the original receipt, byte for byte")
        status = await _await_verdict(client, number)
        verdict = (await client.part(number, "verdict")).octets
    (out / "receipt.xml").write_bytes(receipt)
    (out / "verdict.xml").write_bytes(verdict)
    _show_verdict(status, verdict)
    _prove(made, out)


def _sign(made: Installation, out: Path) -> bytes:
    """As it is in the field: the taxpayer signs in its own software, the T-VAN adds its signature beside."""
    document = made.example.read_bytes()
    (out / "declaration.xml").write_bytes(document)
    for who, profile in (("taxpayer", "xmldsig"), ("tvan", "xades-b")):
        identity = made.pki[who]
        key = signing.FileKey.from_pem(identity.key, identity.certificate)
        document = signing.sign_xml(
            document,
            key,
            profile="xmldsig" if profile == "xmldsig" else "xades-b",
            target_id="ID_1",
            place="CKyDTu",
            at=datetime.now(UTC),
        )
        _say(f"Signed by the {who} ({profile})", signing.signer_of(key.certificate).common_name or "")
    (out / "declaration.signed.xml").write_bytes(document)
    return document


async def _show_refusal(client: GatewayClient, signed: bytes) -> None:
    altered = signed.replace(b"<ct23>", b"<ct23>1", 1)
    reply = await client.check(altered)
    _require(reply.body.get("verdict") == "refused", "an altered declaration must be refused")
    _say("First a dry run with one digit added to [23]", f"HTTP {reply.status}, {reply.body['verdict']}:")
    print_findings([f for f in reply.body["findings"] if f["severity"] == "ERROR"][:2])


def _show_filing(reply: Reply, title: str) -> None:
    _require(reply.status == 201, f"the filing was not taken in: HTTP {reply.status} {reply.body}")
    body = reply.body
    _say(title, f"HTTP {reply.status}")
    _row("số giao dịch / filing number", body["number"])
    _row("thời điểm / recorded at", body["receivedAt"])
    _row("trạng thái / status", f"{body['status']}: {body['statusText']['vi']}")
    _row("SHA-256", body["digest"]["value"])


async def _await_verdict(client: GatewayClient, number: str) -> str:
    seen = ""
    deadline = time.monotonic() + _VERDICT_SECONDS
    while time.monotonic() < deadline:
        status = str((await client.status(number)).body["status"])
        if status != seen:
            vi, en = WORDS[Status(status)]
            _say(status, f"{vi} / {en}")
            seen = status
        if status in _FINAL:
            return status
        await asyncio.sleep(0.1)
    raise click.ClickException("no verdict came")


def _show_verdict(status: str, octets: bytes) -> None:
    notice = schemas.read_notice(octets)
    _row("mã hồ sơ tại cơ quan thuế / reference", notice.agency_reference or "–")
    for payable in notice.payables:
        _row("số tiền phải nộp / payable", f"{payable.amount:,} {payable.currency} ({payable.id})")
    for reason in notice.reasons:
        _row(reason.code, f"{reason.error} → {reason.remedy}")
    _require(status == "accepted", f"the simulated authority should accept, it says {status}")


def _prove(made: Installation, out: Path) -> None:
    for name in ("receipt", "verdict"):
        proof = prove_receipt(
            (out / f"{name}.xml").read_bytes(),
            signers=x509.load_pem_x509_certificates(made.pki["notice"].certificate.read_bytes()),
            trust=signing.TrustStore.load(made.pki.trust),
            policy=signing.load_policy("tt15-2025"),
            document=(out / "declaration.signed.xml").read_bytes(),
        )
        _require(proof.proven, f"the {name} does not prove: {proof.faults}")
        _say(f"Proven offline: {name}.xml", "signature, signer, path, revocation, digest of the filed bytes")


@contextlib.contextmanager
def _servers(made: Installation) -> Iterator[None]:
    """The simulated authority and the gateway, each a process of its own; stopped whatever happens."""
    commands = {
        "simulated tax authority": [sys.executable, "-m", "adapters.simulator", *made.simulator_command()],
        "gateway": [
            sys.executable,
            "-m",
            "gateway.cli",
            "serve",
            "--config",
            str(made.settings),
            "--processes",
            "1",
        ],
    }
    with contextlib.ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((made.directory / f"{name.split()[-1]}.log").open("wb"))
            stack.enter_context(_process(name, command, log.fileno()))
        asyncio.run(_await_ready(made.ports.health))
        _say("Started", f"gateway on :{made.ports.door}, simulated tax authority on :{made.ports.agency}")
        yield


@contextlib.contextmanager
def _process(name: str, command: Sequence[str], log: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own programs
    try:
        yield
        _require(process.poll() is None, f"the {name} ended by itself (code {process.returncode})")
    finally:
        process.terminate()
        try:
            code = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    _require(code == 0, f"the {name} did not stop cleanly (code {code})")


async def _await_ready(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise Unreachable("the gateway did not get ready; see the logs")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _say(what: str, detail: str) -> None:
    click.echo(f"{click.style('▸ ' + what, bold=True, fg='cyan')}  {detail}")


def _row(name: str, value: str) -> None:
    click.echo(f"    {name:38} {value}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise click.ClickException(otherwise)
