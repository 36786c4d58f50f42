"""Well-formed documents made to cost: refused like any other, in bounded time, memory and answer."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from tests.cost import affordable
from tests.house import House
from tests.signing.documents import without_value

CPU_SECONDS = 1.0
MEMORY_KIB = 400_000
ANSWER_BYTES = 1_000_000
NS = 'xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue"'
XSI = 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance"'
SHA3 = "http://www.w3.org/2007/05/xmldsig-more#sha3-512"


def dossier(body: str, block: str = "") -> bytes:
    return (
        f'<HSoThueDTu {NS} {XSI}><HSoKhaiThue id="ID_1">{body}</HSoKhaiThue><CKyDTu>{block}</CKyDTu></HSoThueDTu>'
    ).encode()


def nested(names: list[str], inside: str) -> str:
    return "".join(f"<{n}>" for n in names) + inside + "".join(f"</{n}>" for n in reversed(names))


def many_references(size: int, uri: str = "#ID_1") -> bytes:
    return dossier("x" * size, without_value([(uri, SHA3)] * 16) * 16)


COSTLY: dict[str, Callable[[], bytes]] = {
    "20,000 attributes of the schema instance": lambda: dossier('<a x:b=""/>' * 20_000),
    "100,000 of them": lambda: dossier('<a x:b=""/>' * 90_000),
    "20,000 instructions": lambda: dossier("<a><?x?></a>" * 20_000),
    "300,000 children of the root": lambda: (
        b"<HSoThueDTu %b>%b</HSoThueDTu>" % (NS.encode(), b"<a/>" * 300_000)
    ),
    "300,000 children of the block": lambda: dossier("", "<a/>" * 300_000),
    "80 levels of long names": lambda: dossier(
        nested([f"a{'n' * 900}{i}" for i in range(80)], "".join(f"<b{i}/>" for i in range(8000)))
    ),
    "80 levels of long names, each a fault": lambda: dossier(
        nested([f"a{'n' * 900}{i}" for i in range(80)], '<b x:c=""/>' * 400)
    ),
    "80 levels of longer names": lambda: dossier(
        nested(
            [f"a{'n' * 10_000}{i}" for i in range(80)],
            '<b x:c=""/>' * 400 + "".join(f"<b{i}/>" for i in range(8000)),
        )
    ),
    "256 references with SHA3-512": lambda: many_references(980_000),
    "256 references to 9 MB": lambda: many_references(9_000_000),
    "256 references to the last of 100,000": lambda: dossier(
        "<a/>" * 100_000 + '<a id="last">x</a>', without_value([("#last", SHA3)] * 16) * 16
    ),
    "two texts that a comment held apart": lambda: dossier("y" * 9_900_000 + "<!-- -->" + "z" * 9_900_000),
    "a name of five megabytes": lambda: dossier(f"<tenNNT>{'y' * 5_000_000}</tenNNT>"),
}


@pytest.mark.parametrize("name", COSTLY)
async def test_what_is_made_to_cost_is_refused_cheaply(house: House, name: str) -> None:
    octets = COSTLY[name]()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with house.client() as client:
        for submit in (client.submit, client.check):
            for _ in affordable(CPU_SECONDS * max(1.0, len(octets) / 4_000_000)):
                reply = await submit(octets)
            assert reply.status in (200, 422), reply.body
            assert len(reply.octets) < ANSWER_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEMORY_KIB
