"""A SoftHSM2 token made at test time: RSA, P-256 and P-384 keys with their certificates. Nothing of it is kept."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing import FileKey

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "123456"


@dataclass(frozen=True)
class SoftHsm:
    """Where the module lies, and the token's label."""

    module: Path
    label: str
    folder: Path


@contextmanager
def softhsm(folder: Path, keys: dict[str, FileKey]) -> Iterator[SoftHsm]:
    """A token with these keys by label; ids are 01, 02 … Skips loudly where softhsm2 is absent."""
    found = [Path(module) for module in MODULES if Path(module).exists()]
    if not found or shutil.which("softhsm2-util") is None:
        pytest.skip("missing: softhsm2 (Debian package softhsm2)")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(conf))
        util("--init-token", "--free", "--label", "tests", "--pin", PIN, "--so-pin", "87654321")
        for number, (label, key) in enumerate(keys.items(), 1):
            file = folder / f"{label}.pem"
            file.write_bytes(key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            util(
                "--import", file, "--token", "tests", "--label", label, "--id", f"{number:02x}", "--pin", PIN
            )
        made = SoftHsm(found[0], "tests", folder)
        put_certificates(made, keys)
        yield made
        pkcs11.lib(str(found[0])).finalize()


def util(*arguments: object) -> None:
    command = ["softhsm2-util", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True, capture_output=True)


def put_certificates(made: SoftHsm, keys: dict[str, FileKey]) -> None:
    library = pkcs11.lib(str(made.module))
    library.reinitialize()
    with library.get_token(token_label=made.label).open(user_pin=PIN, rw=True) as session:
        for number, (label, key) in enumerate(keys.items(), 1):
            if label.startswith("bare"):
                continue
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.LABEL: label,
                    pkcs11.Attribute.ID: bytes([number]),
                    pkcs11.Attribute.SUBJECT: key.certificate.subject.public_bytes(),
                    pkcs11.Attribute.VALUE: key.certificate.public_bytes(Encoding.DER),
                }
            )
    library.finalize()
