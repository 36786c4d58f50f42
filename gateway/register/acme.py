"""A certificate for the door from an ACME server (RFC 8555), by the http-01 challenge (clause 8.3).

Blocking, for commands. What is made lies in one new folder: key.pem (mode 600), request.pem, chain.pem.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import requests
from acme import challenges, client, errors, messages, standalone
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from gateway.filing.findings import Text
from gateway.register.entry import RegisterRefused
from gateway.register.request import new_request, write_new

DEADLINE = timedelta(seconds=90)
"""How long an order may take."""
_TIMEOUT = 20


class AcmeUnavailable(Exception):
    """The server cannot be reached; the text says which. Nothing was ordered."""


@dataclass(frozen=True, slots=True)
class AcmeServer:
    """`directory`: its URL, https. `ca`: the only CA certificates (PEM) to trust for it; None: this machine's.

    `account`: file of our account's key, made where it is not there. `contact`: an e-mail address, may be empty.
    """

    directory: str
    account: Path
    ca: Path | None = None
    contact: str = ""


def certificate_by_acme(
    server: AcmeServer, hosts: list[str], folder: Path, *, listen: tuple[str, int] = ("", 80)
) -> tuple[Path, Path]:
    """Order a certificate for `hosts`, answer the challenges at `listen`; the files of its key and its chain.

    Raises RegisterRefused with what the server says, AcmeUnavailable, FileExistsError rather than overwrite, OSError
    where `listen` cannot be had.
    """
    if not server.directory.startswith("https://"):
        raise RegisterRefused(
            Text(
                f"Địa chỉ máy chủ ACME phải là https: {server.directory}",
                f"An ACME server's address must be https: {server.directory}",
            )
        )
    request = new_request(f"CN={hosts[0]}", hosts, folder)
    try:
        acme = _signed_in(server)
        chain = _ordered(acme, request.read_bytes(), listen)
    except (errors.Error, messages.Error) as error:
        said = _said(error)
        raise RegisterRefused(
            Text(f"Máy chủ ACME từ chối: {said}", f"The ACME server refuses: {said}")
        ) from None
    except requests.RequestException as error:
        raise AcmeUnavailable(f"{server.directory}: {error}") from None
    write_new(folder / "chain.pem", chain.encode("ascii"), mode=0o644)
    return folder / "key.pem", folder / "chain.pem"


def _signed_in(server: AcmeServer) -> client.ClientV2:
    """RFC 8555 clause 7.3: an account that exists is found by its key."""
    key = JWKEC(key=_account_key(server.account))
    verify = True if server.ca is None else str(server.ca)
    net = client.ClientNetwork(
        key,
        alg=ES256,
        verify_ssl=verify,  # type: ignore[arg-type]  # requests takes a file of CA certificates too
        user_agent="efile",
        timeout=_TIMEOUT,
    )
    acme = client.ClientV2(client.ClientV2.get_directory(server.directory, net), net)
    asked = messages.NewRegistration.from_data(email=server.contact or None, terms_of_service_agreed=True)
    try:
        acme.new_account(asked)
    except errors.ConflictError as known:
        found = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        acme.query_registration(found)
    return acme


def _account_key(file: Path) -> ec.EllipticCurvePrivateKey:
    if not file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(file, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RegisterRefused(Text(f"{file}: không phải khóa P-256", f"{file}: no P-256 key"))
    return key


def _ordered(acme: client.ClientV2, request: bytes, listen: tuple[str, int]) -> str:
    """RFC 8555 clause 7.4: order, challenges, certificate. PEM, the leaf first."""
    order = acme.new_order(request)
    answers, resources = [], set()
    for authorization in order.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue
        offered = [c for c in authorization.body.challenges if isinstance(c.chall, challenges.HTTP01)]
        if not offered:
            name = authorization.body.identifier.value
            raise errors.ClientError(f"no http-01 challenge is offered for {name}")
        response, validation = offered[0].response_and_validation(acme.net.key)
        resources.add(
            standalone.HTTP01RequestHandler.HTTP01Resource(
                chall=offered[0].chall, response=response, validation=validation
            )
        )
        answers.append((offered[0], response))
    with _answering(listen, resources):
        for challenge, response in answers:
            acme.answer_challenge(challenge, response)
        # the library compares with the machine's local time, without a zone
        finished = acme.poll_and_finalize(order, deadline=datetime.now() + DEADLINE)  # noqa: DTZ005
    return str(finished.fullchain_pem)


@contextlib.contextmanager
def _answering(
    listen: tuple[str, int], resources: set[standalone.HTTP01RequestHandler.HTTP01Resource]
) -> Iterator[None]:
    server = standalone.HTTP01Server(listen, resources)
    thread = threading.Thread(target=server.serve_forever, name="http-01")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _said(error: Exception) -> str:
    if isinstance(error, errors.ValidationError):
        problems = [
            f"{one.body.identifier.value}: {challenge.error.detail}"
            for one in error.failed_authzrs
            for challenge in one.body.challenges
            if challenge.error is not None
        ]
        return "; ".join(problems) or "validation failed"
    return str(error) or type(error).__name__
