"""What each time stamp of XAdES is over, octet for octet (EN 319 132-1 clauses 5.2.5, 5.3, 5.5.2, annexes A.1.5, B).

Where version 1.3.2 (TS 101 903) and version 1.4.1 differ, the property's own namespace decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

from signing.algorithms import DS, XADES
from signing.canonical import CanonicalisationRefused
from signing.elements import printable
from signing.longterm.properties import REFERENCES, Properties, TimeStamp
from signing.references import ReferenceReader
from signing.report import CheckFailed, failed
from signing.transforms import BASE64, Transform
from signing.xades import SIGNED_PROPERTIES_TYPE
from signing.xmldsig import Reference, SignatureParts

_SIGNATURE_STAMP = f"{{{XADES}}}SignatureTimeStamp"
_OLD_ARCHIVE = f"{{{XADES}}}ArchiveTimeStamp"


@dataclass(slots=True)
class Imprints:
    """Puts together the octets under the time stamps of one signature. Raises CheckFailed where that cannot be done."""

    parts: SignatureParts
    properties: Properties
    reader: ReferenceReader
    budget: int

    def octets(self, stamp: TimeStamp) -> bytes:
        """The octets under a time stamp. Raises CheckFailed (reference.*, xades.time-structure)."""
        if stamp.fault:
            raise CheckFailed(failed("xades.time-structure", detail=stamp.fault))
        if stamp.included and not self._implicit(stamp):
            raise CheckFailed(failed("xades.time-structure", detail="Include elements of another meaning"))
        return b"".join(self._parts(stamp))

    def _implicit(self, stamp: TimeStamp) -> bool:
        """Include in an individual time stamp chooses; elsewhere only an old habit is taken that says the same."""
        if _local(stamp) == "IndividualDataObjectsTimeStamp":
            return True
        value = self._child("SignatureValue")
        return stamp.kind == "signature" and [uri for uri, _ in stamp.included] == [f"#{value.get('Id')}"]

    def _parts(self, stamp: TimeStamp) -> Iterator[bytes]:
        name = _local(stamp)
        if name == "AllDataObjectsTimeStamp":
            references = self.parts.signed_info.references
            yield from (self._data(r, stamp) for r in references if r.type != SIGNED_PROPERTIES_TYPE)
        elif name == "IndividualDataObjectsTimeStamp":
            yield from self._individual(stamp)
        elif name == "ArchiveTimeStamp":
            yield from self._archive(stamp)
        else:
            if not name.startswith("RefsOnly"):
                yield self._canonical(self._child("SignatureValue"), stamp)
            wanted = set() if name == "SignatureTimeStamp" else set(REFERENCES)
            if name.startswith("SigAndRefs"):
                wanted.add(_SIGNATURE_STAMP)
            before = self.properties.unsigned[: stamp.position]
            yield from (self._canonical(each, stamp) for each in before if each.tag in wanted)

    def _individual(self, stamp: TimeStamp) -> Iterator[bytes]:
        """Clause 5.2.5.3: each Include names a ds:Reference of this signature by its Id and means its data."""
        elements = self._child("SignedInfo").findall(f"{{{DS}}}Reference")
        by_id = dict(zip((e.get("Id") for e in elements), self.parts.signed_info.references, strict=True))
        if not stamp.included:
            raise CheckFailed(failed("xades.time-structure", detail="an individual time stamp over nothing"))
        for uri, data in stamp.included:
            reference = by_id.get(uri.removeprefix("#")) if uri.startswith("#") and len(uri) > 1 else None
            if reference is None or not data or reference.type == SIGNED_PROPERTIES_TYPE:
                detail = f"Include of {printable(uri)}"
                raise CheckFailed(failed("xades.time-structure", detail=detail))
            yield self._data(reference, stamp)

    def _archive(self, stamp: TimeStamp) -> Iterator[bytes]:
        """Clause 5.5.2.2: data of the references, signature, unsigned properties before it, the other ds:Objects."""
        references = self.parts.signed_info.references
        yield from (self._data(reference, stamp) for reference in references)
        for name in ("SignedInfo", "SignatureValue", "KeyInfo"):
            for element in self.parts.element.findall(f"{{{DS}}}{name}"):
                yield self._canonical(element, stamp)
        for each in self.properties.unsigned[: stamp.position]:
            yield self._canonical(each, stamp)
        referenced = (
            {reference.uri for reference in references} if stamp.element.tag == _OLD_ARCHIVE else set()
        )
        for held in self.parts.objects:
            if (
                held.find(f"{{{XADES}}}QualifyingProperties") is None
                and f"#{held.get('Id')}" not in referenced
            ):
                yield self._canonical(held, stamp)

    def _data(self, reference: Reference, stamp: TimeStamp) -> bytes:
        """What a ds:Reference digests; a node-set left at the end is canonicalised as the stamp says."""
        transforms = reference.transforms
        if not any(t.canonicalisation is not None or t.uri == BASE64 for t in transforms):
            method = stamp.canonicalisation
            last = Transform(method.uri, canonicalisation=method)
            reference = replace(reference, transforms=(*transforms, last))
        octets = self.reader.read(reference, self.parts.element).octets
        self._charge(len(octets))
        return octets

    def _canonical(self, element: etree._Element, stamp: TimeStamp) -> bytes:
        try:
            octets = self.reader.canonical(element, stamp.canonicalisation)
        except CanonicalisationRefused as error:
            raise CheckFailed(failed("xades.time-structure", detail=printable(str(error)))) from None
        self._charge(len(octets))
        return octets

    def _charge(self, octets: int) -> None:
        self.budget -= octets
        if self.budget < 0:
            raise CheckFailed(failed("reference.work"))

    def _child(self, name: str) -> etree._Element:
        found = self.parts.element.find(f"{{{DS}}}{name}")
        assert found is not None  # read_signature saw it
        return found


def _local(stamp: TimeStamp) -> str:
    return etree.QName(stamp.element).localname
