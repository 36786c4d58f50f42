"""Runs in the peers' own environment: verifies the documents of a folder with each peer, prints the CPU as JSON.

    python benchmarks/peers.py FOLDER    (FOLDER has cert.pem and documents named FORM-PLACE-SIZE.xml)

Each is given the signer's certificate as its trust, reads the bytes, and verifies every reference; none builds a path.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Verify = Callable[[bytes], object]


def with_xmlsec(pem: bytes, _name: str) -> Verify:
    import xmlsec
    from lxml import etree

    key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)

    def verify(data: bytes) -> None:
        root = etree.fromstring(data)
        xmlsec.tree.add_ids(root, ["id", "Id"])
        context = xmlsec.SignatureContext()
        context.key = key
        context.verify(xmlsec.tree.find_node(root, "Signature"))

    return verify


def with_signxml(pem: bytes, name: str) -> Verify:
    from signxml import SignatureConfiguration
    from signxml.verifier import XMLVerifier
    from signxml.xades import XAdESVerifier

    if name.startswith("XAdES"):
        return lambda data: XAdESVerifier().verify(
            data, x509_cert=pem, expect_references=2, expect_signature_policy=None
        )
    config = SignatureConfiguration(require_x509=True)
    return lambda data: XMLVerifier().verify(data, x509_cert=pem, expect_config=config)


def with_pybergshamra(pem: bytes, _name: str) -> Verify:
    import pybergshamra

    manager = pybergshamra.KeysManager()
    manager.add_key(pybergshamra.load_x509_cert_pem(pem))
    context = pybergshamra.DsigContext(manager)
    context.trusted_keys_only = True
    context.strict_verification = False  # strict mode refuses the place of XAdES properties

    def verify(data: bytes) -> None:
        result: Any = pybergshamra.verify(context, data.decode("utf-8"))
        if not result or not result.all_reference_digests_verified:
            raise ValueError("not verified")

    return verify


PEERS = {"python-xmlsec": with_xmlsec, "signxml": with_signxml, "pybergshamra": with_pybergshamra}


def cpu_ms(verify: Verify, data: bytes) -> float:
    """CPU of one verification, milliseconds: the best of nine rounds of at least 50 ms of work each."""
    verify(data)
    start = time.process_time()
    verify(data)
    repeats = max(1, min(50, int(0.05 / max(time.process_time() - start, 1e-4))))
    rounds = []
    for _ in range(9):
        start = time.process_time()
        for _ in range(repeats):
            verify(data)
        rounds.append((time.process_time() - start) / repeats * 1000)
    return min(rounds)


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    pem = (folder / "cert.pem").read_bytes()
    for peer, make in PEERS.items():
        for file in sorted(folder.glob("*.xml")):
            data = file.read_bytes()
            try:
                verify = make(pem, file.stem)
                answer: float | str = cpu_ms(verify, data)
                try:
                    verify(data.replace(b"<so>", b"<so>9", 1))
                    answer = "accepts an altered document"
                except Exception:  # whatever a peer raises, it refused
                    pass
            except Exception as error:  # a peer that cannot is told so
                answer = f"{type(error).__name__}: {str(error)[:80]}"
            print(json.dumps([peer, file.stem, answer]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
