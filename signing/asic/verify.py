"""ASiC-E and ASiC-S containers with XAdES or CAdES signatures (EN 319 162-1 clauses 4.3, 4.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import unquote

from lxml import etree

from signing.algorithms import DIGESTS, DS, digest
from signing.asic.container import ContainerRefused, open_container
from signing.cms.verify import verify_cms
from signing.elements import base64_of, printable
from signing.parsing import XmlRefused, parse_xml
from signing.policy import Policy, load_policy
from signing.report import (
    Check,
    CheckFailed,
    Covered,
    Indication,
    Report,
    SignatureReport,
    conclude,
    failed,
    passed,
    worst_of,
)
from signing.trust import TrustStore
from signing.verify import Key, check_arguments, check_in_force, verify_document

ASIC = "http://uri.etsi.org/02918/v1.2.1#"
MIMETYPE = "mimetype"
_TYPES = {b"application/vnd.etsi.asic-e+zip": "ASiC-E", b"application/vnd.etsi.asic-s+zip": "ASiC-S"}
_XADES = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_CADES = re.compile(r"META-INF/[^/]*signature[^/]*\.p7s", re.IGNORECASE)
_MANIFEST = re.compile(r"META-INF/[^/]*ASiCManifest[^/]*\.xml", re.IGNORECASE)
MAX_MANIFEST_REFERENCES = 256


def verify_asic(
    data: bytes,
    *,
    policy: Policy | str,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
) -> Report:
    """Judge every signature of a container; the worst decides. `covered`: the files, `uri` their names.

    A file that no signature covers makes the container fail. Never raises for what the octets hold. Raises ValueError
    for a time without a zone, or neither trust nor key.
    """
    moment = at or datetime.now(UTC)
    check_arguments(moment, trust, key)
    rules = load_policy(policy) if isinstance(policy, str) else policy
    judgement = _Judgement(rules, trust, moment, key, checks=[check_in_force(rules, moment)])
    try:
        judgement.run(open_container(data))
    except ContainerRefused as error:
        judgement.checks.append(failed("asic.container", detail=printable(str(error))))
    except CheckFailed as error:
        judgement.checks.append(error.check)
    signatures = tuple(judgement.signatures)
    verdicts = [conclude(judgement.checks), *((s.indication, s.sub_indication) for s in signatures)]
    indication, sub_indication = worst_of(verdicts)
    return Report(indication, sub_indication, rules.name, moment, tuple(judgement.checks), signatures)


@dataclass(slots=True)
class _Judgement:
    policy: Policy
    trust: TrustStore | None
    at: datetime
    key: Key | None
    checks: list[Check]
    signatures: list[SignatureReport] = field(default_factory=list)

    def run(self, files: dict[str, bytes]) -> None:
        kind = _kind_of(files)
        self.checks.append(passed("asic.container"))
        content = {n: o for n, o in files.items() if n != MIMETYPE and not n.upper().startswith("META-INF/")}
        xades = [name for name in files if _XADES.fullmatch(name)]
        cades = [name for name in files if _CADES.fullmatch(name)]
        if not xades and not cades:
            raise CheckFailed(failed("document.signature-present"))
        if len(xades) + len(cades) > self.policy.max_signatures:
            count = len(xades) + len(cades)
            raise CheckFailed(
                failed("document.signature-count", count=count, limit=self.policy.max_signatures)
            )
        if kind == "ASiC-S" and len(content) != 1:
            raise ContainerRefused("ASiC-S holds one file")
        for name in xades:
            self._judge_xades(files[name], {n: o for n, o in files.items() if n != name})
        for name in cades:
            self._judge_cades(name, files, content, kind)
        self._check_covered(content)

    def _judge_xades(self, octets: bytes, others: Mapping[str, bytes]) -> None:
        try:
            document = parse_xml(octets, encodings=self.policy.encodings)
        except XmlRefused as refused:
            raise ContainerRefused("; ".join(f"{f.code}: {f.message_en}" for f in refused.faults)) from None
        self._take(
            verify_document(
                document, policy=self.policy, trust=self.trust, at=self.at, key=self.key, files=others
            )
        )

    def _judge_cades(
        self, name: str, files: Mapping[str, bytes], content: Mapping[str, bytes], kind: str
    ) -> None:
        """ASiC-S: over the file itself; ASiC-E: over a manifest that holds the files' digests (Annex A.4)."""
        manifests = [m for m in files if _MANIFEST.fullmatch(m) and _signature_named(files[m]) == name]
        if kind == "ASiC-E" or manifests:
            if len(manifests) != 1:
                detail = f"{name} needs one ASiCManifest, {len(manifests)} name it"
                raise CheckFailed(failed("asic.manifest", detail=printable(detail)))
            signed = files[manifests[0]]
            listed, wrong = _listed(signed, files, self.policy)
            self.checks += wrong or [passed("asic.manifest")]
        else:
            if len(content) != 1:
                raise ContainerRefused("a signature without a manifest is over one file")
            (only,) = content
            signed, listed = content[only], [Covered((), "", only, None, content[only])]
        report = verify_cms(
            files[name], content=signed, policy=self.policy, trust=self.trust, at=self.at, key=self.key
        )
        self._take(report, listed, manifests[0] if manifests else "")

    def _take(self, report: Report, covered: Iterable[Covered] = (), manifest: str = "") -> None:
        self.checks += [check for check in report.checks if check not in self.checks]
        for signature in report.signatures:
            found = signature
            if signature.covered and covered:
                own = tuple(replace(each, uri=manifest) for each in signature.covered) if manifest else ()
                found = replace(signature, covered=tuple(covered), properties=(*signature.properties, *own))
            self.signatures.append(found)

    def _check_covered(self, content: Mapping[str, bytes]) -> None:
        signed = {
            each.uri
            for signature in self.signatures
            if signature.indication is not Indication.FAILED
            for each in signature.covered
            if each.line is None  # a file: an element of the signature's document has a line
        }
        unsigned = sorted(content.keys() - signed)
        if any(signature.indication is Indication.FAILED for signature in self.signatures):
            return  # what a broken signature covers is not told
        if unsigned:
            self.checks.append(failed("asic.unsigned-file", names=printable(", ".join(unsigned[:5]))))
        else:
            self.checks.append(passed("asic.unsigned-file"))


def _kind_of(files: Mapping[str, bytes]) -> str:
    """By the mimetype file, which comes first where it is there (Annex A.1)."""
    if MIMETYPE not in files:
        return ""
    kind = _TYPES.get(files[MIMETYPE].strip())
    if kind is None:
        raise ContainerRefused("the mimetype is none of ASiC's")
    if next(iter(files)) != MIMETYPE:
        raise ContainerRefused("mimetype is not the first entry")
    return kind


def _manifest_root(octets: bytes) -> etree._Element:
    try:
        root = parse_xml(octets).root
    except XmlRefused as refused:
        raise CheckFailed(failed("asic.manifest", detail=refused.faults[0].message_en)) from None
    if root.tag != f"{{{ASIC}}}ASiCManifest":
        raise CheckFailed(failed("asic.manifest", detail="another root element"))
    return root


def _signature_named(octets: bytes) -> str:
    references = _manifest_root(octets).findall(f"{{{ASIC}}}SigReference")
    return unquote(references[0].get("URI", "")) if len(references) == 1 else ""


def _listed(octets: bytes, files: Mapping[str, bytes], policy: Policy) -> tuple[list[Covered], list[Check]]:
    """The files that a manifest lists, and what is wrong with it. Raises CheckFailed (asic.manifest, format.*)."""
    references = _manifest_root(octets).findall(f"{{{ASIC}}}DataObjectReference")
    if not 1 <= len(references) <= MAX_MANIFEST_REFERENCES:
        raise CheckFailed(failed("asic.manifest", detail=f"{len(references)} references"))
    covered: list[Covered] = []
    wrong: list[Check] = []
    for reference in references:
        name = unquote(reference.get("URI", ""))
        method, value = reference.find(f"{{{DS}}}DigestMethod"), reference.find(f"{{{DS}}}DigestValue")
        if name not in files or method is None or value is None:
            raise CheckFailed(failed("asic.manifest", detail=printable(f"the reference to {name!r}")))
        algorithm = DIGESTS.get(method.get("Algorithm", ""))
        if algorithm is None:
            raise CheckFailed(failed("algorithm.digest", algorithm=printable(method.get("Algorithm", ""))))
        if algorithm not in policy.digests:
            wrong.append(failed("algorithm.digest", algorithm=algorithm))
        if digest(algorithm, files[name]) != base64_of(value):
            wrong.append(failed("reference.digest", uri=printable(name)))
        if name in {each.uri for each in covered}:
            raise CheckFailed(failed("asic.manifest", detail=printable(f"{name!r} is listed twice")))
        covered.append(Covered((), "", name, None, files[name]))
    return covered, wrong
