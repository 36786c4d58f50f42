"""Reading a PDF's signatures with pyHanko's reader. Runs in the confined process only (`signing.pdf.confined`).

Nothing is judged here but the file's structure: byte ranges, revisions, later changes. The signatures themselves are
judged by whoever asked, from the octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import AuthStatus, StandardSecurityHandler
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec, enumerate_sig_fields

from signing.pdf.changes import Change, Comparison, TooComplex

MAX_SIGNATURES = 64
MAX_VALUES = 128
MAX_VALUE_BYTES = 8 << 20
MAX_CONTENTS_BYTES = 8 << 20
"""Of all signatures together: what is told of a file is held in memory by whoever asked."""
_DICTIONARY = 4_096
"""Octets within which a stream begins after its object."""
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?.*")
_END = re.compile(rb"startxref\s*(\d{1,12})\s+%%EOF[\0\s]*\Z")

Facts = dict[str, Any]


class Locked(Exception):
    """The file is encrypted, and not for everybody."""


def read_pdf(data: bytes) -> Facts:
    """The facts of a file: `signatures` in the order of signing, `certificates`, `crls`, `ocsps` of its DSS, each with
    the place in the file at which it ends.

    Raises Locked, and whatever pyHanko raises for files that are broken.
    """
    reader = PdfFileReader(BytesIO(data), strict=False)
    if reader.encrypted:
        _unlock(reader)
    facts: Facts = {"signatures": [], **_validation_material(reader, data)}
    found: list[Facts] = []
    places: list[tuple[int, generic.Reference]] = []
    for name, value, field, place in _signature_fields(reader):
        if len(found) == MAX_SIGNATURES:
            raise ValueError(f"more than {MAX_SIGNATURES} signatures")
        found.append(_read_signature(reader, data, name, value, field))
        if sum(len(each["contents"]) // 2 for each in found) > MAX_CONTENTS_BYTES:
            raise ValueError(f"signatures of more than {MAX_CONTENTS_BYTES} octets")
        if found[-1]["subfilter"] != "/ETSI.RFC3161":
            places.append((found[-1]["revision"], place))
    found.sort(key=lambda each: (each["revision"], each["byte_range"][2:]))
    compared: dict[int, tuple[list[Change], str]] = {}
    for each in found:
        revision = each["revision"]
        if each["fault"] or each["last"]:
            continue
        if revision not in compared:
            compared[revision] = _changes(reader, revision, {p for n, p in places if n > revision})
        changes, fault = compared[revision]
        each["changes"] = [[change.kind, change.what, change.field] for change in changes]
        each["fault"] = each["fault"] or fault
    facts["signatures"] = found
    return facts


def _unlock(reader: PdfFileReader) -> None:
    """With the empty password, which opens what everybody may read (ISO 32000-2 §7.6.4). Raises Locked."""
    if not isinstance(reader.security_handler, StandardSecurityHandler):
        raise Locked("for the holders of certain certificates alone")
    if reader.decrypt(b"").status is AuthStatus.FAILED:
        raise Locked("a password is needed")


def _changes(
    reader: PdfFileReader, revision: int, signed: set[generic.Reference]
) -> tuple[list[Change], str]:
    old = reader.get_historical_resolver(revision)
    new = reader.get_historical_resolver(reader.xrefs.total_revisions - 1)
    try:
        return Comparison(old, new, signed).run(), ""
    except TooComplex:
        return [], "the later revisions cannot be compared within the limits"
    except (
        Exception
    ) as error:  # broken objects raise several types in pyHanko; what cannot be compared is not the same
        return [], f"the later revisions cannot be compared: {error}"[:300]


def _signature_fields(
    reader: PdfFileReader,
) -> Iterator[tuple[str, generic.IndirectObject, generic.DictionaryObject, generic.Reference]]:
    for name, value, reference in enumerate_sig_fields(reader, filled_status=True):
        del value
        field: generic.DictionaryObject = reference.get_object()
        held = field.raw_get("/V") if "/V" in field else field["/Parent"].raw_get("/V")
        if not isinstance(held, generic.IndirectObject):
            raise ValueError(f"{name}: the signature dictionary is no indirect object")  # noqa: TRY004
        yield name, held, field, reference.reference


def _read_signature(
    reader: PdfFileReader,
    data: bytes,
    name: str,
    value: generic.IndirectObject,
    field: generic.DictionaryObject,
) -> Facts:
    held = value.get_object()  # type: ignore[no-untyped-call]
    if not isinstance(held, generic.DictionaryObject):
        raise ValueError(f"{name}: no signature dictionary")  # noqa: TRY004
    byte_range = [int(each) for each in held["/ByteRange"]] if "/ByteRange" in held else []
    contents = held.raw_get("/Contents", decrypt=generic.EncryptedObjAccess.RAW).original_bytes
    revision = reader.xrefs.get_last_change(value.reference)
    fault = _check_byte_range(data, byte_range, contents) or _check_revision(
        reader, data, byte_range, revision
    )
    return {
        "field": str(name)[:200],
        "subfilter": str(held.get("/SubFilter", "")),
        "type": str(held.get("/Type", "/Sig")),
        "byte_range": byte_range[:4] if len(byte_range) == 4 else [0, 0, 0, 0],
        "contents": contents.hex(),
        "certificate": _raw_certificates(held),
        "time": _date(held.get("/M")),
        "reason": str(held.get("/Reason", ""))[:200],
        "revision": revision,
        "last": not fault and _covers_all(data, byte_range),
        "fault": fault,
        "changes": [],
        "certified": _certified(held),
        "locked": _locked(held, field),
    }


def _check_byte_range(data: bytes, byte_range: list[int], contents: bytes) -> str:
    """ISO 32000-2 §12.8.1: the file up to the end of the revision but for the very value of /Contents."""
    if len(byte_range) != 4 or min(byte_range) < 0 or byte_range[0] != 0:
        return "/ByteRange is not of the form [0 a b c]"
    _, first, second, length = byte_range
    if not first < second <= second + length <= len(data):
        return "/ByteRange does not lie within the file"
    gap = data[first:second]
    if gap[:1] != b"<" or gap[-1:] != b">" or not re.fullmatch(rb"[0-9A-Fa-f\s]*", gap[1:-1]):
        return "what /ByteRange leaves out is not a hexadecimal string alone"
    digits = b"".join(gap[1:-1].split())
    if bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii")) != contents:
        return "what /ByteRange leaves out is not the value of /Contents"
    return ""


def _check_revision(reader: PdfFileReader, data: bytes, byte_range: list[int], revision: int) -> str:
    """The octets end where the revision that holds the signature ends, and hold all its cross-references."""
    end = byte_range[2] + byte_range[3]
    if _covers_all(data, byte_range):
        return ""
    found = _END.search(data, max(0, end - 1100), end)
    if found is None:
        return "the signed octets do not end at the end of a revision"
    start = int(found[1])
    if start != reader.xrefs.get_startxref_for_revision(revision):
        return "the signed octets are not the revision that holds the signature"
    if any(reader.xrefs.get_xref_container_info(n).end_location > end for n in range(revision + 1)):
        return "a cross-reference of the signed revision lies outside the signed octets"
    return ""


def _covers_all(data: bytes, byte_range: list[int]) -> bool:
    return not data[byte_range[2] + byte_range[3] :].strip(b"\0\r\n\t ")


def _date(value: object) -> str | None:
    found = _DATE.fullmatch(str(value)) if value is not None else None
    if found is None:
        return None
    year, *rest = found.groups()
    month, day, hour, minute, second = (
        part or default for part, default in zip(rest[:5], _DEFAULTS, strict=True)
    )
    zone = f"{rest[6]}{rest[7]}:{rest[8] or '00'}" if rest[6] else "+00:00" if rest[5] else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"


_DEFAULTS = ("01", "01", "00", "00", "00")


def _certified(held: generic.DictionaryObject) -> int | None:
    """/P of the DocMDP transform: 1 no changes, 2 form and signatures, 3 annotations too (ISO 32000-2 §12.8.2.2)."""
    for each in held.get("/Reference", []):
        reference = each.get_object()
        if reference.get("/TransformMethod") == "/DocMDP":
            return int(reference["/TransformParams"].get("/P", 2)) if "/TransformParams" in reference else 2
    return None


def _locked(held: generic.DictionaryObject, field: generic.DictionaryObject) -> list[Any] | None:
    """The fields that FieldMDP or the field's /Lock forbids to change: action and names (§12.8.2.4)."""
    for each in held.get("/Reference", []):
        reference = each.get_object()
        if reference.get("/TransformMethod") == "/FieldMDP":
            spec = FieldMDPSpec.from_pdf_object(reference["/TransformParams"])
            return [str(spec.action.value), list(spec.fields or [])]
    if "/Lock" in field:
        spec = FieldMDPSpec.from_pdf_object(field["/Lock"])
        return [str(spec.action.value), list(spec.fields or [])]
    return None


def _raw_certificates(held: generic.DictionaryObject) -> list[str]:
    """/Cert, of adbe.x509.rsa_sha1."""
    value = held.get("/Cert")
    if value is None:
        return []
    each = [value] if not isinstance(value, generic.ArrayObject) else list(value)
    return [one.original_bytes.hex() for one in each[:16]]


def _validation_material(reader: PdfFileReader, data: bytes) -> Facts:
    """The DSS (ISO 32000-2 §12.8.4.3), as far as it can be read: it is not needed for the signatures themselves."""
    found: Facts = {"certificates": [], "crls": [], "ocsps": []}
    budget = MAX_VALUE_BYTES
    try:
        store = reader.root["/DSS"]
        for name, key in (("certificates", "/Certs"), ("crls", "/CRLs"), ("ocsps", "/OCSPs")):
            for each in list(store.get(key, []))[:MAX_VALUES]:
                value = each.get_object().data
                budget -= len(value)
                if budget < 0:
                    return found
                found[name].append([value.hex(), _end_of(each, data, reader)])
    except Exception:  # absent, or broken in one of pyHanko's many ways
        return found
    return found


def _end_of(stream: generic.IndirectObject, data: bytes, reader: PdfFileReader) -> int:
    """Where the octets of a stream end in the file, as they are found there; the file's end where they are not."""
    encoded = stream.get_object().encoded_data  # type: ignore[no-untyped-call]
    start = reader.xrefs[stream.reference]
    found = data.find(encoded, start, start + len(encoded) + _DICTIONARY) if isinstance(start, int) else -1
    return len(data) if found < 0 or not encoded else found + len(encoded)
