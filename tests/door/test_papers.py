"""Papers beside a dossier, through the door: taken in, kept and carried with it; and every way to get them wrong."""

from __future__ import annotations

import asyncio
import hashlib
import resource
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

import schemas
from adapters.simulator import Behaviour
from gateway.client.http import GatewayClient, Reply
from tests.documents import sign, signed
from tests.house import House, house_at

FORMS = {one.form.code: one for one in schemas.load_catalogue().descriptions()}
TODAY = schemas.vietnam_day(datetime.now(UTC))
Papers = dict[str, bytes]
B = "b0undary"


def unsigned(house: House, service: str = "karaoke-licence") -> tuple[bytes, Papers]:
    """A dossier, and its papers beside it."""
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    document, papers = schemas.papers_apart(FORMS[service].example("passes.xml", tax_code=code, on=TODAY))
    return document, dict(papers)


def dossier(house: House, service: str = "karaoke-licence") -> tuple[bytes, Papers]:
    document, papers = unsigned(house, service)
    return sign(house.pki, document, target_id="_NODE_TO_SIGN"), papers


def larger(document: bytes, papers: Papers, size: int) -> tuple[bytes, Papers]:
    """The first paper grown to about `size`, and the list with it."""
    root = etree.fromstring(document)
    first = next(schemas.attachments_of(root[0]))
    papers = papers | {first.file_name: papers[first.file_name] + b" " * size}
    paper = schemas.Paper.of(first.file_name, papers[first.file_name])
    first.element[3].text, first.element[4].text = str(len(paper.content)), paper.sha256
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True), papers


def codes(reply: Reply) -> list[str]:
    return sorted(finding["code"] for finding in reply.body["findings"])


async def recorded(house: House) -> int:
    ((count,),) = await house.gateway.store._driver.read("SELECT count(*) FROM filing")
    return int(count)


async def test_papers_are_kept_listed_and_given_back(house: House) -> None:
    document, papers = dossier(house)
    async with house.client() as client, house.client("provider-a") as other:
        filed = await client.submit(document, "k", papers)
        assert filed.status == 201, filed.body
        number = filed.body["number"]
        listed = (await client.part(number, "attachments")).body["items"]
        assert [(one["n"], one["name"], one["inside"]) for one in listed] == [
            (n, name, False) for n, name in enumerate(papers, 1)
        ]
        for one in listed:
            got = await client._call("GET", one["link"])
            assert got.octets == papers[one["name"]]
            assert hashlib.sha256(got.octets).hexdigest() == one["digest"]["value"]
            assert (await other._call("GET", one["link"])).status == 404
        assert (await other.part(number, "attachments")).status == 404
        for nonsense in ("0", "4", "-1", "x", "1e3", "99999999999"):
            assert (await client.part(number, f"attachments/{nonsense}")).status == 404
        assert (await client.part(number, "document")).octets == document
        view = (await client.part(number, "view")).octets.decode()
        assert all(name in view for name in papers)


async def test_a_paper_inside_its_dossier_is_given_too_and_only_to_be_saved(house: House) -> None:
    import aiohttp

    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    example = FORMS["karaoke-licence"].example("passes.xml", tax_code=code)
    _, papers = schemas.papers_apart(example)
    async with house.client() as client, aiohttp.ClientSession() as session:
        number = (await client.submit(sign(house.pki, example, target_id="_NODE_TO_SIGN"))).body["number"]
        listed = (await client.part(number, "attachments")).body["items"]
        assert [one["inside"] for one in listed] == [True] * 3
        url = f"{house.url}{listed[1]['link']}"
        async with session.get(url, ssl=house.connection().tls()) as answer:
            assert await answer.read() == papers[listed[1]["name"]]
            assert answer.content_type == "application/pdf"
            assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_papers_go_to_the_agency_with_their_dossier_and_on_to_those_that_cooperate(
    tmp_path: Path, pki_home: Path
) -> None:
    service = "company-single-member-formation"
    async with (
        house_at(tmp_path, pki_home, serves={"lead": ["planning-investment", "finance"]}) as house,
        house.client() as client,
    ):
        document, papers = dossier(house, service)
        number = (await client.submit(document, papers=papers)).body["number"]
        assert (await house.follow(client, number))["status"] == "accepted"
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in papers.items()}
        assert house.agencies["lead"].books[number].papers == digests
        async with asyncio.timeout(20):
            while f"{number}~tax" not in house.simulator.books:
                await asyncio.sleep(0.02)
        assert house.simulator.books[f"{number}~tax"].papers == digests


async def test_a_repeat_has_the_same_papers_and_no_others(house: House) -> None:
    document, papers = dossier(house)
    first, *_ = papers
    async with house.client() as client:
        filed = await client.submit(document, "k", papers)
        number, receipt = filed.body["number"], (await client.part(filed.body["number"], "receipt")).octets
        for key, same in (("k", papers), ("k2", dict(reversed(papers.items()))), (None, papers)):
            again = await client.submit(document, key, same)
            assert (again.status, again.body["number"]) == (200, number)
        assert (await client.part(number, "receipt")).octets == receipt
        lacking = {name: content for name, content in papers.items() if name != first}
        for other, found in (
            (lacking, ["papers.missing"]),
            (papers | {first: b"%PDF-other"}, ["papers.missing", "papers.other"]),
            (None, ["papers.missing"] * 3),
        ):
            refused = await client.submit(document, None, other)
            assert (refused.status, refused.body["type"]) == (409, "urn:efile:problem:papers-differ")
            assert (refused.body["number"], codes(refused)) == (number, found)
            reused = await client.submit(document, "k", other)
            assert (reused.status, reused.body["type"]) == (409, "urn:efile:problem:idempotency-key-reused")
        assert await recorded(house) == 1


async def test_fifty_at_once_with_and_without_a_paper_make_one_filing(house: House) -> None:
    document, papers = dossier(house)
    lacking = dict(list(papers.items())[1:])
    async with house.client() as client:
        replies = await asyncio.gather(
            *(client.submit(document, papers=papers if n % 5 else lacking) for n in range(50))
        )
        taken = [reply.body["number"] for reply in replies if reply.status in (200, 201)]
        assert len(set(taken)) == 1
        assert len(taken) == 40
        assert {reply.status for reply in replies} <= {200, 201, 409, 422}


async def test_what_the_papers_lack_is_refused_with_a_notice_and_may_be_sent_anew(house: House) -> None:
    document, papers = dossier(house)
    first, *rest = papers
    lacking = {name: papers[name] for name in rest}
    async with house.client() as client:
        assert codes(await client.check(document, lacking)) == ["attachment.not-sent"]
        assert (await client.check(document, papers)).body["verdict"] == "acknowledged"
        refused = await client.submit(document, "k", lacking)
        assert (refused.status, codes(refused)) == (422, ["attachment.not-sent"])
        number = refused.body["number"]
        assert schemas.read_notice((await client.part(number, "receipt")).octets).kind == "refusal"
        listed = (await client.part(number, "attachments")).body["items"]
        assert [one.get("link") for one in listed] == [None] * 3
        assert (await client.part(number, "attachments/2")).status == 404
        assert (await client.submit(document, "k", lacking)).body["number"] == number
        assert (await client.submit(document, "k", papers)).status == 409
        assert (await client.submit(document, "k2", papers)).status == 201
        both = {"x.pdf": papers[first], rest[0]: b"GIF89a", "y.pdf": b"%PDF-"} | {rest[1]: papers[rest[1]]}
        assert codes(await client.check(document, both)) == [
            "attachment.digest",
            "attachment.not-named",
            "attachment.not-what-it-says",
            "attachment.other-name",
            "attachment.size",
        ]
        assert "attachment.not-named" in codes(await client.check(signed(house.pki), {"x.pdf": b"%PDF-"}))


def part(content: bytes, *headers: str) -> bytes:
    return b"\r\n".join([*(line.encode() for line in headers), b"", content])


def body(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(f"--{B}\r\n".encode() + one + b"\r\n" for one in parts) + f"--{B}".encode() + end


XML = "Content-Type: application/xml"


def filing(document: bytes, *more: str) -> bytes:
    return part(document, 'Content-Disposition: form-data; name="filing"; filename="f.xml"', XML, *more)


def paper(name: str, content: bytes, *more: str) -> bytes:
    return part(content, f'Content-Disposition: form-data; name="attachment"; filename="{name}"', *more)


async def post(client: GatewayClient, octets: bytes, content_type: str | None = None) -> Reply:
    headers = {"Content-Type": content_type or f"multipart/form-data; boundary={B}"}
    return await client._call("POST", "/v1/check", octets, headers)


async def test_the_signed_file_may_come_first_by_name_or_as_the_start_of_related_parts(house: House) -> None:
    document, papers = dossier(house)
    beside = [paper(name, content) for name, content in papers.items()]
    by_id = [
        part(content, f"Content-ID: <{name}>", "Content-Transfer-Encoding: binary")
        for name, content in papers.items()
    ]
    extended = [
        part(content, f"Content-Disposition: attachment; filename*=UTF-8''{name}")
        for name, content in papers.items()
    ]
    related = f'Multipart/Related; type="application/xml"; boundary="{B}"'
    good: Mapping[str, tuple[bytes, str | None]] = {
        "first": (body(part(document, XML), *beside), None),
        "by name, last": (body(*beside, filing(document)), None),
        "related": (body(part(document, XML), *by_id), related),
        "related, with start": (
            body(*by_id, part(document, XML, "Content-ID: <dossier>")),
            f'{related}; start="<dossier>"',
        ),
        "extended names, blanks after a boundary": (
            body(part(document, XML), *extended).replace(b"0undary\r\n", b"0undary \t\r\n"),
            related,
        ),
        "alone": (body(filing(document)), None),
    }
    async with house.client() as client:
        for name, (octets, content_type) in good.items():
            reply = await post(client, octets, content_type)
            expected = ["attachment.not-sent"] * 3 if name == "alone" else []
            assert (reply.status, codes(reply)) == (200, expected), name


def bad_requests(document: bytes, papers: Papers) -> Mapping[str, tuple[bytes, str | None, list[str]]]:
    name, content = next(iter(papers.items()))
    whole = body(filing(document), paper(name, content))
    traversal = ["../../etc/passwd", "a/b.pdf", "..\\\\b.pdf", "x" * 201, "", "con:"]
    return {
        "no boundary": (whole, "multipart/form-data", ["boundary"]),
        "an empty one": (whole, 'multipart/form-data; boundary=""', ["boundary"]),
        "too long": (whole, f"multipart/form-data; boundary={'b' * 71}", ["boundary"]),
        "other characters": (whole, 'multipart/form-data; boundary="a\\"b"', ["boundary"]),
        "twice": (whole, f"multipart/form-data; boundary={B}; boundary=c", ["content-type"]),
        "unquoted": (whole, f"multipart/form-data; boundary={B}@", ["content-type"]),
        "another boundary": (whole, "multipart/form-data; boundary=other", ["no-parts"]),
        "nothing": (b"", None, ["no-parts"]),
        "no boundary in a megabyte": (b"x" * 1_000_000, None, ["no-parts"]),
        "something before": (b"hello\r\n" + whole, None, ["stray"]),
        "something after": (whole + b"hello", None, ["stray"]),
        "cut off in a paper": (whole[:-30], None, ["cut-off"]),
        "cut off in the last line": (whole[:-3], None, ["cut-off"]),
        "cut off in headers": (body(filing(document), end=b"\r\nContent-Ty"), None, ["cut-off"]),
        "a boundary with a tail": (whole.replace(b"0undary\r\n", b"0undaryX\r\n"), None, ["boundary-line"]),
        "bare line feeds": (whole.replace(b"\r\n", b"\n"), None, ["boundary-line"]),
        "base64": (
            body(filing(document), paper(name, b"JVBERi0=", "Content-Transfer-Encoding: base64")),
            None,
            ["transfer-encoding"],
        ),
        "gzip": (body(filing(document, "Content-Encoding: gzip")), None, ["transfer-encoding"]),
        "two filings": (body(filing(document), filing(document)), None, ["root"]),
        "a start that is none": (
            body(part(document, XML, "Content-ID: <x>")),
            f'multipart/related; boundary={B}; start="<y>"',
            ["root"],
        ),
        "201 papers": (body(filing(document), *[paper("a.pdf", b"")] * 201), None, ["too-many-parts"]),
        "no name": (body(filing(document), part(b"%PDF-")), None, ["file-name"]),
        "bad names, all told": (
            body(filing(document), *(paper(one, b"") for one in traversal)),
            None,
            ["file-name"] * len(traversal),
        ),
        "NUL in a name": (body(filing(document), paper("a\0b.pdf", b"")), None, ["part-header"]),
        "NUL by octets": (
            body(filing(document), part(b"", "Content-Disposition: a; filename*=UTF-8''a%00b")),
            None,
            ["file-name"],
        ),
        "no UTF-8": (
            body(filing(document), paper("a?b.pdf", b"").replace(b"?", b"\xff")), None, ["part-header"],
        ),
        "a header twice": (body(filing(document, XML)), None, ["part-header"]),
        "a folded header": (body(filing(document, " folded: x")), None, ["part-header"]),
        "endless headers": (body(filing(document, "X: " + "x" * 20_000)), None, ["part-header"]),
        "a parameter without end": (
            body(filing(document), part(b"", 'Content-Disposition: form-data; filename="a')),
            None,
            ["part-header"],
        ),
    }  # fmt: skip


async def test_what_is_no_multipart_request_is_told_and_leaves_nothing(house: House) -> None:
    document, papers = dossier(house)
    async with house.client() as client:
        for name, (octets, content_type, expected) in bad_requests(document, papers).items():
            headers = {"Content-Type": content_type or f"multipart/form-data; boundary={B}"}
            reply = await client._call("POST", "/v1/filings", octets, headers)
            assert reply.status == 400, (name, reply.body)
            assert reply.body["type"] == "urn:efile:problem:unreadable"
            assert codes(reply) == sorted(f"multipart.{code}" for code in expected), name
            for finding in reply.body["findings"]:
                assert all(finding[part][lang] for part in ("message", "remedy") for lang in ("vi", "en"))
        assert await recorded(house) == 0
        for kind in ("multipart/mixed", "multipart/form-data-x", "multipart"):
            assert (await post(client, body(filing(document)), f"{kind}; boundary={B}")).status == 415
        assert (await post(client, body(part(document, "Content-Type: text/plain")))).status == 415
        assert (await post(client, body(part(b"", XML)))).body["findings"][0]["code"] == "document.empty"


async def test_parts_over_the_limits_are_told(tmp_path: Path, pki_home: Path) -> None:
    limits = {"body_bytes": 100_000, "parts_bytes": 300_000, "bodies_bytes": 2_000_000}
    async with house_at(tmp_path, pki_home, limits=limits) as house, house.client() as client:
        document, papers = dossier(house)
        assert (await client.check(document, papers)).body["verdict"] == "acknowledged"
        for octets, limit in (
            (body(filing(document), paper("a.pdf", b"x" * 300_001)), 300_000),
            (body(filing(document + b" " * 100_000)), 100_000),
            (body(filing(document), paper("a.pdf", b"x" * 1_500_000)), 1_400_000),
        ):
            reply = await post(client, octets)
            assert (reply.status, reply.body["type"]) == (413, "urn:efile:problem:too-large")
            assert reply.body["limit"] == limit


async def test_a_hundred_megabytes_of_papers_cost_bounded_memory(tmp_path: Path, pki_home: Path) -> None:
    """Six papers of 16 MB: held once, written once, read one filing at a time."""
    behaviour = Behaviour(verdict_delay_s=0.05)
    async with (
        house_at(
            tmp_path, pki_home, behaviour=behaviour, serves={"culture": ["culture-sports-tourism"]}
        ) as house,
        house.client() as client,
    ):
        document, papers = larger(*unsigned(house), 16_000_000)
        document = sign(house.pki, document, target_id="_NODE_TO_SIGN")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        filed = await client.submit(document, papers=papers)
        assert filed.status == 201, filed.body
        await house.follow(client, filed.body["number"])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
