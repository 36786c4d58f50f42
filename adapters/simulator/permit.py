"""The simulated ministry of the National Single Window, as `adapters/wsdl/permit.wsdl` and its envelope have it."""

from __future__ import annotations

import base64
from uuid import uuid4

from aiohttp import web
from lxml import etree

from adapters import permit_wire as wire
from adapters.permit import NAMESPACE
from adapters.result_wire import write_result
from adapters.simulator import soap
from adapters.simulator.authority import Authority, Failure, Fault, Handed, HandedPaper
from adapters.simulator.wire import Handler
from adapters.soap import VERSIONS
from adapters.told import Verdict
from adapters.xml import NotOfTheForm, Schema, add, encoded, new, texts

_CODES: dict[Fault, str] = {
    "malformed": "SAI_CAU_TRUC",
    "damaged": "SAI_MA_BAM",
    "conflict": "TRUNG_MA",
    "unknown": "KHONG_THAY",
}
_MINISTRY = wire.Party(name="Bộ mô phỏng", identity="MP", ministry_code="MP")


class PermitWire:
    """Fulfils `adapters.simulator.wire.Wire`. What is wrong with a dossier it says in an envelope; that it is
    overloaded, or cannot read the envelope, by a SOAP fault."""

    name = "permit"

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        requests, envelopes = Schema("permit.xsd"), Schema("permit-envelope.xsd")

        async def serve(request: web.Request) -> web.Response:
            asked = await soap.read(request)
            soap.check(requests, asked.message)
            try:
                letter = wire.read(texts(asked.message)["requestPayload"], envelopes, large=True)
            except NotOfTheForm as error:
                raise Failure("malformed", str(error)) from error
            try:
                content = await _answer(authority, letter)
            except Failure as failure:
                if failure.fault == "busy":
                    raise
                content = _error(failure)
            answer = new(NAMESPACE, "receiveRequestResponse")
            add(answer, "responsePayload", _reply(letter, content))
            return soap.answer(request, answer)

        return [("POST", "/permit", serve)]

    def failed(self, request: web.Request, failure: Failure) -> web.Response:
        return soap.fault(request, failure)

    def bomb(self, request: web.Request) -> web.Response:
        return soap.bomb(request)

    def callback(self, key: str, verdict: Verdict) -> tuple[bytes, str]:
        subject = wire.Subject("", wire.RESULT, wire.SUCCESS, key)
        gateway = wire.Party(name="Cổng", identity="CONG")
        message = new(NAMESPACE, "receiveRequest")
        payload = wire.write(str(uuid4()), (_MINISTRY, gateway), subject, write_result(verdict))
        add(message, "requestPayload", payload)
        version = VERSIONS["1.1"]
        envelope = etree.Element(version.name("Envelope"), nsmap={"soap": version.namespace})
        etree.SubElement(envelope, version.name("Body")).append(message)
        return encoded(envelope), version.media_type


async def _answer(authority: Authority, letter: wire.Letter) -> etree._Element:
    key = letter.subject.reference
    if letter.subject.type == wire.DOSSIER and letter.content.tag == "HoSo":
        if letter.message_id != wire.message_id(key):
            raise Failure("malformed", "Another message about this dossier")
        return await _take_in(authority, key, letter.content)
    if letter.subject.type == wire.QUESTION and letter.content.tag == "CauHoi":
        entry = authority.find(key)
        verdict = authority.decided(entry)
        if verdict is not None:
            return write_result(verdict)
        content = etree.Element("DangXuLy")
        add(content, "soTiepNhan", entry.reference)
        add(content, "trangThai", str(authority.behaviour.stage))
        add(content, "noiDung", authority.behaviour.stage_words)
        return content
    raise Failure("malformed", "Neither a dossier nor a question")


async def _take_in(authority: Authority, key: str, dossier: etree._Element) -> etree._Element:
    said, papers = texts(dossier), [texts(paper) for paper in dossier.findall("giayTo")]
    taken = await authority.take_in(
        Handed(
            wire=PermitWire.name,
            key=key,
            agency=said["coQuan"],
            number=said["soHSo"],
            digest=said["bamSHA256"],
            document=base64.b64decode(said["tep"]),
            papers=tuple(
                HandedPaper(paper["tenGiayTo"], paper["bamSHA256"], base64.b64decode(paper["tep"]))
                for paper in papers
            ),
        )
    )
    content = etree.Element("BienNhan")
    add(content, "soTiepNhan", taken.entry.reference)
    add(content, "trung", "false" if taken.fresh else "true")
    add(content, "bamSHA256", taken.entry.digest)
    if taken.verdict is not None:
        content.append(write_result(taken.verdict))
    return content


def _error(failure: Failure) -> etree._Element:
    content = etree.Element("Loi")
    add(content, "maLoi", _CODES[failure.fault])
    add(content, "moTaLoi", failure.words)
    return content


def _reply(letter: wire.Letter, content: etree._Element) -> str:
    asked = letter.subject
    function = wire.ERROR if content.tag == "Loi" else wire.SUCCESS
    subject = wire.Subject(asked.document_type, asked.type, function, asked.reference, letter.message_id)
    return wire.write(str(uuid4()), (letter.receiver, letter.sender), subject, content)
