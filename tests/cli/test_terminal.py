"""How `efile` behaves between a person's terminal, pipes and files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import certs_dev
from tests.cli.running import efile
from tests.documents import declaration, signed

EFILE = (sys.executable, "-m", "gateway.cli")


def _on_a_terminal(*arguments: object, **environment: str) -> bytes:
    """What it prints where standard output is a terminal."""
    terminal, theirs = os.openpty()
    command = [*EFILE, *map(str, arguments)]
    subprocess.run(
        command, stdout=theirs, stderr=theirs, check=False, timeout=60, env={**os.environ, **environment}
    )
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(terminal, 65536):
            printed += chunk
    except OSError:  # how a terminal ends on Linux
        pass
    finally:
        os.close(terminal)
    return printed


@pytest.mark.parametrize("arguments", [("forms", "--json"), ("--help",)], ids=["a result", "help"])
def test_a_reader_that_stops_early_is_no_refusal(arguments: tuple[str, ...]) -> None:
    """As for other tools: the shell says 141, 128 and SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*EFILE, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_is_coloured_unless_its_owner_says_no(tmp_path: Path) -> None:
    file = tmp_path / "empty.xml"
    file.write_bytes(b"<a/>")
    assert b"\x1b[" in _on_a_terminal("check", file, NO_COLOR="")
    assert b"\x1b[" not in _on_a_terminal("check", file, NO_COLOR="1")
    assert b"\x1b[" in _on_a_terminal("check", file, "--policy", "none", NO_COLOR="")
    assert b"\x1b[" not in _on_a_terminal("check", file, "--policy", "none", NO_COLOR="1")


def test_verify_prints_json_as_every_command_does(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(pki))
    arguments = ("verify", file, "--trust", pki.trust, "--at", "2026-06-01T00:00+07:00")
    assert efile(*arguments, "--json").stdout == efile(*arguments, "--report", "json").stdout
    both = efile(*arguments, "--json", "--report", "etsi")
    assert (both.returncode, both.stdout) == (2, "")


def test_a_key_that_others_can_read_is_told_and_signs(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "declaration.xml"
    file.write_bytes(declaration(pki))
    key, certificate = tmp_path / "key.pem", pki["taxpayer"].certificate
    key.write_bytes(pki["taxpayer"].key.read_bytes())
    for mode, told in ((0o600, False), (0o640, True), (0o604, True)):
        key.chmod(mode)
        done = efile("sign", file, "--key", key, "--cert", certificate, "-o", tmp_path / "out.xml", "--json")
        assert (done.returncode, "readable by others" in done.stderr) == (0, told), done.stderr
        assert "readable" not in done.stdout


def test_a_full_disk_costs_nobody_the_document_that_was_to_be_signed(
    tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    file = tmp_path / "declaration.xml"
    file.write_bytes(signed(pki))
    before = file.read_bytes()
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *EFILE, "sign", file, "--key", pki["tvan"].key],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False), done.stderr
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
