"""The catalogue refuses a faulty folder as a whole, naming every fault."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

import schemas
import schemas.catalogue
from schemas import Catalogue, CatalogueError, load_catalogue, open_catalogue, serving_catalogue
from schemas.faults import FaultText, fault_texts, text_faults
from tests.schemas.conftest import RECEIVED, copy_of_catalogue, signed_part

OWN = Path(schemas.__file__).parent
FORM = "tax/842-2.8.3"
PERMIT = "permits/karaoke-licence-1.0.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_catalogue(tmp_path / "catalogue", "830", "842", "karaoke-licence")


def change(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_own_catalogue(catalogue: Catalogue) -> None:
    form = catalogue.form("842", "2.8.3", "C")
    assert form is not None
    assert catalogue.form("842", "2.8.3", "D") is None
    assert form.label == "01/GTGT"
    assert form.period_kinds == ("M", "Q")


def test_a_copy_elsewhere_loads(folder: Path) -> None:
    assert [form.kind for form in load_catalogue(folder).forms if form.code == "842"] == ["C", "B"]


FAULTS = [
    ("catalogue.toml", 'code = "842"', 'kode = "842"', "unknown field"),
    ("catalogue.toml", "[[form]]", "[[from]]", "`from`"),
    ("catalogue.toml", "2022-01-01", "2032-01-01", "in_force_until lies before"),
    ("catalogue.toml", '"tax/842-2.8.3"', '"../tax/842"', "not a plain path"),
    ("catalogue.toml", '"tax/842-2.8.3"', '"/etc"', "not a plain path"),
    ("catalogue.toml", '"tax/842-2.8.3"', '"tax/999"', "No such file"),
    ("catalogue.toml", "\nin_force_from", '\nsigner_roles = ["passer-by"]\nin_force_from', "signer_roles"),
    (f"{FORM}/form.toml", '"unicode"', '"unikode"', "no header rule"),
    (f"{FORM}/form.toml", '["M", "Q"]', '["M", "W"]', "no kind of period"),
    (f"{FORM}/form.toml", 'payable = "40"', 'payable = "99"', "[99] in the summary"),
    (f"{FORM}/form.toml", 'payable = "40"', 'payable = "21"', "[21] in the summary"),
    (f"{FORM}/form.toml", "max_elements", 'signers = [["passer-by"]]\nmax_elements', "'passer-by'"),
    (f"{FORM}/form.toml", "max_elements", 'signers = [["filer", "person"]]\nmax_elements', "who may file"),
    (f"{FORM}/form.toml", "max_elements", "signers = []\nmax_elements", "who may file"),
    (f"{FORM}/form.toml", "max_elements", 'signers = [["filer"], []]\nmax_elements', "an empty entry"),
    (f"{FORM}/form.toml", "max_elements", 'signers = [["filer"], ["t-van"]]\nmax_elements', "a t-van signs"),
    (f"{FORM}/form.toml", "max_elements", 'signature_policy = "../x"\nmax_elements', "signature_policy"),
    (f"{FORM}/labels.toml", "ct36 = {", "ct36x = {", "no label for the element ct36"),
    (f"{FORM}/labels.toml", "ct36 = {", "ct36 {", "labels.toml"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = [35] - [99]", "no one field [99]"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = eval([35])", "842.36"),
    (f"{FORM}/rules.toml", 'code = "842.36"', 'code = "842.35"', "used twice"),
    (f"{FORM}/rules.toml", "message_vi", "message_xx", "message_xx"),
    (f"{FORM}/form.xsd", "../header.xsd", "http://127.0.0.1:9/header.xsd", "only a relative path"),
    (f"{FORM}/form.xsd", "../header.xsd", "../../../../../etc/passwd", "outside"),
    (f"{FORM}/form.xsd", "../header.xsd", "../nothing.xsd", "No such file"),
    (f"{FORM}/form.xsd", "<xs:include", '<xs:import namespace="urn:x"/><xs:include', "import of 'urn:x'"),
    (f"{FORM}/form.xsd", 'type="DanhDau"', 'type="KhongCo"', "form.xsd"),
    (f"{FORM}/form.xsd", 'name="HSoKhaiThue"', 'name="HoSo"', "declares no element HSoKhaiThue"),
    (f"{PERMIT}/form.toml", 'kind = "pccc"', 'kind = "pccc"\nsigned = "yes"', "`bool`"),
    (f"{PERMIT}/form.toml", 'kind = "pccc"', 'kind = "pccc"\nsigned = true\nmedia = []', "no PDF is taken"),
    (f"{FORM}/form.xsd", "<?xml", "<!DOCTYPE x><?xml", "DOCTYPE"),
    (f"{FORM}/form.xsd", "/PL01_KHBS/annex.xsd", "/PL01_1_KHBS/annex.xsd", "no annex PL01_KHBS"),
    (f"{FORM}/form.toml", "{ B = [", "{ X = [", "annexes of the kind 'X'"),
    (f"{FORM}/form.toml", 'one_place = ["32a"]', 'one_place = ["36"]', "has not several places"),
    (
        f"{FORM}/form.toml",
        'one_place = ["32a"]',
        "one_place = []",
        "no one field [32a]; there are CTieuTKhaiChinh/ct32a, ",
    ),
    (f"{FORM}/labels.toml", "ct36 = {", "ct999 = {}\nct36 = {", "labels.toml"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = [35] or [36] = 1", "842.36"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = 1 or [36] = 2", "needs a message"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = [ten_NganhNghe]", "cannot be compared"),
    (f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = [35] + [25]", "passes.xml: shows 842.36"),
    (f"{FORM}/examples/passes.xml", "<ct36>", "<ct36>1", "passes.xml: shows"),
    (f"{FORM}/examples/cases.toml", '"passes.xml" = []', "", "must be there"),
    (f"{FORM}/examples/cases.toml", '"passes.xml"', '"nothing.xml"', "No such file"),
    ("tax/annexes/PL01_KHBS/rules.toml", "/tongCong_ct10]", "/tongCong]", "no one field"),
    ("types.xsd", 'xml:lang="en">a whole', 'xml:lang="fr">a whole', "lacks documentation"),
    ("tax/header.xsd", "<xs:simpleType", "<xs:simpleTipe", "header.xsd"),
]


@pytest.mark.parametrize(("file", "old", "new", "named"), FAULTS)
def test_a_fault_refuses_the_whole_and_is_named(
    folder: Path, file: str, old: str, new: str, named: str
) -> None:
    change(folder, file, old, new)
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(folder)
    assert any(named in fault for fault in refused.value.faults), refused.value.faults


def test_all_faults_at_once(folder: Path) -> None:
    change(folder, f"{FORM}/rules.toml", "[36] = [35] - [25]", "[36] = [98]")
    change(folder, f"{FORM}/rules.toml", "[35] = [28]", "[35] = = [28]")
    change(folder, f"{FORM}/form.toml", '"unicode"', '"unikode"')
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(folder)
    assert len(refused.value.faults) == 3


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(tmp_path)
    assert refused.value.faults == ("catalogue.toml: No such file or directory",)


def test_the_same_form_twice(folder: Path) -> None:
    path = folder / "catalogue.toml"
    row = path.read_text("utf-8").partition("[[form]]")[2]
    path.write_text(f'families = ["tax", "registrations", "permits"]\n[[form]]{row}\n[[form]]{row}', "utf-8")
    with pytest.raises(CatalogueError, match="listed twice"):
        load_catalogue(folder)


def test_a_schema_that_includes_itself_ends(folder: Path) -> None:
    change(folder, "tax/header.xsd", "<xs:include", '<xs:include schemaLocation="header.xsd"/><xs:include')
    assert load_catalogue(folder).forms


def test_a_loaded_catalogue_does_not_follow_the_files(folder: Path) -> None:
    catalogue = load_catalogue(folder)
    shutil.rmtree(folder / "tax")
    octets = signed_part(schemas.example_declaration())
    with ThreadPoolExecutor(1) as pool:  # a new thread compiles its own schema
        assert pool.submit(lambda: catalogue.examine(octets, received_at=RECEIVED)).result().accepted


def test_the_texts_are_whole() -> None:
    assert text_faults(fault_texts()) == []
    lame = {"x": FaultText("ERROR", "{value} a", "{field} a", "b", "")}
    assert len(text_faults(lame)) == 2


def test_the_same_files_are_loaded_once_and_changed_ones_anew(folder: Path) -> None:
    first = load_catalogue(folder)
    assert load_catalogue(folder) is first
    rules = folder / "tax/842-2.8.3/rules.toml"
    stat, text = rules.stat(), rules.read_bytes()
    rules.write_bytes(
        text.replace(b"arithmetic", b"Arithmetic", 1) if b"arithmetic" in text else text + b"\n"
    )
    os.utime(rules, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load_catalogue(folder) is not first


def test_an_open_catalogue_reads_what_is_asked_for(folder: Path) -> None:
    change(folder, "tax/830-2.8.3/rules.toml", "[[rule]]", "[[rules]]")
    catalogue = open_catalogue(folder)
    assert [one.form.label for one in catalogue.named("842")] == ["01/GTGT"]
    assert catalogue.form("842", "2.8.3", "D") is None
    with pytest.raises(CatalogueError, match=r"830-2.8.3/rules.toml"):
        catalogue.named("830")


def test_what_form_toml_says_is_known_without_the_rest_of_the_folder(folder: Path) -> None:
    loaded, opened = load_catalogue(folder), open_catalogue(folder)
    shutil.rmtree(folder / f"{FORM}/examples")
    (folder / f"{FORM}/form.xsd").unlink()
    assert opened.forms == loaded.forms
    change(folder, "tax/830-2.8.3/form.toml", "label", "lable")
    with pytest.raises(CatalogueError, match=r"830-2.8.3/form.toml"):
        open_catalogue(folder).form("830", "2.8.3", "C")


class TestServing:
    @pytest.fixture
    def surprising(self, folder: Path) -> Path:
        """An example that shows what nobody expects of it."""
        change(folder, f"{FORM}/examples/cases.toml", '"passes.xml" = []', '"passes.xml" = ["842.36"]')
        return folder

    def test_a_folder_of_others_is_checked_whole(self, surprising: Path) -> None:
        with pytest.raises(CatalogueError, match=r"passes\.xml: shows nothing"):
            serving_catalogue(surprising)

    def test_the_librarys_own_is_opened_and_its_examples_are_its_tests(
        self, surprising: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", surprising)
        catalogue = serving_catalogue(surprising)
        assert serving_catalogue(surprising) is catalogue
        octets = signed_part(schemas.example_declaration())
        assert catalogue.examine(octets, received_at=RECEIVED).accepted
        with pytest.raises(CatalogueError, match=r"passes\.xml: shows nothing"):
            load_catalogue(surprising)

    def test_it_is_made_ready_form_by_form(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", folder)
        catalogue = serving_catalogue(folder)
        catalogue.named("842")
        assert not catalogue.prepared
        left = 0
        while catalogue.prepare_one():
            left += 1
        assert left == len({form.folder for form in catalogue.forms}) - 1
        shutil.rmtree(folder)
        assert len(catalogue.descriptions()) == left + 1
        assert not catalogue.prepare_one()
        assert catalogue.prepared

    def test_threads_that_ask_at_once_load_a_form_once(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", folder)
        catalogue = serving_catalogue(folder)
        together = Barrier(8)

        def asked(_: int) -> schemas.Description:
            together.wait()
            return catalogue.named("842")[0]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(asked, range(8)))
        assert len({id(one.fields[0]) for one in found}) == 1

    def test_a_damaged_own_form_is_told_by_whoever_prepares_it(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", folder)
        change(folder, "tax/830-2.8.3/rules.toml", "[[rule]]", "[[rules]]")
        catalogue = serving_catalogue(folder)
        with pytest.raises(CatalogueError, match=r"830-2.8.3/rules.toml"):
            assert [catalogue.prepare_one() for _ in catalogue.forms] == []
