"""Named, dated rules on what a signature may use and must have. The files in `policies/` are data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from signing.algorithms import DIGESTS, SIGNATURE_NAMES
from signing.canonical import METHOD_NAMES
from signing.parsing import ENCODINGS
from signing.revocation import StatusRules

PROFILES = frozenset({"XMLDSig", "XAdES", "CMS", "CAdES", "PDF", "PAdES"})


NO_POLICY, IMPLIED_POLICY = "", "implied"
"""What a signature may say of its signature policy, beside an identifier."""


class PolicyRefused(Exception):
    """The policy file cannot be used; the text names the file and the fault."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One policy. Names of algorithms are those of `signing.algorithms` and `signing.canonical`."""

    name: str
    description_vi: str
    description_en: str
    effective_from: date
    effective_to: date | None = None
    """Last day, inclusive, in Vietnam time; None while in force."""
    profiles: frozenset[str]
    digests: frozenset[str]
    signatures: frozenset[str]
    canonicalisations: frozenset[str]
    certificate_digests: frozenset[str]
    """Digests in the signatures on certificates; an anchor's own is not looked at."""
    curves: frozenset[str]
    minimum_rsa_bits: int
    minimum_dsa_bits: int = 2048
    max_signatures: int = 16
    max_references: int = 16
    signing_time_tolerance_seconds: int = 300
    """How far ahead of ours the signer's clock may be."""
    require_signing_time: bool = True
    """Of XAdES: the baseline asks for it (EN 319 132-1 clause 6.3), XAdES 1.3.2 did not."""
    signature_policies: frozenset[str] | None = None
    """Signature policies that are taken, by identifier; "implied", and "" for none. None: any, told and not judged."""
    check_ca_revocation: bool = True
    max_status_age_seconds: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How old a CRL or OCSP answer may be; None: as old as its own nextUpdate allows."""
    max_status_age_open_seconds: Annotated[int, msgspec.Meta(ge=1)] = 86_400
    """The same for an OCSP answer without nextUpdate (RFC 6960 clause 4.2.2.1: newer ones are to be had always)."""
    proven_times: bool = False
    """Whether a certificate that has run out, or whose status is not known now, may be judged at the time that time
    stamps prove, with the values in the document as evidence (EN 319 102-1 clauses 5.5, 5.6). Otherwise time stamps
    are judged and told of, and the time of judgement is the caller's."""
    interrupted_text: Literal["refused", "signed-only", "taken"] = "refused"
    """Comments and processing instructions inside signed text, on which readers disagree. "signed-only": taken where
    the canonical octets hold them, so that nobody but the signer can have put them there."""
    encodings: frozenset[str] = frozenset({"utf-8"})
    """Encodings that a document may come in (names of `signing.parsing.ENCODINGS`)."""
    revocation: Literal["required", "if-known"] = "required"
    """Whether a status is demanded of every certificate, or judged only where its issuer's answers were supplied."""
    signer_may_be_ca: bool = False
    key_lookups: bool = False
    """Find a certificate that KeyInfo only names among the caller's own; pass over foreign elements of KeyInfo."""
    lenient_certificates: bool = False
    """Take certificates in loose base64, in PEM, or with unreadable extensions (no path then); skip broken ones."""
    short_ecdsa_values: bool = False
    """Take ECDSA values whose halves lack leading zeros, as old Java libraries wrote them."""
    pdf_form_filling: bool = False
    """Take a PDF whose form was filled in after the signature, where the signer's certification says nothing of it."""

    def laxer_than(self, other: Policy) -> tuple[str, ...]:
        """The fields in which this policy takes something that `other` does not."""
        laxer = []
        for name in self.__struct_fields__:
            if name in _DESCRIBE:
                continue
            mine, its = getattr(self, name), getattr(other, name)
            if name == "signature_policies":
                more = its is not None and (mine is None or bool(mine - its))
            elif isinstance(mine, frozenset):
                more = bool(mine - its)
            elif name in _LAXEST_LAST:
                order = _LAXEST_LAST[name]
                more = order.index(mine) > order.index(its)
            elif name.startswith("max_") or name == "signing_time_tolerance_seconds":
                more = its is not None and (mine is None or mine > its)
            else:
                more = mine < its
            if more:
                laxer.append(name)
        return tuple(laxer)

    @property
    def signing_time_tolerance(self) -> timedelta:
        """`signing_time_tolerance_seconds` as a duration."""
        return timedelta(seconds=self.signing_time_tolerance_seconds)

    @property
    def status_rules(self) -> StatusRules:
        """What this policy asks of CRLs and OCSP answers."""
        age = self.max_status_age_seconds
        return StatusRules(
            digests=self.certificate_digests,
            max_age=None if age is None else timedelta(seconds=age),
            max_age_open=timedelta(seconds=self.max_status_age_open_seconds),
            minimum_rsa_bits=self.minimum_rsa_bits,
        )


_DESCRIBE = frozenset({"name", "description_vi", "description_en", "effective_from", "effective_to"})
_TAKES_MORE = (
    "proven_times",
    "signer_may_be_ca",
    "key_lookups",
    "lenient_certificates",
    "short_ecdsa_values",
    "pdf_form_filling",
)
_LAXEST_LAST: Mapping[str, tuple[object, ...]] = {
    "interrupted_text": ("refused", "signed-only", "taken"),
    "revocation": ("required", "if-known"),
    **dict.fromkeys(_TAKES_MORE, (False, True)),
}
"""Of the other fields a smaller number, or False in the place of True, is the laxer one; of `max_…` a larger."""


def load_policy(name_or_path: str | Path) -> Policy:
    """Load a policy of this library by name ("tt15-2025", "tax-legacy" …) or any from a file.

    Raises PolicyRefused for an unknown name, an unknown key, an unknown algorithm or an empty list.
    """
    if isinstance(name_or_path, str) and not name_or_path.endswith(".toml"):
        return _load_named(name_or_path)
    path = Path(name_or_path)
    try:
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise PolicyRefused(f"{path}: {error.strerror}") from None


@lru_cache(maxsize=16)
def _load_named(name: str) -> Policy:
    folder = resources.files("signing").joinpath("policies")
    known = sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )
    if name not in known:
        raise PolicyRefused(f"no policy {name!r}; there are {', '.join(known)}")
    return _decode(folder.joinpath(f"{name}.toml").read_bytes(), name)


def _decode(data: bytes, source: str) -> Policy:
    try:
        policy = msgspec.toml.decode(data, type=Policy)
    except msgspec.MsgspecError as error:
        raise PolicyRefused(f"{source}: {error}") from None
    for field, given, known in (
        ("profiles", policy.profiles, PROFILES),
        ("digests", policy.digests, frozenset(DIGESTS.values())),
        ("certificate_digests", policy.certificate_digests, frozenset(DIGESTS.values())),
        ("signatures", policy.signatures, SIGNATURE_NAMES),
        ("canonicalisations", policy.canonicalisations, METHOD_NAMES),
        ("encodings", policy.encodings, frozenset(ENCODINGS)),
    ):
        if not given:
            raise PolicyRefused(f"{source}: {field} is empty: nothing could ever pass")
        if given - known:
            raise PolicyRefused(f"{source}: {field} does not know {', '.join(sorted(given - known))}")
    return policy
