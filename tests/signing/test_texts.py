"""The tables agree with the code: every code used has its texts, every text is used, every text can be filled."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from msgspec.structs import replace

import signing
from signing import Policy, PolicyRefused, load_policy
from signing.report import _RANK, failed, passed
from signing.texts import texts

FOLDER = Path(signing.__file__).parent
SOURCE = "\n".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))
PREFIXES = ("certificate.", "certificate.ca-")


def used() -> set[str]:
    codes = set(re.findall(r'(?:failed|passed|_allowed|_fault)\(\s*"([a-z0-9.-]+)"', SOURCE))
    for suffix in ("expired", "not-yet-valid", "revoked", "suspended", "status-unknown"):
        codes |= {prefix + suffix for prefix in PREFIXES}
    return codes


def test_every_code_has_texts_and_every_text_is_used() -> None:
    assert used() == set(texts().xml) | set(texts().check)


@pytest.mark.parametrize("code", sorted(texts().check))
def test_texts_can_be_filled(code: str) -> None:
    text = texts().check[code]
    fields = {
        field for part in (text.vi, text.en) for _, field, _, _ in string.Formatter().parse(part) if field
    }
    check = failed(code, **dict.fromkeys(fields, "FILLED"))
    assert "{" not in check.message_vi + check.message_en
    for language in (text.vi, text.en):
        assert {f for _, f, _, _ in string.Formatter().parse(language) if f} == fields
    assert (check.sub_indication == "") == (check.outcome == "WARNING")
    assert check.sub_indication in ("", *_RANK)
    assert passed(code).message_vi
    assert check.remedy_vi
    assert check.remedy_en


def test_shipped_policies_load() -> None:
    assert load_policy("tt15-2025").minimum_rsa_bits == 2048
    assert "sha1" in load_policy("tax-legacy").digests
    assert not [name for name in load_policy("tt15-2025").signatures if "sha1" in name]


GOOD = (FOLDER / "policies/tt15-2025.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("minimum_rsa_bits", "minimum_rsa_bit", "minimum_rsa_bit"),
        ("minimum_rsa_bits = 2048", 'minimum_rsa_bits = "2048"', "minimum_rsa_bits"),
        ('"ed25519"', '"ed25518"', "ed25518"),
        ('digests = ["sha256"', 'digests = ["md5", "sha256"', "md5"),
        ('canonicalisations = ["c14n", "c14n11", "exc-c14n"]', "canonicalisations = []", "canonicalisations"),
        ("effective_from = 2025-08-15", "effective_from = 2025-13-15", "policy.toml"),
    ],
)
def test_a_faulty_policy_is_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in GOOD
    file = tmp_path / "policy.toml"
    file.write_text(GOOD, "utf-8")
    assert isinstance(load_policy(file), Policy)
    file.write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(PolicyRefused, match=told):
        load_policy(str(file))


STRICT = load_policy("tt15-2025-ades")
LAXER: dict[str, object] = {
    **{
        name: frozenset({*getattr(STRICT, name), "more"})
        for name in (
            "profiles",
            "digests",
            "signatures",
            "canonicalisations",
            "certificate_digests",
            "curves",
            "encodings",
        )
    },
    "minimum_rsa_bits": 2047,
    "minimum_dsa_bits": 2047,
    "max_signatures": 17,
    "max_references": 17,
    "signing_time_tolerance_seconds": 301,
    "require_signing_time": False,
    "check_ca_revocation": False,
    "max_status_age_seconds": None,
    "max_status_age_open_seconds": 86_401,
    "signature_policies": None,
    "proven_times": True,
    "interrupted_text": "signed-only",
    "revocation": "if-known",
    "signer_may_be_ca": True,
    "key_lookups": True,
    "lenient_certificates": True,
    "short_ecdsa_values": True,
    "pdf_form_filling": True,
}


def test_a_policy_tells_in_what_it_is_laxer() -> None:
    """Every field but those that describe, so that a new one is not forgotten."""
    describe = {"name", "description_vi", "description_en", "effective_from", "effective_to"}
    assert {*Policy.__struct_fields__} - describe == {*LAXER}
    aged = replace(STRICT, max_status_age_seconds=3600, signature_policies=frozenset({""}))
    for name, value in LAXER.items():
        lax = replace(aged, **{name: value})
        assert (lax.laxer_than(aged), aged.laxer_than(lax)) == ((name,), ())
    assert STRICT.laxer_than(load_policy("tt15-2025")) == ()
    assert load_policy("tt15-2025").laxer_than(STRICT) == ("profiles",)
    assert {"digests", "minimum_rsa_bits", "check_ca_revocation"} <= {
        *load_policy("tax-legacy").laxer_than(STRICT)
    }


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyRefused, match="tax-legacy, tt15-2025, tt15-2025-ades"):
        load_policy("tt15")
    with pytest.raises(PolicyRefused, match=r"missing\.toml"):
        load_policy(tmp_path / "missing.toml")
