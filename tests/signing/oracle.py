"""xmlsec1 (libxml2 and libxmlsec, by others) as judge of what we sign."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tests.signing.pki import Hierarchy


@dataclass(frozen=True)
class Xmlsec1:
    """The oracle with the hierarchy's root as its only trust."""

    program: str
    root: Path
    ca: Path

    @classmethod
    def of(cls, pki: Hierarchy, folder: Path) -> Xmlsec1:
        program = shutil.which("xmlsec1")
        if program is None:
            pytest.skip("missing: xmlsec1 (Debian package xmlsec1)")
        root, ca = folder / "root.pem", folder / "ca.pem"
        root.write_bytes(pki.root.certificate.public_bytes(Encoding.PEM))
        ca.write_bytes(pki.ca.certificate.public_bytes(Encoding.PEM))
        return cls(program, root, ca)

    def verifies(self, file: Path, signed_id: str = "ID_1") -> bool:
        """Whether xmlsec1 verifies the document's first signature, path included."""
        bearer = next(e for e in etree.parse(file).iter("*") if e.get("id") == signed_id)
        name = etree.QName(bearer)
        typed = f"{name.namespace}:{name.localname}" if name.namespace else name.localname
        xades = ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
        command = [self.program, "--verify", "--id-attr:id", typed, *xades]
        command += ["--trusted-pem", str(self.root), "--untrusted-pem", str(self.ca)]
        command += ["--verification-time", "2026-03-20 09:00:00", str(file)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
