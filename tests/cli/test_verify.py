"""`efile verify`: files, reports, and lists of cases that try to break the judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

import certs_dev
import signing
from signing import cases
from tests.cli.running import efile
from tests.documents import signed

VR = "{http://uri.etsi.org/19102/v1.4.1#}"


@pytest.fixture
def document(tmp_path: Path, pki: certs_dev.DevPki) -> Path:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(pki))
    return file


class TestFiles:
    def test_words_in_both_languages(self, document: Path, pki: certs_dev.DevPki) -> None:
        vietnamese = efile("verify", document, "--trust", pki.trust)
        assert vietnamese.returncode == 0, vietnamese.stdout + vietnamese.stderr
        assert "TOTAL-PASSED: Chữ ký hợp lệ" in vietnamese.stdout
        english = efile("verify", document, "--trust", pki.trust, "--lang", "en").stdout
        assert "The signature is valid" in english
        assert "Signed: #ID_1" in english
        assert "5500123457" in english

    def test_a_change_is_told_and_exits_1(self, document: Path, pki: certs_dev.DevPki) -> None:
        good = document.with_name("good.xml")
        good.write_bytes(document.read_bytes())
        document.write_bytes(document.read_bytes().replace(b"<ct22>", b"<ct22>1", 1))
        done = efile("verify", good, document, "--trust", pki.trust)
        assert done.returncode == 1
        assert f"{good}: TOTAL-PASSED" in done.stdout
        assert f"{document}: TOTAL-FAILED (HASH_FAILURE)" in done.stdout
        assert "bị sửa sau khi ký" in done.stdout
        assert "không có phần nào được chứng minh" in done.stdout

    def test_trust_by_files(self, document: Path, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        crls = ("--crl", pki.trust / "crls")
        pool = ("--untrusted", pki.trust / "intermediates")
        anchors = ("--trust", pki.trust / "anchors")
        assert efile("verify", document, *anchors, *pool, *crls).returncode == 0
        without = json.loads(efile("verify", document, *anchors, *pool, "--report", "json").stdout)
        assert (without["indication"], without["sub_indication"]) == ("INDETERMINATE", "TRY_LATER")
        alone = json.loads(efile("verify", document, *anchors, "--report", "json").stdout)
        assert alone["sub_indication"] == "NO_CERTIFICATE_CHAIN_FOUND"

    def test_pinned_and_embedded(self, document: Path, pki: certs_dev.DevPki) -> None:
        assert efile("verify", document, "--pinned", pki["taxpayer"].certificate).returncode == 0
        assert efile("verify", document, "--pinned", pki["tvan"].certificate).returncode == 1
        assert efile("verify", document, "--embedded").returncode == 0

    def test_at_another_time(self, document: Path, pki: certs_dev.DevPki) -> None:
        done = efile("verify", document, "--trust", pki.trust, "--at", "2040-01-01T00:00:00+07:00")
        assert done.returncode == 1
        assert "INDETERMINATE" in done.stdout

    def test_the_report_of_etsi(self, document: Path, pki: certs_dev.DevPki) -> None:
        done = efile("verify", document, "--trust", pki.trust, "--report", "etsi")
        root = etree.fromstring(done.stdout.encode())
        assert root.tag == f"{VR}ValidationReport"
        main = root.findtext(f".//{VR}SignatureValidationStatus/{VR}MainIndication")
        assert main == "urn:etsi:019102:mainindication:total-passed"

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("{document}",),
            ("{document}", "--trust", "{document}"),
            ("{document}", "--embedded", "--policy", "no-such-policy"),
            ("{document}.not-there", "--embedded"),
            ("--cases", "{document}"),
        ],
    )
    def test_usage(self, document: Path, arguments: tuple[str, ...]) -> None:
        done = efile("verify", *(argument.format(document=document) for argument in arguments))
        assert done.returncode == 2
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


def listed(tmp_path: Path, *given: Any) -> Path:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(list(given)))
    return file


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_a_detached_cms_signature_and_its_content(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    (tmp_path / "content").write_bytes(b"hello")
    key, certificate = pki["taxpayer"].key, pki["taxpayer"].certificate
    command = [
        "openssl",
        "cms",
        "-sign",
        "-binary",
        "-cades",
        "-outform",
        "DER",
        "-in",
        "content",
        "-out",
        "s.p7s",
    ]
    subprocess.run([*command, "-signer", certificate, "-inkey", key], cwd=tmp_path, check=True)
    signature = tmp_path / "s.p7s"
    done = efile("verify", signature, "--trust", pki.trust, "--content", tmp_path / "content")
    assert done.returncode == 0, done.stdout
    assert efile("verify", signature, "--trust", pki.trust).returncode == 1
    given = [{"id": name, "path": "s.p7s", "external": {"": name}} for name in ("content", "s.p7s")]
    answers = efile("verify", "--cases", listed(tmp_path, *given)).stdout.splitlines()
    assert [json.loads(answer)["indication"] for answer in answers] == ["TOTAL-PASSED", "TOTAL-FAILED"]


class TestCases:
    def test_one_line_a_case(self, document: Path, tmp_path: Path, pki: certs_dev.DevPki) -> None:
        anchors = [str(file) for file in (pki.trust / "anchors").iterdir()]
        pool = [str(file) for file in (pki.trust / "intermediates").iterdir()]
        crls = [str(file) for file in (pki.trust / "crls").iterdir()]
        unsigned = tmp_path / "unsigned.xml"
        unsigned.write_text("<a/>")
        file = listed(
            tmp_path,
            {"id": "a", "path": "signed.xml", "key": {"embedded": True}},
            {
                "id": "b",
                "path": str(document),
                "key": {"trusted": anchors, "untrusted": pool, "crls": crls},
            },
            {"id": "c", "path": "signed.xml", "key": {"pubkey_cert": str(pki["tvan"].certificate)}},
            {"id": "d", "path": "not-there.xml", "key": {"embedded": True}},
            {"id": "e", "path": "unsigned.xml", "key": {"embedded": True}},
            {"id": "f", "path": "signed.xml", "key": {"trusted": ["signed.xml"]}},
            {"id": "g"},
        )
        done = efile("verify", "--cases", file)
        assert done.returncode == 0, done.stderr
        answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
        assert list(answers) == list("abcdefg")
        for answer in answers.values():
            keys = ["id", "indication", "sub_indication", "covered", "reason", "seconds"]
            assert sorted(answer) == sorted(keys)
        passed = {name for name, answer in answers.items() if answer["indication"] == "TOTAL-PASSED"}
        assert passed == {"a", "b"}
        assert answers["a"]["covered"] == ["#ID_1"]
        assert answers["c"]["reason"].startswith("key.pinned")
        assert answers["d"]["reason"] == "case.broken: path: no file not-there.xml"
        assert answers["e"]["indication"] == "INDETERMINATE"

    def test_a_crash_and_a_hang_are_one_cases_answer(
        self, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pipe nobody writes to is no file; a case that takes too long is given up, and those after it are judged."""
        os.mkfifo(tmp_path / "pipe")
        file = listed(
            tmp_path,
            {"id": 1, "path": "pipe"},
            {"id": 2, "path": "signed.xml"},
            {"id": 3, "path": "signed.xml"},
        )
        answers = cases.judge_cases(file, signing.load_policy("tt15-2025"))
        assert next(answers)["reason"] == "case.broken: path: no file pipe"
        monkeypatch.setattr(cases, "CASE_SECONDS", 0.0)
        assert next(answers)["reason"] == "no answer within 0 s"
        monkeypatch.setattr(cases, "CASE_SECONDS", 30.0)
        assert next(answers)["indication"] == "TOTAL-PASSED"
        answers.close()

    def test_odd_entries_are_each_their_own_answer(self, document: Path, tmp_path: Path) -> None:
        odd: list[Any] = [
            None, 7, "text", [], {}, {"path": 5}, {"path": ""}, {"path": "."}, {"path": "/dev/zero"},
            {"path": "signed.xml", "key": []}, {"path": "signed.xml", "time": "yesterday"},
            {"path": "signed.xml", "time": 5}, {"path": "signed.xml", "external": 3},
            {"path": "signed.xml", "key": {"trusted": "a"}}, {"path": "signed.xml", "key": {"pubkey": "signed.xml"}},
        ]  # fmt: skip
        answers = list(
            cases.judge_cases(
                listed(tmp_path, *odd, {"path": "signed.xml"}), signing.load_policy("tt15-2025")
            )
        )
        assert len(answers) == len(odd) + 1
        assert {answer["indication"] for answer in answers[:-1]} <= {"INDETERMINATE", "TOTAL-FAILED"}
        assert answers[-1]["indication"] == "TOTAL-PASSED"

    def test_a_killed_judge_is_replaced(self, document: Path, tmp_path: Path) -> None:
        judge = cases._Judge(tmp_path, signing.load_policy("tt15-2025"))
        assert judge.answer({"path": "signed.xml"})["indication"] == "TOTAL-PASSED"
        assert judge._process is not None
        judge._process.kill()
        assert judge.answer({"path": "signed.xml"})["reason"] == "the judge crashed"
        assert judge.answer({"path": "signed.xml"})["indication"] == "TOTAL-PASSED"
        judge.stop()
