"""A public e-invoice schema set as a catalogue folder, without code: NF-e 4.00 (Brazil), with its published samples."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from schemas import Catalogue, load_catalogue
from schemas.view import About, view_page
from tests.schemas.foreign import put_down

pytestmark = pytest.mark.interop

FETCHED = Path(__file__).parents[2] / ".venv-public"
SCHEMAS, SAMPLES = "nfelib/nfe/schemas/v4_0/", "nfelib/nfe/samples/v4_0/leiauteNFe/"
AT = datetime(2026, 11, 1, tzinfo=UTC)
TABLE = """
families = ["nfe"]
[[form]]
family = "nfe"
code = "55"
version = "4.00"
kinds = ["1", "2", "3", "4"]
folder = "nfe/form"
in_force_from = 2016-01-01
in_force_until = 2099-12-31
"""
FAMILY = """
name = "nfe"
name_vi = "Hóa đơn điện tử NF-e (Brazil)"
name_en = "NF-e (Brazil)"
namespace = "http://www.portalfiscal.inf.br/nfe"
root = "NFe"
body = "infNFe"
signatures = [""]
[paths]
code = "ide/mod"
kind = "ide/finNFe"
filer = "emit/CNPJ"
filer_name = "emit/xNome"
[fixed]
version = "4.00"
"""
FORM = """
label = "NF-e"
name_vi = "Hóa đơn điện tử NF-e"
name_en = "Electronic invoice NF-e"
legal_basis = "Manual de Orientação do Contribuinte 7.0"
max_elements = 50000
schema = "xsd/nfe_v4.00.xsd"
unlabelled = "by-name"
"""
LABELS = """
vProd = { vi = "Tiền hàng", en = "Value of the products", kind = "decimal" }
"""
RULES = """
[[rule]]
code = "nfe.products"
rule = "[ICMSTot/vProd] = sum([det/prod/vProd])"
severity = "WARNING"
"""
CASES = """
received_at = 2026-11-01T10:00:00+07:00
[cases]
"passes.xml" = []
[broken."no-name.xml"]
changes = { "emit/xNome" = "" }
expected = ["xsd.empty"]
"""


@pytest.fixture(scope="module")
def package() -> Iterator[zipfile.ZipFile]:
    wheels = sorted(FETCHED.glob("nfelib-*.whl"))
    if not wheels:
        pytest.skip("missing: the public schemas, which `make interop` fetches")
    with zipfile.ZipFile(wheels[-1]) as opened:
        yield opened


def invoices(package: zipfile.ZipFile) -> Iterator[tuple[str, etree._Element]]:
    """The samples that are of this version, each NFe by itself."""
    for name in sorted(package.namelist()):
        if name.startswith(SAMPLES) and name.endswith(".xml"):
            root = etree.fromstring(package.read(name))
            for found in root.iter("{http://www.portalfiscal.inf.br/nfe}NFe"):
                if found[0].get("versao") == "4.00":
                    yield name.removeprefix(SAMPLES), etree.fromstring(etree.tostring(found))


@pytest.fixture(scope="module")
def catalogue(package: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    _, first = next(invoices(package))
    for signature in first.findall("{http://www.w3.org/2000/09/xmldsig#}Signature"):
        first.remove(signature)
    files = {
        "catalogue.toml": TABLE,
        "nfe/family.toml": FAMILY,
        "nfe/form/form.toml": FORM,
        "nfe/form/labels.toml": LABELS,
        "nfe/form/rules.toml": RULES,
        "nfe/form/examples/cases.toml": CASES,
        "nfe/form/examples/passes.xml": etree.tostring(first, encoding="unicode"),
    }
    for name in package.namelist():
        if name.startswith(SCHEMAS) and name.endswith(".xsd"):
            files[f"nfe/form/xsd/{name.removeprefix(SCHEMAS)}"] = package.read(name).decode("utf-8-sig")
    return load_catalogue(put_down(files, tmp_path_factory.mktemp("nfe")))


def test_the_set_is_loaded_without_code(catalogue: Catalogue) -> None:
    [form] = catalogue.descriptions()
    assert len(form.fields) > 500
    wanted = {field.path: field.wants.en for field in form.fields}
    assert "matching" in wanted["emit/CNPJ"]


def test_published_samples_are_judged_and_shown(catalogue: Catalogue, package: zipfile.ZipFile) -> None:
    judged = {}
    for name, root in invoices(package):
        found = catalogue.examine_element(root[0], AT)
        judged[name] = [fault.code for fault in found.faults]
        assert found.declaration is not None, name
        page = view_page(root, catalogue, About(), "vi")
        assert found.declaration.taxpayer.name in page.html.decode()
    assert len(judged) > 5
    assert sum(not codes for codes in judged.values()) > 5, judged


def test_what_is_changed_in_them_is_told(catalogue: Catalogue, package: zipfile.ZipFile) -> None:
    _, root = next(invoices(package))
    number = root.find(".//{*}emit/{*}CNPJ")
    amount = root.find(".//{*}det/{*}prod/{*}vProd")
    assert number is not None
    assert amount is not None
    number.text, amount.text = "12", "1,00"
    faults = {fault.path.partition("/")[2]: fault for fault in catalogue.examine_element(root[0], AT).faults}
    assert faults["emit/CNPJ"].code == "xsd.type"
    assert "14" in faults["emit/CNPJ"].message_en
    assert any(path.endswith("prod/vProd") for path in faults)
