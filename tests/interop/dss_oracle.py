"""EU DSS, built by Maven and run as a process that answers jobs: the reference judge of EN 319 102-1, and a signer."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)

from signing import FileKey

PROJECT = Path(__file__).parent / "dss"
PASSWORD = "development"
_NAMES = {"PASSED": "TOTAL-PASSED", "TOTAL_PASSED": "TOTAL-PASSED", "TOTAL_FAILED": "TOTAL-FAILED"}


@dataclass(frozen=True)
class Verdict:
    """What DSS says of one signature, in the words that we use."""

    indication: str
    sub_indication: str | None
    format: str
    best_signature_time: str | None
    errors: tuple[str, ...]


@dataclass
class Circumstances:
    """What a judge is given: roots, further CA certificates, revocation lists (DER)."""

    trusted: list[x509.Certificate]
    certificates: list[x509.Certificate] = field(default_factory=list)
    crls: list[bytes] = field(default_factory=list)


class Dss:
    """The running oracle. `folder` takes the files of the jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0
        target = PROJECT / "target"
        command = ["java", "-Xmx1g", "-cp", f"{target / 'classes'}:{target / 'lib'}/*", "Dss"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def judge(self, document: bytes, given: Circumstances, at: datetime) -> list[Verdict]:
        """The verdicts on a document's signatures."""
        job = {"do": "judge", "file": self._file(document), "time": at.isoformat(), **self._given(given)}
        return [
            Verdict(
                _NAMES.get(told["indication"], told["indication"]),
                told["sub_indication"],
                told["format"],
                told["best_signature_time"],
                tuple(told["errors"]),
            )
            for told in self._ask(job)["signatures"]
        ]

    def read_report(self, report: bytes) -> list[str]:
        """The main indications in a validation report (ETSI TS 119 102-2). Raises where its schema refuses it."""
        told = self._ask({"do": "read-report", "file": self._file(report)})["signatures"]
        return [_NAMES.get(each["indication"], each["indication"]) for each in told]

    def sign(
        self,
        document: bytes,
        level: str,
        key: FileKey,
        tsa: FileKey,
        given: Circumstances,
        at: datetime,
        *,
        form: str = "XAdES",
    ) -> bytes:
        """The document with a baseline signature of DSS's making: XAdES enveloped in it, CAdES around it, or PAdES."""
        out = self.folder / f"{self._count}-signed"
        job = {"do": "sign", "form": form, "file": self._file(document), "out": str(out), "level": level}
        job |= {"time": at.isoformat(), "password": PASSWORD, **self._given(given)}
        job |= {"key": self._store(key), "tsa": self._store(tsa)}
        self._ask(job)
        return out.read_bytes()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def _given(self, given: Circumstances) -> dict[str, list[str]]:
        def files(certificates: list[x509.Certificate]) -> list[str]:
            return [self._file(c.public_bytes(Encoding.DER)) for c in certificates]

        return {
            "trusted": files(given.trusted),
            "certificates": files(given.certificates),
            "crls": [self._file(crl) for crl in given.crls],
        }

    def _store(self, key: FileKey) -> str:
        protection = BestAvailableEncryption(PASSWORD.encode())
        made = pkcs12.serialize_key_and_certificates(
            b"key",
            key.private_key,
            key.certificate,
            list(key.chain),
            protection,  # type: ignore[arg-type]
        )
        return self._file(made)

    def _file(self, octets: bytes) -> str:
        self._count += 1
        file = self.folder / str(self._count)
        file.write_bytes(octets)
        return str(file)


def start(folder: Path) -> Dss:
    """Build where that is needed, and run; a loud skip where java, Maven or the artefacts are not to be had."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"missing: {tool} (sh tests/tools.sh java mvn)")
    built = subprocess.run(
        ["mvn", "-q", "-B", "process-classes"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"EU DSS cannot be built from its Maven artefacts: {built.stdout[-400:]}")
    return Dss(folder)
