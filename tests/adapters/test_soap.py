"""SOAP 1.1 and 1.2 with MTOM: what exactly goes over the wire, agencies that lie, and another client's judgement."""

from __future__ import annotations

import asyncio
from email import message_from_bytes

import pytest
import zeep
from aiohttp import web
from lxml import etree

from adapters import ConfigError, Pending, Rejected, Submitted, Unavailable, Unknown, open_adapter
from adapters.simulator import Behaviour, Simulator
from adapters.simulator.soap import _BOMB
from adapters.soap import VERSIONS
from adapters.xml import SCHEMAS
from tests.adapters.families.over_https import SOAP_PASSWORD, SOAP_USER, named

T = "urn:efile:co-quan-thue:1"
K = "urn:efile:ket-qua:1"
both = pytest.mark.parametrize("version", VERSIONS)


def soap(version, content, namespace=None):
    namespace = namespace or VERSIONS[version].namespace
    return f'<s:Envelope xmlns:s="{namespace}"><s:Header/><s:Body>{content}</s:Body></s:Envelope>'.encode()


def taken(key="f-1", digest="{digest}", more=""):
    return (
        f'<NhanHSoThueResponse xmlns="{T}"><maGDich>{key}</maGDich><bamSHA256>{digest}</bamSHA256>'
        f"<trung>false</trung>{more}</NhanHSoThueResponse>"
    )


def state(tinh_trang, more="", key="f-1"):
    return (
        f'<TraKQuaGDichResponse xmlns="{T}"><maGDich>{key}</maGDich><tinhTrang>{tinh_trang}</tinhTrang>{more}'
        f"</TraKQuaGDichResponse>"
    )


def result(moment="2026-07-16T09:00:00+07:00", letter="Y", more=""):
    return f'<KetQua xmlns="{K}"><trangThai>{letter}</trangThai><thoiDiem>{moment}</thoiDiem>{more}</KetQua>'


def fault(version, code, sub="", words="Sai"):
    if version == "1.1":
        return f"<s:Fault><faultcode>{code}</faultcode><faultstring>{words}</faultstring></s:Fault>"
    subcode = f"<s:Subcode><s:Value>{sub}</s:Value></s:Subcode>" if sub else ""
    return (
        f"<s:Fault><s:Code><s:Value>{code}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="vi">{words}</s:Text></s:Reason></s:Fault>'
    )


def answering(version, octets, status=200, content_type=None, headers=None):
    async def answer(request):
        await request.read()
        kind = content_type or f"{VERSIONS[version].media_type}; charset=utf-8"
        return web.Response(status=status, body=octets, headers={"Content-Type": kind, **(headers or {})})

    return answer


@pytest.fixture
def asking(door, settings):
    """Calls `call(adapter)` of a tax adapter whose agency answers everything with `answer`."""

    async def ask(version, answer, call):
        async with door("agency-server", answer) as url:
            adapter = open_adapter("tax", settings(url + "/ws", soap_version=version))
            try:
                return await call(adapter)
            finally:
                await adapter.close()

    return ask


@both
async def test_a_filing_is_a_package_with_its_octets_as_they_are(asking, parcel, version):
    seen = []
    document = bytes(range(256)) * 10 + b"\r\n--\r\r\n"

    async def answer(request):
        seen.append((dict(request.headers), await request.read()))
        octets = soap(version, taken(digest=parcel(document=document).digest_hex))
        return web.Response(body=octets, headers={"Content-Type": VERSIONS[version].media_type})

    sent = await asking(version, answer, lambda a: a.submit(parcel(document=document)))
    assert sent == Submitted(None, duplicate=False)
    ((headers, body),) = seen
    kind = VERSIONS[version].media_type
    package = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
    message, beside = package.get_payload()
    assert int(headers["Content-Length"]) == len(body), "servers that cannot take chunks are many"
    told = {name: package.get_param(name) for name in ("type", "start", "start-info")}
    assert package.get_content_type() == "multipart/related"
    assert told == {"type": "application/xop+xml", "start": message["Content-ID"], "start-info": kind}
    assert (message.get_content_type(), message.get_param("type")) == ("application/xop+xml", kind)
    assert beside.get_content_type() == "application/xml"
    assert beside.get_payload(decode=True) == document
    action = f'"{T}#NhanHSoThue"'
    if version == "1.1":
        assert headers["SOAPAction"] == action
    else:
        assert "SOAPAction" not in headers
        assert f"action={action}" in headers["Content-Type"]
    root = etree.fromstring(message.get_payload(decode=True))
    (sending,) = root.find(f"{{{VERSIONS[version].namespace}}}Body")
    said = {etree.QName(child).localname: child.text for child in sending}
    href = sending.find(f"{{{T}}}hoSo")[0].get("href")
    assert href == f"cid:{beside['Content-ID'].strip('<>')}"
    assert {name: said[name] for name in ("maGDich", "soHSo", "mst", "maTKhai", "thoiDiemNhan")} == {
        "maGDich": "f-1",
        "soHSo": "EF-260715-000001-4",
        "mst": "5500123457",
        "maTKhai": "842",
        "thoiDiemNhan": "2026-07-15T10:04:05+07:00",
    }


@both
async def test_a_username_and_password_go_beside_our_certificate(config, settings, parcel, version, tmp_path):
    told = config(behaviour=Behaviour(verdict_delay_s=0), soap_passwords={SOAP_USER: SOAP_PASSWORD})
    right = {**named(tmp_path), "soap_version": version}
    wrong = tmp_path / "wrong.password"
    wrong.write_text("geheim")
    async with Simulator(told) as simulator:
        for more, error in (
            (right, None),
            ({**right, "username": "ai-do"}, Unavailable),
            ({**right, "password_file": str(wrong)}, Unavailable),
            ({"soap_version": version}, Unavailable),
        ):
            adapter = open_adapter("tax", settings(simulator.url + "/tax", **more))
            if error is None:
                assert not (await adapter.submit(parcel())).duplicate
            else:
                with pytest.raises(error, match="FailedAuthentication") as caught:
                    await adapter.submit(parcel())
                assert "geheim" not in str(caught.value)
            await adapter.close()


def test_a_username_and_its_password_go_together(settings, tmp_path):
    for more, words in (
        ({"username": "a"}, "password_file or password_env is missing"),
        ({"password_file": named(tmp_path)["password_file"]}, "a password without username"),
    ):
        with pytest.raises(ConfigError, match=words):
            open_adapter("tax", settings("https://localhost", **more))


FAULTS = {
    "Client": ("1.1", fault("1.1", "s:Client"), 500, Rejected),
    "Client, with another prefix": ("1.1", fault("1.1", "SOAP-ENV:Client"), 500, Rejected),
    "Client, said with 200": ("1.1", fault("1.1", "s:Client"), 200, Rejected),
    "Client, refined": ("1.1", fault("1.1", "s:Client.MaTKhai"), 500, Rejected),
    "Client, who is not known": ("1.1", fault("1.1", "s:Client.Authentication"), 500, Unavailable),
    "Client, forbidden": ("1.1", fault("1.1", "s:Client"), 403, Unavailable),
    "Server": ("1.1", fault("1.1", "s:Server"), 500, Unavailable),
    "a code of their own": ("1.1", fault("1.1", "x:HeThongBan"), 500, Unavailable),
    "no code": ("1.1", "<s:Fault/>", 500, Unavailable),
    "security token": ("1.1", fault("1.1", "wsse:FailedAuthentication"), 500, Unavailable),
    "VersionMismatch": ("1.1", fault("1.1", "s:VersionMismatch"), 500, Unavailable),
    "Sender": ("1.2", fault("1.2", "s:Sender"), 400, Rejected),
    "Sender, refined": ("1.2", fault("1.2", "s:Sender", "t:MaTKhai"), 400, Rejected),
    "Sender, not known": ("1.2", fault("1.2", "s:Sender", "wsse:FailedAuthentication"), 400, Unavailable),
    "Receiver": ("1.2", fault("1.2", "s:Receiver"), 500, Unavailable),
    "MustUnderstand": ("1.2", fault("1.2", "s:MustUnderstand"), 500, Unavailable),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_a_fault_is_for_good_only_where_it_blames_this_very_message(asking, parcel, case):
    version, content, status, error = FAULTS[case]
    answer = answering(version, soap(version, content), status, headers={"Retry-After": "7"})
    with pytest.raises(error, match="fault") as caught:
        await asking(version, answer, lambda a: a.submit(parcel()))
    assert getattr(caught.value, "retry_after", 7.0) == 7.0


async def test_a_long_fault_is_cut(asking, parcel):
    answer = answering("1.1", soap("1.1", fault("1.1", "s:Client", words="Kỳ&#10;sai" + "!" * 9999)), 500)
    with pytest.raises(Rejected, match="Kỳ sai!") as caught:
        await asking("1.1", answer, lambda a: a.submit(parcel()))
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


D = "0" * 64
LIES = {
    "another key": (soap("1.1", taken(key="f-2", digest=D)), "another key"),
    "another document": (soap("1.1", taken(digest=D)), "another document"),
    "no answer in the body": (soap("1.1", ""), "agreed form"),
    "two answers": (soap("1.1", taken(digest=D) * 2), "agreed form"),
    "the answer to another question": (soap("1.1", state("chuaNhan")), "not NhanHSoThueResponse"),
    "a field more": (soap("1.1", taken(digest=D, more=f'<x xmlns="{T}"/>')), "agreed form"),
    "a digest that is none": (soap("1.1", taken(digest="abc")), "agreed form"),
    "a verdict without a zone": (
        soap("1.1", taken(digest=D, more=result("2026-07-16T09:00:00"))),
        "agreed form",
    ),
    "a verdict on no day": (
        soap("1.1", taken(digest=D, more=result("2026-02-30T09:00:00Z"))),
        "agreed form",
    ),
    "a verdict of another letter": (soap("1.1", taken(digest=D, more=result(letter="OK"))), "agreed form"),
    "SOAP 1.2 under the media type of 1.1": (
        soap("1.1", taken(digest=D), VERSIONS["1.2"].namespace),
        "agreed form",
    ),
    "no envelope": (taken(digest=D).encode(), "agreed form"),
    "a DTD": (b"<!DOCTYPE a>" + soap("1.1", taken(digest=D)), "DTD"),
    "entities within entities": (_BOMB.replace("{}", VERSIONS["1.1"].namespace).encode(), "DTD"),
    "a DTD in UTF-16": (
        b'<?xml version="1.0" encoding="UTF-16"?>'.decode().encode("utf-16")
        + "<!DOCTYPE a>".encode("utf-16-le"),
        "not UTF-8",
    ),
    "a DTD hidden by UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        "not XML",
    ),
    "ten thousand levels": (b"<a>" * 10_000, "not XML"),
    "nothing": (b"", "not XML"),
    "not UTF-8": (soap("1.1", taken(digest=D, more="\xff")).replace(b"\xc3\xbf", b"\xff"), "not UTF-8"),
    "too large": (soap("1.1", taken(digest=D)) + b" " * (1 << 20), "larger than"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_agency_that_lies(asking, parcel, lie):
    octets, words = LIES[lie]
    with pytest.raises(Unavailable, match=words) as caught:
        await asking("1.1", answering("1.1", octets), lambda a: a.submit(parcel()))
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


@pytest.mark.parametrize("status", [201, 202, 204, 307, 400, 401, 404, 413, 429, 500, 503])
async def test_a_status_without_a_message_of_the_form_is_never_for_good(asking, parcel, status):
    body = b"" if status == 204 else b"<html/>"
    headers = {"Location": "https://127.0.0.1:1/"} if status == 307 else {}
    answer = answering("1.1", body, status, "text/html", headers)
    with pytest.raises(Unavailable):
        await asking("1.1", answer, lambda a: a.submit(parcel()))


PAYABLE = "<maDinhDanh>{id}</maDinhDanh><soTienPNop>{amount}</soTienPNop><maTienTe>VND</maTienTe>"


def payable(**values):
    row = PAYABLE.format(**{"id": "1", "amount": "5", **values})
    return result(more=f"<IDKhoanNop><CTietIDKhoanNop>{row}</CTietIDKhoanNop></IDKhoanNop>")


STATES = {
    "never seen": (state("chuaNhan"), Unknown()),
    "pending": (state("dangXuLy", "<soTiepNhan>R1</soTiepNhan>"), Pending("R1")),
    "of another key": (state("chuaNhan", key="f-2"), "another key"),
    "decided without a verdict": (state("daXuLy"), "exactly where"),
    "a verdict although pending": (state("dangXuLy", result()), "exactly where"),
    "of another word": (state("mat"), "agreed form"),
    "19 digits due": (state("daXuLy", payable(amount="1" + "0" * 18)), "agreed form"),
    "half a đồng due": (state("daXuLy", payable(amount="0.5")), "agreed form"),
    "due to no name": (state("daXuLy", payable(id=" ")), "agreed form"),
    "a thousand and one reasons": (
        state(
            "daXuLy",
            result(
                more="<LyDo>" + "<CTietLyDo><maLoi>1</maLoi><tenLoi>x</tenLoi></CTietLyDo>" * 1001 + "</LyDo>"
            ),
        ),
        "agreed form",
    ),
}


@both
@pytest.mark.parametrize("case", STATES)
async def test_what_has_become_of_it(asking, version, case):
    content, expected = STATES[case]
    answer = answering(version, soap(version, content))
    if not isinstance(expected, str):
        assert await asking(version, answer, lambda a: a.fetch("f-1")) == expected
        return
    with pytest.raises(Unavailable, match=expected):
        await asking(version, answer, lambda a: a.fetch("f-1"))


def zeep_transport(pki):
    made = zeep.Transport()
    made.session.trust_env = False  # an environment's CA bundle would come before ours
    made.session.verify = str(pki.tls_ca)
    made.session.cert = (str(pki["gateway-client"].chain), str(pki["gateway-client"].key))
    return made


@both
async def test_an_independent_client_reads_our_wsdl_and_agrees_with_our_authority(
    config, pki, parcel, version
):
    """zeep builds the questions from the WSDL alone, the document inline (XOP is optional), and reads the answers."""
    filing = parcel()

    def file_and_ask(url):
        client = zeep.Client(
            str(SCHEMAS / "tax.wsdl"), settings=zeep.Settings(forbid_dtd=True), transport=zeep_transport(pki)
        )
        name = f"{{{T}}}HoSoThueSoap{version.replace('.', '')}"
        service = client.create_service(name, url + "/tax")
        fields = {
            "maGDich": filing.key,
            "soHSo": filing.filing_number,
            "coQuan": "tax",
            "loaiHSo": filing.family,
            "maTKhai": "842",
            "pbanTKhaiXML": "2.8.3",
            "loaiTKhai": "C",
            "kyKKhai": "Q2/2026",
            "mst": "5500123457",
            "maCQTNoiNop": "10100",
            "thoiDiemNhan": filing.received_at,
            "kieuTep": filing.media_type,
            "bamSHA256": filing.digest_hex,
            "hoSo": filing.document,
        }
        return service.NhanHSoThue(**fields), service.TraKQuaGDich(filing.key), faulty(service, fields)

    def faulty(service, fields):
        with pytest.raises(zeep.exceptions.Fault) as caught:
            service.NhanHSoThue(**{**fields, "bamSHA256": D})
        return caught.value.code.rpartition(":")[2]

    async with Simulator(config(behaviour=Behaviour(verdict_delay_s=0))) as simulator:
        taken_in, told, code = await asyncio.to_thread(file_and_ask, simulator.url)
        (entry,) = simulator.books.values()
    assert (taken_in.maGDich, taken_in.trung, taken_in.soTiepNhan) == ("f-1", False, entry.reference)
    assert (told.tinhTrang, told.KetQua.trangThai) == ("daXuLy", "Y")
    assert told.KetQua.IDKhoanNop.CTietIDKhoanNop[0].soTienPNop == 98_500_000
    assert code == VERSIONS[version].sender
