"""`efile migrate` and `--store`: what is missing is said, then applied, at the place that was named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from gateway.development import install
from tests.cli.running import efile


def test_what_is_missing_is_said_applied_and_then_no_longer_missing(tmp_path: Path) -> None:
    settings = install(tmp_path, at=datetime.now(UTC)).settings
    place = ("--config", settings, "--store", tmp_path / "other.sqlite")
    before = efile("migrate", "--check", *place, "--json")
    assert before.returncode == 1
    missing = json.loads(before.stdout)["missing"]
    assert missing[0] == "0001_spine.sql"
    assert not (tmp_path / "other.sqlite").exists(), "only looked at"
    done = efile("migrate", *place, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"applied": missing})
    assert efile("migrate", "--check", *place).returncode == 0
    assert not (tmp_path / "store").exists(), "the settings' own store is another"


def test_a_server_that_is_away_and_a_url_that_is_unfit_are_told_in_a_line(tmp_path: Path) -> None:
    settings = install(tmp_path, at=datetime.now(UTC)).settings
    away = efile("queue", "list", "--config", settings, "--store", "postgresql://efile@127.0.0.1:1/efile")
    assert (away.returncode, away.stderr.count("\n")) == (3, 1)
    unfit = efile("migrate", "--config", settings, "--store", "postgresql://efile:s3cret@127.0.0.1:1/efile")
    assert (unfit.returncode, unfit.stderr.count("\n")) == (2, 1)
    assert "s3cret" not in unfit.stderr
