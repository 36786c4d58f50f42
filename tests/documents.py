"""Declarations for tests: the development taxpayer's, signed by whom the test says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import certs_dev
import schemas
import signing


def key_of(pki: certs_dev.DevPki, name: str) -> signing.FileKey:
    """The signing key of an identity of the development PKI."""
    identity = pki[name]
    return signing.FileKey.from_pem(identity.key, identity.certificate)


def declaration(pki: certs_dev.DevPki, **changes: Any) -> bytes:
    """An unsigned declaration of the development taxpayer; `changes` as for `schemas.example_declaration`."""
    who = pki.plan.identities["taxpayer"]
    values = {"tax_code": str(who.uid).removeprefix("MST:"), "name": who.name, "element_id": "ID_1"}
    return schemas.example_declaration("842", **(values | changes))


def sign(
    pki: certs_dev.DevPki,
    document: bytes,
    *signers: str,
    profile: Literal["xmldsig", "xades-b"] = "xades-b",
    **how: Any,
) -> bytes:
    """The document with a signature of each named identity (the taxpayer where none is named)."""
    for name in signers or ("taxpayer",):
        arguments = {"target_id": "ID_1", "place": "CKyDTu", "at": datetime.now(UTC)} | how
        document = signing.sign_xml(document, key_of(pki, name), profile=profile, **arguments)
    return document


def signed(pki: certs_dev.DevPki, *signers: str, **changes: Any) -> bytes:
    """A declaration with `changes`, signed with XAdES-B."""
    return sign(pki, declaration(pki, **changes), *signers)
