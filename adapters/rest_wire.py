"""The JSON that a REST agency and the gateway exchange; adapters/README.md shows each message once.

Field names are camelCase. Readers ignore fields they do not know, so that either side may add some.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from adapters import base
from adapters.told import Hex256, Key, Moment, Short, Verdict


class Form(msgspec.Struct, frozen=True, rename="camel"):
    """Which form, in the agency's own codes; `kind` C first, B supplementary."""

    code: Short
    version: Short
    kind: Short


class Document(msgspec.Struct, frozen=True, rename="camel"):
    """The document: `content` is base64 (RFC 4648 §4) of the bytes as filed, `digest` their SHA-256 in hex."""

    media_type: Short
    digest_algorithm: Literal["SHA-256"]
    digest: Hex256
    content: bytes


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """POST {base}/filings."""

    key: Key
    number: Short
    family: Short
    form: Form
    period: Short
    taxpayer: Short
    tax_office: Short
    received_at: Moment
    document: Document
    agency: Short = ""


class Acknowledgement(msgspec.Struct, frozen=True, rename="camel"):
    """Answer to a POST: 201 or 202 taken in, 200 had it before. `digest` is of the document as it arrived."""

    key: Key
    digest: Hex256
    reference: Short | None = None
    verdict: Verdict | None = None


class State(msgspec.Struct, frozen=True, rename="camel"):
    """Answer to GET {base}/filings/{key}: decided if there is a verdict. 404 says the key was never seen."""

    key: Key
    state: Literal["pending", "decided"]
    reference: Short | None = None
    verdict: Verdict | None = None

    def __post_init__(self) -> None:
        if (self.state == "decided") != (self.verdict is not None):
            raise ValueError("`state` is decided exactly where there is a verdict")


class Callback(msgspec.Struct, frozen=True, rename="camel"):
    """POST from the agency to the gateway's callback door."""

    key: Key
    verdict: Verdict


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457, as far as it is read: the words for a person."""

    title: str = ""
    detail: str = ""


def enclose(parcel: base.Parcel) -> Envelope:
    """The envelope of a parcel."""
    return Envelope(
        key=parcel.key,
        number=parcel.filing_number,
        family=parcel.family,
        form=Form(parcel.form_code, parcel.form_version, parcel.kind),
        period=parcel.period,
        taxpayer=parcel.taxpayer_code,
        tax_office=parcel.tax_office_code,
        received_at=parcel.received_at,
        document=Document(parcel.media_type, "SHA-256", parcel.digest_hex, parcel.document),
        agency=parcel.agency,
    )
