"""What is installed is whole: every file beside the code goes into the wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = {".css", ".csv", ".j2", ".toml", ".xml", ".xsd"}


def test_the_catalogue_the_pages_and_the_notices_are_in_the_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    [wheel] = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    beside = {str(file.relative_to(ROOT)) for file in (ROOT / "schemas").rglob("*") if file.suffix in DATA}
    assert {"schemas/view/page.html.j2", "schemas/view/style.css", "schemas/view/words.toml"} <= beside
    assert beside <= packed, sorted(beside - packed)
