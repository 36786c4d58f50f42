"""`efile` with papers beside a dossier: made, checked offline, filed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import efile, efile_beside
from tests.documents import sign
from tests.house import House


async def test_a_dossier_is_made_checked_and_filed_with_its_papers(house: House, tmp_path: Path) -> None:
    file, papers = tmp_path / "d.xml", tmp_path / "papers"
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    made = efile("new", "karaoke-licence", "--tax-code", code, "--papers", papers, "-o", file)
    assert made.returncode == 0, made.stderr
    assert len(list(papers.iterdir())) == 3
    (papers / ".hidden").write_bytes(b"x")
    file.write_bytes(sign(house.pki, file.read_bytes(), target_id="_NODE_TO_SIGN"))
    trust = ("--trust", house.pki.trust)
    good = efile("check", file, *trust, "--attach", papers)
    assert (good.returncode, "acknowledged" in good.stdout) == (0, True), good.stdout
    first, *others = sorted(papers.glob("*.pdf"))
    some = [argument for other in others for argument in ("--attach", other)]
    lacking = efile("check", file, *trust, *some, "--json")
    assert lacking.returncode == 1
    assert [one["code"] for one in json.loads(lacking.stdout)["findings"]] == ["attachment.not-sent"]
    profile = ("--profile", house.installation.profile)
    refused = await efile_beside("submit", file, *profile, *some)
    assert (refused.returncode, first.name in refused.stdout) == (1, True)
    filed = await efile_beside("submit", file, *profile, "--attach", papers, "--json")
    assert filed.returncode == 0, filed.stdout + filed.stderr
    async with house.client("provider-a") as client:
        listed = (await client.part(json.loads(filed.stdout)["number"], "attachments")).body["items"]
        assert [(await client._call("GET", one["link"])).octets for one in listed] == [
            (papers / one["name"]).read_bytes() for one in listed
        ]


def test_two_papers_of_one_name_and_a_form_without_papers_are_mistakes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.pdf").write_bytes(b"%PDF-")
    file = tmp_path / "a" / "x.pdf"
    twice = efile("check", file, "--attach", tmp_path / "a", "--attach", tmp_path / "b" / "x.pdf")
    assert (twice.returncode, "x.pdf" in twice.stderr) == (2, True)
    assert efile("check", file, "--attach", tmp_path / "c").returncode == 2
    assert efile("new", "842", "--papers", tmp_path / "p").returncode == 2
    assert not (tmp_path / "p").exists()
