"""Exclusive canonicalisation with `#default` among the InclusiveNamespaces (REC-xml-exc-c14n clause 3).

lxml passes that token over in silence. Here the exclusive form is made out of the inclusive one, in which every tag is
already written as it must be but for its namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_MARKUP = re.compile(
    rb"""<!--.*?-->|<\?.*?\?>|<(?P<end>/)?(?P<name>[^\s>]+)(?P<attributes>(?:\s[^\s=]+="[^"]*")*)>""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb'\s([^\s=]+)="([^"]*)"')

Namespaces = dict[bytes, bytes]


def exclusive_of(inclusive: bytes, prefixes: Collection[str]) -> bytes:
    """The exclusive canonical octets, from the inclusive ones of the same element or document.

    `prefixes`: the InclusiveNamespaces, `#default` for the default namespace.
    """
    listed = {b"" if prefix == "#default" else prefix.encode("utf-8") for prefix in prefixes}
    in_scope: list[Namespaces] = [{b"": b""}]
    written: list[Namespaces] = [{b"": b""}]
    first = True

    def rewrite(tag: re.Match[bytes]) -> bytes:
        nonlocal first
        name = tag["name"]
        if name is None:
            return tag[0]
        if tag["end"]:
            in_scope.pop()
            written.pop()
            return tag[0]
        scope, done, attributes = in_scope[-1], written[-1], tag["attributes"]
        if not first and b":" not in attributes and b"xmlns" not in attributes:
            prefix = _prefix(name)
            if done.get(prefix) == scope.get(prefix):  # most tags: nothing of namespaces, nothing to write
                in_scope.append(scope)
                written.append(done)
                return tag[0]
        kept, used, declared = [], {_prefix(name)}, {}
        for attribute, value in _ATTRIBUTE.findall(attributes):
            if attribute == b"xmlns" or attribute.startswith(b"xmlns:"):
                declared[attribute[6:]] = value
                continue
            kept.append(b' %s="%s"' % (attribute, value))
            if b":" in attribute and not attribute.startswith(b"xml:"):
                used.add(_prefix(attribute))
        if declared or first:  # elsewhere the listed ones are as the parent wrote them
            scope, used, first = {**scope, **declared}, used | listed, False
        fresh = {p: scope[p] for p in sorted(used) if p in scope and done.get(p) != scope[p]}
        in_scope.append(scope)
        written.append({**done, **fresh} if fresh else done)
        told = [b' xmlns%s="%s"' % (b":" + p if p else b"", uri) for p, uri in fresh.items()]
        return b"<%s%s%s>" % (name, b"".join(told), b"".join(kept))

    return _MARKUP.sub(rewrite, inclusive)


def _prefix(name: bytes) -> bytes:
    return name.partition(b":")[0] if b":" in name else b""
