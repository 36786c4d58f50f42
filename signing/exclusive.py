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

    def rewrite(tag: re.Match[bytes]) -> bytes:
        if tag["name"] is None:
            return tag[0]
        if tag["end"]:
            in_scope.pop()
            written.pop()
            return tag[0]
        scope, done, kept = dict(in_scope[-1]), dict(written[-1]), []
        used = {_prefix(tag["name"])}
        for name, value in _ATTRIBUTE.findall(tag["attributes"]):
            if name == b"xmlns" or name.startswith(b"xmlns:"):
                scope[name[6:]] = value
                continue
            kept.append(b' %s="%s"' % (name, value))
            if b":" in name and not name.startswith(b"xml:"):
                used.add(_prefix(name))
        fresh = []
        for prefix in sorted(used | listed):
            if prefix in scope and done.get(prefix) != scope[prefix]:
                done[prefix] = scope[prefix]
                fresh.append(b' xmlns%s="%s"' % (b":" + prefix if prefix else b"", scope[prefix]))
        in_scope.append(scope)
        written.append(done)
        return b"<%s%s%s>" % (tag["name"], b"".join(fresh), b"".join(kept))

    return _MARKUP.sub(rewrite, inclusive)


def _prefix(name: bytes) -> bytes:
    return name.partition(b":")[0] if b":" in name else b""
