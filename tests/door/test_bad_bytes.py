"""Hostile and broken bytes through the real door: a clear error, the right status, nothing recorded, little spent."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

import certs_dev
from tests.cost import affordable
from tests.documents import declaration, signed
from tests.house import House

CPU_SECONDS = 1.0
MEMORY_KIB = 300_000

Make = Callable[[certs_dev.DevPki], bytes]


def _in_root(pki: certs_dev.DevPki, inside: bytes) -> bytes:
    return declaration(pki).replace(b"<CTieuTKhaiChinh>", b"<CTieuTKhaiChinh>" + inside, 1)


def _after_declaration(pki: certs_dev.DevPki, inserted: bytes) -> bytes:
    head, rest = signed(pki).split(b"?>", 1)
    return head + b"?>" + inserted + rest


BOMB = b'<!DOCTYPE HSoThueDTu [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, (b"&%c;" % (97 + i)) * 10) for i in range(9)
)

BAD_BYTES: dict[str, tuple[int, Make]] = {
    "empty": (400, lambda pki: b""),
    "not XML": (400, lambda pki: b"%PDF-1.7 \x00\x01 hello"),
    "text": (400, lambda pki: "Tờ khai thuế".encode()),
    "only white space": (400, lambda pki: b" \n\t "),
    "thirty megabytes": (413, lambda pki: b"<a>" + b"x" * 30_000_000 + b"</a>"),
    "a document type": (400, lambda pki: _after_declaration(pki, b"<!DOCTYPE HSoThueDTu>")),
    "an external entity": (
        400,
        lambda pki: _after_declaration(
            pki, b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        ).replace(b"<ct23>", b"<ct23>&e;"),
    ),
    "an external document type": (
        400,
        lambda pki: _after_declaration(pki, b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'),
    ),
    "an entity bomb": (
        400,
        lambda pki: _after_declaration(pki, BOMB + b"]>").replace(b"<ct23>", b"<ct23>&j;"),
    ),
    "UTF-16": (400, lambda pki: signed(pki).decode().replace('"UTF-8"', '"UTF-16"').encode("utf-16")),
    "UTF-16 without a mark": (400, lambda pki: signed(pki).decode().encode("utf-16-le")),
    "UTF-7 declared": (400, lambda pki: signed(pki).replace(b"UTF-8", b"UTF-7")),
    "another encoding declared": (400, lambda pki: signed(pki).replace(b"UTF-8", b"windows-1258")),
    "invalid UTF-8": (400, lambda pki: signed(pki).replace(b"<ct23>", b"<ct23>\xff\xfe", 1)),
    "NUL": (400, lambda pki: signed(pki).replace(b"<ct23>", b"<ct23>\x00", 1)),
    "a NUL reference": (400, lambda pki: signed(pki).replace(b"<ct23>", b"<ct23>&#0;", 1)),
    "20,000 namespaces": (
        400,
        lambda pki: _in_root(
            pki, b"<x " + b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(20_000)) + b"/>"
        ),
    ),
    "2,000 namespaces over 2,000 elements": (
        400,
        lambda pki: _in_root(
            pki,
            b"<x "
            + b" ".join(b'xmlns:n%d="u:%d"' % (i, i) for i in range(2000))
            + b">"
            + b"<y/>" * 2000
            + b"</x>",
        ),
    ),
    "100,000 attributes": (
        400,
        lambda pki: _in_root(pki, b"<x " + b" ".join(b'a%d="%d"' % (i, i) for i in range(100_000)) + b"/>"),
    ),
    "depth 10,000": (400, lambda pki: _in_root(pki, b"<x>" * 10_000 + b"</x>" * 10_000)),
    "cut off": (400, lambda pki: signed(pki)[:-200]),
    "two documents": (400, lambda pki: signed(pki) + signed(pki)),
    "an undeclared prefix": (
        400,
        lambda pki: signed(pki).replace(b"<ct23>", b"<q:ct23>").replace(b"</ct23>", b"</q:ct23>"),
    ),
    "another root": (400, lambda pki: b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>"),
    "no namespace": (
        400,
        lambda pki: signed(pki).replace(b' xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue"', b""),
    ),
}


@pytest.mark.parametrize("name", BAD_BYTES)
async def test_bad_bytes_are_told_and_leave_nothing(house: House, name: str) -> None:
    status, make = BAD_BYTES[name]
    octets = make(house.pki)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with house.client() as client:
        for _ in affordable(CPU_SECONDS):
            reply = await client.submit(octets, "k")
    assert reply.status == status, reply.body
    assert reply.body["type"].startswith("urn:efile:problem:")
    if status == 400:
        assert reply.body["findings"]
        for finding in reply.body["findings"]:
            assert finding["message"]["vi"]
            assert finding["message"]["en"]
            assert finding["remedy"]["vi"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEMORY_KIB
    assert (await house.gateway.store._driver.read("SELECT count(*) FROM filing"))[0][0] == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("", 415),
        ("multipart/form-data; boundary=x", 400),
        ("multipart/mixed; boundary=x", 415),
        ("application/xml; charset=utf-16", 415),
        ("application/octet-stream", 415),
        ("tệp/xml", 415),
        ("APPLICATION/XML; Charset=UTF-8", 201),
        ("application/tkhai+xml", 201),
    ],
)
async def test_the_declared_type_must_be_xml(house: House, content_type: str, status: int) -> None:
    async with house.client() as client:
        reply = await client._call("POST", "/v1/filings", signed(house.pki), {"Content-Type": content_type})
    assert reply.status == status, reply.body


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\tbed", '"unbalanced'])
async def test_a_malformed_key_is_told(house: House, key: str) -> None:
    async with house.client() as client:
        reply = await client.submit(signed(house.pki), key)
    assert (reply.status, reply.body["type"]) == (400, "urn:efile:problem:idempotency-key.malformed")


async def test_unknown_paths_and_methods_are_problems_too(house: House) -> None:
    async with house.client() as client:
        for method, path, status in (
            ("GET", "/v2", 404),
            ("DELETE", "/v1/filings", 405),
            ("GET", "/v1/check", 405),
        ):
            reply = await client._call(method, path)
            assert reply.status == status
            assert reply.body["type"] == f"urn:efile:problem:http-{status}"
