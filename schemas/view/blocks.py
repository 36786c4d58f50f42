"""From an element to headings, rows and tables: everything that stands in it, up to a limit, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from schemas.faults import shown
from schemas.fields import Label
from schemas.lexical import Kind
from schemas.naming import Naming
from schemas.view.page import Block, Cell, Column, Name, Row, Rows, Section, Table
from schemas.view.values import cell_of

MAX_CELLS = 20_000
MAX_CHARACTERS = 2_000_000
MAX_TABLE_ROWS = 1_000
MAX_COLUMNS = 24
MAX_DEPTH = 16
MAX_PATH = 300


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is known of the elements by their path below the root, rows not counted.

    `order`: from the paths of fields to their place in the form; `repeated`: paths of elements that may be repeated.
    """

    label: Callable[[str], Label | None]
    kind: Callable[[str], Kind]
    order: Mapping[str, int]
    repeated: Container[str]


class Builder:
    """Builds the blocks of one document. `left_out` counts what found no place any more, in rows."""

    def __init__(self, vocabulary: Vocabulary, naming: Naming) -> None:
        self._known = vocabulary
        self._naming = naming
        self._cells = MAX_CELLS
        self._characters = MAX_CHARACTERS
        self.left_out = 0

    def blocks(self, element: etree._Element, path: str = "", depth: int = 0) -> tuple[Block, ...]:
        """What stands in the element, in its order; repeated elements stand where the first of them does."""
        children: dict[str, list[etree._Element]] = {}
        for child in element.iterchildren("*"):
            children.setdefault(str(child.tag), []).append(child)
        found: list[Block] = []
        rows: list[Row] = []
        if (
            children and own_text(element).strip()
        ):  # text beside elements: no form has it, and it must not vanish
            rows += self._row(element, path)
        for tag, same in children.items():
            child_path = self._below(path, tag)
            if len(same) == 1 and child_path not in self._known.repeated and is_leaf(same[0]):
                rows += self._row(same[0], child_path)
                continue
            if rows:
                found.append(Rows(tuple(rows)))
                rows = []
            if len(same) == 1 and child_path not in self._known.repeated:
                found += self._section(same[0], child_path, depth, 0)
            else:
                found += self._repeated(same, child_path, depth)
        if rows:
            found.append(Rows(tuple(rows)))
        return tuple(found)

    def name(self, element: etree._Element, path: str) -> Name:
        label = self._known.label(path)
        own = shown(etree.QName(element).localname)
        return Name(own) if label is None else Name(own, label.words, label.indicator)

    def _below(self, path: str, tag: str) -> str:
        name = self._naming.name(tag)
        return (f"{path}/{name}" if path else name)[-MAX_PATH:]

    def _row(self, element: etree._Element, path: str) -> Iterable[Row]:
        if self._cells <= 0:
            self.left_out += 1
            return
        yield Row(self.name(element, path), self._cell(element, path))

    def _cell(self, element: etree._Element, path: str) -> Cell:
        self._cells -= 1
        text = own_text(element)
        if self._characters <= 0:
            return Cell("…", cut=len(text))
        cell = cell_of(text, self._known.kind(path))
        self._characters -= len(cell.text)
        return cell

    def _section(self, element: etree._Element, path: str, depth: int, ordinal: int) -> Iterable[Block]:
        if self._cells <= 0 or depth >= MAX_DEPTH:
            self.left_out += sum(1 for _ in element.iter("*"))
            return
        self._cells -= 1  # a heading takes a line too
        yield Section(self.name(element, path), ordinal, self.blocks(element, path, depth + 1))

    def _repeated(self, elements: list[etree._Element], path: str, depth: int) -> Iterable[Block]:
        table = self._table(elements, path)
        if table is not None:
            yield table
            return
        for ordinal, element in enumerate(elements, 1):
            if is_leaf(element):
                if rows := tuple(self._row(element, path)):
                    yield Rows(rows)
            else:
                yield from self._section(element, path, depth, ordinal if len(elements) > 1 else 0)

    def _table(self, elements: list[etree._Element], path: str) -> Table | None:
        """None where a row holds tables itself, or too many columns: then each one is a section."""
        flat: list[dict[str, etree._Element]] = []
        for element in elements[:MAX_TABLE_ROWS]:
            leaves = self._leaves(element, path)
            if leaves is None:
                return None
            flat.append(leaves)
        paths = list(dict.fromkeys(path for row in flat for path in row))
        if len(paths) > MAX_COLUMNS or not paths:
            return None
        paths.sort(key=lambda path: self._known.order.get(path, len(self._known.order)))
        room = max(0, self._cells // len(paths))
        names = {one: element for row in flat for one, element in row.items()}
        rows = tuple(
            tuple(self._cell(row[path], path) if path in row else None for path in paths)
            for row in flat[:room]
        )
        columns = tuple(
            Column(self.name(names[path], path), self._known.kind(path) in ("integer", "decimal"))
            for path in paths
        )
        left_out = len(elements) - len(rows)
        self.left_out += left_out
        return Table(self.name(elements[0], path), columns, rows, left_out)

    def _leaves(self, element: etree._Element, path: str) -> dict[str, etree._Element] | None:
        """The values of a row by their path; None where one of them is repeated, or stands beside other elements."""
        found: dict[str, etree._Element] = {}
        stack = [(element, path, 0)]
        while stack:
            node, node_path, depth = stack.pop()
            if is_leaf(node):
                if node_path in found or len(found) > MAX_COLUMNS:
                    return None
                found[node_path] = node
                continue
            if depth > MAX_DEPTH or own_text(node).strip() or (depth and node_path in self._known.repeated):
                return None
            below = [
                (child, self._below(node_path, str(child.tag)), depth + 1) for child in node.iterchildren("*")
            ]
            stack.extend(reversed(below))
        return found


def is_leaf(element: etree._Element) -> bool:
    return next(element.iterchildren("*"), None) is None


def own_text(element: etree._Element) -> str:
    """The element's own text; comments and instructions inside it divide nothing."""
    if not len(element):
        return element.text or ""
    return "".join([element.text or "", *(child.tail or "" for child in element)])
