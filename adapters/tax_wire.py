"""The messages of the tax authority's service (`wsdl/tax.wsdl`): NhanHSoThue (send), TraKQuaGDich (fetch the result).

`maGDich` is the idempotency key: the authority takes in one dossier for each and answers a repeat with `trung` true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone

from lxml import etree

from adapters.base import Parcel, Pending, Unknown, Verdict
from adapters.mtom import Attachment, include
from adapters.result_wire import NAME as RESULT
from adapters.result_wire import read_result
from adapters.xml import NotOfTheForm, add, new, texts

NAMESPACE = "urn:efile:co-quan-thue:1"
_VIETNAM = timezone(timedelta(hours=7))
_TRUE = {"true", "1"}  # xsd:boolean


@dataclass(frozen=True, slots=True)
class Taken:
    """NhanHSoThueResponse: the authority has it. `digest` is of the document as it arrived."""

    key: str
    digest: str
    duplicate: bool
    reference: str | None
    verdict: Verdict | None


def enclose(parcel: Parcel) -> tuple[etree._Element, list[Attachment]]:
    """NhanHSoThue, and the document and its papers, which go beside it as they were filed, octet for octet."""
    message = new(NAMESPACE, "NhanHSoThue")
    for name, text in {
        "maGDich": parcel.key,
        "soHSo": parcel.filing_number,
        "coQuan": parcel.agency,
        "loaiHSo": parcel.family,
        "maTKhai": parcel.form_code,
        "pbanTKhaiXML": parcel.form_version,
        "loaiTKhai": parcel.kind,
        "kyKKhai": parcel.period,
        "mst": parcel.taxpayer_code,
        "maCQTNoiNop": parcel.tax_office_code,
        "thoiDiemNhan": parcel.received_at.astimezone(_VIETNAM).isoformat(),
        "kieuTep": parcel.media_type,
        "bamSHA256": parcel.digest_hex,
    }.items():
        add(message, name, text)
    files = [Attachment(f"0.{parcel.digest_hex}@efile-gateway", parcel.media_type, parcel.document)]
    include(add(message, "hoSo"), files[0])
    for number, paper in enumerate(parcel.papers, start=1):
        place = add(message, "giayTo")
        add(place, "maGiayTo", paper.kind)
        add(place, "tenGiayTo", paper.name)
        add(place, "kieuTep", paper.media_type)
        add(place, "bamSHA256", paper.digest_hex)
        files.append(
            Attachment(f"{number}.{paper.digest_hex}@efile-gateway", paper.media_type, paper.content)
        )
        include(add(place, "tep"), files[-1])
    return message, files


def ask(key: str) -> etree._Element:
    """TraKQuaGDich."""
    message = new(NAMESPACE, "TraKQuaGDich")
    add(message, "maGDich", key)
    return message


def read_taken(answer: etree._Element) -> Taken:
    """NhanHSoThueResponse, which the schema allows. Raises NotOfTheForm."""
    said = texts(answer)
    result = answer.find(RESULT)
    return Taken(
        said["maGDich"],
        said["bamSHA256"],
        said["trung"] in _TRUE,
        said.get("soTiepNhan") or None,
        None if result is None else read_result(result),
    )


def read_state(answer: etree._Element) -> tuple[str, Pending | Unknown | Verdict]:
    """The key in TraKQuaGDichResponse, which the schema allows, and what has become of it. Raises NotOfTheForm."""
    said = texts(answer)
    result = answer.find(RESULT)
    if (said["tinhTrang"] == "daXuLy") != (result is not None):
        raise NotOfTheForm("tinhTrang is daXuLy exactly where there is a KetQua")
    if result is not None:
        return said["maGDich"], read_result(result)
    if said["tinhTrang"] == "chuaNhan":
        return said["maGDich"], Unknown()
    return said["maGDich"], Pending(said.get("soTiepNhan") or None)
