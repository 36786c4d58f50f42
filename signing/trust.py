"""What the operator trusts: anchors, intermediate CA certificates, revocation lists. Read from a directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from signing.answers import AnswerFolder
from signing.certificates import load_certificate
from signing.path import PathFinder
from signing.revocation import CrlRefused, OcspRefused, RevocationIndex
from signing.sources import Sources
from signing.verdicts import VerdictCache

if TYPE_CHECKING:
    from signing.trusted_list import TrustedList

_T = TypeVar("_T")
VIETNAM = timezone(timedelta(hours=7))
EVER, FOR_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


class TrustRefused(Exception):
    """A file of the trust directory is broken; the text names the file and the fault."""


class Window(msgspec.Struct, frozen=True):
    """A time within which an anchor is trusted, both ends inclusive, aware."""

    start: datetime = EVER
    end: datetime = FOR_EVER


@dataclass(frozen=True, slots=True)
class Additions:
    """What is trusted beside a folder (CRLs in DER), and which of its certificates are not, by SHA-256 (hex)."""

    anchors: tuple[x509.Certificate, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    without: frozenset[str] = frozenset()

    def keeps(self, certificate: x509.Certificate) -> bool:
        """Whether it is trusted where the folder has it."""
        return certificate.fingerprint(hashes.SHA256()).hex() not in self.without


ALWAYS = (Window(),)
Windows = Mapping[x509.Certificate, tuple[Window, ...]]


@dataclass(frozen=True)
class TrustStore:
    """Anchors and intermediates do not change within a store: new certificates make a new store with empty caches.

    CRLs and OCSP answers may be added to `revocation` at any time: its epoch then makes kept verdicts void.
    `windows`: when an anchor is trusted, for those that are not trusted always. `stamping`: further anchors for the
    certificates of time-stamping units alone (`for_timestamps`); a signer's path never ends there. `lists`: the
    trusted lists that anchors came from, those that have ended too.
    `left_out`: what was fetched and cannot be used (any more).
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    revocation: RevocationIndex = field(default_factory=RevocationIndex)
    windows: Windows = field(default_factory=dict)
    stamping: Windows = field(default_factory=dict)
    lists: tuple[TrustedList, ...] = ()
    left_out: tuple[str, ...] = ()
    paths: PathFinder = field(init=False, repr=False, compare=False)
    verdicts: VerdictCache = field(init=False, repr=False, compare=False, default_factory=VerdictCache)
    sources: Sources = field(init=False, repr=False, compare=False, default_factory=Sources)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", PathFinder(self.anchors, self.intermediates))

    @cached_property
    def for_timestamps(self) -> TrustStore:
        """This store for judging the certificates of time-stamping units; it shares the revocation index."""
        if not self.stamping:
            return self
        windows = dict(self.stamping)
        for anchor in self.anchors:
            windows[anchor] = (*windows.get(anchor, ()), *self.windows.get(anchor, ALWAYS))
        return TrustStore(tuple(windows), self.intermediates, self.revocation, windows)

    def window(self, anchor: x509.Certificate, at: datetime) -> Window | None:
        """The time of trust that `at` falls into, or None."""
        for window in self.windows.get(anchor, ALWAYS):
            if window.start <= at <= window.end:
                return window
        return None

    def extended(
        self,
        anchors: Iterable[x509.Certificate] = (),
        intermediates: Iterable[x509.Certificate] = (),
        crls: Iterable[bytes] = (),
        ocsps: Iterable[bytes] = (),
    ) -> TrustStore:
        """This store and further anchors (trusted always), intermediates, CRLs and OCSP answers (DER).

        Raises CrlRefused, OcspRefused.
        """
        roots, pool = tuple(anchors), tuple(intermediates)
        revocation = self.revocation.extended((*roots, *pool))
        for crl in crls:
            revocation.add_crl(crl)
        for answer in ocsps:
            revocation.add_ocsp(answer)
        windows = dict(self.windows) | dict.fromkeys(roots, ALWAYS)
        return TrustStore(
            (*self.anchors, *roots),
            (*self.intermediates, *pool),
            revocation,
            windows,
            self.stamping,
            self.lists,
        )

    @classmethod
    def of(
        cls,
        anchors: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
        crls: Iterable[bytes] = (),
        windows: Windows | None = None,
    ) -> TrustStore:
        """A store from objects; `crls` in DER. Raises CrlRefused."""
        roots, pool = tuple(anchors), tuple(intermediates)
        revocation = RevocationIndex((*roots, *pool))
        for crl in crls:
            revocation.add_crl(crl)
        return cls(roots, pool, revocation, windows or {})

    @classmethod
    def load(
        cls,
        directory: Path | str,
        at: datetime | None = None,
        before: TrustStore | None = None,
        more: Additions | None = None,
    ) -> TrustStore:
        """Read `anchors/`, `intermediates/`, `crls/`, `ocsp/` under a directory: PEM (several a file), DER, PKCS#7.

        At least one anchor is needed; the other folders may be absent. `anchors.toml` may limit the trust in anchors
        to times: `[[anchor]]` with `file` (its name in `anchors/`), `from`, `until` (dates, inclusive, Vietnam time).
        `lists/` may hold trusted lists (TS 119 612), judged at `at` (default now); `fetched/` what the background
        refresh has kept. `before`: the store read earlier, whose paths and addresses go on where the certificates are
        the same. `more`: what stands elsewhere; a CRL among it whose issuer is unknown is left out.
        Raises TrustRefused naming the broken file.
        """
        base, more = Path(directory), more or Additions()
        lists, windows, stamping = _lists(base / "lists", at or datetime.now(UTC))
        own = tuple(_read_all(base / "anchors", read_certificates))
        windows |= dict.fromkeys(own, ALWAYS) | _windows(base)
        windows |= dict.fromkeys(more.anchors, ALWAYS)
        read = (*_read_all(base / "intermediates", read_certificates), *more.intermediates)
        known = (
            *windows,
            *stamping,
            *read,
        )  # of those that are trusted no more, lists may lie in the folder yet
        windows = {one: times for one, times in windows.items() if more.keeps(one)}
        stamping = {one: times for one, times in stamping.items() if more.keeps(one)}
        if not windows:
            raise TrustRefused(f"{base / 'anchors'}: no trust anchor, nothing could ever be trusted")
        anchors, intermediates = tuple(windows), tuple(one for one in dict.fromkeys(read) if more.keeps(one))
        revocation = RevocationIndex(known)

        def add(data: bytes) -> list[None]:
            for der in read_crls(data):
                revocation.add_crl(der)
            return []

        def add_ocsp(data: bytes) -> list[None]:
            revocation.add_ocsp(data)
            return []

        for _ in (*_read_all(base / "crls", add), *_read_all(base / "ocsp", add_ocsp)):
            pass
        for der in more.crls:
            with suppress(CrlRefused):
                revocation.add_crl(der)
        left_out = AnswerFolder(base / "fetched").load_into(revocation)
        made = cls(anchors, intermediates, revocation, windows, stamping, lists, left_out)
        if before is not None and (before.anchors, before.intermediates) == (anchors, intermediates):
            object.__setattr__(made, "paths", before.paths)
            object.__setattr__(made, "sources", before.sources)
        return made


def _lists(
    folder: Path, at: datetime
) -> tuple[
    tuple[TrustedList, ...],
    dict[x509.Certificate, tuple[Window, ...]],
    dict[x509.Certificate, tuple[Window, ...]],
]:
    if not folder.is_dir():
        return (), {}, {}
    from signing.trusted_list import TrustedListRefused, lists_of  # noqa: PLC0415  # judges the list by this store's kin

    try:
        return lists_of(folder, at)
    except TrustedListRefused as error:
        raise TrustRefused(str(error)) from None


class _DatedAnchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    file: str
    start: date | None = msgspec.field(name="from", default=None)
    end: date | None = msgspec.field(name="until", default=None)


class _DatedAnchors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    anchor: list[_DatedAnchor]


def _windows(base: Path) -> dict[x509.Certificate, tuple[Window, ...]]:
    """`anchors.toml`; a file named twice is trusted in both times."""
    paper = base / "anchors.toml"
    if not paper.exists():
        return {}
    try:
        dated = msgspec.toml.decode(paper.read_bytes(), type=_DatedAnchors)
    except (msgspec.MsgspecError, OSError) as error:
        raise TrustRefused(f"{paper}: {error}") from None
    found: dict[x509.Certificate, tuple[Window, ...]] = {}
    for entry in dated.anchor:
        file = base / "anchors" / entry.file
        if file.name != entry.file or not file.is_file():
            raise TrustRefused(f"{paper}: there is no {entry.file!r} in anchors/")
        start = datetime.combine(entry.start, time.min, VIETNAM) if entry.start else EVER
        end = datetime.combine(entry.end, time.max, VIETNAM) if entry.end else FOR_EVER
        if start > end:
            raise TrustRefused(f"{paper}: {entry.file}: until lies before from")
        for certificate in read_certificates(file.read_bytes()):
            found[certificate] = (*found.get(certificate, ()), Window(start, end))
    return found


def _read_all(folder: Path, read: Callable[[bytes], Iterable[_T]]) -> Iterator[_T]:
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        try:
            yield from read(file.read_bytes())
        except (ValueError, OSError, CrlRefused, OcspRefused, x509.InvalidVersion) as error:
            raise TrustRefused(f"{file}: {error}") from None


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """Certificates in PEM (several), DER or PKCS#7. Raises ValueError, or x509.InvalidVersion."""
    if b"-----BEGIN PKCS7-----" in data:
        found = pkcs7.load_pem_pkcs7_certificates(data)
    elif b"-----BEGIN CERTIFICATE-----" in data:
        found = x509.load_pem_x509_certificates(data)
    else:
        try:
            found = [x509.load_der_x509_certificate(data)]
        except ValueError:
            found = pkcs7.load_der_pkcs7_certificates(data)
    return [load_certificate(certificate.public_bytes(Encoding.DER)) for certificate in found]


def read_crls(data: bytes) -> list[bytes]:
    """CRLs in DER, from DER or PEM (several). Raises ValueError for broken PEM."""
    blocks = _PEM_CRL.findall(data)
    if not blocks:
        return [data]
    return [x509.load_pem_x509_crl(block).public_bytes(Encoding.DER) for block in blocks]
