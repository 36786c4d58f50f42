"""Adding time to XAdES signatures that are made: B-T, B-LT, B-LTA (EN 319 132-1 clauses 5.3, 5.4, 5.5, 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import DS, XADES
from signing.asn1 import Asn1Refused
from signing.cms.attributes import read_signed_attributes
from signing.cms.signer import choose_certificate
from signing.cms.structure import read_signed_data
from signing.evidence import Evidence
from signing.longterm.imprints import Imprints
from signing.longterm.properties import XADES_141, Properties, TimeStamp, read_properties
from signing.longterm.stamping import (
    C14N,
    add_signature_time_stamp,
    base64_text,
    begin_time_stamp,
    stamped,
    unsigned_of,
)
from signing.longterm.values import ancestors, evidence_of
from signing.parsing import XmlDocument, parse_xml, written_like
from signing.policy import Policy
from signing.references import element_path, reader_of
from signing.report import CheckFailed, Indication, Report
from signing.revocation import CrlRefused, Good, OcspRefused, RevocationIndex
from signing.trust import TrustStore
from signing.tsa.client import TimestampClient
from signing.verify import verify_document
from signing.xmldsig import read_signature

Level = Literal["T", "LT", "LTA"]


class AugmentRefused(Exception):
    """The signature cannot be brought to that level; the text says what is missing."""


def augment(
    data: bytes,
    *,
    level: Level,
    tsa: TimestampClient,
    policy: Policy,
    at: datetime,
    trust: TrustStore | None = None,
    evidence: Evidence | None = None,
) -> bytes:
    """Bring every XAdES signature of a document (UTF-8) to a level, and return the document.

    T adds a signature time stamp where none is. LT adds the certificates and revocation values of the signer's and the
    time stamps' paths: `trust` has the anchors, `evidence` the CRLs and OCSP answers, of which each certificate below
    an anchor needs one that tells of it at `at`. LTA adds those of earlier archive time stamps, then a new one over
    everything. Raises XmlRefused, AugmentRefused, TimestampRefused; what comes back is verified as to its integrity.
    """
    document = parse_xml(data)
    before = _judged(document, policy, at)
    elements = list(document.root.iter(f"{{{DS}}}Signature"))
    for element in elements:
        if element.find(f"{{{DS}}}Object/{{{XADES}}}QualifyingProperties") is None:
            raise AugmentRefused("a signature without XAdES properties has no place for time")
    signers = {s.location.path: s.certificate for s in before.signatures}
    steps = ("T", "LT", "LTA")[: ("T", "LT", "LTA").index(level) + 1]
    for step in steps:
        for element in elements:
            work = _Work(document, element, policy, tsa, signers[element_path(element)])
            if step == "T":
                work.stamp_signature()
            elif step == "LT":
                work.add_values(trust, evidence or Evidence(), at)
            else:
                work.stamp_archive(trust, evidence or Evidence(), at)
    made = written_like(data, document.root)
    after = _judged(parse_xml(made), policy, at)
    if [s.covered for s in after.signatures] != [s.covered for s in before.signatures]:
        raise AugmentRefused("another signature covers this one: it would no longer verify")
    return made


def _judged(document: XmlDocument, policy: Policy, at: datetime) -> Report:
    report = verify_document(document, policy=policy, trust=None, at=at, key="embedded")
    if report.indication is not Indication.PASSED:
        raise AugmentRefused(f"the signature does not verify: {report.sub_indication}")
    return report


class _Work:
    """One signature that gains properties; read anew after each, so that what is stamped is what stands there."""

    def __init__(
        self,
        document: XmlDocument,
        element: etree._Element,
        policy: Policy,
        tsa: TimestampClient,
        signer: x509.Certificate | None,
    ) -> None:
        self._document, self._element, self._policy, self._tsa = document, element, policy, tsa
        self._signer = signer

    def stamp_signature(self) -> None:
        """SignatureTimeStamp (clause 5.3), where none is."""
        if not any(stamp.kind == "signature" for stamp in self._read().unsigned_stamps):
            add_signature_time_stamp(self._element, self._tsa)

    def add_values(self, trust: TrustStore | None, evidence: Evidence, at: datetime) -> None:
        """CertificateValues and RevocationValues (clause 5.4), where none are."""
        properties = self._read()
        if properties.named([f"{{{XADES}}}CertificateValues", f"{{{XADES}}}RevocationValues"]):
            return
        stamps = [stamp for stamp in properties.unsigned_stamps if stamp.kind != "archive"]
        if self._signer is None:
            raise AugmentRefused("the signing certificate is not in the signature")
        found = self._values(trust, evidence, at, [self._signer, *_authorities(stamps)], properties)
        holder = unsigned_of(self._element)
        _add_certificates(holder, found.certificates)
        _add_revocation(holder, found)

    def stamp_archive(self, trust: TrustStore | None, evidence: Evidence, at: datetime) -> None:
        """TimeStampValidationData (clause 5.5.3), then ArchiveTimeStamp (5.5.2).

        What is to be proven from now on must be known to stand now: for the authority of the latest time stamp an
        answer that holds at `at` is needed; for the others it is added where there is one.
        """
        properties = self._read()
        *earlier, latest = _authorities(properties.unsigned_stamps)
        there = self._values(trust, evidence, at, [latest], properties)
        for leaf in (self._signer, *earlier):
            with suppress(AugmentRefused):
                more = self._values(trust, evidence, at, [leaf] if leaf else [], properties)
                there = there.joined(more)
        if there != Evidence():
            tag = f"{{{XADES_141}}}TimeStampValidationData"
            data = etree.SubElement(unsigned_of(self._element), tag, nsmap={"xades141": XADES_141})
            _add_certificates(data, there.certificates)
            _add_revocation(data, there)
        self._stamp_archive()

    def _read(self) -> Properties:
        try:
            return read_properties(read_signature(self._element, self._policy))
        except CheckFailed as error:
            raise AugmentRefused(error.check.message_en) from None

    def _stamp_archive(self) -> None:
        holder = unsigned_of(self._element)
        tag = f"{{{XADES_141}}}ArchiveTimeStamp"
        element = etree.SubElement(holder, tag, nsmap={"xades141": XADES_141})
        place = begin_time_stamp(element)
        children = tuple(child for child in holder if isinstance(child.tag, str))
        stamp = TimeStamp(element, "archive", children.index(element), C14N)
        parts = read_signature(self._element, self._policy)
        imprints = Imprints(parts, Properties(children), reader_of(self._document), 1 << 30)
        place.text = stamped(imprints.octets(stamp), self._tsa)

    def _values(
        self,
        trust: TrustStore | None,
        evidence: Evidence,
        at: datetime,
        leaves: Iterable[x509.Certificate],
        properties: Properties,
    ) -> Evidence:
        """What is needed for the paths of these certificates and not there yet. Raises AugmentRefused."""
        if trust is None:
            raise AugmentRefused("trust is needed: whose values to add is read off the paths")
        there = Evidence(tuple(read_signature(self._element, self._policy).key_info.certificates))
        for _, piece in evidence_of(properties):
            there = there.joined(piece)
        pool = (*evidence.certificates, *there.certificates)
        links = dict.fromkeys(link for leaf in leaves for link in _links(leaf, pool, trust))
        needed: dict[bytes, None] = {}
        for certificate, issuer in links:
            told = _telling(certificate, issuer, there.joined(evidence), at)
            if told is None:
                raise AugmentRefused(f"no CRL or OCSP answer tells of {certificate.subject.rfc4514_string()}")
            needed[told] = None
        path = dict.fromkeys(c for link in links for c in link)
        return Evidence(
            tuple(c for c in path if c not in there.certificates),
            tuple(der for der in needed if der in evidence.crls and der not in there.crls),
            tuple(der for der in needed if der in evidence.ocsps and der not in there.ocsps),
        )


def _authorities(stamps: Iterable[TimeStamp]) -> list[x509.Certificate]:
    """The certificates that signed the tokens."""
    found = []
    for token in (token for stamp in stamps for token in stamp.tokens):
        with suppress(Asn1Refused, CheckFailed):
            signed = read_signed_data(token, max_signers=1)
            attributes = read_signed_attributes(signed.signers[0])
            found.append(choose_certificate(signed.signers[0], attributes, signed.certificates)[0])
    return list(dict.fromkeys(found))


def _links(
    leaf: x509.Certificate, pool: tuple[x509.Certificate, ...], trust: TrustStore
) -> list[tuple[x509.Certificate, x509.Certificate]]:
    """Each certificate of the leaf's path below the anchor, with its issuer. Raises AugmentRefused."""
    paths = trust.paths.paths(leaf, ancestors(leaf, pool))
    if not paths:
        raise AugmentRefused(f"no path from {leaf.subject.rfc4514_string()} to an anchor")
    best = max(paths, key=lambda path: path.not_after)
    return list(pairwise(best.certificates))


def _telling(
    certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence, at: datetime
) -> bytes | None:
    """The first answer that tells of a certificate at a time that it is not revoked."""
    for der in (*evidence.ocsps, *evidence.crls):
        index = RevocationIndex([issuer])
        with suppress(CrlRefused, OcspRefused):
            index.add_ocsp(der) if der in evidence.ocsps else index.add_crl(der)
            if isinstance(index.status(certificate, issuer, at), Good):
                return der
    return None


def _add_certificates(holder: etree._Element, certificates: Iterable[x509.Certificate]) -> None:
    ders = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    if ders:
        _add(etree.SubElement(holder, f"{{{XADES}}}CertificateValues"), "EncapsulatedX509Certificate", ders)


def _add_revocation(holder: etree._Element, found: Evidence) -> None:
    if not found.crls and not found.ocsps:
        return
    values = etree.SubElement(holder, f"{{{XADES}}}RevocationValues")
    if found.crls:
        _add(etree.SubElement(values, f"{{{XADES}}}CRLValues"), "EncapsulatedCRLValue", found.crls)
    if found.ocsps:
        _add(etree.SubElement(values, f"{{{XADES}}}OCSPValues"), "EncapsulatedOCSPValue", found.ocsps)


def _add(holder: etree._Element, name: str, values: Iterable[bytes]) -> None:
    for value in values:
        etree.SubElement(holder, f"{{{XADES}}}{name}").text = base64_text(value)
