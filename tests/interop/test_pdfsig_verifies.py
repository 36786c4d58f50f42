"""pdfsig (poppler, NSS) and OpenSSL judge the PAdES signatures that we make."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.pdf.sign import sign_pdf
from tests.signing.cms_documents import Tsa
from tests.signing.pdf_documents import pdf
from tests.signing.pki import AT, Hierarchy, hierarchy, signer

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def pki() -> Hierarchy:
    return hierarchy()


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"missing: {name}")
    return found


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "p256", "p384"])
@pytest.mark.parametrize("stamped", [False, True])
def test_pdfsig(kind: str, stamped: bool, pki: Hierarchy, tmp_path: Path) -> None:
    made = sign_pdf(pdf(), signer(pki.ca, kind=kind), at=AT, tsa=Tsa(pki.ca) if stamped else None)
    (tmp_path / "made.pdf").write_bytes(made)
    command = [tool("pdfsig"), "-nocert", "made.pdf"]
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True).stdout
    assert "Signature is Valid" in told
    assert "Total document signed" in told
    assert "ETSI.CAdES.detached" in told
    changed = bytearray(made)
    changed[made.index(b"MediaBox")] ^= 1
    (tmp_path / "made.pdf").write_bytes(bytes(changed))
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True).stdout
    assert "Signature is Valid" not in told


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p521"])
def test_openssl_verifies_the_signature_inside(kind: str, pki: Hierarchy, tmp_path: Path) -> None:
    made = sign_pdf(pdf(), signer(pki.ca, kind=kind), at=AT)
    start = made.index(b"/Contents <") + len(b"/Contents ")
    end = made.index(b">", start) + 1
    held = bytes.fromhex(made[start + 1 : end - 1].decode())
    (tmp_path / "content").write_bytes(made[:start] + made[end:])
    (tmp_path / "signature").write_bytes(held)
    ca = pki.root.certificate.public_bytes(Encoding.PEM) + pki.ca.certificate.public_bytes(Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(ca)
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature"]
    command += ["-content", "content", "-CAfile", "ca.pem", "-purpose", "any", "-cades"]
    command += ["-attime", str(int(AT.timestamp())), "-out", "out"]
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
