"""ds:Transform, read (XMLDSig clause 6.6). Nothing is evaluated: an expression is one of a few known forms, or refused.

The forms all take signatures out of what is digested, and each is carried out natively and exactly as it says:
its own signature, every signature of the document, or the signatures right below the root.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lxml import etree

from signing.algorithms import DS
from signing.canonical import MAX_INCLUSIVE_PREFIXES, METHODS, Canonicalisation
from signing.elements import element_children, printable, refuse_structure, short, text_of
from signing.report import Check, CheckFailed, failed

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
BASE64 = DS + "base64"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"
_XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
_XPOINTER = "http://www.w3.org/2001/04/xmldsig-more/xptr"
EXPRESSIONS = (f"{{{DS}}}XPath", f"{{{FILTER2}}}XPath")


class Removal(enum.Enum):
    """Which ds:Signature elements a transform takes out of the node-set, with all that is in them."""

    OWN = "the signature that bears the transform"
    ALL = "every signature of the document"
    TOP = "every signature that is a child of the root"


@dataclass(frozen=True, slots=True)
class Transform:
    """One ds:Transform: its identifier, and the canonicalisation, the removal or the refusal that it is."""

    uri: str
    canonicalisation: Canonicalisation | None = None
    removal: Removal | None = None
    refusal: Check | None = None


def _form(tokens: str) -> re.Pattern[str]:
    """An expression by its tokens, white space allowed between them. P: one prefix, the same at every place."""
    space = "[ \t\r\n]*"
    parts = [
        re.escape(token).replace("P:", "(?P<p>[A-Za-z_][A-Za-z0-9_.-]*):", 1) for token in tokens.split()
    ]
    pattern, named = space + space.join(parts) + space, "(?P<p>[A-Za-z_][A-Za-z0-9_.-]*)"
    first, found, rest = pattern.partition(named)
    return re.compile(first + found + rest.replace(named, "(?P=p)"))


_XPATH_FORMS: Mapping[re.Pattern[str], Removal] = {
    _form("not ( ancestor-or-self :: P:Signature )"): Removal.ALL,
    # XMLDSig clause 6.6.4 gives this one as the meaning of enveloped-signature
    _form(
        "count ( ancestor-or-self :: P:Signature | here ( ) / ancestor :: P:Signature [ 1 ] )"
        " > count ( ancestor-or-self :: P:Signature )"
    ): Removal.OWN,
}
_SUBTRACT_FORMS: Mapping[re.Pattern[str], Removal] = {
    _form("/ descendant :: P:Signature"): Removal.ALL,
    _form("// P:Signature"): Removal.ALL,
    _form("/ * / P:Signature"): Removal.TOP,
    _form("here ( ) / ancestor :: P:Signature [ 1 ]"): Removal.OWN,
}


def read_transform(element: etree._Element, prefixes: Mapping[str | None, str]) -> Transform:
    """Read a ds:Transform out of the signed octets. Raises CheckFailed (algorithm.*, format.*).

    One that is not taken is read too, with its refusal (transform.*, reference.transforms).

    `prefixes`: namespaces in scope of its expression in the document; exclusive canonicalisation leaves out of the
    octets a prefix that only the expression uses.
    """
    if element.tag != f"{{{DS}}}Transform":
        refuse_structure(f"unexpected {short(element.tag)} in Transforms")
    uri = algorithm_of(element)
    if uri in METHODS:
        return Transform(uri, canonicalisation=canonicalisation_of(element))
    if uri == ENVELOPED:
        return Transform(uri, removal=Removal.OWN)
    if uri in (XPATH, FILTER2):
        return _read_expression(element, uri, prefixes)
    if uri == BASE64:
        return Transform(uri)
    return Transform(uri, refusal=_refusal(uri))


def _refusal(uri: str) -> Check:
    if uri == _XSLT:
        return failed("transform.xslt")
    if uri.endswith("/xmldsig-filter2"):  # of another date than the recommendation's
        return failed("transform.xpath-filter2", expression=printable(uri))
    if uri == _XPOINTER:
        return failed("transform.xpointer")
    return failed("reference.transforms", algorithm=printable(uri))


def _read_expression(element: etree._Element, uri: str, prefixes: Mapping[str | None, str]) -> Transform:
    children = [child for child in element if isinstance(child.tag, str)]
    plain = uri == XPATH
    name, forms = (EXPRESSIONS[0], _XPATH_FORMS) if plain else (EXPRESSIONS[1], _SUBTRACT_FORMS)
    attributes = [] if plain else [("Filter", "subtract")]
    if len(children) == 1 and children[0].tag == name and children[0].items() == attributes:
        for form, removal in forms.items():
            found = form.fullmatch(text_of(children[0])) if not len(children[0]) else None
            if found and children[0].nsmap.get(found["p"], prefixes.get(found["p"])) == DS:
                return Transform(uri, removal=removal)
    text = printable(" ".join("".join(str(part) for part in element.itertext()).split()))
    if plain:
        return Transform(uri, refusal=failed("transform.xpath", expression=text))
    return Transform(uri, refusal=failed("transform.xpath-filter2", expression=text))


def canonicalisation_of(element: etree._Element) -> Canonicalisation:
    """The canonicalisation that an element's Algorithm names, with its InclusiveNamespaces. Raises CheckFailed."""
    uri = algorithm_of(element)
    method = METHODS.get(uri)
    if method is None:
        raise CheckFailed(failed("algorithm.canonicalisation", algorithm=printable(uri)))
    children = element_children(element)
    if not children:
        return method
    if (
        len(children) != 1
        or children[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces"
        or method.family != "exclusive"
    ):
        refuse_structure(f"unexpected {short(children[0].tag)} in a canonicalisation")
    prefixes = tuple(children[0].get("PrefixList", "").split())
    if len(prefixes) > MAX_INCLUSIVE_PREFIXES:
        refuse_structure(f"more than {MAX_INCLUSIVE_PREFIXES} prefixes in InclusiveNamespaces")
    return replace(method, prefixes=prefixes)


def algorithm_of(element: etree._Element) -> str:
    """The Algorithm attribute. Raises CheckFailed (format.structure) where it is absent or empty."""
    uri = element.get("Algorithm")
    if not uri:
        refuse_structure(f"{short(element.tag)} without Algorithm")
    return uri
