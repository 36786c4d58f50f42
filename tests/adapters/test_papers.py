"""Papers beside a document, in every family that carries them."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from adapters import Paper


async def test_papers_arrive_with_their_document_where_the_family_carries_them(agency, parcel):
    adapter, simulator = agency
    if not adapter.carries_papers:
        return  # the gateway gives it none: tests/delivery
    contents = {
        'giấy phép "cũ".pdf': b"%PDF-" + bytes(range(256)) * 1000,
        "ảnh.jpg": b"\xff\xd8\xff",
        "trống": b"",
    }
    papers = tuple(
        Paper(
            kind="giay-to",
            name=name,
            media_type="application/pdf",
            digest_hex=hashlib.sha256(content).hexdigest(),
            content=content,
        )
        for name, content in contents.items()
    )
    await adapter.submit(parcel(papers=papers))
    async with asyncio.timeout(10):
        while not simulator.books:  # what is put down is taken in later
            await asyncio.sleep(0.01)
    (entry,) = simulator.books.values()
    assert entry.digest == parcel().digest_hex
    assert entry.papers == {paper.name: paper.digest_hex for paper in papers}


def test_a_paper_whose_digest_is_not_its_own_never_leaves():
    with pytest.raises(ValueError, match="SHA-256"):
        Paper(kind="x", name="x.pdf", media_type="application/pdf", digest_hex="0" * 64, content=b"x")
