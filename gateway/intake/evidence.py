"""What a judgement of signatures rested on, as plain JSON values: kept with the filing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

import signing
from signing.algorithms import fingerprint

_json = msgspec.json.Encoder().encode


def evidence_of(report: signing.Report, papers: Sequence[dict[str, Any]] = ()) -> bytes:
    """JSON: the judgement of the document and of each signed paper in it.

    The document itself lies beside it, and its certificates in it; the texts of the checks follow from their codes.
    """
    judgement = judgement_of(report)
    return _json(judgement | {"papers": papers} if papers else judgement)


def judgement_of(report: signing.Report) -> dict[str, Any]:
    """Policy, time, and for each signature its signer and every check."""
    signatures = [
        {
            "id": signature.id,
            "profile": signature.profile,
            "indication": signature.indication,
            "subIndication": signature.sub_indication,
            "algorithm": signature.algorithms.signature,
            "signer": signature.signer and signature.signer.subject,
            "chain": [fingerprint(certificate, "sha256").hex() for certificate in signature.chain],
            "checks": {check.code: check.outcome for check in signature.checks},
        }
        for signature in report.signatures
    ]
    whole = {check.code: check.outcome for check in report.checks}
    return {"policy": report.policy, "at": report.at, "checks": whole, "signatures": signatures}
