"""Third-party vectors: no forgery accepted; what is modern and valid accepted, or refused for a listed reason."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from signing import Indication, Outcome, Policy, TrustStore, XmlRefused, verify_xml
from signing.algorithms import DIGESTS, SIGNATURE_NAMES
from signing.canonical import METHOD_NAMES
from tests.signing.conftest import shared

FAMILIES = ("xmldsig", "saml-xsw", "hostile-sig", "hostile-xml")
EVERYTHING = frozenset(DIGESTS.values())
LENIENT = Policy(
    name="vectors",
    description_vi="",
    description_en="",
    effective_from=date(1990, 1, 1),
    profiles=frozenset({"XMLDSig", "XAdES"}),
    digests=EVERYTHING,
    signatures=SIGNATURE_NAMES,
    canonicalisations=METHOD_NAMES,
    certificate_digests=EVERYTHING,
    curves=frozenset({"secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1"}),
    minimum_rsa_bits=512,
    require_signing_time=False,
    check_ca_revocation=False,
)

# Modern valid cases that are refused, each for a reason of its own.
REFUSED_MODERN = {
    "certificate.signer-is-ca": "xmlsec's test keys have CA certificates",
    "format.certificate": "the X509Certificate holds a PEM file in base64 instead of DER",
    "signature.value": "a Java library's ECDSA value without its leading zeros",
    "xml.encoding-declared": "ISO-8859-1: taken under a later conformance policy only",
}


def certificate(base: Path, path: str) -> x509.Certificate:
    data = (base / path).read_bytes()
    return (
        x509.load_pem_x509_certificate(data)
        if b"-----BEGIN" in data
        else x509.load_der_x509_certificate(data)
    )


def judge(base: Path, case: dict[str, Any]) -> tuple[Indication | None, list[str]]:
    given, key, trust = case["key"], None, None
    at = datetime.fromisoformat(case["time"]) if case.get("time") else datetime(2026, 6, 1, tzinfo=UTC)
    try:
        if given.get("pubkey_cert"):
            key = certificate(base, given["pubkey_cert"])
        elif given.get("pubkey"):
            data = (base / given["pubkey"]).read_bytes()
            key = load_pem_public_key(data) if b"-----BEGIN" in data else load_der_public_key(data)
        elif given.get("trusted"):
            pool = [certificate(base, path) for path in given.get("untrusted") or []]
            trust = TrustStore.of([certificate(base, path) for path in given["trusted"]], pool)
        else:
            key = "embedded"
    except (UnsupportedAlgorithm, ValueError) as error:
        return None, [f"key: {error}"]
    try:
        data = (base / case["path"]).read_bytes()
        report = verify_xml(data, policy=LENIENT, trust=trust, key=key, at=at)  # type: ignore[arg-type]
    except XmlRefused as error:
        return None, [fault.code for fault in error.faults]
    every = [*report.checks, *(check for signature in report.signatures for check in signature.checks)]
    return report.indication, [c.code for c in every if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]


def status_was_the_only_doubt(codes: list[str]) -> bool:
    """The cases bring no revocation lists."""
    return set(codes) == {"certificate.status-unknown"}


def test_third_party_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    file = shared("vectors/cases.json")
    warnings.simplefilter("ignore")
    table: Counter[tuple[str, str, str]] = Counter()
    false_accepts, unexplained, hostile_taken = [], [], []
    for case in json.loads(file.read_text("utf-8")):
        if case["family"] not in (*FAMILIES, "xades"):
            continue
        indication, codes = judge(file.parent, case)
        accepted = indication is Indication.PASSED or status_was_the_only_doubt(codes)
        modern = "modern " if case["modern"] else ""
        table[case["family"], modern + case["expected"], "accepted" if accepted else "refused"] += 1
        if accepted and case["expected"] in ("invalid", "reject") and case["family"] in FAMILIES:
            false_accepts.append(case["id"])
        if (
            not accepted
            and case["expected"] == "valid"
            and case["modern"]
            and not set(codes) & set(REFUSED_MODERN)
        ):
            unexplained.append((case["id"], codes))
        if case["family"] == "hostile-xml" and case["expected"] == "reject" and not codes:
            hostile_taken.append(case["id"])
    with capsys.disabled():
        print("\n" + "\n".join(f"{n:4} {' / '.join(row)}" for row, n in sorted(table.items())))
    assert false_accepts == []
    assert unexplained == []
    assert hostile_taken == []
    assert table["xmldsig", "modern valid", "accepted"] >= 23
    assert table["xades", "modern valid", "accepted"] >= 18
