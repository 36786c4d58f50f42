"""Every form of the catalogue, with what hostile or careless software writes in each of its fields.

Made from the form's own schema and its passing example: nothing crashes, nothing wrong passes, everything is explained.
"""

from __future__ import annotations

import copy
import random
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from lxml import etree

from schemas import Catalogue, Description, Examination, load_catalogue
from schemas.example_checks import PASSING, body_of, read_cases

FORMS = load_catalogue().descriptions()
FIELDS_A_FORM = 12

WRONG = {
    "integer": ["１２", "-0", "1e9", "007", "1.000.000", "9" * 19, "+5", "0x10", "NaN", "1,5", " 5", "five", "١٢"],
    "decimal": ["１２.5", "1e9", "1,5", "12.", ".5", "NaN", "INF", "9" * 19, "0.1234567", "+5", "--1"],
    "tick": ["có", "2", "yes", "１", "10"],
    "date": ["2026-02-30", "30/02/2026", "2026-13-01", "2026-1-1", "nay", "0000-00-00", "２０２６-01-01", "20260101"],
}  # fmt: skip


def called(form: Description) -> str:
    return f"{form.form.code}-{form.form.version}"


@pytest.fixture(params=FORMS, ids=called)
def form(request: pytest.FixtureRequest) -> Description:
    found: Description = request.param
    return found


class Example:
    """A form's passing example, and how what is changed in it is judged."""

    def __init__(self, catalogue: Catalogue, form: Description) -> None:
        folder = form.form.folder / "examples"
        self.body = body_of((folder / PASSING).read_bytes(), catalogue.families)
        self.received_at: datetime = read_cases(folder).received_at
        self._catalogue = catalogue
        self.leaves = [node for node in self.body.iter("*") if not len(node)]

    def judged(self, change: Callable[[etree._Element], None], node: etree._Element) -> Examination:
        """What is found once `change` was done to a copy's `node`."""
        body = copy.deepcopy(self.body)
        where = self.body.getroottree().getelementpath(node)
        root = self.body.getroottree().getelementpath(self.body)
        change(body if node is self.body else body.find(where.removeprefix(f"{root}/")))
        return self._catalogue.examine_element(body, self.received_at)


@pytest.fixture
def example(catalogue: Catalogue, form: Description) -> Example:
    return Example(catalogue, form)


def path_of(node: etree._Element) -> str:
    """By local names, below the body."""
    names = [etree.QName(node).localname, *(etree.QName(one).localname for one in node.iterancestors())]
    return "/".join(reversed(names[:-2]))


def fields(example: Example, form: Description, kinds: object) -> Iterator[tuple[etree._Element, str]]:
    """Some of the example's filled fields of these kinds, and the kind."""
    by_path = {one.path: one for one in form.fields}
    found = [
        (node, by_path[path].kind)
        for node in example.leaves
        if (path := path_of(node)) in by_path and by_path[path].kind in kinds  # type: ignore[operator]
    ]
    chance = random.Random(form.form.code)
    return iter(found if len(found) <= FIELDS_A_FORM else chance.sample(found, FIELDS_A_FORM))


def explained(found: Examination) -> None:
    assert not found.accepted
    for fault in found.faults:
        assert all((fault.message_vi, fault.message_en, fault.code))
        if fault.severity == "ERROR":
            assert all((fault.remedy_vi, fault.remedy_en))
            assert fault.path or fault.code.startswith(("xml.", "fault."))


def with_text(text: str) -> Callable[[etree._Element], None]:
    def change(node: etree._Element) -> None:
        node.text = text

    return change


def test_a_value_of_the_wrong_kind_is_refused_where_it_stands(example: Example, form: Description) -> None:
    chance = random.Random(form.form.code)
    for node, kind in fields(example, form, WRONG):
        for text in chance.sample(WRONG[kind], 3):
            found = example.judged(with_text(text), node)
            explained(found)
            name = etree.QName(node).localname
            assert any(name in fault.path for fault in found.faults), (name, text, found.faults)


def test_what_is_missing_repeated_or_strange_is_refused(example: Example, form: Description) -> None:
    def remove(node: etree._Element) -> None:
        parent = node.getparent()
        assert parent is not None
        parent.remove(node)

    def repeat(node: etree._Element) -> None:
        node.addnext(copy.deepcopy(node))

    def add(node: etree._Element) -> None:
        node.addnext(node.makeelement("{urn:strange}x"))

    def fill(node: etree._Element) -> None:
        etree.SubElement(node, "{urn:strange}x").text = "1"

    by_path = {one.path: one for one in form.fields}
    for node, _ in fields(example, form, {"integer", "decimal", "tick", "date", "text"}):
        field = by_path[path_of(node)]
        if not field.optional:
            explained(example.judged(remove, node))
        if field.group is None or field.path != field.group.path:
            explained(example.judged(repeat, node))
        explained(example.judged(add, node))
        explained(example.judged(fill, node))


def test_the_heading_keeps_its_order(example: Example, form: Description) -> None:
    [head] = [node for node in example.body if etree.QName(node).localname in form.family.heading]
    for holder in (node for node in head.iter("*") if len(node) > 1):

        def swap(node: etree._Element) -> None:
            node.append(node[0])

        explained(example.judged(swap, holder))


def test_text_that_looks_alike_is_told(example: Example, form: Description) -> None:
    """Decomposed Vietnamese, digits of other scripts in codes, controls: never taken for what they look like."""
    texts = [
        node
        for node, _ in fields(example, form, {"text"})
        if (node.text or "") != unicodedata.normalize("NFD", node.text or "")
    ]
    for node in texts[:4]:
        found = example.judged(with_text(unicodedata.normalize("NFD", node.text or "")), node)
        assert any(fault.severity != "INFO" for fault in found.faults), node.tag


@pytest.mark.parametrize("form", [one for one in FORMS if one.form.period_kinds], ids=called)
def test_periods_that_the_form_is_not_for(example: Example, form: Description) -> None:
    [kind] = [node for node in example.leaves if etree.QName(node).localname == "kieuKy"]
    for other in ("M", "Q", "Y", "D", "X", "", "m"):
        if other not in form.form.period_kinds:
            explained(example.judged(with_text(other), kind))
    [period] = [node for node in example.leaves if etree.QName(node).localname == "kyKKhai"]
    for text in ("13/2026", "00/2026", "Q2/2026", "99/9999", "2026-05", "", "０５/2026"):
        explained(example.judged(with_text(text), period))
