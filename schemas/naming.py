"""How a family's documents write element names in paths: local names of one namespace, others under a prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree


@dataclass(frozen=True, slots=True)
class Naming:
    """`namespace` is that of plain names, "" for none; `prefixes`: other namespaces by the prefix that paths use."""

    namespace: str = ""
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def tag(self, name: str) -> str:
        """The qualified name of a step of a path. Raises KeyError for a prefix that is not declared."""
        prefix, colon, local = name.rpartition(":")
        uri = self.prefixes[prefix] if colon else self.namespace
        return f"{{{uri}}}{local}" if uri else local

    def name(self, tag: str) -> str:
        """A qualified name as a step of a path; one of a namespace that is not known stays as it is."""
        uri, _, local = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
        if uri == self.namespace:
            return local
        for prefix, known in self.prefixes.items():
            if known == uri:
                return f"{prefix}:{local}"
        return tag if uri else f"{{}}{local}"

    def shown(self, element: etree._Element) -> str:
        """The same for people: an unknown namespace is left out."""
        return self.name(str(element.tag)).rpartition("}")[2]

    def find(self, path: str) -> str:
        """`path` as lxml's find takes it; "" is the element itself. Raises KeyError like `tag`."""
        return "/".join(self.tag(step) for step in path.split("/")) if path else "."
