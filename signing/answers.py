"""Fetched CRLs and OCSP answers on disk: one file for each, replaced at once or not at all, never by an older one."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.certificates import load_certificate
from signing.crl import entry_of
from signing.revocation import CrlRefused, OcspRefused, RevocationIndex, issuer_key

SOURCES = ".sources.json"
"""No answer: a change of it alone is no reason to read the folder again."""
MAX_SOURCES_BYTES = 8 << 20


class AnswerFolder:
    """A folder that several processes may read and write. It is made at the first keeping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load_into(self, index: RevocationIndex) -> tuple[str, ...]:
        """Add every answer; returns what cannot be used, with the reason: a CA may have gone since it was fetched."""
        left_out = []
        for file in sorted(self.folder.glob("*.crl")) + sorted(self.folder.glob("*.ocsp")):
            try:
                _add(index, file.suffix, file.read_bytes(), None)
            except (CrlRefused, OcspRefused, OSError) as error:
                left_out.append(f"{file.name}: {error}")
        return tuple(left_out)

    def keep_crl(self, der: bytes, issuer: x509.Certificate) -> bool:
        """Keep a list if it is newer than the one there; returns whether it is. Raises CrlRefused, OSError."""
        RevocationIndex().add_crl(der, issuer)
        entry = entry_of(x509.load_der_x509_crl(der))
        part = "\n".join([entry.scope, *sorted(entry.points)])
        return self._keep(_name(issuer, part.encode(), ".crl"), der, issuer)

    def keep_ocsp(self, der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Keep an answer about a certificate if it is newer than the one there. Raises OcspRefused, OSError."""
        answers = RevocationIndex().add_ocsp(der, issuer)
        if certificate.serial_number not in {answer.serial for answer in answers}:
            raise OcspRefused("it answers about another certificate")
        return self._keep(_name(issuer, b"%d" % certificate.serial_number, ".ocsp"), der, issuer)

    def remembered(self) -> tuple[x509.Certificate, ...]:
        """Certificates whose addresses are to be asked, as `remember` wrote them; of a broken file none."""
        try:
            data = (self.folder / SOURCES).read_bytes()
            ders = msgspec.json.decode(data, type=list[bytes]) if len(data) <= MAX_SOURCES_BYTES else []
            return tuple(load_certificate(der) for der in ders)
        except (OSError, ValueError, msgspec.MsgspecError):
            return ()

    def remember(self, certificates: Iterable[x509.Certificate]) -> None:
        """Keep certificates whose addresses are to be asked, latest first. Raises OSError."""
        ders = dict.fromkeys(certificate.public_bytes(Encoding.DER) for certificate in certificates)
        data = msgspec.json.encode(list(ders))
        while len(data) > MAX_SOURCES_BYTES:
            ders = dict.fromkeys(list(ders)[: len(ders) // 2])
            data = msgspec.json.encode(list(ders))
        with self.locked(wait=True):
            file = self.folder / SOURCES
            if not file.exists() or file.read_bytes() != data:
                replace_file(file, data)

    def _keep(self, name: str, der: bytes, issuer: x509.Certificate) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.locked(wait=True):
            file = self.folder / name
            index = RevocationIndex()
            if file.exists():
                try:
                    _add(index, file.suffix, file.read_bytes(), issuer)
                except (CrlRefused, OcspRefused):
                    index = RevocationIndex()  # a broken file is worth nothing
            before = index.epoch
            _add(index, file.suffix, der, issuer)
            if index.epoch == before or (before and file.read_bytes() == der):
                return False
            replace_file(file, der)
        return True

    @contextmanager
    def locked(self, name: str = ".lock", *, wait: bool) -> Iterator[bool]:
        """Hold a lock among processes; gives False where another holds it and we do not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _add(index: RevocationIndex, kind: str, der: bytes, issuer: x509.Certificate | None) -> None:
    if kind == ".crl":
        index.add_crl(der, issuer)
    else:
        index.add_ocsp(der, issuer)


def _name(issuer: x509.Certificate, part: bytes, suffix: str) -> str:
    return hashlib.sha256(issuer_key(issuer) + part).hexdigest()[:40] + suffix


def replace_file(file: Path, data: bytes) -> None:
    """All or nothing, also over a power failure: written beside, synced, renamed, the folder synced."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with beside.open("wb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
