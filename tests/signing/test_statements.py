"""What a signer says about the signature: policy, commitments, roles, place; told in every report."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import cms, core
from msgspec.structs import replace

from signing import Indication, Policy, TrustStore, verify_cms
from signing.report import Statements
from signing.report_etsi import etsi_report
from signing.report_text import text_report
from tests.signing.cms_documents import openssl_cms, remade
from tests.signing.documents import codes
from tests.signing.pki import Hierarchy
from tests.signing.stating import COMMITMENT, IMPLIED, PLACE, POLICY, ROLE, stating
from tests.signing.test_verify import judged

ORIGIN = "http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin"


def test_statements_are_told(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    document = stating(pki.taxpayer, POLICY + PLACE + ROLE, COMMITMENT)
    report = judged(document, policy, trust)
    assert report.indication is Indication.PASSED, codes(report)
    assert codes(report) == {"signature.policy-told": ""}
    said = report.signatures[0].statements
    assert said == Statements("urn:oid:1.2.3", (ORIGIN,), ("Kế toán trưởng",), 0, ("Huế", "VN"))
    assert report.as_json()["signatures"][0]["statements"] == {
        "signature_policy": "urn:oid:1.2.3",
        "commitments": [ORIGIN],
        "claimed_roles": ["Kế toán trưởng"],
        "certified_roles": 0,
        "place": ["Huế", "VN"],
    }
    for language, words in (
        ("vi", "Chính sách ký: urn:oid:1.2.3"),
        ("en", "Roles (the signer's word): Kế toán"),
    ):
        assert words in text_report(report, language)  # type: ignore[arg-type]
    for told in (ORIGIN, "urn:oid:1.2.3", "Huế", "Kế toán trưởng"):
        assert told in etsi_report(report).decode()


@pytest.mark.parametrize(
    ("said", "taken", "codes_told"),
    [
        ("", None, {}),
        (IMPLIED, None, {}),
        (POLICY, None, {"signature.policy-told": ""}),
        (POLICY, ["urn:oid:1.2.3"], {}),
        (POLICY, ["urn:oid:1.2.4", ""], {"signature.policy": "SIG_CONSTRAINTS_FAILURE"}),
        (IMPLIED, [""], {"signature.policy": "SIG_CONSTRAINTS_FAILURE"}),
        (IMPLIED, ["implied"], {}),
        ("", ["urn:oid:1.2.3"], {"signature.policy": "SIG_CONSTRAINTS_FAILURE"}),
        ("", [""], {}),
    ],
)
def test_which_signature_policies_are_taken(
    said: str,
    taken: list[str] | None,
    codes_told: dict[str, str],
    pki: Hierarchy,
    policy: Policy,
    trust: TrustStore,
) -> None:
    rules = replace(policy, signature_policies=None if taken is None else frozenset(taken))
    report = judged(stating(pki.taxpayer, said), rules, trust)
    assert codes(report) == codes_told
    refused = "signature.policy" in codes_told
    assert report.indication is (Indication.INDETERMINATE if refused else Indication.PASSED)


@pytest.mark.parametrize("twice", [POLICY + IMPLIED, ROLE + ROLE, PLACE + PLACE.replace("V2", "")])
def test_what_stands_twice_is_refused(twice: str, pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    report = judged(stating(pki.taxpayer, twice), policy, trust)
    assert (report.indication, report.sub_indication) == (Indication.FAILED, "FORMAT_FAILURE")


@pytest.mark.parametrize(
    ("signature", "data"),
    [
        ("", COMMITMENT * 33),
        (ROLE.replace("</ClaimedRoles>", "<ClaimedRole>x</ClaimedRole>" * 32 + "</ClaimedRoles>"), ""),
    ],
)
def test_many_statements_are_refused(
    signature: str, data: str, pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    assert judged(stating(pki.taxpayer, signature, data), policy, trust).sub_indication == "FORMAT_FAILURE"


def test_statements_of_a_cms_signature(tmp_path: Path, pki: Hierarchy, policy: Policy) -> None:
    der = openssl_cms(tmp_path, pki.taxpayer)

    sha256 = core.ObjectIdentifier("2.16.840.1.101.3.4.2.1").dump()
    hashed = _der(0x30, sha256) + core.OctetString(bytes(32)).dump()

    def state(_: object, first: dict[str, cms.CMSAttributes]) -> None:
        for number, value in (
            (16, _der(0x30, core.ObjectIdentifier("1.2.840.113549.1.9.16.6.1").dump())),
            (17, _der(0x30, _der(0xA1, core.UTF8String("Huế").dump()))),
            (15, _der(0x30, core.ObjectIdentifier("1.2.3.4").dump() + _der(0x30, hashed))),
        ):
            kind = core.ObjectIdentifier(f"1.2.840.113549.1.9.16.2.{number}").dump()
            first["signed_attrs"].append(cms.CMSAttribute.load(_der(0x30, kind + _der(0x31, value))))

    made = remade(der, state, pki.taxpayer)
    report = verify_cms(made, policy=policy, trust=None, key=pki.taxpayer.certificate)
    assert report.indication is Indication.PASSED, codes(report)
    assert codes(report) == {"signature.policy-told": ""}
    assert report.signatures[0].statements == Statements(
        "1.2.3.4", ("1.2.840.113549.1.9.16.6.1",), place=("Huế",)
    )
    assert ">urn:oid:1.2.3.4<" in etsi_report(report).decode()


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content
