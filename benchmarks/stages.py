"""What each step of intake costs, on one thread: CPU per call, so that a slow step is seen where it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import certs_dev
import schemas
import signing
from benchmarks.documents import Corpus
from gateway.filing.dossier_codes import DossierCodes
from gateway.intake.identify import Identified
from gateway.intake.parse import parse
from gateway.intake.receive import Received
from gateway.intake.record import promise
from gateway.intake.signed_papers import DEFAULT_LIMITS, judge_papers
from gateway.intake.validate import validate
from gateway.intake.verify import SignatureRules, verify
from gateway.notary import XmlNotary
from gateway.ports import Provider
from gateway.store.rows import pack

PROVIDER = Provider("beta", "T-VAN Beta", "0100000010", active=True, signs_filings=False)
SAMPLE = 700


def print_stages(pki: certs_dev.DevPki, corpus: Corpus) -> None:
    """Each step over the same documents, fed with what the step before it gave."""
    rules = SignatureRules(signing.load_policy("tt15-2025"), signing.TrustStore.load(pki.trust))
    catalogue = schemas.load_catalogue()
    identity = pki["notice"]
    key = signing.FileKey.from_pem(identity.key, identity.chain)
    office = schemas.Office("20500", "Bench")
    notary = XmlNotary(key, declarations=office, dossiers=office)
    limits, at, codes = signing.ParseLimits(), datetime.now(UTC), DossierCodes("H52")

    def received(octets: bytes) -> Identified:
        return Identified(Received(octets, hashlib.sha256(octets).digest(), at, PROVIDER, None))

    def validated(step: Any) -> Any:
        return judge_papers(validate(step, catalogue), rules, DEFAULT_LIMITS)

    def verified(step: Any) -> Any:
        return verify(step, rules, catalogue)

    steps: dict[str, Callable[[Any], Any]] = {
        "receive (SHA-256)": received,
        "parse": lambda step: parse(step, limits, catalogue.families),
        "verify, signers never seen before": verified,
        "verify, signers seen before": verified,
        "validate (XSD and rules)": validated,
        "promise (receipt, XAdES-B, ECDSA P-256)": lambda step: promise(step, notary, "SLA", codes),
        "compress": lambda new: (pack(new.document), pack(new.evidence)),
    }
    print("\nstage                                        CPU ms")
    fed: list[Any] = list(corpus.documents[:SAMPLE])
    total = 0.0
    for name, step in steps.items():
        start = time.process_time()
        given = [step(value) for value in fed]
        cost = (time.process_time() - start) / len(fed) * 1000
        print(f"  {name:40} {cost:8.3f}")
        if "never" not in name:
            fed = given
            total += cost
    print(f"  {'sum (signers seen before)':40} {total:8.3f}\n")
