"""What an incremental update changed in the document that a signature covers (ISO 32000-2 §12.8.2, §7.5.6).

Both revisions are walked from the catalogue, and everything a reader could show must be equal, object by object,
whatever their numbers; only the additions named here are free. Objects that nothing refers to show nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver

MAX_COMPARED = 400_000
MAX_NESTING = 100

# Validation material, metadata and versions show nothing on a page (EN 319 142-1 clause 5.4.2).
_FREE_IN_CATALOGUE = {"/DSS", "/Metadata", "/Extensions", "/Version"}
_BOOKKEEPING = {"/ParentTreeNextKey", "/Limits"}
_FILLED = {"/V", "/AP", "/AS", "/M", "/F", "/I", "/MK"}
_SKIPPED_IN_PAGE = {"/Annots", "/Kids", "/Tabs", "/LastModified"}
_SKIPPED_IN_FIELD = {"/Kids"}


class TooComplex(Exception):
    """The document cannot be compared within the limits."""


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: "content" or "form" (the value of a form field that is no signature); `what`: where, for people."""

    kind: str
    what: str
    field: str = ""


@dataclass(slots=True)
class _Field:
    name: str
    node: generic.DictionaryObject
    reference: generic.Reference | None
    kind: str
    visible: bool


@dataclass(slots=True)
class Comparison:
    """Compares a signed revision with a later one."""

    old: HistoricalResolver
    new: HistoricalResolver
    signed: set[generic.Reference]
    """Fields whose signature was made after the old revision and is judged by itself."""
    budget: int = MAX_COMPARED
    changes: list[Change] = field(default_factory=list)
    _same_by_place: dict[generic.Reference, generic.Reference] = field(default_factory=dict)
    _equal: set[tuple[generic.Reference, generic.Reference]] = field(default_factory=set)
    _fills_fields: bool = False
    _new_widgets: set[generic.Reference] = field(default_factory=set)

    def run(self) -> list[Change]:
        """Every change that is not free. Raises TooComplex."""
        before, after = self.old.trailer_view, self.new.trailer_view
        root_before, root_after = before.raw_get("/Root"), after.raw_get("/Root")
        self._pair(root_before, root_after)
        if not self._same_entry(before, after, "/Encrypt"):
            self._changed("encryption")
        old_root, new_root = self._dictionary(self.old, root_before), self._dictionary(self.new, root_after)
        pages = list(self._pages(old_root, new_root))
        old_fields, new_fields = self._fields(self.old, old_root), self._fields(self.new, new_root)
        for name, known in old_fields.items():
            if name in new_fields:
                self._pair(known.reference, new_fields[name].reference)
        self._fills_fields = any(one.kind not in ("", "/Sig") for one in old_fields.values())
        self._compare_fields(old_fields, new_fields)
        for number, (node, twin) in enumerate(pages, 1):
            self._compare_page(node, twin, number)
        self._compare_catalogue(old_root, new_root)
        return self.changes

    def _changed(self, what: str, kind: str = "content", name: str = "") -> None:
        change = Change(kind, what, name)
        if change not in self.changes and len(self.changes) < 20:
            self.changes.append(change)

    # What both revisions hold in the same place is compared there, once; elsewhere it is the same by its place.

    def _pair(self, one: object, other: object) -> None:
        if isinstance(one, generic.IndirectObject):
            one = one.reference
        if isinstance(other, generic.IndirectObject):
            other = other.reference
        if isinstance(one, generic.Reference) and isinstance(other, generic.Reference):
            self._same_by_place[one] = other

    def _resolve(self, resolver: HistoricalResolver, value: object) -> object:
        for _ in range(8):
            if not isinstance(value, generic.IndirectObject):
                break
            value = resolver.get_object(
                value.reference
            )  # of nothing: null; unreadable raises, and is no null
        if isinstance(value, generic.DecryptedObjectProxy):
            value = value.decrypted
        return None if isinstance(value, generic.NullObject) else value

    def _dictionary(self, resolver: HistoricalResolver, value: object) -> generic.DictionaryObject:
        found = self._resolve(resolver, value)
        return found if isinstance(found, generic.DictionaryObject) else generic.DictionaryObject({})  # type: ignore[no-untyped-call]

    def _entry(self, resolver: HistoricalResolver, holder: generic.DictionaryObject, key: str) -> object:
        return self._resolve(resolver, holder.raw_get(key)) if key in holder else None

    def _items(
        self, resolver: HistoricalResolver, holder: generic.DictionaryObject, key: str
    ) -> list[object]:
        found = self._entry(resolver, holder, key)
        return [found.raw_get(n) for n in range(len(found))] if isinstance(found, generic.ArrayObject) else []

    def _same_entry(self, one: generic.DictionaryObject, other: generic.DictionaryObject, key: str) -> bool:
        return self._same(_raw(one, key), _raw(other, key))

    def _same(self, one: object, other: object) -> bool:
        """Equal all the way down. Pairs met again are taken as equal; that stands only if nothing differs at last."""
        pending, assumed = [(one, other)], set[tuple[generic.Reference, generic.Reference]]()
        while pending:
            one, other = pending.pop()
            self._spend()
            if isinstance(one, generic.IndirectObject) and isinstance(other, generic.IndirectObject):
                pair = (one.reference, other.reference)
                known = self._same_by_place.get(pair[0]) == pair[1] or pair in self._equal
                if known or pair in assumed:
                    continue
                assumed.add(pair)
            parts = self._parts(self._resolve(self.old, one), self._resolve(self.new, other))
            if parts is None:
                return False
            pending += parts
        self._equal |= assumed
        return True

    def _parts(self, one: object, other: object) -> list[tuple[object, object]] | None:
        """What has yet to be equal for the two to be equal; None where they differ already."""
        if isinstance(one, generic.DictionaryObject):
            if not isinstance(other, generic.DictionaryObject):
                return None
            keys = {*one.keys(), *other.keys()}
            if isinstance(one, generic.StreamObject) or isinstance(other, generic.StreamObject):
                if _data(one) is None or _data(one) != _data(other):
                    return None
                keys.discard("/Length")
            return [(_raw(one, key), _raw(other, key)) for key in keys]
        if isinstance(one, generic.ArrayObject):
            if not isinstance(other, generic.ArrayObject) or len(one) != len(other):
                return None
            return [(one.raw_get(n), other.raw_get(n)) for n in range(len(one))]
        strings = (generic.TextStringObject, generic.ByteStringObject)
        if isinstance(one, strings):
            equal = isinstance(other, strings) and one.original_bytes == other.original_bytes
        else:
            equal = type(one) is type(other) and one == other
        return [] if equal else None

    def _grown(self, one: object, other: object, depth: int = 0) -> bool:
        """Whether the later one holds all that the earlier one held, in its order: trees may grow."""
        self._spend(depth)
        if self._same(one, other):
            return True
        one, other = self._resolve(self.old, one), self._resolve(self.new, other)
        if one is None:
            return True
        if isinstance(other, generic.ArrayObject) and not isinstance(one, generic.ArrayObject):
            return any(self._grown(one, other.raw_get(n), depth + 1) for n in range(min(len(other), 4)))
        if isinstance(one, generic.ArrayObject) and isinstance(other, generic.ArrayObject):
            return self._grown_list(one, other, depth)
        plain = not isinstance(one, generic.StreamObject) and not isinstance(other, generic.StreamObject)
        if (
            isinstance(one, generic.DictionaryObject)
            and isinstance(other, generic.DictionaryObject)
            and plain
        ):
            return all(
                key in _BOOKKEEPING
                or (key in other and self._grown(one.raw_get(key), other.raw_get(key), depth + 1))
                for key in one
            )
        return False

    def _grown_list(self, one: generic.ArrayObject, other: generic.ArrayObject, depth: int) -> bool:
        at = 0
        for n in range(len(one)):
            while at < len(other) and not self._grown(one.raw_get(n), other.raw_get(at), depth + 1):
                at += 1
            if at == len(other):
                return False
            at += 1
        return True

    def _spend(self, depth: int = 0) -> None:
        self.budget -= 1
        if self.budget < 0 or depth > MAX_NESTING:
            raise TooComplex

    # Pages and what lies on them

    def _pages(
        self, one: generic.DictionaryObject, other: generic.DictionaryObject
    ) -> Iterator[tuple[generic.DictionaryObject, generic.DictionaryObject]]:
        """Both page trees side by side; every node is compared, since pages inherit from the nodes above."""
        pending = [(_raw(one, "/Pages"), _raw(other, "/Pages"))]
        seen: set[generic.Reference] = set()
        while pending:
            raw_one, raw_other = pending.pop()
            if isinstance(raw_one, generic.IndirectObject):
                if raw_one.reference in seen:
                    raise TooComplex
                seen.add(raw_one.reference)
            self._spend()
            self._pair(raw_one, raw_other)
            node, twin = self._dictionary(self.old, raw_one), self._dictionary(self.new, raw_other)
            kids, twins = self._items(self.old, node, "/Kids"), self._items(self.new, twin, "/Kids")
            if len(kids) != len(twins):
                self._changed(f"number of pages: {len(kids)} became {len(twins)}")
            pending += list(zip(kids, twins, strict=False))
            yield node, twin

    def _compare_page(
        self, one: generic.DictionaryObject, other: generic.DictionaryObject, number: int
    ) -> None:
        for key in {*one.keys(), *other.keys()} - _SKIPPED_IN_PAGE:
            numbered = (
                key == "/StructParents" and key not in one
            )  # the page's place in a structure tree it now has
            if not numbered and not self._same_entry(one, other, key):
                self._changed(f"page node {number}: {key}")
        before, after = self._items(self.old, one, "/Annots"), self._items(self.new, other, "/Annots")
        at = 0
        for annotation in after:
            if at < len(before) and self._same(before[at], annotation):
                at += 1
            elif not self._is_new_widget(annotation):
                self._changed(f"page node {number}: an annotation was added or changed")
        if at < len(before):
            self._changed(f"page node {number}: an annotation was removed or changed")

    def _is_new_widget(self, annotation: object) -> bool:
        return isinstance(annotation, generic.IndirectObject) and annotation.reference in self._new_widgets

    # The form: new signatures are free, what they look like is not

    def _fields(self, resolver: HistoricalResolver, root: generic.DictionaryObject) -> dict[str, _Field]:
        form = self._dictionary(resolver, _raw(root, "/AcroForm"))
        found: dict[str, _Field] = {}
        pending = [(raw, "", "", 0) for raw in self._items(resolver, form, "/Fields")]
        while pending:
            raw, above, inherited, depth = pending.pop()
            self._spend(depth)
            if depth > 32:
                raise TooComplex
            node = self._dictionary(resolver, raw)
            kind = str(self._entry(resolver, node, "/FT") or inherited)
            title = self._entry(resolver, node, "/T")
            name = above if title is None else f"{above}.{title}" if above else str(title)
            kids = self._items(resolver, node, "/Kids")
            pending += [(kid, name, kind, depth + 1) for kid in kids]
            reference = raw.reference if isinstance(raw, generic.IndirectObject) else None
            key = name
            while key in found:  # a kid without a name is a widget of the field above it
                key += "'"
            found[key] = _Field(name, node, reference, kind, self._visible(resolver, node))
        return found

    def _visible(self, resolver: HistoricalResolver, node: generic.DictionaryObject) -> bool:
        """Whether it could show anything: it has an appearance, and a place that is no point."""
        place = [self._resolve(resolver, each) for each in self._items(resolver, node, "/Rect")]
        try:
            left, bottom, right, top = (float(each) for each in place)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return "/AP" in node
        return "/AP" in node and left != right and bottom != top

    def _compare_fields(self, old: dict[str, _Field], new: dict[str, _Field]) -> None:
        for key, one in old.items():
            other = new.get(key)
            if other is None:
                self._changed(f"form field {one.name!r} was removed")
                continue
            differing = {
                name
                for name in {*one.node.keys(), *other.node.keys()} - _SKIPPED_IN_FIELD
                if not self._same_entry(one.node, other.node, name)
            }
            if not differing:
                continue
            signs = one.kind == "/Sig" and "/V" not in one.node
            if signs and differing <= _FILLED and self._shows_a_signature(other):
                continue
            fills = one.kind in ("/Tx", "/Btn", "/Ch") and differing <= _FILLED
            self._changed(f"form field {one.name!r}", "form" if fills else "content", one.name)
        for key in new.keys() - old.keys():
            added = new[key]
            if {"/A", "/AA"} & added.node.keys():
                self._changed(f"form field {added.name!r} acts")
            if added.kind == "/Sig" and self._shows_a_signature(added):
                if added.reference is not None:
                    self._new_widgets.add(added.reference)
            elif added.kind or "/Rect" in added.node:
                self._changed(f"form field {added.name!r} was added")

    def _shows_a_signature(self, added: _Field) -> bool:
        """What shows must be a person's signature, which is judged by itself; a time stamp has nothing to show."""
        if not added.visible:
            return True
        parent = _raw(added.node, "/Parent")
        above = parent.reference if isinstance(parent, generic.IndirectObject) else None
        return added.reference in self.signed or (above in self.signed and "/T" not in added.node)

    def _compare_catalogue(self, one: generic.DictionaryObject, other: generic.DictionaryObject) -> None:
        for key in {*one.keys(), *other.keys()} - _FREE_IN_CATALOGUE - {"/Pages"}:
            before, after = _raw(one, key), _raw(other, key)
            if key == "/AcroForm":
                self._compare_form(self._dictionary(self.old, before), self._dictionary(self.new, after))
            elif key in ("/StructTreeRoot", "/MarkInfo"):
                if not self._grown(before, after):
                    self._changed(f"document: {key}")
            elif not self._same(before, after):
                self._changed(f"document: {key}")

    def _compare_form(self, one: generic.DictionaryObject, other: generic.DictionaryObject) -> None:
        for key in {*one.keys(), *other.keys()} - {"/Fields", "/SigFlags"}:
            before, after = _raw(one, key), _raw(other, key)
            if key == "/NeedAppearances" and not self._resolve(self.new, after):
                continue
            if key in ("/DR", "/DA"):  # what fields without an appearance would look like
                if self._fills_fields and not self._grown(before, after):
                    self._changed(f"form: {key}")
            elif not self._same(before, after):
                self._changed(f"form: {key}")


def _data(value: object) -> bytes | None:
    return bytes(value.encoded_data) if isinstance(value, generic.StreamObject) else None


def _raw(holder: generic.DictionaryObject, key: str) -> object:
    return holder.raw_get(key) if key in holder else None
