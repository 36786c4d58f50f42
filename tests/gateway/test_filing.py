"""The nouns: numbers, status words, the vocabulary that files, README and code share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from gateway.filing.identifiers import check_character, is_filing_number, new_filing_number
from gateway.filing.stages import DELIVERY, INTAKE
from gateway.filing.status import FINAL, FOLLOWS, WORDS, Status
from gateway.journey import STEPS
from gateway.store.verdicts import WITH_THE_AGENCY

ROOT = Path(__file__).resolve().parents[2]
LATE_EVENING_UTC = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)  # the next day in Vietnam


def test_a_number_names_gateway_and_vietnam_date() -> None:
    number = new_filing_number("SLA", LATE_EVENING_UTC)
    assert re.fullmatch(r"SLA-20261125-[0-9A-HJKMNP-TV-Z]{12}-[0-9A-Z]", number)
    assert is_filing_number(number)


def test_every_single_error_is_caught() -> None:
    number = new_filing_number("SLA", LATE_EVENING_UTC)
    for position, right in enumerate(number):
        for wrong in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
            if right not in ("-", wrong):
                assert not is_filing_number(number[:position] + wrong + number[position + 1 :])


def test_nearly_every_swap_of_neighbours_is_caught() -> None:
    """What a hybrid system of ISO/IEC 7064 promises; counted over numbers that are the same in every run."""
    swaps, missed, drawn = 0, 0, Random(7064)
    for _ in range(500):
        stem = "SLA-20261125-" + "".join(drawn.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=12))
        number = f"{stem}-{check_character(stem)}"
        for position in range(len(number) - 1):
            one, other = number[position : position + 2]
            if "-" not in (one, other) and one != other:
                swaps += 1
                missed += is_filing_number(number[:position] + other + one + number[position + 2 :])
    assert swaps > 8000
    assert missed / swaps < 0.005


def test_check_character_is_iso_7064_mod_37_36() -> None:
    """The standard's own example of a hybrid system with letters: GRid A1-2425G-ABC1234002-M."""
    assert check_character("A1-2425G-ABC1234002") == "M"


def test_numbers_do_not_repeat_and_do_not_count() -> None:
    numbers = {new_filing_number("SLA", LATE_EVENING_UTC) for _ in range(10_000)}
    assert len(numbers) == 10_000
    assert len({number.split("-")[2][:2] for number in numbers}) > 900


@pytest.mark.parametrize(
    "text", ["", "SLA", "SLA-20261124-000000000000-", "../../etc/passwd", "SLA-٢0261124-000000000000-0"]
)
def test_what_is_no_number(text: str) -> None:
    assert not is_filing_number(text)


def test_each_stage_is_a_module_of_its_corridor() -> None:
    for corridor, stages in (("intake", INTAKE), ("delivery", DELIVERY)):
        modules = {file.stem for file in (ROOT / "gateway" / corridor).glob("*.py")}
        assert {stage.value for stage in stages} <= modules


def test_each_status_has_words_and_a_way_on() -> None:
    assert set(WORDS) == set(Status) == set(FOLLOWS)
    assert set(STEPS) | FINAL | {Status.STUCK} == set(Status)
    for words in WORDS.values():
        assert all(words)


def test_a_verdict_may_overtake_the_delivery_only_where_the_filing_has_left() -> None:
    for status in Status:
        assert (Status.ACCEPTED in FOLLOWS[status]) == (status in WITH_THE_AGENCY)
