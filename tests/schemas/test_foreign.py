"""Schemas of other houses put in as a catalogue folder, without code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree

from schemas import Catalogue, CatalogueError, load_catalogue
from schemas.sources import read_schema
from schemas.view import About, view_page
from tests.schemas.conftest import VIETNAM
from tests.schemas.foreign import INVOICE, INVOICE_FILES, UBL, UBL_FILES, XS, put_down

AT = datetime(2026, 7, 2, 10, tzinfo=VIETNAM)


@pytest.fixture
def invoices(tmp_path: Path) -> Catalogue:
    return load_catalogue(put_down(INVOICE_FILES, tmp_path / "catalogue"))


@pytest.fixture
def world(tmp_path: Path) -> Catalogue:
    return load_catalogue(put_down(UBL_FILES, tmp_path / "catalogue"))


def body(catalogue: Catalogue, document: str) -> bytes:
    root = etree.fromstring(document)
    family = catalogue.families.of_root(str(root.tag))
    assert family is not None
    found = family.body_of(root)
    return etree.tostring(found, with_tail=False)


def refused(files: Mapping[str, str], folder: Path) -> str:
    with pytest.raises(CatalogueError) as error:
        load_catalogue(put_down(files, folder))
    return "\n".join(error.value.faults)


def test_a_document_is_summed_up_by_the_paths_of_its_family(invoices: Catalogue) -> None:
    found = invoices.examine(body(invoices, INVOICE), received_at=AT)
    assert found.accepted
    assert found.faults == ()
    told = found.declaration
    assert told is not None
    assert (told.family, told.form_code, told.form_version, told.kind) == ("e-invoice", "HDon", "2.1.0", "1")
    assert (told.taxpayer.tax_code, told.taxpayer.name) == ("5500998804", "CÔNG TY MƯỜNG LA")
    assert told.element_id == "data"


def test_faults_name_elements_values_and_what_the_type_wants(invoices: Catalogue) -> None:
    document = INVOICE.replace("<SHDon>007<", "<SHDon>-1<").replace(
        "<NLap>2026-07-01<", "<Ngay>x</Ngay><NLap>2026-07-01<"
    )
    faults = invoices.examine(body(invoices, document), received_at=AT).faults
    assert [fault.code for fault in faults] == ["xsd.type", "xsd.unexpected"]
    assert faults[0].path == "DLHDon/TTChung/SHDon"
    assert "số nguyên" in faults[0].message_vi + faults[0].remedy_vi


def test_another_version_and_an_unknown_root(invoices: Catalogue) -> None:
    other = invoices.examine(body(invoices, INVOICE.replace("2.1.0", "9.9.9")), received_at=AT)
    assert [fault.code for fault in other.faults] == ["form.unknown-version"]
    assert [f.code for f in invoices.examine(b"<HSoKhaiThue/>", received_at=AT).faults] == ["form.root"]


def test_namespaces_that_import_each_other(world: Catalogue) -> None:
    found = world.examine(body(world, UBL), received_at=AT)
    assert found.faults == ()
    [form] = world.descriptions()
    paths = [field.path for field in form.fields]
    assert "cac:Party/cbc:CompanyID" in paths
    assert "cac:Party/cac:AgentParty" not in paths, "a party that holds a party is told once"
    wrong = UBL.replace(">200.50<", ">abc<")
    [fault] = world.examine(body(world, wrong), received_at=AT).faults
    assert (fault.code, fault.path) == ("xsd.type", "Invoice/cac:Line[1]/cbc:LineAmount")
    assert "số thập phân" in fault.message_vi + fault.remedy_vi


def test_the_element_of_another_namespace_is_not_taken_for_one_of_ours(world: Catalogue) -> None:
    document = UBL.replace(
        "<cbc:CompanyID>5500998804</cbc:CompanyID>", "<CompanyID>5500998804</CompanyID>", 1
    )
    found = world.examine(body(world, document), received_at=AT)
    assert found.declaration is None
    assert not found.accepted


@pytest.mark.parametrize(
    ("files", "document", "value"), [(INVOICE_FILES, INVOICE, "Xi măng"), (UBL_FILES, UBL, "Mường La")]
)
def test_the_page_shows_it(tmp_path: Path, files: Mapping[str, str], document: str, value: str) -> None:
    catalogue = load_catalogue(put_down(files, tmp_path))
    page = view_page(etree.fromstring(document), catalogue, About(), "vi")
    assert value in page.html.decode()
    assert "5500998804" in page.html.decode()


FAMILY = "invoice/family.toml"
SCHEMA = "invoice/form/xsd/invoice.xsd"
IMPORT = '<xs:import namespace="urn:x" schemaLocation="parties.xsd"/>'


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (FAMILY, 'name = "e-invoice"', 'name = "E invoice"', "family.toml: "),
        (FAMILY, 'root = "HDon"', 'root = "H Don"', "family.toml: "),
        (FAMILY, 'root = "HDon"', 'root = "HDon"\nplugin = "os"', "family.toml: "),
        (FAMILY, 'filer = "NDHDon/NBan/MST"', "", "nothing says who files"),
        (FAMILY, "NDHDon/NBan/MST", "//MST[1]", "no path of element names"),
        (FAMILY, "NDHDon/NBan/MST", "ns:MST", "no path of element names"),
        (FAMILY, '"DSCKS/NBan"', '"DLHDon/NBan"', "beside the body"),
        (FAMILY, 'code = "HDon"', 'code = "HDon"\nversion = "1"', "either paths or fixed"),
        (FAMILY, 'root = "HDon"', 'root = "HDon"\nsummary = "declaration"', "which a declaration has"),
        (FAMILY, 'body = "DLHDon"', 'body = "Nothing"', "declares no element Nothing"),
        ("catalogue.toml", '["invoice"]', '["invoice", "../invoice"]', "not a plain path"),
        ("catalogue.toml", '["invoice"]', '["invoice", "nowhere"]', "nowhere/family.toml"),
        ("catalogue.toml", 'family = "e-invoice"', 'family = "other"', "no family is called 'other'"),
        ("catalogue.toml", 'code = "HDon"', 'code = "380"', "every document of the family is of the code"),
        (SCHEMA, "parties.xsd", "http://schemas.example/parties.xsd", "only a relative path"),
        (SCHEMA, "parties.xsd", "file:///etc/passwd", "only a relative path"),
        (SCHEMA, "parties.xsd", "../../../../parties.xsd", "outside the catalogue's folder"),
        (SCHEMA, "parties.xsd", "missing.xsd", "missing.xsd: No such file"),
        (SCHEMA, "<xs:include", f"{IMPORT}<xs:include", "another target namespace"),
        (SCHEMA, "xs:include", "xs:redefine", "redefine is not allowed"),
        ("invoice/form/form.toml", "by-name", "by-guess", "form.toml: "),
        ("invoice/form/form.toml", 'unlabelled = "by-name"', "", "no label for the element"),
        ("invoice/form/form.toml", '"in-force"', '"period-dates"', "no header rule is called 'period-dates'"),
        ("invoice/form/form.toml", "max_elements", 'period_kinds = ["M"]\nmax_elements', "names no period"),
        ("invoice/form/form.toml", 'schema = "xsd/', 'schema = "../../../', "outside the catalogue's folder"),
        ("invoice/form/rules.toml", "[TgTTTBSo]", "[Nothing]", "no one field [Nothing]"),
    ],
)  # fmt: skip
def test_what_is_off_is_named(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    assert old in INVOICE_FILES[file]
    files = {**INVOICE_FILES, file: INVOICE_FILES[file].replace(old, new)}
    assert told in refused(files, tmp_path / "catalogue")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.xsd"
    outside.write_text(INVOICE_FILES["invoice/form/xsd/parties.xsd"], encoding="utf-8")
    folder = put_down(INVOICE_FILES, tmp_path / "catalogue")
    link = folder / "invoice/form/xsd/parties.xsd"
    link.unlink()
    link.symlink_to(outside)
    with pytest.raises(CatalogueError, match=r"outside the catalogue's folder"):
        load_catalogue(folder)


def test_two_families_with_one_root_are_refused(tmp_path: Path) -> None:
    twin = INVOICE_FILES["invoice/family.toml"].replace('name = "e-invoice"', 'name = "twin"')
    table = INVOICE_FILES["catalogue.toml"].replace('["invoice"]', '["invoice", "twin"]')
    files = {**INVOICE_FILES, "catalogue.toml": table, "twin/family.toml": twin}
    assert "two families have the same root" in refused(files, tmp_path)


def test_what_the_schema_names_otherwise_lies_where_the_form_says(tmp_path: Path) -> None:
    form = UBL_FILES["world/form/form.toml"].replace(
        "https://schemas.example/basic-2.xsd", "https://schemas.example/other.xsd"
    )
    told = refused({**UBL_FILES, "world/form/form.toml": form}, tmp_path)
    assert "schema_locations" in told


def test_files_that_name_each_other_in_a_circle(tmp_path: Path) -> None:
    """a includes b, b includes a and imports c, c imports a."""
    head = f'<xs:schema {XS} targetNamespace="urn:{{0}}" xmlns="urn:{{0}}" xmlns:a="urn:a" xmlns:c="urn:c">'
    put_down(
        {
            "a.xsd": head.format("a")
            + '<xs:include schemaLocation="b.xsd"/><xs:element name="A" type="B"/></xs:schema>',
            "b.xsd": head.format("a")
            + '<xs:include schemaLocation="a.xsd"/><xs:import namespace="urn:c" schemaLocation="c.xsd"/>'
            '<xs:complexType name="B"><xs:sequence><xs:element ref="a:A" minOccurs="0"/>'
            '<xs:element ref="c:C" minOccurs="0"/></xs:sequence></xs:complexType></xs:schema>',
            "c.xsd": head.format("c")
            + '<xs:import namespace="urn:a" schemaLocation="a.xsd"/><xs:element name="C">'
            '<xs:complexType><xs:sequence><xs:element ref="a:A"/></xs:sequence></xs:complexType>'
            "</xs:element></xs:schema>",
        },
        tmp_path,
    )
    source = read_schema(tmp_path, "a.xsd", "A")
    document = etree.fromstring('<A xmlns="urn:a"><c:C xmlns:c="urn:c"><A/></c:C></A>')
    assert source.compile().validate(document)
    assert source.explain().is_valid(document)
