"""The files that a drop agency and the gateway put down for each other; adapters/README.md shows each once.

JSON in UTF-8, names in camelCase as over kind "rest". Readers ignore fields they do not know.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from adapters import base, told

ANSWER = re.compile(base.KEY_PATTERN.removeprefix("^").removesuffix("$") + r"\.json")
"""The name of an answer file: the key, and the ending. Nothing else in the folder is looked at."""


_ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


class NotOfTheForm(ValueError):
    """Not a file of the agreed form; `cut_off`: it may be one that is still being written."""

    def __init__(self, words: str, *, cut_off: bool = False) -> None:
        super().__init__(words)
        self.cut_off = cut_off


class Paper(msgspec.Struct, frozen=True, rename="camel"):
    """A file beside the document, put down before the manifest: `name` is what the dossier calls it."""

    kind: told.Short
    name: told.Short
    media_type: told.Short
    digest: told.Hex256
    file: told.Short


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`{key}.json` beside the document, put down after it: whoever sees the manifest has the whole document.

    `digest` is the SHA-256 of the document in `file`, in hex.
    """

    key: told.Key
    number: told.Short
    agency: told.Short
    family: told.Short
    form: told.Short
    form_version: told.Short
    kind: told.Short
    period: told.Short
    taxpayer: told.Short
    tax_office: told.Short
    received_at: told.Moment
    media_type: told.Short
    digest: told.Hex256
    file: told.Short
    papers: tuple[Paper, ...] = ()


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """`{key}.json` in the folder of answers: `pending` once the agency has the filing, then `decided` in its place.

    `refused`: this very filing can never be taken in; `error` says why.
    """

    key: told.Key
    digest: told.Hex256
    state: Literal["pending", "decided", "refused"]
    reference: told.Short | None = None
    verdict: told.Verdict | None = None
    error: told.Text = ""

    def __post_init__(self) -> None:
        if (self.state == "decided") != (self.verdict is not None):
            raise ValueError("`state` is decided exactly where there is a verdict")


def names(key: str, media_type: str) -> tuple[str, str]:
    """The names of a filing's document and manifest."""
    ending = "xml" if media_type == "application/xml" else "bin"
    return f"{key}.{ending}", f"{key}.json"


def paper_names(parcel: base.Parcel) -> list[str]:
    """The names under which its papers are put down."""
    endings = (_ENDINGS.get(paper.media_type, "bin") for paper in parcel.papers)
    return [f"{parcel.key}.giay-to-{number}.{ending}" for number, ending in enumerate(endings, 1)]


def manifest(parcel: base.Parcel) -> bytes:
    """The manifest of a parcel; of the same parcel, the same octets."""
    told_ = Manifest(
        key=parcel.key,
        number=parcel.filing_number,
        agency=parcel.agency,
        family=parcel.family,
        form=parcel.form_code,
        form_version=parcel.form_version,
        kind=parcel.kind,
        period=parcel.period,
        taxpayer=parcel.taxpayer_code,
        tax_office=parcel.tax_office_code,
        received_at=parcel.received_at,
        media_type=parcel.media_type,
        digest=parcel.digest_hex,
        file=names(parcel.key, parcel.media_type)[0],
        papers=tuple(
            Paper(paper.kind, paper.name, paper.media_type, paper.digest_hex, file)
            for paper, file in zip(parcel.papers, paper_names(parcel), strict=True)
        ),
    )
    return msgspec.json.encode(told_)


def read_manifest(octets: bytes) -> Manifest | None:
    """The manifest; None where it is none."""
    try:
        return msgspec.json.decode(octets, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def read_answer(octets: bytes, key: str) -> Answer:
    """The answer about this key. Raises NotOfTheForm."""
    try:
        answer = msgspec.json.decode(octets, type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotOfTheForm(str(error), cut_off="truncated" in str(error)) from error
    if answer.key != key:
        raise NotOfTheForm("about another key than its name says")
    return answer
