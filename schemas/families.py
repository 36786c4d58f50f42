"""Families of documents: how a file is built, which part is signed, and where its heading says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """A file of this family is `root`, holding the signed `body` (with an `id`), then `signatures`.

    Names are local names of `namespace`, paths lie below the body. `folder`: where the catalogue keeps what its forms
    share, and the forms. `code`, `version`, `kind` name the form; `filer` and `agent` are the tax code or identity
    number of who files, and of who files in their name; `description` says which legal form it is, "" for nothing.
    `dossiers`: its documents get dossier codes (mã số hồ sơ).
    """

    name: str
    folder: str
    namespace: str
    root: str
    body: str
    code: str
    version: str
    kind: str
    filer: str
    agent: str
    signatures: str = "CKyDTu"
    description: str = ""
    dossiers: bool = False

    def tag(self, name: str) -> str:
        """The qualified name of a local one."""
        return f"{{{self.namespace}}}{name}"

    @property
    def root_tag(self) -> str:
        return self.tag(self.root)

    @property
    def body_tag(self) -> str:
        return self.tag(self.body)

    @property
    def signatures_tag(self) -> str:
        return self.tag(self.signatures)

    def find(self, path: str) -> str:
        """`path` as lxml's find takes it."""
        return "/".join(self.tag(step) for step in path.split("/"))


_TAX_FORM = "TTinChung/TTinTKhaiThue/TKhaiThue"

TAX = Family(
    name="tax-declaration",
    folder="tax",
    namespace="http://kekhaithue.gdt.gov.vn/TKhaiThue",
    root="HSoThueDTu",
    body="HSoKhaiThue",
    code=f"{_TAX_FORM}/maTKhai",
    version=f"{_TAX_FORM}/pbanTKhaiXML",
    kind=f"{_TAX_FORM}/loaiTKhai",
    filer="TTinChung/TTinTKhaiThue/NNT/mst",
    agent="TTinChung/TTinTKhaiThue/DLyThue/mstDLyThue",
    description=f"{_TAX_FORM}/moTaBMau",
)
PERMIT = Family(
    name="permit",
    folder="permits",
    namespace="urn:efile:ho-so:1",
    root="HoSoDienTu",
    body="HoSo",
    code="ThongTinChung/ThuTuc/maDichVu",
    version="ThongTinChung/ThuTuc/phienBan",
    kind="ThongTinChung/ThuTuc/mucDich",
    filer="ThongTinChung/NguoiNop/soDinhDanh",
    agent="ThongTinChung/NguoiDuocUyQuyen/soDinhDanh",
    dossiers=True,
)
"""Dossiers of the provincial services: the element names are this project's own, in the terms of the procedures."""

HEADER_PATHS = ("TTinChung/", "ThongTinChung/")
"""Below them lies what all documents of a family share."""

FAMILIES: Mapping[str, Family] = {family.name: family for family in (TAX, PERMIT)}
_BY_ROOT = {family.root_tag: family for family in FAMILIES.values()}
_BY_BODY = {family.body_tag: family for family in FAMILIES.values()}


def family_of_root(tag: str) -> Family | None:
    """The family whose files have this root element (qualified name)."""
    return _BY_ROOT.get(tag)


def family_of_body(tag: str) -> Family | None:
    """The family whose signed element this is (qualified name)."""
    return _BY_BODY.get(tag)
