"""From a ds:Reference to the octets that were digested (XMLDSig clauses 4.4.3 and 4.5), within a work budget."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

from lxml import etree

from signing.algorithms import DIGESTS, DS, digest
from signing.canonical import (
    INCLUSIVE,
    METHODS,
    CanonicalForm,
    Canonicalisation,
    CanonicalisationRefused,
    canonicalise_document,
    canonicalise_small,
    form_of,
    with_comments,
)
from signing.elements import printable
from signing.parsing import XmlDocument, XmlRefused, parse_xml
from signing.report import CheckFailed, Covered, failed
from signing.transforms import BASE64, Removal
from signing.written import WrittenForm
from signing.xmldsig import Reference

_SIGNATURE = f"{{{DS}}}Signature"
WS_SECURITY_ID = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
ID_ATTRIBUTES = ("id", "Id", "ID", "{http://www.w3.org/XML/1998/namespace}id", WS_SECURITY_ID)
"""No schema types the documents: these attributes count as ids, over all of which an id must be unique."""

_POINTER = re.compile(r"""#xpointer\(id\((?:'([^'"]+)'|"([^'"]+)")\)\)""")
_DIAGNOSED_BYTES = 1_000_000
MAX_IDS = 50_000
_OCTETS_LOOKED_AT = 4
"""So many are seen to be canonical in the time in which one is canonicalised."""
_SAML_1_IDS = ("AssertionID", "RequestID", "ResponseID")
_SAML_1 = "{urn:oasis:names:tc:SAML:1.0:"
"""SAML 1.x types its ids by its own names (OASIS SAML 1.1 core, 1.3.4): they count on its own elements alone."""
_LOCAL_NAMES = " ".join(("", "id", "Id", "ID", *_SAML_1_IDS, ""))
# One scan in C; whose attributes count is decided below, by their namespaces.
_IDS = etree.XPath(
    f"(/descendant::*/@*[contains('{_LOCAL_NAMES}', concat(' ', local-name(), ' '))])[position() <= {MAX_IDS + 1}]"
)

_STRING_VALUE = etree.XPath("string()")
_ELEMENTS_BEFORE = cast("Callable[[etree._Element], float]", etree.XPath("count(preceding-sibling::*)"))


@dataclass(frozen=True, slots=True)
class Dereferenced:
    """Where a reference points and what it digests. `element` is None for the whole document.

    `removed`: signatures inside it that its transforms leave out, outermost ones only. `file`: the name of the file of
    the container that it is, instead of anything in the document.
    """

    reference: Reference
    element: etree._Element | None
    path: tuple[int, ...]
    octets: bytes
    removed: tuple[etree._Element, ...] = ()
    excluded: tuple[tuple[int, ...], ...] = ()
    decoded: bool = False
    comments: bool = False
    """Whether the comments inside it are among the octets."""
    file: str | None = None

    def covered(self) -> Covered:
        """As reported."""
        element, uri = self.element, printable(self.reference.uri or "")
        if self.file is not None:
            return Covered((), "", self.file, None, self.octets)
        tag, line = ("", 1) if element is None else (str(element.tag), line_of(element))
        return Covered(self.path, tag, uri, line, self.octets, self.excluded, self.decoded)


@dataclass(slots=True)
class ReferenceReader:
    """Dereferences within one document. Not shared between threads; holds the ids, done work and the budget."""

    document: XmlDocument
    ids: dict[str, etree._Element]
    budget: int
    files: Mapping[str, bytes] | None = None
    """What else references may point to, by name: the files of a container. None: nothing outside the document."""
    _done: dict[object, bytes] = field(default_factory=dict)
    _forms: dict[object, CanonicalForm] = field(default_factory=dict)
    _written: WrittenForm | None = None
    _digests: dict[tuple[str, int], tuple[bytes, bytes]] = field(default_factory=dict)
    """By algorithm and identity of the octets, which the value keeps: hashing a key costs as much as digesting."""
    _paths: dict[etree._Element, tuple[int, ...]] = field(default_factory=dict)

    def read(self, reference: Reference, signature: etree._Element) -> Dereferenced:
        """Resolve and transform. Raises CheckFailed (reference.*, algorithm.*)."""
        if self.files is not None and reference.uri and not reference.uri.startswith("#"):
            return self._read_file(reference, reference.uri, self.files)
        element, comments = self._resolve(reference.uri)
        removed = self._removed(reference, element, signature)
        octets = self._transform(reference, element, comments, removed)
        path = () if element is None else self.path_of(element)
        excluded = tuple(self.path_of(gone) for gone in removed)
        decoded = any(transform.uri == BASE64 for transform in reference.transforms)
        comments = comments and self._keeps_comments(reference)
        return Dereferenced(reference, element, path, octets, removed, excluded, decoded, comments)

    def digest_of(self, uri: str, octets: bytes) -> bytes:
        """The same octets under the same method are digested once, however many references name them."""
        found = self._digests.get((uri, id(octets)))
        if found is None:
            found = self._digests[uri, id(octets)] = octets, digest(DIGESTS[uri], octets)
        return found[1]

    def path_of(self, element: etree._Element) -> tuple[int, ...]:
        """`element_path`, walked once for each element."""
        path = self._paths.get(element)
        if path is None:
            path = self._paths[element] = element_path(element, bare=self.document.bare)
        return path

    def explain(self, wrong: Dereferenced) -> str | None:
        """A canonicalisation under which a mismatching digest would match, by identifier; bounded to 1 MB, 6 tries."""
        reference = wrong.reference
        if (
            wrong.file is not None
            or len(wrong.octets) > _DIAGNOSED_BYTES
            or any(t.uri == BASE64 for t in reference.transforms)
        ):
            return None
        for method in METHODS.values():
            try:
                octets = self.canonical(wrong.element, method, wrong.removed)
            except (CheckFailed, CanonicalisationRefused):
                return None
            if self.digest_of(reference.digest_method, octets) == reference.digest_value:
                return method.uri
        return None

    def _read_file(self, reference: Reference, uri: str, files: Mapping[str, bytes]) -> Dereferenced:
        """A file of the container as it is, or canonicalised (EN 319 162-1 clause 4.4.3.2)."""
        name = uri if uri in files else unquote(uri)
        octets = files.get(name)
        if octets is None:
            raise CheckFailed(failed("reference.external-ref", uri=printable(uri)))
        self._charge(len(octets) // 8)  # digesting is that much cheaper than canonicalising
        for transform in reference.transforms:
            if transform.canonicalisation is None:
                raise CheckFailed(failed("reference.transforms", algorithm=printable(transform.uri)))
            self._charge(len(octets))
            try:
                octets = canonicalise_document(parse_xml(octets).data, transform.canonicalisation)
            except (XmlRefused, CanonicalisationRefused) as error:
                detail = printable(str(error))
                raise CheckFailed(
                    failed("reference.canonicalisation", uri=printable(uri), detail=detail)
                ) from None
        return Dereferenced(reference, None, (), octets, file=name)

    def _resolve(self, uri: str | None) -> tuple[etree._Element | None, bool]:
        """The element (None: whole document) and whether comments belong to the node set (XMLDSig 4.4.3.3)."""
        if uri is None:
            raise CheckFailed(failed("reference.uri", uri="(absent)"))
        if not uri.startswith("#") and uri:
            raise CheckFailed(failed("reference.external-ref", uri=printable(uri)))
        if uri == "":
            return None, False
        if uri == "#xpointer(/)":
            return None, True
        pointer = _POINTER.fullmatch(uri)
        if pointer:
            name, comments = pointer[1] or pointer[2], True
        elif uri.startswith("#") and not re.search(r"[()%\s]", uri):
            name, comments = uri[1:], False
        else:
            raise CheckFailed(failed("reference.xpointer", uri=printable(uri)))
        element = self.ids.get(name)
        if element is None:
            raise CheckFailed(failed("reference.target", uri=printable(uri)))
        return element, comments

    def _removed(
        self, reference: Reference, element: etree._Element | None, signature: etree._Element
    ) -> tuple[etree._Element, ...]:
        """The signatures that the transforms take out of the node-set, outermost ones only, in document order."""
        doomed: dict[etree._Element, None] = {}
        for transform in reference.transforms:
            doomed |= dict.fromkeys(self._doomed(transform.removal, signature))
        if any(not _inside(gone, element) and _inside(element, gone) for gone in doomed):
            detail = "nothing is left when the signatures are taken out"
            uri = printable(reference.uri or "")
            raise CheckFailed(failed("reference.canonicalisation", uri=uri, detail=detail))
        within = [gone for gone in doomed if _inside(gone, element)]
        return tuple(
            gone for gone in within if not any(gone is not other and _inside(gone, other) for other in within)
        )

    def _doomed(self, removal: Removal | None, signature: etree._Element) -> Iterable[etree._Element]:
        root = self.document.root
        if removal is Removal.OWN:
            return [signature]
        if removal is Removal.ALL:
            return root.iter(_SIGNATURE)
        return root.findall(_SIGNATURE) if removal is Removal.TOP else []

    def _transform(
        self,
        reference: Reference,
        element: etree._Element | None,
        comments: bool,
        removed: tuple[etree._Element, ...],
    ) -> bytes:
        """Removals first, then canonicalisations; base64 alone."""
        transforms = list(reference.transforms)
        uri = printable(reference.uri or "")
        refusal = next((t.refusal for t in transforms if t.refusal is not None), None)
        if refusal is not None:
            raise CheckFailed(refusal)
        if [t.uri for t in transforms] == [BASE64]:
            decoded = _decoded(element, uri)
            self._charge(len(decoded))
            return decoded
        while transforms and transforms[0].removal is not None:
            transforms.pop(0)
        methods = [t.canonicalisation for t in transforms if t.canonicalisation is not None]
        if len(methods) != len(transforms):
            wrong = next(t.uri for t in transforms if t.canonicalisation is None)
            raise CheckFailed(failed("reference.transforms", algorithm=printable(wrong)))
        first = methods[0] if methods else INCLUSIVE
        try:
            octets = self.canonical(element, with_comments(first, comments and first.comments), removed)
            for method in methods[1:]:
                self._charge((2 if method.rewritten else 1) * len(octets) + self._namespace_octets)
                octets = canonicalise_document(octets, method)
        except CanonicalisationRefused as error:
            detail = printable(str(error))
            raise CheckFailed(failed("reference.canonicalisation", uri=uri, detail=detail)) from None
        return octets

    @staticmethod
    def _keeps_comments(reference: Reference) -> bool:
        methods = [t.canonicalisation for t in reference.transforms if t.canonicalisation is not None]
        return bool(methods) and all(method.comments for method in methods)

    def canonical(
        self,
        element: etree._Element | None,
        method: Canonicalisation,
        removed: tuple[etree._Element, ...] = (),
    ) -> bytes:
        """Canonical octets of an element (None: the document), made once. Raises CheckFailed (reference.work) or
        CanonicalisationRefused.
        """
        key = (element, method.family, method.comments, method.prefixes, removed)
        octets = self._done.get(key)
        if octets is None:
            if (self.document.root if element is None else element) in removed:
                raise CanonicalisationRefused("nothing is left when the signature is taken out")
            octets = self._done[key] = self._cut(element, method, removed)
            self._charge((2 if method.rewritten else 1) * len(octets))
        return octets

    def _cut(
        self, element: etree._Element | None, method: Canonicalisation, removed: tuple[etree._Element, ...]
    ) -> bytes:
        if element is not None and _is_small(element) and not removed and not method.in_place:
            self._charge(self._namespace_octets)
            octets = canonicalise_small(element, method)
            if octets is not None:
                return octets
        octets = self._as_written(element, method, removed)
        if octets is not None:
            return octets
        form = self._form(element, method)
        before = form.work
        octets = form.part(element, method, removed)
        self._charge(form.work - before)
        return octets

    def _as_written(
        self, element: etree._Element | None, method: Canonicalisation, removed: tuple[etree._Element, ...]
    ) -> bytes | None:
        """The part out of the document's own octets, where they are canonical."""
        if self._written is None:
            self._written = WrittenForm(self.document)
        before = self._written.work
        octets = self._written.part(element, method, removed)
        searched = len(self.document.data) if octets is None else len(octets)
        self._charge(self._written.work - before + searched // _OCTETS_LOOKED_AT)
        return octets

    def _form(self, element: etree._Element | None, method: Canonicalisation) -> CanonicalForm:
        """That which the part is cut out of, made once: the element's own where that is right, else the document's."""
        top = element if method.in_place else None
        key = (top, method.comments, method.prefixes if method.in_place else None)
        form = self._forms.get(key)
        if form is None:
            self._charge(self._namespace_octets)
            bare, tree = self.document.bare, self.document.root.getroottree()
            form = self._forms[key] = form_of(tree if top is None else top, method, bare=bare)
        return form

    @property
    def _namespace_octets(self) -> int:
        """What the document's namespaces cost, in octets of equal cost: a unit is 5-14 ns, an octet about 20."""
        return self.document.namespace_cost // 2

    def _charge(self, octets: int) -> None:
        self.budget -= octets
        if self.budget < 0:
            raise CheckFailed(failed("reference.work"))


def _is_small(element: etree._Element) -> bool:
    """Whether it is likely small; where it is not, that costs time alone."""
    return str(element.tag).endswith("}SignedProperties")


def reader_of(document: XmlDocument, files: Mapping[str, bytes] | None = None) -> ReferenceReader:
    """A reader for one document. Raises CheckFailed (document.ids-unique) if two elements bear the same id.

    The budget lets a large document be canonicalised twice and a small one many times; what several signatures share
    is canonicalised once.
    """
    size = len(document.data) + document.namespace_cost // 2 + sum(map(len, (files or {}).values()))
    ids = ids_of(document.root)
    return ReferenceReader(document, ids, 2 * size + 2_000_000, files)


def ids_of(root: etree._Element) -> dict[str, etree._Element]:
    """Every id and its bearer. Raises CheckFailed (document.ids-unique) if two elements bear the same."""
    ids: dict[str, etree._Element] = {}
    found = _IDS(root)
    assert isinstance(found, list)
    if len(found) > MAX_IDS:
        raise CheckFailed(failed("document.id-count", limit=MAX_IDS))
    for value in found:
        assert isinstance(value, etree._ElementUnicodeResult)
        bearer = value.getparent()
        assert bearer is not None
        of_saml = value.attrname in _SAML_1_IDS and str(bearer.tag).startswith(_SAML_1)
        if value.attrname not in ID_ATTRIBUTES and not of_saml:
            continue
        if ids.setdefault(str(value), bearer) is not bearer:
            raise CheckFailed(failed("document.ids-unique", id=printable(str(value)), line=line_of(bearer)))
    return ids


def element_path(element: etree._Element, *, bare: bool = False) -> tuple[int, ...]:
    """Child element indexes from the root; comments and processing instructions, which a `bare` document has none of,
    do not count.
    """
    steps: list[int] = []
    parent = element.getparent()
    while parent is not None:
        steps.append(parent.index(element) if bare else int(_ELEMENTS_BEFORE(element)))
        element, parent = parent, parent.getparent()
    return tuple(reversed(steps))


def line_of(element: etree._Element) -> int | None:
    """Line from 1, None where the parser did not record it."""
    return cast("int | None", element.sourceline)


def _inside(node: etree._Element | None, top: etree._Element | None) -> bool:
    """Whether a node is `top` or below it; None is the document."""
    if top is None or node is top:
        return True
    return node is not None and any(ancestor is top for ancestor in node.iterancestors())


def _decoded(element: etree._Element | None, uri: str) -> bytes:
    """XMLDSig clause 6.6.2: the text of the element and of all in it, without comments and instructions."""
    if element is None:
        raise CheckFailed(failed("reference.transforms", algorithm=BASE64))
    try:
        return base64.b64decode("".join(str(_STRING_VALUE(element)).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckFailed(failed("reference.canonicalisation", uri=uri, detail=error)) from None
