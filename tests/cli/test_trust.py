"""`efile trust`, and what the gateway tells of its trust folder when it starts and when the folder changes."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

import certs_dev
from gateway.clock import clock
from gateway.development import Ports, install
from gateway.reloaded import load_signature_rules
from gateway.settings import load_settings
from tests.cli.running import efile


@pytest.fixture
def folder(tmp_path: Path, pki: certs_dev.DevPki) -> Path:
    return Path(shutil.copytree(pki.trust, tmp_path / "trust"))


def test_what_the_folder_holds_in_words_and_as_json(folder: Path) -> None:
    words = efile("trust", folder)
    assert words.returncode == 0, words.stderr
    assert "danh sách thu hồi / revocation list: CN=DEV National Root CA" in words.stdout
    assert "còn hiệu lực / in force" in words.stdout
    told = json.loads(efile("trust", folder, "--json").stdout)
    kinds = [one["kind"] for one in told["holdings"]]
    assert {"anchor", "intermediate", "revocation-list"} == set(kinds)
    assert {one["state"] for one in told["holdings"]} == {"in-force"}


def test_a_folder_that_the_gateway_would_not_take(folder: Path, tmp_path: Path) -> None:
    (folder / "crls/broken.crl").write_bytes(b"no list")
    broken = efile("trust", folder)
    assert (broken.returncode, "broken.crl" in broken.stderr) == (2, True)
    assert efile("trust", tmp_path / "absent").returncode == 2


def test_the_gateway_tells_once_what_has_ended_and_what_soon_will(tmp_path: Path) -> None:
    made = install(tmp_path, at=clock(), ports=Ports(1, 2, 3))
    settings = load_settings(made.settings)
    days = 0

    def told() -> list[str]:
        return [f"{entry['event']} {entry['kind']}" for entry in seen if "name" in entry]

    with structlog.testing.capture_logs() as seen:
        rules = load_signature_rules(settings, lambda: clock() + timedelta(days=days))
        assert told() == []
        days = 25  # the lists of the development PKI live for thirty days
        (settings.trust.directory / "changed").touch()
        rules.refresh()
        assert set(told()) == {"trust-ends-soon revocation-list"}
        lists = len(told())
        (settings.trust.directory / "changed again").touch()
        rules.refresh()
        assert len(told()) == lists, "not again at every reload"
        days = 31
        (settings.trust.directory / "and again").touch()
        rules.refresh()
        assert told()[lists:] == ["trust-ended revocation-list"] * lists
