"""edXML: the form that others send, answers that lie, archives that unfold, and messages that come by themselves."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
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
    Verdict,
    open_adapter,
)
from adapters import edxml_wire as wire
from tests.adapters.families.edxml import ORGANS
from tests.adapters.test_soap import result

SAMPLE = Path(__file__).resolve().parents[3] / "shared/samples/edxml-qcvn102.reconstructed.xml"
AT = datetime(2026, 7, 16, 2, 0, 0, tzinfo=UTC)
HEAD = wire.Head("G22.99", "H52", "12/QĐ", "f-1/842", "H52")
XML = "application/xml; charset=utf-8"
ACCEPTED = result().encode()


@pytest.fixture
def asking(door, settings):
    """Calls `call(adapter)` of an adapter whose exchange answers with `make(request, body)`."""

    async def ask(make, call, **more):
        async def answer(request):
            body = await request.read()
            seen.append((request, body))
            return make(request, body)

        seen = []
        async with door("agency-server", answer) as url:
            adapter = open_adapter("edxml", settings(url, **ORGANS, **more))
            try:
                return await call(adapter), seen
            finally:
                await adapter.close()

    return ask


def taken(http_status=200, kind="application/json", **changes):
    def make(_, body):
        told = {"status": "OK", "ErrorCode": "0", "DocId": "D1", "Hash": hashlib.sha256(body).hexdigest()}
        octets = json.dumps({**told, **changes}).encode()
        return web.Response(status=http_status, body=octets, content_type=kind)

    return make


def message(octets, kind=XML):
    return lambda *_: web.Response(body=octets, headers={"Content-Type": kind})


def decision(octets=ACCEPTED, name=wire.RESULT_FILE, head=HEAD):
    return wire.answer(head, AT, part=wire.Part(name, "application/xml", "", octets))


def status(code, head=HEAD):
    return wire.answer(head, AT, status=wire.Status(code, "Sai thẩm quyền", AT))


def paths(root):
    tree = etree.ElementTree(root)
    return {
        tree.getelementpath(element).replace(f"{{{wire.NAMESPACE}}}", "") for element in root.iter("{*}*")
    }


def test_what_we_send_has_every_element_of_what_others_send(parcel):
    if not SAMPLE.exists():
        pytest.skip(f"MISSING: {SAMPLE}")
    ours = etree.fromstring(
        wire.document(parcel(), wire.Organ(**ORGANS["sender"]), wire.Organ(**ORGANS["receiver"]))
    )
    theirs = etree.parse(SAMPLE).getroot()
    assert paths(theirs) - paths(ours) == set()
    assert wire.read_head(wire.read(SAMPLE.read_bytes())).code == "1/TB-TEST"


async def test_a_document_bears_the_filing_in_a_zip_the_same_at_each_attempt(asking, parcel):
    async def twice(adapter):
        return [await adapter.submit(parcel()) for _ in range(2)]

    sent, ((request, body), (_, again)) = await asking(taken(), twice)
    assert sent == [Submitted("D1", duplicate=False)] * 2
    assert body == again
    told = {name: request.headers[name] for name in ("from", "to", "messagetype", "Idempotency-Key")}
    assert told == {"from": "H52", "to": "G22.99", "messagetype": "edoc", "Idempotency-Key": "f-1"}
    root = etree.fromstring(body)
    text = {
        etree.QName(e).localname: e.text for e in root.iter("{*}DocumentId", "{*}CodeNumber", "{*}Timestamp")
    }
    assert text == {
        "DocumentId": "H52,2026/07/15,f-1/842",
        "CodeNumber": "f-1",
        "Timestamp": "2026/07/15 10:04:05",
    }
    packed = base64.b64decode(root.findtext(".//{*}ContentTransferEncoded"))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("EF-260715-000001-4.xml") == parcel().document


async def test_each_agency_of_a_back_end_is_written_to_by_its_own_code(asking, parcel):
    receivers = {"commune-police-03646": {"id": "G01.1", "name": "Công an xã"}}
    _, seen = await asking(
        taken(), lambda a: a.submit(parcel(agency="commune-police-03646")), receivers=receivers
    )
    assert seen[0][0].headers["to"] == "G01.1"
    assert wire.read_head(wire.read(seen[0][1])).receiver == "G01.1"


LIES = {
    "another message": (taken(Hash="0" * 64), Unavailable, "another document"),
    "no hash": (taken(Hash=""), Unavailable, "another document"),
    "not now": (taken(status="FAIL", ErrorCode="-1", ErrorDesc="Quá tải"), Unavailable, "Quá tải"),
    "failed and well": (taken(status="FAIL"), Unavailable, "contradict"),
    "well and failed": (taken(ErrorCode="17"), Unavailable, "contradict"),
    "for good": (taken(status="FAIL", ErrorCode="17", ErrorDesc="Sai\nđơn vị"), Rejected, "17 Sai đơn vị"),
    "bad request": (taken(400, ErrorDesc="Sai"), Rejected, "400 .Sai."),
    "not known": (taken(401), Unavailable, "401"),
    "somebody's page": (taken(400, kind="text/html"), Unavailable, "400"),
    "another media type": (taken(kind="text/html"), Unavailable, "agreed form"),
    "a code that is a number": (taken(ErrorCode=0), Unavailable, "agreed form"),
    "deep": (message(b"[" * 200_000, "application/json"), Unavailable, "agreed form"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_exchange_that_lies_or_refuses(asking, parcel, lie):
    make, expected, words = LIES[lie]
    with pytest.raises(expected, match=words) as caught:
        await asking(make, lambda a: a.submit(parcel()))
    assert caught.value.reason.isprintable()


def archive(*entries, method=zipfile.ZIP_DEFLATED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, octets in entries:
            made.writestr(name, octets)
    return target.getvalue()


def encrypted():
    octets = bytearray(archive(("a", b"x")))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        octets[octets.index(signature) + flags] |= 1
    return bytes(octets)


def claiming_less():
    """A ZIP that says its file is one octet long and unfolds 64 MiB."""
    octets = bytearray(archive(("a", b" " * (64 << 20))))
    for signature, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = octets.index(signature) + size
        octets[place : place + 4] = (1).to_bytes(4, "little")
    return bytes(octets)


ARCHIVES = {
    "no ZIP": b"PK",
    "no file": archive(),
    "two files": archive(("a", b""), ("b", b"")),
    "encrypted": encrypted(),
    "torn": archive(("a", b"x" * 100))[:60],
    "unfolds a thousandfold": archive(("a", b" " * (64 << 20))),
    "says less than it unfolds": claiming_less(),
    "another sum": archive(("a", b"xyz"), method=zipfile.ZIP_STORED).replace(b"xyz", b"xyy"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_is_opened_within_bounds(case):
    with pytest.raises(wire.NotOfTheForm, match="attachment"):
        wire.unzipped(base64.b64encode(ARCHIVES[case]).decode(), 1 << 20)


def test_text_that_is_not_base64_is_no_archive():
    with pytest.raises(wire.NotOfTheForm):
        wire.unzipped("é!", 100)


def neither():
    root = wire.read(status("01"))
    root.find(".//{*}Status").tag = f"{{{wire.NAMESPACE}}}Other"
    return etree.tostring(root)


def many(count, octets=ACCEPTED):
    root = wire.read(decision(octets))
    place = root.find(f"{{{wire.NAMESPACE}}}AttachmentEncoded")
    for _ in range(count - 1):
        place.append(etree.fromstring(etree.tostring(place[0])))
    return etree.tostring(root)


ANSWERS = {
    "on its way": (status("01"), Pending()),
    "done, the decision is to come": (status("06"), Pending()),
    "refused": (
        status("02"),
        ("rejected", [("02", "Sai thẩm quyền")]),
    ),
    "decided": (decision(), ("accepted", [])),
    "about another key": (decision(head=wire.Head("G22.99", "H52", "1/A", "f-2/842", "H52")), "another key"),
    "about somebody else's": (
        decision(head=wire.Head("G22.99", "H52", "1/A", "f-1/842", "H99")),
        "somebody else's",
    ),
    "no decision attached": (decision(name="a.xml"), "not one attachment"),
    "two decisions": (many(2), "not one attachment"),
    "seventeen attachments": (many(17), "more than 16"),
    "a decision that is no XML": (decision(b"OK"), "not XML"),
    "a decision with a DTD": (decision(b"<!DOCTYPE a><a/>"), "DTD"),
    "a decision of another form": (decision(b"<KetQua/>"), "agreed form"),
    "a decision without a zone": (decision(result("2026-07-16T09:00:00").encode()), "agreed form"),
    "a decision that unfolds": (decision(b" " * (2 << 20)), "unfold"),
    "attachments that unfold together": (many(3, b" " * 400_000), "unfold"),
    "no edXML": (b"<edXML/>", "not an edXML message"),
    "a DTD": (b"<!DOCTYPE a>" + decision(), "DTD"),
    "a status of no time": (status("01").replace(b"2026/07/16 09:00:00", b"2026-07-16"), "no time"),
    "neither": (neither(), "neither a document nor a status"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_what_has_become_of_it(asking, case):
    octets, expected = ANSWERS[case]
    if isinstance(expected, str):
        with pytest.raises(Unavailable, match=expected) as caught:
            await asking(message(octets), lambda a: a.fetch("f-1"))
        assert caught.value.reason.isprintable()
        return
    found, ((request, _),) = await asking(message(octets), lambda a: a.fetch("f-1"))
    assert dict(request.query) == {"organid": "H52", "codenumber": "f-1"}
    if isinstance(found, Verdict):
        assert (found.outcome, [(r.code, r.error) for r in found.reasons]) == expected
        assert found.decided_at == AT
    else:
        assert found == expected


async def test_only_the_exchanges_own_404_says_never_seen(asking):
    told = taken(404, status="FAIL", ErrorCode="-1")
    found, _ = await asking(told, lambda a: a.fetch("f-1"))
    assert found == Unknown()
    with pytest.raises(Unavailable, match="404"):
        await asking(taken(404, kind="text/html"), lambda a: a.fetch("f-1"))


async def test_a_status_tells_how_far_the_agency_is_in_the_portals_terms(asking):
    found, _ = await asking(message(status("05")), lambda a: a.fetch("f-1"))
    assert found.progress == Progress(4, "Sai thẩm quyền")
    found, _ = await asking(message(status("77")), lambda a: a.fetch("f-1"), progress_codes={"77": 6})
    assert found.progress == Progress(6, "Sai thẩm quyền")
    found, _ = await asking(message(status("99")), lambda a: a.fetch("f-1"))
    assert found == Pending()
    assert found.progress is None


async def test_which_statuses_refuse_is_a_setting(asking):
    found, _ = await asking(message(status("16")), lambda a: a.fetch("f-1"), refusal_codes=["02", "16"])
    assert found.outcome == "rejected"


@pytest.fixture
def adapter(settings):
    return open_adapter("edxml", settings("https://localhost", **ORGANS))


def test_a_decision_that_comes_by_itself_is_read(adapter):
    key, verdict = adapter.read_callback(decision(), {"content-type": XML})
    assert (key, verdict.outcome, verdict.decided_at) == ("f-1", "accepted", AT)


CALLBACKS = {
    "a status on the way": status("03"),
    "a hostile key": decision(head=wire.Head("G22.99", "H52", "1/A", "..%2Fx/842", "H52")),
    "somebody else's": decision(head=wire.Head("G22.99", "H52", "1/A", "f-1/842", "H99")),
    "unfolds": decision(b" " * (2 << 20)),
}


@pytest.mark.parametrize("case", CALLBACKS)
def test_a_message_that_decides_nothing(adapter, case):
    with pytest.raises(MalformedCallback, match="not a verdict"):
        adapter.read_callback(CALLBACKS[case], {"content-type": XML})


def test_faults_within_the_organs_are_told_with_the_others(settings):
    organs = {"sender": {"id": "H52"}, "receivers": {"a": {"id": 1}}, "refusal_codes": "02"}
    with pytest.raises(ConfigError) as caught:
        open_adapter("edxml", settings("https://localhost", **organs))
    for words in ("sender.name is missing", "receiver is missing", "receivers", "refusal_codes"):
        assert words in str(caught.value)
