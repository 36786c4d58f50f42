"""Agencies on the document exchange: edXML over HTTPS (kind "edxml"). The messages are in `edxml_wire.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec

from adapters import edxml_wire as wire
from adapters.base import (
    MalformedCallback,
    Parcel,
    Pending,
    Progress,
    Reason,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config
from adapters.http import Answer, Http, HttpConfig, failure
from adapters.result_wire import read_result
from adapters.told import Short, Text, printable
from adapters.xml import NotOfTheForm, Schema, off_loop, parse

_JSON = "application/json"
_XML = {"application/xml", "text/xml"}
_TAKEN, _REPEATED, _FAILED = "0", "1", "-1"


class EdxmlConfig(HttpConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As HttpConfig; `sender` is the gateway and `receiver` the agency on the exchange.

    `receivers`: where a back-end serves several agencies of the gateway's directory, the organ of each by its
    identifier there. `refusal_codes`: the status codes by which an agency refuses a document for good;
    `progress_codes`: what others are among the statuses of the national portal.
    """

    sender: wire.Organ
    receiver: wire.Organ
    receivers: dict[str, wire.Organ] = msgspec.field(default_factory=dict)
    refusal_codes: tuple[Short, ...] = ("02",)
    progress_codes: dict[str, Annotated[int, msgspec.Meta(ge=1, le=10)]] = msgspec.field(
        default_factory=lambda: {"03": 2, "04": 4, "05": 4, "06": 9}
    )


class Taken(msgspec.Struct, frozen=True):
    """What the exchange answers in JSON. `ErrorCode` 0 taken in, 1 had it before, -1 not now; `Hash` is the SHA-256
    (hex) of the message as it arrived."""

    status: Short
    error_code: Short = msgspec.field(name="ErrorCode")
    error_desc: Text = msgspec.field(name="ErrorDesc", default="")
    doc_id: Short | None = msgspec.field(name="DocId", default=None)
    hash: Short = msgspec.field(name="Hash", default="")


class EdxmlAdapter:
    """Fulfils `adapters.base.Adapter`. Verdicts are asked for; an exchange may also bring the agency's message."""

    carries_papers = True

    def __init__(self, config: EdxmlConfig) -> None:
        """Reads the TLS files and the schema. Raises ConfigError."""
        self._config = config
        self._http = Http(config, {"Accept": f"application/xml, {_JSON}"})
        self._edocs = self._http.url / "edocs"
        self._results = Schema("ket-qua.xsd")

    @property
    def longest_call_s(self) -> float:
        return self._http.longest_call_s

    async def submit(self, parcel: Parcel) -> Submitted:
        sender = self._config.sender
        receiver = self._config.receivers.get(parcel.agency, self._config.receiver)
        message = await off_loop(parcel.size, lambda: wire.document(parcel, sender, receiver))
        headers = {
            "Content-Type": "application/xml; charset=utf-8",
            "Idempotency-Key": parcel.key,
            "from": sender.id,
            "to": receiver.id,
            "servicetype": "eDoc",
            "messagetype": "edoc",
        }
        answer = await self._http.exchange("POST", self._edocs, headers, message)
        told = _said(answer)
        if answer.status != HTTPStatus.OK:
            raise failure(answer, None if told is None else told.error_desc)
        if told is None:
            raise Unavailable("the agency's answer is not of the agreed form: no JSON of an exchange")
        if (told.status == "OK") != (told.error_code in {_TAKEN, _REPEATED}):
            raise Unavailable(
                "the agency's answer is not of the agreed form: status and ErrorCode contradict"
            )
        if told.status != "OK":
            words = f"the agency answered {printable(told.error_code, 20)} {printable(told.error_desc)}"
            raise Unavailable(words) if told.error_code == _FAILED else Rejected(words)
        if told.hash != hashlib.sha256(message).hexdigest():
            raise Unavailable("the agency's answer is about another document (digest differs)")
        return Submitted(told.doc_id, told.error_code == _REPEATED)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        url = self._edocs.with_query(organid=self._config.sender.id, codenumber=check_key(key))
        answer = await self._http.exchange("GET", url, {"messagetype": "status"}, None)
        if answer.status != HTTPStatus.OK:
            told = _said(answer)
            if answer.status == HTTPStatus.NOT_FOUND and told is not None:
                return Unknown()
            raise failure(answer, None if told is None else told.error_desc)
        if answer.media_type not in _XML:
            raise Unavailable("the agency's answer is not of the agreed form: its media type is not XML's")
        try:
            told_key, found = self._read(answer.body)
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if told_key != key:
            raise Unavailable("the agency's answer is about another key")
        return found

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:
        content_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if content_type.partition(";")[0].strip().lower() not in _XML:
            raise MalformedCallback("a callback is application/xml")
        if len(body) > self._config.max_answer_bytes:
            raise MalformedCallback(f"larger than {self._config.max_answer_bytes} bytes")
        try:
            key, found = self._read(body)
            check_key(key)
        except (NotOfTheForm, ValueError) as error:
            raise MalformedCallback(f"not a verdict: {printable(str(error))}") from error
        if isinstance(found, Pending):
            raise MalformedCallback("not a verdict: a status on the way")
        return key, found

    async def close(self) -> None:
        await self._http.close()

    def _read(self, octets: bytes) -> tuple[str, Pending | Verdict]:
        """The key that an agency's message answers, and what it says. Raises NotOfTheForm."""
        root = wire.read(octets)
        head = wire.read_head(root)
        if head.answers_organ != self._config.sender.id:
            raise NotOfTheForm("it answers somebody else's document")
        key = head.answers.partition("/")[0]
        status = wire.read_status(root)
        if status is not None:
            return key, self._of(status)
        results = [part for part in wire.read_parts(root, self._config.max_answer_bytes) if _decides(part)]
        if len(results) != 1:
            raise NotOfTheForm(f"not one attachment {wire.RESULT_FILE}")
        result = parse(results[0].octets)
        self._results.check(result)
        return key, read_result(result)

    def _of(self, status: wire.Status) -> Pending | Verdict:
        if status.code not in self._config.refusal_codes:
            known = self._config.progress_codes.get(status.code)
            words = printable(status.description, 4000)
            return Pending(progress=None if known is None else Progress(known, words))
        words = printable(status.description, 4000) or "Cơ quan từ chối nhận văn bản"
        reason = Reason(printable(status.code), "", words, "")
        return Verdict("rejected", None, status.at, reasons=(reason,))


def open_edxml(config: Mapping[str, Any]) -> EdxmlAdapter:
    """An edXML adapter from a table of settings (see EdxmlConfig). Raises ConfigError."""
    return EdxmlAdapter(read_config("edxml", config, EdxmlConfig))


def _decides(part: wire.Part) -> bool:
    return part.name == wire.RESULT_FILE


def _said(answer: Answer) -> Taken | None:
    """The exchange's JSON, None where the answer is none."""
    if answer.media_type != _JSON:
        return None
    try:
        return msgspec.json.decode(answer.body, type=Taken)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
