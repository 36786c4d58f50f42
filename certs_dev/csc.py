"""A simulated remote signing service (Cloud Signature Consortium API v2) that holds development keys.

It stands here because this is where signers' keys are made; it shares no code with the client it is spoken to by.
`python -m certs_dev.csc var/dev/pki --port 8643` serves the identities of a development PKI on this machine alone.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import click
from aiohttp import BasicAuth, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from certs_dev.pki import load

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_RSA = ["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13", "1.2.840.113549.1.1.1"]
_ECDSA = ["1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"]
_METHODS = ["info", "credentials/list", "credentials/info", "credentials/authorize", "signatures/signHash"]


@dataclass
class Credential:
    """A key the service keeps. `secrets`: what `credentials/authorize` asks for, by id; empty: mode implicit."""

    key: PrivateKey
    chain: tuple[x509.Certificate, ...]
    secrets: dict[str, str] = field(default_factory=dict)
    status: str = "enabled"


@dataclass
class Behaviour:
    """May be set at any time. `failing`: "down" (503), "proxy" (a page of somebody on the way), "redirect",
    "endless" (an answer without an end), "forging" (another key's signature), "many" (one signature too much).
    """

    delay_seconds: float = 0.0
    sad_seconds: float = 300.0
    token_seconds: float = 3600.0
    failing: str = ""


class Refused(Exception):
    """The error document of the specification (clause 10.1)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.answer = web.json_response({"error": error, "error_description": description}, status=status)


class CscSimulator:
    """`async with CscSimulator({"id": Credential(…)}, token="…") as service:`; then `service.url`.

    `tokens`: those it takes, may be changed at any time. `clients`: secrets by name, for OAuth 2.0 client credentials
    at `token_url`; a token that it gives there is taken for `behaviour.token_seconds`.
    """

    def __init__(
        self,
        credentials: dict[str, Credential],
        *,
        token: str,
        port: int = 0,
        behaviour: Behaviour | None = None,
        clients: dict[str, str] | None = None,
    ) -> None:
        self.credentials = credentials
        self.behaviour = behaviour or Behaviour()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.url = ""
        self.token_url = ""
        self.tokens: dict[str, float] = {token: math.inf}
        self._clients = clients or {}
        self._port = port
        self._sads: dict[str, tuple[str, tuple[str, ...], float]] = {}

    async def __aenter__(self) -> CscSimulator:
        app = web.Application()
        app.router.add_post("/csc/v2/{method:.+}", self._answer)
        app.router.add_post("/oauth2/token", self._grant)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.url, self.token_url = f"{base}/csc/v2", f"{base}/oauth2/token"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.behaviour.delay_seconds)
        trouble = await self._trouble(request)
        if trouble is not None:
            return trouble
        method = request.match_info["method"]
        calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "info": lambda _: {"specs": "2.0.0.2", "name": "DEVELOPMENT ONLY", "methods": _METHODS},
            "credentials/list": lambda _: {"credentialIDs": list(self.credentials)},
            "credentials/info": self._info,
            "credentials/authorize": self._authorize,
            "signatures/signHash": self._sign,
        }
        try:
            body = dict(await request.json())
            self.requests.append((method, body))
            if method != "info":
                self._require_token(request)
            return web.json_response(calls[method](body))
        except Refused as error:
            return error.answer
        except (KeyError, TypeError, ValueError) as error:
            return Refused("invalid_request", f"{type(error).__name__}").answer

    async def _trouble(self, request: web.Request) -> web.StreamResponse | None:
        failing = self.behaviour.failing
        if failing == "down":
            return web.Response(status=503)
        if failing == "proxy":
            return web.Response(text="<html>signed in?</html>", content_type="text/html")
        if failing == "redirect":
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})
        if failing != "endless":
            return None
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b" " * 65_536)
        return response

    def _require_token(self, request: web.Request) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or time.monotonic() > self.tokens.get(token, -math.inf):
            raise Refused("invalid_token", "the access token is not valid", 401)

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        """OAuth 2.0 client credentials (RFC 6749 clause 4.4)."""
        trouble = await self._trouble(request)
        if trouble is not None:
            return trouble
        given = await request.post()
        self.requests.append(("oauth2/token", {name: str(value) for name, value in given.items()}))
        try:
            named = BasicAuth.decode(request.headers.get("Authorization", ""))
        except ValueError:
            return Refused("invalid_client", "who asks?", 401).answer
        name, secret = unquote_plus(named.login), unquote_plus(named.password)  # RFC 6749 clause 2.3.1
        expected = self._clients.get(name, "")
        if not expected or not hmac.compare_digest(secret.encode(), expected.encode()):
            return Refused("invalid_client", "the client is not known", 401).answer
        if given.get("grant_type") != "client_credentials":
            return Refused("unsupported_grant_type", "client_credentials alone").answer
        token = secrets.token_urlsafe(24)
        seconds = self.behaviour.token_seconds
        self.tokens[token] = time.monotonic() + seconds
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": int(seconds)})

    def _credential(self, body: dict[str, Any]) -> Credential:
        found = self.credentials.get(body["credentialID"])
        if found is None:
            raise Refused("invalid_request", "Invalid parameter credentialID")
        return found

    def _info(self, body: dict[str, Any]) -> dict[str, Any]:
        held = self._credential(body)
        asked = body.get("certificates", "single")
        chain = held.chain if asked == "chain" else held.chain[:1] if asked == "single" else ()
        objects = [{"type": "Password", "id": name, "format": "N"} for name in held.secrets]
        der = [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in chain]
        algorithms = _RSA if isinstance(held.key, rsa.RSAPrivateKey) else _ECDSA
        mode = "explicit" if held.secrets else "implicit"
        return {
            "key": {"status": held.status, "algo": algorithms},
            "cert": {"status": "valid", "certificates": der},
            "auth": {"mode": mode, **({"objects": objects} if objects else {})},
            "SCAL": "2",
            "multisign": 1,
        }

    def _authorize(self, body: dict[str, Any]) -> dict[str, Any]:
        held = self._credential(body)
        if int(body["numSignatures"]) != len(body["hashes"]):
            raise Refused("invalid_request", "numSignatures does not agree with hashes")
        given = {each["id"]: each["value"] for each in body.get("authData", [])}
        for name, value in held.secrets.items():
            if not hmac.compare_digest(given.get(name, "").encode(), value.encode()):
                raise Refused("invalid_request", f"Invalid parameter {name}")
        sad = secrets.token_urlsafe(24)
        until = time.monotonic() + self.behaviour.sad_seconds
        self._sads[sad] = (body["credentialID"], tuple(body["hashes"]), until)
        return {"SAD": sad, "expiresIn": int(self.behaviour.sad_seconds)}

    def _sign(self, body: dict[str, Any]) -> dict[str, Any]:
        held = self._credential(body)
        credential, authorised, until = self._sads.pop(body["SAD"], ("", (), 0.0))  # good for one use
        if credential != body["credentialID"] or time.monotonic() > until:
            raise Refused("invalid_request", "The SAD is invalid or expired")
        if tuple(body["hashes"]) != authorised:
            raise Refused("invalid_request", "Hash is not authorized by the SAD")
        algorithm = _HASHES[body["hashAlgorithmOID"]]
        if body["signAlgo"] not in (_RSA if isinstance(held.key, rsa.RSAPrivateKey) else _ECDSA):
            raise Refused("invalid_request", "Invalid parameter signAlgo")
        key = self._forger(held.key) if self.behaviour.failing == "forging" else held.key
        values = [_signed(key, base64.b64decode(each), algorithm) for each in body["hashes"]]
        values *= 2 if self.behaviour.failing == "many" else 1
        return {"signatures": [base64.b64encode(value).decode() for value in values]}

    @staticmethod
    def _forger(key: PrivateKey) -> PrivateKey:
        if isinstance(key, rsa.RSAPrivateKey):
            return rsa.generate_private_key(65537, key.key_size)
        return ec.generate_private_key(key.curve)


def _signed(key: PrivateKey, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    if len(digest) != algorithm.digest_size:
        raise Refused("invalid_request", "Invalid digest value length")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), Prehashed(algorithm))
    return key.sign(digest, ec.ECDSA(Prehashed(algorithm)))


def credentials_of(directory: Path, pins: dict[str, str]) -> dict[str, Credential]:
    """The signing identities of a development PKI by their names; `pins`: the PIN of each that has one."""
    pki = load(directory)
    found = {}
    for name in pki.names:
        identity = pki[name]
        key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
        if isinstance(key, PrivateKey):
            chain = tuple(x509.load_pem_x509_certificates(identity.certificate.read_bytes()))
            found[name] = Credential(key, chain, {"PIN": pins[name]} if name in pins else {})
    return found


async def _serve(directory: Path, port: int, token: str, pin: str) -> None:
    credentials = credentials_of(directory, {})
    for credential in credentials.values():
        credential.secrets = {"PIN": pin}
    async with CscSimulator(credentials, token=token, port=port) as service:
        click.echo(f"{service.url}: {', '.join(credentials)}  DEVELOPMENT ONLY", err=True)
        await asyncio.Event().wait()


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--port", default=8643, show_default=True, help="On 127.0.0.1, plain HTTP.")
@click.option(
    "--token", default="development-token", show_default=True, help="The OAuth bearer token it takes."
)
@click.option("--pin", default="123456", show_default=True, help="The PIN of every credential.")
def main(directory: Path, port: int, token: str, pin: str) -> None:
    """Serve the keys of the development PKI in DIRECTORY by the CSC API v2, on this machine alone."""
    asyncio.run(_serve(directory, port, token, pin))


if __name__ == "__main__":
    main()
