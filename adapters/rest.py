"""Agencies that take filings as JSON over HTTPS (kind "rest"). The messages are in `rest_wire.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from adapters import rest_wire as wire
from adapters.base import (
    MalformedCallback,
    Parcel,
    Pending,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config
from adapters.http import Answer, Http, HttpConfig, failure
from adapters.told import printable, read_verdict

_TAKEN = {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
_JSON = {"application/json", "application/problem+json"}
_Message = TypeVar("_Message", bound=msgspec.Struct)


class RestConfig(HttpConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but the way there: see HttpConfig."""


class RestAdapter:
    """Fulfils `adapters.base.Adapter`."""

    carries_papers = True

    def __init__(self, config: RestConfig) -> None:
        """Reads the TLS files. Raises ConfigError."""
        self._config = config
        self._http = Http(config, {"Accept": "application/json"})
        self._filings = self._http.url / "filings"

    @property
    def longest_call_s(self) -> float:
        return self._http.longest_call_s

    async def submit(self, parcel: Parcel) -> Submitted:
        length, pieces = wire.pieces(parcel)
        body = _sent(pieces) if parcel.papers else b"".join(pieces)
        headers = {
            "Idempotency-Key": parcel.key,
            "Content-Type": "application/json",
            "Content-Length": str(length),
        }
        answer = await self._http.exchange("POST", self._filings, headers, body)
        _must_be_2xx(answer)
        if answer.status not in {*_TAKEN, HTTPStatus.OK}:
            raise Unavailable(f"the agency answered {answer.status}, which means nothing here")
        told = _decode(answer, wire.Acknowledgement)
        if told.key != parcel.key:
            raise Unavailable("the agency's answer is about another key")
        if told.digest != parcel.digest_hex:
            raise Unavailable("the agency's answer is about another document (digest differs)")
        verdict = read_verdict(told.verdict) if told.verdict else None
        return Submitted(told.reference, answer.status == HTTPStatus.OK, verdict)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        answer = await self._http.exchange("GET", self._filings / check_key(key), {}, None)
        # A 404 page of some proxy on the way must not be read as "never seen this key".
        if answer.status == HTTPStatus.NOT_FOUND and answer.media_type in _JSON:
            return Unknown()
        _must_be_2xx(answer)
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"the agency answered {answer.status}, which means nothing here")
        told = _decode(answer, wire.State)
        if told.key != key:
            raise Unavailable("the agency's answer is about another key")
        return Pending(told.reference) if told.verdict is None else read_verdict(told.verdict)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:
        media_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if media_type.partition(";")[0].strip().lower() != "application/json":
            raise MalformedCallback("a callback is application/json")
        if len(body) > self._config.max_answer_bytes:
            raise MalformedCallback(f"larger than {self._config.max_answer_bytes} bytes")
        try:
            told = msgspec.json.decode(body, type=wire.Callback)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedCallback(f"not a verdict: {printable(str(error))}") from error
        return told.key, read_verdict(told.verdict)

    async def close(self) -> None:
        await self._http.close()


def open_rest(config: Mapping[str, Any]) -> RestAdapter:
    """A REST adapter from a table of settings (see RestConfig). Raises ConfigError."""
    return RestAdapter(read_config("rest", config, RestConfig))


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """As fast as the agency reads."""
    for piece in pieces:
        yield piece


def _must_be_2xx(answer: Answer) -> None:
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise failure(answer, _said(answer))


def _decode(answer: Answer, form: type[_Message]) -> _Message:
    if answer.media_type not in _JSON:
        raise Unavailable("the agency's answer is not of the agreed form: its media type is not JSON's")
    try:
        return msgspec.json.decode(answer.body, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unavailable(
            f"the agency's answer is not of the agreed form: {printable(str(error))}"
        ) from error


def _said(answer: Answer) -> str | None:
    if answer.media_type not in _JSON:
        return None
    try:
        problem = msgspec.json.decode(answer.body, type=wire.Problem)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return problem.detail or problem.title
