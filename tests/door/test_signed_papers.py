"""Signed PDFs in a dossier: judged beside the door's other work, told, and a condition only where a form says so."""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import certs_dev
import schemas
from gateway.client.http import GatewayClient, Reply
from signing.pdf import confined
from signing.pdf.sign import sign_pdf
from tests.cost import affordable
from tests.documents import key_of, sign, signed
from tests.dossiers import KINDS, catalogue_that_wants_it_signed, dossier, unsigned
from tests.house import House, house_at
from tests.pages import page_of, text_of
from tests.signing import pdf_documents as made

PATIENT = {"signed_papers_seconds": 600.0}
"""Whatever the machine is doing: the time is a test of its own."""
MARK = b"\n%/ByteRange\n"
"""By which a file is taken for one that may be signed."""
SOUND, INDETERMINATE = "attachment.pdf-signed", "attachment.pdf-signature-indeterminate"
BROKEN, CHANGED = "attachment.pdf-signature-broken", "attachment.pdf-changed-after-signing"
NOT_JUDGED, REQUIRED = "attachment.pdf-not-judged", "attachment.signature-required"


def pdf_of(pki: certs_dev.DevPki, who: str) -> bytes:
    return sign_pdf(made.pdf(), key_of(pki, who), at=datetime.now(UTC))


def broken(pdf: bytes) -> bytes:
    """Another value of the signature, over the same octets: it stands at the end, before the zeros."""
    start = pdf.index(b"/Contents <")
    place = start + len(pdf[start : pdf.index(b">", start)].rstrip(b"0")) - 10
    return pdf[:place] + (b"2" if pdf[place : place + 1] == b"1" else b"1") + pdf[place + 1 :]


def kinds_of_papers(pki: certs_dev.DevPki) -> dict[str, tuple[bytes, str | None]]:
    """By file name: the octets, and what is found on the signature."""
    sound = pdf_of(pki, "other-company")
    return {
        "sound.pdf": (sound, SOUND),
        "twice.pdf": (sign_pdf(sound, key_of(pki, "person"), at=datetime.now(UTC)), SOUND),
        "more.pdf": (made.appended(sound, made.add_validation_data), SOUND),
        "changed.pdf": (made.appended(sound, made.replace_text), CHANGED),
        "altered.pdf": (sound.replace(b"/MediaBox", b"/mediaBox"), CHANGED),
        "broken.pdf": (broken(sound), BROKEN),
        "stranger.pdf": (pdf_of(pki, "stranger"), INDETERMINATE),
        "revoked.pdf": (pdf_of(pki, "revoked"), INDETERMINATE),
        "locked.pdf": (made.encrypted(made.pdf(), "secret") + MARK, INDETERMINATE),
        "no-pdf.pdf": (b"%PDF-1.7\n" + MARK, BROKEN),
        "unsigned.pdf": (made.pdf(), None),
        "unsigned-marked.pdf": (made.pdf() + MARK, None),
    }


def found(reply: Reply) -> dict[str, set[str]]:
    """Codes of what was found on each paper, by the file that the message names."""
    codes: dict[str, set[str]] = {}
    for one in reply.body["findings"]:
        if one["code"].startswith(("attachment.pdf-", "attachment.signature-")):
            name = one["message"]["en"].split(" ")[1].rstrip(":")
            codes.setdefault(name, set()).add(one["code"])
    return codes


async def test_what_the_signatures_came_to_is_told_and_refuses_nothing(
    tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, limits=PATIENT) as house, house.client() as client:
        papers = kinds_of_papers(house.pki)
        document = dossier(house.pki, *((KINDS[1], name, octets) for name, (octets, _) in papers.items()))
        expected = {name: {code} for name, (_, code) in papers.items() if code is not None}
        tried, filed = await client.check(document), await client.submit(document)
        assert (tried.status, filed.status) == (200, 201), filed.body
        assert found(tried) == found(filed) == expected
        assert {one["severity"] for one in filed.body["findings"] if one["code"] != SOUND} == {"WARNING"}
        await _told_everywhere(house, client, filed.body)


async def _told_everywhere(house: House, client: GatewayClient, filed: Mapping[str, Any]) -> None:
    number, name = filed["number"], house.pki.plan.identities["other-company"].name
    told = {one["name"]: one for one in (await client.status(number)).body["summary"]["signed_papers"]}
    assert (told["sound.pdf"]["standing"], told["sound.pdf"]["signers"]) == ("sound", [name])
    assert told["twice.pdf"]["signers"] == [name, house.pki.plan.identities["person"].name]
    assert told["stranger.pdf"]["standing"] == "indeterminate"
    assert "unsigned.pdf" not in told
    [evidence] = await house.gateway.store.evidence(number)
    kept = {one["name"]: one for one in evidence["papers"]}
    assert kept["sound.pdf"]["signatures"][0]["checks"]["pdf.changed"] == "PASSED"
    assert kept["changed.pdf"]["signatures"][0]["checks"]["pdf.changed"] == "FAILED"
    assert len(kept["sound.pdf"]["sha256"]) == 64
    page = page_of((await client.part(number, "view")).octets)
    assert f"✓ Chữ ký hợp lệ; đã ký bởi {name}" in text_of(page)
    assert "✗ Bị sửa sau khi ký" in text_of(page)
    receipt = schemas.read_notice((await client.part(number, "receipt")).octets)
    assert SOUND in {reason.code for reason in receipt.reasons}


async def test_a_reader_that_stands_still_holds_up_no_other_filing(tmp_path: Path, pki_home: Path) -> None:
    limits = {**PATIENT, "paper_waiting": 1}
    async with house_at(tmp_path, pki_home, limits=limits) as house, house.client() as client:
        document = dossier(house.pki, (KINDS[0], "sound.pdf", pdf_of(house.pki, "other-company")))
        await client.check(document)
        with stopped_reader():
            waiting = [asyncio.create_task(client.check(document)) for _ in range(4)]
            done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result().status for task in done] == [503], (
                "no more than two wait, and one is served"
            )
            assert (await client.submit(signed(house.pki))).status == 201
            assert not any(task.done() for task in left)
        assert [found(await task) for task in left] == [{"sound.pdf": {SOUND}}] * 3


@contextmanager
def stopped_reader() -> Iterator[None]:
    """The process that reads PDFs, which serves this one thread at a time, and does nothing meanwhile."""
    reader = confined._idle[-1]
    reader.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        reader.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("limits", "judged"),
    [
        ({"signed_papers": 2}, {"1.pdf", "2.pdf"}),
        ({"signed_papers_bytes": 80_000}, {"1.pdf", "2.pdf", "4.pdf"}),
        ({"signed_papers_seconds": 1e-6}, set()),
    ],
)
async def test_beyond_a_limit_papers_are_told_as_not_judged(
    limits: dict[str, Any], judged: set[str], tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, limits=PATIENT | limits) as house, house.client() as client:
        sound = pdf_of(house.pki, "other-company")
        assert 25_000 < len(sound) < 40_000
        large = sound + bytes(30_000)
        papers = [("1.pdf", sound), ("2.pdf", sound), ("3.pdf", large), ("4.pdf", made.pdf() + MARK)]
        reply = await client.submit(dossier(house.pki, *((KINDS[1], *paper) for paper in papers)))
        assert reply.status == 201
        codes = found(reply)
        assert {name for name, _ in papers} - {
            n for n, code in codes.items() if code == {NOT_JUDGED}
        } >= judged
        assert {name for name, code in codes.items() if code == {SOUND}} == judged - {"4.pdf"}


async def test_more_signed_papers_than_are_judged_and_hostile_ones_cost_little(
    tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, limits=PATIENT) as house, house.client() as client:
        sound = pdf_of(house.pki, "other-company")
        bombs = [bomb + MARK for bomb in made.bombs().values()] + [made.many_fields(60, octets=200_000)]
        papers = [(KINDS[1], f"{n}.pdf", sound) for n in range(32 - len(bombs))]
        papers += [(KINDS[2], f"bomb-{n}.pdf", bomb) for n, bomb in enumerate(bombs)]
        document = dossier(house.pki, *papers)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in affordable(4.0):
            reply = await client.submit(document)
        assert reply.status == 201
        codes = found(reply)
        assert sum(code == {SOUND} for name, code in codes.items() if "bomb" not in name) == 32 - len(bombs)
        assert not any(code == {SOUND} for name, code in codes.items() if "bomb" in name)
        assert {NOT_JUDGED} in codes.values()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000


async def test_a_form_may_want_a_paper_signed(tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki) -> None:
    sound = pdf_of(pki, "other-company")
    folder = catalogue_that_wants_it_signed(tmp_path / "catalogue", sound)
    expected: Sequence[tuple[bytes, set[str]]] = (
        (sound, {SOUND}),
        (made.pdf(), {REQUIRED}),
        (made.pdf() + MARK, {REQUIRED}),
        (b"\x89PNG\r\n\x1a\n...", {REQUIRED}),
        (made.appended(sound, made.replace_text), {CHANGED, REQUIRED}),
        (broken(sound), {BROKEN, REQUIRED}),
        (pdf_of(pki, "stranger"), {INDETERMINATE, REQUIRED}),
        (made.many_fields(60, octets=70_000), {BROKEN, REQUIRED}),
    )
    changes: dict[str, Any] = {"catalogue": {"directory": folder}, "limits": PATIENT}
    async with house_at(tmp_path, pki_home, **changes) as house, house.client() as client:
        for octets, codes in expected:
            reply = await client.submit(dossier(house.pki, (KINDS[0], "paper", octets)))
            assert reply.status == (422 if REQUIRED in codes else 201), reply.body
            assert found(reply) == {"paper": codes}


async def test_a_status_that_cannot_be_had_refuses_nothing(
    tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    sound = pdf_of(pki, "other-company")
    folder = catalogue_that_wants_it_signed(tmp_path / "catalogue", sound)
    shutil.copytree(pki_home / "pki", tmp_path / "pki")
    for file in (tmp_path / "pki/trust/crls").iterdir():
        file.unlink()
    changes: dict[str, Any] = {"catalogue": {"directory": folder}, "limits": PATIENT}
    async with house_at(tmp_path, pki_home, **changes) as house, house.client() as client:
        reply = await client.submit(dossier(house.pki, (KINDS[0], "paper", sound)))
    assert (reply.status, reply.body["status"]) == (201, "provisional")
    assert found(reply) == {"paper": {INDETERMINATE}}


async def test_what_a_form_wants_and_we_cannot_judge_in_time_is_neither_taken_nor_refused(
    tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki
) -> None:
    sound = pdf_of(pki, "other-company")
    folder = catalogue_that_wants_it_signed(tmp_path / "catalogue", sound)
    changes: dict[str, Any] = {"catalogue": {"directory": folder}, "limits": {"signed_papers_seconds": 1e-6}}
    async with house_at(tmp_path, pki_home, **changes) as house, house.client() as client:
        reply = await client.submit(dossier(house.pki, (KINDS[0], "paper", sound)))
    assert (reply.status, reply.body["type"]) == (503, "urn:efile:problem:busy")


async def test_a_signed_pdf_beside_its_dossier_is_judged_as_one_inside(
    tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, limits=PATIENT) as house, house.client() as client:
        sound = pdf_of(house.pki, "other-company")
        files = (
            (KINDS[0], "sound.pdf", sound),
            (KINDS[1], "changed.pdf", made.appended(sound, made.replace_text)),
        )
        document, papers = schemas.papers_apart(unsigned(house.pki, *files))
        reply = await client.submit(sign(house.pki, document, target_id="_NODE_TO_SIGN"), papers=papers)
        assert reply.status == 201, reply.body
        assert found(reply) == {"sound.pdf": {SOUND}, "changed.pdf": {CHANGED}}
        listed = (await client.part(reply.body["number"], "attachments")).body["items"]
        assert [one["name"] for one in listed if not one["inside"]] == list(papers)
