"""What is installed is whole: every file beside the code goes into the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = {".css", ".csv", ".j2", ".toml", ".wsdl", ".xml", ".xsd"}
PACKAGES = ("schemas", "adapters")


def test_the_catalogue_the_pages_the_notices_and_the_wsdls_are_in_the_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    [wheel] = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = [file for name in PACKAGES for file in (ROOT / name).rglob("*")]
    beside = {str(file.relative_to(ROOT)) for file in files if file.suffix in DATA}
    assert {"schemas/view/page.html.j2", "schemas/view/style.css", "schemas/view/words.toml"} <= beside
    assert {"adapters/wsdl/tax.wsdl", "adapters/wsdl/ket-qua.xsd"} <= beside
    assert beside <= packed, sorted(beside - packed)
