"""The JSON that a REST agency and the gateway exchange; adapters/README.md shows each message once.

Field names are camelCase. Readers ignore fields they do not know, so that either side may add some.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from adapters import base
from adapters.told import Hex256, Key, Moment, Short, Verdict

_EMPTY = b'"content":""'
_PIECE = 3 * 32_768  # octets; base64 of whole triples needs no padding between pieces


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


class Paper(msgspec.Struct, frozen=True, rename="camel"):
    """A file beside the document: `kind` and `name` as its signed list has them, the rest like `Document`."""

    kind: Short
    name: Short
    media_type: Short
    digest_algorithm: Literal["SHA-256"]
    digest: Hex256
    content: bytes


class Envelope(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
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
    papers: Annotated[tuple[Paper, ...], msgspec.Meta(max_length=200)] = ()


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
        papers=tuple(
            Paper(one.kind, one.name, one.media_type, "SHA-256", one.digest_hex, one.content)
            for one in parcel.papers
        ),
    )


def pieces(parcel: base.Parcel) -> tuple[int, Iterator[bytes]]:
    """The envelope as JSON: its length, and its octets bit by bit, so that base64 of megabytes never lies in memory.

    An empty content can stand nowhere else: within a text a quotation mark bears a backslash.
    """
    envelope = enclose(parcel)
    empty = tuple(msgspec.structs.replace(paper, content=b"") for paper in envelope.papers)
    around = msgspec.json.encode(msgspec.structs.replace(envelope, papers=empty)).split(_EMPTY)
    contents = [paper.content for paper in envelope.papers]
    length = sum(map(len, around)) + sum(len(_EMPTY) + 4 * -(-len(one) // 3) for one in contents)
    return length, _interleaved(around, contents)


def _interleaved(around: Sequence[bytes], contents: Sequence[bytes]) -> Iterator[bytes]:
    yield around[0]
    for content, rest in zip(contents, around[1:], strict=True):
        yield _EMPTY[:-1]
        for start in range(0, len(content), _PIECE):
            yield base64.b64encode(content[start : start + _PIECE])
        yield _EMPTY[-1:] + rest
