"""The papers of a dossier: each is there once, in it or beside it, and is what the signed list says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from schemas.dossier import ATTACHMENTS, MOST_ATTACHMENTS, Attachment, Paper, attachments_of, name_key
from schemas.faults import Fault, Place, make_fault
from schemas.file_types import active_content, media_type_of
from schemas.forms import Case


def paper_faults(case: Case) -> Iterator[Fault]:
    """Whatever the form: what came beside a document that lists no papers is named by nobody."""
    files = case.files[:MOST_ATTACHMENTS]
    listed = Counter(name_key(file.file_name) for file in files)
    sent = Counter(paper.key for paper in case.papers)
    strays = [paper for paper in case.papers if paper.key not in listed]
    lacking = {file.sha256.lower(): file for file in files if file.base64_text is None and file.paper is None}
    renamed = {paper.sha256 for paper in strays} & lacking.keys()
    yield from _strays(case, strays, {digest: lacking[digest] for digest in renamed})
    for file in files:
        place, key = case.reading.place(file.element, case.loaded.labelling), name_key(file.file_name)
        if listed[key] > 1:
            yield make_fault("attachment.name-twice", place, value=file.file_name)
        if sent[key] > (1 if file.base64_text is None else 0):
            yield make_fault("attachment.sent-twice", place, name=file.file_name)
        if file.base64_text is not None or file.paper is not None:
            yield from _octets(file, place)
        elif file.sha256.lower() not in renamed:
            yield make_fault("attachment.not-sent", place, name=file.file_name)


def _strays(case: Case, strays: Sequence[Paper], renamed: dict[str, Attachment]) -> Iterator[Fault]:
    for paper in strays:
        if (file := renamed.get(paper.sha256)) is not None:
            place = case.reading.place(file.element, case.loaded.labelling)
            yield make_fault("attachment.other-name", place, value=paper.name, name=file.file_name)
        else:
            yield make_fault("attachment.not-named", case.place(ATTACHMENTS), value=paper.name)


def _octets(file: Attachment, place: Place) -> Iterator[Fault]:
    """What one paper holds, wherever it came from."""
    name, content = file.file_name, file.content
    if content is None:
        yield make_fault("attachment.not-base64", place, name=name)
        return
    if file.size != str(len(content)):
        yield make_fault("attachment.size", place, value=file.size, found=str(len(content)), name=name)
    if file.sha256.lower() != file.content_sha256:
        yield make_fault("attachment.digest", place, value=file.sha256, name=name)
    found = media_type_of(content)
    if found != file.media_type:
        yield make_fault(
            "attachment.not-what-it-says", place, value=file.media_type, found=found or "?", name=name
        )
    if found == "application/pdf" and (active := active_content(content)):
        yield make_fault("attachment.active-content", place, name=name, found=", ".join(active))


def papers_apart(document: bytes) -> tuple[bytes, Mapping[str, bytes]]:
    """An unsigned dossier with its files taken out of it, and the files by name, to be sent beside it."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    papers: dict[str, bytes] = {}
    for file in list(attachments_of(root[0])):
        content = file.element.find("{*}noiDung")
        if content is not None and file.content is not None:
            papers[file.file_name] = file.content
            file.element.remove(content)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True), papers
