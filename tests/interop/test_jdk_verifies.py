"""The JDK's XML signature API, with secure validation, verifies what we sign, and refuses it once changed."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.signing.documents import DECLARATION, signed
from tests.signing.pki import hierarchy, signer

pytestmark = pytest.mark.interop

PROFILES = ("xmldsig", "xades-b")
C14N = ("inclusive", "inclusive-with-comments", "exclusive")
KINDS = ("rsa2048", "p256", "p384")
PLACES = ("CKyDTu", "HSoKhaiThue")


def test_the_jdk_verifies_what_we_sign(tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("missing: java (JDK 17 or newer)")
    pki = hierarchy()
    expected: dict[str, str] = {}
    for number, (profile, c14n, kind, place) in enumerate(product(PROFILES, C14N, KINDS, PLACES)):
        key = signer(pki.ca, kind=kind)
        prefix = "ds" if number % 2 else None
        document = signed(key, DECLARATION, profile=profile, c14n=c14n, place=place, prefix=prefix)
        name = f"{profile}.{c14n}.{kind}.{place}"
        for file, data, verdict in (
            (f"{name}.good.xml", document, "VALID"),
            (f"{name}.bad.xml", document.replace(b"1200000", b"1200001"), "INVALID"),
        ):
            (tmp_path / file).write_bytes(data)
            expected[file] = verdict
    program = Path(__file__).with_name("Verify.java")
    command = [java, str(program), *(str(tmp_path / file) for file in expected)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    verdicts = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert verdicts == expected
