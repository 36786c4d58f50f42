"""The JDK's XML signature API verifies every notice the gateway gives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import certs_dev
from tests.gateway.notices import all_notices

pytestmark = pytest.mark.interop


def test_the_jdk_verifies_every_notice(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("missing: java (JDK 17 or newer)")
    expected: dict[str, str] = {}
    for name, notice in all_notices(pki):
        changed = notice.document.replace(b"<tb:soHoSo>", b"<tb:soHoSo>0")
        for file, octets, verdict in (
            (f"{name}.xml", notice.document, "VALID"),
            (f"{name} changed.xml", changed, "INVALID"),
        ):
            path = tmp_path / file.replace(" ", "-")
            path.write_bytes(octets)
            expected[path.name] = verdict
    program = Path(__file__).with_name("Verify.java")
    run = subprocess.run(
        [java, str(program), *(str(tmp_path / file) for file in expected)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert dict(line.split(" ", 1) for line in run.stdout.splitlines()) == expected
