"""Dossiers for tests, with papers of the test's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lxml import etree

import certs_dev
import schemas
from tests.documents import sign

KARAOKE = "karaoke-licence"
KINDS = ("dang-ky-kinh-doanh", "pccc", "an-ninh-trat-tu")
"""Of the papers that this form wants."""


def with_papers(document: bytes, papers: Iterable[tuple[str, str, bytes]]) -> bytes:
    """The document with these files (kind, name, octets), each in the place of the first of its kind, or after all."""
    root = etree.fromstring(document)
    holder = root.find(f".//{schemas.PERMIT.tag('DinhKem')}")
    assert holder is not None
    for kind, name, octets in papers:
        media = "application/pdf" if octets[:4] == b"%PDF" else "image/png"
        values = (kind, name, media, str(len(octets)), hashlib.sha256(octets).hexdigest())
        content = base64.b64encode(octets).decode()
        paper = etree.Element(schemas.PERMIT.tag("TepDinhKem"))
        names = ("loaiGiayTo", "tenTep", "kieuNoiDung", "dungLuong", "sha256", "noiDung")
        for element, value in zip(names, (*values, content), strict=True):
            etree.SubElement(paper, schemas.PERMIT.tag(element)).text = value
        old = [one for one in holder if one[0].text == kind and not one.get("new")]
        if old:
            holder.replace(old[0], paper)
        else:
            holder.append(paper)
        paper.set("new", "1")
    for paper in holder:
        paper.attrib.pop("new", None)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def unsigned(pki: certs_dev.DevPki, *papers: tuple[str, str, bytes]) -> bytes:
    """A karaoke licence's dossier of the development taxpayer, with these papers."""
    code = str(pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    [one] = [one for one in schemas.load_catalogue().descriptions() if one.form.code == KARAOKE]
    return with_papers(one.example("passes.xml", tax_code=code), papers)


def dossier(pki: certs_dev.DevPki, *papers: tuple[str, str, bytes]) -> bytes:
    """The same, signed."""
    return sign(pki, unsigned(pki, *papers), target_id="_NODE_TO_SIGN")


def catalogue_that_wants_it_signed(directory: Path, signed_pdf: bytes) -> Path:
    """A catalogue with that form alone, whose first paper must be signed; its own example brings `signed_pdf`."""
    schemas.export_catalogue(schemas.OWN_CATALOGUE, directory)
    form = directory / "permits" / f"{KARAOKE}-1.0.0"
    first, *rows = (directory / "catalogue.toml").read_text("utf-8").split("[[form]]")
    kept = "[[form]]".join([first, *(row for row in rows if KARAOKE in row)])
    (directory / "catalogue.toml").write_text(kept, "utf-8")
    text = (form / "form.toml").read_text("utf-8")
    wanted = f'kind = "{KINDS[0]}"\n'
    assert wanted in text
    (form / "form.toml").write_text(text.replace(wanted, f"{wanted}signed = true\n"), "utf-8")
    passes = form / "examples" / "passes.xml"
    passes.write_bytes(with_papers(passes.read_bytes(), [(KINDS[0], "dang-ky-kinh-doanh.pdf", signed_pdf)]))
    return directory
