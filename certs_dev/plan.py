"""Reads `pki.toml`: what the development PKI consists of, checked as a whole before anything is made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from certs_dev.taxcodes import tax_code

KeyKind = Literal["rsa", "rsa-1024", "rsa-3072", "p256"]
Profile = Literal["signer", "encipherment", "server", "client", "stamps"]
Role = Literal["anchor", "intermediate", "tls", "clients", "admins", "untrusted"]


class PlanError(ValueError):
    """The description of the PKI contradicts itself."""


class Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days relative to the day of making; `crl_days` is a CRL's life."""

    authority_valid: tuple[int, int]
    identity_valid: tuple[int, int]
    crl_days: int
    crl_url: str


class Authority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certification authority; `issuer` None is a self-signed root."""

    name: str
    key: KeyKind
    role: Role
    issuer: str | None = None


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate's holder. `uid` is the subject's UID, such as MST:5500123457 or CCCD:014190000123."""

    issuer: str
    profile: Profile
    key: KeyKind
    name: str
    place: str | None = None
    uid: str | None = None
    valid: tuple[int, int] | None = None
    revoked: int | None = None
    pkcs12: bool = False


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole description. `digest` names its content, so that a PKI made from another one is recognised."""

    defaults: Defaults
    authorities: dict[str, Authority]
    identities: dict[str, Holder]
    digest: str = ""

    def intermediates(self, authority: str) -> Iterator[str]:
        """The authorities between a leaf of `authority` and its root, nearest first, the root left out."""
        while (issuer := self.authorities[authority].issuer) is not None:
            yield authority
            authority = issuer


def load_plan(path: Path | None = None) -> Plan:
    """The description in `path` (UTF-8 TOML), by default the one beside this module.

    Raises:
        PlanError: unknown key, wrong type, unknown issuer, an issuer described after its subject, or a tax
            code with a wrong check digit.
    """
    text = (path or Path(__file__).with_name("pki.toml")).read_bytes()
    try:
        plan = msgspec.toml.decode(text, type=Plan)
    except msgspec.MsgspecError as error:
        raise PlanError(f"pki.toml: {error}") from error
    _check(plan)
    return msgspec.structs.replace(plan, digest=hashlib.sha256(text).hexdigest())


def _check(plan: Plan) -> None:
    seen: set[str] = set()
    for name, authority in plan.authorities.items():
        if authority.issuer is not None and authority.issuer not in seen:
            raise PlanError(
                f"pki.toml: authority {name}: its issuer {authority.issuer} is not described above it"
            )
        seen.add(name)
    for name, holder in plan.identities.items():
        if holder.issuer not in seen:
            raise PlanError(f"pki.toml: identity {name}: no authority {holder.issuer}")
        kind, _, code = (holder.uid or "").partition(":")
        if kind == "MST" and tax_code(code[:9]) != code:
            raise PlanError(f"pki.toml: identity {name}: {code} fails the tax code's check digit")
