"""The simulated tax authority over SOAP with MTOM, as `adapters/wsdl/tax.wsdl` has it."""

from __future__ import annotations

from aiohttp import web
from lxml import etree

from adapters import tax_wire as wire
from adapters.result_wire import write_result
from adapters.simulator import soap
from adapters.simulator.authority import Authority, Failure, Handed, HandedPaper
from adapters.simulator.wire import Handler
from adapters.told import Verdict
from adapters.xml import Schema, add, new, texts

_DOCUMENT, _PAPER, _FILE = (f"{{{wire.NAMESPACE}}}{name}" for name in ("hoSo", "giayTo", "tep"))


class TaxWire:
    """Fulfils `adapters.simulator.wire.Wire`."""

    name = "tax"

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        schema = Schema("tax.xsd")

        async def serve(request: web.Request) -> web.Response:
            asked = await soap.read(request)
            operation = etree.QName(asked.message).localname
            if operation == "NhanHSoThue":
                return soap.answer(request, await _take_in(authority, asked, schema))
            if operation == "TraKQuaGDich":
                soap.check(schema, asked.message)
                return soap.answer(request, _tell(authority, texts(asked.message)["maGDich"]))
            raise Failure("malformed", "No such operation")

        return [("POST", "/tax", serve)]

    def failed(self, request: web.Request, failure: Failure) -> web.Response:
        return soap.fault(request, failure)

    def bomb(self, request: web.Request) -> web.Response:
        return soap.bomb(request)

    def callback(self, _key: str, _verdict: Verdict) -> None:
        return None


async def _take_in(authority: Authority, asked: soap.Asked, schema: Schema) -> etree._Element:
    message = asked.message
    document, *contents = [_taken_out(asked, place) for place in message.iter(_DOCUMENT, _FILE)] or [b""]
    soap.check(schema, message)
    said = texts(message)
    papers = [texts(paper) for paper in message.findall(_PAPER)]
    taken = await authority.take_in(
        Handed(
            wire=TaxWire.name,
            key=said["maGDich"],
            agency=said["coQuan"],
            number=said["soHSo"],
            digest=said["bamSHA256"],
            document=document,
            papers=tuple(
                HandedPaper(paper["tenGiayTo"], paper["bamSHA256"], content)
                for paper, content in zip(papers, contents, strict=True)
            ),
        )
    )
    answer = new(wire.NAMESPACE, "NhanHSoThueResponse")
    add(answer, "maGDich", taken.entry.key)
    add(answer, "bamSHA256", taken.entry.digest)
    add(answer, "trung", "false" if taken.fresh else "true")
    add(answer, "soTiepNhan", taken.entry.reference)
    return _with(answer, taken.verdict)


def _taken_out(asked: soap.Asked, place: etree._Element) -> bytes:
    """The octets for which an element stands; what includes them goes, so that the schema can be asked."""
    octets = asked.octets(place)
    for included in list(place):
        place.remove(included)
    return octets


def _tell(authority: Authority, key: str) -> etree._Element:
    answer = new(wire.NAMESPACE, "TraKQuaGDichResponse")
    add(answer, "maGDich", key)
    try:
        entry = authority.find(key)
    except Failure:
        add(answer, "tinhTrang", "chuaNhan")
        return answer
    verdict = authority.decided(entry)
    add(answer, "tinhTrang", "daXuLy" if verdict else "dangXuLy")
    add(answer, "soTiepNhan", entry.reference)
    return _with(answer, verdict)


def _with(answer: etree._Element, verdict: Verdict | None) -> etree._Element:
    if verdict is not None:
        answer.append(write_result(verdict))
    return answer
