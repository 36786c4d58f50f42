"""What a type asks for, in words: as its schema documents it, else as its facets have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.faults import Words

_XS = "http://www.w3.org/2001/XMLSchema"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MOST_VALUES = 12
_MOST_LETTERS = 120

_PRIMITIVES = {
    "decimal": Words("số thập phân", "a decimal number"),
    "integer": Words("số nguyên", "a whole number"),
    "boolean": Words("true hoặc false", "true or false"),
    "date": Words("ngày dạng yyyy-MM-dd", "a day as yyyy-MM-dd"),
    "dateTime": Words("thời điểm dạng yyyy-MM-ddThh:mm:ss", "a time as yyyy-MM-ddThh:mm:ss"),
    "time": Words("giờ dạng hh:mm:ss", "a time of day as hh:mm:ss"),
    "base64Binary": Words("dữ liệu base64", "base64 data"),
    "hexBinary": Words("dữ liệu thập lục phân", "hexadecimal data"),
    "anyURI": Words("địa chỉ URI", "a URI"),
    "float": Words("số thực", "a number"),
    "double": Words("số thực", "a number"),
}
_TEXT = Words("văn bản", "text")
_BOUNDS = {
    "length": Words("đúng {} ký tự", "exactly {} characters"),
    "minLength": Words("ít nhất {} ký tự", "at least {} characters"),
    "maxLength": Words("nhiều nhất {} ký tự", "at most {} characters"),
    "minInclusive": Words("từ {}", "from {}"),
    "maxInclusive": Words("đến {}", "up to {}"),
    "minExclusive": Words("lớn hơn {}", "more than {}"),
    "maxExclusive": Words("nhỏ hơn {}", "less than {}"),
    "totalDigits": Words("nhiều nhất {} chữ số", "at most {} digits"),
    "fractionDigits": Words("nhiều nhất {} chữ số thập phân", "at most {} decimals"),
}


def documented(kind: Any) -> Words | None:
    """The documentation of a simple type in both languages, None where one is missing."""
    if kind.annotation is None:
        return None
    said = {node.get(_LANG): (node.text or "").strip() for node in kind.annotation.documentation}
    return Words(said["vi"], said["en"]) if said.get("vi") and said.get("en") else None


def described(kind: Any) -> Words:
    """The same of a type of another house: its primitive type, values, bounds and patterns."""
    parts = [_primitive(kind), *_bounds(kind)]
    return Words(", ".join(part.vi for part in parts), ", ".join(part.en for part in parts))


def _primitive(kind: Any) -> Words:
    while kind is not None:
        if str(kind.target_namespace) == _XS and str(kind.local_name) in _PRIMITIVES:
            return _PRIMITIVES[str(kind.local_name)]
        kind = kind.base_type
    return _TEXT


def _bounds(kind: Any) -> Iterator[Words]:
    values = getattr(kind, "enumeration", None)
    if values:
        listed = " | ".join(str(value) for value in values[:_MOST_VALUES])
        more = "…" if len(values) > _MOST_VALUES else ""
        yield Words(f"một trong: {listed}{more}", f"one of: {listed}{more}")
    for name, facet in (getattr(kind, "facets", None) or {}).items():
        local = str(name).rpartition("}")[2]
        if local in _BOUNDS:
            value = str(getattr(facet, "value", ""))[:_MOST_LETTERS]
            yield Words(_BOUNDS[local].vi.format(value), _BOUNDS[local].en.format(value))
        elif local == "pattern":
            shown = " | ".join(str(one) for one in getattr(facet, "regexps", ()))[:_MOST_LETTERS]
            if shown:
                yield Words(f"theo mẫu {shown}", f"matching {shown}")
