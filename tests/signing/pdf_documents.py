"""PDF files made with pyHanko's writer, and what an attacker appends to them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter, copy_into_new_writer

TEXT = b"BT /F1 24 Tf 100 700 Td (So tien: 1.000.000) Tj ET"


def name(text: str) -> generic.NameObject:
    return generic.NameObject(text)


def dictionary(**entries: Any) -> DictionaryObject:
    return DictionaryObject({name("/" + key): value for key, value in entries.items()})


def numbers(*values: int) -> ArrayObject:
    return ArrayObject([NumberObject(value) for value in values])


def pdf(*, field: bool = False) -> bytes:
    """One page with one line of text and, where asked for, a text field to fill in."""
    writer = PdfFileWriter()
    font = writer.add_object(
        dictionary(Type=name("/Font"), Subtype=name("/Type1"), BaseFont=name("/Helvetica"))
    )
    page = PageObject(
        contents=writer.add_object(StreamObject(stream_data=TEXT)),
        media_box=numbers(0, 0, 595, 842),
        resources=dictionary(Font=dictionary(F1=font)),
    )
    place = writer.insert_page(page)
    if field:
        widget = dictionary(
            Type=name("/Annot"), Subtype=name("/Widget"), FT=name("/Tx"), T=TextStringObject("Amount"),
            V=TextStringObject("1"), Rect=numbers(10, 10, 100, 30), P=place,
        )  # fmt: skip
        reference = writer.add_object(widget)
        page[name("/Annots")] = ArrayObject([reference])
        writer.root[name("/AcroForm")] = dictionary(Fields=ArrayObject([reference]))
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def encrypted(data: bytes, password: str) -> bytes:
    """The file anew, encrypted; to open it takes the password, where that is not empty."""
    writer = copy_into_new_writer(PdfFileReader(BytesIO(data)))
    writer.encrypt("the owner's", password)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def appended(data: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """The file with an incremental update."""
    writer = IncrementalPdfFileWriter(BytesIO(data), strict=False)
    change(writer)
    output = BytesIO()
    writer.write(output)
    assert output.getvalue().startswith(data)
    return output.getvalue()


def _page(writer: IncrementalPdfFileWriter) -> tuple[IndirectObject, DictionaryObject]:
    reference = writer.root["/Pages"]["/Kids"].raw_get(0)
    return reference, reference.get_object()


def replace_text(writer: IncrementalPdfFileWriter) -> None:
    _, page = _page(writer)
    stream = page["/Contents"]
    stream._data = None
    stream._encoded_data = TEXT.replace(b"1.000.000", b"9.000.000")
    writer.mark_update(page.raw_get("/Contents"))


def point_elsewhere(writer: IncrementalPdfFileWriter) -> None:
    reference, page = _page(writer)
    page[name("/Contents")] = writer.add_object(StreamObject(stream_data=TEXT.replace(b"1.", b"9.")))
    writer.mark_update(reference)


def replace_font(writer: IncrementalPdfFileWriter) -> None:
    _, page = _page(writer)
    font = page["/Resources"]["/Font"]
    font["/F1"][name("/BaseFont")] = name("/Symbol")
    writer.mark_update(font.raw_get("/F1"))


def _overlay(writer: IncrementalPdfFileWriter) -> IndirectObject:
    form = StreamObject(
        {
            name("/Type"): name("/XObject"),
            name("/Subtype"): name("/Form"),
            name("/BBox"): numbers(0, 0, 300, 100),
        },
        stream_data=b"0 0 300 100 re f",
    )
    return writer.add_object(form)


def add_annotation(writer: IncrementalPdfFileWriter) -> None:
    reference, page = _page(writer)
    note = dictionary(
        Type=name("/Annot"), Subtype=name("/Stamp"), Rect=numbers(90, 690, 400, 730),
        AP=dictionary(N=_overlay(writer)),
    )  # fmt: skip
    page[name("/Annots")] = ArrayObject([*page.get("/Annots", []), writer.add_object(note)])
    writer.mark_update(reference)


def add_empty_signature_field(writer: IncrementalPdfFileWriter, *, value: Any = None) -> None:
    """A signature field nobody signed, whose appearance lies over the text."""
    reference, page = _page(writer)
    field = dictionary(
        Type=name("/Annot"), Subtype=name("/Widget"), FT=name("/Sig"), T=TextStringObject("Overlay"),
        Rect=numbers(90, 690, 400, 730), AP=dictionary(N=_overlay(writer)), P=reference,
    )  # fmt: skip
    if value is not None:
        field[name("/V")] = writer.add_object(value)
    made = writer.add_object(field)
    page[name("/Annots")] = ArrayObject([*page.get("/Annots", []), made])
    fields = writer.root["/AcroForm"]["/Fields"]
    fields.append(made)
    writer.update_container(fields)
    writer.update_root()
    writer.mark_update(reference)


def add_false_time_stamp(writer: IncrementalPdfFileWriter) -> None:
    """The same, with a time stamp that is none: ignored time stamps must not show anything either."""
    value = dictionary(
        Type=name("/DocTimeStamp"), Filter=name("/Adobe.PPKLite"), SubFilter=name("/ETSI.RFC3161"),
        Contents=generic.ByteStringObject(b"0"), ByteRange=numbers(0, 1, 2, 3),
    )  # fmt: skip
    add_empty_signature_field(writer, value=value)


def _show(writer: IncrementalPdfFileWriter, **entries: Any) -> None:
    """A widget with an appearance over the page, in the form's fields."""
    reference, page = _page(writer)
    field = dictionary(
        Type=name("/Annot"), Subtype=name("/Widget"), FT=name("/Sig"), Rect=numbers(90, 690, 400, 730),
        AP=dictionary(N=_overlay(writer)), P=reference, **entries,
    )  # fmt: skip
    made = writer.add_object(field)
    page[name("/Annots")] = ArrayObject([*page.get("/Annots", []), made])
    fields = writer.root["/AcroForm"]["/Fields"]
    fields.append(made)
    writer.update_container(fields)
    writer.update_root()
    writer.mark_update(reference)


def show_the_old_signature_again(writer: IncrementalPdfFileWriter) -> None:
    (field, *_) = writer.root["/AcroForm"]["/Fields"]
    _show(writer, T=TextStringObject("Again"), V=field.get_object().raw_get("/V"))


def show_a_nameless_signature(writer: IncrementalPdfFileWriter) -> None:
    _show(writer, V=dictionary(SubFilter=name("/adbe.pkcs7.detached"), Filter=name("/Adobe.PPKLite")))


def show_a_nameless_signature_elsewhere(writer: IncrementalPdfFileWriter) -> None:
    _show(writer, V=writer.add_object(dictionary(SubFilter=name("/adbe.pkcs7.detached"))))


def show_a_kid_of_the_old_field(writer: IncrementalPdfFileWriter) -> None:
    reference, page = _page(writer)
    field = writer.root["/AcroForm"]["/Fields"].raw_get(0)
    kid = dictionary(
        Type=name("/Annot"), Subtype=name("/Widget"), Rect=numbers(90, 690, 400, 730),
        AP=dictionary(N=_overlay(writer)), P=reference, Parent=field,
    )  # fmt: skip
    made = writer.add_object(kid)
    field.get_object()[name("/Kids")] = ArrayObject([made])
    page[name("/Annots")] = ArrayObject([*page.get("/Annots", []), made])
    writer.mark_update(field)
    writer.mark_update(reference)


def add_a_field_that_acts(writer: IncrementalPdfFileWriter) -> None:
    script = dictionary(S=name("/JavaScript"), JS=TextStringObject("this.getField(1)"))
    field = dictionary(
        Type=name("/Annot"), Subtype=name("/Widget"), FT=name("/Sig"), Rect=numbers(0, 0, 0, 0),
        T=TextStringObject("Acts"), AA=dictionary(PO=script),
    )  # fmt: skip
    fields = writer.root["/AcroForm"]["/Fields"]
    fields.append(writer.add_object(field))
    writer.update_container(fields)
    writer.update_root()


def by_hand(contents: bytes, after: bytes | None = None, root: int = 1) -> bytes:
    """One page whose contents are this object, written as it is; with `after`, an update that replaces it."""
    if after is not None:
        start = int(re.findall(rb"startxref\s+(\d+)", contents)[-1])
        return contents + _part({5: after}, root, len(contents), start)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R/Resources<</Font<</F1 4 0 R>>>>>>"
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: page,
        4: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        5: contents,
    }
    return b"%PDF-1.7\n" + _part(objects, root, 9, None)


def _part(objects: dict[int, bytes], root: int, start: int, previous: int | None) -> bytes:
    out, places = bytearray(b"\n"), {}
    for number, body in objects.items():
        places[number] = start + len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = start + len(out)
    out += b"xref\n" + (b"0 1\n0000000000 65535 f \n" if previous is None else b"")
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    before = b"" if previous is None else b"/Prev %d" % previous
    out += b"trailer\n<</Size 20/Root %d 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (root, before, table)
    return bytes(out)


def add_page(writer: IncrementalPdfFileWriter) -> None:
    page = PageObject(
        contents=writer.add_object(StreamObject(stream_data=TEXT)), media_box=numbers(0, 0, 595, 842)
    )
    writer.insert_page(page)


def remove_signature(writer: IncrementalPdfFileWriter) -> None:
    form = writer.root["/AcroForm"]
    form[name("/Fields")] = ArrayObject()
    writer.update_container(form)
    writer.update_root()


def add_script(writer: IncrementalPdfFileWriter) -> None:
    action = dictionary(S=name("/JavaScript"), JS=TextStringObject("app.alert(1)"))
    writer.root[name("/OpenAction")] = writer.add_object(action)
    writer.update_root()


def turn_page(writer: IncrementalPdfFileWriter) -> None:
    """/Rotate on the node above, which the page inherits."""
    tree = writer.root["/Pages"]
    tree[name("/Rotate")] = NumberObject(180)
    writer.mark_update(writer.root.raw_get("/Pages"))


def fill_field(writer: IncrementalPdfFileWriter) -> None:
    fields = writer.root["/AcroForm"]["/Fields"]
    field = next(each.get_object() for each in fields if each.get_object().get("/FT") == "/Tx")
    field[name("/V")] = TextStringObject("9")
    writer.update_container(field)


def add_validation_data(writer: IncrementalPdfFileWriter) -> None:
    writer.root[name("/DSS")] = writer.add_object(dictionary(Certs=ArrayObject(), CRLs=ArrayObject()))
    writer.update_root()


def orphan(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(StreamObject(stream_data=b"nobody refers to this"))


def bombs() -> dict[str, bytes]:
    """Small files that cost much to a reader without limits."""
    flat = zlib.compress(bytes(300_000_000), 9)
    twice = zlib.compress(flat, 9)
    found = {
        "deep arrays": _with_root(b"<</Type/Catalog/Pages " + b"[" * 200_000 + b"]" * 200_000 + b">>"),
        "deep dictionaries": _with_root(
            b"<</Type/Catalog/Pages " + b"<</A " * 100_000 + b">>" * 100_000 + b">>"
        ),
        "many fields": _with_root(
            b"<</Type/Catalog/AcroForm<</Fields[" + b"<</FT/Sig/T(a)>>" * 100_000 + b"]>>>>"
        ),
        "fields in a circle": _with_root(
            b"<</Type/Catalog/AcroForm<</Fields[2 0 R]>>>>", b"<</Kids[2 0 R]/T(a)>>"
        ),
    }
    for filters, packed in ((b"/FlateDecode", flat), (b"[/FlateDecode/FlateDecode]", twice)):
        stream = b"<</Type/ObjStm/N 1/First 4/Filter " + filters + b"/Length %d>>stream\n" % len(packed)
        body = b"%PDF-1.5\n2 0 obj\n" + stream + packed + b"\nendstream\nendobj\n"
        rows = b"\0\0\0\0\0\xff" + b"\2\0\0\0\2\0" + b"\1" + (9).to_bytes(4, "big") + b"\0"
        table = b"3 0 obj\n<</Type/XRef/Size 3/W[1 4 1]/Root 1 0 R/Length %d>>stream\n" % len(rows)
        end = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(body)
        found[f"inflates {filters.decode()}"] = body + table + rows + end
    return found


def many_fields(count: int, *, octets: int) -> bytes:
    """Signature fields that all name one value of so many octets."""
    value = b"<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<%b>>>" % (b"00" * octets)
    objects = [b"<</FT/Sig/T(f%d)/V 2 0 R>>" % number for number in range(count)]
    named = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    return _with_root(b"<</Type/Catalog/AcroForm<</Fields[" + named + b"]>>>>", value, *objects)


def _with_root(*objects: bytes) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, held in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, held)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n" % size + rows
    return body + table + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))
