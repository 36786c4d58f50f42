"""docs/forms.md lists the catalogue as it is."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import efile

ROOT = Path(__file__).parents[2]


def test_the_table_of_forms_is_the_catalogue() -> None:
    told = (ROOT / "docs/forms.md").read_text("utf-8")
    assert told.endswith("\n\n" + efile("forms", "--table").stdout), "renew it: efile forms --table"
