"""What the tests of schemas/ share: one catalogue, and declarations as the signature covers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from schemas import (
    OWN_CATALOGUE,
    Catalogue,
    Examination,
    example_declaration,
    export_catalogue,
    load_catalogue,
)

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
VIETNAM = timezone(timedelta(hours=7))
RECEIVED = datetime(2026, 7, 20, 9, 0, tzinfo=VIETNAM)

Examine = Callable[..., Examination]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


def copy_of_catalogue(target: Path, *codes: str) -> Path:
    """A copy to change, of which only the forms with these codes are listed: each load judges every form it has."""
    export_catalogue(OWN_CATALOGUE, target)
    table = target / "catalogue.toml"
    head, *rows = table.read_text("utf-8").split("\n[[form]]\n")
    kept = [row for row in rows if any(f'code = "{code}"\n' in row for code in codes)]
    assert len(kept) >= len(codes)
    table.write_text("\n[[form]]\n".join([head, *kept]), "utf-8")
    return target


def signed_part(document: bytes) -> bytes:
    """The HSoKhaiThue element, alone and canonical."""
    alone = etree.tostring(etree.fromstring(document)[0], with_tail=False)
    return etree.tostring(etree.fromstring(alone), method="c14n", with_comments=True)


@pytest.fixture
def examine(catalogue: Catalogue) -> Examine:
    """Examine an example: `overrides` by element name, `replace` on the text of the document."""

    def run(
        overrides: Mapping[str, str | None] | None = None,
        *,
        replace: Mapping[str, str] | None = None,
        received_at: datetime = RECEIVED,
        **example: object,
    ) -> Examination:
        octets = signed_part(example_declaration(overrides=overrides, **example))  # type: ignore[arg-type]
        text = octets.decode("utf-8")
        for old, new in (replace or {}).items():
            assert old in text, f"nothing to replace: {old}"
            text = text.replace(old, new, 1)
        return catalogue.examine(text.encode("utf-8"), received_at=received_at)

    return run


def codes(examination: Examination) -> list[str]:
    return [fault.code for fault in examination.faults]
