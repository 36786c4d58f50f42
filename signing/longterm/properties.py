"""Reading the properties that speak of time: content time stamps, and everything in UnsignedSignatureProperties."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from signing.algorithms import DS, XADES
from signing.canonical import INCLUSIVE, Canonicalisation
from signing.elements import element_children, printable, short
from signing.report import CheckFailed, failed
from signing.timestamps import Kind
from signing.transforms import canonicalisation_of
from signing.xmldsig import SignatureParts

XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
MAX_PROPERTIES = 64
MAX_TOKENS = 16
"""Time-stamp tokens of one signature; each is a signature of its own."""
MAX_VALUE_CHARACTERS = 6_000_000
"""Base64 characters of one value; a list of revoked certificates may be long."""

_DER = {"", "http://uri.etsi.org/01903/v1.2.2#DER", "http://uri.etsi.org/01903/v1.2.2#BER"}

_UNSIGNED_STAMPS: Mapping[str, Kind] = {
    f"{{{XADES}}}SignatureTimeStamp": "signature",
    f"{{{XADES}}}SigAndRefsTimeStamp": "references",
    f"{{{XADES_141}}}SigAndRefsTimeStampV2": "references",
    f"{{{XADES}}}RefsOnlyTimeStamp": "references",
    f"{{{XADES_141}}}RefsOnlyTimeStampV2": "references",
    f"{{{XADES}}}ArchiveTimeStamp": "archive",
    f"{{{XADES_141}}}ArchiveTimeStamp": "archive",
}
_CONTENT_STAMPS = (f"{{{XADES}}}AllDataObjectsTimeStamp", f"{{{XADES}}}IndividualDataObjectsTimeStamp")
REFERENCES = frozenset(
    {f"{{{XADES}}}{name}CertificateRefs" for name in ("Complete", "Attribute")}
    | {f"{{{XADES_141}}}{name}CertificateRefsV2" for name in ("Complete", "Attribute")}
    | {f"{{{XADES}}}{name}RevocationRefs" for name in ("Complete", "Attribute")}
)
VALUES = frozenset(
    {
        f"{{{XADES}}}CertificateValues",
        f"{{{XADES}}}RevocationValues",
        f"{{{XADES}}}AttrAuthoritiesCertValues",
        f"{{{XADES}}}AttributeRevocationValues",
        f"{{{XADES_141}}}TimeStampValidationData",
    }
)
COUNTER_SIGNATURE = f"{{{XADES}}}CounterSignature"
_KNOWN = {*_UNSIGNED_STAMPS, *REFERENCES, *VALUES, COUNTER_SIGNATURE}


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """One time-stamp property: several tokens in it are over the same octets. `position`: among the unsigned ones.

    `fault` says why it cannot be judged; it has no tokens then. `included`: URIs of its Include elements, each with
    whether it means the data (`referencedData`).
    """

    element: etree._Element
    kind: Kind
    position: int
    canonicalisation: Canonicalisation = INCLUSIVE
    tokens: tuple[bytes, ...] = ()
    included: tuple[tuple[str, bool], ...] = ()
    fault: str = ""

    @property
    def covers_signature(self) -> bool:
        """Whether it proves that the signature value existed."""
        return self.kind != "content" and "RefsOnly" not in str(self.element.tag)


@dataclass(frozen=True, slots=True)
class Properties:
    """`unsigned`: the children of UnsignedSignatureProperties in order; `unknown`: names of those not judged here."""

    unsigned: tuple[etree._Element, ...] = ()
    content_stamps: tuple[TimeStamp, ...] = ()
    unsigned_stamps: tuple[TimeStamp, ...] = ()
    unknown: tuple[str, ...] = ()

    def named(self, tags: Iterable[str]) -> tuple[etree._Element, ...]:
        """The unsigned properties with one of these tags."""
        wanted = frozenset(tags)
        return tuple(each for each in self.unsigned if each.tag in wanted)


NO_PROPERTIES = Properties()


def _inside(elements: Iterable[etree._Element], *tags: str) -> list[etree._Element]:
    """Their children with one of the tags."""
    return [child for each in elements for child in each.iterchildren(*tags)]


def read_properties(parts: SignatureParts) -> Properties:
    """Read them. Raises CheckFailed (format.structure, xades.time-structure) where they stand in the wrong form."""
    qualifying = _inside(parts.objects, f"{{{XADES}}}QualifyingProperties")
    about_data = _inside(
        _inside(qualifying, f"{{{XADES}}}SignedProperties"), f"{{{XADES}}}SignedDataObjectProperties"
    )
    content = [_read_stamp(element, "content", -1) for element in _inside(about_data, *_CONTENT_STAMPS)]
    holders = _inside(qualifying, f"{{{XADES}}}UnsignedProperties")
    if not content and not holders:
        return NO_PROPERTIES
    if len(holders) > 1:
        raise CheckFailed(failed("xades.time-structure", detail="several UnsignedProperties"))
    groups = element_children(holders[0]) if holders else []
    own = [each for each in groups if each.tag == f"{{{XADES}}}UnsignedSignatureProperties"]
    if len(own) > 1:
        raise CheckFailed(failed("xades.time-structure", detail="several UnsignedSignatureProperties"))
    unsigned = element_children(own[0]) if own else []
    if len(unsigned) > MAX_PROPERTIES:
        raise CheckFailed(failed("xades.time-structure", detail=f"more than {MAX_PROPERTIES} properties"))
    stamps = [
        _read_stamp(element, _UNSIGNED_STAMPS[str(element.tag)], position)
        for position, element in enumerate(unsigned)
        if element.tag in _UNSIGNED_STAMPS
    ]
    if sum(len(stamp.tokens) or 1 for stamp in (*content, *stamps)) > MAX_TOKENS:
        raise CheckFailed(failed("xades.time-structure", detail=f"more than {MAX_TOKENS} time-stamp tokens"))
    unknown = [short(e.tag) for e in groups if e not in own]
    unknown += [short(e.tag) for e in unsigned if e.tag not in _KNOWN]
    return Properties(tuple(unsigned), tuple(content), tuple(stamps), tuple(dict.fromkeys(unknown)))


def _read_stamp(element: etree._Element, kind: Kind, position: int) -> TimeStamp:
    """A property that cannot be read keeps its place, with its fault."""
    try:
        return _stamp(element, kind, position)
    except CheckFailed as error:
        return TimeStamp(element, kind, position, fault=error.check.message_en[:200])


def _stamp(element: etree._Element, kind: Kind, position: int) -> TimeStamp:
    """GenericTimeStampType (EN 319 132-1 clause 4.6.3)."""
    method, tokens, included = INCLUSIVE, [], []
    for child in element_children(element):
        if child.tag == f"{{{DS}}}CanonicalizationMethod":
            method = canonicalisation_of(child)
        elif child.tag == f"{{{XADES}}}EncapsulatedTimeStamp":
            if child.get("Encoding", "") not in _DER:
                raise CheckFailed(
                    failed("xades.time-structure", detail="a token in another encoding than DER")
                )
            tokens.append(octets_of(child))
        elif child.tag == f"{{{XADES}}}Include":
            included.append((child.get("URI", ""), child.get("referencedData") in ("true", "1")))
        else:
            raise CheckFailed(failed("xades.time-structure", detail=f"{short(child.tag)} in a time stamp"))
    if not tokens:
        raise CheckFailed(failed("xades.time-structure", detail=f"{short(element.tag)} without a token"))
    return TimeStamp(element, kind, position, method, tuple(tokens), tuple(included))


def octets_of(element: etree._Element) -> bytes:
    """Base64 of an encapsulated value, white space allowed. Raises CheckFailed (format.base64)."""
    text = element.text or ""
    if len(element) or len(text) > MAX_VALUE_CHARACTERS:
        detail = f"{len(text)} characters, {len(element)} elements"
        raise CheckFailed(failed("format.base64", element=short(element.tag), detail=detail))
    try:
        return base64.b64decode(text.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except (binascii.Error, ValueError) as error:
        detail = printable(str(error))
        raise CheckFailed(failed("format.base64", element=short(element.tag), detail=detail)) from None
