"""parse: hostile bytes become a tree, or a list of reasons why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from lxml import etree

import schemas
import signing
from gateway.errors import Unreadable
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
from gateway.intake.identify import Identified


@dataclass(frozen=True, slots=True)
class Parsed:
    """A well-formed document of a family that we take (HSoThueDTu, HoSoDienTu), which nobody has vouched for yet."""

    identified: Identified
    document: signing.XmlDocument
    family: schemas.Family

    @property
    def body(self) -> etree._Element | None:
        """What should be signed."""
        return self.family.body_of(self.document.root)


def parse(identified: Identified, limits: signing.ParseLimits, families: schemas.Families) -> Parsed:
    """Parse within limits: strict UTF-8, no DTD, no bombs; the root must be one we know.

    Leaves nothing behind.

    Raises:
        Unreadable: with every reason.
    """
    document = read_document(identified.received.body, limits)
    family = families.of_root(str(document.root.tag))
    if family is None:
        raise Unreadable([_unknown_root(str(document.root.tag), families)])
    return Parsed(identified, document, family)


def read_document(octets: bytes, limits: signing.ParseLimits) -> signing.XmlDocument:
    """Any XML within limits. Raises Unreadable."""
    try:
        return signing.parse_xml(octets, limits)
    except signing.XmlRefused as refused:
        raise Unreadable([_finding(fault) for fault in refused.faults]) from refused


def line_of(element: etree._Element) -> int | None:
    """The line, from 1, at which the element's start tag ends in the file as sent."""
    return cast("int | None", element.sourceline)


def _finding(fault: signing.XmlFault) -> Finding:
    return Finding(
        code=fault.code,
        severity=Severity.ERROR,
        stage=Stage.PARSE,
        message=Text(fault.message_vi, fault.message_en),
        remedy=Text(fault.remedy_vi, fault.remedy_en),
        line=fault.line,
    )


def _unknown_root(tag: str, families: schemas.Families) -> Finding:
    roots_vi = "; ".join(f"{f.root} (không gian tên {f.namespace or '–'})" for f in families.values())
    roots_en = "; ".join(f"{f.root} (namespace {f.namespace or '–'})" for f in families.values())
    return Finding(
        code="document.unknown-root",
        severity=Severity.ERROR,
        stage=Stage.PARSE,
        message=Text(
            f"Phần tử gốc «{tag[:200]}» không phải là loại hồ sơ mà cổng này tiếp nhận.",
            f"The root element “{tag[:200]}” is not a kind of dossier that this gateway takes in.",
        ),
        remedy=Text(
            f"Gửi hồ sơ điện tử có phần tử gốc là một trong: {roots_vi}.",
            f"Send an electronic dossier whose root is one of: {roots_en}.",
        ),
        line=1,
    )
