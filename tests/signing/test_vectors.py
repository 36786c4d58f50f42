"""Third-party vectors on the policy `conformance`: no forgery accepted; what is valid accepted, or refused by name.

And every valid one that is accepted, with one character changed, refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from signing import Covered, Indication, Policy, Report, load_policy, parse_xml
from signing.cases import judge_case, report_of
from signing.parsing import ENCODINGS
from tests.signing.conftest import shared

FAMILIES = ("xmldsig", "saml-xsw", "hostile-sig", "hostile-xml", "xades")


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("conformance")


@lru_cache(maxsize=1)
def vectors() -> tuple[Path, list[dict[str, Any]]]:
    file = shared("vectors/cases.json")
    warnings.simplefilter("ignore")
    return file.parent, [c for c in json.loads(file.read_text("utf-8")) if c["family"] in FAMILIES]


def judge(case: dict[str, Any], base: Path, policy: Policy) -> dict[str, Any]:
    try:
        return judge_case(case, base, policy)
    except (
        ValueError,
        UnsupportedAlgorithm,
    ) as error:  # a pinned key of an unknown kind
        assert case["expected"] == "unproven", case["id"]
        return {"indication": "none", "reason": str(error)}


def names_a_feature(case: dict[str, Any], reason: str) -> bool:
    return any(feature.removeprefix("exotic:").lower() in reason.lower() for feature in case["features"])


def test_third_party_vectors(policy: Policy, capsys: pytest.CaptureFixture[str]) -> None:
    base, cases = vectors()
    table: Counter[tuple[str, str, str]] = Counter()
    false_accepts, unexplained = [], []
    for case in cases:
        answer = judge(case, base, policy)
        accepted = answer["indication"] == Indication.PASSED
        modern = "modern " if case["modern"] else ""
        table[case["family"], modern + case["expected"], "accepted" if accepted else "refused"] += 1
        if accepted and case["expected"] in ("invalid", "reject"):
            false_accepts.append(case["id"])
        proven = case["expected"] == "valid" and len(case["verified_by"]) >= 2
        by_policy = not case["modern"] and names_a_feature(case, answer["reason"])
        if proven and not accepted and not by_policy:
            unexplained.append((case["id"], answer["reason"]))
        if (
            case["family"] == "hostile-xml" and case["expected"] == "valid"
        ):  # harmless, and without a signature
            assert answer["sub_indication"] == "NO_SIGNATURE", (case["id"], answer)
        if case["id"].endswith("/Signature-X-AT-1.xml"):
            assert "xades.version" in answer["reason"]
            assert "1.1.1" in answer["reason"]
    with capsys.disabled():
        print("\n" + "\n".join(f"{n:4} {' / '.join(row)}" for row, n in sorted(table.items())))
    assert false_accepts == []
    assert unexplained == []
    assert table["xmldsig", "modern valid", "accepted"] == 27
    assert table["saml-xsw", "modern valid", "accepted"] == 5
    assert table["xades", "modern valid", "accepted"] == 20


def accepted_vectors(policy: Policy) -> list[tuple[dict[str, Any], bytes, Report]]:
    base, cases = vectors()
    found = []
    for case in cases:
        if case["expected"] != "valid" or case["key"].get("hmac"):
            continue
        data = (base / case["path"]).read_bytes()
        report = report_of(case, base, policy, data)
        if report.indication is Indication.PASSED:
            found.append((case, data, report))
    return found


def one_changed(data: bytes, position: int) -> bytes:
    """The same bytes with another letter or digit at a position."""
    old = data[position : position + 1]
    new = next(c for c in (b"A", b"B") if c != old) if old.isalpha() else (b"7" if old != b"7" else b"8")
    return data[:position] + new + data[position + 1 :]


SAMPLE = 20
DS = "{http://www.w3.org/2000/09/xmldsig#}"


def places(data: bytes, text: str | None) -> list[int]:
    """Letters and digits of a text that stands once in the document."""
    octets = (text or "").encode()
    if not octets or data.count(octets) != 1:
        return []
    start = data.index(octets)
    return [start + i for i, c in enumerate(octets) if c < 128 and chr(c).isalnum()]


def value_positions(data: bytes) -> list[int]:
    """Characters of the values and reference digests of the document's signatures."""
    found: list[int] = []
    for signature in parse_xml(data, encodings=frozenset(ENCODINGS)).root.iter(f"{DS}Signature"):
        found += places(data, signature.findtext(f"{DS}SignatureValue"))
        for digest in signature.iterfind(f"{DS}SignedInfo/{DS}Reference/{DS}DigestValue"):
            found += places(data, digest.text)
    return found


def content_positions(data: bytes, covered: Covered) -> list[int]:
    """Letters and digits of signed text; of what the base64 transform decoded, those of its base64."""
    element = parse_xml(data, encodings=frozenset(ENCODINGS)).root
    for step in covered.path:
        element = list(element.iterchildren("*"))[step]
    with suppress(ValueError):
        if base64.b64decode("".join((element.text or "").split()), validate=True) == covered.octets:
            return places(data, element.text)[:-4]  # the last characters may have bits that mean nothing
    texts = re.findall(rb">([^<>&]*[A-Za-z0-9][^<>&]*)<", covered.octets)
    return [p for text in texts for p in places(data, text.decode("utf-8"))]


def sampled(seed: str, positions: list[int], count: int = SAMPLE) -> list[int]:
    def order(position: int) -> bytes:
        return hashlib.sha256(f"{seed}/{position}".encode()).digest()

    return sorted(positions, key=order)[:count]


def everything_signed(report: Report) -> list[Covered]:
    return [c for signature in report.signatures for c in (*signature.covered, *signature.properties)]


def test_one_character_changed_is_never_accepted(policy: Policy, capsys: pytest.CaptureFixture[str]) -> None:
    base, _ = vectors()
    taken = accepted_vectors(policy)
    wrong, tried, bare = [], 0, []
    for case, data, report in taken:
        content = sorted(
            {p for covered in everything_signed(report) for p in content_positions(data, covered)}
        )
        if not content:
            bare.append(case["id"])
        values = value_positions(data)
        for position in [*sampled(case["id"], content), *sampled(case["id"], values)]:
            changed = one_changed(data, position)
            tried += 1
            if report_of(case, base, policy, changed).indication is Indication.PASSED:
                wrong.append((case["id"], position, data[position - 30 : position + 30]))
    with capsys.disabled():
        print(
            f"\n{tried} changes of {len(taken)} accepted vectors; without signed text of their own: {len(bare)}"
        )
    assert wrong == []
    assert len(taken) > 90
    assert tried > 3000
