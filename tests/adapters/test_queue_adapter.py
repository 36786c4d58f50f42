"""The queue adapter: what exactly goes over the wire, brokers that fail, and messages that are none."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import random
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace

import aiormq
import pytest
from lxml import etree

from adapters import (
    ConfigError,
    MalformedCallback,
    Paper,
    Pending,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    open_adapter,
)
from adapters import queue_wire as wire
from adapters.result_wire import NAMESPACE
from adapters.simulator import Behaviour
from tests.adapters import broker
from tests.adapters.families.queue import authority_at, own_queues, queue_settings
from tests.adapters.test_posted_contract import Heard, listening
from tests.adapters.waiting import fetched, until

PARTIES = wire.Parties("SLA", "Cổng", "CQT", "Thuế")


@pytest.fixture
async def shared(pki, tmp_path_factory):
    return await broker.shared(pki, tmp_path_factory.mktemp("broker"))


@pytest.fixture
def opened(pki, tmp_path):
    return lambda port, queues, **more: open_adapter(
        "queue", queue_settings(pki, tmp_path, port, queues, **more)
    )


@asynccontextmanager
async def raw_channel(pki, port):
    """A channel of a third party's."""
    context = ssl.create_default_context(cafile=pki.tls_ca)
    context.load_cert_chain(pki["agency-tax"].chain, pki["agency-tax"].key)
    connection = aiormq.Connection(
        f"amqps://{broker.USER}:{broker.PASSWORD}@localhost:{port}/", context=context
    )
    await connection.connect()
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def test_the_message_is_as_the_readme_shows(pki, shared, opened, parcel):
    queues = own_queues()
    adapter = opened(shared.port, queues, sender_name="Cổng")
    async with raw_channel(pki, shared.port) as channel:
        await channel.queue_declare(queues.filings, durable=True)
        for _ in range(2):
            assert await adapter.submit(parcel()) == Submitted(None, duplicate=False)
        first, second = [await channel.basic_get(queues.filings, no_ack=True) for _ in range(2)]
    await adapter.close()
    assert first.body == second.body
    properties = first.header.properties
    assert (properties.delivery_mode, properties.content_type) == (2, "application/xml")
    assert (properties.correlation_id, properties.reply_to) == ("f-1", queues.replies)
    assert properties.headers == {"idempotency-key": "f-1", "sha-256": parcel().digest_hex}
    root = etree.fromstring(first.body)
    assert {e.tag: e.text or "" for e in root.find("HEADER")} == {
        "VERSION": "1.0",
        "SENDER_CODE": "SLA",
        "SENDER_NAME": "Cổng",
        "RECEIVER_CODE": "CQT",
        "RECEIVER_NAME": "",
        "TRAN_CODE": "NOP_HO_SO",
        "MSG_ID": "f-1",
        "MSG_REFID": "",
        "ID_LINK": "f-1",
        "SEND_DATE": "15/07/2026 10:04:05",
    }
    row = {e.tag: e.text or "" for e in root.find("BODY/ROW")}
    assert base64.b64decode(row.pop("NOI_DUNG"), validate=True) == parcel().document
    assert row == {
        "TYPE": "NOP_HO_SO",
        "MA_GIAO_DICH": "f-1",
        "SO_HO_SO": "EF-260715-000001-4",
        "CO_QUAN": "tax",
        "LINH_VUC": "tax-declaration",
        "MA_TKHAI": "842",
        "PHIEN_BAN": "2.8.3",
        "LOAI": "C",
        "KY": "Q2/2026",
        "MA_NGUOI_NOP": "5500123457",
        "MA_CQ_QUAN_LY": "10100",
        "THOI_DIEM_TIEP_NHAN": "2026-07-15T03:04:05+00:00",
        "KIEU_NOI_DUNG": "application/xml",
        "SHA256": parcel().digest_hex,
    }


def paper(name, content):
    digest = hashlib.sha256(content).hexdigest()
    return Paper(kind="giay-to", name=name, media_type="application/pdf", digest_hex=digest, content=content)


async def test_papers_go_ahead_in_pieces_as_the_readme_shows(pki, shared, opened, parcel):
    queues, long = own_queues(), random.Random(1).randbytes(wire.PIECE_BYTES + 1)
    dossier = parcel(papers=(paper("giấy <1>.pdf", long), paper("trống.pdf", b""), paper("2.pdf", long)))
    digest = dossier.papers[0].digest_hex
    adapter = opened(shared.port, queues)
    async with raw_channel(pki, shared.port) as channel:
        await channel.queue_declare(queues.filings, durable=True)
        await adapter.submit(dossier)
        one, two, filing = [await channel.basic_get(queues.filings, no_ack=True) for _ in range(3)]
    await adapter.close()
    octets = b""
    for number, message in enumerate((one, two), start=1):
        properties = message.header.properties
        assert (properties.delivery_mode, properties.correlation_id) == (2, "f-1")
        assert properties.headers == {"idempotency-key": f"f-1/{digest}/{number}", "sha-256": digest}
        assert len(message.body) < 9_000_000
        transaction, row = wire.read(message.body)  # with a parser's usual bounds
        told = {e.tag: e.text for e in row}
        octets += base64.b64decode(told.pop("NOI_DUNG"), validate=True)
        assert transaction == told.pop("TYPE") == "PHAN_TEP"
        assert told == {"MA_GIAO_DICH": "f-1", "SHA256": digest, "PHAN": f"{number}", "SO_PHAN": "2"}
    assert octets == long
    _, row = wire.read(filing.body)
    assert [{e.tag: e.text for e in one} for one in row.findall("GIAY_TO")] == [
        {
            "LOAI": "giay-to",
            "TEN_TEP": one.name,
            "KIEU_NOI_DUNG": "application/pdf",
            "DUNG_LUONG": str(len(one.content)),
            "SHA256": one.digest_hex,
            "SO_PHAN": pieces,
        }
        for one, pieces in zip(dossier.papers, ("2", "0", "2"), strict=True)
    ]


async def test_what_is_larger_than_the_brokers_bound_for_a_message_arrives(pki, shared, opened, parcel):
    """A paper and a document, each of more."""
    queues, octets = own_queues(), random.Random(2).randbytes(broker.MOST_BYTES // 2).hex().encode()
    papers = (paper("lớn.pdf", octets), paper("nhỏ.pdf", b"%PDF-"))
    adapter = opened(shared.port, queues, timeout_s=60.0)
    async with authority_at(pki, shared.port, queues, Behaviour(verdict_delay_s=0)) as authority:
        for key, sent in (
            ("f-1", parcel(papers=papers)),
            ("f-2", parcel(key="f-2", document=b"<a>" + octets + b"</a>")),
        ):
            await adapter.submit(sent)
            await fetched(adapter, key, Verdict)
            entry = authority.books[key]
            assert entry.digest == sent.digest_hex
            assert entry.papers == {one.name: one.digest_hex for one in sent.papers}
        direct = wire.filing(parcel(key="f-3"), PARTIES).replace(
            b"</DATA>", b" " * broker.MOST_BYTES + b"</DATA>"
        )
        async with raw_channel(pki, shared.port) as channel:
            with pytest.raises(aiormq.exceptions.AMQPError):
                await channel.basic_publish(direct, routing_key=queues.filings)
    await adapter.close()


@pytest.mark.parametrize("spoilt", ["left out", "another's", "cut off"])
async def test_a_filing_whose_pieces_are_not_whole_is_not_taken(pki, shared, opened, parcel, spoilt):
    """And is taken once it is sent again, whole."""
    queues = own_queues()
    dossier = parcel(papers=(paper("1.pdf", b"%PDF-1"), paper("2.pdf", b"%PDF-2")))
    adapter = opened(shared.port, queues)
    first, second = wire.pieces(dossier)
    messages = {
        "left out": [],
        "another's": [replace(second, octets=first.octets)],
        "cut off": [replace(second, octets=second.octets[:-1])],
    }[spoilt]
    async with authority_at(pki, shared.port, queues, Behaviour(verdict_delay_s=0)) as authority:
        async with raw_channel(pki, shared.port) as channel:
            sent = [wire.piece_message("f-1", one, PARTIES) for one in (first, *messages)]
            for body in (*sent, wire.filing(dossier, PARTIES)):
                await channel.basic_publish(body, routing_key=queues.filings)
        assert isinstance(await adapter.fetch("f-1"), Unknown)
        assert authority.books == {}
        await adapter.submit(dossier)
        await fetched(adapter, "f-1", Verdict)
        assert authority.books["f-1"].papers == {one.name: one.digest_hex for one in dossier.papers}
    await adapter.close()


async def test_a_queue_that_is_not_there_takes_nothing(shared, opened, parcel):
    adapter = opened(shared.port, own_queues())
    with pytest.raises(Unavailable, match="no queue of the broker"):
        await adapter.submit(parcel())
    with pytest.raises(Unavailable, match="no queue of the broker"):
        await adapter.fetch("f-1")
    with pytest.raises(Unavailable, match="no connection to the broker"):
        await adapter.listen(Heard())
    await adapter.close()


@pytest.mark.parametrize("client", ["stranger-client", "provider-expired"])
async def test_the_broker_shuts_out_other_certificates(pki, shared, opened, parcel, client):
    files = {"client_cert": str(pki[client].chain), "client_key": str(pki[client].key)}
    adapter = opened(shared.port, own_queues(), **files)
    with pytest.raises(Unavailable):
        await adapter.submit(parcel())


async def test_a_wrong_password_and_another_ca_are_unavailable_and_untold(
    pki, shared, opened, parcel, tmp_path, caplog
):
    caplog.set_level(logging.DEBUG)
    wrong = tmp_path / "wrong"
    wrong.write_text("khong-phai-mat-khau")
    for change in ({"password_file": str(wrong)}, {"ca_file": str(pki.client_ca)}):
        adapter = opened(shared.port, own_queues(), **change)
        with pytest.raises(Unavailable) as caught:
            await adapter.submit(parcel())
        assert "khong-phai" not in caught.value.reason
    assert "khong-phai" not in caplog.text
    assert broker.PASSWORD not in caplog.text


async def test_nobody_there_is_unavailable(opened, parcel):
    adapter = opened(1, own_queues())
    for call in (adapter.submit(parcel()), adapter.fetch("f-1"), adapter.listen(Heard())):
        with pytest.raises(Unavailable, match="no connection"):
            await call
    await adapter.close()


async def test_a_reply_queue_that_is_deleted_ends_the_listening(pki, shared, opened):
    queues = own_queues()
    adapter = opened(shared.port, queues)
    async with raw_channel(pki, shared.port) as channel:
        await channel.queue_declare(queues.replies, durable=True)
        listening_task = asyncio.create_task(adapter.listen(Heard()))
        async with asyncio.timeout(20):
            while not (await channel.queue_declare(queues.replies, passive=True)).consumer_count:
                await asyncio.sleep(0.02)
        await channel.queue_delete(queues.replies)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(listening_task, 10)
    await adapter.close()


def reply(transaction="KET_QUA", key="f-1", inner="", **changes):
    fields = {
        "trangThai": "Y",
        "soTiepNhan": "R",
        "thoiDiem": "2026-07-15T10:00:00+07:00",
        **changes,
    }
    told = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value is not None)
    result = f'<KetQua xmlns="{NAMESPACE}">{told}{inner}</KetQua>'
    named = "" if key is None else f"<MA_GIAO_DICH>{key}</MA_GIAO_DICH>"
    return (
        f"<DATA><HEADER><TRAN_CODE>{transaction}</TRAN_CODE></HEADER>"
        f"<BODY><ROW>{named}{result}</ROW></BODY></DATA>"
    ).encode()


def due(amount):
    return (
        f"<IDKhoanNop><CTietIDKhoanNop><maDinhDanh>1</maDinhDanh><soTienPNop>{amount}</soTienPNop>"
        "<maTienTe>VND</maTienTe><tenLoaiTien>x</tenLoaiTien></CTietIDKhoanNop></IDKhoanNop>"
    )


NO_VERDICTS = {
    "empty": (b"", "agreed form"),
    "cut off": (reply()[:-9], "agreed form"),
    "no row": (b"<DATA/>", "agreed form"),
    "another root": (reply().replace(b"DATA", b"DATUM"), "agreed form"),
    "hostile key": (reply(key="../../etc"), "agreed form"),
    "no key": (reply(key=None), "agreed form"),
    "no result": (reply().replace(b"KetQua", b"KetLuan"), "agreed form"),
    "unknown outcome": (reply(trangThai="CO_LE"), "agreed form"),
    "naive time": (reply(thoiDiem="2026-07-15T10:00:00"), "agreed form"),
    "a year beyond the calendar": (reply(thoiDiem="9999-12-31T23:59:59Z"), "agreed form"),
    "amount of 19 digits": (reply(inner=due("1" + "0" * 18)), "agreed form"),
    "amount in other digits": (reply(inner=due("٣")), "agreed form"),
    "external entity": (
        b'<!DOCTYPE DATA [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + reply(soTiepNhan="&x;"),
        "agreed form",
    ),
    "UTF-16": (reply().decode().encode("utf-16"), "agreed form"),
    "deep": (b"<a>" * 100_000, "agreed form"),
    "a refusal of our message": (
        wire.refusal_message("f-1", "This key belongs to another document", PARTIES),
        "refuses a message of ours",
    ),
    "an answer that nobody asked for": (
        wire.state_message("f-1", "DANG_XU_LY", None, None, PARTIES),
        "is not for this queue",
    ),
    "our own filing": (reply("NOP_HO_SO"), "is not for this queue"),
}


async def test_what_is_no_verdict_goes_to_the_dead_letters_with_its_reason(pki, shared, opened):
    queues = own_queues()
    adapter = opened(shared.port, queues)
    heard = Heard()
    async with authority_at(pki, shared.port, queues, Behaviour()) as authority:
        for body, _ in NO_VERDICTS.values():
            await authority.post(body)
        await authority.post(reply(), content_type="text/html")
        await authority.post(reply())
        async with listening(adapter, heard):
            await until(lambda: heard.verdicts)
        put_aside = await authority.put_aside()
    await adapter.close()
    assert heard.outcomes == [("f-1", "accepted")]
    expected = [words for _, words in NO_VERDICTS.values()] + ["agreed form"]
    assert len(put_aside) == len(expected)
    for (reason, _), words in zip(put_aside, expected, strict=True):
        assert words in reason
        assert reason.isprintable()
        assert len(reason) < 300


async def test_where_there_is_no_queue_for_dead_letters_nothing_is_dropped(pki, shared, opened):
    queues = own_queues()
    adapter = opened(shared.port, queues, dead_letter_queue="nobody-has-made-it")
    async with authority_at(pki, shared.port, queues, Behaviour()) as authority:
        await authority.post(b"poison")
        with pytest.raises(Unavailable, match="nobody-has-made-it"):
            await adapter.listen(Heard())
        await adapter.close()
        mended = opened(shared.port, queues)
        async with listening(mended, Heard()):
            async with asyncio.timeout(20):
                while not (aside := await authority.put_aside()):
                    await asyncio.sleep(0.05)
        await mended.close()
    assert [body for _, body in aside] == [b"poison"]


@pytest.mark.timeout(300)
async def test_a_broker_that_is_killed_loses_nothing(pki, opened, parcel, tmp_path):
    """Filings that it confirmed, and verdicts that nobody had fetched, are there again."""
    if (reason := broker.why_none()) is not None:
        pytest.skip(reason)
    own = broker.Broker(tmp_path / "broker", pki)
    queues = own_queues()
    heard = Heard()
    await own.start()
    try:
        async with authority_at(pki, own.port, queues, Behaviour(verdict_delay_s=0)) as authority:
            adapter = opened(own.port, queues)
            await adapter.submit(parcel(key="f-0"))
            await fetched(adapter, "f-0", Verdict)
            await until(lambda: authority.books["f-0"].callbacks)
            authority.behaviour = authority.behaviour.changed({"down": True})
            for number in range(1, 20):
                await adapter.submit(parcel(key=f"f-{number}"))
            own.kill()
            with pytest.raises(Unavailable):
                await adapter.submit(parcel(key="f-lost"))
            await own.start()
            authority.behaviour = authority.behaviour.changed({"down": False})
            async with listening(adapter, heard):
                await until(lambda: len({key for key, _ in heard.verdicts}) == 20)
            assert set(authority.books) == {f"f-{number}" for number in range(20)}
            await adapter.close()
    finally:
        own.kill()


BAD_SETTINGS = {
    "unknown setting": ({"hosts": "x"}, "hosts"),
    "no host": ({"host": None}, "host"),
    "no password": ({"password_file": None}, "password_file or password_env is missing"),
    "two passwords": ({"password_env": "HOME"}, "exclude each other"),
    "nobody": (
        {"username": None, "password_file": None, "client_cert": None, "client_key": None},
        "username is missing",
    ),
    "no TLS to another machine": ({"tls": False, "host": "broker.invalid"}, "tls must be true"),
    "no such file": ({"ca_file": "/nowhere/ca.pem"}, "ca_file"),
    "certificate without key": ({"client_key": None}, "go together"),
    "empty queue": ({"reply_queue": ""}, "reply_queue"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_cannot_work(pki, tmp_path, case):
    changes, words = BAD_SETTINGS[case]
    with pytest.raises(ConfigError, match=words):
        open_adapter("queue", {**queue_settings(pki, tmp_path), **changes})


def test_verdicts_do_not_come_through_the_callback_door(opened):
    with pytest.raises(MalformedCallback):
        opened(1, own_queues()).read_callback(reply(), {"Content-Type": "application/xml"})


async def test_an_answer_about_another_key_is_none(pki, shared, opened):
    queues = own_queues()
    adapter = opened(shared.port, queues)
    async with raw_channel(pki, shared.port) as channel:
        await channel.queue_declare(queues.filings, durable=True)

        async def lie(message):
            properties = message.header.properties
            body = wire.state_message("f-2", "DANG_XU_LY", None, None, PARTIES)
            answer = aiormq.spec.Basic.Properties(
                correlation_id=properties.correlation_id, content_type="application/xml"
            )
            await channel.basic_publish(body, routing_key=properties.reply_to, properties=answer)

        await channel.basic_consume(queues.filings, lie, no_ack=True)
        with pytest.raises(Unavailable, match="another key"):
            await adapter.fetch("f-1")
        assert isinstance(await adapter.fetch("f-2"), Pending)
    await adapter.close()
