"""efile forms and efile new: what can be filed, and a document to start from."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import efile


def test_one_entry_a_form() -> None:
    entries = json.loads(efile("forms", "--json").stdout)
    names = [f"{entry['code']}-{entry['version']}" for entry in entries]
    assert len(set(names)) == len(names)
    assert {"842-2.8.3"} <= set(names)
    [vat] = [entry for entry in entries if entry["code"] == "842"]
    assert vat["kinds"] == ["C", "B"]
    assert vat["annexes"] == {"B": ["PL01_KHBS", "PL01_1_KHBS"]}
    [field] = [field for field in vat["fields"] if field["indicator"] == "36"]
    assert field["path"] == "CTieuTKhaiChinh/ct36"
    assert field["label"]["vi"] == "Thuế giá trị gia tăng phát sinh trong kỳ"
    assert {"code": "842.36", "severity": "ERROR", "rule": "[36] = [35] - [25]"} in vat["rules"]
    assert efile("forms").stdout.count("842-2.8.3") == 1
    assert "842.36" in efile("forms", "01/GTGT").stdout


def test_an_unknown_form_is_a_usage_error() -> None:
    for arguments in (["forms", "999"], ["new", "999"], ["new", "842", "--example", "nothing.xml"]):
        done = efile(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_new_document_is_written(tmp_path: Path) -> None:
    out = tmp_path / "new.xml"
    assert efile("new", "842-2.8.3", "-o", out).returncode == 0
    found = json.loads(efile("check", out, "--json").stdout)
    errors = {finding["code"] for finding in found["findings"] if finding["severity"] == "ERROR"}
    assert {code.partition(".")[0] for code in errors} <= {"signature", "document"}


def test_a_copy_takes_a_changed_form_and_a_faulty_one_names_its_faults(tmp_path: Path) -> None:
    copy = tmp_path / "catalogue"
    assert efile("forms", "--export", copy).returncode == 0
    assert efile("forms", "--export", copy).returncode == 2
    rules = copy / "tax/842-2.8.3/rules.toml"
    rules.write_text(
        rules.read_text("utf-8") + '\n[[rule]]\ncode = "842.mine"\nrule = "[22] >= 1"\n', "utf-8"
    )
    assert "842.mine" in efile("forms", "842", "--catalogue", copy).stdout
    rules.write_text(rules.read_text("utf-8").replace("[22] >= 1", "[99] >= 1"), "utf-8")
    done = efile("forms", "--catalogue", copy)
    assert done.returncode == 2
    assert "842.mine" in done.stderr
    assert "Traceback" not in done.stderr
