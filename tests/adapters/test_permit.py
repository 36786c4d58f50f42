"""The National Single Window's envelope: what stands in it, answers that lie, results that come by themselves."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import pytest
import zeep
from aiohttp import web
from lxml import etree

from adapters import (
    ConfigError,
    MalformedCallback,
    Pending,
    Progress,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    open_adapter,
)
from adapters import permit_wire as wire
from adapters.permit import NAMESPACE
from adapters.simulator import Behaviour, Refusal, Simulator
from adapters.soap import VERSIONS
from adapters.xml import SCHEMAS, Schema
from tests.adapters.families.permit import PARTIES
from tests.adapters.test_soap import K, result, soap, zeep_transport

SENT = "7a1d1c1e-0000-4000-8000-000000000000"
XML = {"Content-Type": "text/xml; charset=utf-8"}


def envelope(content, function="99", pre="{pre}", reference="f-1", kind="1", sign=""):
    party = (
        "<name>A</name><identity>A</identity><countryCode>VN</countryCode>"
        "<ministryCode/><organizationCode/><unitCode/>"
    )
    return (
        f"<Envelope><Header><Reference><version>1.0</version><messageId>{SENT}</messageId></Reference>"
        f"<From>{party}</From><To>{party}</To><Subject><documentType/><type>{kind}</type><function>{function}</function>"
        f"<reference>{reference}</reference><preReference>{pre}</preReference></Subject></Header>"
        f"<Body><Content>{content}</Content>{sign}</Body></Envelope>"
    )


def receipt(digest="{digest}", more=""):
    return f"<BienNhan><soTiepNhan>R1</soTiepNhan><trung>false</trung><bamSHA256>{digest}</bamSHA256>{more}</BienNhan>"


def error(code, words="Sai"):
    return f"<Loi><maLoi>{code}</maLoi><moTaLoi>{words}</moTaLoi></Loi>"


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def answered(payload):
    name = "receiveRequestResponse"
    return soap("1.1", f'<{name} xmlns="{NAMESPACE}"><responsePayload>{payload}</responsePayload></{name}>')


def payload_of(body):
    return etree.fromstring(etree.fromstring(body).findtext(f".//{{{NAMESPACE}}}requestPayload").encode())


@pytest.fixture
def asking(door, settings):
    """Calls `call(adapter)`; the ministry answers with `payload`, in which {pre} and {digest} are what was sent."""

    async def ask(payload, call):
        async def answer(request):
            sent = payload_of(await request.read())
            seen.append(sent)
            told = payload.replace("{pre}", sent.findtext(".//messageId"))
            told = told.replace("{digest}", sent.findtext(".//bamSHA256") or "")
            return web.Response(body=answered(escaped(told)), headers=XML)

        seen: list[etree._Element] = []
        async with door("agency-server", answer) as url:
            adapter = open_adapter("permit", settings(url, **PARTIES))
            try:
                return await call(adapter), seen
            finally:
                await adapter.close()

    return ask


async def test_the_envelope_is_as_public_code_has_it(asking, parcel):
    async def twice(adapter):
        return [await adapter.submit(parcel()) for _ in range(2)]

    sent, (first, again) = await asking(envelope(receipt()), twice)
    assert sent == [Submitted("R1", duplicate=False)] * 2
    assert etree.tostring(first) == etree.tostring(again), "every attempt is the same message"
    assert UUID(first.findtext("Header/Reference/messageId")).version == 5
    parties = {
        place: [child.text or "" for child in first.find(f"Header/{place}")] for place in ("From", "To")
    }
    assert parties == {
        "From": ["Cổng nộp hồ sơ", "H52", "VN", "", "H52", ""],
        "To": ["Bộ Xây dựng", "BXD", "VN", "BXD", "", "HDXD"],
    }
    subject = {child.tag: child.text for child in first.find("Header/Subject")}
    assert subject == {
        "documentType": "842",
        "type": "1",
        "function": "01",
        "reference": "f-1",
        "preReference": None,
        "sendDate": "2026-07-15T10:04:05+07:00",
    }
    assert base64.b64decode(first.findtext("Body/Content/HoSo/tep")) == parcel().document


async def test_another_key_is_another_message(asking, parcel):
    async def two(adapter):
        await adapter.submit(parcel(key="f-1"))
        with pytest.raises(Unavailable, match="another key"):
            await adapter.submit(parcel(key="f-2"))

    _, (first, second) = await asking(envelope(receipt()), two)
    assert first.findtext(".//messageId") != second.findtext(".//messageId")


LIES = {
    "to another message": (envelope(receipt(), pre=SENT), Unavailable, "another message"),
    "another key": (envelope(receipt(), reference="f-2"), Unavailable, "another key"),
    "another document": (envelope(receipt(digest="0" * 64)), Unavailable, "another document"),
    "success with an error in it": (envelope(error("X")), Unavailable, "go together"),
    "an error with a receipt in it": (envelope(receipt(), "00"), Unavailable, "go together"),
    "a function of their own": (envelope(receipt(), "77"), Unavailable, "agreed form"),
    "no receipt": (envelope("<DangXuLy/>"), Unavailable, "no BienNhan"),
    "no such dossier, although just sent": (
        envelope(error("KHONG_THAY"), "00"),
        Unavailable,
        "no BienNhan",
    ),
    "overloaded": (envelope(error("HE_THONG", "Quá tải"), "00"), Unavailable, "Quá tải"),
    "wrong for good": (envelope(error("SAI_MA_BAM", "Sai\nmã"), "00"), Rejected, "SAI_MA_BAM Sai mã"),
    "a verdict without a zone": (
        envelope(receipt(more=result("2026-07-16T09:00:00"))),
        Unavailable,
        "agreed form",
    ),
    "a DTD within": ("<!DOCTYPE a>" + envelope(receipt()), Unavailable, "DTD"),
    "no envelope": ("<a/>", Unavailable, "agreed form"),
    "no XML": ("OK", Unavailable, "not XML"),
    "two contents": (envelope(receipt() * 2), Unavailable, "agreed form"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_ministry_that_lies_or_refuses(asking, parcel, lie):
    payload, expected, words = LIES[lie]
    with pytest.raises(expected, match=words) as caught:
        await asking(payload, lambda a: a.submit(parcel()))
    assert caught.value.reason.isprintable()


async def test_signatures_may_stand_in_it(asking, parcel):
    signed = envelope(receipt(), sign='<Signature><S xmlns="urn:x">AA==</S></Signature>')
    sent, _ = await asking(signed, lambda a: a.submit(parcel()))
    assert sent.reference == "R1"


@pytest.mark.parametrize(
    ("content", "function", "expected"),
    [
        (error("KHONG_THAY"), "00", Unknown()),
        ("<DangXuLy><soTiepNhan>R1</soTiepNhan></DangXuLy>", "99", Pending("R1")),
        (receipt("0" * 64), "99", "no answer to a question"),
        (error("HE_THONG"), "00", "HE_THONG"),
    ],
)
async def test_what_has_become_of_it(asking, content, function, expected):
    payload = envelope(content, function, kind="2")
    if not isinstance(expected, str):
        found, _ = await asking(payload, lambda a: a.fetch("f-1"))
        assert found == expected
        return
    with pytest.raises(Unavailable, match=expected):
        await asking(payload, lambda a: a.fetch("f-1"))


async def test_a_ministry_tells_how_far_it_is(config, settings, parcel):
    told = Behaviour(verdict_delay_s=3600, stage=6, stage_words="Nộp phí thẩm định")
    async with Simulator(config(behaviour=told)) as simulator:
        adapter = open_adapter("permit", settings(simulator.url + "/permit", **PARTIES))
        sent = await adapter.submit(parcel())
        found = await adapter.fetch("f-1")
        await adapter.close()
    assert (found, found.progress) == (Pending(sent.reference), Progress(6, "Nộp phí thẩm định"))


async def test_a_result_comes_by_itself_and_is_the_one_that_is_asked_for(config, settings, parcel, callbacks):
    told = Behaviour(verdict_delay_s=0, answer_twice=True, refuse=Refusal("07", "Thiếu bản vẽ", "Nộp bản vẽ"))
    async with Simulator(config(callback=callbacks.url, behaviour=told)) as simulator:
        adapter = open_adapter("permit", settings(simulator.url + "/permit", **PARTIES))
        await adapter.submit(parcel())
        await callbacks.wait_for(2)
        read = [adapter.read_callback(body, headers) for body, headers, _ in callbacks.got]
        assert read == [("f-1", await adapter.fetch("f-1"))] * 2
        assert [reason.remedy for reason in read[0][1].reasons] == ["Nộp bản vẽ"]
        await adapter.close()


def pushed(payload, name="receiveRequest", field="requestPayload"):
    return soap("1.1", f'<{name} xmlns="{NAMESPACE}"><{field}>{payload}</{field}></{name}>')


DECIDED = envelope(result(), kind="3", pre="")
CALLBACKS = {
    "not a result": pushed(escaped(envelope("<CauHoi/>", kind="3", pre=""))),
    "a result as a dossier": pushed(escaped(envelope(result(), kind="1", pre=""))),
    "a hostile key": pushed(escaped(envelope(result(), kind="3", pre="", reference="../../etc"))),
    "an answer": pushed(escaped(DECIDED), "receiveRequestResponse", "responsePayload"),
    "a DTD within": pushed(escaped("<!DOCTYPE a>" + DECIDED)),
    "another schema": pushed(escaped(DECIDED.replace(K, "urn:x"))),
}


def test_a_pushed_result_is_read(settings):
    adapter = open_adapter("permit", settings("https://localhost", **PARTIES))
    key, verdict = adapter.read_callback(pushed(escaped(DECIDED)), XML)
    assert (key, verdict.outcome) == ("f-1", "accepted")


@pytest.mark.parametrize("case", CALLBACKS)
def test_a_pushed_result_that_is_none(settings, case):
    adapter = open_adapter("permit", settings("https://localhost", **PARTIES))
    with pytest.raises(MalformedCallback, match="not a verdict"):
        adapter.read_callback(CALLBACKS[case], XML)


def test_faults_within_the_parties_are_told_with_the_others(settings):
    parties = {"sender": {"nmae": "x", "identity": 7}, "receiver": "BXD"}
    with pytest.raises(ConfigError) as caught:
        open_adapter("permit", {**settings("http://agency.invalid", **parties), "soap_version": "2"})
    for words in (
        "sender.nmae",
        "sender.name is missing",
        "sender.identity",
        "receiver",
        "soap_version",
        "https",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_independent_client_reads_our_wsdl_and_agrees_with_our_ministry(
    config, pki, parcel, version
):
    sender, receiver = (wire.Party(**PARTIES[name]) for name in ("sender", "receiver"))
    subject = wire.Subject("842", wire.DOSSIER, wire.REQUEST, "f-1")
    payload = wire.write(wire.message_id("f-1"), (sender, receiver), subject, wire.dossier(parcel()))

    def hand_over(url):
        client = zeep.Client(str(SCHEMAS / "permit.wsdl"), transport=zeep_transport(pki))
        service = client.create_service(
            f"{{{NAMESPACE}}}ReceiverSoap{version.replace('.', '')}", url + "/permit"
        )
        return service.receiveRequest(payload)

    async with Simulator(config(behaviour=Behaviour(verdict_delay_s=0))) as simulator:
        answer = await asyncio.to_thread(hand_over, simulator.url)
        (entry,) = simulator.books.values()
    letter = wire.read(answer, Schema("permit-envelope.xsd"))
    assert letter.sender == receiver
    assert letter.content.findtext("soTiepNhan") == entry.reference
