"""Agencies behind a provincial bus (kind "bus"): REST with a token, a number, an upload. Messages: `bus_wire.py`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

import aiohttp
import msgspec

from adapters import bus_wire as wire
from adapters.base import (
    ConfigError,
    MalformedCallback,
    Parcel,
    Pending,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config, secret, secret_faults
from adapters.http import Answer, Http, HttpConfig, failure
from adapters.told import printable

_JSON = {"application/json", "application/problem+json"}
_Message = TypeVar("_Message", bound=msgspec.Struct)


class BusConfig(HttpConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The way to the bus (see HttpConfig), and who we are there.

    The secret of `client_id` is in the file `client_secret_file` or in the environment variable that
    `client_secret_env` names. `numbers`: whether the bus issues a number for each dossier, for the unit `unit_code`,
    or takes ours. `names`: our codes of forms and agencies in the bus's own (mã TTHC, mã đơn vị). `timeout_s` bounds
    each call as a whole, which is several exchanges.
    """

    client_id: Annotated[str, msgspec.Meta(min_length=1)]
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    unit_code: Annotated[str, msgspec.Meta(min_length=1, max_length=35)]
    numbers: Literal["bus", "ours"] = "bus"
    names: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the way there and with the secret."""
        return super().faults(values) + secret_faults({"client_secret": True}, values)


class BusAdapter:
    """Fulfils `adapters.base.Adapter`. The token is kept for as long as the bus takes it.

    The bus knows a filing by our key: it is asked before anything is sent, so that a filing whose answer was lost is
    neither sent nor numbered again; of two that are sent at once it keeps the first.
    """

    carries_papers = True

    def __init__(self, config: BusConfig) -> None:
        """Reads the TLS files and the secret. Raises ConfigError."""
        self._config = config
        self._http = Http(config, {"Accept": "application/json"})
        found = secret("client_secret", msgspec.structs.asdict(config))
        if found is None:
            raise ConfigError("bus adapter: client_secret_file or client_secret_env is missing")
        self._secret = found
        self._token: str | None = None
        self._renewing = asyncio.Lock()

    @property
    def longest_call_s(self) -> float:
        return self._config.timeout_s

    async def submit(self, parcel: Parcel) -> Submitted:
        async with self._in_time():
            known = await self._find(parcel.key)
            if known is not None:
                return _had_before(known, parcel)
            number = await self._number(parcel)
            stored = [await self._upload(file) for file in _files(parcel)]
            body = wire.dossier(parcel, number, stored, self._config.names)
            answer = await self._call("POST", "NoiHoSo", msgspec.json.encode(body), key=parcel.key)
            linked = _decode(answer, wire.Answer)
            if linked.error_code not in {wire.OK, wire.DUPLICATE}:
                raise Unavailable(f"the bus answered error_code {linked.error_code}")
            if linked.error_code == wire.DUPLICATE:
                known = await self._find(parcel.key)
                if known is None:
                    raise Unavailable("the bus says that it has the filing, and does not know it")
                return _had_before(known, parcel)
        return Submitted(linked.data.ma_ho_so, duplicate=False)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        async with self._in_time():
            found = await self._find(check_key(key))
        return Unknown() if found is None else _standing(found)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict | Pending]:
        media_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if media_type.partition(";")[0].strip().lower() != "application/json":
            raise MalformedCallback("a callback is application/json")
        if len(body) > self._config.max_answer_bytes:
            raise MalformedCallback(f"larger than {self._config.max_answer_bytes} bytes")
        try:
            (told,) = msgspec.json.decode(body, type=tuple[wire.Dossier, ...])
            return told.ma_giao_dich, wire.standing(told)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedCallback(f"not one CapNhatTrangThai: {printable(str(error))}") from error

    async def close(self) -> None:
        await self._http.close()

    async def _find(self, key: str) -> wire.Dossier | None:
        answer = await self._call("GET", "TraCuuHoSo", query={"maGiaoDich": key})
        # A 404 page of some proxy on the way must not be read as "never seen this key".
        if answer.status == HTTPStatus.NOT_FOUND and answer.media_type in _JSON:
            return None
        found = _decode(answer, wire.Found).data
        if found.ma_giao_dich != key:
            raise Unavailable("the agency's answer is about another key")
        return found

    async def _number(self, parcel: Parcel) -> str:
        if self._config.numbers == "ours":
            return parcel.dossier_code or parcel.filing_number
        answer = await self._call("GET", "GetNextValue", query={"code": self._config.unit_code})
        return _decode(answer, wire.NextValue).value

    async def _upload(self, file: _File) -> wire.StoredFile:
        answer = await self._call("POST", "UploadFile", file)
        (stored,) = _decode(answer, wire.Stored).data
        if stored.hash_tep_tin != file.digest_hex:
            raise Unavailable("the agency's answer is about another document (digest differs)")
        return stored

    async def _call(
        self,
        method: str,
        name: str,
        body: bytes | _File | None = None,
        *,
        query: Mapping[str, str] | None = None,
        key: str = "",
    ) -> Answer:
        """One call of the bus's; with a new token once, where it no longer takes the one that we have."""
        url = (self._http.url / name).with_query(query or {})
        token = self._token or await self._renewed(None)
        for last in (False, True):
            headers = {"Authorization": f"Bearer {token}"}
            if key:
                headers["Idempotency-Key"] = key
            sent = _multipart(body) if isinstance(body, _File) else body
            if isinstance(sent, bytes):
                headers["Content-Type"] = "application/json"
            answer = await self._http.exchange(method, url, headers, sent)
            if answer.status != HTTPStatus.UNAUTHORIZED or last:
                break
            token = await self._renewed(token)
        return answer

    async def _renewed(self, stale: str | None) -> str:
        """A token that is not `stale`; many calls that need one ask for it once."""
        async with self._renewing:
            if self._token is None or self._token == stale:
                self._token = None
                asked = {"client_id": self._config.client_id, "client_secret": self._secret.reveal()}
                answer = await self._http.exchange(
                    "POST",
                    self._http.url / "GetToken",
                    {"Content-Type": "application/json"},
                    msgspec.json.encode(asked),
                )
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    # What it answers about a secret is not repeated, and no fault of a filing.
                    busy = failure(answer, None)
                    raise Unavailable(
                        f"the bus gives us no token: it answered {answer.status}",
                        busy.retry_after if isinstance(busy, Unavailable) else None,
                    )
                self._token = _decode(answer, wire.Token).access_token
            return self._token

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                yield
        except TimeoutError as error:
            raise Unavailable("the agency did not answer in time") from error


def open_bus(config: Mapping[str, Any]) -> BusAdapter:
    """A bus adapter from a table of settings (see BusConfig). Raises ConfigError."""
    return BusAdapter(read_config("bus", config, BusConfig))


def _had_before(known: wire.Dossier, parcel: Parcel) -> Submitted:
    if known.hash_tep_tin is None:
        raise Unavailable("the agency's answer is not of the agreed form: no HashTepTin")
    if known.hash_tep_tin != parcel.digest_hex:
        raise Rejected("the bus has another document under this key")
    standing = _standing(known)
    verdict = standing if isinstance(standing, Verdict) else None
    return Submitted(known.ma_ho_so, duplicate=True, verdict=verdict)


def _standing(known: wire.Dossier) -> Pending | Verdict:
    try:
        return wire.standing(known)
    except wire.NotOfTheForm as error:
        words = printable(str(error))
        raise Unavailable(f"the agency's answer is not of the agreed form: {words}") from error


@dataclass(frozen=True, slots=True)
class _File:
    """What is uploaded in one go."""

    name: str
    media_type: str
    digest_hex: str
    content: bytes


def _files(parcel: Parcel) -> list[_File]:
    """The document, and its papers in their order."""
    document = _File(wire.file_name(parcel), parcel.media_type, parcel.digest_hex, parcel.document)
    papers = (_File(one.name, one.media_type, one.digest_hex, one.content) for one in parcel.papers)
    return [document, *papers]


def _multipart(file: _File) -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter("form-data")
    part = writer.append(io.BytesIO(file.content), {"Content-Type": file.media_type})
    part.set_content_disposition("form-data", name="files", filename=file.name)
    return writer


def _decode(answer: Answer, form: type[_Message]) -> _Message:
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise failure(answer, _said(answer))
    if answer.media_type not in _JSON:
        words = printable(answer.media_type) or "no media type"
        raise Unavailable(f"the agency's answer is not of the agreed form: {words} instead of JSON")
    try:
        return msgspec.json.decode(answer.body, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        words = printable(str(error))
        raise Unavailable(f"the agency's answer is not of the agreed form: {words}") from error


def _said(answer: Answer) -> str | None:
    if answer.media_type not in _JSON:
        return None
    try:
        return msgspec.json.decode(answer.body, type=wire.Problem).message
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
