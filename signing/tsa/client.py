"""The client of a time-stamping authority (RFC 3161 clauses 2.4, 3.4)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from asn1crypto import tsp

from signing.asn1 import SEQUENCE, Asn1Refused, read_element
from signing.cms.attributes import read_signed_attributes
from signing.cms.signer import check_content, check_value, choose_certificate, key_of
from signing.cms.structure import TST_INFO, SignedData, read_signed_data
from signing.fetching import LOOPBACK, FetchFailed, FetchLimits, fetch, split_url
from signing.policy import Policy
from signing.report import CheckFailed, Indication, Outcome
from signing.timestamps import judge_timestamp, read_timestamp_info
from signing.trust import TrustStore

if TYPE_CHECKING:
    from aiohttp import ClientSession

MAX_RESPONSE_BYTES = 256 * 1024
_GRANTED = (0, 1)  # granted, grantedWithMods
_TRY_LATER = {408, 425, 429}


class TimestampRefused(Exception):
    """No time stamp could be had; the text names the authority and the fault."""


class TimestampUnavailable(TimestampRefused):
    """The authority could not be reached, or says that it is out of order: trying again later may help."""


class TimestampClient(Protocol):
    """Whoever gives time-stamp tokens. May be asked from several threads at once."""

    def stamp(self, imprint: bytes, hash_name: str) -> bytes:
        """A token (DER of its ContentInfo) over a digest by that hash (hashlib name). Raises TimestampRefused, and
        TimestampUnavailable, one of them, where none can be had now.
        """
        ...


def request_of(imprint: bytes, hash_name: str, nonce: int) -> bytes:
    """A TimeStampReq in DER that asks for the authority's certificate too."""
    algorithm = {"algorithm": hash_name.replace("sha3_", "sha3-")}
    request = tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {"hash_algorithm": algorithm, "hashed_message": imprint},
            "nonce": nonce,
            "cert_req": True,
        }
    )
    octets: bytes = request.dump()
    return octets


def token_of(response: bytes, imprint: bytes, hash_name: str, nonce: int) -> bytes:
    """The token of a TimeStampResp, after checking that it answers this request. Raises TimestampRefused."""
    try:
        parts = read_element(response).list(SEQUENCE, least=1, limit=2)
        status = parts[0].list(SEQUENCE, least=1)[0].integer()
        if status not in _GRANTED or len(parts) != 2:
            raise TimestampRefused(f"the authority granted none: status {status}")
        token = parts[1].encoded
        signed = read_signed_data(token, max_signers=1)
        info = read_timestamp_info(signed.content or b"")
        given = tsp.TSTInfo.load(signed.content or b"")["nonce"].native
    except (Asn1Refused, ValueError, TypeError, KeyError) as error:
        raise TimestampRefused(f"no time-stamp response: {str(error)[:200]}") from None
    if (
        signed.content_type != TST_INFO
        or (info.digest, info.imprint) != (hash_name, imprint)
        or given != nonce
    ):
        raise TimestampRefused("the token answers another request")
    if fault := _signature_fault(signed):
        raise TimestampRefused(f"the token is not signed by the certificate in it: {fault}")
    return token


def _signature_fault(signed: SignedData) -> str:
    """Whether to trust the authority is the verifier's to say; that it signed this very token is ours."""
    try:
        signer, content = signed.signers[0], signed.content or b""
        attributes = read_signed_attributes(signer)
        certificate, checks = choose_certificate(signer, attributes, signed.certificates)
        checks = [*checks, *check_content(signed, signer, attributes, content, "TSTInfo")]
        checks += check_value(signer, content, key_of(certificate))
    except CheckFailed as error:
        return error.check.message_en
    except (Asn1Refused, IndexError) as error:
        return str(error)[:200]
    bad = [check.message_en for check in checks if check.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]
    return bad[0] if bad else ""


@dataclass(frozen=True)
class HttpTimestampClient:
    """Asks one authority. `hosts`: the names that may be asked, besides this machine's own; no redirect is followed.

    The token is signed, so plain HTTP will do, as authorities offer it. Raises ValueError for another host.
    """

    url: str
    hosts: Collection[str] = ()
    seconds: float = 20.0

    def __post_init__(self) -> None:
        parts = split_url(self.url)
        if parts.hostname not in LOOPBACK and parts.hostname not in self.hosts:
            raise ValueError(f"{parts.hostname} is not among the hosts that may be asked for time stamps")

    def stamp(self, imprint: bytes, hash_name: str) -> bytes:
        """See TimestampClient.stamp. For a thread without an event loop."""
        return asyncio.run(self.ask(imprint, hash_name))

    async def ask(self, imprint: bytes, hash_name: str, session: ClientSession | None = None) -> bytes:
        """The same on an event loop; `session`: see `fetch`."""
        nonce = secrets.randbits(63)
        try:
            answer = await fetch(
                self.url,
                body=request_of(imprint, hash_name, nonce),
                headers={"Content-Type": "application/timestamp-query"},
                limits=FetchLimits(seconds=self.seconds, answer_bytes=MAX_RESPONSE_BYTES),
                session=session,
            )
        except FetchFailed as error:
            raise TimestampUnavailable(str(error)) from None
        if answer.status >= 500 or answer.status in _TRY_LATER:
            raise TimestampUnavailable(f"{self.url}: HTTP {answer.status}")
        if answer.status != 200 or answer.media_type != "application/timestamp-reply":
            raise TimestampRefused(f"{self.url}: HTTP {answer.status}, {answer.media_type[:80]}")
        return token_of(answer.body, imprint, hash_name, nonce)


def require_proof(token: bytes, octets: bytes, *, policy: Policy, trust: TrustStore, at: datetime) -> None:
    """That a token just given proves to everybody with this trust that the octets existed at about `at`.

    Raises TimestampRefused: a signature is better off without it.
    """
    report = judge_timestamp(token, octets, kind="signature", policy=policy, trust=trust, at=at)
    if report.indication is not Indication.PASSED or report.generated_at is None:
        bad = [c.message_en for c in report.checks if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]
        raise TimestampRefused(f"the token proves nothing: {' '.join(bad)}")
    if abs(report.generated_at - at) > policy.signing_time_tolerance:
        told, ours = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for time in (report.generated_at, at))
        raise TimestampRefused(f"the token says {told} UTC, our clock {ours}")
