"""Trusted lists (ETSI TS 119 612): services of certification and of time stamping as anchors with dates.

The list is judged like any document, against a pinned certificate of its scheme operator, and read from the octets that
its signature covers. Nothing is followed out of it: a list of lists is the operator's to resolve.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from lxml import etree

from signing.certificates import load_certificate
from signing.parsing import XmlRefused, parse_xml
from signing.policy import Policy, load_policy
from signing.report import Indication, Outcome, Report
from signing.trust import Window, read_certificates
from signing.verify import verify_xml

TSL = "http://uri.etsi.org/02231/v2#"
VERSIONS = {"5", "6"}
Kind = Literal["ca", "tsa"]
_TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
KINDS: dict[str, Kind] = {
    _TYPE + "CA/QC": "ca",
    _TYPE + "CA/PKC": "ca",
    _TYPE + "TSA": "tsa",
    _TYPE + "TSA/QTST": "tsa",
    _TYPE + "TSA/TSS-QC": "tsa",
    _TYPE + "TSA/TSS-AdESQCandQES": "tsa",
}
_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
_OLD_STATUS = "http://uri.etsi.org/TrstSvc/Svcstatus/eSigDir-1999-93-EC-TrustedList/"
GRANTED = {
    _STATUS + "granted",
    _STATUS + "recognisedatnationallevel",
    *(_OLD_STATUS + status for status in ("undersupervision", "supervisionincessation", "accredited")),
}
"""Clause 5.5.4 and annex E; every other status means: not trusted from then on."""
_PURPOSE = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
_SIGNATURES = {_PURPOSE + "ForeSignatures", _PURPOSE + "ForeSeals"}
_EXTENSIONS = {"AdditionalServiceInformation", "Qualifications", "ExpiredCertsRevocationInfo"}
MAX_SERVICES = 5_000


class TrustedListRefused(Exception):
    """The list cannot be used; the text says why."""


class TrustedListExpired(TrustedListRefused):
    """It was right and its nextUpdate has passed: nothing is trusted by it any more. `found`: what it said."""

    def __init__(self, found: TrustedList) -> None:
        super().__init__(f"expired: the next was due {found.next_update.isoformat()}")
        self.found = found


@dataclass(frozen=True, slots=True)
class TrustedService:
    """One service: its certificates, and when it was granted (aware times; none: never, or not for signatures)."""

    kind: Kind
    provider: str
    name: str
    certificates: tuple[x509.Certificate, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class TrustedList:
    """A list that verified. `sequence` grows with each issue: keep no older one. Trust ends with `next_update`."""

    territory: str
    sequence: int
    issued: datetime
    next_update: datetime
    services: tuple[TrustedService, ...]

    def anchors(self, kind: Kind) -> dict[x509.Certificate, tuple[Window, ...]]:
        """The certificates of services of that kind with their times of trust, for `TrustStore`."""
        found: dict[x509.Certificate, tuple[Window, ...]] = {}
        for service in self.services:
            if service.kind == kind and service.windows:
                for certificate in service.certificates:
                    found[certificate] = (*found.get(certificate, ()), *service.windows)
        return found


def read_trusted_list(
    data: bytes, *, scheme: Iterable[x509.Certificate], policy: Policy, at: datetime, newer_than: int = 0
) -> TrustedList:
    """Verify and read a list at a time (aware). Raises TrustedListRefused.

    `scheme`: the pinned certificates of the scheme operator, one of which must have signed the whole list.
    `newer_than`: sequence number of the list in use; an older one is refused.
    """
    root = _signed_root(data, tuple(scheme), policy, at)
    try:
        found = _read(root)
    except (ValueError, AttributeError) as error:
        raise TrustedListRefused(f"not of the agreed form: {str(error)[:200]}") from None
    if found.issued > at + policy.signing_time_tolerance:
        raise TrustedListRefused(f"issued in the future: {found.issued.isoformat()}")
    if at > found.next_update:
        raise TrustedListExpired(found)
    if found.sequence < newer_than:
        raise TrustedListRefused(f"number {found.sequence} is older than {newer_than}, which was seen before")
    return found


def _signed_root(
    data: bytes, scheme: tuple[x509.Certificate, ...], policy: Policy, at: datetime
) -> etree._Element:
    fault = "no certificate of the scheme operator is pinned"
    for certificate in scheme:
        try:
            report = verify_xml(data, policy=policy, trust=None, at=at, key=certificate)
        except XmlRefused as error:
            raise TrustedListRefused(error.faults[0].message_en) from None
        fault = _fault(report, certificate)
        if not fault:
            return parse_xml(report.covered[0].octets).root
    raise TrustedListRefused(fault)


def _fault(report: Report, scheme: x509.Certificate) -> str:
    if report.indication is not Indication.PASSED:
        checks = (*report.checks, *(check for each in report.signatures for check in each.checks))
        bad = [c for c in checks if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]
        return f"not signed by the scheme operator: {bad[0].code}: {bad[0].message_en}"
    if len(report.signatures) != 1 or len(report.covered) != 1 or report.covered[0].path != ():
        return "one signature over the whole list is needed"
    if report.signatures[0].certificate not in (scheme, None):
        return "signed with another certificate of the same key"
    return ""


def _read(root: etree._Element) -> TrustedList:
    if root.tag != f"{{{TSL}}}TrustServiceStatusList":
        raise ValueError(f"the root is {etree.QName(root).localname}")
    info = _child(root, "SchemeInformation")
    version = _text(info, "TSLVersionIdentifier")
    if version not in VERSIONS:
        raise ValueError(f"version {version[:20]!r}")
    next_update = _time(_text(_child(info, "NextUpdate"), "dateTime"))  # none: a scheme that has ended
    services = list(root.iterfind(f"{{{TSL}}}TrustServiceProviderList//{{{TSL}}}TSPService"))
    if len(services) > MAX_SERVICES:
        raise ValueError(f"{len(services)} services")
    return TrustedList(
        territory=_text(info, "SchemeTerritory"),
        sequence=int(_text(info, "TSLSequenceNumber")),
        issued=_time(_text(info, "ListIssueDateTime")),
        next_update=next_update,
        services=tuple(found for service in services if (found := _service(service, next_update))),
    )


def _service(service: etree._Element, next_update: datetime) -> TrustedService | None:
    now = _child(service, "ServiceInformation")
    kind = KINDS.get(_text(now, "ServiceTypeIdentifier"))
    if kind is None:
        return None
    past = service.findall(f"{{{TSL}}}ServiceHistory/{{{TSL}}}ServiceHistoryInstance")
    provider = next((p for p in service.iterancestors(f"{{{TSL}}}TrustServiceProvider")), service)
    return TrustedService(
        kind=kind,
        provider=_name(provider, "TSPInformation/TSPName"),
        name=_name(service, "ServiceInformation/ServiceName"),
        certificates=tuple(_certificates(now)),
        windows=tuple(_windows([now, *past], kind, next_update)),
    )


def _windows(states: list[etree._Element], kind: Kind, next_update: datetime) -> Iterator[Window]:
    """Each state holds from its starting time to that of the next; the last one as long as the list itself."""
    dated = sorted(((_time(_text(s, "StatusStartingTime")), s) for s in states), key=lambda each: each[0])
    for position, (start, state) in enumerate(dated):
        last = position + 1 == len(dated)
        end = next_update if last else dated[position + 1][0] - timedelta(microseconds=1)
        granted = _text(state, "ServiceStatus") in GRANTED
        same_kind = KINDS.get(_text(state, "ServiceTypeIdentifier")) == kind
        if granted and same_kind and start <= end and _for_signatures(state, kind):
            yield Window(start, end)


def _for_signatures(state: etree._Element, kind: Kind) -> bool:
    """Clause 5.5.9: an unknown critical extension, or a purpose that is neither signatures nor seals, rules it out."""
    purposes = []
    for extension in state.iterfind(f"{{{TSL}}}ServiceInformationExtensions/{{{TSL}}}Extension"):
        inside = [child for child in extension if isinstance(child.tag, str)]
        names = {etree.QName(child).localname for child in inside}
        if extension.get("Critical") in ("true", "1") and (not names or names - _EXTENSIONS):
            return False
        for child in inside:
            if etree.QName(child).localname == "AdditionalServiceInformation":
                purposes.append(_text(child, "URI"))
    stated = [purpose for purpose in purposes if purpose.startswith(_PURPOSE + "Fo")]
    return kind == "tsa" or not stated or bool(_SIGNATURES & set(stated))


def _certificates(state: etree._Element) -> Iterator[x509.Certificate]:
    place = f"{{{TSL}}}ServiceDigitalIdentity/{{{TSL}}}DigitalId/{{{TSL}}}X509Certificate"
    for element in state.iterfind(place):
        try:
            yield load_certificate(base64.b64decode("".join((element.text or "").split()), validate=True))
        except binascii.Error:
            raise ValueError("a certificate that is no base64") from None


def _child(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{{{TSL}}}{name}")
    if len(found) != 1:
        raise ValueError(f"{len(found)} elements {name} in {etree.QName(parent).localname}")
    return found[0]


def _text(parent: etree._Element, name: str) -> str:
    return (_child(parent, name).text or "").strip()


def _name(parent: etree._Element, path: str) -> str:
    names = parent.findall("/".join(f"{{{TSL}}}{step}" for step in path.split("/")) + f"/{{{TSL}}}Name")
    return (names[0].text or "").strip()[:200] if names else ""


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text[:40])
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]!r} says no zone")
    return moment.astimezone(UTC)


def lists_of(
    folder: Path, at: datetime
) -> tuple[
    tuple[TrustedList, ...],
    dict[x509.Certificate, tuple[Window, ...]],
    dict[x509.Certificate, tuple[Window, ...]],
]:
    """The lists `*.xml` in a folder; their anchors for signatures, and their anchors for time stamps.

    Its `scheme/` holds the pinned certificates of the operators. Of several lists of one territory only the latest
    counts, also where that has expired: what it withdrew must not come back through an older one. An expired list
    gives no anchors, as it would while we run. Raises TrustedListRefused naming the broken file.
    """
    signing, stamping = _Merged(), _Merged()
    latest = tuple(_latest(folder, at).values())
    for found in latest:
        if at <= found.next_update:
            signing.take(found.anchors("ca"))
            stamping.take(found.anchors("tsa"))
    return latest, signing, stamping


def scheme_of(folder: Path) -> tuple[x509.Certificate, ...]:
    """The pinned certificates under `scheme/`. Raises TrustedListRefused naming the broken file."""
    scheme: list[x509.Certificate] = []
    for file in sorted((folder / "scheme").glob("[!.]*")):
        try:
            scheme += read_certificates(file.read_bytes())
        except (ValueError, OSError) as error:
            raise TrustedListRefused(f"{file}: {error}") from None
    return tuple(scheme)


def _latest(folder: Path, at: datetime) -> dict[str, TrustedList]:
    """By territory. Raises TrustedListRefused."""
    scheme, policy = scheme_of(folder), load_policy("tt15-2025")
    latest: dict[str, TrustedList] = {}
    for file in sorted(folder.glob("[!.]*.xml")):
        try:
            found = read_trusted_list(file.read_bytes(), scheme=scheme, policy=policy, at=at)
        except TrustedListExpired as error:
            found = error.found
        except (TrustedListRefused, OSError) as error:
            raise TrustedListRefused(f"{file}: {error}") from None
        held = latest.get(found.territory)
        if held is None or (held.sequence, held.issued) < (found.sequence, found.issued):
            latest[found.territory] = found
    return latest


def check_newer(data: bytes, folder: Path, at: datetime) -> TrustedList:
    """A list in force that is to join those of a folder. Raises TrustedListRefused where it is not signed by a pinned
    operator, or older in number or date of issue than the one of its territory there.
    """
    found = read_trusted_list(data, scheme=scheme_of(folder), policy=load_policy("tt15-2025"), at=at)
    held = _latest(folder, at).get(found.territory)
    if held is not None and (found.sequence < held.sequence or found.issued < held.issued):
        raise TrustedListRefused(
            f"number {found.sequence} is older than {held.sequence}, which was seen before"
        )
    return found


class _Merged(dict[x509.Certificate, tuple[Window, ...]]):
    """Times of trust out of several lists."""

    def take(self, more: dict[x509.Certificate, tuple[Window, ...]]) -> None:
        for certificate, windows in more.items():
            self[certificate] = (*self.get(certificate, ()), *windows)
