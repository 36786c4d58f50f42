"""A ministry's permits: the National Single Window's envelope over SOAP (kind "permit"). Messages: `permit_wire.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lxml import etree

from adapters import permit_wire as wire
from adapters.base import (
    MalformedCallback,
    Parcel,
    Pending,
    Progress,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config
from adapters.result_wire import NAME as RESULT
from adapters.result_wire import read_result
from adapters.soap import Soap, SoapConfig, read_envelope, version_of
from adapters.told import printable
from adapters.xml import NotOfTheForm, Schema, add, new, off_loop, texts

NAMESPACE = "urn:efile:mot-cua-quoc-gia:1"
_UNKNOWN, _SYSTEM = "KHONG_THAY", "HE_THONG"
_TRUE = {"true", "1"}  # xsd:boolean


class PermitConfig(SoapConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As SoapConfig; `sender` is the gateway and `receiver` the ministry, in the single window's codes."""

    sender: wire.Party
    receiver: wire.Party


class PermitAdapter:
    """Fulfils `adapters.base.Adapter`. The ministry may bring its result by itself, in an envelope of its own."""

    carries_papers = True

    def __init__(self, config: PermitConfig) -> None:
        """Reads the TLS files and the schemas. Raises ConfigError."""
        self._config = config
        self._soap = Soap(config, f"{NAMESPACE}#", "permit.xsd")
        self._schema = Schema("permit-envelope.xsd")
        self._requests = Schema("permit.xsd")

    @property
    def longest_call_s(self) -> float:
        return self._soap.longest_call_s

    async def submit(self, parcel: Parcel) -> Submitted:
        subject = wire.Subject(
            parcel.form_code, wire.DOSSIER, wire.REQUEST, parcel.key, sent_at=wire.sent_at(parcel)
        )
        message = wire.message_id(parcel.key)
        payload = await off_loop(
            parcel.size, lambda: wire.write(message, self._parties, subject, wire.dossier(parcel))
        )
        content = await self._ask(message, parcel.key, payload)
        if content.tag != "BienNhan":
            raise Unavailable("the agency's answer is not of the agreed form: no BienNhan")
        said = texts(content)
        if said["bamSHA256"] != parcel.digest_hex:
            raise Unavailable("the agency's answer is about another document (digest differs)")
        result = content.find(RESULT)
        verdict = None if result is None else _verdict(result)
        return Submitted(said.get("soTiepNhan") or None, said["trung"] in _TRUE, verdict)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        subject = wire.Subject("", wire.QUESTION, wire.REQUEST, check_key(key))
        message = str(uuid4())
        payload = wire.write(message, self._parties, subject, etree.Element("CauHoi"))
        content = await self._ask(message, key, payload)
        if content.tag == "Loi":
            return Unknown()
        if content.tag == RESULT:
            return _verdict(content)
        if content.tag == "DangXuLy":
            said = texts(content)
            words = printable(said.get("noiDung", ""), 4000)
            progress = Progress(int(said["trangThai"]), words) if "trangThai" in said else None
            return Pending(said.get("soTiepNhan") or None, progress)
        raise Unavailable("the agency's answer is not of the agreed form: no answer to a question")

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:
        content_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if len(body) > self._config.max_answer_bytes:
            raise MalformedCallback(f"larger than {self._config.max_answer_bytes} bytes")
        try:
            request = read_envelope(content_type, body, version_of(content_type))
            self._requests.check(request)
            letter = wire.read(texts(request).get("requestPayload", ""), self._schema)
            key = check_key(letter.subject.reference)
            verdict = read_result(letter.content) if letter.content.tag == RESULT else None
        except (NotOfTheForm, ValueError) as error:
            raise MalformedCallback(f"not a verdict: {printable(str(error))}") from error
        if verdict is None or letter.subject.type != wire.RESULT:
            raise MalformedCallback("not a verdict: its type is not 3, or its content no KetQua")
        return key, verdict

    async def close(self) -> None:
        await self._soap.close()

    @property
    def _parties(self) -> tuple[wire.Party, wire.Party]:
        return self._config.sender, self._config.receiver

    async def _ask(self, message: str, key: str, payload: str) -> etree._Element:
        """The content of the answer to this very message about this key: a success, or Loi for no such dossier."""
        request = new(NAMESPACE, "receiveRequest")
        add(request, "requestPayload", payload)
        answer = await self._soap.call("receiveRequest", request)
        try:
            letter = wire.read(texts(answer)["responsePayload"], self._schema)
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if letter.subject.pre_reference != message:
            raise Unavailable("the agency's answer is to another message")
        if letter.subject.reference != key:
            raise Unavailable("the agency's answer is about another key")
        if (letter.subject.function == wire.ERROR) != (letter.content.tag == "Loi"):
            raise Unavailable(
                "the agency's answer is not of the agreed form: function 00 and Loi go together"
            )
        if letter.content.tag == "Loi":
            _raise_unless_unknown(texts(letter.content))
        return letter.content


def open_permit(config: Mapping[str, Any]) -> PermitAdapter:
    """A permit adapter from a table of settings (see PermitConfig). Raises ConfigError."""
    return PermitAdapter(read_config("permit", config, PermitConfig))


def _raise_unless_unknown(said: Mapping[str, str]) -> None:
    code = said["maLoi"]
    words = f"the agency answered an error: {code} {printable(said['moTaLoi'])}".rstrip()
    if code == _SYSTEM:
        raise Unavailable(words)
    if code != _UNKNOWN:
        raise Rejected(words)


def _verdict(result: etree._Element) -> Verdict:
    try:
        return read_result(result)
    except NotOfTheForm as error:
        raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
