"""Sessions and form tokens: a form counts only where this door gave it, to this certificate, in this browser.

No state is kept: the token is an HMAC over the session's identifier (a cookie) and the certificate's fingerprint, keyed
from the door's private key, which all processes and nodes of the door share.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.admin.call import Call
from gateway.errors import CrossSite

COOKIE = "__Host-efile-admin"
LANGUAGE_COOKIE = "__Host-efile-lang"
FIELD = "token"
_SESSION = re.compile(r"[0-9a-f]{32}")


class Sessions:
    """Of one door. `secret`: the door's private key file."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"efile console form token")
        self._key = derived.derive(secret)

    def session(self, call: Call) -> tuple[str, bool]:
        """The browser's session, and whether it is a new one, to be given as a cookie."""
        found = call.request.cookies.get(COOKIE, "")
        return (found, False) if _SESSION.fullmatch(found) else (secrets.token_hex(16), True)

    def token(self, session: str, fingerprint: str) -> str:
        """What a form bears."""
        return hmac.new(self._key, f"{session}.{fingerprint}".encode(), sha256).hexdigest()

    def require(self, call: Call, given: str) -> None:
        """Raises CrossSite where the form is not one that this door gave to this browser and certificate."""
        session, new = self.session(call)
        expected = self.token(session, call.fingerprint)
        if new or not hmac.compare_digest(expected.encode(), given.encode()):
            raise CrossSite


def give_cookie(response: web.StreamResponse, name: str, value: str) -> None:
    """For this host alone, over TLS alone, never sent with what another site asks for but a link to follow."""
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="Lax")
